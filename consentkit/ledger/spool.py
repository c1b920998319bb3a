"""The spool: records that wait for the ledger, on disk if a directory is configured, and in memory otherwise."""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, Protocol

from consentkit.errors import ConfigurationError, InvalidDecisionError, LedgerError, LedgerUnavailableError
from consentkit.ledger.fork_hooks import ForkHooks
from consentkit.ledger.record import Record

__all__ = ["Spool"]

logger = logging.getLogger("consentkit.ledger")

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
LARGEST_DELIVERY: Final = 100


class AppendableLedger(Protocol):
    """The ledger, or an object that appends to it."""

    def append(self, *records: Record) -> object:
        """Store records durably, all or none."""


class Spool:
    """Queue of records whose decision took effect while the ledger was unavailable.

    With a directory each record is a file, which survives the process. Several processes may share the directory,
    because the ledger stores a record once however often it is delivered. Without a directory the records are lost with
    the process. A thread delivers them in the order in which they came, and runs only while there are any.
    """

    def __init__(
        self,
        ledger: AppendableLedger,
        directory: str | Path | None = None,
        *,
        delivered: Callable[[Record], None] | None = None,
    ) -> None:
        """Read the files that earlier processes left in the directory, and start to deliver them.

        `delivered` is called with each stored record, in the thread that delivers. Its exceptions are logged.

        Raises:
            ConfigurationError: the directory cannot be created, read or written.
        """
        self._ledger = ledger
        self._delivered = delivered
        self._directory = None if directory is None else _prepare(Path(directory).absolute())
        self._closed = False
        self.restart()
        _FORK_HOOKS.add(self)
        self._read_new_files()
        self._start_thread()

    def restart(self) -> None:
        """Create an empty spool without a thread, because a forked child must not deliver what the parent still delivers."""
        self._changed = threading.Condition(threading.Lock())
        self._retry_now = threading.Event()
        self._thread: threading.Thread | None = None
        # By id, in the order in which they came.
        self._waiting: dict[str, tuple[Record, Path | None]] = {}
        # Files that were read once. One that can be neither removed nor renamed must not be read for ever.
        self._files_read: set[Path] = set()

    def put(self, record: Record) -> bool:
        """Queue a record until the ledger has stored it; never raises.

        On return the record is safe on disk. Without a directory, or if writing fails, it is only in memory; a failure
        is logged.
        """
        with self._changed:
            if record.id in self._waiting:
                return True
        path = None
        if self._directory is not None:
            try:
                path = _write(self._directory, record)
            except OSError as error:
                logger.error(
                    "Record %s could not be written to the spool, so it waits in memory alone and is lost if this "
                    "process ends before the ledger is back. Check the directory: %s",
                    record.id,
                    error,
                )
        with self._changed:
            self._waiting[record.id] = (record, path)
        self._start_thread()
        return True

    def pending(self) -> tuple[Record, ...]:
        """Return the records that this process has to deliver, in the order in which they came."""
        with self._changed:
            return tuple(record for record, _ in self._waiting.values())

    def flush(self, timeout: float) -> bool:
        """Retry the delivery at once, and return whether no record is left after at most `timeout` seconds."""
        self._retry_now.set()
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout)

    def close(self) -> None:
        """Try to deliver once more, then stop the thread. Records that are left stay on disk, or are logged as lost."""
        with self._changed:
            self._closed = True
            thread = self._thread
        self._retry_now.set()
        if thread is not None:
            thread.join()
        with self._changed:
            lost = [record.id for record, path in self._waiting.values() if path is None]
        if lost:
            logger.error(
                "The ledger was still unavailable when the spool was closed, so records that were only in memory are "
                "lost: %s. Set spool= to a directory to keep such records.",
                ", ".join(lost),
            )

    def _start_thread(self) -> None:
        with self._changed:
            if self._waiting and self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="consentkit-spool", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                self._read_new_files()
                self._deliver()
            except LedgerUnavailableError as error:
                logger.warning(
                    "%d records wait in the spool. The delivery will be tried again. %s",
                    len(self._waiting),
                    error,
                )
            except Exception:
                logger.exception(
                    "Records could not be delivered from the spool. The delivery will be tried again."
                )
            # Under the lock, so that `put` either sees this thread or starts another one.
            with self._changed:
                if self._closed or not self._waiting:
                    self._thread = None
                    return
            self._retry_now.wait(pause)
            self._retry_now.clear()
            pause = min(2 * pause, LONGEST_PAUSE)

    def _deliver(self) -> None:
        waiting = self.pending()
        for first in range(0, len(waiting), LARGEST_DELIVERY):
            records = waiting[first : first + LARGEST_DELIVERY]
            if self._append(*records) is None:
                self._remove(records)
            else:
                self._deliver_one_by_one(records)

    def _deliver_one_by_one(self, records: tuple[Record, ...]) -> None:
        for record in records:
            refusal = self._append(record)
            if refusal is not None:
                logger.error(
                    "The ledger refused record %s, which will not be delivered again: %s The record: %s",
                    record.id,
                    refusal,
                    record.to_json(),
                )
            self._remove((record,), refused=refusal is not None)

    def _append(self, *records: Record) -> LedgerError | None:
        """Append records; return the error if the ledger refuses them, which trying again would not change."""
        try:
            self._ledger.append(*records)
        except LedgerUnavailableError:
            raise
        except LedgerError as error:
            return error
        return None

    def _remove(self, records: tuple[Record, ...], *, refused: bool = False) -> None:
        with self._changed:
            for record in records:
                _, path = self._waiting.pop(record.id)
                if path is not None and not (_set_aside(path) if refused else _delete(path)):
                    self._files_read.add(path)
            self._changed.notify_all()
        callback = self._delivered
        if refused or callback is None:
            return
        for record in records:
            try:
                callback(record)
            except Exception:
                logger.exception(
                    "Record %s is stored, but the callback for it failed. It is not called again.", record.id
                )

    def _read_new_files(self) -> None:
        if self._directory is None:
            return
        with self._changed:
            known_paths = self._files_read | {path for _, path in self._waiting.values() if path is not None}
            for path in sorted(self._directory.glob("*.json")):
                if path not in known_paths:
                    self._read_file(path)

    def _read_file(self, path: Path) -> None:
        try:
            record = Record.from_json(path.read_bytes())
        except FileNotFoundError:
            return  # another process has just delivered it
        except (OSError, InvalidDecisionError) as error:
            logger.error(
                "%s holds no record. It is renamed to *.refused and not read again. Look at what wrote it: %s",
                path,
                error,
            )
            self._files_read.add(path)
            _set_aside(path)
        else:
            self._waiting.setdefault(record.id, (record, path))
            self._files_read.add(path)


_FORK_HOOKS: Final = ForkHooks(after_in_child=Spool.restart)


def _prepare(directory: Path) -> Path:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            return directory
    except OSError as error:
        raise ConfigurationError(
            f"spool = {str(directory)!r}: {error}. Write the path of a directory that the server's user may write to."
        ) from error


def _write(directory: Path, record: Record) -> Path:
    """Write a record to a file of its own, durably and in one step for everybody who reads the directory."""
    # Files sort by their names, so the time in front keeps the order in which records came, also after a restart.
    path = directory / f"{time.time_ns():020}-{record.id}.json"
    draft = path.with_suffix(".draft")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(record.to_json())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        # The directory too, because after a power cut a file is only there if its entry was written.
        _sync(directory)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    return path


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _delete(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.error("%s is in the ledger, but its file cannot be deleted. Delete it: %s", path, error)
        return False
    return True


def _set_aside(path: Path) -> bool:
    try:
        path.rename(path.with_suffix(".refused"))
    except OSError as error:
        logger.error("%s cannot be renamed to *.refused and stays. Move it away: %s", path, error)
        return False
    return True
