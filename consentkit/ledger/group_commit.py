"""Group commit: rows that several threads insert at once share one transaction, and so one `fsync`.

A job is a number of rows, or a plan: rows that are worked out inside the transaction from what the ledger holds there. Where
several processes may write at once, a batch of plans shares the ledger's lock with theirs. Everything else is stored by a
transaction that has the lock alone.
"""

import logging
import threading
from collections.abc import Sequence
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, TimeoutError

from consentkit.errors import LedgerError, LedgerUnavailableError
from consentkit.ledger.connections import Database
from consentkit.ledger.driver import is_lost_connection
from consentkit.ledger.fork_hooks import ForkHooks
from consentkit.ledger.tables import AddCounts, InsertIgnore
from consentkit.ledger.view import Document, Entries, LedgerView, Plan
from consentkit.ledger.write_locks import MOST_NAMES, MustBeAloneError
from consentkit.ledger.writing import Statements, insert_documents, rows_of

__all__ = ["GroupCommitWriter"]

logger = logging.getLogger("consentkit.ledger")

Statement = InsertIgnore | AddCounts
Rows = list[tuple[Statement, Sequence[dict[str, Any]]]]

LARGEST_BATCH: Final = 500
LONGEST_QUEUE: Final = 10_000
MOST_DOCUMENTS: Final = 256
# A deadlock, and no room for another lock.
_CONFLICTS: Final = frozenset({"40P01", "53200"})


class _State(Enum):
    """The progress of a job. Changes need the writer's lock until the job is sealed."""

    WAITING = "the caller may still give up"
    ABANDONED = "the caller gave up, with the error that nothing was stored"
    SEALED = "the job is part of a transaction that is being committed"
    DONE = "the caller has the result"


class _Job:
    """The rows or the plan of one call, and the lock that its caller waits for."""

    __slots__ = ("done", "entries", "error", "failure", "inserted", "plan", "rows", "state")

    def __init__(self, rows: Rows, plan: Plan | None = None) -> None:
        self.rows = rows
        self.plan = plan
        self.entries = Entries()
        self.failure: Exception | None = None
        self.inserted = 0
        self.error: Exception | None = None
        self.state = _State.WAITING
        # Released when the job is done. An Event would do the same with a condition around such a lock.
        self.done = threading.Lock()
        self.done.acquire()

    @property
    def adds_links(self) -> bool:
        """Whether the job is a plan that adds links."""
        return self.plan is not None and self.plan.adds_links

    @property
    def names(self) -> frozenset[str]:
        """The names that the job builds on."""
        return self.plan.names if self.plan is not None else frozenset()

    @property
    def is_alone(self) -> bool:
        """Whether no other process may write in the same moment."""
        return self.plan is None or self.plan.adds_links or len(self.plan.names) > MOST_NAMES


class _JobQueue:
    """The jobs that wait. The writer may give the last one back."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._first: _Job | None = None

    def put(self, job: _Job | None) -> None:
        """Add a job; None stops the writer."""
        self._queue.put(job)

    def get(self, *, block: bool = True) -> _Job | None:
        """Return the next job, and wait for it if needed.

        Raises:
            Empty: there is none, and `block` is false.
        """
        if self._first is None:
            return self._queue.get(block=block)
        job, self._first = self._first, None
        return job

    def give_back(self, job: _Job) -> None:
        """Make a job the next one."""
        self._first = job

    def qsize(self) -> int:
        """Return how many jobs wait."""
        return self._queue.qsize()


class _CallerGaveUpError(Exception):
    """A caller gave up before the commit, so the transaction starts again without its rows."""


class _RowsAlreadyStoredError(Exception):
    """Some rows of a batch were stored before, so its jobs are stored one by one, each with its own count."""


class GroupCommitWriter:
    """Store rows durably for many threads, with few transactions and without a timer.

    A single thread writes. Jobs that arrive while it commits wait in a queue, and its next transaction takes them all.
    """

    def __init__(self, database: Database, statements: Statements) -> None:
        self._database = database
        self._statements = statements
        self._closed = False
        self.restart()
        _FORK_HOOKS.add(self)

    def restart(self) -> None:
        """Create an empty queue without a thread, as a forked child needs: the parent stores what its own callers wait for."""
        self._lock = threading.Lock()
        self._queue = _JobQueue()
        self._thread: threading.Thread | None = None
        # By identity, each with the document, so that no other one gets the same identity.
        self._documents: dict[int, Document] = {}
        self._documents_epoch = 0

    def insert(self, statement: Statement, rows: Sequence[dict[str, Any]]) -> int:
        """Insert rows and return how many were new, once they are durable.

        Raises:
            LedgerUnavailableError: nothing was stored, and nothing will be later. Only if the database stopped
                answering during a commit is that unknown, as the message says; inserting again is safe then.
        """
        job = _Job([(statement, rows)])
        self._wait_for(job)
        return job.inserted

    def carry_out(self, plan: Plan) -> Entries:
        """Work a plan out inside the transaction that stores it, and return what was stored, once it is durable.

        Raises:
            LedgerUnavailableError: as for `insert`.
            Exception: what the plan raised; nothing of it was stored.
        """
        job = _Job([], plan)
        self._wait_for(job)
        return job.entries

    def _wait_for(self, job: _Job) -> None:
        with self._lock:
            thread = self._enqueue(job)
        if thread is not None:
            # Outside the lock. With gevent, starting lets the writer run, which would wait for the lock inside its transaction:
            # another ledger of the process that begins one on the same SQLite file then blocks both.
            thread.start()
        if not job.done.acquire(timeout=self._database.lock_timeout):
            self._give_up(job)
        if job.error is not None:
            raise job.error

    def close(self) -> None:
        """Store what is queued, then stop the thread."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._queue.put(None)
        if thread is not None and thread.is_alive():
            thread.join(2 * self._database.lock_timeout)

    def _enqueue(self, job: _Job) -> threading.Thread | None:
        """Put a job into the queue. Return the writing thread if it has to be started."""
        if self._closed:
            raise LedgerUnavailableError("The ledger was closed.")
        if self._queue.qsize() >= LONGEST_QUEUE:
            raise LedgerUnavailableError(
                f"The ledger cannot be used now: {LONGEST_QUEUE} other calls are waiting for it."
            )
        self._queue.put(job)
        if self._thread is not None:
            return None
        self._thread = threading.Thread(
            target=self._run, args=(self._queue,), name="consentkit-ledger", daemon=True
        )
        return self._thread

    def _give_up(self, job: _Job) -> None:
        """Withdraw a job that has taken too long, or wait for a commit that has begun.

        Raises:
            LedgerUnavailableError: the job was withdrawn, or the commit took too long as well.
        """
        limit = self._database.lock_timeout
        # Under the lock either this caller abandons the job or the writer seals it. Without it, the error
        # could report "Nothing was stored" about rows that are stored a moment later.
        with self._lock:
            if job.state is _State.WAITING:
                job.state = _State.ABANDONED
                raise LedgerUnavailableError(
                    f"The ledger did not answer within {limit} s. Nothing was stored."
                )
        if not job.done.acquire(timeout=limit):
            raise LedgerUnavailableError(
                "The ledger stopped answering during a commit, so the outcome is unknown. Storing again is safe."
            )

    def _run(self, queue: _JobQueue) -> None:
        while (first := queue.get()) is not None:
            batch = [first]
            try:
                self._store(batch, queue)
            except Exception as error:
                logger.exception(
                    "The ledger's writer failed. Callers get LedgerUnavailableError; the writer continues. "
                    "Please report this error."
                )
                self._finish(batch, LedgerUnavailableError(f"The ledger's writer failed: {error!r}"))

    def _store(self, batch: list[_Job], queue: _JobQueue | None = None) -> None:
        """Commit a batch; repeat without callers that gave up, or one by one if its jobs must not share an outcome."""
        reconnected = False
        alone = not self._database.allows_several_writers or batch[0].is_alone
        while self._drop_abandoned(batch):
            try:
                self._commit(batch, queue, alone=alone)
            except _CallerGaveUpError:
                continue
            except MustBeAloneError:
                alone = True
                continue
            except _RowsAlreadyStoredError:
                return self._store_one_by_one(batch)
            except LedgerUnavailableError as error:
                if is_lost_connection(error) and not reconnected:
                    # The commit may have arrived. Inserting again is safe, because rows with known keys are ignored.
                    reconnected = True
                    continue
                if not alone and _is_conflict(error):
                    alone = True
                    continue
                if len(batch) > 1 and not _is_outage(error):
                    return self._store_one_by_one(batch)
                return self._finish(batch, error)
            return self._finish(batch)

    def _store_one_by_one(self, batch: list[_Job]) -> None:
        for job in batch:
            self._store([job])

    def _drop_abandoned(self, batch: list[_Job]) -> bool:
        batch[:] = [job for job in batch if job.state is not _State.ABANDONED]
        return bool(batch)

    def _commit(self, batch: list[_Job], queue: _JobQueue | None, *, alone: bool) -> None:
        with self._database.transaction(alone=alone) as connection:
            if queue is not None:
                # Inside the transaction, because most jobs arrive while it waits for the database's write lock.
                _take_queued(batch, queue, alone=alone)
            self._insert(connection, batch, alone=alone)
            with self._lock:
                if any(job.state is _State.ABANDONED for job in batch):
                    raise _CallerGaveUpError
                for job in batch:
                    job.state = _State.SEALED
        self._remember_documents(batch)

    def _insert(self, connection: Connection, batch: list[_Job], *, alone: bool) -> None:
        """Insert the rows of a batch with one statement for each table, in the order in which they came."""
        self._work_out_plans(connection, batch, alone=alone)
        rows_by_statement: dict[Statement, list[dict[str, Any]]] = {}
        for job in batch:
            for statement, rows in job.rows:
                rows_by_statement.setdefault(statement, []).extend(rows)
        for statement, rows in rows_by_statement.items():
            inserted = statement.run(connection, rows)
            if not alone and inserted != len(rows):
                # Another process has stored one of them meanwhile, which the plan has to know.
                raise MustBeAloneError
            if len(batch) == 1:
                batch[0].inserted = inserted
            elif inserted != len(rows):
                raise _RowsAlreadyStoredError
        if len(batch) > 1:
            for job in batch:
                job.inserted = sum(len(rows) for _, rows in job.rows)

    def _work_out_plans(self, connection: Connection, batch: list[_Job], *, alone: bool) -> None:
        plans = [job.plan for job in batch if job.plan is not None]
        if not plans:
            return
        view = LedgerView(connection, alone)
        view.prefetch(plans)
        for job in batch:
            if job.plan is None:
                continue
            job.failure = None
            try:
                job.entries = job.plan.work_out(view)
                job.rows = [*rows_of(job.entries, self._statements)]
            except (LedgerUnavailableError, MustBeAloneError):
                raise
            except Exception as error:
                job.failure, job.entries, job.rows = error, Entries(), []
            view.add(job.entries)
        self._insert_documents(connection, batch)

    def _insert_documents(self, connection: Connection, batch: list[_Job]) -> None:
        """Insert the notices of a batch, unless this writer has seen them in the very same database."""
        if self._documents_epoch != self._database.epoch:
            self._documents_epoch, self._documents = self._database.epoch, {}
        needed = {
            id(job.plan.document): job.plan.document
            for job in batch
            if job.rows and job.plan is not None and job.plan.document is not None
        }
        new = [document for key, document in needed.items() if key not in self._documents]
        if new:
            insert_documents(connection, new, self._statements)

    def _remember_documents(self, batch: list[_Job]) -> None:
        """Note which notices are in the database, now that the transaction is committed."""
        for job in batch:
            document = job.plan.document if job.plan is not None and job.rows else None
            if document is not None and len(self._documents) < MOST_DOCUMENTS:
                self._documents[id(document)] = document

    def _finish(self, batch: list[_Job], error: LedgerError | None = None) -> None:
        for job in batch:
            # When jobs go one by one, some are done before another one fails.
            if job.state is not _State.DONE:
                job.state = _State.DONE
                job.error = error or job.failure
                job.done.release()


_FORK_HOOKS: Final = ForkHooks(after_in_child=GroupCommitWriter.restart)


def _take_queued(batch: list[_Job], queue: _JobQueue, *, alone: bool) -> None:
    """Add the jobs to a batch that wait and may share its transaction."""
    names = {name for job in batch for name in job.names} if not alone else set[str]()
    # A plan that adds links ends its batch, because the plans after it have to see the links.
    while len(batch) < LARGEST_BATCH and not batch[-1].adds_links:
        try:
            job = queue.get(block=False)
        except Empty:
            return
        if job is None:
            # None stops the thread: it goes back, so that this batch is stored first.
            queue.put(None)
            return
        if not alone:
            names |= job.names
            if job.is_alone or len(names) > MOST_NAMES:
                queue.give_back(job)
                return
        batch.append(job)


def _is_conflict(error: LedgerUnavailableError) -> bool:
    """Return whether writers that share the ledger's lock have got into each other's way, which none that is alone can."""
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) in _CONFLICTS


def _is_outage(error: LedgerUnavailableError) -> bool:
    """Return whether the database cannot write at all now, rather than refuse the rows of one job."""
    return isinstance(
        error.__cause__, (OSError, TimeoutError, OperationalError, InterfaceError, InternalError, type(None))
    )
