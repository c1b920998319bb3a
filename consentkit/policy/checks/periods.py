"""Validity, retention of records, jurisdiction, and the age of the list of adequacy decisions (REQUIREMENTS F and N)."""

from collections.abc import Iterator
from datetime import UTC, datetime

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.duration import Duration
from consentkit.policy.findings import Finding
from consentkit.policy.regimes import FAMILIES

__all__ = ["CHECKS", "in_words"]

_LONGEST_VALIDITY = Duration(months=13)
_ADVISED_VALIDITY = Duration(months=6)
_SHORTEST_SIX_MONTHS = 180
_LONGEST_PROOF = Duration(months=60)
_LONGEST_USE = Duration(months=12)


def validity_is_bounded(context: CheckContext) -> Iterator[Finding]:
    """VA-06, VA-03: at most 13 months; the CNIL advises six, for refusals as for grants."""
    validity = context.policy.validity
    if not context.is_valid("validity"):
        return
    longest = _LONGEST_VALIDITY
    if context.is_valid("jurisdiction") and context.is_valid("regimes_file"):
        longest = context.policy.home_regime.validity_at_most or longest
    if validity.longer_than(longest):
        message = f"A decision is valid for at most {in_words(longest)}."
        yield Finding(("validity",), message, f'Write "P6M", or at most "{longest}".')
    elif validity.longer_than(_ADVISED_VALIDITY):
        message = "Regulators advise asking again after six months."
        yield Finding(("validity",), message, 'Write "P6M", unless you have a reason not to.', warning=True)
    elif validity.days_at_most < _SHORTEST_SIX_MONTHS:
        message = "Visitors who refused are asked again after less than six months, which regulators advise against."
        yield Finding(("validity",), message, 'Write "P6M", unless you have a reason not to.', warning=True)


def in_words(limit: Duration) -> str:
    """Return a limit as messages write it: in months if it is a number of months, else by ISO 8601."""
    in_months = limit.months and not limit.days and not limit.seconds
    return f"{limit.months} months" if in_months else str(limit)


def records_are_kept_for_a_reason(context: CheckContext) -> Iterator[Finding]:
    """RC-09: proof is kept no longer than claims can be brought."""
    if context.is_valid("records_kept") and context.policy.records_kept.longer_than(_LONGEST_PROOF):
        message = "Records are kept for more than five years after a decision has ended."
        remedy = "Keep records only as long as claims can be brought."
        yield Finding(("records_kept",), message, remedy, warning=True)


def jurisdiction_is_in_the_eea(context: CheckContext) -> Iterator[Finding]:
    """JU-01: the strictest rules, those of the EEA, apply everywhere else, apart from the places of `[regimes]`."""
    policy = context.policy
    if not context.is_valid("jurisdiction") or policy.transfer_data.in_eea(policy.jurisdiction):
        return
    family = policy.jurisdiction.lower()
    if family not in FAMILIES:
        message = (
            "The rules of this jurisdiction are not known; the rules of the EEA, the strictest, are applied."
        )
        yield Finding(("jurisdiction",), message, "Ask a lawyer what else the law requires.", warning=True)
    elif context.is_valid("regimes") and family not in (policy.regimes.chosen if policy.regimes else {}):
        message = "The rules of this jurisdiction are not applied, but the rules of the EEA, the strictest."
        remedy = f"Write {family} = true in [regimes] to apply them to visitors from there."
        yield Finding(("jurisdiction",), message, remedy, warning=True)


def transfer_data_is_fresh(context: CheckContext) -> Iterator[Finding]:
    """TR-07: the list of adequacy decisions is at most 12 months old, because decisions are adopted and struck down."""
    as_of = context.policy.transfer_data.as_of
    if not context.is_valid("adequacy_file"):
        return
    midnight = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
    if as_of > context.today:
        message = f"The list of adequacy decisions is dated {as_of}, which lies in the future."
        yield Finding(("adequacy_file",), message, "Correct its `as_of`, or the clock.", warning=True)
    elif _LONGEST_USE.after(midnight).date() < context.today:
        message = f"The list of adequacy decisions is dated {as_of}, more than 12 months ago."
        remedy = "Upgrade consentkit, or write a list of your own that is up to date."
        yield Finding(("adequacy_file",), message, remedy, warning=True)


CHECKS = (
    validity_is_bounded,
    records_are_kept_for_a_reason,
    jurisdiction_is_in_the_eea,
    transfer_data_is_fresh,
)
