"""Whether a category may be required, combined across sites, or ignore a signal (REQUIREMENTS A and I)."""

from collections.abc import Iterator

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.findings import Finding
from consentkit.policy.own_storage import own_storage

__all__ = ["CHECKS"]

_BEGINNINGS = {"en": "To", "nl": "Om"}
"""How a description begins, by language; other languages are not checked."""
_EXAMPLES = {
    "To": "To count visits and see what is read",
    "Om": "Om bezoeken te tellen en te zien wat er wordt gelezen",
}


def one_category_is_required(context: CheckContext) -> Iterator[Finding]:
    """LB-09: a category is required, because the choice itself is stored; and visitors are asked about another."""
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
    one_category_is_required,
    combining_needs_consent,
    gpc_is_honoured,
    descriptions_complete_a_list,
    category_is_used,
)
