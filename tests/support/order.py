"""Workers of two sites over one ledger, whose clocks, connections and processes fail, and what their visitors answered.

`World` runs the real library. `Truth` knows nothing of it apart from the format of cookies: it keeps the answers that
visitors were given a 200 for, and works out from these alone what a worker may still grant.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import Engine, delete, func, select, text

from consentkit import ConsentManager, Ledger
from consentkit.consent import SKEW, Choice, Consent, transitions
from consentkit.errors import LedgerError, LedgerUnavailableError
from consentkit.handoff import Handoff, HandoffRefusal, Transaction
from consentkit.ledger import Entries, Plan, Record, tables
from consentkit.manager import ChoiceContext, Outcome
from consentkit.manager.record_ids import late_id
from consentkit.web.request_consent import Choose, RequestConsent, manager_of
from consentkit.web.request_head import RequestHead
from tests.support.family import COOKIE, KEY, PAIRS, a_policy

START = 1_788_177_600
"""31 August 2026, noon UTC."""
POLICY = a_policy("stride", "trailhead")
VENDOR_CATEGORY = {vendor.id: vendor.category for vendor in POLICY.vendors}
CATEGORIES = tuple(category.id for category in POLICY.consent_needed)
SPOOL_THREAD = "consentkit-spool"
MAX_STALE = 3600
"""Seconds for which a grant counts that a process has never checked, by default."""
NOTHING: frozenset[str] = frozenset()

Allowed = frozenset[str]
"""Ids of categories, and of vendors with a `~`."""


def allowed_by(granted: Iterable[str], vendors: dict[str, bool]) -> Allowed:
    """Return what is allowed by granted categories, and by vendors that differ from their category."""
    categories = frozenset(granted)
    on = {
        vendor for vendor, category in VENDOR_CATEGORY.items() if vendors.get(vendor, category in categories)
    }
    return categories | {f"~{vendor}" for vendor in on}


def allowed_in(consent: Consent) -> Allowed:
    """Return what a consent allows of what needs consent."""
    return frozenset(category for category in CATEGORIES if consent.categories[category]) | {
        f"~{vendor}" for vendor, allowed in consent.vendors.items() if allowed
    }


EVERYTHING = allowed_by(CATEGORIES, {})


# The truth


@dataclass(eq=False, kw_only=True)
class Answer:
    """What a visitor answered and was told to be recorded.

    Attributes:
        subject: the pseudonym that the answer is about; empty if it is about none.
        moment: by which it is ordered among answers that know nothing of each other.
        allowed: what it leaves on.
        is_full: whether it answered everything, or only a part.
        on: what it turned on itself.
        off: what it turned off, of what the visitor's cookie had on.
        record_id: of its record; None if the ledger had it already.
        is_import: whether a hand-off brought it.
        at: when it was given, in steps of the world.
        stored_at: the step after which its record was in the ledger, or None.
        is_lost: whether its record was in the ledger, and went with a restored copy.
    """

    subject: str
    moment: tuple[int, int]
    allowed: Allowed
    is_full: bool
    on: Allowed
    off: Allowed
    record_id: str | None
    is_import: bool = False
    at: int = 0
    stored_at: int | None = None
    is_lost: bool = False

    @property
    def ends(self) -> bool:
        """Whether nothing is left on."""
        return not self.allowed

    def is_in(self, record: Record) -> bool:
        """Return whether a record holds this answer.

        Two processes may have answered one submission: alike, or differently, under one id or the later one with its own.
        """
        if self.record_id is None or record.id not in (self.record_id, late_id(self.record_id)):
            return False
        granted = (category for category, is_on in record.categories.items() if is_on)
        is_alike = self.ends or allowed_by(granted, record.vendors) == self.allowed
        return record.ends_subject == self.ends and is_alike


@dataclass(frozen=True, kw_only=True)
class Cookie:
    """A consent cookie that was sent to a browser once."""

    site: str
    raw: bytes
    subject: str
    moment: tuple[int, int]
    allowed: Allowed
    answer: Answer | None = None


def left_by(answers: Iterable[Answer], cookie: Cookie | None = None) -> Allowed | None:
    """Return what answers about one pseudonym leave on, and a cookie of it; None without any.

    An answer that leaves nothing ends the pseudonym. Otherwise they are applied by time: a full answer replaces what was
    before, and a part changes only what it mentions. Of two answers of one moment counts what both leave.
    """
    known = list(answers)
    if any(answer.ends for answer in known):
        return NOTHING
    steps = [(answer.moment, answer.allowed, answer.is_full, answer.on) for answer in known]
    if cookie is not None and cookie.answer not in known:
        of = cookie.answer
        is_full, on = (of.is_full, of.on) if of is not None else (False, NOTHING)
        steps.append((cookie.moment, cookie.allowed, is_full, on))
    left: Allowed | None = None
    for moment in sorted({step[0] for step in steps}):
        tied = [step[1:] for step in steps if step[0] == moment]
        # What one of them turned on, and the other one allows as well, is what both allow.
        turned_on = NOTHING.union(*(on for _, _, on in tied))
        after = [
            allowed if is_full or left is None else allowed & (left | turned_on)
            for allowed, is_full, _ in tied
        ]
        left = frozenset.intersection(*after)
    return left


def as_stored(known: set[Answer], about: Iterable[Answer]) -> list[set[Answer]]:
    """Return what a process may know that knows some answers and has read the ledger, by when it has read it."""
    stored = {answer: answer.stored_at for answer in about if answer.stored_at is not None}
    return [
        known | {answer for answer, at in stored.items() if at <= step} for step in sorted({*stored.values()})
    ]


def taken_from(own: Iterable[Answer], elsewhere: Iterable[Answer]) -> Allowed:
    """Return what answers on linked sites took back, and none of a pseudonym's own that is later turned on.

    Of one moment counts the one that was really given later.
    """
    turned_on = [(item, answer.moment, answer.at) for answer in own for item in answer.on]
    return frozenset(
        item
        for answer in elsewhere
        for item in (EVERYTHING if answer.ends else answer.off)
        if not any(item == on and (moment, at) > (answer.moment, answer.at) for on, moment, at in turned_on)
    )


@dataclass(eq=False)
class Link:
    """Two pseudonyms of one visitor that a hand-off joined, and the step after which the ledger knew."""

    first: str
    second: str
    at: int

    def other(self, subject: str) -> str | None:
        """Return the pseudonym at the other end; None if the link is not about this one."""
        return {self.first: self.second, self.second: self.first}.get(subject)


@dataclass
class Truth:
    """The answers of all visitors by pseudonym, and the links between pseudonyms.

    Attributes:
        answers: by pseudonym, in the order in which they were given.
        links: that hand-offs made.
        heirs: an ended pseudonym and the one that the same browser got after it. The ledger knows of no such link.
    """

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    heirs: list[Link] = field(default_factory=list)

    def about(self, subject: str) -> list[Answer]:
        """Return the answers about a pseudonym."""
        return self.answers.get(subject, []) if subject else []

    def add(self, answer: Answer) -> None:
        """Add an answer."""
        if answer.subject:
            self.answers.setdefault(answer.subject, []).append(answer)

    def has_ended(self, subject: str, records: Iterable[Record]) -> bool:
        """Return whether an answer ended a pseudonym, or whether nothing is left by several that did not know of each other.

        Some of those may be about linked pseudonyms. The process that delivers the last one finds that out, and adds a record
        that ends the pseudonym.
        """
        about = self.about(subject)
        ends = [record.moment for record in records if record.subject == subject and record.ends_subject]
        return any(answer.ends for answer in about) or any(
            self._is_nothing_left([answer for answer in about if answer.moment <= end], subject)
            for end in ends
        )

    def _is_nothing_left(self, own: list[Answer], subject: str) -> bool:
        """Return whether answers about a pseudonym leave nothing, together with those about linked ones."""
        taken = taken_from(own, self._elsewhere(subject))
        gone = taken | {f"~{vendor}" for vendor, category in VENDOR_CATEGORY.items() if category in taken}
        left = left_by(own)
        return left is not None and left <= gone

    def _elsewhere(self, subject: str) -> list[Answer]:
        """Return the visitor's own answers about linked pseudonyms."""
        others = (link.other(subject) for link in self.links)
        return [answer for other in others if other for answer in self.about(other) if not answer.is_import]

    def on_linked(self, subject: str) -> list[Answer]:
        """Return the answers about linked pseudonyms that the ledger took in after the link."""
        return [
            answer
            for link in self.links
            if (other := link.other(subject)) is not None
            for answer in self.about(other)
            if not answer.is_import and answer.stored_at is not None and answer.stored_at > link.at
        ]

    def taken_back(self, subject: str, elsewhere: Iterable[Answer]) -> Allowed:
        """Return what answers on linked sites took back from a pseudonym, and no later answer here turned on."""
        return taken_from(self.about(subject), elsewhere)


# The real thing


class CutLedger(Ledger):
    """The real ledger over a connection that a test cuts.

    Attributes:
        cut: empty while everything works; else "writes" or "all".
        is_dead: whether the process has died that used it.
        delivers: whether the spool's thread may deliver now.
        dies_after_delivery: whether the process dies before it knows that a delivery succeeded.
        read: what was read so far: the subject of a look-up, None for a poll.
    """

    def __init__(self, world: "World") -> None:
        super().__init__(world.engine, lock_timeout=30)
        self.world = world
        self.cut = ""
        self.is_dead = self.delivers = self.dies_after_delivery = False
        self.died = threading.Event()
        self.read: list[str | None] = []

    def _reach(self, *, writing: bool = False) -> None:
        if self.is_dead or self.cut == "all" or (writing and self.cut):
            raise LedgerUnavailableError("The connection is cut.")

    def carry_out(self, plan: Plan) -> Entries:
        self._reach(writing=True)
        is_delivery = threading.current_thread().name == SPOOL_THREAD
        if is_delivery and not self.delivers:
            raise LedgerUnavailableError("The spool has to wait.")
        entries = super().carry_out(plan)
        self.world.is_read = False
        if is_delivery and self.dies_after_delivery:
            self.is_dead = True
            self.died.set()
            self._reach()
        return entries

    def newest_of(self, subjects: Sequence[str]) -> dict[str, tuple[Record, ...]]:
        self._reach()
        found = super().newest_of(subjects)
        self.read += subjects
        return found

    def changes(self, cursor: int | None) -> tuple[tuple[Record, ...], int]:
        self._reach()
        found = super().changes(cursor)
        self.read.append(None)
        return found

    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        self._reach()
        return super().notices()

    def linked(self, subject: str) -> set[str]:
        self._reach()
        return super().linked(subject)

    def link(self, from_subject: str, to_subject: str, at: int) -> None:
        self._reach(writing=True)
        super().link(from_subject, to_subject, at)

    def use_once(self, token_id: str, expires_at: int) -> bool:
        self._reach(writing=True)
        return super().use_once(token_id, expires_at)


@dataclass
class Worker:
    """One process of a site, with its own clock and its own connection to the ledger.

    Attributes:
        known: the answers that it cannot be ignorant of.
        elsewhere: by pseudonym, the same for answers about linked pseudonyms.
        seen: the pseudonyms that it has looked up, or decided about.
    """

    world: "World"
    site: str
    spool: Path
    skew: int
    known: set[Answer] = field(default_factory=set)
    elsewhere: dict[str, set[Answer]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.start()

    def clock(self) -> float:
        return self.world.now + self.skew

    def start(self) -> None:
        """Start the process. Of what was before it knows what waits in its spool."""
        self.ledger = CutLedger(self.world)
        self.manager = ConsentManager(
            POLICY,
            secret_key=KEY,
            ledger=self.ledger,
            site=self.site,
            private_key=PAIRS[self.site][0],
            clock=self.clock,
            spool=self.spool,
        )
        self.manager.on_change(lambda record: self.world.announced.update([record.id]))
        self.handoff = Handoff(self.manager)
        # A refusal that is no longer about the pseudonym tells the process nothing.
        waiting = [record for record in self.waiting() if record.subject]
        answers = self.world.truth.answers.values()
        self.known = {answer for about in answers for answer in about if any(map(answer.is_in, waiting))}
        self.elsewhere, self.seen = {}, set()

    def connect(self, cut: str = "") -> None:
        """Cut the connection to the ledger, or restore it and wait until the process has noticed."""
        was_cut, self.ledger.cut = self.ledger.cut, cut
        if was_cut and not cut:
            self.await_answer()

    def await_answer(self) -> None:
        """Wait until the ledger answers look-ups, which a process finds out by itself."""
        until = time.monotonic() + 30
        while self.manager.revocations.health(self.clock())["state"] == "no answer":
            assert time.monotonic() < until, "the ledger does not answer"
            threading.Event().wait(0.002)

    def waiting(self) -> tuple[Record, ...]:
        """Return the records that this process has to deliver."""
        spool = self.manager._parts.delivery._spool
        assert spool is not None
        return spool.pending()

    def deliver(self) -> None:
        """Deliver what waits, if the ledger can be reached."""
        spool = self.manager._parts.delivery._spool
        assert spool is not None
        if self.ledger.cut or not spool.pending():
            return
        self.ledger.delivers = True
        assert spool.flush(60), "the spool did not deliver"
        # The listeners are called after the last record has left the spool.
        if (thread := spool._thread) is not None:
            thread.join(60)
        self.ledger.delivers = False

    def stop(self, *, after_delivery: bool = False) -> None:
        """Kill the process, at once or in the middle of a delivery: after the ledger has the record, before its file is gone."""
        spool = self.manager._parts.delivery._spool
        assert spool is not None
        if after_delivery and spool.pending() and not self.ledger.cut:
            self.ledger.dies_after_delivery = self.ledger.delivers = True
            spool._retry_now.set()
            assert self.ledger.died.wait(60), "the spool did not deliver"
        self.ledger.is_dead = True
        self.manager.close()
        self.ledger.close()

    # Requests, as the web layer makes them

    def request(self, *values: bytes) -> RequestConsent:
        """Begin a request with cookies, and look up what is due."""
        manager, now = self.manager, self.clock()
        head = RequestHead("POST", "/", [(b"cookie", b"; ".join(COOKIE.encode() + b"=" + v for v in values))])
        token = manager.cookie.newest(values, now)
        permissions = manager.resolver.permissions(token, now) if token is not None else None
        if token is not None and permissions is None and manager.resolver.needs_lookup(token, now):
            already = len(self.ledger.read)
            manager.revocations.refresh(token.subject, now, moment=token.moment)
            for subject in self.ledger.read[already:]:
                # A poll tells nothing about visitors whom this process has not looked up. Their requests do that.
                polled = self.seen & set(manager.revocations.known)
                self.learn([subject] if subject else polled)
            permissions = None
        return RequestConsent(manager, head, token, True, permissions)

    def learn(self, subjects: Iterable[str]) -> None:
        """Take in what the ledger has about pseudonyms."""
        self.world.look_into_ledger()
        for subject in subjects:
            self.seen.add(subject)
            about = self.world.truth.about(subject)
            stored = {answer for answer in about if answer.stored_at is not None}
            self.known |= stored
            if not self.world.was_restored:
                self.elsewhere.setdefault(subject, set()).update(self.world.truth.on_linked(subject))

    def grants(self, *values: bytes) -> Allowed:
        """Return what cookies allow here by what is known, without asking the ledger."""
        now = self.clock()
        token = self.manager.cookie.newest(values, now)
        if token is None:
            return NOTHING
        permissions = self.manager.resolver.permissions(token, now)
        consent, _ = self.manager.resolver.resolve(token, now)
        cached = self.manager.resolver.permissions(token, now)
        for quick in (permissions, cached):
            assert quick is None or allowed_in(quick) == allowed_in(consent), "the fast path differs"
        return allowed_in(consent)

    def check(self, cookie: Cookie) -> None:
        """Check that a cookie grants nothing here that this process knows to be taken back."""
        granted = self.grants(cookie.raw)
        if not granted:
            return
        truth = self.world.truth
        about = truth.about(cookie.subject)
        is_checked = cookie.subject in self.seen or cookie.subject in self.ledger.read
        last = max([cookie.moment, *(answer.moment for answer in about)])[0]
        assert is_checked or self.clock() - last <= MAX_STALE, "a grant counts that was never checked"
        known = [answer for answer in about if answer in self.known]
        left = left_by(known, cookie) or NOTHING
        if not granted <= left:
            latest = max([cookie.moment, *(answer.moment for answer in known)])
            newer = [answer for answer in about if answer not in self.known and answer.moment > latest]
            ended = any(answer.ends for answer in known)
            assert not ended, f"an ended pseudonym grants {sorted(granted)}"
            # Polls and deliveries in the background may have read more than this process has to know, at any time so far.
            parts = [set(known), *as_stored(set(known), about)]
            # A later record replaces a cookie. What else the cookie's own record takes back comes out once it is known.
            later = any(
                any(answer.moment > cookie.moment for answer in part)
                and granted <= (left_by(part) or NOTHING)
                for part in parts
            )
            assert (
                later
                or any(granted <= (left_by(part, cookie) or NOTHING) for part in parts)
                or any(granted <= (left_by([*known, answer], cookie) or NOTHING) for answer in newer)
            ), f"{sorted(granted - left)} was turned off"
        taken = truth.taken_back(cookie.subject, self.elsewhere.get(cookie.subject, ()))
        assert not granted & taken, f"{sorted(granted & taken)} was withdrawn on a linked site"


@dataclass
class World:
    """Everything that the machine moves. `now` is the time of a clock that is right, in seconds since the epoch."""

    engine: Engine
    folder: Path
    truth: Truth = field(default_factory=Truth)
    now: float = START
    step: int = 0
    workers: list[Worker] = field(default_factory=list)
    cookies: list[Cookie] = field(default_factory=list)
    announced: Counter[str] = field(default_factory=Counter)
    records: list[Record] = field(default_factory=list)
    was_restored: bool = False
    was_killed: bool = False
    kept: dict[str, int] | None = None
    is_read: bool = False

    def __post_init__(self) -> None:
        self._inspector = Ledger(self.engine, lock_timeout=30)

    def look_into_ledger(self) -> None:
        """Read which records are stored, unless nothing was written after the last time."""
        if self.is_read:
            return
        self.is_read = True
        self.records = list(self._inspector.records())
        for about in self.truth.answers.values():
            for answer in about:
                if answer.record_id is None:
                    continue
                is_stored = any(map(answer.is_in, self.records))
                if (answer.stored_at is not None) == is_stored:
                    continue
                answer.is_lost = answer.stored_at is not None
                answer.stored_at = self.step if answer.stored_at is None else None

    def keep_copy(self) -> None:
        """Keep a copy of the ledger as it is now."""
        self.kept = self._ends()

    def _ends(self) -> dict[str, int]:
        with self.engine.begin() as connection:
            return {
                table.name: connection.execute(select(func.coalesce(func.max(table.c.seq), 0))).scalar_one()
                for table in (tables.records, tables.links)
            }

    def restore_copy(self) -> None:
        """Go back to the copy; without one, to an empty ledger."""
        self.look_into_ledger()
        cut_back(self.engine, self.kept or {})
        self.was_restored, self.is_read = True, False
        self.look_into_ledger()

    def close(self) -> None:
        """Stop all processes."""
        for worker in self.workers:
            worker.stop()
        self._inspector.close()

    # What visitors do

    def visit(self, worker: Worker, *sent: Cookie) -> Cookie | None:
        """Open a page, and return the cookie that it sets."""
        consent = worker.request(*(cookie.raw for cookie in sent))
        current = consent._current()
        if len(sent) == 1:
            missing = self._must_count(worker, sent[0]) - allowed_in(current)
            assert not missing, f"{sorted(missing)} does not count that was just answered"
        if not consent._outdated or current.decision is None:
            return None
        line = worker.manager.cookie.set_cookie(current.decision)[0]
        cookie = self._cookie(worker, line, None)
        # A server does not read an answer that is more than a minute ahead of its clock.
        read = [one for one in sent if one.moment[0] <= worker.clock() + SKEW]
        broadest = max(read, key=lambda one: (one.moment, -len(one.allowed)))
        assert cookie.allowed <= broadest.allowed, "a page widens a cookie"
        assert cookie.subject in ("", broadest.subject), "a page changes the pseudonym"
        return cookie

    def _must_count(self, worker: Worker, sent: Cookie) -> Allowed:
        """Return what a visitor's latest answer has to count for, wherever it was given; nothing while something is under way."""
        subject, about = sent.subject, self.truth.about(sent.subject)
        is_under_way = (
            any(answer.stored_at is None for answer in about)
            or any(link.other(subject) is not None for link in self.truth.links)
            or any(record.subject == subject for each in self.workers for record in each.waiting())
        )
        # What answers that did not know of each other leave together, the library may see more narrowly than the visitor.
        is_joint = any(
            record.subject == subject and not any(answer.is_in(record) for answer in about)
            for record in self.records
        )
        is_latest = sent.answer in about and all(answer.moment <= sent.moment for answer in about)
        is_readable = sent.moment[0] <= worker.clock() + SKEW
        if worker.ledger.cut or self.was_restored or is_under_way or is_joint:
            return NOTHING
        if not is_latest or not is_readable:
            return NOTHING
        return left_by(about) or NOTHING

    def _cookie(self, worker: Worker, line: str, answer: Answer | None) -> Cookie:
        raw = line.partition("=")[2].partition(";")[0].encode()
        token = worker.manager.cookie.verify(raw)
        assert token is not None
        decision = token.decision
        allowed = allowed_by(decision.granted, dict(decision.vendors))
        cookie = Cookie(
            site=worker.site,
            raw=raw,
            subject=decision.subject,
            moment=decision.moment,
            allowed=allowed,
            answer=answer,
        )
        if cookie.subject and all(cookie.raw != known.raw for known in self.cookies):
            self.cookies.append(cookie)
        return cookie

    def answer(self, worker: Worker, sent: Cookie | None, choice: "Submission") -> Cookie | None:
        """Send a choice with a cookie, check the response, and return the cookie that it sets; None without one."""
        consent = worker.request(*([sent.raw] if sent is not None else []))
        subject = sent.subject if sent is not None else ""
        known = worker.known.intersection(self.truth.about(subject))
        stored = {answer for answer in self.truth.about(subject) if answer.stored_at is not None}
        # Without the ledger it knows what polls in the background have read before, which is all or only a part.
        base = left_by(known | stored, sent) or NOTHING
        if worker.ledger.cut:
            base |= left_by(known, sent) or NOTHING
            base |= self._left_by_a_part(known, stored, sent)
        else:
            known |= stored
        # A later record replaces the cookie. What its own record takes back comes out once that has been delivered.
        for part in (stored, known):
            if sent is not None and any(answer.moment > sent.moment for answer in part):
                base |= left_by(part) or NOTHING
        if not worker.ledger.cut and not self.was_restored:
            base -= self.truth.taken_back(subject, self.truth.on_linked(subject))
        kept = self._must_count(worker, sent) if sent is not None and not choice.is_full else NOTHING
        try:
            outcome = consent._apply(choice.from_page(consent))
        except LedgerError:
            assert worker.ledger.cut, "a ledger that can be reached refuses"
            assert not choice.narrows_all or not subject, "a withdrawal is refused"
            return None
        consent._announce()
        if outcome.stored and not worker.ledger.cut:
            # The choice was worked out on what the ledger holds, so the process knows that as well.
            worker.known |= known
            worker.seen |= {subject} & set(worker.manager.revocations.known)
        self._check_response(choice, outcome, base)
        lost = {item for item in kept - allowed_in(outcome.consent) if not choice.may_turn_off(item)}
        assert not lost or choice.is_sent, f"a partial answer loses {sorted(lost)}"
        answer = self._take_in(worker, choice, sent, outcome)
        if choice.narrows_all and subject and outcome.stored and not worker.ledger.cut:
            self._check_ended_in_ledger(subject)
        if answer is not None and not choice.is_sent:
            self._check_order(answer, known)
        choice.is_sent = True
        if not outcome.cookies:
            return None
        cookie = self._cookie(worker, outcome.cookies[0], answer)
        assert cookie.allowed <= allowed_in(outcome.consent), "a cookie allows more than the response says"
        if (
            outcome.stored
            and not self.was_restored
            and cookie.subject
            and subject
            and cookie.subject != subject
        ):
            assert self._is_over(subject), "a second pseudonym while the first is in force"
        return cookie

    @staticmethod
    def _left_by_a_part(known: set[Answer], stored: set[Answer], sent: Cookie | None) -> Allowed:
        """Return what is left where a process has read the ledger in the background, at any time so far."""
        left = NOTHING
        for part in as_stored(known, stored):
            left |= left_by(part, sent) or NOTHING
            if sent is not None and any(answer.moment > sent.moment for answer in part):
                left |= left_by(part) or NOTHING
        return left

    def _is_over(self, subject: str) -> bool:
        """Return whether a pseudonym has ended: by an answer about it, or by a record that the library made from others.

        What waited may have been stored right before the answer of this step, and may have left nothing.
        """
        records = list(self._inspector.records())
        ended = any(record.subject == subject and record.ends_subject for record in records)
        return ended or self.truth.has_ended(subject, records)

    def _check_ended_in_ledger(self, subject: str) -> None:
        """Check that every process can learn that a pseudonym has ended, now that the visitor was told so."""
        self.look_into_ledger()
        about = [record for record in self.records if record.subject == subject]
        is_over = not about or any(record.ends_subject for record in about)
        assert is_over, "a refusal is stored, but the ledger does not know that the pseudonym has ended"

    def _check_response(self, choice: "Submission", outcome: Outcome, base: Allowed) -> None:
        allowed = allowed_in(outcome.consent)
        if choice.is_sent:
            return
        if choice.is_full:
            assert allowed == choice.on, "a full answer is not what counts"
        else:
            assert allowed <= base | choice.on, (
                f"a partial answer brings {sorted(allowed - base - choice.on)} back"
            )
            assert not allowed & choice.off, "a partial answer leaves on what it turns off"

    def _take_in(
        self, worker: Worker, choice: "Submission", sent: Cookie | None, outcome: Outcome
    ) -> Answer | None:
        """Add what a visitor answered to the truth. A submission that is sent again is the same answer."""
        record, allowed = outcome.record, allowed_in(outcome.consent)
        if choice.is_sent:
            repeated = choice.answer
            # Another process may answer the same submission otherwise, because it knows more or less about the visitor.
            is_same = repeated is not None and allowed == repeated.allowed
            if is_same and repeated is not None and record is not None and record.subject is not None:
                is_same = record.moment == repeated.moment
            if record is None or (is_same and repeated is not None and record.id == repeated.record_id):
                if is_same and repeated is not None:
                    worker.known.add(repeated)
                return repeated if is_same or repeated is None else None
        decision = outcome.consent.decision
        subject = decision.subject if decision is not None and allowed else ""
        if record is None and not choice.narrows_all:
            return None
        on = choice.on
        moment = record.moment if record is not None else (int(worker.clock()), 0)
        if record is not None and record.subject is None and decision is not None:
            # Such a record has the hour only. What browsers and sites compare is the moment in the cookie.
            moment = decision.moment
            if sent is not None and sent.subject and not self.was_restored:
                assert self._is_over(sent.subject), "a refusal does not end the pseudonym"
        answer = Answer(
            subject=subject or (sent.subject if sent is not None else ""),
            moment=moment,
            allowed=allowed,
            is_full=choice.is_full,
            on=on,
            off=((sent.allowed - allowed) if choice.is_full else (sent.allowed & choice.off))
            if sent
            else NOTHING,
            record_id=record.id if record is not None else None,
            at=self.step,
        )
        self._learn_own(worker, sent, answer, outcome)
        choice.answer = answer
        return answer

    def _learn_own(self, worker: Worker, sent: Cookie | None, answer: Answer, outcome: Outcome) -> None:
        self.truth.add(answer)
        if sent is not None and sent.subject and answer.subject not in ("", sent.subject):
            self.truth.heirs.append(Link(sent.subject, answer.subject, self.step))
        if answer.subject:
            worker.known.add(answer)
            worker.seen.add(answer.subject)
        if outcome.record is not None and not outcome.stored:
            waiting = {record.id for record in worker.waiting()}
            assert outcome.record.id in waiting, "an answer is lost"

    def _check_order(self, answer: Answer, known: Iterable[Answer]) -> None:
        """Check that an answer comes after those that it rests on, whatever the clock says."""
        known = list(known)
        # An end counts whatever its time: after another end, and where a restored ledger lacks what it rests on.
        is_moot = answer.ends and (self.was_restored or any(earlier.ends for earlier in known))
        if answer.record_id is None or is_moot:
            return
        for earlier in known:
            if not earlier.ends and earlier.subject == answer.subject:
                assert answer.moment > earlier.moment, "an answer counts before one that it rests on"

    def serve_customer(self, worker: Worker, subject: str) -> None:
        """Withdraw for a visitor who writes to customer service."""
        try:
            record = worker.manager.withdraw_subject(subject)
        except LedgerUnavailableError:
            assert worker.ledger.cut, "a ledger that can be reached refuses"
            return
        if record is None:
            return
        is_stored = record.id not in {waiting.id for waiting in worker.waiting()}
        answer = Answer(
            subject=subject,
            moment=record.moment,
            allowed=NOTHING,
            is_full=True,
            on=NOTHING,
            off=EVERYTHING,
            record_id=record.id,
            at=self.step,
        )
        self.truth.add(answer)
        worker.known.add(answer)
        worker.seen.add(subject)
        assert is_stored or worker.ledger.cut, "a record waits although the ledger can be reached"

    # Hand-offs

    def issue(self, issuer: Worker, sent: Cookie, asking: Worker) -> "UnderWay | None":
        """Follow a link to another site, as far as the token; None if there is no choice to bring."""
        transaction = asking.handoff.transactions.begin(issuer.site, "/")
        consent = issuer.request(sent.raw)._current()
        address = issuer.handoff.issue(consent, asking.site, transaction.state)
        token = parse_qs(urlsplit(address).query).get("t", [""])[0]
        return UnderWay(asking.site, transaction, token, sent.subject) if token else None

    def arrive(self, worker: Worker, under_way: "UnderWay", sent: Cookie | None) -> Cookie | None:
        """Arrive with a token, and return the cookie that the response sets."""
        consent = worker.request(*([sent.raw] if sent is not None else []))
        context = consent._choice_context(choice="handoff")
        try:
            claims = worker.handoff.accept(under_way.token, under_way.transaction)
            outcome = consent._apply(lambda before: worker.handoff.take_over(before, claims, context))
        except HandoffRefusal:
            return None
        consent._announce()
        record, allowed = outcome.record, allowed_in(outcome.consent)
        if record is None:
            # The visitor's own answer is newer. The pseudonyms belong to one visitor all the same. A withdrawal brings none.
            own = outcome.consent.decision
            has_other = "sub" in claims and own is not None and own.subject not in ("", under_way.subject)
            if own is not None and has_other and not worker.ledger.cut:
                self.truth.links.append(Link(under_way.subject, own.subject, self.step))
            return self._cookie(worker, outcome.cookies[0], None) if outcome.cookies else None
        answer = Answer(
            subject=record.subject or "",
            moment=record.moment,
            allowed=allowed,
            is_full=True,
            on=allowed,
            off=NOTHING,
            record_id=record.id,
            is_import=True,
            at=self.step,
        )
        self._learn_own(worker, sent, answer, outcome)
        if allowed and outcome.stored and answer.subject:
            self.truth.links.append(Link(under_way.subject, answer.subject, self.step))
        return self._cookie(worker, outcome.cookies[0], answer) if outcome.cookies else None

    # At the end

    def settle(self) -> None:
        """Deliver everything, let everybody ask the ledger, and check what must hold then."""
        for worker in self.workers:
            worker.connect()
        self.ask()
        for worker in self.workers:
            for cookie in self.of_site(worker.site):
                worker.check(cookie)
                granted = worker.grants(cookie.raw)
                is_proved = not granted or self.was_restored or self._is_proved(cookie.subject, granted)
                assert is_proved, "a grant without a record"
        self._check_records()
        if not self.was_restored:
            self._check_nothing_is_lost()

    def ask(self) -> None:
        """Let every worker deliver what waits and, later, ask for the cookies of its site."""
        for worker in self.workers:
            worker.deliver()
        self.look_into_ledger()
        self.step += 1
        self.now += 70
        # Twice, because a look-up that was not answered in time is repeated in the background.
        for worker in (*self.workers, *self.workers):
            for cookie in self.of_site(worker.site):
                worker.request(cookie.raw)
            if not worker.ledger.cut:
                worker.await_answer()

    def of_site(self, site: str) -> list[Cookie]:
        """Return the cookies of a site."""
        return [cookie for cookie in self.cookies if cookie.site == site]

    def _is_proved(self, subject: str, granted: Allowed) -> bool:
        return any(
            granted
            <= allowed_by((name for name, on in record.categories.items() if on), dict(record.vendors))
            for record in self.records
            if record.subject == subject and record.status == "given"
        )

    def _check_records(self) -> None:
        ids = [record.id for record in self.records]
        assert len(ids) == len(set(ids)), "a record appears twice"
        for about in self.truth.answers.values():
            for answer in about:
                stored = answer.record_id is None or answer.is_lost or answer.stored_at is not None
                assert stored, "an answer has no record"
        # What a restored copy lacks is stored again if it is sent again.
        for record_id, times in self.announced.items():
            assert times == 1 or self.was_restored, (
                f"the listeners were called {times} times for record {record_id}"
            )
        if not self.was_killed:
            silent = [record for record in self.records if not self.announced[record.id]]
            assert not silent, f"the listeners were never called for {silent}"

    def _check_nothing_is_lost(self) -> None:
        """Check that a full answer counts that is newer than all others of the visitor, on every site."""
        for cookie in self.cookies:
            answer = cookie.answer
            if answer is None or not answer.is_full or self.truth.has_ended(cookie.subject, self.records):
                continue
            linked = self._family(cookie.subject)
            # A withdrawal elsewhere ended it before the answer was delivered, and what is withdrawn stays so.
            if self._is_over(cookie.subject) and any(
                self.truth.has_ended(other, self.records) for other in linked
            ):
                continue
            others = [
                other for subject in linked for other in self.truth.about(subject) if other is not answer
            ]
            if cookie.moment != answer.moment or any(other.moment >= answer.moment for other in others):
                continue
            for worker in self.workers:
                if worker.site == cookie.site and worker.clock() > answer.moment[0]:
                    granted = worker.grants(cookie.raw)
                    for _ in range(5):
                        if granted == answer.allowed:
                            break
                        # A page whose look-up was not answered in time is not lost for good. A busy machine has several.
                        worker.await_answer()
                        worker.request(cookie.raw)
                        granted = worker.grants(cookie.raw)
                    assert granted == answer.allowed, (
                        f"{sorted(answer.allowed - granted)} is lost that was answered last"
                    )

    def _family(self, subject: str) -> set[str]:
        """Return the pseudonyms of the same visitor, on whichever site and however many have ended."""
        found = {subject}
        while more := {
            other
            for link in (*self.truth.links, *self.truth.heirs)
            for member in found
            if (other := link.other(member)) is not None and other not in found
        }:
            found |= more
        return found


@dataclass
class UnderWay:
    """A token between two sites, with the pseudonym that it was issued for."""

    site: str
    transaction: Transaction
    token: str
    subject: str


@dataclass
class Submission:
    """A choice as a page sends it, once or several times.

    Attributes:
        kind: accept, reject, save, change, withdraw, or withdraw_category.
        answers: by category, and by vendor with a `~`, for save and change; one category for withdraw_category.
        submission: random text of the page; empty for a program.
        is_sent: whether it was answered with 200 before.
        answer: what it led to then.
    """

    kind: str
    answers: dict[str, bool]
    submission: str
    sent: Cookie | None = None
    site: str = ""
    is_sent: bool = False
    answer: Answer | None = None

    @property
    def is_full(self) -> bool:
        """Whether the choice answers everything."""
        return self.kind not in ("change", "withdraw_category")

    @property
    def narrows_all(self) -> bool:
        """Whether the choice leaves nothing on."""
        return self.is_full and not self.on

    @property
    def on(self) -> Allowed:
        """What the choice itself turns on."""
        if self.kind == "accept":
            return EVERYTHING
        if self.kind not in ("save", "change"):
            return NOTHING
        categories = [name for name in CATEGORIES if self.answers.get(name)]
        return allowed_by(categories, self._vendors)

    @property
    def off(self) -> Allowed:
        """What a partial choice turns off."""
        if self.is_full:
            return NOTHING
        return frozenset(name for name, on in self.answers.items() if not on)

    def may_turn_off(self, item: str) -> bool:
        """Return whether a partial choice turns off a category, or a vendor itself or with its category."""
        return item in self.off or VENDOR_CATEGORY.get(item.removeprefix("~")) in self.off

    @property
    def _vendors(self) -> dict[str, bool]:
        return {name[1:]: on for name, on in self.answers.items() if name.startswith("~")}

    def from_page(self, consent: RequestConsent) -> Choose:
        """Return a function that records the choice, as the endpoint of the decision does."""
        manager = manager_of(consent)
        context = consent._choice_context(choice=_BUTTONS[self.kind], submission=self.submission)
        return lambda before: self._record(manager, before, context)

    def _record(self, manager: ConsentManager, before: Consent, context: ChoiceContext) -> Outcome:
        if self.kind == "withdraw":
            return manager.withdraw(before, None, context)
        if self.kind == "withdraw_category":
            return manager.withdraw(before, next(iter(self.answers)), context)
        if self.kind in ("accept", "reject"):
            choice = transitions.everything(manager.notice, allowed=self.kind == "accept")
        else:
            categories = {name: on for name, on in self.answers.items() if not name.startswith("~")}
            choice = Choice(categories=categories, vendors=self._vendors)
        return manager.decide(before, choice, context, merge=self.kind == "change")


_BUTTONS = {
    "accept": "accept_all",
    "reject": "reject_all",
    "save": "save",
    "change": "change",
    "withdraw": "withdraw",
    "withdraw_category": "withdraw",
}


def empty(engine: Engine) -> None:
    """Delete the records, links and used tokens of a ledger, so that the same ids can be used again."""
    cut_back(engine, {})
    with engine.begin() as connection:
        connection.execute(delete(tables.tokens))


def cut_back(engine: Engine, ends: dict[str, int]) -> None:
    """Delete the rows of a ledger behind these ends, as a restored copy lacks them. The next row gets their `seq`."""
    with engine.begin() as connection:
        for table in (tables.records, tables.links):
            end = ends.get(table.name, 0)
            connection.execute(delete(table).where(table.c.seq > end))
            if engine.dialect.name == "sqlite":
                sql = "UPDATE sqlite_sequence SET seq = :end WHERE name = :table"
            else:
                sql = "SELECT setval(pg_get_serial_sequence(:table, 'seq'), greatest(:end, 1), CAST(:end AS int) > 0)"
            connection.execute(text(sql), {"end": end, "table": table.name})
