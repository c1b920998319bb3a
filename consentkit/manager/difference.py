"""What an event begins and ends, so that whoever has to tell third parties need not compare records.

Categories and vendors are sets of ids here, in which vendors have a `~` in front.
"""

from collections.abc import Iterable

from consentkit.consent import Consent, ConsentStatus, Decision, Evaluator
from consentkit.ledger import Record
from consentkit.manager.newest import answer_in
from consentkit.notices import Notice

__all__ = ["allowed_by", "allowed_in", "as_lists", "ended_by", "has_granted"]


def allowed_in(consent: Consent) -> set[str]:
    """Return what a consent allows now."""
    categories = {category for category, allowed in consent.categories.items() if allowed}
    return categories | {f"~{vendor}" for vendor, allowed in consent.vendors.items() if allowed}


def allowed_by(decision: Decision, notice: Notice | None) -> set[str]:
    """Return what a decision allows by its own notice, in which vendors follow their category."""
    vendors = dict.fromkeys(decision.vendors, "") | (notice.vendor_category if notice is not None else {})
    return set(decision.granted) | {
        f"~{vendor}"
        for vendor, category in vendors.items()
        if decision.vendors.get(vendor, category in decision.granted)
    }


def has_granted(evaluator: Evaluator, consent: Consent) -> set[str]:
    """Return what a visitor has granted, and what is allowed without an answer.

    A grant that does not count at the moment is included, unless its validity has ended: because the notice has grown and the
    banner asks again, or because the grant cannot be checked. Whoever got data under it has to be told of its end.
    """
    decision = consent.decision
    if decision is None or consent.status is ConsentStatus.EXPIRED:
        return allowed_in(consent)
    return allowed_in(consent) | allowed_by(decision, evaluator.known(decision.notice))


def as_lists(ids: Iterable[str]) -> dict[str, list[str]]:
    """Return ids as a record lists them."""
    found = sorted(ids)
    return {
        "categories": [each for each in found if not each.startswith("~")],
        "vendors": [each[1:] for each in found if each.startswith("~")],
    }


def ended_by(before: Record, after: Record, evaluator: Evaluator) -> dict[str, list[str]]:
    """Return what a narrower record ends of another one under the same notice."""
    notice = evaluator.known(before.notice)
    return as_lists(allowed_by(answer_in(before), notice) - allowed_by(answer_in(after), notice))
