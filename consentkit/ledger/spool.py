"""Records that wait for the ledger: kept on disk where there is a place, tried again until stored."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, Protocol

from consentkit.errors import ConfigurationError, InvalidDecisionError, LedgerError, LedgerUnavailableError
from consentkit.ledger.record import Record

__all__ = ["Spool"]

logger = logging.getLogger("consentkit.ledger")

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
LARGEST_DELIVERY: Final = 100


class Appends(Protocol):
    """The ledger, or what stands before it."""

    def append(self, *records: Record) -> None:
        """Store records durably, all or none."""


class Spool:
    """Hold records of withdrawals that took effect while the ledger was away, until it has them.

    With a directory each record is a file of its own and survives the process; several processes may share one, since
    the ledger stores a record once however often it comes. Without one they are lost with the process. They are
    delivered in the order in which they came, by a thread that runs only while there are any.
    """

    def __init__(
        self,
        ledger: Appends,
        directory: str | Path | None = None,
        *,
        delivered: Callable[[Record], None] | None = None,
    ) -> None:
        """Take over what earlier processes left in the directory, and begin to deliver it.

        `delivered` is called with each record once it is stored, in the thread that delivers; what it raises is logged.

        Raises:
            ConfigurationError: the directory cannot be made, read or written.
        """
        self._ledger = ledger
        self._delivered = delivered
        self._directory = None if directory is None else _prepare(Path(directory).absolute())
        self._closed = False
        self.restart()
        _OUTBOXES.add(self)
        self._load()
        self._work()

    def restart(self) -> None:
        """Begin without records and without a thread, as in a process just forked: the parent has them still."""
        self._changed = threading.Condition(threading.Lock())
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiting: dict[str, tuple[Record, Path | None]] = {}
        self._known: set[Path] = set()

    def put(self, record: Record) -> None:
        """Keep a record until the ledger has it; never raises.

        On return it is safe on disk; or, without a directory or when it fails, which is logged, in memory alone.
        """
        with self._changed:
            if record.id in self._waiting:
                return
        path = None
        if self._directory is not None:
            try:
                path = _write(self._directory, record)
            except OSError as error:
                logger.error("Record %s waits in memory alone: %s", record.id, error)
        with self._changed:
            self._waiting[record.id] = (record, path)
        self._work()

    def pending(self) -> tuple[Record, ...]:
        """Return what this process has to deliver, in the order in which it came."""
        with self._changed:
            return tuple(record for record, _ in self._waiting.values())

    def flush(self, timeout: float) -> bool:
        """Try again at once, and say whether nothing is left, after so many seconds at the most."""
        self._hurry.set()
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout)

    def close(self) -> None:
        """Try once more and stop. What is left stays on disk, or is logged as lost."""
        with self._changed:
            self._closed = True
            thread = self._thread
        self._hurry.set()
        if thread is not None:
            thread.join()
        with self._changed:
            lost = [record.id for record, path in self._waiting.values() if path is None]
        if lost:
            logger.error("The ledger did not come back; lost with this process: records %s.", ", ".join(lost))

    def _work(self) -> None:
        with self._changed:
            if self._waiting and self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="consentkit-outbox", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                self._load()
                self._deliver()
            except LedgerUnavailableError as error:
                logger.warning("%d records still wait. %s", len(self._waiting), error)
            except Exception:
                logger.exception("Records could not be delivered.")
            with self._changed:
                if self._closed or not self._waiting:
                    self._thread = None
                    return
            self._hurry.wait(pause)
            self._hurry.clear()
            pause = min(2 * pause, LONGEST_PAUSE)

    def _deliver(self) -> None:
        waiting = self.pending()
        for first in range(0, len(waiting), LARGEST_DELIVERY):
            some = waiting[first : first + LARGEST_DELIVERY]
            if self._refusal(*some) is None:
                self._settle(some)
            else:
                self._deliver_one_by_one(some)

    def _deliver_one_by_one(self, some: tuple[Record, ...]) -> None:
        for record in some:
            refusal = self._refusal(record)
            if refusal is not None:
                logger.error("Record %s is refused: %s %s", record.id, refusal, record.to_json())
            self._settle((record,), refused=refusal is not None)

    def _refusal(self, *some: Record) -> LedgerError | None:
        try:
            self._ledger.append(*some)
        except LedgerUnavailableError:
            raise
        except LedgerError as error:
            return error
        return None

    def _settle(self, some: tuple[Record, ...], *, refused: bool = False) -> None:
        with self._changed:
            for record in some:
                _, path = self._waiting.pop(record.id)
                if path is not None and not (_set_aside(path) if refused else _removed(path)):
                    self._known.add(path)
            self._changed.notify_all()
        follow = self._delivered
        if refused or follow is None:
            return
        for record in some:
            try:
                follow(record)
            except Exception:
                logger.exception("What was to follow from record %s failed.", record.id)

    def _load(self) -> None:
        if self._directory is None:
            return
        with self._changed:
            known = self._known | {path for _, path in self._waiting.values() if path is not None}
            for path in sorted(self._directory.glob("*.json")):
                if path not in known:
                    self._take(path)

    def _take(self, path: Path) -> None:
        try:
            record = Record.from_json(path.read_bytes())
        except FileNotFoundError:
            return  # another process has just delivered it
        except (OSError, InvalidDecisionError) as error:
            logger.error("%s holds no record and is set aside: %s", path, error)
            self._known.add(path)
            _set_aside(path)
        else:
            self._waiting.setdefault(record.id, (record, path))
            self._known.add(path)


_OUTBOXES: weakref.WeakSet[Spool] = weakref.WeakSet()


def _restart_all() -> None:
    for outbox in list(_OUTBOXES):
        outbox.restart()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_restart_all)


def _prepare(directory: Path) -> Path:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            return directory
    except OSError as error:
        raise ConfigurationError(
            f"spool = {str(directory)!r}: {error}; name a directory that the server's user may write to."
        ) from error


def _write(directory: Path, record: Record) -> Path:
    # The name keeps the order in which records came, also over a restart.
    path = directory / f"{time.time_ns():020}-{record.id}.json"
    context = path.with_suffix(".draft")
    try:
        with open(
            os.open(context, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(record.to_json())
            file.flush()
            os.fsync(file.fileno())
        context.rename(path)
        _sync(directory)
    except OSError:
        with suppress(OSError):
            context.unlink(missing_ok=True)
        raise
    return path


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _removed(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.error("%s is in the ledger, but stays: %s", path, error)
        return False
    return True


def _set_aside(path: Path) -> bool:
    try:
        path.rename(path.with_suffix(".refused"))
    except OSError as error:
        logger.error("%s stays where it is: %s", path, error)
        return False
    return True
