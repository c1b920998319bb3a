"""What became of a visitor's grant elsewhere: in another process, on another host, at customer service.

A grant that a process sees for the first time is looked up in the ledger; after that, one query for all subjects that
changed is made every `recheck` seconds. While the ledger is out of reach a grant stands for `max_stale` seconds since it
was last checked, and no request waits longer than a quarter of a second for it.
"""

import logging
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from itertools import islice

from consentkit.consent import Decision
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger, Record

__all__ = ["Revocations"]

log = logging.getLogger("consentkit.revocation")

LONGEST_WAIT = 0.25
"""Seconds that a request waits for the ledger."""
PAUSE = 5.0
"""Seconds without any attempt after one that failed."""
_REMEMBERED = 100_000


class Revocations:
    """Know the newest record of every subject that this process has seen. Times are seconds since the epoch."""

    def __init__(self, ledger: Ledger, *, recheck: float, max_stale: float) -> None:
        self._ledger = ledger
        self._recheck = recheck
        self._max_stale = max_stale
        self._newest: dict[str, tuple[Record | None, float]] = {}
        self._held: dict[str, Record] = {}
        self._cursor: int | None = None
        self._polled = float("-inf")
        self._failed: float | None = None
        self._one_at_a_time = threading.Lock()
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def due(self, subject: str, now: float) -> bool:
        """Say whether `look` has anything to do for this subject."""
        if self._failed is not None and 0 <= now - self._failed < PAUSE:
            return False
        return subject not in self._newest or not 0 <= now - self._polled < self._recheck

    def look(self, subject: str, now: float) -> None:
        """Ask the ledger what is due, for a quarter of a second at the most; never raises."""
        future: Future[None] = self._workers().submit(self._ask, subject, now)
        try:
            future.result(LONGEST_WAIT)
        except (FutureTimeoutError, LedgerUnavailableError) as error:
            self._failed = now
            log.warning("Revocations could not be looked up: %s", str(error) or "no answer in time")

    def _ask(self, subject: str, now: float) -> None:
        if self._cursor is None or not 0 <= now - self._polled < self._recheck:
            self._poll(now)
        if subject not in self._newest:
            self._remember(subject, self._ledger.newest(subject), now)

    def _poll(self, now: float) -> None:
        """Read who changed since the last time; whoever comes while somebody reads, waits for that one's answer."""
        with self._one_at_a_time:
            if self._cursor is not None and 0 <= now - self._polled < self._recheck:
                return
            cursor = self._cursor
            while True:
                changed, after = self._ledger.changes(cursor)
                for record in changed:
                    if record.subject in self._newest:
                        self._remember(record.subject, record, now)
                if after == cursor or cursor is None:
                    break
                cursor = after
            self._cursor = after
            self._polled = now
            self._failed = None

    def _remember(self, subject: str, record: Record | None, now: float) -> None:
        if len(self._newest) >= _REMEMBERED and subject not in self._newest:
            for old in tuple(islice(self._newest, _REMEMBERED // 10)):
                self._newest.pop(old, None)
        self._newest[subject] = (record, now)

    def hold(self, record: Record, now: float, *, stored: bool) -> None:
        """Let a decision that was taken in this process count at once, stored or not.

        Before the first poll nothing is remembered, since what happens until then would never be read: the subject is looked up
        like any other that is new here.
        """
        if not record.subject:
            return
        if not stored:
            self._held[record.subject] = record
            return
        self._held.pop(record.subject, None)
        if self._cursor is not None:
            self._remember(record.subject, record, now)

    def newest(self, decision: Decision, now: float) -> tuple[Record | None, bool]:
        """Give the newest record of a decision's subject, and whether that is fresh enough to rely on.

        No record at all, though the ledger was asked, means that the grant cannot be proved.
        """
        held = self._held.get(decision.subject)
        if held is not None:
            return held, True
        record, checked = self._newest.get(decision.subject, (None, None))
        if checked is None:
            return None, now - decision.changed_at <= self._max_stale
        return record, now - max(checked, self._polled) <= self._max_stale

    def seen(self, subject: str) -> bool:
        """Say whether the ledger has answered for this subject."""
        return subject in self._held or subject in self._newest

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
