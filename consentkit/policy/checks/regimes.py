"""Whether the rules of places that a policy names can be applied, and their data is up to date (REQUIREMENTS N).

What the rules demand of the categories themselves is in `exemptions`.
"""

from collections.abc import Iterator

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.findings import Finding, KeyPath
from consentkit.policy.models import Vendor

__all__ = ["CHECKS"]


def modes_fit_their_places(context: CheckContext) -> Iterator[Finding]:
    """A mode in `[regimes]` is one that the law of every place of the family allows."""
    policy = context.policy
    chosen = policy.regimes.chosen if policy.regimes is not None else {}
    for family, mode in chosen.items():
        key = ("regimes", family)
        if not context.is_valid(*key) or not context.is_valid("regimes_file"):
            continue
        regimes = [regime for regime in policy.regime_data.regimes if regime.family == family]
        if not regimes:
            message = "The list of regimes has no rules for these places, so the strictest rules apply there."
            yield Finding(key, message, "Add them to the regimes_file, or remove the key.", warning=True)
        refusing = [regime for regime in regimes if mode is not True and mode not in regime.modes]
        for regime in refusing[:1]:
            allowed = " or ".join(f'"{allowed}"' for allowed in regime.modes)
            message = f"The law does not allow this mode in {regime.id}: {regime.name}."
            yield Finding(key, message, f"Write true for the mode of the place, or {allowed}.")


def regimes_are_reviewed(context: CheckContext) -> Iterator[Finding]:
    """The rules of every regime that applies were reviewed in time, and are not dated in the future."""
    data, key = context.policy.regime_data, _key_of_data(context)
    if key is None:
        return
    if data.as_of > context.today:
        message = f"The list of regimes is dated {data.as_of}, which lies in the future."
        yield Finding(key, message, "Correct its `as_of`, or the clock.", warning=True)
    for regime in context.regimes:
        if regime.review_by < context.today:
            message = f"The rules of {regime.id} ({regime.name}) were to be reviewed by {regime.review_by}."
            remedy = "Upgrade consentkit, or write a regimes_file of your own that is up to date."
            yield Finding(key, message, remedy, warning=True)


def _key_of_data(context: CheckContext) -> KeyPath | None:
    """Return the key that findings about the data of regimes belong to; None if the data cannot be used."""
    if not context.is_valid("regimes_file"):
        return None
    return ("regimes_file",) if context.policy.regimes_file is not None else ("regimes",)


def sales_are_declared(context: CheckContext) -> Iterator[Finding]:
    """SG-03: what a vendor uses for purposes of its own is sold or shared in the sense of US law."""
    for path, category in context.categories("id", "required", "sale_or_share"):
        key = (*path, "sale_or_share")
        if category.required and category.sale_or_share:
            message = "A required category is always on, so nothing in it can be sold or shared."
            yield Finding(key, message, "Remove the key, or move what is sold to another category.")
        elif category.sale_or_share is False and not category.required:
            for vendor in _vendors_for_themselves(context, category.id):
                message = f"{vendor.name} ({vendor.id}) builds profiles for itself, which US law calls a sale or sharing."
                remedy = 'Remove the key, or write role = "processor" if its contract forbids other uses.'
                yield Finding(key, message, remedy, warning=True)


def _vendors_for_themselves(context: CheckContext, category_id: str) -> Iterator[Vendor]:
    for _, vendor in context.vendors("id", "name", "category", "profiling", "role"):
        if vendor.category == category_id and vendor.profiling and vendor.role != "processor":
            yield vendor


CHECKS = (modes_fit_their_places, regimes_are_reviewed, sales_are_declared)
