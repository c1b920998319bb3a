"""The spool: records that wait for the ledger, on disk if there is a directory, and in memory otherwise."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, Protocol, TypedDict

from consentkit.errors import LedgerError, LedgerUnavailableError
from consentkit.ledger.fork_hooks import ForkHooks
from consentkit.ledger.outage_log import OutageLog
from consentkit.ledger.record import Record
from consentkit.ledger.spool_directory import SpoolDirectory
from consentkit.ledger.waiting_records import Waiting, WaitingRecords

__all__ = ["Spool", "SpoolHealth"]

logger = logging.getLogger("consentkit.ledger")

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
LARGEST_DELIVERY: Final = 100
MOST_WAITING: Final = 10_000
MOST_BYTES: Final = 64 * 2**20
# Twice the default `lock_timeout` of a ledger: the try under way may take it once, and the last one once more.
CLOSE_TIMEOUT: Final = 4.0


class AppendableLedger(Protocol):
    """The ledger, or an object that appends to it."""

    def append(self, *records: Record) -> Sequence[Record] | None:
        """Store records durably, all or none.

        Return the records of which listeners are told, such as the given ones with their copies; None for the given ones.
        """


class SpoolHealth(TypedDict):
    """Facts about a spool for monitoring.

    Attributes:
        waiting: how many records this process has to deliver.
        oldest: when the event of the oldest waiting record happened, in seconds since the epoch; None without records.
        refused: how many records were not taken since the start of the process, because the spool was full.
        directory: where the records wait; None if they wait in memory.
    """

    waiting: int
    oldest: int | None
    refused: int
    directory: str | None


class Spool:
    """Queue of records whose decision took effect while the ledger was unavailable.

    With a directory each record is a file, which survives the process; see `spool_directory.py` for who delivers it.
    Without a directory the records are lost with the process. A thread delivers them in the order in which they came, and
    runs only while there are any.
    """

    def __init__(
        self,
        ledger: AppendableLedger,
        directory: str | Path | None = None,
        *,
        delivered: Callable[[Record], None] | None = None,
        created_when_needed: bool = False,
        most: int = MOST_WAITING,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Adopt the files that dead processes left in the directory, and start to deliver them.

        Args:
            ledger: where records are delivered.
            directory: where records wait; None for the memory of this process.
            delivered: called with each stored record, in the thread that delivers. Its exceptions are logged.
            created_when_needed: create the directory with the first record. If that fails, records wait in memory.
            most: how many records may wait in this process.
            most_bytes: how many bytes of JSON they may have.
            clock: seconds, for the lines of the log.

        Raises:
            ConfigurationError: the directory cannot be created, read or written, and is not `created_when_needed`.
        """
        self._ledger = ledger
        self._delivered = delivered
        self._bounds = (most, most_bytes)
        self._directory = None if directory is None else SpoolDirectory(Path(directory).absolute())
        if self._directory is not None and not created_when_needed:
            self._directory.prepare()
        self._closed = False
        self._outage = OutageLog(
            "The ledger is out of reach: records wait for it.",
            "The ledger is still out of reach: records wait for it.",
            "The ledger is back, and all records that waited were delivered.",
            clock=clock,
        )
        self.restart()
        _FORK_HOOKS.add(self)
        self.adopt()

    def restart(self) -> None:
        """Start without records and thread, because a forked child must not deliver what the parent still delivers."""
        self._changed = threading.Condition(threading.Lock())
        self._one_adopts = threading.Lock()
        self._retry_now = threading.Event()
        # The last thread that was started, and whether it will look for records again.
        self._thread: threading.Thread | None = None
        self._is_running = False
        self._gave_up = False
        self._waiting = WaitingRecords(*self._bounds)
        self._refused = 0
        # Whether dead processes left more files than there was room for.
        self._is_more_to_adopt = False
        self._errors_logged: set[str] = set()
        if self._directory is not None:
            self._directory.restart()

    def put(self, record: Record) -> bool:
        """Queue a record until the ledger has stored it, and return whether it was taken; never raises.

        If it was taken, the record is safe on disk. Without a directory, or if writing fails, it is only in memory; a
        failure is logged. A record is not taken if the spool is full, or closed and without a directory. Records without
        a subject are not taken from 80 % of the bounds on.
        """
        text = record.to_json()
        with self._changed:
            if record.id in self._waiting:
                return True
            is_taken = self._is_of_use() and self._waiting.reserve(record, len(text))
            self._refused += not is_taken
        if not is_taken:
            self._log(self._outage.count(refused=1))
            return False
        self._log(self._outage.count(waiting=1))
        return self._take(record, Waiting(record.at, len(text), *self._written(record, text)))

    def pending(self, record_id: str | None = None) -> tuple[Record, ...]:
        """Return the records that this process has to deliver, or the one with an id, in the order in which they came."""
        with self._changed:
            waiting = self._waiting.items(record_id)
        records = []
        for _, each in waiting:
            # A file that cannot be read now is logged when it is delivered.
            with suppress(OSError):
                records.append(self._record_of(each))
        return tuple(record for record in records if record is not None)

    def waiting_elsewhere(self) -> tuple[Record, ...] | None:
        """Return the records of subjects that wait in other processes which share the directory, oldest first.

        At most 10 000; None if the directory cannot be read. Call this before reading the ledger's changes: a record that is
        delivered between the two is then found in the ledger.
        """
        if self._directory is None:
            return ()
        try:
            return self._directory.others()
        except OSError as error:
            self._log_error("The spool's directory cannot be read", error)
            return None

    def adopt(self) -> tuple[Record, ...]:
        """Take over the records of processes that have ended, start to deliver them, and return them."""
        try:
            return self._adopt()
        except OSError as error:
            self._log_error("The spool's directory cannot be read, so records of other processes wait", error)
            return ()

    def health(self) -> SpoolHealth:
        """Return facts about the spool for monitoring."""
        with self._changed:
            return {
                "waiting": len(self._waiting),
                "oldest": self._waiting.oldest,
                "refused": self._refused,
                "directory": None if self._directory is None else str(self._directory.path),
            }

    def flush(self, timeout: float) -> bool:
        """Retry the delivery at once, and return whether no record is left after at most `timeout` seconds."""
        self._retry_now.set()
        with self._changed:
            return self._changed.wait_for(lambda: not len(self._waiting), timeout)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Try to deliver everything once more, within `timeout` seconds, then stop the thread.

        Records that are left stay on disk for another process; those in memory alone are lost, which is logged. A later
        `put` writes to the directory, if there is one.
        """
        with self._changed:
            self._closed = True
            thread = self._thread
        self._retry_now.set()
        if thread is not None:
            thread.join(timeout)
        with self._changed:
            self._gave_up = True
            lost = self._waiting.discard_those_in_memory()
            is_stopped = not self._is_running
        if self._directory is not None and is_stopped:
            self._directory.close()
        if lost:
            logger.error(
                "The ledger was out of reach until the spool was closed. %d records that waited in memory alone are "
                "lost. Set spool= to a directory to keep such records.",
                lost,
            )

    # Taking records

    def _is_of_use(self) -> bool:
        """Return whether a record that is put now will be delivered, if not by this process then by another."""
        return not self._closed or self._directory is not None

    def _written(self, record: Record, text: str) -> tuple[str | None, Record | None]:
        """Return the name of the file that a record was written to, or the record itself if it stays in memory."""
        if self._directory is None:
            return None, record
        try:
            return self._directory.write(record, text), None
        except OSError as error:
            self._log_error(
                "Records cannot be written to the spool, so they wait in memory alone and are lost if this process "
                "ends before the ledger is back. Check the directory",
                error,
            )
            return None, record

    def _take(self, record: Record, waiting: Waiting) -> bool:
        with self._changed:
            self._waiting.release(record.id)
            if self._closed:
                # This process no longer delivers. Another one adopts the file, if there is one.
                return waiting.file is not None
            self._waiting.add(record.id, waiting)
            self._start_thread()
        return True

    def _adopt(self) -> tuple[Record, ...]:
        if self._directory is None or self._closed:
            return ()
        adopted: list[Record] = []
        with self._one_adopts, closing(self._directory.adopt()) as files:
            while True:
                with self._changed:
                    self._is_more_to_adopt = self._waiting.is_full
                if self._is_more_to_adopt or (file := next(files, None)) is None:
                    return tuple(adopted)
                record = file.record
                self._outage.add(waiting=1)
                with self._changed:
                    self._waiting.add(record.id, Waiting(record.at, len(record.to_json()), file.name, None))
                    self._start_thread()
                adopted.append(record)

    # Delivering records

    def _start_thread(self) -> None:
        """Start the thread unless it runs. The caller holds the lock."""
        if not self._is_running and not self._closed:
            self._is_running = True
            self._thread = threading.Thread(target=self._run, name="consentkit-spool", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            # Read before the try: a record that came before `close` is part of a try that begins after it.
            is_last = self._closed
            self._try_to_deliver()
            # Under the lock, so that `put` either sees this thread or starts another one.
            with self._changed:
                is_empty = not self._waiting
                end = self._outage.end() if is_empty else None
                is_over = is_last or self._gave_up or (is_empty and not self._is_more_to_adopt)
                self._is_running, is_closed = not is_over, self._closed
            if end is not None:
                logger.warning(end)
                self._errors_logged.clear()
            if is_over:
                break
            if not is_empty:
                self._retry_now.wait(pause)
            self._retry_now.clear()
            pause = min(2 * pause, LONGEST_PAUSE)
        if is_closed and self._directory is not None:
            self._directory.close()

    def _try_to_deliver(self) -> None:
        self.adopt()
        try:
            self._deliver()
        except LedgerUnavailableError as error:
            line = self._outage.count()
            if line is not None:
                logger.warning("%s %s", line, error)
        except Exception as error:
            self._log_error(
                "Records could not be delivered from the spool. The delivery will be tried again", error
            )

    def _deliver(self) -> None:
        with self._changed:
            waiting = self._waiting.items()
        for first in range(0, len(waiting), LARGEST_DELIVERY):
            if self._gave_up:
                return
            batch = dict(waiting[first : first + LARGEST_DELIVERY])
            records = self._records_of(batch)
            try:
                stored = self._ledger.append(*records) if records else ()
            except LedgerUnavailableError:
                raise
            except LedgerError:
                self._deliver_one_by_one(records, batch)
            else:
                self._finish(records, batch, records if stored is None else stored)

    def _records_of(self, batch: dict[str, Waiting]) -> list[Record]:
        """Read the records of a batch. Forget those whose files are gone or hold no record."""
        records = []
        for record_id, waiting in batch.items():
            try:
                record = self._record_of(waiting)
            except OSError as error:
                self._log_error(f"Record {record_id} cannot be read from the spool, and waits", error)
                continue
            if record is not None:
                records.append(record)
                continue
            logger.error("Record %s is no longer in the spool, so it is not delivered.", record_id)
            self._forget([record_id])
        return records

    def _record_of(self, waiting: Waiting) -> Record | None:
        if waiting.file is None or self._directory is None:
            return waiting.record
        return self._directory.read(waiting.file)

    def _deliver_one_by_one(self, records: Sequence[Record], batch: dict[str, Waiting]) -> None:
        for record in records:
            try:
                stored = self._ledger.append(record)
            except LedgerUnavailableError:
                raise
            except LedgerError as error:
                logger.error("Record %s was refused and will not be delivered again. %s", record.id, error)
                if self._directory is not None and (file := batch[record.id].file) is not None:
                    self._directory.set_aside(file)
                self._forget([record.id])
            else:
                self._finish([record], batch, [record] if stored is None else stored)

    def _finish(self, records: Sequence[Record], batch: dict[str, Waiting], stored: Sequence[Record]) -> None:
        """Remove delivered records and their files, and then call the callback for what was stored."""
        if self._directory is not None:
            files = (batch[record.id].file for record in records)
            self._directory.remove(file for file in files if file is not None)
        self._forget([record.id for record in records])
        self._outage.add(delivered=len(records))
        for record in stored:
            self._announce(record)

    def _forget(self, record_ids: Sequence[str]) -> None:
        with self._changed:
            self._outage.add(waiting=-sum(map(self._waiting.discard, record_ids)))
            self._changed.notify_all()

    def _announce(self, record: Record) -> None:
        if self._delivered is None:
            return
        try:
            self._delivered(record)
        except Exception:
            logger.exception(
                "Record %s is stored, but the callback for it failed. It is not called again.", record.id
            )

    # The log

    def _log(self, line: str | None) -> None:
        if line is not None:
            logger.error(line)

    def _log_error(self, problem: str, error: Exception) -> None:
        """Log a problem once in an outage."""
        if problem not in self._errors_logged:
            self._errors_logged.add(problem)
            logger.error("%s: %s", problem, error, exc_info=not isinstance(error, OSError))


_FORK_HOOKS: Final = ForkHooks(after_in_child=Spool.restart)
