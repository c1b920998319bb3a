"""What became of a visitor's grant elsewhere: in another process, on another host, at customer service.

A grant that a process sees for the first time is looked up in the ledger; after that, one query for all subjects that
changed is made every `recheck` seconds. While the ledger is out of reach a grant stands for `max_stale` seconds since it
was last checked, and no request waits longer than a quarter of a second for it.
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
"""Seconds without any attempt after one that failed."""
_REMEMBERED = 100_000


class NoRevocations:
    """What is known where there is no ledger: nothing, for ever."""

    known: Mapping[str, tuple[Record | None, float]] = MappingProxyType({})
    polled, due_at = float("-inf"), float("inf")


class RevocationCache:
    """Know the newest record of every subject that this process has seen. Times are seconds since the epoch.

    Attributes:
        known: by subject, the newest record, None where there is none, and when that was looked up.
        held: by subject, decisions of this process that the ledger does not have yet.
        polled: when it was last asked who changed.
        due_at: when it is to be asked again.
    """

    def __init__(self, ledger: Ledger, *, recheck: float, max_stale: float) -> None:
        self._ledger = ledger
        # What was checked longer ago than `max_stale` counts for nothing, so that it has to be checked as often.
        self._every = min(recheck, max_stale)
        self._max_stale = max_stale
        self.known: BoundedCache[str, tuple[Record | None, float]] = BoundedCache(_REMEMBERED)
        self.held: dict[str, Record] = {}
        self._cursor: int | None = None
        self.polled = self.due_at = float("-inf")
        self._failed: float | None = None
        self._one_at_a_time = threading.Lock()
        self._writing = threading.Lock()
        # Subjects that are being looked up, and those of decisions taken here since a poll began to read.
        self._asking: list[str] = []
        self._here: set[str] = set()
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def due(self, subject: str, now: float) -> bool:
        """Say whether `refresh` has anything to do for this subject."""
        if self._failed is not None and 0 <= now - self._failed < PAUSE:
            return False
        return subject not in self.known or not self.polled <= now < self.due_at

    def refresh(self, subject: str, now: float) -> None:
        """Ask the ledger what is due, for a quarter of a second at the most; never raises."""
        future: Future[None] = self._workers().submit(self._ask, subject, now)
        try:
            future.result(LONGEST_WAIT)
        except (FutureTimeoutError, LedgerUnavailableError) as error:
            self._failed = now
            log.warning("Revocations could not be looked up: %s", str(error) or "no answer in time")

    def _ask(self, subject: str, now: float) -> None:
        if self._cursor is None or not self.polled <= now < self.due_at:
            self._poll(now)
        if subject not in self.known:
            self._asking.append(subject)  # so that a poll meanwhile remembers what it finds
            try:
                record = self._ledger.newest(subject)
                with self._writing:
                    if subject not in self.known:
                        self._remember(subject, record, now)
            finally:
                self._asking.remove(subject)

    def _poll(self, now: float) -> None:
        """Read who changed since the last time; whoever comes while somebody reads, waits for that one's answer."""
        with self._one_at_a_time:
            if self._cursor is not None and self.polled <= now < self.due_at:
                return
            cursor = self._cursor
            while True:
                self._here = set()
                changed, after = self._ledger.changes(cursor)
                with self._writing:
                    for record in changed:
                        subject = record.subject
                        if subject and (subject in self.known or subject in self._asking):
                            self._take(subject, record, now)
                if after == cursor or cursor is None:
                    break
                cursor = after
            self._cursor = after
            self.polled, self.due_at = now, now + self._every
            self._failed = None

    def _take(self, subject: str, record: Record, now: float) -> None:
        """Take over what a poll read, unless a decision was taken here while it was reading, which may be newer."""
        ours = self.known.get(subject, (None,))[0] if subject in self._here else None
        if ours is None or ours.id == record.id or ours.changed_at < record.changed_at:
            self._remember(subject, record, now)
        elif ours.changed_at == record.changed_at:  # of one second: the ledger has to say
            del self.known[subject]

    def _remember(self, subject: str, record: Record | None, now: float) -> None:
        self.known[subject] = (record, now)

    def hold(self, record: Record, now: float, *, stored: bool) -> None:
        """Let a decision that was taken in this process count at once, stored or not.

        Before the first poll nothing is remembered, since what happens until then would never be read: the subject is looked up
        like any other that is new here.
        """
        if not record.subject:
            return
        if not stored:
            self.held[record.subject] = record
            known = self.known.get(record.subject)
            if known is not None:  # for whoever relies on what was known so far
                self._remember(record.subject, *known)
            return
        with self._writing:
            self._here.add(record.subject)
            if self._cursor is not None:
                self._remember(record.subject, record, now)
            self.held.pop(record.subject, None)

    def newest(self, subject: str, changed_at: int, now: float) -> tuple[Record | None, bool]:
        """Give the newest record of the subject of a decision, and whether that is fresh enough to rely on.

        No record at all, though the ledger was asked, means that the grant cannot be proved.
        """
        held = self.held.get(subject)
        if held is not None:
            return held, True
        record, checked = self.known.get(subject, (None, None))
        if checked is None:
            return None, now - changed_at <= self._max_stale
        return record, now - max(checked, self.polled) <= self._max_stale

    def seen(self, subject: str) -> bool:
        """Say whether the ledger has answered for this subject."""
        return subject in self.held or subject in self.known

    def _workers(self) -> ThreadPoolExecutor:
        """Start threads on first use in each process, so that a fork finds its own."""
        if self._pool is None or self._pool[0] != os.getpid():
            self._pool = (os.getpid(), ThreadPoolExecutor(4, thread_name_prefix="consentkit-revocation"))
        return self._pool[1]

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool[1].shutdown(wait=False, cancel_futures=True)
            self._pool = None
