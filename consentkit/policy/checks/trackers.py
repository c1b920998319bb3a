"""Whether trackers are necessary where declared so, belong to a vendor, and can be told apart (REQUIREMENTS A, C, H)."""

from collections.abc import Iterator
from typing import get_args

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.checks.references import repeated
from consentkit.policy.duration import Duration
from consentkit.policy.field_types import is_cookie_name
from consentkit.policy.findings import Finding, KeyPath
from consentkit.policy.models import Necessity, Tracker
from consentkit.policy.own_cookies import ALL_COOKIE_NAMES
from consentkit.policy.url_types import host_of

__all__ = ["CHECKS"]

_LONGEST_LIFETIME = Duration(days=400)
_PERSISTENT = ("local_storage", "indexed_db", "cache_storage")


def necessity_is_stated(context: CheckContext) -> Iterator[Finding]:
    """LB-06: a tracker that is always on states a reason from a closed list, and no other tracker does."""
    for path, tracker in context.trackers("category", "necessity"):
        category = context.category(tracker.category, "required")
        if category is None:
            continue
        key = (*path, "necessity")
        if category.required and tracker.necessity is None:
            message = "The tracker is always on, but gives no reason why it is strictly necessary."
            remedy = (
                f"Add `necessity` ({_NECESSITIES}), or move the tracker to a category that asks for consent."
            )
            yield Finding(key, message, remedy)
        elif tracker.necessity is not None and not category.required:
            message = (
                f"The category {category.id} is not required, so none of its trackers is strictly necessary."
            )
            yield Finding(key, message, "Remove the key, or move the tracker to a required category.")


_NECESSITIES = ", ".join(get_args(Necessity))


def third_parties_are_declared(context: CheckContext) -> Iterator[Finding]:
    """IN-02: visitors are told who has access to a tracker."""
    for path, tracker in context.trackers("third_party", "vendor", "category"):
        if tracker.third_party and tracker.vendor is None:
            message = "The tracker is on a third party's domain, but has no vendor."
            yield Finding(
                (*path, "third_party"), message, "Add `vendor`: the third party whose domain it is."
            )
        vendor = context.vendor(tracker.vendor, "category") if tracker.vendor else None
        if vendor is None or not context.category(vendor.category) or not context.category(tracker.category):
            continue
        if vendor.category != tracker.category:
            message = f"{vendor.name} ({vendor.id}) is a vendor of {vendor.category}; the tracker belongs to {tracker.category}."
            remedy = "Move one of them; declare a company with two purposes as two vendors."
            yield Finding((*path, "category"), message, remedy)


def names_are_told_apart(context: CheckContext) -> Iterator[Finding]:
    """A name and kind belong to one category and vendor, so that the cookie gate can decide by the name.

    Items on third parties' domains are exempt, because they never pass the gate.
    """
    trackers = list(context.trackers("name", "kind", "category", "vendor", "third_party", "domain", "path"))
    first_trackers: dict[tuple[str, str], tuple[KeyPath, Tracker]] = {}
    for path, tracker in trackers:
        if tracker.third_party:
            continue
        first_path, first = first_trackers.setdefault((tracker.kind, tracker.name), (path, tracker))
        if (tracker.category, tracker.vendor) != (first.category, first.vendor):
            message = (
                f"{context.row_name(first_path)} has the same name and kind, but another category or vendor."
            )
            yield Finding((*path, "name"), message, "Remove one of the two trackers.")
    places = (
        (path, (tracker.kind, tracker.name, tracker.category, tracker.vendor, tracker.domain, tracker.path))
        for path, tracker in trackers
    )
    for path, first_path in repeated(places):
        message = f"{context.row_name(first_path)} declares the same tracker."
        yield Finding((*path, "name"), message, "Remove one of the two.")


def own_cookies_are_left_alone(context: CheckContext) -> Iterator[Finding]:
    """LB-09: the library discloses its own cookies; no tracker may claim, hide or delete them."""
    for path, tracker in context.trackers("name", "kind", "third_party"):
        if tracker.kind != "cookie" or tracker.third_party:
            continue
        own_name = next((name for name in ALL_COOKIE_NAMES if tracker.matches(name)), None)
        if own_name:
            message = f"The name matches {own_name}, a cookie of consentkit, which lists it on the policy page itself."
            remedy = (
                "Remove the tracker if it is that cookie; otherwise write a longer pattern or another name."
            )
            yield Finding((*path, "name"), message, remedy)


def cookies_are_cookies(context: CheckContext) -> Iterator[Finding]:
    """Cookies have a valid name (RFC 6265), and only cookies have a Domain and a Path."""
    for path, tracker in context.trackers("name", "kind", "domain", "path", "partitioned"):
        if tracker.kind != "cookie":
            declared = {
                "domain": tracker.domain is not None,
                "path": tracker.path != "/",
                "partitioned": tracker.partitioned,
            }
            for key in (key for key, is_declared in declared.items() if is_declared):
                message = f"Only cookies have this attribute; the tracker is of kind {tracker.kind}."
                yield Finding((*path, key), message, "Remove the key.")
            continue
        if not is_cookie_name(tracker.name):
            message = "The name of a cookie has no spaces, quotes, separators or letters outside ASCII."
            yield Finding((*path, "name"), message, "Write the name as the browser shows it.")
        if tracker.name.lower().startswith("__host-") and (tracker.domain is not None or tracker.path != "/"):
            key = "domain" if tracker.domain is not None else "path"
            message = "A cookie whose name begins with __Host- has no Domain, and the path /; browsers refuse others."
            yield Finding((*path, key), message, "Remove the key.")


def domains_are_ours(context: CheckContext) -> Iterator[Finding]:
    """A first-party cookie is on a domain of one of the sites, or it could be neither set nor deleted."""
    hosts = [host_of(site.origin) for _, site in context.sites("origin") if context.is_valid("sites")]
    for path, tracker in context.trackers("domain", "third_party", "kind"):
        if tracker.domain is None or tracker.kind != "cookie" or len(hosts) < len(context.policy.sites):
            continue
        domain = tracker.domain.removeprefix(".")
        ours = any(host == domain or host.endswith(f".{domain}") for host in hosts)
        if ours and "." not in domain and domain != "localhost":
            yield Finding((*path, "domain"), "This is a top-level domain.", "Write the site's own domain.")
        elif tracker.third_party and ours:
            message = "This is a domain of one of the sites, so the cookie is first-party."
            yield Finding(
                (*path, "domain"), message, "Remove `third_party`, so that a withdrawal deletes the cookie."
            )
        elif not tracker.third_party and not ours:
            message = "No site of the policy is on this domain."
            yield Finding((*path, "domain"), message, "Correct the domain, or write third_party = true.")


def lifetimes_are_sensible(context: CheckContext) -> Iterator[Finding]:
    """VA-07: no tracker outlives the consent, and no lifetime contradicts the kind of storage."""
    for path, tracker in context.trackers("lifetime", "kind", "category"):
        key = (*path, "lifetime")
        category = context.category(tracker.category, "required", "exempt")
        asks_consent = category is not None and not category.required and not category.exempt
        if tracker.lifetime == "session":
            if tracker.kind in _PERSISTENT:
                message = f"Items in {tracker.kind} outlive the session."
                yield Finding(key, message, "Write how long the site keeps the item.", warning=True)
        elif tracker.kind == "session_storage":
            message = "Items in session_storage end with the tab."
            yield Finding(key, message, 'Write "session".', warning=True)
        elif tracker.kind == "cookie" and tracker.lifetime.longer_than(_LONGEST_LIFETIME):
            message = "Browsers keep a cookie for at most 400 days."
            yield Finding(key, message, 'Write at most "P400D".', warning=True)
        elif (
            asks_consent
            and context.is_valid("validity")
            and tracker.lifetime.longer_than(context.policy.validity)
        ):
            message = f"The tracker outlives the consent, which ends after {context.policy.validity}."
            remedy = "Shorten its lifetime."
            if tracker.vendor is not None:
                remedy = "Ask the vendor for a shorter lifetime, or explain in `purpose` why the item is kept longer."
            yield Finding(key, message, remedy, warning=True)


def required_trackers_are_ours(context: CheckContext) -> Iterator[Finding]:
    """LB-06: a third party's tracker is rarely strictly necessary."""
    for path, tracker in context.trackers("category", "vendor"):
        category = context.category(tracker.category, "required")
        if tracker.vendor is not None and category is not None and category.required:
            message = "This tracker of a third party is always on; visitors are not asked."
            remedy = "Check that it is strictly necessary for what visitors ask for."
            yield Finding((*path, "vendor"), message, remedy, warning=True)


CHECKS = (
    necessity_is_stated,
    third_parties_are_declared,
    names_are_told_apart,
    own_cookies_are_left_alone,
    cookies_are_cookies,
    domains_are_ours,
    lifetimes_are_sensible,
    required_trackers_are_ours,
)
