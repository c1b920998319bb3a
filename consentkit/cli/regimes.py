"""What `consentkit check` and `consentkit lock` print about rules by place: which apply, when to review them, and gaps."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from consentkit.cli.change_report import describe_changes
from consentkit.notices import Change, Lock, changes_of_regimes
from consentkit.policy import FAMILIES, STRICTEST, Duration, Law, Policy, Regime, RegimePolicies

__all__ = ["describe_changes_of_regimes", "describe_regimes", "regimes_as_json"]

_SOON = Duration(months=6)
_PLACES_NAMED = 12
_MODES = {
    "opt_in": "off until the visitor agrees",
    "opt_out": "on until the visitor opts out",
    "notice": "on, with information",
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A regime of the policy, as it is on a day.

    Attributes:
        exempts: what needs no consent, with information and an objection.
        places: where one of its laws is in force.
        coming: laws that come into force within six months.
        unverified: laws whose facts nobody has read in a source.
    """

    id: str
    name: str
    mode: str
    review_by: str
    is_home: bool
    exempts: tuple[str, ...]
    places: tuple[str, ...]
    coming: tuple[str, ...]
    unverified: tuple[str, ...]


def _rows(policy: Policy, today: date) -> Iterator[_Row]:
    soon = _SOON.after(datetime(today.year, today.month, today.day, tzinfo=UTC)).date()
    for regime_id, applied in RegimePolicies(policy).by_id.items():
        regime = applied.regime
        if regime_id == STRICTEST:
            continue
        yield _Row(
            regime.id,
            regime.name,
            regime.mode,
            regime.review_by.isoformat(),
            applied.is_home,
            regime.exempts,
            tuple(place for place in regime.places if regime.holds_in(place, today)),
            tuple(_described(law) for law in regime.laws if today < law.begins <= soon),
            tuple(f"{law.place} ({law.evidence})" for law in _unverified(regime, today)),
        )


def _unverified(regime: Regime, today: date) -> Iterator[Law]:
    return (
        law
        for law in regime.laws
        if law.evidence in ("M", "E") and not (law.ends is not None and law.ends < today)
    )


def _described(law: Law) -> str:
    return f"{law.place} from {law.begins}: {law.name}"


def _uncovered(policy: Policy) -> list[str]:
    """Return the families of places with rules in the list that the policy does not apply."""
    known = {regime.family for regime in policy.regime_data.regimes}
    chosen = policy.regimes.chosen if policy.regimes is not None else {}
    return [family for family in FAMILIES if family in known and family not in chosen]


def regimes_as_json(policy: Policy, today: date) -> dict[str, Any]:
    """Return the regimes of a policy, and what is not covered, for `consentkit check --json`."""
    return {
        "as_of": policy.regime_data.as_of.isoformat(),
        "applied": [asdict(row) for row in _rows(policy, today)],
        "elsewhere": RegimePolicies(policy).strictest.regime.id,
        "not_applied": _uncovered(policy),
    }


def describe_regimes(policy: Policy, today: date) -> Iterator[str]:
    """Yield lines about the regimes of a policy: which apply, their mode, their review, and gaps."""
    yield f"Rules by place, as of {policy.regime_data.as_of}:"
    rows = list(_rows(policy, today))
    for row in rows:
        is_alone = row.is_home and policy.regimes is None
        where = (
            "for all visitors" if is_alone else ("your own; " if row.is_home else "") + _in_words(row.places)
        )
        exempt = f" Without consent: {', '.join(row.exempts)}." if row.exempts else ""
        yield (
            f"  {row.id}, {row.name} ({where}): {row.mode}, {_MODES[row.mode]}.{exempt} To be reviewed by {row.review_by}."
        )
    elsewhere = RegimePolicies(policy).strictest.regime
    if policy.regimes is not None:
        yield f"  Everywhere else, and where the place is unknown: {elsewhere.id}: {elsewhere.mode}, {_MODES[elsewhere.mode]}."
    uncovered = _uncovered(policy)
    if policy.regimes is None:
        yield f"  There is no [regimes]. The list has rules of their own for visitors from: {', '.join(uncovered)}."
    elif uncovered:
        yield f"  Not in [regimes], so without their own rules: {', '.join(uncovered)}."
    for row in rows:
        for law in row.coming:
            yield f"  Comes into force: {law} ({row.id})."
        if row.unverified:
            yield f"  Not verified in a source ({row.id}): {_shortened(row.unverified)}. Check before you rely on it."


def _in_words(places: tuple[str, ...]) -> str:
    return _shortened(places) or "no law in force"


def _shortened(texts: tuple[str, ...]) -> str:
    rest = len(texts) - _PLACES_NAMED
    return ", ".join(texts) if rest <= 0 else f"{', '.join(texts[:_PLACES_NAMED])} and {rest} more"


def describe_changes_of_regimes(
    policy: Policy, lock: Lock, at_home: tuple[Change, ...] = ()
) -> Iterator[str]:
    """Yield a line for each change that visitors in other places notice, apart from those that are the same `at_home`."""
    # The same change may ask visitors here and nobody there.
    known = [replace(change, asks=False) for change in at_home]
    for applied, changes in changes_of_regimes(policy, lock):
        if changes is None:
            yield f"{applied.regime.id}: first notice for {applied.regime.name}."
            continue
        others = [change for change in changes if replace(change, asks=False) not in known]
        yield from (f"{applied.regime.id}: {sentence}" for sentence in describe_changes(others, applied))
