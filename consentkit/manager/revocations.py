"""Changes of a visitor's grant that were recorded elsewhere: in another process, on another host, at customer service.

A grant that a process sees for the first time is looked up in the ledger. After that, one query every `recheck` seconds
returns the records of all subjects that changed. While the ledger is out of reach, a grant counts for `max_stale` seconds
after it was last checked. No request waits longer than a quarter of a second for the ledger.

Threads. Requests read `known`, `held`, `polled` and `due_at` without a lock: each read is one dictionary or attribute
access, and an entry of `known` is replaced as a whole. Two locks order the writers:

* `_poll_lock` lets one thread poll at a time, so that the cursor moves forward only. It is held while the ledger is read.
* `_entry_lock` guards writes to `known`, `held` and `_decided_here`, whose decision depends on what is there already. It
  is never held during a query, so that a decision of this process never waits for the ledger here.

A query returns the past: a decision may be recorded after the ledger was read and before the answer is stored here. So
`_looking_up` and `_decided_here` note what happens during a query, and the newer record wins.
"""

import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import MappingProxyType

from consentkit._bounded_cache import BoundedCache
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger, Record

__all__ = ["NoRevocations", "RevocationCache"]

log = logging.getLogger("consentkit.revocation")

LONGEST_WAIT = 0.25
"""Seconds that a request waits for the ledger."""
PAUSE = 5.0
"""Seconds without any query after one that failed."""
_SUBJECTS_KEPT = 100_000


class NoRevocations:
    """Stand in for a RevocationCache without a ledger: no record is known, and no look-up is ever due."""

    known: Mapping[str, tuple[Record | None, float]] = MappingProxyType({})
    held: Mapping[str, Record] = MappingProxyType({})
    polled, due_at = float("-inf"), float("inf")

    def due(self, subject: str, now: float) -> bool:
        """Return False, because there is nothing to ask."""
        return False

    def refresh(self, subject: str, now: float) -> None:
        """Do nothing."""

    def hold(self, record: Record, now: float, *, stored: bool) -> None:
        """Do nothing: without a ledger only the visitor's cookie changes."""

    def newest(self, subject: str, changed_at: int, now: float) -> tuple[Record | None, bool]:
        """Return no record, and True, because there is no ledger with a newer one."""
        return None, True

    def seen(self, subject: str) -> bool:
        """Return False, because no ledger has answered."""
        return False

    def close(self) -> None:
        """Do nothing."""


class RevocationCache:
    """The newest record of every subject that this process has seen. Times are seconds since the epoch.

    Attributes:
        known: by subject, the newest record in the ledger and when it was read; None for a subject without any record.
        held: by subject, the last decision of this process that the ledger does not have yet.
        polled: when the ledger was last asked which subjects changed.
        due_at: when the ledger has to be asked again.
    """

    def __init__(self, ledger: Ledger, *, recheck: float, max_stale: float) -> None:
        self._ledger = ledger
        # A record that was read longer ago than `max_stale` is not relied on, so it has to be read at least as often.
        self._poll_interval = min(recheck, max_stale)
        self._max_stale = max_stale
        self.known: BoundedCache[str, tuple[Record | None, float]] = BoundedCache(_SUBJECTS_KEPT)
        self.held: dict[str, Record] = {}
        self.polled = self.due_at = float("-inf")
        # The place in the ledger up to which polls have read; None before the first poll.
        self._cursor: int | None = None
        self._failed_at: float | None = None
        self._poll_lock = threading.Lock()
        self._entry_lock = threading.Lock()
        # Subjects that are being looked up, once for each thread that does.
        self._looking_up: list[str] = []
        # Subjects of decisions that were recorded in this process after the current poll began to read.
        self._decided_here: set[str] = set()
        self._threads: tuple[int, ThreadPoolExecutor] | None = None

    # Asking the ledger

    def due(self, subject: str, now: float) -> bool:
        """Return whether `refresh` has anything to do for a subject."""
        if self._failed_at is not None and 0 <= now - self._failed_at < PAUSE:
            return False
        return subject not in self.known or not self.polled <= now < self.due_at

    def refresh(self, subject: str, now: float) -> None:
        """Ask the ledger what is due for a subject. Waits at most a quarter of a second; never raises."""
        future: Future[None] = self._thread_pool().submit(self._ask_ledger, subject, now)
        try:
            future.result(LONGEST_WAIT)
        except (FutureTimeoutError, LedgerUnavailableError) as error:
            self._failed_at = now
            log.warning("Revocations could not be looked up: %s", str(error) or "no answer in time")

    def _ask_ledger(self, subject: str, now: float) -> None:
        if self._cursor is None or not self.polled <= now < self.due_at:
            self._poll(now)
        if subject not in self.known:
            self._look_up(subject, now)

    def _look_up(self, subject: str, now: float) -> None:
        """Read the newest record of a subject that is new in this process."""
        # A poll keeps what it finds about a subject that is in this list. It may read a record that was written after this
        # query, and the next poll starts behind that record.
        self._looking_up.append(subject)
        try:
            record = self._ledger.newest(subject)
            with self._entry_lock:
                # A poll or a decision of this process was faster, and knows more than this query.
                if subject not in self.known:
                    self.known[subject] = (record, now)
        finally:
            self._looking_up.remove(subject)

    def _poll(self, now: float) -> None:
        """Read the records that were added after the last poll. A thread that comes during a poll waits for its result."""
        with self._poll_lock:
            if self._cursor is not None and self.polled <= now < self.due_at:
                return
            cursor = self._cursor
            while True:
                # Reset before the query, so that every decision recorded during the query is in the set.
                self._decided_here = set()
                changed, after = self._ledger.changes(cursor)
                with self._entry_lock:
                    for record in changed:
                        subject = record.subject
                        if subject and (subject in self.known or subject in self._looking_up):
                            self._apply_change(subject, record, now)
                # An answer has a limited length. The first poll only finds out where the ledger ends.
                if after == cursor or cursor is None:
                    break
                cursor = after
            self._cursor = after
            self.polled, self.due_at = now, now + self._poll_interval
            self._failed_at = None

    def _apply_change(self, subject: str, record: Record, now: float) -> None:
        """Store a record that a poll read, unless this process recorded a newer decision during the query."""
        ours = self.known.get(subject, (None,))[0] if subject in self._decided_here else None
        if ours is None or ours.id == record.id or ours.changed_at < record.changed_at:
            self.known[subject] = (record, now)
        elif ours.changed_at == record.changed_at:
            # Only the ledger knows the order of two records of the same second, so the subject is looked up again.
            del self.known[subject]

    # Decisions of this process

    def hold(self, record: Record, now: float, *, stored: bool) -> None:
        """Apply a decision of this process at once, whether its record is durable yet or not."""
        if not record.subject:
            return
        with self._entry_lock:
            if not stored:
                self.held[record.subject] = record
                entry = self.known.get(record.subject)
                if entry is not None:
                    # A new tuple, because permissions cached on tokens count only as long as the entry is the same object.
                    newest, read_at = entry
                    self.known[record.subject] = (newest, read_at)
                return
            self._decided_here.add(record.subject)
            # Before the first poll nothing may be kept. Changes made up to that poll are never read, so the subject has to
            # be looked up after it, like any other that is new.
            if self._cursor is not None:
                self.known[record.subject] = (record, now)
            self.held.pop(record.subject, None)

    # What is known

    def newest(self, subject: str, changed_at: int, now: float) -> tuple[Record | None, bool]:
        """Return the newest record of a subject, and whether it is fresh enough to rely on.

        `changed_at` is the time of the decision that is to be checked: before the first look-up its age counts. No record of a
        subject that was looked up means that the grant cannot be proved.
        """
        held = self.held.get(subject)
        if held is not None:
            return held, True
        record, checked = self.known.get(subject, (None, None))
        if checked is None:
            return None, now - changed_at <= self._max_stale
        return record, now - max(checked, self.polled) <= self._max_stale

    def seen(self, subject: str) -> bool:
        """Return whether the ledger has answered for a subject, or a decision about it waits for the ledger."""
        return subject in self.held or subject in self.known

    # Threads

    def _thread_pool(self) -> ThreadPoolExecutor:
        """Return this process's threads, started on first use. Threads do not survive a fork."""
        if self._threads is None or self._threads[0] != os.getpid():
            self._threads = (os.getpid(), ThreadPoolExecutor(4, thread_name_prefix="consentkit-revocation"))
        return self._threads[1]

    def close(self) -> None:
        """Stop the threads."""
        if self._threads is not None:
            self._threads[1].shutdown(wait=False, cancel_futures=True)
            self._threads = None
