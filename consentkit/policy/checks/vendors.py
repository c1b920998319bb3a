"""Whether transfers to vendors are lawful, and whether visitors can read what vendors do (REQUIREMENTS C and D)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.checks.references import repeated
from consentkit.policy.findings import Finding, KeyPath
from consentkit.policy.models import Vendor
from consentkit.policy.transfers import SAFEGUARDS, AdequacyDecision, Condition
from consentkit.policy.url_types import host_of

__all__ = ["CHECKS"]

_CONDITIONS: dict[Condition, tuple[str, str]] = {
    "dpf_certified": (
        "only organisations on the Data Privacy Framework list",
        "Write dpf_certified = true if the vendor is on that list, or choose another safeguard.",
    ),
    "commercial_org": (
        "only commercial organisations under PIPEDA",
        "Write commercial_org = true if the vendor is a commercial organisation, or choose another safeguard.",
    ),
}


def transfers_have_a_safeguard(context: CheckContext) -> Iterator[Finding]:
    """TR-01, TR-02, TR-06: a vendor outside the EEA has a safeguard from the closed list, other than explicit consent."""
    for path, vendor in context.vendors("country", "safeguard"):
        key = (*path, "safeguard")
        if vendor.safeguard == "art49_explicit_consent":
            message = (
                "consentkit does not ask for explicit consent to a transfer (GDPR 49(1)(a)). Such consent needs a warning "
                "about the risks and a separate question, and the transfers must be exceptional."
            )
            yield Finding(key, message, "Choose another safeguard, or remove the vendor.")
        elif context.policy.outside_eea(vendor) and vendor.safeguard in (None, "none_required"):
            message = f"{vendor.country} is outside the EEA: the transfer needs a safeguard (GDPR 44)."
            choices = ", ".join(
                name for name in SAFEGUARDS if name not in ("none_required", "art49_explicit_consent")
            )
            yield Finding(key, message, f"Add `safeguard`, one of: {choices}.")
        elif not context.policy.outside_eea(vendor) and vendor.safeguard == "adequacy":
            message = f"{vendor.country} is in the EEA, about which there is no adequacy decision."
            yield Finding(key, message, "Remove the key.", warning=True)


def safeguard_can_be_read(context: CheckContext) -> Iterator[Finding]:
    """TR-05: visitors are told how to get a copy of the safeguard (GDPR 13(1)(f))."""
    for path, vendor in context.vendors("country", "safeguard", "safeguard_copy"):
        if vendor.safeguard is None or vendor.safeguard_copy or not context.policy.outside_eea(vendor):
            continue
        if SAFEGUARDS[vendor.safeguard].needs_copy:
            message = f"Visitors are not told where to get a copy of the safeguard ({vendor.safeguard})."
            remedy = "Add `safeguard_copy`: a URL, an e-mail address or a postal address."
            yield Finding((*path, "safeguard_copy"), message, remedy)


def adequacy_decision_applies(context: CheckContext) -> Iterator[Finding]:
    """TR-03, TR-04: the adequacy decision is in force today, and the vendor meets its condition."""
    for path, vendor in context.vendors("country", "safeguard", "dpf_certified", "commercial_org"):
        relies = vendor.safeguard == "adequacy" and context.policy.outside_eea(vendor)
        decision = context.policy.transfer_data.decision(vendor.country, context.today)
        if relies and decision is None:
            message = _missing_decision(context, vendor)
            yield Finding((*path, "safeguard"), message, "Choose another safeguard, such as scc.")
        if relies and decision is not None:
            yield from _decision_findings(path, vendor, decision, context)
        for condition in _CONDITIONS:
            is_condition = relies and decision is not None and decision.condition == condition
            if getattr(vendor, condition) is not None and not is_condition and (decision or not relies):
                message = (
                    "The key has no effect: the vendor relies on no adequacy decision with this condition."
                )
                yield Finding((*path, condition), message, "Remove the key.", warning=True)


def _missing_decision(context: CheckContext, vendor: Vendor) -> str:
    decisions = context.policy.transfer_data.decisions_for(vendor.country)
    future = [decision.begins for decision in decisions if decision.begins > context.today]
    past = [decision.ends for decision in decisions if decision.ends and decision.ends < context.today]
    if past:
        return f"The adequacy decision for {vendor.country} ended on {max(past)}."
    if future:
        return f"The adequacy decision for {vendor.country} begins on {min(future)}."
    return f"There is no adequacy decision for {vendor.country}."


def _decision_findings(
    path: KeyPath, vendor: Vendor, decision: AdequacyDecision, context: CheckContext
) -> Iterator[Finding]:
    key = (*path, "safeguard")
    if decision.condition is not None and getattr(vendor, decision.condition) is not True:
        recipients, remedy = _CONDITIONS[decision.condition]
        message = f"The adequacy decision for {vendor.country} covers {recipients}."
        yield Finding((*path, decision.condition), message, remedy)
    if decision.contested:
        message = f"The adequacy decision for {vendor.country} may be struck down. {decision.contested}"
        yield Finding(key, message, "Prepare another safeguard.", warning=True)
    lapses = context.policy.adequacy_lapses(vendor)
    if lapses is not None and context.is_valid("validity"):
        today = datetime(context.today.year, context.today.month, context.today.day, tzinfo=UTC)
        last = context.policy.validity.after(today).date()
        if lapses < last:
            message = f"The adequacy decision for {vendor.country} ends on {lapses}, before consent given today does."
            remedy = f"Choose another safeguard: from {lapses + timedelta(days=1)} on, the vendor is refused."
            yield Finding(key, message, remedy, warning=True)


def vendors_are_told_apart(context: CheckContext) -> Iterator[Finding]:
    """IN-03: a vendor is listed once for each purpose."""
    names = ((path, (row.category, row.name.casefold())) for path, row in context.vendors("name", "category"))
    for path, first in repeated(names):
        message = f"{context.row_name(first)} has the same name, in the same category."
        yield Finding((*path, "name"), message, "Remove one of the two, or choose names that differ.")


def required_categories_build_no_profiles(context: CheckContext) -> Iterator[Finding]:
    """LB-06: a profile is never strictly necessary, and a third party is rarely."""
    for path, vendor in context.vendors("category", "profiling"):
        category = context.category(vendor.category, "required")
        if category is None or not category.required:
            continue
        if vendor.profiling:
            message = "Profiles are never strictly necessary, but this category is always on."
            yield Finding(
                (*path, "profiling"), message, "Move the vendor to a category that asks for consent."
            )
        else:
            message = "This third party is always on; visitors are not asked."
            remedy = "Check that it is strictly necessary for what visitors ask for."
            yield Finding((*path, "category"), message, remedy, warning=True)


def vendors_store_something(context: CheckContext) -> Iterator[Finding]:
    """IN-01: visitors are told what a vendor stores, and for how long."""
    storing = {tracker.vendor for _, tracker in context.trackers()}
    for path, vendor in context.vendors("id"):
        if vendor.id not in storing and context.is_valid("trackers"):
            message = "The vendor has no tracker: visitors are not told what it stores or reads."
            remedy = "Declare its trackers, with third_party = true for those on its own domain."
            yield Finding(path, message, remedy, warning=True)


def vendors_are_not_our_sites(context: CheckContext) -> Iterator[Finding]:
    """No vendor's origin is one of our sites, because its Content-Security-Policy would open our own pages."""
    site_origins = {site.origin for _, site in context.sites("origin")}
    for path, vendor in context.vendors("origins"):
        for kind, origins in vendor.origins:
            for index, origin in enumerate(origins):
                if origin in site_origins or any(_covers(origin, site) for site in site_origins):
                    key = (*path, "origins", kind, index)
                    message = "The vendor's origin covers a site of the policy."
                    yield Finding(key, message, "Write the vendor's own origin.", warning=True)


def _covers(origin: str, site: str) -> bool:
    host = host_of(origin)
    return host.startswith("*.") and host_of(site).endswith(host[1:])


CHECKS = (
    transfers_have_a_safeguard,
    safeguard_can_be_read,
    adequacy_decision_applies,
    vendors_are_told_apart,
    required_categories_build_no_profiles,
    vendors_store_something,
    vendors_are_not_our_sites,
)
