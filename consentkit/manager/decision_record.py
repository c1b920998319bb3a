"""The record of a decision: what is stored about it, and what is left out so that refusals lead to nobody."""

from typing import Literal

from consentkit._version import __version__
from consentkit.consent import Consent, ConsentStatus, Decision, Evaluator
from consentkit.ledger import HOUR, Record
from consentkit.manager.choice import ChoiceContext
from consentkit.manager.difference import allowed_by, allowed_in, as_lists, has_granted

__all__ = ["Event", "record_of"]

Event = Literal["given", "refused", "changed", "withdrawn", "renewed", "imported", "loaded_once"]


def record_of(
    evaluator: Evaluator,
    before: Consent,
    after: Decision,
    consent: Consent,
    context: ChoiceContext,
    *,
    record_id: str,
    subject: str,
    event: Event | None,
) -> Record:
    """Return the record of a decision. Without an `event`, the event follows from the decisions before and after.

    `subject` is the pseudonym that the record is about, empty if there is none. The rules are those that the visitor was told.
    """
    at, decided_at, revision = _times(after) if subject else _hours(after)
    policy = evaluator.policy
    notice = evaluator.notices[after.notice]
    began = allowed_in(consent) - allowed_in(before)
    ended = has_granted(evaluator, before) - allowed_in(consent) - allowed_by(after, notice)
    return Record(
        id=record_id,
        at=at,
        event=event or _event(evaluator, before, after, consent, began, ended),
        status=consent.status.value if evaluator.grants(after) else _refusal(after).value,
        subject=subject or None,
        site=evaluator.site.id,
        group=policy.group.id if policy.group else "",
        notice=after.notice,
        language=context.language or policy.languages[0],
        surface=context.surface,
        rendering=context.rendering,
        choice=context.choice,
        categories={category: category in after.granted for category in notice.category_ids},
        vendors=dict(after.vendors),
        began=as_lists(began),
        ended=as_lists(ended),
        decided_at=decided_at,
        changed_at=at,
        revision=revision,
        expires_at=evaluator.end_of(after.notice, decided_at),
        gpc=context.gpc,
        jurisdiction=notice.regime or policy.jurisdiction,
        version=__version__,
    )


def _times(decision: Decision) -> tuple[int, int, int]:
    return decision.changed_at, decision.decided_at, decision.revision


def _hours(decision: Decision) -> tuple[int, int, int]:
    """Return the times of a decision by the hour, because the cookie has the second, and the two could be matched."""
    return decision.changed_at // HOUR * HOUR, decision.decided_at // HOUR * HOUR, 0


def _refusal(after: Decision) -> ConsentStatus:
    return ConsentStatus.WITHDRAWN if after.kind == "withdrawn" else ConsentStatus.REFUSED


def _event(
    evaluator: Evaluator,
    before: Consent,
    after: Decision,
    consent: Consent,
    began: set[str],
    ended: set[str],
) -> Event:
    """Return the event in the words of the Data Privacy Vocabulary. Granting the same again later is a renewal.

    A choice that ends something that needs consent, and begins nothing, is a withdrawal. A grant that did not count before, and
    about which the banner still asks, has not ended by the visitor's wish.
    """
    needing = set(evaluator.needing) | before.granted
    turned_off = _categories_of(ended & allowed_in(before), consent) & needing
    turned_off |= _categories_of(ended, consent) & needing.difference(consent.asking)
    if not evaluator.grants(after):
        return "withdrawn" if turned_off else "refused"
    old = before.decision
    if before.status is not ConsentStatus.GIVEN or old is None:
        return "given"
    if turned_off and not _categories_of(began, consent) & needing:
        return "withdrawn"
    return "renewed" if old.answers_as(after) and after.decided_at > old.decided_at else "changed"


def _categories_of(ids: set[str], consent: Consent) -> set[str]:
    """Return the categories among ids, and those of the vendors among them."""
    return {consent.vendor_category.get(each[1:], "") if each.startswith("~") else each for each in ids}
