"""The visitor's next decision, made from the last one and a choice.

Nothing here reads a clock: times are arguments, in whole seconds since the epoch.
"""

import secrets
from collections.abc import Container, Mapping
from dataclasses import replace as copy

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Choice, Consent, ConsentStatus, Decision, Kind
from consentkit.errors import InvalidDecisionError
from consentkit.notices import Notice, coverage

__all__ = [
    "allowed_by_both",
    "can_withdraw",
    "check",
    "everything",
    "following",
    "is_within",
    "merge",
    "moment_after",
    "narrower",
    "objection",
    "replace",
    "with_subject",
    "withdraw",
]


_MOST_REVISIONS = 999_999
_NOTHING_TO_WITHDRAW = (ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN, ConsentStatus.EXPIRED)


# Choices


def everything(notice: Notice, *, allowed: bool) -> Choice:
    """Return the choice of "accept all" or "reject all" under the notice that was shown."""
    return Choice(categories=dict.fromkeys(notice.category_ids, allowed), vendors={})


def check(evaluator: Evaluator, choice: Choice, notice: Notice | None = None) -> None:
    """Check a choice against the policy and the notice that was shown.

    A visitor may choose on an older page. Categories and vendors that only its notice has are accepted.

    Raises:
        UnknownCategoryError: neither has such a category.
        UnknownVendorError: neither has such a vendor.
        InvalidDecisionError: the choice refuses what is required, or a value is neither True nor False.
    """
    for answered, answer in (*choice.categories.items(), *choice.vendors.items()):
        if type(answer) is not bool:
            raise InvalidDecisionError(f"The answer for {answered!r} is {answer!r}: give True or False.")
    policy = evaluator.policy
    old_categories = notice.category_ids if notice else ()
    old_vendors = notice.vendor_ids if notice else ()
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


# Deciding and changing


def replace(choice: Choice, notice: Notice, now: int) -> Decision:
    """Return the decision that a choice makes, whatever was decided before. Categories that the choice leaves out are refused."""
    granted = frozenset(category for category in notice.category_ids if choice.categories.get(category))
    return _decision(granted, choice.vendors, notice, kind="decided", decided_at=now, changed_at=now)


def merge(evaluator: Evaluator, consent: Consent, choice: Choice, notice: Notice, now: int) -> Decision:
    """Return the visitor's decision with a choice merged into it. What the choice leaves out stays as it is.

    The decision moves to the notice that was shown and keeps the end of its validity. Older grants move along only as far as
    that notice covers them. The decision is a partial one while the banner still has something to ask.
    """
    # An exempt category needs no answer, so it stays on or off under whatever notice.
    exempt = notice.exempt_ids.intersection(evaluator.exempt)
    on_before = {category for category in exempt if consent.categories[category]}
    base = _decision_in_force(evaluator, consent)
    if base is None:
        granted = _granted(choice, notice, on_before)
        vendors = _objections(consent, exempt) | dict(choice.vendors)
        kind: Kind = "decided" if set(evaluator.needing) <= set(choice.categories) else "partial"
        return _decision(granted, vendors, notice, kind=kind, decided_at=now, changed_at=now)
    # A grant moves to the notice that was shown if that notice discloses no more, and the transfers are still lawful.
    kept = coverage(evaluator.notices[base.notice], notice, evaluator.site.id, evaluator.site.origin)
    lapsed = evaluator.lapsed_categories(base, now)
    on_before |= base.granted & kept.categories - lapsed - exempt
    granted = _granted(choice, notice, on_before)
    # The refusal of a vendor always moves along: only an answer about that vendor may end it.
    vendors = {
        vendor: allowed
        for vendor, allowed in base.vendors.items()
        if vendor in notice.vendor_category and (not allowed or vendor in kept.vendors)
    }
    # The decision stays partial only where a question was open before. A full answer under this very notice left none.
    unanswered = set(consent.asking) - set(choice.categories)
    was_open = base.kind == "partial" or notice.digest != base.notice or lapsed
    merged = _decision(
        granted,
        vendors | dict(choice.vendors),
        notice,
        kind="partial" if unanswered and was_open else "decided",
        # Where visitors opt out, each choice is remembered for the whole period (REQUIREMENTS SG-07).
        decided_at=base.decided_at if evaluator.policy.regime.mode == "opt_in" else max(now, base.decided_at),
        changed_at=max(now, base.changed_at),
    )
    # A withdrawal stays one until something is granted again, so that the banner does not ask.
    if base.kind == "withdrawn" and not evaluator.grants(merged):
        return copy(merged, kind="withdrawn")
    return merged


def _decision_in_force(evaluator: Evaluator, consent: Consent) -> Decision | None:
    """Return the decision that a choice is merged into; None if it no longer counts, or its notice did not list this site."""
    decision = consent.decision
    if consent.status is ConsentStatus.INVALIDATED and decision is not None:
        return decision if evaluator.covers(decision.notice).site else None
    return decision if consent.status.decided else None


def _granted(choice: Choice, notice: Notice, on_before: Container[str]) -> frozenset[str]:
    """Return the categories of the notice that are on once a choice is made. Those it leaves out stay as before."""
    return frozenset(
        category for category in notice.category_ids if choice.categories.get(category, category in on_before)
    )


def _objections(consent: Consent, exempt: Container[str]) -> dict[str, bool]:
    """Return the vendors of exempt categories that the visitor objected to, unless the answer has expired."""
    if consent.decision is None or consent.status is ConsentStatus.EXPIRED:
        return {}
    return {
        vendor: False
        for vendor, allowed in consent.decision.vendors.items()
        if not allowed and consent.vendor_category.get(vendor) in exempt
    }


# Withdrawing


def can_withdraw(consent: Consent, category: str | None) -> bool:
    """Return whether anything is granted that can be withdrawn, in one category or at all.

    A grant that does not count at the moment can be withdrawn too. It would count again once the ledger is back, or under
    an older notice.
    """
    decision = consent.decision
    if decision is None or consent.status in _NOTHING_TO_WITHDRAW:
        return False
    return (
        category is None
        or category in decision.granted
        or any(
            allowed and consent.vendor_category.get(vendor) == category
            for vendor, allowed in decision.vendors.items()
        )
    )


def objection(evaluator: Evaluator, consent: Consent, category: str | None) -> Choice | None:
    """Return the choice of a visitor who withdraws, in another place than the site's own, what is on without consent there.

    None if there is something to withdraw, or nothing to object to.
    """
    refused = [each for each in evaluator.exempt if category in (None, each)]
    if evaluator.policy.is_home or not refused or can_withdraw(consent, category):
        return None
    vendors = [vendor.id for each in refused for vendor in evaluator.policy.vendors_of(each)]
    return Choice(categories=dict.fromkeys(refused, False), vendors=dict.fromkeys(vendors, False))


def withdraw(evaluator: Evaluator, consent: Consent, category: str | None, now: int) -> Decision:
    """Return the decision that withdraws everything, or one category with all its vendors.

    Withdrawing the last category that was granted withdraws everything.
    """
    kept, vendors = frozenset[str](), dict[str, bool]()
    if category is not None:
        refused = {vendor.id: False for vendor in evaluator.policy.vendors_of(category)}
        choice = Choice(categories={category: False}, vendors=refused)
        rest = merge(evaluator, consent, choice, evaluator.notice, now)
        if evaluator.grants(rest):
            return rest
        # Only exempt categories are left. They are not granted, and stay on.
        kept, vendors = rest.granted, dict(rest.vendors)
    at = max(now, consent.decision.changed_at if consent.decision else now)
    return _decision(kept, vendors, evaluator.notice, kind="withdrawn", decided_at=at, changed_at=at)


def with_subject(
    evaluator: Evaluator, before: Consent, after: Decision, fresh: str | None = None
) -> tuple[Decision, str]:
    """Return a decision with the pseudonym that it may carry, and the pseudonym that it ends; empty if it ends none.

    A decision that grants something carries 128 random bits, the same as before while the older decision counts. A decision
    that grants nothing carries none, so that a refusal leads from no browser to any record (REQUIREMENTS LB-09). `fresh` is
    the pseudonym of a visitor who has none; by default new random bits.
    """
    old = before.decision if before.status is not ConsentStatus.EXPIRED else None
    subject = old.subject if old is not None else ""
    if not evaluator.grants(after):
        return copy(after, subject=""), subject
    return copy(after, subject=subject or after.subject or fresh or secrets.token_urlsafe(16)), ""


# Two decisions of one visitor


def following(after: Decision, *moments: tuple[int, int]) -> Decision:
    """Return a decision that counts as made after all the given moments, whatever this host's clock says.

    A decision of the same second gets the next revision. A decision that is later already is returned unchanged.
    """
    changed_at, revision = moment_after(after.moment, *moments)
    return copy(after, changed_at=changed_at, revision=revision)


def moment_after(moment: tuple[int, int], *moments: tuple[int, int]) -> tuple[int, int]:
    """Return a moment if it is later than all others, else the first moment after them. Each is seconds and revision."""
    last = max(moments, default=(0, 0))
    if moment > last:
        return moment
    seconds, revision = last
    return (seconds, revision + 1) if revision < _MOST_REVISIONS else (seconds + 1, 0)


def narrower(evaluator: Evaluator, newer: Decision, older: Decision) -> Decision:
    """Return the newer decision with only what both allow, with the earlier end and the later change.

    A token may be newer than the newest record of its subject, because the token's own record still waits in another process.
    Then only what both grant is certain.
    """
    notice = evaluator.notices[newer.notice]
    granted, vendors = allowed_by_both(newer, older, notice, evaluator.notices[older.notice])
    changed_at, revision = max(newer.moment, older.moment)
    narrowed = _decision(
        granted,
        vendors,
        notice,
        kind=newer.kind,
        decided_at=min(newer.decided_at, older.decided_at),
        changed_at=changed_at,
    )
    return copy(narrowed, subject=newer.subject, revision=revision)


def is_within(evaluator: Evaluator, inner: Decision, outer: Decision) -> bool:
    """Return whether the outer decision allows everything that the inner one allows, each by its own notice."""
    notice, outer_notice = evaluator.notices[inner.notice], evaluator.notices[outer.notice]
    granted, vendors = allowed_by_both(inner, outer, notice, outer_notice)
    return granted == inner.granted and vendors == _deviating(inner.vendors, inner.granted, notice)


def allowed_by_both(
    first: Decision, second: Decision, notice: Notice, second_notice: Notice
) -> tuple[frozenset[str], dict[str, bool]]:
    """Return the categories that both decisions grant, and the vendors of `notice` whose joint answer differs from those.

    A vendor that a decision does not list follows its category, each decision by its own notice.
    """
    granted = first.granted & second.granted
    vendors = {
        vendor: _allows(first, vendor, notice) and _allows(second, vendor, second_notice)
        for vendor in notice.vendor_ids
    }
    return granted, _deviating(vendors, granted, notice)


def _allows(decision: Decision, vendor: str, notice: Notice) -> bool:
    return decision.vendors.get(vendor, notice.vendor_category.get(vendor) in decision.granted)


def _deviating(vendors: Mapping[str, bool], granted: Container[str], notice: Notice) -> dict[str, bool]:
    """Return the vendors of a notice whose answer differs from their category's."""
    return {
        vendor: allowed
        for vendor, allowed in vendors.items()
        if vendor in notice.vendor_ids and allowed != (notice.vendor_category[vendor] in granted)
    }


def _decision(
    granted: frozenset[str],
    vendors: Mapping[str, bool],
    notice: Notice,
    *,
    kind: Kind,
    decided_at: int,
    changed_at: int,
) -> Decision:
    """Return a decision under a notice, without the vendors that the notice lacks or that follow their category."""
    return Decision(
        kind=kind,
        granted=granted,
        vendors=_deviating(vendors, granted, notice),
        decided_at=decided_at,
        changed_at=changed_at,
        notice=notice.digest,
    )
