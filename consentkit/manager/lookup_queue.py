"""Questions that wait for the ledger, and the threads that ask them.

Requests put pseudonyms into the queue, and wait a short time for the answer. Up to four threads each take all pseudonyms that
wait, and ask about them with one query. A query that hangs therefore delays only its own pseudonyms. Jobs, such as a poll, are
queued in the same way.

After a query that failed, and while all four threads hang, the ledger is silent: requests go on without waiting. What they
asked stays in the queue. It is asked again after pauses, without a request, until the ledger answers.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeVar

from consentkit.errors import LedgerError
from consentkit.ledger import OutageLog, Record

__all__ = ["Answer", "LookUpQueue", "RecordsMeanwhile", "call_hook"]

log = logging.getLogger("consentkit.revocation")

T = TypeVar("T")

WORKERS = 4
LARGEST_BATCH = 500
LONGEST_QUEUE = 10_000
"""Pseudonyms that wait at most. Those that come then are not looked up until the visitor's next request."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 2.0

Answer = threading.Event
"""Set once the ledger has answered a question, or has failed to."""


class _Job:
    """A call that waits for a thread. Times are those of the monotonic clock.

    Attributes:
        call: asks the ledger.
        answer: set when the call has ended.
        repeats: whether the call is repeated until it succeeds.
        not_before: when the call may begin.
        failures: how often the call has failed.
        failing_since: when the first call that failed began; None before.
    """

    __slots__ = ("answer", "call", "failing_since", "failures", "not_before", "repeats")

    def __init__(self, call: Callable[[], None], *, repeats: bool) -> None:
        self.call = call
        self.answer = Answer()
        self.repeats = repeats
        self.not_before = 0.0
        self.failures = 0
        self.failing_since: float | None = None

    def put_off(self, began_at: float) -> float:
        """Postpone the call after a failure, longer each time. Return when the first call that failed began."""
        self.answer = Answer()
        self.not_before = time.monotonic() + min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
        self.failures += 1
        self.failing_since = began_at if self.failing_since is None else self.failing_since
        return self.failing_since


class _Query:
    """A query that a thread carries out: one about subjects, or a job's."""

    __slots__ = ("answers", "ended", "job", "name", "since")

    def __init__(self, answers: dict[str, Answer], name: str = "", job: _Job | None = None) -> None:
        self.answers = answers
        self.name = name
        self.job = job
        self.ended = (*answers.values(), *([job.answer] if job is not None else ()))
        self.since = time.monotonic()


class LookUpQueue:
    """Questions to the ledger in the order in which they came, and the threads of this process that ask them.

    A thread runs only while there is something to ask.
    """

    def __init__(
        self, look_up: Callable[[Sequence[str]], None], *, longest_wait: Callable[[], float]
    ) -> None:
        """Make an empty queue.

        Args:
            look_up: asks the ledger about subjects, and raises if there is no answer.
            longest_wait: returns the seconds that a request waits at most.
        """
        self._look_up = look_up
        self._longest_wait = longest_wait
        self._closed = False
        self._outage = OutageLog(
            "The ledger does not answer look-ups, so grants count for `max_stale` seconds unchecked.",
            "The ledger still does not answer all look-ups.",
            "The ledger answers look-ups again.",
        )
        # A poll may fail for reasons of its own, while look-ups are answered.
        self._failing_polls = OutageLog(
            "The ledger answers look-ups, but no polls.",
            "The ledger still answers no polls.",
            "The ledger answers polls again.",
        )
        self.reset()

    def reset(self) -> None:
        """Empty the queue, in a forked child that has none of the parent's threads."""
        self._changed = threading.Condition(threading.Lock())
        self._subjects: dict[str, Answer] = {}
        self._jobs: dict[str, _Job] = {}
        self._running: list[_Query] = []
        self._threads = 0
        # Threads that are about to take a query, or sleep until there is one to take.
        self._idle = 0
        self._is_sleeping = False
        self._failed = False
        self._resume_at = 0.0
        self._pause = FIRST_PAUSE
        self._succeeded_at = float("-inf")

    # Asking

    def ask(self, subject: str) -> Answer | None:
        """Queue a subject that a request needs. Return the answer to wait for; None if waiting would be in vain."""
        with self._changed:
            answer = self._asked(subject) or self._queued(subject)
            if answer is None or self._is_silent():
                self._outage.add(unanswered=1)
                return None
            return answer

    def add(self, subject: str) -> None:
        """Queue a subject that no request waits for, unless a query about it has just begun."""
        with self._changed:
            if self._asked(subject) is None:
                self._queued(subject)

    def run(self, name: str, call: Callable[[], None], *, repeats: bool = True) -> Answer | None:
        """Queue a call, unless one of that name is queued or running. Return its end to wait for; None if that would be in vain.

        Args:
            name: of the job.
            call: asks the ledger, and raises if there is no answer.
            repeats: whether the call is repeated until it succeeds. Any other call is not queued while the ledger is silent.
        """
        with self._changed:
            for query in self._running:
                if query.name == name and query.job is not None:
                    return None if self._is_late(query) else query.job.answer
            is_silent = self._is_silent()
            if self._closed or (is_silent and not repeats):
                return None
            job = self._jobs.get(name)
            if job is None:
                job = self._jobs[name] = _Job(call, repeats=repeats)
            self._wake()
            return None if is_silent or job.not_before > time.monotonic() else job.answer

    def wait(self, answers: Sequence[Answer], seconds: float) -> bool:
        """Wait until all answers have come, for a number of seconds in all. Return whether they have come."""
        deadline = time.monotonic() + seconds
        for answer in answers:
            answer.wait(max(0.0, deadline - time.monotonic()))
        if all(answer.is_set() for answer in answers):
            return True
        if seconds > 0:
            _warn(self._outage.count(unanswered=1))
        return False

    @property
    def state(self) -> str:
        """Whether the ledger answers: `ok`, `no answer` or `not asked yet`."""
        with self._changed:
            if self._is_silent():
                return "no answer"
            return "not asked yet" if self._succeeded_at == float("-inf") else "ok"

    def __len__(self) -> int:
        """Return the number of subjects that have no answer yet."""
        with self._changed:
            return len(
                self._subjects.keys() | {subject for query in self._running for subject in query.answers}
            )

    def close(self) -> None:
        """Ask nothing more. A query that runs is not waited for."""
        with self._changed:
            self._closed = True
            self._subjects.clear()
            self._jobs.clear()
            self._changed.notify_all()

    # The state; all of these need the lock

    def _is_late(self, query: _Query) -> bool:
        return time.monotonic() - query.since > self._longest_wait()

    def _is_silent(self) -> bool:
        return self._failed or (len(self._running) >= WORKERS and all(map(self._is_late, self._running)))

    def _asked(self, subject: str) -> Answer | None:
        """Return the answer of a query that has just begun."""
        asked = (query.answers.get(subject) for query in self._running if not self._is_late(query))
        return next((answer for answer in asked if answer is not None), None)

    def _queued(self, subject: str) -> Answer | None:
        answer = self._subjects.get(subject)
        if answer is None and not self._closed and len(self._subjects) < LONGEST_QUEUE:
            answer = self._subjects[subject] = Answer()
        self._wake()
        return answer

    def _wake(self) -> None:
        """Start as many threads as there is work for, and wake the sleeping one if its time has come."""
        delay = self._delay()
        if delay is None:
            return
        if self._is_sleeping and delay <= 0:
            self._changed.notify()
        batches = -(-len(self._subjects) // LARGEST_BATCH)
        wanted = 1 if self._failed else min(len(self._jobs) + batches, WORKERS)
        while self._threads < WORKERS and self._idle < wanted:
            try:
                threading.Thread(target=self._work, name="consentkit-look-up", daemon=True).start()
            except RuntimeError:
                # No more threads: the next request tries again.
                return
            self._threads += 1
            self._idle += 1

    def _delay(self) -> float | None:
        """Return the seconds until something may be asked; None if there is nothing to ask."""
        starts = [job.not_before for job in self._jobs.values()]
        if self._subjects:
            starts.append(0.0)
        if not starts:
            return None
        return max(min(starts), self._resume_at if self._failed else 0.0) - time.monotonic()

    # The threads

    def _work(self) -> None:
        while (query := self._next_query()) is not None:
            try:
                if query.job is None:
                    self._look_up(list(query.answers))
                else:
                    query.job.call()
            except Exception as error:
                self._fail(query, error)
            else:
                self._succeed(query)
            for answer in query.ended:
                answer.set()

    def _next_query(self) -> _Query | None:
        """Return the next query, after a pause if there has to be one; None if this thread has nothing to do."""
        with self._changed:
            while (delay := self._delay()) is not None:
                if delay <= 0:
                    self._idle -= 1
                    query = self._take()
                    self._running.append(query)
                    return query
                if self._is_sleeping:
                    break
                self._is_sleeping = True
                self._changed.wait(delay)
                self._is_sleeping = False
            self._idle -= 1
            self._threads -= 1
            return None

    def _take(self) -> _Query:
        now = time.monotonic()
        if self._failed:
            self._resume_at = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        name = next((name for name, job in self._jobs.items() if job.not_before <= now), None)
        # A poll may fail for reasons of its own, so look-ups find out sooner whether the ledger answers again.
        if name is not None and not (self._failed and self._subjects):
            return _Query({}, name, self._jobs.pop(name))
        batch = dict(islice(self._subjects.items(), LARGEST_BATCH))
        for subject in batch:
            del self._subjects[subject]
        return _Query(batch)

    def _succeed(self, query: _Query) -> None:
        lines: list[str | None] = []
        with self._changed:
            self._running.remove(query)
            self._idle += 1
            for subject in query.answers:
                waiting = self._subjects.pop(subject, None)
                if waiting is not None:
                    waiting.set()
            if query.job is None or query.job.repeats:
                lines.append(self._recover())
            if query.job is not None and query.job.repeats:
                lines.append(self._failing_polls.end())
            self._wake()
        for line in filter(None, lines):
            log.info(line)

    def _recover(self) -> str | None:
        """Note that a query succeeded. Return the line for the log that is due, if a failure was logged before."""
        self._succeeded_at = time.monotonic()
        if self._failed:
            self._failed = False
            self._pause = FIRST_PAUSE
            for job in self._jobs.values():
                job.not_before = 0.0
        return self._outage.end()

    def _fail(self, query: _Query, error: Exception) -> None:
        job = query.job
        if job is not None and not job.repeats:
            log.error("A step that reads the ledger failed: %s.", query.name, exc_info=error)
        with self._changed:
            self._running.remove(query)
            self._idle += 1
            outage = None
            if not self._closed and (job is None or job.repeats):
                is_silent = self._note_failure(query.since if job is None else job.put_off(query.since))
                if job is not None:
                    self._jobs[query.name] = job
                for subject in query.answers:
                    self._queued(subject)
                outage = self._outage if is_silent else self._failing_polls if job is not None else None
        if outage is not None:
            _warn(outage.count(), error)

    def _note_failure(self, since: float) -> bool:
        """Note that a query failed. Return whether the ledger is silent, because no other query was answered meanwhile."""
        if self._succeeded_at > since:
            return False
        if not self._failed:
            self._failed = True
            self._resume_at = time.monotonic() + self._pause
        return True


class RecordsMeanwhile:
    """By look-up under way, its subjects, and the records of these that arrived after its query began. The caller locks."""

    def __init__(self) -> None:
        self._look_ups: dict[int, tuple[frozenset[str], list[Record]]] = {}

    def begin(self, subjects: Sequence[str]) -> list[Record]:
        """Return the list to which the records of subjects are added from now on."""
        records = list[Record]()
        self._look_ups[id(records)] = frozenset(subjects), records
        return records

    def add(self, record: Record) -> None:
        """Add a record that arrived to the look-ups of its subject."""
        for subjects, records in self._look_ups.values():
            if record.subject in subjects:
                records.append(record)

    def end(self, records: list[Record]) -> None:
        """End the look-up that `begin` gave this list."""
        self._look_ups.pop(id(records), None)


def call_hook(hook: Callable[[], T] | None, otherwise: T) -> T:
    """Return a hook's result; another value if there is no hook, or if it raises."""
    try:
        return otherwise if hook is None else hook()
    except Exception:
        log.exception("A step before the poll for withdrawals failed. The poll goes on.")
        return otherwise


def _warn(line: str | None, error: Exception | None = None) -> None:
    """Log a line about look-ups that fail, if one is due; with a traceback if the error is no error of the ledger."""
    if line is not None:
        log.warning(
            "%s %s",
            line,
            error or "No answer in time.",
            exc_info=None if isinstance(error, LedgerError) else error,
        )
