"""How the next decision is made of what a visitor asks for. Pure: times come in as whole seconds since the epoch."""

import secrets
from collections.abc import Container, Mapping
from dataclasses import replace as copy

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Choice, Consent, ConsentStatus, Decision, Kind
from consentkit.errors import InvalidDecisionError
from consentkit.notices import Notice, coverage

__all__ = ["check", "everything", "holds", "merge", "narrower", "replace", "with_subject", "withdraw"]


_NOTHING_TO_WITHDRAW = (ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN, ConsentStatus.EXPIRED)


def everything(shown: Notice, *, allowed: bool) -> Choice:
    """Give the choice of "accept all" or "reject all" under the notice that was shown."""
    return Choice(categories=dict.fromkeys(shown.category_ids, allowed), vendors={})


def check(evaluator: Evaluator, choice: Choice, shown: Notice | None = None) -> None:
    """Refuse a choice that neither the policy nor the notice that was shown can express.

    What an older page still offered and the policy no longer has is no mistake of the visitor's.

    Raises:
        UnknownCategoryError: it names a category that neither has.
        UnknownVendorError: the same for a vendor.
        InvalidDecisionError: it turns something off that is required, or answers with anything but True and False.
    """
    for one, answer in (*choice.categories.items(), *choice.vendors.items()):
        if type(answer) is not bool:
            raise InvalidDecisionError(f"The answer for {one!r} is {answer!r}: give True or False.")
    policy = evaluator.policy
    old_categories = shown.category_ids if shown else ()
    old_vendors = shown.vendor_ids if shown else ()
    for category, allowed in choice.categories.items():
        if category in old_categories:
            continue
        if policy.category(category).required and not allowed:
            raise InvalidDecisionError(f"The category {category!r} is required: it cannot be refused.")
    for vendor, allowed in choice.vendors.items():
        if vendor in old_vendors:
            continue
        if policy.category(policy.vendor(vendor).category).required and not allowed:
            raise InvalidDecisionError(f"The vendor {vendor!r} is required: it cannot be refused.")


def replace(choice: Choice, shown: Notice, now: int) -> Decision:
    """Make a decision out of a choice alone: what it does not name is refused."""
    granted = frozenset(category for category in shown.category_ids if choice.categories.get(category))
    return _decision(granted, choice.vendors, shown, kind="decided", decided_at=now, changed_at=now)


def merge(evaluator: Evaluator, consent: Consent, choice: Choice, shown: Notice, now: int) -> Decision:
    """Change what a choice names and nothing else; `expires_at` stays where there was a decision.

    The notice becomes the one that was shown; of the older grants only what still stands under that is taken along. Where
    the banner still has something to ask, the decision is a partial one.
    """
    # Nobody has to agree to what is exempt: it stays as it is, on or off, whatever notice it was told in.
    exempt = shown.exempt_ids.intersection(evaluator.exempt)
    before = {category for category in exempt if consent.categories[category]}
    base = _standing_answer(evaluator, consent)
    if base is None:
        granted = _answered(choice, shown, before)
        vendors = _objections(consent, exempt) | dict(choice.vendors)
        kind: Kind = "decided" if set(evaluator.needing) <= set(choice.categories) else "partial"
        return _decision(granted, vendors, shown, kind=kind, decided_at=now, changed_at=now)
    kept = coverage(evaluator.notices[base.notice], shown, evaluator.site.id, evaluator.site.origin)
    stale = evaluator.stale(base, now)
    before |= base.granted & kept.categories - stale - exempt
    granted = _answered(choice, shown, before)
    vendors = {
        vendor: allowed
        for vendor, allowed in base.vendors.items()
        if vendor in shown.vendor_category and (not allowed or vendor in kept.vendors)
    }
    unanswered = set(consent.asking) - set(choice.categories)
    open_question = base.kind == "partial" or shown.digest != base.notice or stale
    merged = _decision(
        granted,
        vendors | dict(choice.vendors),
        shown,
        kind="partial" if unanswered and open_question else "decided",
        decided_at=base.decided_at,
        changed_at=max(now, base.changed_at),
    )
    return (
        copy(merged, kind="withdrawn")
        if base.kind == "withdrawn" and not evaluator.grants(merged)
        else merged
    )


def _standing_answer(evaluator: Evaluator, consent: Consent) -> Decision | None:
    """Give the decision that a change builds on; one that this site was no part of is none, nor one that counts no more."""
    decision = consent.decision
    if consent.status is ConsentStatus.INVALIDATED and decision is not None:
        return decision if evaluator.covers(decision.notice).site else None
    return decision if consent.status.decided else None


def _answered(choice: Choice, shown: Notice, before: Container[str]) -> frozenset[str]:
    """List the categories that are granted once a choice is made; what it does not name stays as before."""
    return frozenset(
        category for category in shown.category_ids if choice.categories.get(category, category in before)
    )


def _objections(consent: Consent, exempt: Container[str]) -> dict[str, bool]:
    """List the vendors of exempt categories that the visitor objected to, where that still stands."""
    if consent.decision is None or consent.status is ConsentStatus.EXPIRED:
        return {}
    return {
        vendor: False
        for vendor, allowed in consent.decision.vendors.items()
        if not allowed and consent.vendor_category.get(vendor) in exempt
    }


def holds(consent: Consent, category: str | None) -> bool:
    """Say whether there is anything to withdraw: something granted, in that category or at all.

    A grant that does not count just now is one all the same: it would be back with the ledger, or with an older notice.
    """
    decision = consent.decision
    if decision is None or consent.status in _NOTHING_TO_WITHDRAW:
        return False
    return (
        category is None
        or category in decision.granted
        or any(on and consent.vendor_category.get(one) == category for one, on in decision.vendors.items())
    )


def withdraw(evaluator: Evaluator, consent: Consent, category: str | None, now: int) -> Decision:
    """Take everything back, or one category with all its vendors; what leaves nothing granted is a withdrawal of all."""
    kept, vendors = frozenset[str](), dict[str, bool]()
    if category is not None:
        refused = {vendor.id: False for vendor in evaluator.policy.vendors_of(category)}
        choice = Choice(categories={category: False}, vendors=refused)
        rest = merge(evaluator, consent, choice, evaluator.notice, now)
        if evaluator.grants(rest):
            return rest
        kept, vendors = rest.granted, dict(rest.vendors)
    at = max(now, consent.decision.changed_at if consent.decision else now)
    return _decision(kept, vendors, evaluator.notice, kind="withdrawn", decided_at=at, changed_at=at)


def with_subject(evaluator: Evaluator, before: Consent, after: Decision) -> tuple[Decision, str]:
    """Give a decision the pseudonym that it may carry; and name the one that it ends, if any.

    What grants something carries 128 random bits, the same as before while the decision stands; what grants nothing
    carries none, so that a refusal leads from no browser to any record (REQUIREMENTS LB-09).
    """
    resolver = before.decision if before.status is not ConsentStatus.EXPIRED else None
    subject = resolver.subject if resolver is not None else ""
    if not evaluator.grants(after):
        return copy(after, subject=""), subject
    return copy(after, subject=subject or after.subject or secrets.token_urlsafe(16)), ""


def narrower(evaluator: Evaluator, one: Decision, other: Decision) -> Decision:
    """Keep of two decisions of one visitor what both allow, with the earlier end; `one` has the newer answer.

    It is how a narrowing counts whose record still waits in another process.
    """
    notice, old = evaluator.notices[one.notice], evaluator.notices[other.notice]
    both = {
        vendor: _allows(one, vendor, notice) and _allows(other, vendor, old) for vendor in notice.vendor_ids
    }
    kept = _decision(
        one.granted & other.granted,
        both,
        notice,
        kind=one.kind,
        decided_at=min(one.decided_at, other.decided_at),
        changed_at=one.changed_at,
    )
    return copy(kept, subject=one.subject)


def _allows(decision: Decision, vendor: str, notice: Notice) -> bool:
    return decision.vendors.get(vendor, notice.vendor_category.get(vendor) in decision.granted)


def _decision(
    granted: frozenset[str],
    vendors: Mapping[str, bool],
    notice: Notice,
    *,
    kind: Kind,
    decided_at: int,
    changed_at: int,
) -> Decision:
    """Keep of the vendors only those that the notice has and that differ from their category."""
    category_of = notice.vendor_category
    deviating = {
        vendor: allowed
        for vendor, allowed in vendors.items()
        if vendor in notice.vendor_ids and allowed != (category_of[vendor] in granted)
    }
    return Decision(
        kind=kind,
        granted=granted,
        vendors=deviating,
        decided_at=decided_at,
        changed_at=changed_at,
        notice=notice.digest,
    )
