"""One visitor's decision, worked out on the newest record of the visitor's pseudonym, in the transaction that stores it.

A choice rests on what the browser's cookie says and on what this process has heard. Another process may have recorded a
withdrawal meanwhile. So the choice is applied once more to what the ledger holds at the moment of writing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from consentkit.consent import Consent, ConsentCookie, ConsentStatus, Decision, Evaluator, transitions
from consentkit.ledger import HOUR, Entries, Record, View
from consentkit.manager.choice import ChoiceContext, Outcome
from consentkit.manager.decision_record import Event, record_of
from consentkit.manager.difference import allowed_in
from consentkit.manager.newest import is_echo, newest_of
from consentkit.manager.propagation import echoes, stored_as
from consentkit.manager.record_ids import derived_id
from consentkit.manager.resolver import ConsentResolver

__all__ = [
    "DecisionPlan",
    "ImportedGrant",
    "RecordsWaitError",
    "Transition",
    "UnknownRecordNoticeError",
]

LONGEST_HANDOFF = 600
"""Seconds in which a hand-off comes to its end: more than a token lives, and than clocks differ."""

Transition = Callable[[Consent], Decision | None]
"""Returns the decision that follows a consent; None if the choice changes nothing."""


class UnknownRecordNoticeError(Exception):
    """Raised if the newest record is under a notice that this process must load first, outside the transaction."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__(digest)


class RecordsWaitError(Exception):
    """Raised if the ledger lacks records about the visitor that this process knows, and that must be stored first."""

    def __init__(self, records: tuple[Record, ...]) -> None:
        self.records = records
        super().__init__(", ".join(record.id for record in records))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedGrant:
    """What a hand-off brought along with a grant.

    Attributes:
        handle: the pseudonym in the hand-off's token, which stands for the visitor on the other site.
        check: raises if the newest records of the visitor on other sites take the grant back, or were erased meanwhile.
    """

    handle: str
    check: Callable[[list[Record], bool], None]


@dataclass(slots=True, kw_only=True)
class DecisionPlan:
    """One visitor's decision, until it is stored.

    Attributes:
        resolver, cookie: of the site.
        now: when the visitor chose, in seconds since the epoch.
        before: the visitor's consent as far as this process knows.
        transition: makes the next decision.
        context: where and how the visitor chose.
        event: the record's event; None if it follows from the decisions before and after.
        record_id: id of the record, the same each time that the plan is worked out.
        fresh: the pseudonym of a visitor who has none.
        imported: the other site's pseudonym, for a grant that a hand-off brought.
        loaded: digests of notices that the ledger was asked for.
        delivered: ids of the records that waited and were delivered before the plan.
        waiting: the record of the same submission, which waits for the ledger in this process; None if it is new here.
        foreseen: the record of a visitor about whom the ledger holds nothing, so that it is known before asking.
        is_online: whether the plan was last worked out on what the ledger holds.
        recorded: what counts in the ledger for the visitor's pseudonym, apart from the plan's own record; None without records.
        echoed: the moment of the visitor's answer here, if it took something back on a linked site.
        outcome: the result of the last working out.
    """

    resolver: ConsentResolver
    cookie: ConsentCookie
    now: float
    before: Consent
    transition: Transition
    context: ChoiceContext
    event: Event | None
    record_id: str
    fresh: str
    imported: ImportedGrant | None = None
    loaded: set[str] = field(default_factory=set)
    delivered: set[str] = field(default_factory=set)
    is_online: bool = True
    waiting: Record | None = None
    foreseen: Record | None = None
    recorded: Record | None = None
    echoed: tuple[int, int] | None = None
    outcome: Outcome = field(init=False)

    def __post_init__(self) -> None:
        """Start with a visitor for whom nothing has changed."""
        self.outcome = Outcome(consent=self.before)

    @property
    def subject(self) -> str:
        """The pseudonym that the visitor has; empty without one."""
        decision = self.before.decision
        return decision.subject if decision is not None else ""

    @property
    def linked_to(self) -> tuple[str, ...]:
        """The pseudonyms whose linked pseudonyms the plan asks for. One that is new cannot be linked."""
        handle = self.imported.handle if self.imported is not None else ""
        return tuple(subject for subject in (self.subject, handle) if subject)

    @property
    def _replaced(self) -> tuple[tuple[int, int], ...]:
        """The moments of the visitor's answers so far: the one that counts here, the cookie, those that wait here."""
        waiting = self.resolver.revocations.lacking(self.subject) if self.subject else ()
        answers = (*waiting, self.before.decision, self.context.replaces)
        return tuple(answer.moment for answer in answers if answer is not None)

    @property
    def _signed(self) -> Decision | None:
        """The decision in the browser's cookie, or what counts here where that is about another pseudonym.

        What this process makes of the cookie may be less than what its record proves, until the ledger has been asked.
        """
        sent = self.context.replaces
        return sent if sent is not None and sent.subject == self.subject else self.before.decision

    @property
    def _evaluator(self) -> Evaluator:
        return self.resolver.evaluator

    def work_out(self, view: View) -> Entries:
        """Return the record of the decision and its echoes, given what the ledger holds. Sets `outcome`.

        Raises:
            RecordsWaitError: the ledger lacks records about the visitor.
            UnknownRecordNoticeError: the newest record's notice has to be loaded first.
        """
        self.is_online = True
        subject = self.subject
        if self.foreseen is not None and (not self.context.submission or view.stored(self.record_id) is None):
            return Entries((self.foreseen,))
        if subject:
            self._check_nothing_waits(subject, view)
        tied = view.newest(subject) if subject else ()
        self.recorded = newest_of(tied, self._evaluator)
        repeated = (view.stored(self.record_id) or self.waiting) if self.context.submission else None
        own = repeated or next((record for record in tied if record.id == self.record_id), None)
        if own is not None:
            self.outcome = self._repeated(own, self._counting(own.subject, view))
            return Entries()
        newest = self._counting(subject, view)
        current = self.before
        if subject:
            current = self._unproven() if newest is None else self._on(newest)
        if self.imported is not None:
            self._prepare_import(self.imported, view)
        self.echoed = newest.moment if newest is not None and self._has_echo(newest, view) else None
        record = self._decide(current, newest)
        others = {other for known in self.linked_to for other in (known, *view.linked(known))}
        copies: tuple[Record, ...] = ()
        if record is not None and others:
            cause = record if record.subject else self._refusal_with_time(record)
            copies = tuple(echoes(cause, view, self._evaluator, others - {record.subject or self.subject}))
            self.outcome = replace(self.outcome, echoes=copies)
        links = self._links(self.imported, view) if self.imported is not None else ()
        return Entries((record, *copies) if record is not None else (), links)

    def _refusal_with_time(self, record: Record) -> Record:
        """Return the record of a refusal that leads to nobody, for its echoes: with its time, and no id that leads to it."""
        decision = self.outcome.consent.decision
        at, revision = decision.moment if decision is not None else (int(self.now), 0)
        echo_id = derived_id(self.fresh)
        return replace(record, id=echo_id, at=at, decided_at=at, changed_at=at, revision=revision)

    def _check_nothing_waits(self, subject: str, view: View) -> None:
        """Check that the ledger has all that this process knows about a pseudonym.

        Otherwise the visitor would read that the choice is stored, while other processes still honour an older cookie. Where
        the ledger has the end of the pseudonym, nothing that waits takes more back.
        """
        if any(record.ends_subject for record in view.newest(subject)):
            return
        known = (each for each in self.resolver.revocations.lacking(subject) if each.id not in self.delivered)
        missing = tuple(record for record in known if stored_as(record, view) is None)
        if missing:
            raise RecordsWaitError(missing)

    def _counting(self, subject: str | None, view: View) -> Record | None:
        """Return what counts for a pseudonym: its newest record in the ledger, with what only this process knows yet or still."""
        if not subject:
            return None
        newest = newest_of(view.newest(subject), self._evaluator)
        return self.resolver.revocations.counting(subject, newest)

    def _prepare_import(self, imported: ImportedGrant, view: View) -> None:
        """Check the visitor's newest records on other sites, and find the pseudonym that the visitor has here already.

        A visitor whose browser has lost this site's cookie gets the same pseudonym again, so that hand-offs without number
        do not add pseudonyms without number.
        """
        linked = view.linked(imported.handle)
        newest = [newest_of(view.newest(other), self._evaluator) for other in linked]
        found = [record for record in newest if record is not None]
        # Whoever issued the token has linked the pseudonym, so a link that is missing was erased.
        erased = not linked and view.erased_since(int(self.now) - LONGEST_HANDOFF)
        imported.check(found, erased)
        site = self._evaluator.site.id
        for record in found:
            if record.site == site and record.status == ConsentStatus.GIVEN and record.subject:
                self.fresh = record.subject

    def _has_echo(self, newest: Record, view: View) -> bool:
        """Return whether the answer here took something back elsewhere, which a hand-off must not bring back as a choice."""
        linked = view.linked(self.subject) if self.event == "imported" else ()
        return any(
            record.moment == newest.moment and is_echo(record) and record.site == newest.site
            for other in linked
            for record in view.newest(other)
        )

    def _links(self, imported: ImportedGrant, view: View) -> tuple[tuple[str, str, int], ...]:
        """Return the link between the visitor's pseudonym on this site and the other site's, if it is new."""
        decision = self.outcome.consent.decision
        own = decision.subject if decision is not None else ""
        if not own or own == imported.handle or own in view.linked(imported.handle):
            return ()
        return ((imported.handle, own, int(self.now)),)

    def work_out_offline(self) -> Record | None:
        """Return the record of the decision by what this process knows, for a ledger that does not answer. Sets `outcome`."""
        decision = self.before.decision
        newest, self.is_online = None, False
        if self.waiting is not None:
            subject = self.waiting.subject or ""
            newest, _ = self.resolver.revocations.newest(subject, self.waiting.changed_at, self.now)
            self.outcome = self._repeated(self.waiting, newest)
            return None
        if decision is not None and decision.subject:
            newest, _ = self.resolver.revocations.newest(decision.subject, decision.changed_at, self.now)
        return self._decide(self.before if newest is None else self._on(newest), newest)

    def _on(self, newest: Record) -> Consent:
        """Return the visitor's consent by the newest record.

        A record under a notice that the ledger does not have either grants nothing, but can still be withdrawn.

        Raises:
            UnknownRecordNoticeError: the record's notice has to be loaded first.
        """
        signed = self._signed
        if signed is None:
            return self.before
        if self._evaluator.known(newest.notice) is None:
            if self.is_online and newest.notice not in self.loaded:
                raise UnknownRecordNoticeError(newest.notice)
            return self._unproven()
        if newest.moment == signed.moment and self.resolver.decision_of(newest) == signed:
            proven = self._evaluator.evaluate(signed, self.now, gpc=self.before.gpc)
            return self.before if allowed_in(self.before) == allowed_in(proven) else proven
        consent, _ = self.resolver.reconcile(signed, newest, self.now, gpc=self.before.gpc)
        return consent

    def _unproven(self) -> Consent:
        """Return the consent of a visitor whose grant cannot be proved. It grants nothing, but can still be withdrawn."""
        if (signed := self.before.decision) is None:
            return self.before
        return self._evaluator.unverifiable(signed, gpc=self.before.gpc, now=self.now)

    def _decide(self, current: Consent, newest: Record | None) -> Record | None:
        """Return the record of the decision that follows a consent, or None if nothing changes. Sets `outcome`."""
        after = self.transition(current)
        if after is not None and after.moment == self.echoed:
            after = None
        if after is None and self._is_doubtful(current, newest):
            after = self._confirmed(current)
        if after is None:
            self.outcome = self._unchanged(current)
            return None
        evaluator = self._evaluator
        after, ended = self._with_subject(current, after, newest)
        # A choice that a hand-off brought is later than the local one, or of the same moment and narrower.
        after = transitions.following(
            after, *self._replaced, *([newest.moment] if newest is not None else [])
        )
        consent = evaluator.evaluate(after, self.now, gpc=self.context.gpc)
        # The last record of a pseudonym is about the decision that ends it.
        record = record_of(
            evaluator,
            current,
            after,
            consent,
            self.context,
            record_id=self.record_id,
            subject=ended or after.subject,
            event=self.event,
        )
        self.outcome = Outcome(
            consent=consent,
            record=record,
            reference=record.subject if self.event == "withdrawn" else None,
            cookies=tuple(self.cookie.set_cookie(after, consent)),
            narrowed=bool(allowed_in(self.before) - allowed_in(consent)),
        )
        return record

    def _is_doubtful(self, current: Consent, newest: Record | None) -> bool:
        """Return whether the visitor's consent is less than the ledger's record of it allows.

        It is what that record allows together with a cookie whose own record waits in another process, or with a record that a
        restored ledger has lost. A choice that seems to change nothing must be recorded nevertheless, or what only others know
        would bring back what the visitor has just taken back. The same holds if nothing is left, and no record has ended the
        pseudonym.
        """
        decision = current.decision
        known = self.recorded if self.is_online else newest
        if decision is None or not decision.subject or known is None:
            return False
        recorded = self.resolver.decision_of(known)
        is_over = not self._evaluator.grants(decision)
        return is_over or recorded is None or not recorded.answers_as(replace(decision, kind=recorded.kind))

    def _confirmed(self, current: Consent) -> Decision | None:
        """Return the decision of a consent as one that the visitor makes now; None without one."""
        decision = current.decision
        if decision is None:
            return None
        if self.event == "withdrawn" and not self._evaluator.grants(decision):
            decision = replace(decision, kind="withdrawn")
        return replace(decision, changed_at=max(int(self.now), decision.changed_at))

    def _with_subject(self, current: Consent, after: Decision, newest: Record | None) -> tuple[Decision, str]:
        """Return the decision with its pseudonym, and the pseudonym that it ends.

        A pseudonym without any record is not used again: the record that is missing may have ended it.
        """
        after, ended = transitions.with_subject(self._evaluator, current, after, self.fresh)
        if self.subject and newest is None and after.subject == self.subject and self.is_online:
            after = replace(after, subject=self.fresh)
        # Whether the ledger still has the end of the pseudonym is not known before it answers.
        if not (ended or after.subject or self.is_online):
            ended = self.subject
        return after, ended

    def _unchanged(self, current: Consent) -> Outcome:
        """Return the outcome of a choice that changes nothing. A browser that did not know the newest record gets its cookie."""
        cookies: list[str] = []
        before, decision = self.before.decision, current.decision
        if before is not None and decision is not None:
            is_narrower = transitions.is_within(self._evaluator, decision, before)
            cookies = self.cookie.set_cookie(decision) if is_narrower and decision != before else []
        narrowed = bool(cookies) and bool(allowed_in(self.before) - allowed_in(current))
        return Outcome(consent=current, cookies=tuple(cookies), narrowed=narrowed)

    def _repeated(self, own: Record, newest: Record | None) -> Outcome:
        """Return the outcome of a submission that was recorded before: the same again, unless the visitor has decided since.

        `newest` is what counts by now for the pseudonym of its record.
        """
        decision = self.resolver.decision_of(own)
        if decision is None:
            return Outcome(consent=self.before)
        expected = self.transition(self.before)
        if expected is not None and replace(decision, kind=expected.kind).answers_as(expected):
            decision = replace(decision, kind=expected.kind)
        if own.subject is None:
            decision = self._timed(decision)
        if newest is not None and _answer_of(newest) != _answer_of(own):
            since = self.resolver.decision_of(newest)
            return Outcome(consent=self._evaluator.evaluate(since, self.now, gpc=self.before.gpc))
        return Outcome(
            consent=self._evaluator.evaluate(decision, self.now, gpc=self.before.gpc),
            reference=own.subject if self.event == "withdrawn" else None,
            cookies=tuple(self.cookie.set_cookie(decision)),
            narrowed=self.event == "withdrawn",
        )

    def _timed(self, decision: Decision) -> Decision:
        """Return the decision of a record without a pseudonym with a time for the cookie: now, within the record's hour.

        The record has the hour only. A cookie with that time could lose to an older grant that a hand-off brings.
        """
        at = min(int(self.now), decision.changed_at + HOUR - 1)
        timed = replace(decision, decided_at=at, changed_at=at)
        return transitions.following(timed, *self._replaced)


def _answer_of(record: Record) -> tuple[object, ...]:
    return record.id, record.moment, record.categories, record.vendors
