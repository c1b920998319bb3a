"""How long a decision holds, under whose rules, and for which sites (REQUIREMENTS F, G and N)."""

from collections.abc import Iterator
from datetime import UTC, datetime

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.checks.references import named, repeated
from consentkit.policy.duration import Duration
from consentkit.policy.findings import Finding
from consentkit.policy.url_types import host_of, is_local

__all__ = ["CHECKS"]

LONGEST_VALIDITY = Duration(months=13)
ADVISED_VALIDITY = Duration(months=6)
_LEAST_DAYS = 180
_LONGEST_PROOF = Duration(months=60)


def validity_is_bounded(context: CheckContext) -> Iterator[Finding]:
    """VA-06: 13 months at the most; six is the good practice of the CNIL, for refusals as for grants (VA-03)."""
    validity = context.policy.validity
    if not context.sound("validity"):
        return
    if validity.longer_than(LONGEST_VALIDITY):
        yield Finding(
            ("validity",), "A decision holds 13 months at the most.", 'Write "P6M", or up to "P13M".'
        )
    elif validity.longer_than(ADVISED_VALIDITY):
        message = "Regulators advise to ask again after six months."
        yield Finding(("validity",), message, 'Write "P6M" unless there is a reason.', warning=True)
    elif validity.days_at_most < _LEAST_DAYS:
        message = "Visitors who refused are asked again sooner than after six months, which regulators advise against."
        yield Finding(("validity",), message, 'Write "P6M" unless there is a reason.', warning=True)


def records_are_kept_for_a_reason(context: CheckContext) -> Iterator[Finding]:
    """RC-09: proof is kept no longer than claims can be brought."""
    if context.sound("records_kept") and context.policy.records_kept.longer_than(_LONGEST_PROOF):
        message = "Records are kept for more than five years after a decision has ended."
        yield Finding(
            ("records_kept",), message, "Keep them as long as claims can be brought, no longer.", warning=True
        )


def jurisdiction_is_in_the_eea(context: CheckContext) -> Iterator[Finding]:
    """JU-01: elsewhere the strictest rules stand."""
    policy = context.policy
    if context.sound("jurisdiction") and not policy.transfer_data.in_eea(policy.jurisdiction):
        message = (
            "The rules of the EEA, the strictest, are applied; those of this jurisdiction are not known yet."
        )
        yield Finding(("jurisdiction",), message, "Have a lawyer say what else it asks for.", warning=True)


def transfer_data_is_fresh(context: CheckContext) -> Iterator[Finding]:
    """TR-07: adequacy decisions come and go."""
    as_of = context.policy.transfer_data.as_of
    if not context.sound("adequacy_file"):
        return
    if as_of > context.today:
        message = f"The list of adequacy decisions is of {as_of}, which is still to come."
        yield Finding(("adequacy_file",), message, "Mend its `as_of`, or the clock.", warning=True)
    elif (
        Duration(months=12).after(datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)).date()
        < context.today
    ):
        message = f"The list of adequacy decisions is of {as_of}, more than 12 months ago."
        remedy = "Upgrade consentkit, or name a list that was checked since."
        yield Finding(("adequacy_file",), message, remedy, warning=True)


def sites_differ(context: CheckContext) -> Iterator[Finding]:
    """In origin and key: no site can speak for another. In name: or visitors cannot tell them apart."""
    origins = ((path, site.origin) for path, site in context.sites("origin"))
    for path, first in repeated(origins):
        yield Finding(
            (*path, "origin"), f"This is the origin of {named(first)}.", "Keep one of the two sites."
        )
    keys = ((path, site.public_key) for path, site in context.sites("public_key") if site.public_key)
    for path, first in repeated(keys):
        message = f"This is the key of {named(first)}, which could speak for this site."
        yield Finding((*path, "public_key"), message, "Give each site a key of its own.")
    names = ((path, site.name.casefold()) for path, site in context.sites("name"))
    for path, first in repeated(names):
        message = f"Visitors cannot tell it from {named(first)}."
        yield Finding((*path, "name"), message, "Give each site a name of its own.", warning=True)


def sites_are_public(context: CheckContext) -> Iterator[Finding]:
    """A site on this machine is for development."""
    for path, site in context.sites("origin"):
        if is_local(host_of(site.origin)):
            message = "This is a site for development, and visitors are told of it."
            remedy = "Write the public origin; ConsentManager(origins=…) replaces it in development."
            yield Finding((*path, "origin"), message, remedy, warning=True)


def several_sites_are_a_group(context: CheckContext) -> Iterator[Finding]:
    """XS-01: visitors are told what one answer covers, before they choose."""
    policy = context.policy
    if not context.sound("sites") or not context.sound("group"):
        return
    if len(policy.sites) > 1 and policy.group is None:
        yield Finding(
            ("group",),
            "One answer covers several sites, but they have no group.",
            "Add [group] with id and name.",
        )
    if len(policy.sites) == 1 and policy.group is not None:
        message = "There is one site; a group has several."
        yield Finding(("group",), message, "Leave the group out until there is a second site.", warning=True)


def hand_off_reaches_all_sites(context: CheckContext) -> Iterator[Finding]:
    """A site without a key takes no part in the hand-off."""
    rows = list(context.sites("public_key"))
    if any(site.public_key for _, site in rows):
        for path, site in rows:
            if not site.public_key:
                message = "The site has no key, others do: choices are not carried to or from it."
                yield Finding((*path, "public_key"), message, "Add the key of this site.", warning=True)


def sites_have_one_controller(context: CheckContext) -> Iterator[Finding]:
    """XS-04: or an arrangement between joint controllers (GDPR 26)."""
    policy = context.policy
    if not context.sound("controller") or not context.sound("group"):
        return
    others = [
        path for path, site in context.sites("controller") if site.controller not in (None, policy.controller)
    ]
    joint = policy.group is not None and policy.group.joint_controllers
    if others and not joint:
        for path in others:
            message = (
                "The site has a controller of its own, so that one answer cannot cover it and the others."
            )
            remedy = "If they have an arrangement under GDPR 26, set joint_controllers = true in [group]."
            yield Finding((*path, "controller"), message, remedy)
    if joint and not others and context.sound("sites"):
        message = "All sites have the same controller."
        yield Finding(("group", "joint_controllers"), message, "Leave the key out.", warning=True)


CHECKS = (
    validity_is_bounded,
    records_are_kept_for_a_reason,
    jurisdiction_is_in_the_eea,
    transfer_data_is_fresh,
    sites_differ,
    sites_are_public,
    several_sites_are_a_group,
    hand_off_reaches_all_sites,
    sites_have_one_controller,
)
