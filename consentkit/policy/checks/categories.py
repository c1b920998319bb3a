"""What a category may claim: to be necessary, to be exempt, to combine (REQUIREMENTS A)."""

from collections.abc import Iterator

from consentkit.policy.checks.context import CheckContext, Path
from consentkit.policy.duration import Duration
from consentkit.policy.findings import Finding
from consentkit.policy.policy import Category, Tracker, Vendor

__all__ = ["CHECKS"]

EXEMPTING = ("FR", "NL")
"""Jurisdictions whose law or regulator exempts the publisher's own analytics (REQUIREMENTS A9)."""
LONGEST_EXEMPT_LIFETIME = Duration(months=13)
LONGEST_EXEMPT_RETENTION = Duration(months=25)


def basis_is_one(context: CheckContext) -> Iterator[Finding]:
    """Strictly necessary, exempt, or asked for."""
    for path, category in context.categories("required", "exempt"):
        if category.required and category.exempt:
            message = "What is required needs no exemption."
            yield Finding(
                (*path, "exempt"), message, "Keep one: strictly necessary, or analytics that are exempt."
            )
    if context.sound("categories") and all(row.required for _, row in context.categories("required")):
        message = "Every category is required: visitors are asked nothing."
        yield Finding(("categories",), message, "Check that each is strictly necessary.", warning=True)


def combining_needs_consent(context: CheckContext) -> Iterator[Finding]:
    """LB-08: data from several services is combined on consent alone (GDPR 6(1)(a))."""
    for path, category in context.categories("combines_across_sites", "required", "exempt"):
        if not category.combines_across_sites:
            continue
        key = (*path, "combines_across_sites")
        if category.required or category.exempt:
            message = (
                "Data from several sites is combined only on consent, which this category does not ask for."
            )
            yield Finding(key, message, "Leave it out, or move what is combined to a category that asks.")
        elif context.sound("sites") and len(context.policy.sites) == 1:
            message = "There is one site, nothing to combine; visitors are told otherwise."
            yield Finding(key, message, "Leave it out until there is a second site.", warning=True)


def exemption_holds(context: CheckContext) -> Iterator[Finding]:
    """LB-05: only for analytics that are the publisher's own, short-lived and profile nobody."""
    for path, category in context.categories("id", "exempt"):
        if not category.exempt:
            continue
        policy = context.policy
        if context.sound("jurisdiction") and policy.jurisdiction not in EXEMPTING:
            message = f"{policy.jurisdiction} exempts no analytics from consent, as far as is known."
            yield Finding((*path, "exempt"), message, "Leave it out: visitors are asked.")
        yield from _exempt_retention(path, category, context)
        for row, vendor in context.vendors("category", "profiling", "role", "retention"):
            if vendor.category == category.id:
                yield from _exempt_vendor(row, vendor)
        for row, tracker in context.trackers("category", "third_party", "lifetime", "kind"):
            if tracker.category == category.id:
                yield from _exempt_tracker(row, tracker)


def _exempt_retention(path: Path, category: Category, context: CheckContext) -> Iterator[Finding]:
    if not context.sound(*path, "retention"):
        return
    if category.retention is None:
        message = "Exempt analytics are kept for 25 months at the most; this category does not say how long."
        yield Finding((*path, "retention"), message, 'Add it, such as retention = "P25M".', warning=True)
    elif category.retention.longer_than(LONGEST_EXEMPT_RETENTION):
        yield Finding(
            (*path, "retention"), "Exempt analytics are kept for 25 months at the most.", 'Write "P25M".'
        )


def _exempt_vendor(path: Path, vendor: Vendor) -> Iterator[Finding]:
    ask = "Move it to a category that asks."
    if vendor.role != "processor":
        message = "Exempt analytics serve the publisher alone; this vendor uses the data for itself."
        yield Finding((*path, "role"), message, f'Write role = "processor" if its contract says so. {ask}')
    if vendor.profiling:
        yield Finding((*path, "profiling"), "Exempt analytics profile nobody.", ask)
    if vendor.retention is None or vendor.retention.longer_than(LONGEST_EXEMPT_RETENTION):
        message = "Exempt analytics are kept for 25 months at the most, and the vendor says how long."
        yield Finding((*path, "retention"), message, f'Add retention, up to "P25M". {ask}')


def _exempt_tracker(path: Path, tracker: Tracker) -> Iterator[Finding]:
    ask = "Move it to a category that asks."
    if tracker.third_party:
        yield Finding((*path, "third_party"), "Exempt analytics stay on the publisher's own domain.", ask)
    if tracker.kind in ("fingerprint", "url_decoration"):
        message = "This recognises visitors on other sites too, which no exemption covers."
        yield Finding((*path, "kind"), message, ask)
    if tracker.lifetime != "session" and tracker.lifetime.longer_than(LONGEST_EXEMPT_LIFETIME):
        message = "Exempt trackers live for 13 months at the most."
        yield Finding((*path, "lifetime"), message, f'Write "P13M" and set it so. {ask}')


def gpc_is_honoured(context: CheckContext) -> Iterator[Finding]:
    """SG-02: Sec-GPC says no to profiles; where it is ignored, gpc.json says so."""
    for path, category in context.categories("id", "required", "honours_gpc"):
        profiled = any(
            vendor.profiling
            for _, vendor in context.vendors("category", "profiling")
            if vendor.category == category.id
        )
        if category.required and category.honours_gpc:
            message = "What is required is always on, whatever the browser asks for."
            yield Finding((*path, "honours_gpc"), message, "Leave it out.")
        elif category.honours_gpc is False and profiled and not category.required:
            message = "A vendor of the category profiles, and the visitor's Sec-GPC is ignored."
            yield Finding(
                (*path, "honours_gpc"), message, "Leave it out: it is honoured by default.", warning=True
            )


def something_is_asked_about(context: CheckContext) -> Iterator[Finding]:
    """A category that stores nothing and leads to nobody need not be asked about."""
    used = {row.category for _, row in context.trackers()} | {row.category for _, row in context.vendors()}
    for path, category in context.categories("id"):
        if category.id not in used and context.sound("trackers") and context.sound("vendors"):
            message = "The category has no tracker and no vendor: there is nothing to agree to."
            yield Finding(path, message, "Declare what it stores, or leave it out.", warning=True)


CHECKS = (basis_is_one, combining_needs_consent, exemption_holds, gpc_is_honoured, something_is_asked_about)
