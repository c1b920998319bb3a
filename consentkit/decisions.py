"""How the next decision is made of what a visitor asks for. Pure: times come in as whole seconds since the epoch."""

import secrets
from collections.abc import Mapping
from dataclasses import replace as copy

from consentkit.changes import coverage
from consentkit.consent import Choice, Consent, ConsentStatus, Decision, Kind
from consentkit.errors import InvalidDecisionError
from consentkit.notice import Notice
from consentkit.terms import Terms

__all__ = ["check", "everything", "holds", "merge", "narrower", "replace", "with_subject", "withdraw"]


def everything(shown: Notice, *, allowed: bool) -> Choice:
    """Give the choice of "accept all" or "reject all" under the notice that was shown."""
    return Choice(categories=dict.fromkeys(shown.category_ids, allowed), vendors={})


def check(terms: Terms, choice: Choice) -> None:
    """Refuse a choice that the policy cannot express.

    Raises:
        UnknownCategoryError: it names a category that the policy lacks.
        UnknownVendorError: the same for a vendor.
        InvalidDecisionError: it turns something off that is required.
    """
    policy = terms.policy
    for category, allowed in choice.categories.items():
        if policy.category(category).required and not allowed:
            raise InvalidDecisionError(f"The category {category!r} is required: it cannot be refused.")
    for vendor, allowed in choice.vendors.items():
        if policy.category(policy.vendor(vendor).category).required and not allowed:
            raise InvalidDecisionError(f"The vendor {vendor!r} is required: it cannot be refused.")


def replace(choice: Choice, shown: Notice, now: int) -> Decision:
    """Make a decision out of a choice alone: what it does not name is refused."""
    granted = frozenset(category for category in shown.category_ids if choice.categories.get(category))
    return _decision(granted, choice.vendors, shown, kind="decided", decided_at=now, changed_at=now)


def merge(terms: Terms, consent: Consent, choice: Choice, shown: Notice, now: int) -> Decision:
    """Change what a choice names and nothing else; `expires_at` stays where there was a decision.

    The notice becomes the one that was shown; of the older grants only what that covers is taken along. Where the banner
    still has something to ask, the decision is a partial one.
    """
    base = consent.decision if consent.status.decided else None
    if base is None:
        standing = {category for category in terms.exempt if consent.categories[category]}
        granted = frozenset(c for c in shown.category_ids if choice.categories.get(c, c in standing))
        kind: Kind = "decided" if set(terms.needing) <= set(choice.categories) else "partial"
        return _decision(granted, choice.vendors, shown, kind=kind, decided_at=now, changed_at=now)
    before, vendors = base.granted, dict(base.vendors)
    another = shown.digest != base.notice
    if another:
        kept = coverage(terms.notices[base.notice], shown, terms.site.id, terms.site.origin)
        before &= kept.categories
        vendors = {
            one: allowed
            for one, allowed in vendors.items()
            if one in shown.vendor_category and (not allowed or one in kept.vendors)
        }
    granted = frozenset(c for c in shown.category_ids if choice.categories.get(c, c in before))
    left = set(consent.asking) - set(choice.categories)
    merged = _decision(
        granted,
        vendors | dict(choice.vendors),
        shown,
        kind="partial" if left and (another or base.kind == "partial") else "decided",
        decided_at=base.decided_at,
        changed_at=max(now, base.changed_at),
    )
    return copy(merged, kind="withdrawn") if base.kind == "withdrawn" and not terms.grants(merged) else merged


def holds(consent: Consent, category: str | None) -> bool:
    """Say whether there is anything to withdraw: something granted, in that category or at all."""
    if consent.status is not ConsentStatus.GIVEN:
        return False
    vendors = any(
        allowed and not consent.categories[consent.vendor_category[vendor]]
        for vendor, allowed in consent.vendors.items()
        if category in (None, consent.vendor_category[vendor])
    )
    return vendors or (bool(consent.granted) if category is None else category in consent.granted)


def withdraw(terms: Terms, consent: Consent, category: str | None, now: int) -> Decision:
    """Take everything back, or one category with all its vendors; what leaves nothing granted is a withdrawal of all."""
    if category is not None:
        vendors = {vendor.id: False for vendor in terms.policy.vendors_of(category)}
        choice = Choice(categories={category: False}, vendors=vendors)
        rest = merge(terms, consent, choice, terms.notice, now)
        if terms.grants(rest):
            return rest
    at = max(now, consent.decision.changed_at if consent.decision else now)
    return _decision(frozenset(), {}, terms.notice, kind="withdrawn", decided_at=at, changed_at=at)


def with_subject(terms: Terms, before: Consent, after: Decision) -> tuple[Decision, str]:
    """Give a decision the pseudonym that it may carry; and name the one that it ends, if any.

    What grants something carries 128 random bits, the same as before while the decision stands; what grants nothing
    carries none, so that a refusal leads from no browser to any record (REQUIREMENTS LB-09).
    """
    standing = before.status.decided or before.status is ConsentStatus.INVALIDATED
    subject = before.decision.subject if before.decision is not None and standing else ""
    if not terms.grants(after):
        return copy(after, subject=""), subject
    return copy(after, subject=subject or after.subject or secrets.token_urlsafe(16)), ""


def narrower(terms: Terms, one: Decision, other: Decision) -> Decision:
    """Keep of two decisions of one visitor what both grant, with the earlier end; `one` has the newer answer.

    It is how a narrowing counts whose record still waits in another process.
    """
    old = terms.notices[other.notice]
    granted = one.granted & other.granted
    both = {
        vendor: allowed and other.vendors.get(vendor, old.vendor_category.get(vendor) in other.granted)
        for vendor, allowed in one.vendors.items()
    }
    both |= {vendor: False for vendor, allowed in other.vendors.items() if not allowed}
    at = min(one.decided_at, other.decided_at)
    return copy(one, granted=granted, vendors=both, decided_at=at)


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
