"""Changes of a visitor's grant that were recorded elsewhere: in another process, on another host, at customer service.

A grant that a process sees for the first time is looked up in the ledger, and again when a cookie is later than what is known,
because its visitor has answered in another process. Besides, one query every `recheck` seconds returns the records of all
subjects that changed. No request waits longer than a quarter of a second. While the ledger is known not to answer, requests do
not wait at all, and `LookUpQueue` goes on asking. Then a grant counts for `max_stale` seconds after it was last checked, or
after its decision if this process has never checked it.

Each record that arrives is folded into what is known, in whatever order they come. `known` claims to hold everything about a
subject that was stored up to the last poll, and `held` does not. `UndeliveredRecords` has what waits or was lost.

Threads. Requests read `known`, `held`, `polled` and `due_at` without a lock: each read is one dictionary or attribute access,
and an entry of `known` is replaced as a whole. `_entry_lock` orders all writes to `known` and `held`. It is never held during a
query, so that a decision of this process never waits for the ledger here.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from consentkit._bounded_cache import BoundedCache
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import ForkHooks, Ledger, Record
from consentkit.manager.later_cookies import LaterCookies
from consentkit.manager.ledger_changes import LedgerChanges
from consentkit.manager.lookup_queue import Answer, LookUpQueue, RecordsMeanwhile, call_hook
from consentkit.manager.newest import RecordFold
from consentkit.manager.undelivered import UndeliveredRecords

__all__ = ["RevocationCache"]

Entry = tuple[Record | None, float]

LONGEST_WAIT = 0.25
"""Seconds that a request waits for the ledger."""
_SUBJECTS_KEPT = 100_000
_CHANGES_KEPT = 4096
_NEVER = float("-inf")


class RevocationCache:
    """The newest record of every subject that this process has seen. Times are seconds since the epoch.

    Args:
        ledger: that is asked.
        recheck: seconds between two polls.
        max_stale: seconds for which a grant counts after it was checked.
        fold: returns what counts among records of one subject, whatever their order; None if there are none.
        clock: returns seconds since the epoch.
        before_poll, after_poll: called before and after each poll, the latter in a thread that no request waits for.
        waiting_elsewhere: returns the records that wait in other processes, or None if that is unknown; called before each poll.
        is_writable: returns whether the ledger can be written; called before each poll, which is a check of grants only then.
        epoch: returns a number that changes when another ledger takes the place of this one.

    Attributes:
        known: by subject, the record that counts in the ledger and when it was read; None for a subject without any record.
        held: by subject, what counts among the records that the entry in `known` does not cover.
        polled: when the ledger was last asked which subjects changed, and could be written.
        looked_up: how many subjects the ledger has answered for since the start.
        due_at: when the ledger has to be asked again.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        recheck: float,
        max_stale: float,
        fold: Callable[[Iterable[Record]], Record | None],
        clock: Callable[[], float] = time.time,
        before_poll: Callable[[], None] | None = None,
        waiting_elsewhere: Callable[[], Sequence[Record] | None] | None = None,
        is_writable: Callable[[], bool] | None = None,
        epoch: Callable[[], int] | None = None,
        after_poll: Callable[[], None] | None = None,
    ) -> None:
        """Start with nothing known, without connecting."""
        self._ledger = ledger
        # A record that was read longer ago than `max_stale` is not relied on, so it has to be read at least as often.
        self._poll_interval = min(recheck, max_stale)
        self._max_stale, self._fold, self._clock = max_stale, RecordFold(fold), clock
        self._before_poll, self._waiting_elsewhere = before_poll, waiting_elsewhere
        self._is_writable, self._after_poll = is_writable, after_poll
        self._changes = LedgerChanges(ledger, epoch or (lambda: 0))
        self.known: BoundedCache[str, Entry] = BoundedCache(_SUBJECTS_KEPT)
        self.held: BoundedCache[str, Record] = BoundedCache(_SUBJECTS_KEPT)
        self.polled = self.due_at = _NEVER
        self._can_write, self._asked_at, self._generation, self.looked_up = True, _NEVER, 0, 0
        self._undelivered = UndeliveredRecords(fold, _SUBJECTS_KEPT)
        # What polls last read about subjects that were not known.
        self._passed: BoundedCache[str, Record] = BoundedCache(_CHANGES_KEPT)
        self._meanwhile, self._later = RecordsMeanwhile(), LaterCookies(_SUBJECTS_KEPT)
        self._entry_lock = threading.Lock()
        self._queue = LookUpQueue(self._look_up, longest_wait=lambda: LONGEST_WAIT)
        _FORK_HOOKS.add(self)

    def due(self, subject: str, now: float, *, moment: tuple[int, int] = (0, 0)) -> bool:
        """Return whether `refresh` has anything to do for a subject, whose cookie is of a `moment`."""
        return self._is_behind(subject, moment) or self._is_poll_due(now)

    def _is_behind(self, subject: str, moment: tuple[int, int]) -> bool:
        entry = self.known.get(subject)
        return entry is None or self._later.is_due(subject, moment, entry[0])

    def _is_poll_due(self, now: float) -> bool:
        if self.polled <= now < self.due_at:
            return False
        # A poll of a ledger that cannot be written changes nothing above. It is not repeated for each request.
        return not self._asked_at <= now < self._asked_at + self._poll_interval

    def refresh(
        self, subject: str, now: float, wait: float | None = None, *, moment: tuple[int, int] = (0, 0)
    ) -> bool:
        """Ask what is due, for at most `wait` (or 0.25) seconds; return whether waiting longer is useless. Never raises."""
        until = time.monotonic() + (LONGEST_WAIT if wait is None else wait)
        answers = [self._queue.run("poll", self._poll)] if self._is_poll_due(now) else []
        was_known = subject in self.known
        if self._is_behind(subject, moment):
            self._later.ask(subject, moment)
            answers.append(self._queue.ask(subject))
        is_done = self._wait(answers, wait)
        if not is_done or not was_known or subject in self.known:
            return is_done
        # The poll has found another ledger, so the subject has to be looked up again.
        return self._wait([self._queue.ask(subject)], max(0.0, until - time.monotonic()))

    def run(self, name: str, call: Callable[[], None], wait: float | None = None) -> bool:
        """Run a call that asks the ledger in a thread of this cache, unless one of that name runs. Waits as `refresh` does."""
        return self._wait([self._queue.run(name, call, repeats=False)], wait)

    def _wait(self, answers: Sequence[Answer | None], wait: float | None) -> bool:
        return self._queue.wait([each for each in answers if each], LONGEST_WAIT if wait is None else wait)

    # Look-ups

    def _look_up(self, subjects: Sequence[str]) -> None:
        """Read the records of those subjects that are still new in this process, or whose visitors have answered since.

        Raises:
            LedgerUnavailableError: there was no answer, or it came from a ledger that was replaced meanwhile.
        """
        cookies = self._later.sent(subjects)
        subjects = [subject for subject in subjects if self._is_behind(subject, cookies[subject])]
        if not subjects:
            return
        generation = self._generation
        with self._entry_lock:
            meanwhile = self._meanwhile.begin(subjects)
        try:
            self._changes.begin()
            read_at = self._time_of_check(self._clock())
            found = self._ledger.newest_of(subjects)
            self._changes.expect(record for records in found.values() for record in records)
            self._note_losses(found)
            with self._entry_lock:
                if generation != self._generation:
                    raise LedgerUnavailableError("The ledger was replaced during a look-up.")
                self.looked_up += len(found)
                for record in meanwhile:
                    found[record.subject or ""] += (record,)
                for subject, records in found.items():
                    newest = self._fold.all(records)
                    old, _ = self.known.get(subject, (None, 0.0))
                    self._store(subject, old if newest is None else self._fold.both(newest, old), read_at)
                self._later.note_look_up(cookies)
        finally:
            with self._entry_lock:
                self._meanwhile.end(meanwhile)

    def _note_losses(self, found: Mapping[str, tuple[Record, ...]]) -> None:
        """Remember what the ledger had about subjects before it was replaced, or got from here, and lacks now."""
        for subject, newest in found.items():
            before = self._undelivered.replaced.get(subject) or self.held.get(subject)
            if before is not None:
                ids = {record.id for record in newest}
                stored = newest if before.id in ids else self._ledger.history(subject)
                with self._entry_lock:
                    self._undelivered.find_lost(subject, stored, before)

    # Polls

    def _poll(self) -> None:
        """Read the records that were added after the last poll. Raises LedgerUnavailableError if there is no answer."""
        now = self._clock()
        if not self._is_poll_due(now):  # another poll has just ended
            return
        call_hook(self._before_poll, None)
        self._can_write = call_hook(self._is_writable, self._is_writable is None)
        call_hook(lambda: self._hold_waiting(now), None)
        read_at = self._time_of_check(now)
        self._read_changes(read_at)
        if self._changes.is_other_ledger:
            # The ledger was replaced during the query.
            self._read_changes(read_at)
        with self._entry_lock:
            self._undelivered.discard_gone()
        self._asked_at = now
        if self._can_write:
            self.polled, self.due_at = now, now + self._poll_interval
        else:
            self.due_at = min(now + self._poll_interval, self.polled + self._max_stale)
        for subject in (*self.held, *self._undelivered.subjects()):
            if subject not in self.known:
                self._queue.add(subject)
        if self._after_poll is not None:
            self._queue.run("upkeep", self._after_poll, repeats=False)

    def _read_changes(self, read_at: float) -> None:
        if self._changes.is_other_ledger:
            with self._entry_lock:
                self._changes.end()
                self._forget_grants()
        if not self._changes.has_begun:
            self._changes.begin()
            return
        for record in self._changes.read():
            self._learn(record, read_at)
        self.notice_erasures()

    def notice_erasures(self) -> None:
        """Look all visitors up again if records of one were erased.

        Raises:
            LedgerUnavailableError: there was no answer.
        """
        erasures = self._changes.new_erasures()
        if erasures is not None:
            with self._entry_lock:
                self._forget_grants()
                self._changes.note_erasures(erasures)

    def _hold_waiting(self, now: float) -> None:
        """Apply what waits in other processes, unless that cannot be found out."""
        waiting = self._waiting_elsewhere() if self._waiting_elsewhere else ()
        if waiting is None:
            return
        waiting = [record for record in waiting if record.subject]
        for record in waiting:
            self.hold(record, now, stored=False)
        with self._entry_lock:
            self._undelivered.wait_elsewhere(waiting)

    def _time_of_check(self, now: float) -> float:
        """Return when an answer was checked. Reading alone is no check, because withdrawals may be unable to arrive."""
        return now if self._can_write else self.polled

    def _forget_grants(self) -> None:
        """Look all subjects up again. Those that have ended stay so."""
        self._generation += 1
        for subject, (record, _) in list(self.known.items()):
            if record is not None and record.ends_subject:
                continue
            if record is not None:
                self._undelivered.replaced[subject] = record
            del self.known[subject]
        self._passed.clear()

    # Records that arrive; all but `_learn`, `hold` and `drop` need the lock

    def _learn(self, record: Record, read_at: float) -> None:
        """Fold a record that a poll has read into what is known."""
        subject = record.subject or ""
        with self._entry_lock:
            self._meanwhile.add(record)
            entry, is_settled = self.known.get(subject), self.is_settled(subject)
            self._undelivered.discard(subject, [record.id])
            if entry is not None:
                self._store(subject, self._fold.both(record, entry[0]), read_at)
                return
            self._passed[subject] = self._fold.both(record, self._passed.get(subject))
            if not is_settled:  # what waited counted here, so what replaces it counts before its look-up too
                self.held[subject] = self._fold.both(record, self.held.get(subject))

    def hold(self, record: Record, now: float, *, stored: bool, made_here: bool = False) -> None:
        """Apply a decision of this process, or of the spool, at once, and once more when the ledger has stored it.

        `made_here` states that the record was made with knowledge of all that counts here.
        """
        subject = record.subject
        if not subject:
            return
        with self._entry_lock:
            entry, waited = self.known.get(subject), subject in self._undelivered
            self._note_for_ledger(subject, record, stored=stored, made_here=made_here)
            if stored and entry is not None:
                self._store(subject, self._fold.both(record, entry[0]), entry[1])
            elif stored and self._changes.has_begun and subject not in self.held and not waited:
                # This process has just built the record on the newest one. Only a poll may have read a newer one since.
                self.known[subject] = (self._fold.both(record, self._passed.get(subject)), now)
            elif (stored or record.ends_subject) and not self._fold.covers(entry and entry[0], record):
                self.held[subject] = self._fold.both(record, self.held.get(subject))
            if not stored and entry is not None:
                # A new tuple, because permissions cached on tokens count only as long as the entry is the same object.
                self.known[subject] = (entry[0], entry[1])

    def compare(self, subject: str, newest: Record | None) -> None:
        """Compare what is known of a subject with its newest record in the ledger, as a delivery has just found it."""
        with self._entry_lock:
            if self._undelivered.find_behind(self.known.get(subject, (None, 0.0))[0], newest):
                del self.known[subject]

    def drop(self, record: Record) -> None:
        """Forget a held record that is not going to be stored, because the visitor's records were erased."""
        with self._entry_lock:
            self.held.pop(record.subject or "", None)
            self._undelivered.discard(record.subject or "", [record.id])

    def _note_for_ledger(self, subject: str, record: Record, *, stored: bool, made_here: bool) -> None:
        """Note whether the ledger has a record, or lacks it."""
        if not stored:
            self._undelivered.wait_here(record)
            self._undelivered.release(subject, self.known.get(subject, (None, 0.0))[0])
            return
        self._meanwhile.add(record)
        self._undelivered.discard(subject, [record.id])
        if made_here:
            self._changes.expect((record,))
            self._undelivered.forget_lost(subject)
        else:
            self._undelivered.find_lost(subject, ())

    def _store(self, subject: str, newest: Record | None, read_at: float) -> None:
        """Store what counts in the ledger, and release what it covers."""
        self._undelivered.release(subject, newest)
        entry = self.known.get(subject)
        if entry is None or newest is not entry[0] or newest is None:
            self.known[subject] = (newest, read_at)
        held = self.held.get(subject)
        if held is not None and self._fold.covers(newest, held):
            del self.held[subject]

    # What is known

    def counting(self, subject: str, newest: Record | None) -> Record | None:
        """Return what counts for a subject, given its newest record in the ledger, which was perhaps restored from a backup."""
        entry = self.known.get(subject)
        old = entry[0] if entry is not None else self._undelivered.replaced.get(subject)
        return self._undelivered.counting(subject, newest, old, self.held.get(subject))

    def newest(self, subject: str, changed_at: int, now: float) -> tuple[Record | None, bool]:
        """Return the record of a subject that counts, and whether it is fresh enough to rely on.

        `changed_at` is the time of the decision that is to be checked, at which it was certain. No record of a subject that was
        looked up means that the grant cannot be proved.
        """
        # In this order, because a record moves from `held` to `known`.
        held, before = self.held.get(subject), self._undelivered.replaced.get(subject)
        entry = self.known.get(subject)
        record, checked = (before, _NEVER) if entry is None else (entry[0], max(entry[1], self.polled))
        record = self._undelivered.limited(subject, record, held, is_looked_up=entry is not None)
        held_at = held.changed_at if held is not None else 0
        changed_at = max(changed_at, held_at, self._undelivered.changed_at(subject))
        is_over = record is not None and record.ends_subject
        return record, is_over or now - max(checked, changed_at) <= self._max_stale

    def is_settled(self, subject: str) -> bool:
        """Return whether only the record in `known` counts for a subject."""
        return subject not in self.held and subject not in self._undelivered

    def lacking(self, subject: str) -> tuple[Record, ...]:
        """Return the records about a subject that the ledger may lack, because they wait or a restored copy has lost them."""
        counting = (self.held.get(subject), self.known.get(subject, (None, 0.0))[0])
        return (*self._undelivered.waiting(subject), *(end for end in counting if end and end.ends_subject))

    def is_unaware(self, subject: str, moment: tuple[int, int]) -> bool:
        """Return whether a change waits that is later than a cookie, and may have been made without its answer."""
        return self._undelivered.is_unaware(subject, moment, self.known.get(subject, (None, 0.0))[0])

    def seen(self, subject: str) -> bool:
        """Return whether the ledger has answered for a subject, or a decision about it waits for the ledger."""
        return subject in self.known or not self.is_settled(subject)

    def health(self, now: float) -> dict[str, object]:
        """Return the state of the look-ups, and figures for operators.

        `last_poll` is None before the first poll, and if the clock was set back. `pending` is the number of subjects to look
        up, `held` that of subjects with decisions that the ledger is not known to have.
        """
        return {
            "state": self._queue.state,
            "last_poll": self.polled if _NEVER < self.polled <= now else None,
            "pending": len(self._queue),
            "held": len({*self.held, *self._undelivered.subjects()}),
        }

    def after_fork_in_child(self) -> None:
        """Replace the lock and the queue, of which the parent's threads are not in the child."""
        self._entry_lock = threading.Lock()
        self._changes.after_fork_in_child()
        self._meanwhile = RecordsMeanwhile()
        self._queue.reset()

    def close(self) -> None:
        """Ask the ledger nothing more."""
        self._queue.close()


_FORK_HOOKS: Final = ForkHooks(after_in_child=RevocationCache.after_fork_in_child)
