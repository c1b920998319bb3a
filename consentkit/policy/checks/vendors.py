"""Where vendors are, what makes the transfer lawful, and what visitors are told of them (REQUIREMENTS C and D)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from consentkit.policy.checks.context import CheckContext, Path
from consentkit.policy.checks.references import named, repeated
from consentkit.policy.findings import Finding
from consentkit.policy.policy import Vendor
from consentkit.policy.transfers import SAFEGUARDS, AdequacyDecision, Condition
from consentkit.policy.url_types import host_of

__all__ = ["CHECKS"]

_CONDITIONS: dict[Condition, tuple[str, str]] = {
    "dpf_certified": (
        "only organisations on the Data Privacy Framework list",
        "Write dpf_certified = true if the vendor is on that list, or name another safeguard.",
    ),
    "commercial_org": (
        "only commercial organisations under PIPEDA",
        "Write commercial_org = true if the vendor is one, or name another safeguard.",
    ),
}


def transfers_have_a_safeguard(context: CheckContext) -> Iterator[Finding]:
    """TR-01, TR-02: outside the EEA, one from the closed list. TR-06: explicit consent is not asked for here."""
    for path, vendor in context.vendors("country", "safeguard"):
        key = (*path, "safeguard")
        if vendor.safeguard == "art49_explicit_consent":
            message = (
                "This library does not ask for explicit consent to a transfer: it takes a warning of the risks, a consent "
                "apart from this one, and no transfers as a rule (GDPR 49(1)(a))."
            )
            yield Finding(key, message, "Name another safeguard, or leave the vendor out.")
        elif context.policy.outside_eea(vendor) and vendor.safeguard in (None, "none_required"):
            message = f"{vendor.country} is outside the EEA: the transfer needs a safeguard (GDPR 44)."
            known = ", ".join(
                name for name in SAFEGUARDS if name not in ("none_required", "art49_explicit_consent")
            )
            yield Finding(key, message, f"Name it: {known}.")
        elif not context.policy.outside_eea(vendor) and vendor.safeguard == "adequacy":
            message = f"{vendor.country} is in the EEA: there is no decision about it."
            yield Finding(key, message, "Leave it out.", warning=True)


def safeguards_can_be_read(context: CheckContext) -> Iterator[Finding]:
    """TR-05: visitors are told how to get a copy (GDPR 13(1)(f))."""
    for path, vendor in context.vendors("country", "safeguard", "safeguard_copy"):
        if vendor.safeguard is None or vendor.safeguard_copy or not context.policy.outside_eea(vendor):
            continue
        if SAFEGUARDS[vendor.safeguard].needs_copy:
            message = f"Visitors are not told where to get a copy of the safeguard ({vendor.safeguard})."
            yield Finding(
                (*path, "safeguard_copy"), message, "Add it: an address on the web, by e-mail or by post."
            )


def adequacy_stands(context: CheckContext) -> Iterator[Finding]:
    """TR-03: a decision is in force today. TR-04: its condition is met."""
    for path, vendor in context.vendors("country", "safeguard", "dpf_certified", "commercial_org"):
        relies = vendor.safeguard == "adequacy" and context.policy.outside_eea(vendor)
        decision = context.policy.transfer_data.decision(vendor.country, context.today)
        if relies and decision is None:
            yield Finding(
                (*path, "safeguard"), _no_decision(context, vendor), "Name another safeguard, such as scc."
            )
        if relies and decision is not None:
            yield from _decision(path, vendor, decision, context)
        for condition in _CONDITIONS:
            wanted = relies and decision is not None and decision.condition == condition
            if getattr(vendor, condition) is not None and not wanted and (decision or not relies):
                message = "This changes nothing: the vendor does not rely on a decision that asks for it."
                yield Finding((*path, condition), message, "Leave it out.", warning=True)


def _no_decision(context: CheckContext, vendor: Vendor) -> str:
    known = context.policy.transfer_data.decisions_for(vendor.country)
    begins = [one.begins for one in known if one.begins > context.today]
    ended = [one.ends for one in known if one.ends is not None and one.ends < context.today]
    if ended:
        return f"The adequacy decision for {vendor.country} ended on {max(ended)}."
    if begins:
        return f"The adequacy decision for {vendor.country} begins on {min(begins)}."
    return f"There is no adequacy decision for {vendor.country}."


def _decision(
    path: Path, vendor: Vendor, decision: AdequacyDecision, context: CheckContext
) -> Iterator[Finding]:
    key = (*path, "safeguard")
    if decision.condition is not None and getattr(vendor, decision.condition) is not True:
        covered, remedy = _CONDITIONS[decision.condition]
        message = f"The adequacy decision for {vendor.country} covers {covered}."
        yield Finding((*path, decision.condition), message, remedy)
    if decision.contested:
        message = f"The adequacy decision for {vendor.country} may fall. {decision.contested}"
        yield Finding(key, message, "Have another safeguard ready.", warning=True)
    lapses = context.policy.adequacy_lapses(vendor)
    if lapses is not None and context.sound("validity"):
        today = datetime(context.today.year, context.today.month, context.today.day, tzinfo=UTC)
        last = context.policy.validity.after(today).date()
        if lapses < last:
            message = f"The adequacy decision for {vendor.country} ends on {lapses}, before consent given today does."
            remedy = (
                f"From {lapses + timedelta(days=1)} the vendor is refused: name another safeguard in time."
            )
            yield Finding(key, message, remedy, warning=True)


def vendors_are_told_apart(context: CheckContext) -> Iterator[Finding]:
    """IN-03: each is listed once for each purpose."""
    names = ((path, (row.category, row.name.casefold())) for path, row in context.vendors("name", "category"))
    for path, first in repeated(names):
        message = f"This is the name of {named(first)}, in the same category."
        yield Finding((*path, "name"), message, "Keep one of the two, or name what sets them apart.")


def required_categories_profile_nobody(context: CheckContext) -> Iterator[Finding]:
    """LB-06: what is strictly necessary is not a profile; that it needs a third party is rare."""
    for path, vendor in context.vendors("category", "profiling"):
        category = context.category(vendor.category, "required")
        if category is None or not category.required:
            continue
        if vendor.profiling:
            message = "Profiles are never strictly necessary, and this category is always on."
            yield Finding((*path, "profiling"), message, "Move the vendor to a category that asks.")
        else:
            message = "A third party is always on here: nobody is asked."
            remedy = "Check that the service which visitors ask for cannot do without it."
            yield Finding((*path, "category"), message, remedy, warning=True)


def vendors_store_something(context: CheckContext) -> Iterator[Finding]:
    """IN-01: visitors are told what is stored, and how long."""
    storing = {tracker.vendor for _, tracker in context.trackers()}
    for path, vendor in context.vendors("id"):
        if vendor.id not in storing and context.sound("trackers"):
            message = "The vendor has no tracker: visitors are not told what it stores or reads."
            yield Finding(
                path,
                message,
                "Declare its trackers, third_party = true for those on its own domain.",
                warning=True,
            )


def vendors_are_not_our_sites(context: CheckContext) -> Iterator[Finding]:
    """An origin of ours is no third party's, and a policy for it opens our own pages."""
    ours = {site.origin: site.id for _, site in context.sites("origin")}
    for path, vendor in context.vendors("origins"):
        for kind, origins in vendor.origins:
            for index, origin in enumerate(origins):
                if origin in ours or any(_covers(origin, site) for site in ours):
                    message = "This covers a site of the policy."
                    yield Finding(
                        (*path, "origins", kind, index),
                        message,
                        "Name the vendor's own origin.",
                        warning=True,
                    )


def _covers(origin: str, site: str) -> bool:
    host = host_of(origin)
    return host.startswith("*.") and host_of(site).endswith(host[1:])


CHECKS = (
    transfers_have_a_safeguard,
    safeguards_can_be_read,
    adequacy_stands,
    vendors_are_told_apart,
    required_categories_profile_nobody,
    vendors_store_something,
    vendors_are_not_our_sites,
)
