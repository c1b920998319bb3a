"""What is stored or read: necessary where it says so, owned by somebody, found by the gate (REQUIREMENTS A, C, H)."""

from collections.abc import Iterator
from typing import get_args

from consentkit.policy.checks.context import CheckContext, Path
from consentkit.policy.checks.references import named, repeated
from consentkit.policy.duration import Duration
from consentkit.policy.field_types import is_cookie_name
from consentkit.policy.findings import Finding
from consentkit.policy.own_cookies import ALL_COOKIE_NAMES
from consentkit.policy.policy import Necessity, Tracker
from consentkit.policy.url_types import host_of

__all__ = ["CHECKS"]

LONGEST_COOKIE = Duration(days=400)
_PERSISTENT = ("local_storage", "indexed_db", "cache_storage")


def necessity_is_stated(context: CheckContext) -> Iterator[Finding]:
    """LB-06: for what is always on, from a closed list; for nothing else."""
    for path, tracker in context.trackers("category", "necessity"):
        category = context.category(tracker.category, "required")
        if category is None:
            continue
        key = (*path, "necessity")
        if category.required and tracker.necessity is None:
            message = "The tracker is always on, but does not say why it is strictly necessary."
            yield Finding(key, message, f"Add necessity, or move it to a category that asks. {_NECESSITIES}")
        elif tracker.necessity is not None and not category.required:
            message = (
                f"The category {category.id} is not required, so that nothing in it is strictly necessary."
            )
            yield Finding(key, message, "Leave it out, or move the tracker to a required category.")


_NECESSITIES = f"Known here: {', '.join(get_args(Necessity))}."


def third_parties_are_named(context: CheckContext) -> Iterator[Finding]:
    """IN-02: visitors are told who has access."""
    for path, tracker in context.trackers("third_party", "vendor", "category"):
        if tracker.third_party and tracker.vendor is None:
            message = "The tracker is on a third party's domain, but names no vendor."
            yield Finding((*path, "third_party"), message, "Add the vendor whose domain it is.")
        vendor = context.vendor(tracker.vendor, "category") if tracker.vendor else None
        if vendor is None or not context.category(vendor.category) or not context.category(tracker.category):
            continue
        if vendor.category != tracker.category:
            message = (
                f"The vendor {vendor.id} belongs to {vendor.category}, the tracker to {tracker.category}."
            )
            remedy = "Move one of them; a company with two roles is two vendors."
            yield Finding((*path, "category"), message, remedy)


def names_are_told_apart(context: CheckContext) -> Iterator[Finding]:
    """So that the gate knows whose an item is. Third parties' own items never pass it."""
    rows = list(context.trackers("name", "kind", "category", "vendor", "third_party", "domain", "path"))
    first: dict[tuple[str, str], tuple[Path, Tracker]] = {}
    for path, row in rows:
        if row.third_party:
            continue
        known, other = first.setdefault((row.kind, row.name), (path, row))
        if (row.category, row.vendor) != (other.category, other.vendor):
            message = f"This is {named(known)} again, for another category or vendor: which of them is it?"
            yield Finding((*path, "name"), message, "Keep one of the two.")
    places = (
        (path, (row.kind, row.name, row.category, row.vendor, row.domain, row.path)) for path, row in rows
    )
    for path, known in repeated(places):
        yield Finding((*path, "name"), f"This is {named(known)} again.", "Leave one out.")


def own_cookies_are_left_alone(context: CheckContext) -> Iterator[Finding]:
    """LB-09: this library discloses its own cookies; nobody else may have, hide or delete them."""
    for path, tracker in context.trackers("name", "kind", "third_party"):
        if tracker.kind != "cookie" or tracker.third_party:
            continue
        covered = next((name for name in ALL_COOKIE_NAMES if tracker.matches(name)), None)
        if covered:
            message = f"This covers {covered}, in which consentkit keeps the choice and which it discloses by itself."
            yield Finding((*path, "name"), message, "Name the cookie more exactly, or give it another name.")


def cookies_are_cookies(context: CheckContext) -> Iterator[Finding]:
    """Their names are tokens (RFC 6265); prefixes hold what they promise; other kinds have no Domain and Path."""
    for path, tracker in context.trackers("name", "kind", "domain", "path", "partitioned"):
        if tracker.kind != "cookie":
            given = {
                "domain": tracker.domain is not None,
                "path": tracker.path != "/",
                "partitioned": tracker.partitioned,
            }
            for key in (key for key, is_given in given.items() if is_given):
                yield Finding((*path, key), f"Only a cookie has this, not {tracker.kind}.", "Leave it out.")
            continue
        if not is_cookie_name(tracker.name):
            message = "A cookie's name has no spaces, quotes, separators or letters beyond ASCII."
            yield Finding((*path, "name"), message, "Write it as the browser shows it.")
        if tracker.name.lower().startswith("__host-") and (tracker.domain is not None or tracker.path != "/"):
            key = "domain" if tracker.domain is not None else "path"
            message = "A cookie whose name begins with __Host- has no Domain, and the path /."
            yield Finding((*path, key), message, "Leave it out: browsers refuse such a cookie.")


def domains_are_ours(context: CheckContext) -> Iterator[Finding]:
    """A first-party cookie lies on a domain of one of the sites, or it could be neither set nor deleted."""
    hosts = [host_of(site.origin) for _, site in context.sites("origin") if context.sound("sites")]
    for path, tracker in context.trackers("domain", "third_party", "kind"):
        if tracker.domain is None or tracker.kind != "cookie" or len(hosts) < len(context.policy.sites):
            continue
        domain = tracker.domain.removeprefix(".")
        ours = any(host == domain or host.endswith(f".{domain}") for host in hosts)
        if ours and "." not in domain and domain != "localhost":
            yield Finding(
                (*path, "domain"), "This is a whole top-level domain.", "Name the site's own domain."
            )
        elif tracker.third_party and ours:
            message = "This is a domain of one of the sites, so that the cookie is first-party."
            yield Finding((*path, "domain"), message, "Leave out third_party: then withdrawal deletes it.")
        elif not tracker.third_party and not ours:
            message = "No site of the policy lies on this domain."
            yield Finding((*path, "domain"), message, "Mend it, or write third_party = true.")


def lifetimes_are_sensible(context: CheckContext) -> Iterator[Finding]:
    """VA-07: no longer than the consent. Nor longer than browsers keep a cookie, nor shorter than a store lives."""
    for path, tracker in context.trackers("lifetime", "kind", "category"):
        key = (*path, "lifetime")
        category = context.category(tracker.category, "required", "exempt")
        asked = category is not None and not category.required and not category.exempt
        if tracker.lifetime == "session":
            if tracker.kind in _PERSISTENT:
                message = f"What is in {tracker.kind} outlives the session."
                yield Finding(key, message, "Say how long it stays before it is removed.", warning=True)
        elif tracker.kind == "session_storage":
            message = "What is in session_storage ends with the tab."
            yield Finding(key, message, 'Write "session".', warning=True)
        elif tracker.kind == "cookie" and tracker.lifetime.longer_than(LONGEST_COOKIE):
            yield Finding(
                key, "Browsers keep a cookie for 400 days at the most.", 'Write "P400D".', warning=True
            )
        elif asked and context.sound("validity") and tracker.lifetime.longer_than(context.policy.validity):
            message = f"The tracker outlives the consent, which ends after {context.policy.validity}."
            yield Finding(key, message, "Set it for a shorter time.", warning=True)


def required_trackers_are_ours(context: CheckContext) -> Iterator[Finding]:
    """LB-06: a third party's tracker is seldom strictly necessary."""
    for path, tracker in context.trackers("category", "vendor"):
        category = context.category(tracker.category, "required")
        if tracker.vendor is not None and category is not None and category.required:
            message = "A third party's tracker is always on here: nobody is asked."
            remedy = "Check that the service which visitors ask for cannot do without it."
            yield Finding((*path, "vendor"), message, remedy, warning=True)


CHECKS = (
    necessity_is_stated,
    third_parties_are_named,
    names_are_told_apart,
    own_cookies_are_left_alone,
    cookies_are_cookies,
    domains_are_ours,
    lifetimes_are_sensible,
    required_trackers_are_ours,
)
