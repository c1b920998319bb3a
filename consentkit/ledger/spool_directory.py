"""The directory of a spool: one file for each record that waits, owned by the process that delivers it.

Several processes may share a directory. Each holds a lock on `owner-<id>.lock` while it lives, and the name of a record's
file contains the id of its owner. A process whose lock can be taken is dead, and another one adopts its files by renaming
them. So exactly one process delivers a record and tells listeners about it.

A file that exists means that the listeners of its record have not been told yet.
"""

import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, NamedTuple

from consentkit.errors import ConfigurationError, InvalidDecisionError
from consentkit.ledger import owner_lock
from consentkit.ledger.owner_lock import OwnerLock
from consentkit.ledger.record import HOUR, Record

__all__ = ["SpoolDirectory", "SpoolFile"]

logger = logging.getLogger("consentkit.ledger")

_NAME: Final = re.compile(r"(?P<order>[0-9]{20})-(?P<owner>[0-9a-f]{16})-[0-9a-f-]{36}\.(?:json|draft)")
_LOCK_NAME: Final = re.compile(r"owner-(?P<owner>[0-9a-f]{16})\.lock")
# Records of other processes that are kept in memory, so that their files are read once.
MOST_ELSEWHERE: Final = 10_000


class SpoolFile(NamedTuple):
    """A file of this process with its record. Names sort in the order in which the records came."""

    name: str
    record: Record


class SpoolDirectory:
    """Write, adopt, read and remove the files of records that wait for the ledger."""

    def __init__(self, path: Path) -> None:
        """Use a directory, which is created with the first file if it does not exist."""
        self.path = path
        self._closed = False
        self._last_order = 0
        self._locks: set[OwnerLock] = set()
        self.restart()

    def prepare(self) -> None:
        """Create the directory if it does not exist, and write to it.

        Raises:
            ConfigurationError: the directory cannot be created or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            TemporaryFile(dir=self.path).close()
        except OSError as error:
            raise ConfigurationError(
                f"spool = {str(self.path)!r}: {error}. Write the path of a directory that the server's user may write to."
            ) from error

    def restart(self) -> None:
        """Start as another owner without files, as a forked child is."""
        # Only the child's copies: otherwise the child's life would keep the parent's files from being adopted.
        for lock in self._locks:
            lock.release()
        self._locks = set()
        self._lock = threading.Lock()
        self._owner = ""
        self._own_lock: OwnerLock | None = None
        self._writers = 0
        self._elsewhere: dict[str, Record | None] = {}
        self._complaints: set[str] = set()

    def write(self, record: Record, text: str) -> str:
        """Write a record durably to a file of its own, and return the file's name.

        Raises:
            OSError: the directory cannot be created, or the file cannot be written.
        """
        with self._as_owner() as (owner, order):
            if record.subject is None:
                # The name must not show the moment that the record leaves out.
                order -= order % (HOUR * 1_000_000_000)
            name = f"{order:020}-{owner}-{record.id}.json"
            draft = (self.path / name).with_suffix(".draft")
            try:
                with open(
                    os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
                ) as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                if record.subject is None:
                    os.utime(draft, (record.at, record.at))
                draft.rename(self.path / name)
                # The directory too, because after a power cut a file is only there if its entry was written.
                _sync(self.path)
            except OSError:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
                raise
            return name

    def adopt(self) -> Generator[SpoolFile]:
        """Take over the files of dead owners, oldest first, and yield each once it belongs to this process.

        Drafts and lock files that dead owners left are removed. The caller may stop early: the rest stays as it was.
        """
        # The names before the locks: a file that is written meanwhile has an owner that lives.
        for owner, names in self._names_by_owner().items():
            if owner and owner == self._owner:
                continue
            with self._lock_of(owner) as (lock, is_dead):
                if is_dead:
                    yield from self._adopt_from(names, lock)

    def read(self, name: str) -> Record | None:
        """Return the record of a file, or None if it is gone or holds no record, which is logged."""
        path = self.path / name
        try:
            return Record.from_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (InvalidDecisionError, IsADirectoryError) as error:
            self._complain(
                f"{path} holds no record. It is renamed to *.refused and not read again. Look at what wrote it",
                error,
            )
            self.set_aside(name)
            return None

    def others(self) -> tuple[Record, ...]:
        """Return the records of subjects that wait in files of other processes, oldest first; at most 10 000.

        Each file is read once.
        """
        found: dict[str, Record | None] = {}
        names = (
            name for owner, names in self._names_by_owner().items() if owner != self._owner for name in names
        )
        most = MOST_ELSEWHERE
        for name in sorted(name for name in names if name.endswith(".json")):
            with suppress(OSError):
                record = self._elsewhere[name] if name in self._elsewhere else self._glance(name)
                found[name] = record
                most -= record is not None
            if not most:
                break
        self._elsewhere = found
        return tuple(record for record in found.values() if record is not None)

    def remove(self, names: Iterable[str]) -> None:
        """Delete files durably."""
        for name in names:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                self._complain(
                    f"{self.path / name} is in the ledger, but cannot be deleted. Delete it", error
                )
        with suppress(OSError):
            _sync(self.path)

    def set_aside(self, name: str) -> None:
        """Rename a file to *.refused, so that nobody reads it again."""
        path = self.path / name
        try:
            path.rename(path.with_suffix(".refused"))
        except OSError as error:
            self._complain(f"{path} cannot be renamed to *.refused and stays. Move it away", error)

    def close(self) -> None:
        """Release this process's files, so that others may adopt what is left. A later `write` owns its file no longer."""
        with self._lock:
            self._closed = True
            self._disown_unless_writing()

    @contextmanager
    def _as_owner(self) -> Iterator[tuple[str, int]]:
        """Hold the lock of this process, and yield the owner's id with a number that puts files in their order."""
        with self._lock:
            if not self._owner:
                self._become_owner()
            self._writers += 1
            # Clocks may stand still or be set back.
            self._last_order = order = max(self._last_order + 1, time.time_ns())
            owner = self._owner
        try:
            yield owner, order
        finally:
            with self._lock:
                self._writers -= 1
                if self._closed:
                    self._disown_unless_writing()

    def _become_owner(self) -> None:
        if not self.path.is_dir():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(self.path.parent)
        while not self._owner:
            owner = secrets.token_hex(8)
            if owner_lock.HAS_FILE_LOCKS:
                self._own_lock = owner_lock.take_lock(self._lock_path(owner), create=True)
                if self._own_lock is None:
                    continue
                self._locks.add(self._own_lock)
            self._owner = owner

    def _disown_unless_writing(self) -> None:
        if self._writers or not self._owner:
            return
        # Never the same id again: others regard an owner without a lock file as dead for good.
        self._owner = ""
        if self._own_lock is not None:
            self._remove_lock(self._own_lock)
            self._own_lock = None

    def _remove_lock(self, lock: OwnerLock) -> None:
        with suppress(OSError):
            lock.path.unlink(missing_ok=True)
        lock.release()
        self._locks.discard(lock)

    def _lock_path(self, owner: str) -> Path:
        return self.path / f"owner-{owner}.lock"

    @contextmanager
    def _lock_of(self, owner: str) -> Iterator[tuple[OwnerLock | None, bool]]:
        """Hold the lock of a dead owner, if it left one, and yield it with whether the owner is dead."""
        lock, is_dead = None, True
        try:
            if owner and owner_lock.HAS_FILE_LOCKS:
                lock = owner_lock.take_lock(self._lock_path(owner))
                is_dead = lock is not None
        except FileNotFoundError:
            pass
        except OSError as error:
            self._complain(
                f"{self._lock_path(owner)} cannot be opened, so the records of its owner wait", error
            )
            is_dead = False
        if lock is None:
            yield None, is_dead
            return
        self._locks.add(lock)
        try:
            yield lock, True
        finally:
            lock.release()
            self._locks.discard(lock)

    def _adopt_from(self, names: list[str], lock: OwnerLock | None) -> Iterator[SpoolFile]:
        for name in names:
            if name.endswith(".draft"):
                # Whoever was writing it has told nobody that the record is safe.
                with suppress(OSError):
                    (self.path / name).unlink(missing_ok=True)
            elif (adopted := self._adopt_file(name)) is not None:
                yield adopted
        if lock is not None:
            with suppress(OSError):
                lock.path.unlink(missing_ok=True)

    def _adopt_file(self, name: str) -> SpoolFile | None:
        try:
            record = self.read(name)
            if record is None:
                return None
            with self._as_owner() as (owner, _):
                new_name = f"{self._order_of(name):020}-{owner}-{record.id}.json"
                (self.path / name).rename(self.path / new_name)
        except FileNotFoundError:
            return None  # another process was faster
        except OSError as error:
            self._complain(
                f"{self.path / name} waits, because it cannot be adopted. Check its permissions", error
            )
            return None
        return SpoolFile(new_name, record)

    def _order_of(self, name: str) -> int:
        match = _NAME.fullmatch(name)
        return int(match["order"]) if match else (self.path / name).stat().st_mtime_ns

    def _glance(self, name: str) -> Record | None:
        """Return the record in another process's file if it has a subject; leave a broken file to its owner."""
        try:
            record = Record.from_json((self.path / name).read_bytes())
        except InvalidDecisionError:
            return None
        return record if record.subject is not None else None

    def _names_by_owner(self) -> dict[str, list[str]]:
        """Return the sorted names of files by the id of their owner, empty for a file without one."""
        names: dict[str, list[str]] = {}
        try:
            listed = sorted(os.listdir(self.path))
        except FileNotFoundError:
            return names
        for name in listed:
            if lock := _LOCK_NAME.fullmatch(name):
                names.setdefault(lock["owner"], [])
            elif name.endswith((".json", ".draft")):
                match = _NAME.fullmatch(name)
                names.setdefault(match["owner"] if match else "", []).append(name)
        return names

    def _complain(self, problem: str, error: Exception) -> None:
        """Log a problem with a file once, not at every try."""
        if problem not in self._complaints:
            self._complaints.add(problem)
            logger.error("%s: %s", problem, error)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
