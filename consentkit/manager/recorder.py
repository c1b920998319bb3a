"""Recording of decisions: the record is stored first, and everything else follows from it.

A decision that allows more counts only once its record is durable. A decision that allows less counts at once, even while the
ledger is out of reach: its record waits, on disk if there is a spool, and is delivered as soon as the ledger is back.
"""

import secrets
import uuid
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

from consentkit._bounded_cache import BoundedCache
from consentkit.consent import (
    Choice,
    Consent,
    ConsentCookie,
    ConsentStatus,
    Decision,
    Evaluator,
    signer,
    transitions,
)
from consentkit.errors import LedgerError, LedgerUnavailableError, UnknownNoticeError
from consentkit.ledger import Document, Entries, Plan, Record, document
from consentkit.manager.breaker import Breaker
from consentkit.manager.choice import ChoiceContext, Outcome
from consentkit.manager.decision_plan import (
    DecisionPlan,
    ImportedGrant,
    RecordsWaitError,
    Transition,
    UnknownRecordNoticeError,
)
from consentkit.manager.decision_record import Event, record_of
from consentkit.manager.delivery import Delivery
from consentkit.manager.difference import allowed_in
from consentkit.manager.limits import DecisionCounts, TokenBucket
from consentkit.manager.metrics import SiteMetrics, measured
from consentkit.manager.newest import answer
from consentkit.manager.record_ids import submission_id
from consentkit.manager.renderings import RenderingStore
from consentkit.manager.resolver import ConsentResolver
from consentkit.manager.webhook_delivery import WebhookDelivery
from consentkit.notices import Notice

__all__ = ["DecisionRecorder"]

REPEATED_WITHIN = 3600
"""Repeating the decision in force within this many seconds adds no record and sets no cookie (DESIGN section 5)."""
ANONYMOUS_RATE, ANONYMOUS_BURST = 50, 5_000
"""Records a second, and at once, of refusals and single loads that lead to nobody. Further ones are counted."""
DECISION_RATE, DECISION_BURST = 500, 20_000
"""Decisions a second, and at once, in one process. Further ones get 503; withdrawals are always taken."""


class DecisionRecorder:
    """Turn choices into decisions and record them."""

    def __init__(
        self,
        evaluator: Evaluator,
        cookie: ConsentCookie,
        resolver: ConsentResolver,
        delivery: Delivery | None,
        renderings: RenderingStore,
        webhooks: WebhookDelivery,
        metrics: SiteMetrics,
        *,
        clock: Callable[[], float],
    ) -> None:
        """Start without decisions. Records that cannot be stored at once are given to `delivery`."""
        self._evaluator, self._cookie = evaluator, cookie
        self._resolver = resolver
        self._clock = clock
        # The oldest key, so that processes with and without a newer one give a repeated submission the same id.
        self._id_key = signer(cookie.keys_oldest_first[:1], "consentkit.record.v1").derive_key()
        self.renderings = renderings
        self._documents: BoundedCache[tuple[str, str], Document] = BoundedCache(256)
        self._anonymous = TokenBucket(rate=ANONYMOUS_RATE, burst=ANONYMOUS_BURST)
        self._decisions = TokenBucket(rate=DECISION_RATE, burst=DECISION_BURST)
        self._counts = DecisionCounts()
        self._delivery, self._webhooks = delivery, webhooks
        self.metrics, self._breaker = metrics, Breaker()

    def under(self, resolver: ConsentResolver) -> "DecisionRecorder":
        """Return a recorder of the same site for another regime, with the same queues, counts and limits."""
        other = copy(self)
        other._evaluator, other._cookie, other._resolver = resolver.evaluator, resolver.cookie, resolver
        return other

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

        def transition(current: Consent) -> Decision | None:
            old = current.decision if current.status.decided else None
            # The same full answer, given again after a while, renews the validity. A change never does, so it only repeats.
            if merge:
                after = transitions.merge(self._evaluator, current, choice, notice, now)
                repeated = old is not None
            else:
                after = transitions.replace(choice, notice, now)
                repeated = old is not None and now - old.decided_at < REPEATED_WITHIN
            return None if repeated and old is not None and old.answers_as(after) else after

        answers = [merge, notice.digest, dict(choice.categories), dict(choice.vendors)]
        return self._record_decision(before, transition, context, answers)

    def withdraw(self, before: Consent, category: str | None, context: ChoiceContext) -> Outcome:
        """Withdraw everything, or one category. Changes nothing if nothing of it is granted. Blocks.

        Raises:
            UnknownCategoryError: the policy has no such category.
            InvalidDecisionError: the category is required.
        """
        if category is not None:
            transitions.check(self._evaluator, Choice(categories={category: False}, vendors={}))
        now = int(self._clock())

        def transition(current: Consent) -> Decision | None:
            if not transitions.can_withdraw(current, category):
                return None
            return transitions.withdraw(self._evaluator, current, category, now)

        leads_to_record = before.decision is not None and bool(before.decision.subject)
        if transition(before) is None and not leads_to_record and not context.submission:
            return Outcome(consent=before)
        return self._record_decision(before, transition, context, ["withdraw", category], event="withdrawn")

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
        if newest is None or newest.status != ConsentStatus.GIVEN:
            return None
        decision = self._resolver.decision_of(newest)
        if decision is not None:
            before = self._evaluator.evaluate(decision, self._clock())
        else:
            # Under a notice that nobody here knows, only whose grant it is can be told.
            before = self._evaluator.unverifiable(
                answer(frozenset(), {}, self._evaluator.notice.digest, subject=subject)
            )
        context = ChoiceContext(surface="api", choice="withdraw", language=newest.language)
        return self.withdraw(before, None, context)

    def take_over(
        self,
        before: Consent,
        transition: Transition,
        context: ChoiceContext,
        imported: ImportedGrant | None,
    ) -> Outcome:
        """Record a decision that a hand-off brought from another site of the group. Blocks.

        Args:
            before: the visitor's consent on this site.
            transition: returns the decision that the hand-off brought, or None if the visitor's own is newer.
            context: where and how the visitor chose.
            imported: the other site's pseudonym, if the decision grants something.

        Raises:
            LedgerUnavailableError: the decision widens and cannot be recorded; nothing was changed.
            Exception: what `imported` raises inside the transaction; nothing was changed.
        """
        return self._record_decision(before, transition, context, None, event="imported", imported=imported)

    @measured
    def loaded_once(self, vendor: str, context: ChoiceContext) -> Record:
        """Record that a vendor's content was loaded once. Nothing is granted, and nothing leads to the visitor. Blocks.

        Raises:
            LedgerUnavailableError: the record cannot be stored, so the content must not be loaded.
        """
        evaluator, now = self._evaluator, int(self._clock())
        context = self._with_rendering(context)
        loaded = transitions.replace(Choice(categories={}, vendors={vendor: True}), evaluator.notice, now)
        before = evaluator.undecided(gpc=context.gpc)
        record = record_of(
            evaluator,
            before,
            loaded,
            before,
            context,
            record_id=str(uuid.uuid4()),
            subject="",
            event="loaded_once",
        )
        record = replace(record, status=ConsentStatus.UNKNOWN.value, expires_at=None)
        if self._anonymous.take():
            self._carry_out(Plan(work_out=lambda view: Entries((record,)), document=self._document(context)))
        else:
            self._count(record)
        return record

    @measured
    def _record_decision(
        self,
        before: Consent,
        transition: Transition,
        context: ChoiceContext,
        answers: Any,
        *,
        event: Event | None = None,
        imported: ImportedGrant | None = None,
    ) -> Outcome:
        """Work a decision out and store its record, then return what the response has to carry."""
        context = self._with_rendering(context)
        repeatable = bool(context.submission)
        record_id = (
            submission_id(context.submission, answers, self._id_key) if repeatable else str(uuid.uuid4())
        )
        plan = DecisionPlan(
            resolver=self._resolver,
            cookie=self._cookie,
            now=self._clock(),
            before=before,
            transition=transition,
            context=context,
            event=event,
            record_id=record_id,
            waiting=self._delivery.waiting(record_id) if repeatable and self._delivery else None,
            fresh=secrets.token_urlsafe(16),
            imported=imported,
        )
        if self._resolver.ledger is None:
            plan.work_out_offline()
            return plan.outcome
        outcome = self._outcome_without_ledger(plan)
        if outcome is not None:
            return outcome
        try:
            self._carry_out_decision(plan)
        except LedgerError as error:
            return self._queue(plan, error)
        self._hold_stored(plan)
        return plan.outcome

    def _hold_stored(self, plan: DecisionPlan) -> None:
        """Apply what was stored here at once, and what the ledger held, by which the visitor was answered."""
        outcome, now = plan.outcome, self._clock()
        for record in (plan.recorded, *outcome.echoes, outcome.record):
            if record is not None:
                made_here = record is outcome.record
                self._resolver.revocations.hold(record, now, stored=True, made_here=made_here)

    def _outcome_without_ledger(self, plan: DecisionPlan) -> Outcome | None:
        """Return the outcome of a decision that adds no record; None for one that does.

        Raises:
            LedgerUnavailableError: this process was sent more decisions than it takes.
        """
        context = plan.context
        if not plan.subject and plan.imported is None:
            # Nothing in the ledger concerns a visitor without a pseudonym, so what follows is known before asking it.
            record = plan.work_out_offline()
            if record is None and not (context.submission and plan.event == "withdrawn"):
                return plan.outcome
            if record is not None and record.subject is None and not self._anonymous.take():
                return self._counted(record, plan)
            plan.foreseen = record
        if plan.event != "withdrawn" and not self._decisions.take():
            raise LedgerUnavailableError(
                "This process takes no further decisions for a moment: there are too many."
            )
        return None

    def _carry_out_decision(self, plan: DecisionPlan) -> None:
        """Store a decision in the ledger, after what is missing here or there: notices, and records about the visitor."""
        while True:
            try:
                self._carry_out(
                    Plan(
                        work_out=self._webhooks.messages.telling(plan.work_out),
                        subjects=(plan.subject,) if plan.subject else (),
                        linked_to=plan.linked_to,
                        repeats=(plan.record_id,) if plan.context.submission else (),
                        document=self._document(plan.context),
                        adds_links=plan.imported is not None,
                    )
                )
                return
            except UnknownRecordNoticeError as unknown:
                plan.loaded.add(unknown.digest)
                self._resolver.load_notices_unless_known(unknown.digest, self._clock())
            except RecordsWaitError as missing:
                plan.delivered |= self._delivery.deliver_now(missing.records) if self._delivery else set()

    def _queue(self, plan: DecisionPlan, error: LedgerError) -> Outcome:
        """Queue the record of a decision that allows less, and return its outcome, although the ledger is out of reach.

        Raises:
            LedgerError: the decision allows more, or no further record may wait; nothing was changed.
        """
        record = plan.work_out_offline()
        outcome = plan.outcome
        if record is None:
            return outcome
        before = allowed_in(plan.before)
        narrows = record.ends_subject or allowed_in(outcome.consent) < before
        # The link between the pseudonyms of an imported grant would be missing, and with it every later withdrawal.
        may_wait = narrows and plan.imported is None
        if not may_wait or self._delivery is None:
            raise error
        if not self._delivery.put(record):
            if record.subject is not None:
                raise error
            return self._counted(record, plan)
        return replace(outcome, stored=False)

    def _counted(self, record: Record, plan: DecisionPlan) -> Outcome:
        """Count an anonymous decision instead of recording it, and return its outcome."""
        self._count(record)
        self.metrics.decided(record)
        return replace(plan.outcome, record=None)

    def _count(self, record: Record) -> None:
        self._counts.add(record)
        if self._counts.is_due:
            self.store_counts()

    def store_counts(self) -> None:
        """Store what was counted. Counts that the ledger does not take are kept. Blocks; never raises."""
        rows = self._counts.take()
        try:
            if rows and self._resolver.ledger is not None:
                self._resolver.ledger.add_counts(rows)
        except LedgerError:
            self._counts.put_back(rows)

    # The ledger

    def _carry_out(self, plan: Plan) -> None:
        if self._resolver.ledger is not None:
            with self._breaker.attempt():
                entries = self._resolver.ledger.carry_out(plan)
            if entries.messages:
                self._webhooks.wake()

    def _document(self, context: ChoiceContext) -> Document | None:
        """Return the notice that a choice was made under, with the words that this process sent."""
        notice = self._evaluator.notices[context.notice or self._evaluator.notice.digest]
        if notice.content is None:
            return None
        key = notice.digest, context.rendering
        known = self._documents.get(key)
        if known is None:
            known = document(notice.digest, dict(notice.content), self.renderings.sent(context.rendering))
            self._documents.add(key, known)
        return known

    def _with_rendering(self, context: ChoiceContext) -> ChoiceContext:
        """Return the context, without the id of its rendering unless such words were sent. May ask the ledger; blocks."""
        if not context.rendering:
            return context
        notice = context.notice or self._evaluator.notice.digest
        language = context.language or self._evaluator.policy.languages[0]
        # While the ledger takes no decisions, nobody waits for it here either.
        if not self._breaker.is_open:
            self.renderings.look_up_unless_known(context.rendering)
        return replace(context, rendering=self.renderings.find(context.rendering, notice, language))
