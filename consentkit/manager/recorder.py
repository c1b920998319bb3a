"""Recording of decisions: the record is stored first, and everything else follows from it.

A decision that allows more counts only once its record is durable. A decision that allows less counts at once, even while the
ledger is out of reach: its record waits, on disk if there is a spool, and is delivered as soon as the ledger is back.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from consentkit._version import __version__
from consentkit.consent import (
    Choice,
    Consent,
    ConsentCookie,
    ConsentStatus,
    Decision,
    Evaluator,
    transitions,
)
from consentkit.errors import LedgerError, UnknownNoticeError
from consentkit.ledger import Record, Spool
from consentkit.manager.choice import ChoiceContext, Outcome
from consentkit.manager.listeners import Listeners
from consentkit.manager.propagation import LinkedLedger
from consentkit.manager.resolver import ConsentResolver
from consentkit.notices import Notice

__all__ = ["DecisionRecorder"]

log = logging.getLogger("consentkit")

Event = Literal["given", "refused", "changed", "withdrawn", "renewed", "imported", "loaded_once"]

REPEATED_WITHIN = 3600
"""Repeating the decision in force within this many seconds adds no record and sets no cookie (DESIGN section 5)."""


class DecisionRecorder:
    """Turn choices into decisions and record them."""

    def __init__(
        self,
        evaluator: Evaluator,
        cookie: ConsentCookie,
        resolver: ConsentResolver,
        listeners: Listeners,
        *,
        clock: Callable[[], float],
        spool: str | Path | None,
    ) -> None:
        """Open the spool. Records that an earlier process left in it count at once, and are delivered like any others."""
        self._evaluator = evaluator
        self._cookie = cookie
        self._resolver = resolver
        self._clock = clock
        self._rendering: Callable[[str], dict[str, Any]] | None = None
        self._published: set[tuple[str, str]] = set()
        self._linked_ledger: LinkedLedger | None = None
        self._spool: Spool | None = None
        if resolver.ledger is not None:
            self._linked_ledger = LinkedLedger(resolver.ledger, evaluator)
            self._spool = Spool(self._linked_ledger, spool, delivered=listeners.notify)
            for record in self._spool.pending():
                resolver.revocations.hold(record, clock(), stored=False)

    def store_renderings_from(self, rendering: Callable[[str], dict[str, Any]]) -> None:
        """Store `rendering(language)` with the first record in each language under the current notice."""
        self._rendering = rendering

    def shown(self, digest: str | None) -> Notice:
        """Return the notice that a choice was made under; the current one if the choice names none.

        Raises:
            UnknownNoticeError: no site of the group published such a notice.
        """
        if not digest:
            return self._evaluator.notice
        self._resolver.load_notices_unless_known(digest, self._clock())
        notice = self._evaluator.notices.get(digest)
        if notice is None:
            raise UnknownNoticeError(
                "This choice was made under a notice that is not known here: load the page again."
            )
        return notice

    # Decisions

    def decide(
        self, before: Consent, choice: Choice, context: ChoiceContext, *, merge: bool = False
    ) -> Outcome:
        """Record a choice, which replaces the visitor's decision or is merged into it. Blocks until the record is durable.

        Raises:
            InvalidDecisionError: the choice cannot be expressed; nothing was changed.
            UnknownIdError: the policy lacks a category or vendor of the choice; nothing was changed.
            UnknownNoticeError: the choice was made under an unknown notice; nothing was changed.
            LedgerUnavailableError: the choice would widen and cannot be recorded; nothing was changed.
        """
        notice = self.shown(context.notice)
        transitions.check(self._evaluator, choice, notice)
        now = int(self._clock())
        old = before.decision if before.status.decided else None
        # The same full answer, given again after a while, renews the validity. A change never does, so it only repeats.
        if merge:
            after = transitions.merge(self._evaluator, before, choice, notice, now)
            repeated = old is not None
        else:
            after = transitions.replace(choice, notice, now)
            repeated = old is not None and now - old.decided_at < REPEATED_WITHIN
        if repeated and old is not None and old.answers_as(after):
            return Outcome(consent=before)
        return self._record_decision(before, after, context)

    def withdraw(self, before: Consent, category: str | None, context: ChoiceContext) -> Outcome:
        """Withdraw everything, or one category. Changes nothing if nothing of it is granted. Blocks.

        Raises:
            UnknownCategoryError: the policy has no such category.
            InvalidDecisionError: the category is required.
        """
        if category is not None:
            transitions.check(self._evaluator, Choice(categories={category: False}, vendors={}))
        if not transitions.can_withdraw(before, category):
            return Outcome(consent=before)
        after = transitions.withdraw(self._evaluator, before, category, int(self._clock()))
        return self._record_decision(before, after, context, event="withdrawn")

    def withdraw_subject(self, subject: str) -> Outcome | None:
        """Withdraw everything that is granted under a pseudonym; None if nothing is. Blocks.

        If the ledger can be read and not written, the withdrawal counts at once and its record waits.

        Raises:
            LedgerUnavailableError: the ledger cannot be read; nothing was changed.
        """
        ledger = self._resolver.ledger
        newest = ledger.newest(subject) if ledger is not None else None
        if newest is not None:
            self._resolver.load_notices_unless_known(newest.notice, self._clock())
        decision = self._resolver.decision_of(newest) if newest else None
        if newest is None or decision is None or newest.status != ConsentStatus.GIVEN:
            return None
        now = self._clock()
        before = self._evaluator.evaluate(decision, now)
        after = transitions.withdraw(self._evaluator, before, None, int(now))
        context = ChoiceContext(surface="api", choice="withdraw", language=newest.language)
        consent = self._evaluator.evaluate(after, now)
        record = _record_of(
            self._evaluator, before, after, consent, context, subject=subject, event="withdrawn"
        )
        stored = self._store(record, may_wait=True)
        return Outcome(consent=consent, record=record, reference=subject, stored=stored)

    def take_over(self, before: Consent, after: Decision, context: ChoiceContext) -> Outcome:
        """Record a decision that a hand-off brought from another site of the group. Blocks.

        Raises:
            LedgerUnavailableError: the decision widens and cannot be recorded; nothing was changed.
        """
        return self._record_decision(before, after, context, event="imported")

    def loaded_once(self, vendor: str, context: ChoiceContext) -> Record:
        """Record that a vendor's content was loaded once. Nothing is granted, and nothing leads to the visitor. Blocks.

        Raises:
            LedgerUnavailableError: the record cannot be stored, so the content must not be loaded.
        """
        evaluator, now = self._evaluator, int(self._clock())
        loaded = transitions.replace(Choice(categories={}, vendors={vendor: True}), evaluator.notice, now)
        before = evaluator.undecided(gpc=context.gpc)
        record = _record_of(evaluator, before, loaded, before, context, subject="", event="loaded_once")
        record = replace(record, status=ConsentStatus.UNKNOWN.value, expires_at=None)
        self._store(record, may_wait=False)
        return record

    def _record_decision(
        self, before: Consent, after: Decision, context: ChoiceContext, *, event: Event | None = None
    ) -> Outcome:
        """Store the record of a decision, then return what the response has to carry."""
        after, ended = transitions.with_subject(self._evaluator, before, after)
        consent = self._evaluator.evaluate(after, self._clock(), gpc=context.gpc)
        # The last record of a pseudonym is about the decision that ends it.
        subject = ended or after.subject
        record = _record_of(self._evaluator, before, after, consent, context, subject=subject, event=event)
        allowed_before, allowed = _allowed(before), _allowed(consent)
        may_wait = not self._evaluator.grants(after) or allowed < allowed_before
        stored = self._store(record, may_wait=may_wait)
        return Outcome(
            consent=consent,
            record=record,
            reference=record.subject if event == "withdrawn" else None,
            cookies=tuple(self._cookie.set_cookie(after)),
            narrowed=bool(allowed_before - allowed),
            stored=stored,
        )

    # The ledger

    def _store(self, record: Record, *, may_wait: bool) -> bool:
        """Store a record and make it count in this process. Return whether it is durable.

        If the ledger is out of reach, a record that may wait is put into the spool, and any other raises.
        """
        stored = self._append(record, may_wait=may_wait)
        self._resolver.revocations.hold(record, self._clock(), stored=stored)
        return stored

    def _append(self, record: Record, *, may_wait: bool) -> bool:
        if self._linked_ledger is None or self._spool is None:
            return True
        try:
            self._publish(record.notice, record.language)
            self._linked_ledger.append(record)
        except LedgerError as error:
            if not may_wait:
                raise
            log.error("Record %s waits for the ledger: %s", record.id, error)
            self._spool.put(record)
            return False
        return True

    def _publish(self, digest: str, language: str) -> None:
        """Store the notice, and its rendering in a language, once before the first record that refers to them."""
        ledger, notice = self._resolver.ledger, self._evaluator.notices[digest]
        if ledger is None or notice.content is None or (digest, language) in self._published:
            return
        ledger.store_notice(digest, dict(notice.content))
        if self._rendering is not None and notice is self._evaluator.notice:
            ledger.store_rendering(digest, language, self._rendering(language))
        self._published.add((digest, language))

    def close(self) -> None:
        """Deliver the records that wait, and stop."""
        if self._spool is not None:
            self._spool.close()


def _allowed(consent: Consent) -> set[str]:
    categories = {category for category, allowed in consent.categories.items() if allowed}
    return categories | {f"~{vendor}" for vendor, allowed in consent.vendors.items() if allowed}


def _record_of(
    evaluator: Evaluator,
    before: Consent,
    after: Decision,
    consent: Consent,
    context: ChoiceContext,
    *,
    subject: str,
    event: Event | None,
) -> Record:
    """Return the record of a decision.

    `subject` is the pseudonym that the record is about, empty if there is none. Without an `event`, the event follows from the
    decisions before and after.
    """
    policy = evaluator.policy
    notice = evaluator.notices[after.notice]
    return Record(
        at=after.changed_at,
        event=event or _event(evaluator, before, after),
        status=consent.status.value if evaluator.grants(after) else _refusal(after).value,
        subject=subject or None,
        site=evaluator.site.id,
        group=policy.group.id if policy.group else "",
        notice=after.notice,
        language=context.language or policy.languages[0],
        surface=context.surface,
        choice=context.choice,
        categories={category: category in after.granted for category in notice.category_ids},
        vendors=dict(after.vendors),
        decided_at=after.decided_at,
        changed_at=after.changed_at,
        expires_at=evaluator.expires(after),
        gpc=context.gpc,
        jurisdiction=policy.jurisdiction,
        version=__version__,
    )


def _refusal(after: Decision) -> ConsentStatus:
    return ConsentStatus.WITHDRAWN if after.kind == "withdrawn" else ConsentStatus.REFUSED


def _event(evaluator: Evaluator, before: Consent, after: Decision) -> Event:
    """Return the event in the words of the Data Privacy Vocabulary. Granting the same again later is a renewal."""
    if not evaluator.grants(after):
        return "refused"
    old = before.decision
    if before.status is not ConsentStatus.GIVEN or old is None:
        return "given"
    return "renewed" if old.answers_as(after) and after.decided_at > old.decided_at else "changed"
