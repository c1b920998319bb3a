"""Connections to the ledger's database: durable transactions, one writer at a time, recovery from outages and forks."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from math import ceil
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, Executable
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from consentkit.errors import ConfigurationError, LedgerUnavailableError
from consentkit.ledger.engines import in_memory, make_engine, supported
from consentkit.ledger.fork_hooks import ForkHooks
from consentkit.ledger.tables import METADATA, SCHEMA_VERSION, InsertIgnore, schema
from consentkit.ledger.watchdog import Watchdog

__all__ = ["Database", "is_lost_connection"]

logger = logging.getLogger("consentkit.ledger")

# The bytes of "consent". Every process that writes to one database must take the same lock, whatever its number.
_WRITE_LOCK: Final = 0x636F6E73656E74
# Seconds that a server may exceed its own limit before the watchdog cuts the connection.
_MARGIN: Final = 0.5
_BEGIN: Final = {
    "sqlite": ("PRAGMA busy_timeout={milliseconds}", "PRAGMA synchronous=FULL", "BEGIN IMMEDIATE"),
    # PostgreSQL assigns `seq` at INSERT, not at COMMIT. Without the lock, a row with a lower `seq` could commit after
    # a reader has moved its cursor past it, and that reader would never see it. The lock ends with the transaction.
    "postgresql": (
        "BEGIN; SET LOCAL lock_timeout = {milliseconds}; SET LOCAL statement_timeout = {milliseconds}; "
        # A process that is stopped inside its transaction must not hold the lock for ever.
        "SET LOCAL idle_in_transaction_session_timeout = {idle}; "
        "SET LOCAL synchronous_commit = on; SELECT pg_advisory_xact_lock({write_lock})",
    ),
}


def is_lost_connection(error: LedgerUnavailableError) -> bool:
    """Return whether the connection broke. The database may be available over another connection."""
    return isinstance(error.__cause__, DBAPIError) and error.__cause__.connection_invalidated


class Database:
    """Run queries, and transactions that commit in the order of `seq`, each within a time limit.

    Connections are opened when first needed and closed before a fork, so that no process uses another's.
    """

    def __init__(self, target: str | URL | Engine, *, lock_timeout: float) -> None:
        if lock_timeout <= 0:
            raise ConfigurationError(
                f"lock_timeout = {lock_timeout}: the ledger needs time to answer. Write seconds above 0."
            )
        self.lock_timeout = lock_timeout
        self._owns_engine = not isinstance(target, Engine)
        engine = supported(target) if isinstance(target, Engine) else make_engine(target, lock_timeout)
        # AUTOCOMMIT: the driver begins no transaction by itself, because `_begin` needs its own kind of BEGIN.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.dialect = engine.dialect.name
        self._is_memory = self.dialect == "sqlite" and in_memory(engine.url)
        self._is_file = self.dialect == "sqlite" and not self._is_memory
        milliseconds = ceil(lock_timeout * 1000)
        self._begin_statements = tuple(
            statement.format(milliseconds=milliseconds, idle=2 * milliseconds, write_lock=_WRITE_LOCK)
            for statement in _BEGIN[self.dialect]
        )
        self._path = ""
        self._file_id = _file_id(self._path)
        self._watchdog = Watchdog()
        self._closed = False
        self._ready = False
        self._reset_locks()
        _FORK_HOOKS.add(self)

    def read(self, statement: Executable, values: dict[str, Any] | None = None) -> Sequence[Any]:
        """Run one query, which sees one moment of the database, and return all its rows.

        Raises:
            LedgerUnavailableError: the database did not answer, or not in time.
        """
        started = time.monotonic()
        try:
            return self._read(statement, values)
        except LedgerUnavailableError as error:
            if not is_lost_connection(error) or time.monotonic() - started > self.lock_timeout:
                raise
        # A restart of the server breaks the connections that wait in the pool. SQLAlchemy has dropped them all by now.
        return self._read(statement, values)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection inside the only transaction that writes; leaving the block commits durably.

        Raises:
            LedgerUnavailableError: nothing was stored. If COMMIT itself failed, that is unknown.
        """
        # Twice: waiting for the lock and writing have `lock_timeout` each.
        with self._connection(2 * self.lock_timeout + _MARGIN) as connection:
            self._begin(connection)
            yield connection
            connection.exec_driver_sql("COMMIT")

    def close(self) -> None:
        """Close the connections, except those of an engine that the application made."""
        self._closed = True
        self._watchdog.close()
        if self._owns_engine:
            self._engine.dispose()

    def _read(self, statement: Executable, values: dict[str, Any] | None) -> Sequence[Any]:
        with self._connection(self.lock_timeout + _MARGIN) as connection:
            return connection.execute(statement, values).all()

    @contextmanager
    def _connection(self, seconds: float) -> Iterator[Connection]:
        with (
            self._counted_for_forks(),
            self._database_errors(),
            self._connect() as connection,
            self._watchdog.watch(connection, seconds) if self.dialect == "postgresql" else nullcontext(),
        ):
            if not self._ready:
                self._make_ready(connection)
            try:
                yield connection
            finally:
                connection.rollback()

    def _connect(self) -> Connection:
        # A connection to a deleted file goes on writing to an inode that nobody can find again.
        if self._ready and self._file_id != _file_id(self._path):
            logger.error(
                "%s was deleted or replaced while in use. The ledger continues with the file that is there now, or "
                "with a new one. Restore the old one from your backup.",
                self._path,
            )
            self._disconnect()
        return self._engine.connect()

    def _disconnect(self) -> None:
        self._ready = False
        self._engine.dispose()

    @contextmanager
    def _database_errors(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            if self._is_file:
                self._disconnect()
            # The driver's error, because SQLAlchemy's text repeats the statement.
            reason = getattr(error, "orig", None) or error
            raise LedgerUnavailableError(f"The ledger cannot be used now: {reason}") from error

    def _begin(self, connection: Connection) -> None:
        for statement in self._begin_statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    def _make_ready(self, connection: Connection) -> None:
        if not self._setup_lock.acquire(timeout=self.lock_timeout):
            raise LedgerUnavailableError(
                "The ledger cannot be used now: another thread is still creating its tables."
            )
        try:
            if self._is_file:
                self._path = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
                self._file_id = _file_id(self._path)
                _set_write_ahead(connection, self.lock_timeout)
            self._make_tables(connection)
            self._ready = True
        finally:
            self._setup_lock.release()

    def _make_tables(self, connection: Connection) -> None:
        if not connection.dialect.has_table(connection, schema.name):
            self._begin(connection)
            METADATA.create_all(connection)
            InsertIgnore(schema, self.dialect).run(connection, [{"version": SCHEMA_VERSION}])
            connection.exec_driver_sql("COMMIT")
        version = connection.execute(sqlalchemy.select(sqlalchemy.func.max(schema.c.version))).scalar()
        if version != SCHEMA_VERSION:
            raise LedgerUnavailableError(
                f"The ledger's tables have version {version}, but this consentkit knows {SCHEMA_VERSION}. "
                "Upgrade consentkit."
            )

    @contextmanager
    def _counted_for_forks(self) -> Iterator[None]:
        """Count the use of a connection, so that a fork waits for its end; wait first for a fork under way."""
        with self._fork_condition:
            if self._closed:
                raise LedgerUnavailableError("The ledger was closed.")
            if not self._fork_condition.wait_for(lambda: not self._forking, self.lock_timeout):
                raise LedgerUnavailableError("The ledger cannot be used now: the process is forking.")
            self._active_uses += 1
        try:
            yield
        finally:
            with self._fork_condition:
                self._active_uses -= 1
                self._fork_condition.notify_all()

    def _reset_locks(self) -> None:
        self._fork_condition = threading.Condition(threading.Lock())
        self._setup_lock = threading.Lock()
        self._active_uses = 0
        self._forking = False

    def before_fork(self) -> None:
        """Wait for running queries, hold new ones back, and close the connections.

        A child would inherit a SQLite connection without the locks that it believes to hold, and both processes would
        talk over one socket to PostgreSQL.
        """
        with self._fork_condition:
            self._forking = True
            # A thread that takes longer keeps its connection. Only the parent has that thread, so nobody shares it.
            self._fork_condition.wait_for(lambda: not self._active_uses, self.lock_timeout)
        if not self._is_memory:
            self._engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Admit queries again."""
        with self._fork_condition:
            self._forking = False
            self._fork_condition.notify_all()

    def after_fork_in_child(self) -> None:
        """Replace the locks and connections that threads of the parent may have held at the fork."""
        self._reset_locks()
        self._watchdog.restart()
        if not self._is_memory:
            # Without closing: what is left in the pool are copies of the parent's connections.
            self._engine.dispose(close=False)


_FORK_HOOKS: Final = ForkHooks(
    before=Database.before_fork,
    after_in_parent=Database.after_fork_in_parent,
    after_in_child=Database.after_fork_in_child,
)


def _file_id(path: str) -> tuple[int, int] | None:
    """Return device and inode of a file, zeros if it is gone, and None for a database without a file."""
    if not path:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


def _set_write_ahead(connection: Connection, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while True:
        try:
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
