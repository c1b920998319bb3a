"""Where decisions are taken and put on record: the record first, then whatever follows from it.

A decision that widens counts only once its record is durable. One that narrows or withdraws counts at once even while the
ledger is away: its record waits, on disk where there is a spool, and is delivered as soon as the ledger is back.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from consentkit.consent import transitions as decisions
from consentkit.consent.cookie import ConsentCookie
from consentkit.consent.evaluation import Terms
from consentkit.consent.model import Choice, Consent, ConsentStatus, Decision
from consentkit.errors import LedgerError, UnknownNoticeError
from consentkit.ledger import Outbox, Record
from consentkit.manager.choice import Event, Occasion, Outcome, record_of
from consentkit.manager.listeners import Listeners
from consentkit.manager.propagation import Reach
from consentkit.manager.resolver import Standing
from consentkit.notices.notice import Notice

__all__ = ["Registrar"]

log = logging.getLogger("consentkit")

REPEATED_WITHIN = 3600
"""Seconds in which the same decision again is no news."""


class Registrar:
    """Take decisions and record them.

    Attributes:
        rendering: what the notice is shown with in a language, kept beside it; set by whoever renders.
    """

    def __init__(
        self,
        terms: Terms,
        cookie: ConsentCookie,
        standing: Standing,
        listeners: Listeners,
        *,
        clock: Callable[[], float],
        spool: str | Path | None,
    ) -> None:
        """Take over what an earlier process left in the spool."""
        self._terms = terms
        self._cookie = cookie
        self._standing = standing
        self._clock = clock
        self.rendering: Callable[[str], dict[str, Any]] | None = None
        self._published: set[tuple[str, str]] = set()
        self._reach: Reach | None = None
        self._outbox: Outbox | None = None
        if standing.ledger is not None and standing.revocations is not None:
            self._reach = Reach(standing.ledger, terms)
            self._outbox = Outbox(self._reach, spool, delivered=listeners.tell)
            for record in self._outbox.pending():
                standing.revocations.hold(record, clock(), stored=False)

    def shown(self, digest: str | None) -> Notice:
        """Find the notice that a choice was made under, the present one where it names none.

        Raises:
            UnknownNoticeError: it names one that nobody here published.
        """
        if not digest:
            return self._terms.notice
        self._standing.learn_if_unknown(digest, self._clock())
        found = self._terms.notices.get(digest)
        if found is None:
            raise UnknownNoticeError(
                "This choice was made under a notice that is not known here: load the page again."
            )
        return found

    def decide(self, before: Consent, choice: Choice, occasion: Occasion, *, merge: bool = False) -> Outcome:
        """Record a choice; blocks until the record is durable.

        Raises:
            InvalidDecisionError: the choice cannot be expressed; nothing was changed.
            UnknownIdError: it names what the policy lacks; nothing was changed.
            UnknownNoticeError: it was made under a notice that is not known; nothing was changed.
            LedgerUnavailableError: it would widen and cannot be recorded; nothing was changed.
        """
        shown = self.shown(occasion.notice)
        decisions.check(self._terms, choice, shown)
        now = int(self._clock())
        old = before.decision if before.status.decided else None
        if merge:
            after = decisions.merge(self._terms, before, choice, shown, now)
            repeated = old is not None
        else:
            after = decisions.replace(choice, shown, now)
            repeated = old is not None and now - old.decided_at < REPEATED_WITHIN
        if repeated and old is not None and old.answers_as(after):
            return Outcome(consent=before)
        return self._settle(before, after, occasion)

    def withdraw(self, before: Consent, category: str | None, occasion: Occasion) -> Outcome:
        """Withdraw everything, or one category; where nothing of it is granted nothing happens.

        Raises:
            UnknownCategoryError: the policy has no such category.
            InvalidDecisionError: the category is required.
        """
        if category is not None:
            decisions.check(self._terms, Choice(categories={category: False}, vendors={}))
        if not decisions.holds(before, category):
            return Outcome(consent=before)
        after = decisions.withdraw(self._terms, before, category, int(self._clock()))
        return self._settle(before, after, occasion, event="withdrawn")

    def take_over(self, before: Consent, after: Decision, occasion: Occasion) -> Outcome:
        """Record a decision that came from another site of the group; blocks.

        Raises:
            LedgerUnavailableError: it widens and cannot be recorded; nothing was changed.
        """
        return self._settle(before, after, occasion, event="imported")

    def loaded_once(self, vendor: str, occasion: Occasion) -> Record:
        """Put on record that a vendor's content was loaded once: nothing is granted, and nothing leads to the visitor.

        Raises:
            LedgerUnavailableError: it cannot be recorded, so it must not be loaded.
        """
        terms, now = self._terms, int(self._clock())
        loaded = decisions.replace(Choice(categories={}, vendors={vendor: True}), terms.notice, now)
        before = terms.undecided(gpc=occasion.gpc)
        record = record_of(terms, before, loaded, before, occasion, subject="", event="loaded_once")
        record = replace(record, status=ConsentStatus.UNKNOWN.value, expires_at=None)
        self._store(record, may_wait=False)
        return record

    def withdraw_subject(self, subject: str) -> Outcome | None:
        """Withdraw everything that stands under a pseudonym; None where nothing does. Blocks.

        Where the ledger can be read and not written, the withdrawal holds at once and its record waits.

        Raises:
            LedgerUnavailableError: the ledger cannot be read; nothing was changed.
        """
        ledger = self._standing.ledger
        newest = ledger.newest(subject) if ledger is not None else None
        if newest is not None:
            self._standing.learn_if_unknown(newest.notice, self._clock())
        decision = self._standing.decision_of(newest) if newest else None
        if newest is None or decision is None or newest.status != ConsentStatus.GIVEN:
            return None
        now = self._clock()
        before = self._terms.judge(decision, now)
        after = decisions.withdraw(self._terms, before, None, int(now))
        occasion = Occasion(surface="api", choice="withdraw", language=newest.language)
        gone = self._terms.judge(after, now)
        record = record_of(self._terms, before, after, gone, occasion, subject=subject, event="withdrawn")
        stored = self._store(record, may_wait=True)
        self._hold(record, stored=stored)
        return Outcome(consent=gone, record=record, reference=subject, stored=stored)

    def _settle(
        self, before: Consent, after: Decision, occasion: Occasion, *, event: Event | None = None
    ) -> Outcome:
        """Write the record first, then say what the answer has to carry."""
        after, ended = decisions.with_subject(self._terms, before, after)
        consent = self._terms.judge(after, self._clock(), gpc=occasion.gpc)
        subject = ended or after.subject
        record = record_of(self._terms, before, after, consent, occasion, subject=subject, event=event)
        stored = self._store(record, may_wait=not self._terms.grants(after) or _narrower(before, consent))
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
        if self._standing.revocations is not None:
            self._standing.revocations.hold(record, self._clock(), stored=stored)

    def _store(self, record: Record, *, may_wait: bool) -> bool:
        """Store a record; one that may wait is queued when the ledger is away, any other one raises."""
        if self._reach is None or self._outbox is None:
            return True
        try:
            self._publish(record.notice, record.language)
            self._reach.append(record)
        except LedgerError as error:
            if not may_wait:
                raise
            log.error("Record %s waits for the ledger: %s", record.id, error)
            self._outbox.put(record)
            return False
        return True

    def _publish(self, digest: str, language: str) -> None:
        """Keep the notice, and what it was shown with in that language, beside the first record under it."""
        ledger, notice = self._standing.ledger, self._terms.notices[digest]
        if ledger is None or notice.content is None or (digest, language) in self._published:
            return
        ledger.store_notice(digest, dict(notice.content))
        if self.rendering is not None and notice is self._terms.notice:
            ledger.store_rendering(digest, language, self.rendering(language))
        self._published.add((digest, language))

    def close(self) -> None:
        """Deliver what waits."""
        if self._outbox is not None:
            self._outbox.close()


def _allowed(consent: Consent) -> set[str]:
    categories = {category for category, allowed in consent.categories.items() if allowed}
    return categories | {f"~{vendor}" for vendor, allowed in consent.vendors.items() if allowed}


def _narrower(before: Consent, after: Consent) -> bool:
    return _allowed(after) < _allowed(before)
