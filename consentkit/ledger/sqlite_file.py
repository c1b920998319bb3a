"""The file of a SQLite ledger: whether it is the same, whole, and writable, and its write-ahead log."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import OperationalError

__all__ = ["FileCheck", "file_id", "is_damage", "is_writable_file", "path_of", "set_write_ahead"]

logger = logging.getLogger("consentkit.ledger")

# Above this size a whole check takes too long for a request or a poll, so only size and header are checked.
LARGEST_CHECKED: Final = 64 * 2**20
# A whole check that took one second is repeated after 99 seconds at the earliest.
_PAUSE_FACTOR: Final = 99
_FRAME_HEADER: Final = 24


def path_of(url: URL) -> Path | None:
    """Return the path of a SQLite database, or None if it has none."""
    database = url.database or ""
    if database.startswith("file:"):
        database = unquote(urlsplit(database).path)
    return Path(database).absolute() if database else None


def file_id(path: str) -> tuple[int, int] | None:
    """Return device and inode of a file, zeros if it is gone, and None for a database without a file."""
    if not path:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


def is_writable_file(url: URL) -> bool:
    """Return whether this process may write to a database's file and create the files next to it."""
    path = path_of(url)
    if path is None or url.query.get("mode") == "ro" or "immutable" in url.query:
        return path is None
    effective = os.access in os.supports_effective_ids
    # A read-only file system denies the access too.
    may_write_file = not path.exists() or os.access(path, os.W_OK, effective_ids=effective)
    return may_write_file and os.access(path.parent, os.W_OK | os.X_OK, effective_ids=effective)


def is_damage(error: BaseException | None) -> bool:
    """Return whether an error of the driver means that the file is damaged or no database."""
    code = getattr(error, "sqlite_errorcode", 0)
    # The lower byte: extended codes say where the damage was found.
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_write_ahead(connection: Connection, seconds: float) -> None:
    """Switch a database to write-ahead mode; try for some seconds while others use it.

    A new file gets the ability to shrink a little at a time.
    """
    limit = time.monotonic() + seconds
    path = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
    while True:
        try:
            if path and not os.path.getsize(path):
                connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")
            mode = connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar()
            break
        except OperationalError:
            # `busy_timeout` does not cover this: two processes that open a new file at once both need the file alone.
            if time.monotonic() > limit:
                raise
            threading.Event().wait(0.01)
    if mode != "wal":
        logger.warning(
            "The ledger's file system does not support a write-ahead log, so the journal mode stays %r and readers "
            "wait for writers. Put the database on a local disk.",
            mode,
        )


class FileCheck:
    """Look for damage in the file of a database, over a new connection, because others answer from their caches.

    The file is never opened by other means than SQLite: closing it would end the locks of all connections of the process.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._next_whole_check = float("-inf")
        self._seen: tuple[int, ...] = ()

    def damage(self, path: str, *, after_damage: bool = False) -> str | None:
        """Return what is damaged, or None.

        Size and header are checked always. The whole content (`PRAGMA quick_check`) is checked up to 64 MB, and so seldom
        that it takes less than 1 % of the time. `after_damage`: check the whole content of a file of any size.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the file cannot be opened.
            sqlite3.Error: the file cannot be read now.
        """
        self._seen = _signature(path)
        size = os.path.getsize(path)
        if not size:
            return "it is empty"
        is_due = size <= LARGEST_CHECKED and self._clock() >= self._next_whole_check
        pool = self._engine.pool.recreate()
        try:
            with closing(pool.connect()) as connection:
                cursor = connection.cursor()
                # A checkpoint may move pages from the log into the file between two looks, but hardly twice.
                if _is_too_short(cursor, path) and _is_too_short(cursor, path):
                    return "a part of it is missing"
                return self._content_damage(cursor) if is_due or after_damage else None
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return str(error)
            raise
        finally:
            pool.dispose()

    def _content_damage(self, cursor: Any) -> str | None:
        started = self._clock()
        try:
            (result,) = cursor.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            ended = self._clock()
            self._next_whole_check = ended + _PAUSE_FACTOR * (ended - started)
        return None if result == "ok" else " ".join(result.split())

    def is_worth_another_look(self, path: str) -> bool:
        """Return whether a damaged file has changed since the last look, and a whole check is due."""
        seen = _signature(path)
        is_another_file = seen[:2] != self._seen[:2]
        return seen != self._seen and (is_another_file or self._clock() >= self._next_whole_check)


def _is_too_short(cursor: Any, path: str) -> bool:
    """Return whether pages are neither in the file nor in its write-ahead log."""
    (page_size,) = cursor.execute("PRAGMA page_size").fetchone()
    (pages,) = cursor.execute("PRAGMA page_count").fetchone()
    try:
        pages_in_log = os.path.getsize(f"{path}-wal") // (page_size + _FRAME_HEADER)
    except OSError:
        pages_in_log = 0
    return bool(os.path.getsize(path) < (pages - pages_in_log) * page_size)


def _signature(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
