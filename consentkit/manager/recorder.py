"""Where decisions are taken and put on record: the record first, then whatever follows from it.

A decision that widens counts only once its record is durable. One that narrows or withdraws counts at once even while the
ledger is away: its record waits, on disk where there is a spool, and is delivered as soon as the ledger is back.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from consentkit.consent import Choice, Consent, ConsentCookie, ConsentStatus, Decision, Evaluator
from consentkit.consent import transitions as decisions
from consentkit.errors import LedgerError, UnknownNoticeError
from consentkit.ledger import Record, Spool
from consentkit.manager.choice import ChoiceContext, Event, Outcome, record_of
from consentkit.manager.listeners import Listeners
from consentkit.manager.propagation import LinkedLedger
from consentkit.manager.resolver import ConsentResolver
from consentkit.notices import Notice

__all__ = ["DecisionRecorder"]

log = logging.getLogger("consentkit")

REPEATED_WITHIN = 3600
"""Seconds in which the same decision again is no news."""


class DecisionRecorder:
    """Take decisions and record them."""

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
        """Take over what an earlier process left in the spool."""
        self._evaluator = evaluator
        self._cookie = cookie
        self._resolver = resolver
        self._clock = clock
        self._rendering: Callable[[str], dict[str, Any]] | None = None
        self._published: set[tuple[str, str]] = set()
        self._linked_ledger: LinkedLedger | None = None
        self._spool: Spool | None = None
        if resolver.ledger is not None and resolver.revocations is not None:
            self._linked_ledger = LinkedLedger(resolver.ledger, evaluator)
            self._spool = Spool(self._linked_ledger, spool, delivered=listeners.tell)
            for record in self._spool.pending():
                resolver.revocations.hold(record, clock(), stored=False)

    def store_renderings_from(self, rendering: Callable[[str], dict[str, Any]]) -> None:
        """Store what `rendering` returns for a language with the first record in that language under the current notice."""
        self._rendering = rendering

    def shown(self, digest: str | None) -> Notice:
        """Find the notice that a choice was made under, the present one where it names none.

        Raises:
            UnknownNoticeError: it names one that nobody here published.
        """
        if not digest:
            return self._evaluator.notice
        self._resolver.load_notices_unless_known(digest, self._clock())
        found = self._evaluator.notices.get(digest)
        if found is None:
            raise UnknownNoticeError(
                "This choice was made under a notice that is not known here: load the page again."
            )
        return found

    def decide(
        self, before: Consent, choice: Choice, context: ChoiceContext, *, merge: bool = False
    ) -> Outcome:
        """Record a choice; blocks until the record is durable.

        Raises:
            InvalidDecisionError: the choice cannot be expressed; nothing was changed.
            UnknownIdError: it names what the policy lacks; nothing was changed.
            UnknownNoticeError: it was made under a notice that is not known; nothing was changed.
            LedgerUnavailableError: it would widen and cannot be recorded; nothing was changed.
        """
        shown = self.shown(context.notice)
        decisions.check(self._evaluator, choice, shown)
        now = int(self._clock())
        old = before.decision if before.status.decided else None
        if merge:
            after = decisions.merge(self._evaluator, before, choice, shown, now)
            repeated = old is not None
        else:
            after = decisions.replace(choice, shown, now)
            repeated = old is not None and now - old.decided_at < REPEATED_WITHIN
        if repeated and old is not None and old.answers_as(after):
            return Outcome(consent=before)
        return self._settle(before, after, context)

    def withdraw(self, before: Consent, category: str | None, context: ChoiceContext) -> Outcome:
        """Withdraw everything, or one category; where nothing of it is granted nothing happens.

        Raises:
            UnknownCategoryError: the policy has no such category.
            InvalidDecisionError: the category is required.
        """
        if category is not None:
            decisions.check(self._evaluator, Choice(categories={category: False}, vendors={}))
        if not decisions.holds(before, category):
            return Outcome(consent=before)
        after = decisions.withdraw(self._evaluator, before, category, int(self._clock()))
        return self._settle(before, after, context, event="withdrawn")

    def take_over(self, before: Consent, after: Decision, context: ChoiceContext) -> Outcome:
        """Record a decision that came from another site of the group; blocks.

        Raises:
            LedgerUnavailableError: it widens and cannot be recorded; nothing was changed.
        """
        return self._settle(before, after, context, event="imported")

    def loaded_once(self, vendor: str, context: ChoiceContext) -> Record:
        """Put on record that a vendor's content was loaded once: nothing is granted, and nothing leads to the visitor.

        Raises:
            LedgerUnavailableError: it cannot be recorded, so it must not be loaded.
        """
        evaluator, now = self._evaluator, int(self._clock())
        loaded = decisions.replace(Choice(categories={}, vendors={vendor: True}), evaluator.notice, now)
        before = evaluator.undecided(gpc=context.gpc)
        record = record_of(evaluator, before, loaded, before, context, subject="", event="loaded_once")
        record = replace(record, status=ConsentStatus.UNKNOWN.value, expires_at=None)
        self._store(record, may_wait=False)
        return record

    def withdraw_subject(self, subject: str) -> Outcome | None:
        """Withdraw everything that stands under a pseudonym; None where nothing does. Blocks.

        Where the ledger can be read and not written, the withdrawal holds at once and its record waits.

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
        after = decisions.withdraw(self._evaluator, before, None, int(now))
        context = ChoiceContext(surface="api", choice="withdraw", language=newest.language)
        gone = self._evaluator.evaluate(after, now)
        record = record_of(self._evaluator, before, after, gone, context, subject=subject, event="withdrawn")
        stored = self._store(record, may_wait=True)
        self._hold(record, stored=stored)
        return Outcome(consent=gone, record=record, reference=subject, stored=stored)

    def _settle(
        self, before: Consent, after: Decision, context: ChoiceContext, *, event: Event | None = None
    ) -> Outcome:
        """Write the record first, then say what the answer has to carry."""
        after, ended = decisions.with_subject(self._evaluator, before, after)
        consent = self._evaluator.evaluate(after, self._clock(), gpc=context.gpc)
        subject = ended or after.subject
        record = record_of(self._evaluator, before, after, consent, context, subject=subject, event=event)
        stored = self._store(record, may_wait=not self._evaluator.grants(after) or _narrower(before, consent))
        self._hold(record, stored=stored)
        return Outcome(
            consent=consent,
            record=record,
            reference=record.subject if event == "withdrawn" else None,
            cookies=tuple(self._cookie.set_cookie(after)),
            narrowed=bool(_allowed(before) - _allowed(consent)),
            stored=stored,
        )

    def _hold(self, record: Record, *, stored: bool) -> None:
        if self._resolver.revocations is not None:
            self._resolver.revocations.hold(record, self._clock(), stored=stored)

    def _store(self, record: Record, *, may_wait: bool) -> bool:
        """Store a record; one that may wait is queued when the ledger is away, any other one raises."""
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
        """Keep the notice, and what it was shown with in that language, beside the first record under it."""
        ledger, notice = self._resolver.ledger, self._evaluator.notices[digest]
        if ledger is None or notice.content is None or (digest, language) in self._published:
            return
        ledger.store_notice(digest, dict(notice.content))
        if self._rendering is not None and notice is self._evaluator.notice:
            ledger.store_rendering(digest, language, self._rendering(language))
        self._published.add((digest, language))

    def close(self) -> None:
        """Deliver what waits."""
        if self._spool is not None:
            self._spool.close()


def _allowed(consent: Consent) -> set[str]:
    categories = {category for category, allowed in consent.categories.items() if allowed}
    return categories | {f"~{vendor}" for vendor, allowed in consent.vendors.items() if allowed}


def _narrower(before: Consent, after: Consent) -> bool:
    return _allowed(after) < _allowed(before)
