"""Group commit: everything that waits goes into one transaction."""

import logging
import os
import threading
import weakref
from collections.abc import Sequence
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, TimeoutError

from consentkit.errors import LedgerError, LedgerUnavailableError
from consentkit.ledger.connections import Database, broke_off
from consentkit.ledger.tables import InsertIgnore

__all__ = ["Writer"]

logger = logging.getLogger("consentkit.ledger")

LARGEST_BATCH: Final = 500
LONGEST_QUEUE: Final = 10_000


class _State(Enum):
    WAITING = "its caller may still leave"
    LEFT = "its caller has left: it must not be stored"
    SEALED = "it is being committed"
    ANSWERED = "its caller knows the outcome"


class _Job:
    """One caller's rows, and the caller waiting for them."""

    __slots__ = ("addition", "done", "error", "inserted", "rows", "state")

    def __init__(self, addition: InsertIgnore, rows: Sequence[dict[str, Any]]) -> None:
        self.addition = addition
        self.rows = rows
        self.inserted = 0
        self.error: LedgerError | None = None
        self.state = _State.WAITING
        # A bare lock is the cheapest thing that a thread can wait for with a limit.
        self.done = threading.Lock()
        self.done.acquire()


class _SomeoneLeftError(Exception):
    """A caller gave up before its rows were committed: the others go without it."""


class _NotAllNewError(Exception):
    """Rows of some callers were stored before: each goes alone, to tell whose."""


class Writer:
    """Store rows for many threads at once, durably, in few transactions and without a timer.

    One thread writes. While it commits, callers gather; it takes them all into its next transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = False
        self.restart()
        _WRITERS.add(self)

    def restart(self) -> None:
        """Begin without a thread and without callers, as in a process just forked."""
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def insert(self, addition: InsertIgnore, rows: Sequence[dict[str, Any]]) -> int:
        """Add rows and say how many were new, once they are durable.

        Raises:
            LedgerUnavailableError: they were not stored, and will not be later; or, when the database went silent in
                the middle of committing, nobody can know: the message says so, and inserting again settles it.
        """
        job = _Job(addition, rows)
        with self._lock:
            self._enqueue(job)
        if not job.done.acquire(timeout=self._database.lock_timeout):
            self._leave(job)
        if job.error is not None:
            raise job.error
        return job.inserted

    def close(self) -> None:
        """Store what waits, then stop."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._queue.put(None)
        if thread is not None:
            thread.join(2 * self._database.lock_timeout)

    def _enqueue(self, job: _Job) -> None:
        if self._closed:
            raise LedgerUnavailableError("The ledger was closed.")
        if self._queue.qsize() >= LONGEST_QUEUE:
            raise LedgerUnavailableError(
                f"The ledger cannot be used now: {LONGEST_QUEUE} others wait for it."
            )
        self._queue.put(job)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, args=(self._queue,), name="consentkit-ledger", daemon=True
            )
            self._thread.start()

    def _leave(self, job: _Job) -> None:
        limit = self._database.lock_timeout
        with self._lock:
            if job.state is _State.WAITING:
                job.state = _State.LEFT
                raise LedgerUnavailableError(
                    f"The ledger did not answer within {limit} s; nothing was stored."
                )
        if not job.done.acquire(timeout=limit):
            raise LedgerUnavailableError("The ledger went silent while committing; storing again settles it.")

    def _run(self, queue: SimpleQueue[_Job | None]) -> None:
        while (first := queue.get()) is not None:
            batch = [first]
            try:
                self._store(batch, queue)
            except Exception as error:
                logger.exception("The ledger's writer failed.")
                self._finish(batch, LedgerUnavailableError(f"The ledger's writer failed: {error!r}"))

    def _store(self, batch: list[_Job], queue: SimpleQueue[_Job | None] | None = None) -> None:
        reconnected = False
        while self._drop_those_who_left(batch):
            try:
                self._commit(batch, queue)
            except _SomeoneLeftError:
                continue
            except _NotAllNewError:
                return self._store_one_by_one(batch)
            except LedgerUnavailableError as error:
                if broke_off(error) and not reconnected:
                    # Inserting again is harmless, and tells whether the commit had arrived.
                    reconnected = True
                    continue
                if len(batch) > 1 and not _is_outage(error):
                    return self._store_one_by_one(batch)
                return self._finish(batch, error)
            return self._finish(batch)

    def _store_one_by_one(self, batch: list[_Job]) -> None:
        for job in batch:
            self._store([job])

    def _drop_those_who_left(self, batch: list[_Job]) -> bool:
        batch[:] = [job for job in batch if job.state is not _State.LEFT]
        return bool(batch)

    def _commit(self, batch: list[_Job], queue: SimpleQueue[_Job | None] | None) -> None:
        with self._database.writing() as connection:
            if queue is not None:
                # Only now: who came while the database was busy goes along.
                _gather(batch, queue)
            _insert(connection, batch)
            with self._lock:
                if any(job.state is _State.LEFT for job in batch):
                    raise _SomeoneLeftError
                for job in batch:
                    job.state = _State.SEALED

    def _finish(self, batch: list[_Job], error: LedgerError | None = None) -> None:
        for job in batch:
            # Of a batch that was stored one by one, some may have had their answer before the rest failed.
            if job.state is not _State.ANSWERED:
                job.state = _State.ANSWERED
                job.error = error
                job.done.release()


_WRITERS: weakref.WeakSet[Writer] = weakref.WeakSet()


def _restart_all() -> None:
    for writer in list(_WRITERS):
        writer.restart()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_restart_all)


def _gather(batch: list[_Job], queue: SimpleQueue[_Job | None]) -> None:
    while len(batch) < LARGEST_BATCH:
        try:
            job = queue.get_nowait()
        except Empty:
            return
        if job is None:
            queue.put(None)
            return
        batch.append(job)


def _insert(connection: Connection, batch: list[_Job]) -> None:
    rows: dict[InsertIgnore, list[dict[str, Any]]] = {}
    for job in batch:
        rows.setdefault(job.addition, []).extend(job.rows)
    for addition, values in rows.items():
        inserted = addition.run(connection, values)
        if len(batch) == 1:
            batch[0].inserted = inserted
        elif inserted != len(values):
            raise _NotAllNewError
    if len(batch) > 1:
        for job in batch:
            job.inserted = len(job.rows)


def _is_outage(error: LedgerUnavailableError) -> bool:
    """Tell a database that cannot write now from one that refuses these rows."""
    return isinstance(
        error.__cause__, (OSError, TimeoutError, OperationalError, InterfaceError, InternalError, type(None))
    )
