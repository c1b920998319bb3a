"""Whether a category may be required, exempt, or combined across sites (REQUIREMENTS A)."""

from collections.abc import Iterator

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.duration import Duration
from consentkit.policy.findings import Finding, KeyPath
from consentkit.policy.models import Category, Tracker, Vendor
from consentkit.policy.own_storage import own_storage

__all__ = ["CHECKS"]

_EXEMPTING_COUNTRIES = ("FR", "NL")
"""Countries whose law or regulator exempts a publisher's own analytics from consent (REQUIREMENTS A9)."""
_LONGEST_EXEMPT_LIFETIME = Duration(months=13)
_LONGEST_EXEMPT_RETENTION = Duration(months=25)
_BEGINNINGS = {"en": "To", "nl": "Om"}
"""How a description begins, by language; other languages are not checked."""
_EXAMPLES = {
    "To": "To count visits and see what is read",
    "Om": "Om bezoeken te tellen en te zien wat er wordt gelezen",
}
_ASK = "Move it to a category that asks for consent."
_OTHERWISE_ASK = "Otherwise move it to a category that asks for consent."


def category_has_one_basis(context: CheckContext) -> Iterator[Finding]:
    """LB-09: a category is strictly necessary, exempt, or asked about; one is required, because the choice is stored."""
    for path, category in context.categories("required", "exempt"):
        if category.required and category.exempt:
            message = "A required category needs no exemption."
            remedy = "Keep `required` if it is strictly necessary, or `exempt` for analytics."
            yield Finding((*path, "exempt"), message, remedy)
    required = [category.required for _, category in context.categories("required")]
    if not context.is_valid("categories") or len(required) < len(context.policy.categories):
        return
    if not any(required):
        message = (
            "No category is required, but remembering the visitor's choice stores something on the device."
        )
        remedy = "Add a category with required = true; consentkit lists its own cookies there."
        yield Finding(("categories",), message, remedy)
    if all(required):
        message = "Every category is required: visitors are asked nothing."
        yield Finding(("categories",), message, "Check that each is strictly necessary.", warning=True)


def combining_needs_consent(context: CheckContext) -> Iterator[Finding]:
    """LB-08: data from several sites is combined only with consent (GDPR 6(1)(a))."""
    for path, category in context.categories("combines_across_sites", "required", "exempt"):
        if not category.combines_across_sites:
            continue
        key = (*path, "combines_across_sites")
        if category.required or category.exempt:
            message = "Data from several sites may be combined only with consent, which this category does not ask for."
            remedy = "Remove the key, or move what is combined to a category that asks for consent."
            yield Finding(key, message, remedy)
        elif context.is_valid("sites") and len(context.policy.sites) == 1:
            message = (
                "Visitors are told that data from several sites is combined, but there is only one site."
            )
            yield Finding(key, message, "Remove the key until there is a second site.", warning=True)


def exemption_applies(context: CheckContext) -> Iterator[Finding]:
    """LB-05: only analytics that are the publisher's own, short-lived and without profiles are exempt."""
    for path, category in context.categories("id", "exempt"):
        if not category.exempt:
            continue
        policy = context.policy
        if context.is_valid("jurisdiction") and policy.jurisdiction not in _EXEMPTING_COUNTRIES:
            message = f"No exemption of analytics from consent is known for {policy.jurisdiction}."
            yield Finding((*path, "exempt"), message, "Remove `exempt`, so that visitors are asked.")
        yield from _exempt_retention(path, category, context)
        for vendor_path, vendor in context.vendors("category", "profiling", "role", "retention"):
            if vendor.category == category.id:
                yield from _exempt_vendor(vendor_path, vendor)
        for tracker_path, tracker in context.trackers("category", "third_party", "lifetime", "kind"):
            if tracker.category == category.id:
                yield from _exempt_tracker(tracker_path, tracker)


def _exempt_retention(path: KeyPath, category: Category, context: CheckContext) -> Iterator[Finding]:
    if not context.is_valid(*path, "retention"):
        return
    if category.retention is None:
        message = "Exempt analytics are kept for at most 25 months; this category does not say how long it keeps them."
        yield Finding((*path, "retention"), message, 'Add `retention`, such as "P25M".', warning=True)
    elif category.retention.longer_than(_LONGEST_EXEMPT_RETENTION):
        message = "Exempt analytics are kept for at most 25 months."
        yield Finding((*path, "retention"), message, 'Write at most "P25M".')


def _exempt_vendor(path: KeyPath, vendor: Vendor) -> Iterator[Finding]:
    if vendor.role != "processor":
        message = "Exempt analytics serve only the publisher; this vendor uses the data for itself."
        remedy = f'Write role = "processor" if the contract says so. {_OTHERWISE_ASK}'
        yield Finding((*path, "role"), message, remedy)
    if vendor.profiling:
        yield Finding((*path, "profiling"), "Exempt analytics build no profiles.", _ASK)
    if vendor.retention is None or vendor.retention.longer_than(_LONGEST_EXEMPT_RETENTION):
        message = "A vendor of exempt analytics must state how long it keeps data, at most 25 months."
        yield Finding((*path, "retention"), message, f'Add `retention`, at most "P25M". {_OTHERWISE_ASK}')


def _exempt_tracker(path: KeyPath, tracker: Tracker) -> Iterator[Finding]:
    if tracker.third_party:
        message = "Exempt analytics store data only on the publisher's own domain."
        yield Finding((*path, "third_party"), message, _ASK)
    if tracker.kind in ("fingerprint", "url_decoration"):
        message = "This kind of tracker recognises visitors on other sites, which no exemption covers."
        yield Finding((*path, "kind"), message, _ASK)
    if tracker.lifetime != "session" and tracker.lifetime.longer_than(_LONGEST_EXEMPT_LIFETIME):
        remedy = f'Write at most "P13M", and make the site set that lifetime. {_OTHERWISE_ASK}'
        message = "Exempt trackers are kept for at most 13 months."
        yield Finding((*path, "lifetime"), message, remedy)


def gpc_is_honoured(context: CheckContext) -> Iterator[Finding]:
    """SG-02: Sec-GPC refuses a category whose vendors build profiles, unless the policy ignores the signal there."""
    for path, category in context.categories("id", "required", "honours_gpc"):
        profiles = any(
            vendor.profiling
            for _, vendor in context.vendors("category", "profiling")
            if vendor.category == category.id
        )
        key = (*path, "honours_gpc")
        if category.required and category.honours_gpc:
            message = "A required category is always on, whatever signal the browser sends."
            yield Finding(key, message, "Remove the key.")
        elif category.honours_gpc is False and profiles and not category.required:
            message = (
                "A vendor of this category builds profiles, and the visitor's Sec-GPC signal is ignored."
            )
            yield Finding(key, message, "Remove the key: the signal is honoured by default.", warning=True)


def descriptions_complete_a_list(context: CheckContext) -> Iterator[Finding]:
    """A description reads well as an item of the banner's list and as a line of its own: "To count visits"."""
    for path, category in context.categories("description"):
        for language, text in category.description.items():
            beginning = _BEGINNINGS.get(language.split("-")[0])
            if beginning is not None and not text.startswith(f"{beginning} "):
                message = f'The text does not begin with "{beginning} ".'
                remedy = f'Write it as an item of a list: "{_EXAMPLES[beginning]}".'
                yield Finding((*path, "description", language), message, remedy, warning=True)


def category_is_used(context: CheckContext) -> Iterator[Finding]:
    """Visitors are not asked about a category without trackers and vendors."""
    used_ids = {tracker.category for _, tracker in context.trackers()}
    used_ids |= {vendor.category for _, vendor in context.vendors()}
    used_ids |= {item.category for item in own_storage(context.policy) if item.category is not None}
    for path, category in context.categories("id"):
        if category.id not in used_ids and context.is_valid("trackers") and context.is_valid("vendors"):
            message = "The category has no tracker and no vendor: there is nothing to agree to."
            yield Finding(path, message, "Declare what it stores, or remove the category.", warning=True)


CHECKS = (
    category_has_one_basis,
    combining_needs_consent,
    exemption_applies,
    gpc_is_honoured,
    descriptions_complete_a_list,
    category_is_used,
)
