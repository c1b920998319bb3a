"""Connections to the ledger's database: durability, one writer at a time, recovery, and forks."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from math import ceil
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, Executable
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from consentkit.errors import ConfigurationError, LedgerUnavailableError
from consentkit.ledger.engines import checked, in_memory, make_engine
from consentkit.ledger.tables import METADATA, SCHEMA_VERSION, InsertIgnore, schema
from consentkit.ledger.watchdog import Watchdog

__all__ = ["Database", "broke_off"]

logger = logging.getLogger("consentkit.ledger")

# Any number will do, as long as every process that writes to one database takes the same.
_WRITERS: Final = 0x636F6E73656E74
# Seconds that a server may take longer than the limit that it was given, before the connection is cut.
_MARGIN: Final = 0.5
_BEGIN: Final = {
    "sqlite": ("PRAGMA busy_timeout={milliseconds}", "PRAGMA synchronous=FULL", "BEGIN IMMEDIATE"),
    # The lock makes commits happen in the order in which places are given, so that nobody who reads up to a place
    # misses one that commits later. It goes with the transaction.
    "postgresql": (
        "BEGIN; SET LOCAL lock_timeout = {milliseconds}; SET LOCAL statement_timeout = {milliseconds}; "
        # Should this process be stopped in the middle, the others must not wait for it for ever.
        "SET LOCAL idle_in_transaction_session_timeout = {idle}; "
        "SET LOCAL synchronous_commit = on; SELECT pg_advisory_xact_lock({writers})",
    ),
}


def broke_off(error: LedgerUnavailableError) -> bool:
    """Tell whether the connection was lost, which is no news about the database behind it."""
    return isinstance(error.__cause__, DBAPIError) and error.__cause__.connection_invalidated


class Database:
    """Read, and lend transactions that commit in the order of `seq`, each within limits of time.

    Connections are opened when first needed and closed before a fork, so that no process ever uses another's.
    """

    def __init__(self, target: str | URL | Engine, *, lock_timeout: float) -> None:
        if lock_timeout <= 0:
            raise ConfigurationError(
                f"lock_timeout = {lock_timeout}: some time is needed; write seconds above 0."
            )
        self.lock_timeout = lock_timeout
        self._owned = not isinstance(target, Engine)
        engine = checked(target) if isinstance(target, Engine) else make_engine(target, lock_timeout)
        # The driver opens no transaction by itself: each begins here, in the words of its database.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.dialect = engine.dialect.name
        self._memory = self.dialect == "sqlite" and in_memory(engine.url)
        self._file = self.dialect == "sqlite" and not self._memory
        limit = ceil(lock_timeout * 1000)
        self._begin_with = tuple(
            part.format(milliseconds=limit, idle=2 * limit, writers=_WRITERS) for part in _BEGIN[self.dialect]
        )
        self._path = ""
        self._identity = _identity(self._path)
        self._watchdog = Watchdog()
        self._closed = False
        self._ready = False
        self._start()
        _OPEN.add(self)

    def read(self, statement: Executable, values: dict[str, Any] | None = None) -> Sequence[Any]:
        """Run one query, which sees one moment, and return all its rows.

        Raises:
            LedgerUnavailableError: whatever goes wrong.
        """
        begun = time.monotonic()
        try:
            return self._read(statement, values)
        except LedgerUnavailableError as error:
            if not broke_off(error) or time.monotonic() - begun > self.lock_timeout:
                raise
        # The connection had waited in the pool while the server was restarted; all like it are gone now.
        return self._read(statement, values)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend a connection inside the only transaction that writes; leaving commits, durably.

        Raises:
            LedgerUnavailableError: whatever goes wrong; then nothing was stored, unless it went wrong while
                committing.
        """
        # To get the lock and to write may each take their time.
        with self._connected(2 * self.lock_timeout + _MARGIN) as connection:
            self._begin(connection)
            yield connection
            connection.exec_driver_sql("COMMIT")

    def close(self) -> None:
        """Close the connections; those of a given engine stay its owner's."""
        self._closed = True
        self._watchdog.close()
        if self._owned:
            self._engine.dispose()

    def _read(self, statement: Executable, values: dict[str, Any] | None) -> Sequence[Any]:
        with self._connected(self.lock_timeout + _MARGIN) as connection:
            return connection.execute(statement, values).all()

    @contextmanager
    def _connected(self, seconds: float) -> Iterator[Connection]:
        with (
            self._using(),
            self._answering(),
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
        # SQLite would go on writing to a file that was taken away or replaced, where nobody finds it again.
        if self._ready and self._identity != _identity(self._path):
            logger.error(
                "%s is no longer the file that it was; beginning with what is there now.", self._path
            )
            self._forget()
        return self._engine.connect()

    def _forget(self) -> None:
        self._ready = False
        self._engine.dispose()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            if self._file:
                self._forget()
            # Not SQLAlchemy's own text: it repeats the statement.
            reason = getattr(error, "orig", None) or error
            raise LedgerUnavailableError(f"The ledger cannot be used now: {reason}") from error

    def _begin(self, connection: Connection) -> None:
        for part in self._begin_with:
            connection.exec_driver_sql(part, execution_options={"no_parameters": True})

    def _make_ready(self, connection: Connection) -> None:
        if not self._making.acquire(timeout=self.lock_timeout):
            raise LedgerUnavailableError("The ledger cannot be used now: its tables are still being made.")
        try:
            if self._file:
                self._path = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
                self._identity = _identity(self._path)
                _write_ahead(connection, self.lock_timeout)
            self._make_tables(connection)
            self._ready = True
        finally:
            self._making.release()

    def _make_tables(self, connection: Connection) -> None:
        if not connection.dialect.has_table(connection, schema.name):
            self._begin(connection)
            METADATA.create_all(connection)
            InsertIgnore(schema, self.dialect).run(connection, [{"version": SCHEMA_VERSION}])
            connection.exec_driver_sql("COMMIT")
        version = connection.execute(sqlalchemy.select(sqlalchemy.func.max(schema.c.version))).scalar()
        if version != SCHEMA_VERSION:
            raise LedgerUnavailableError(
                f"The ledger's tables have version {version}, this library knows {SCHEMA_VERSION}: upgrade it."
            )

    @contextmanager
    def _using(self) -> Iterator[None]:
        with self._gate:
            if self._closed:
                raise LedgerUnavailableError("The ledger was closed.")
            if not self._gate.wait_for(lambda: not self._forking, self.lock_timeout):
                raise LedgerUnavailableError("The ledger cannot be used now: a fork is under way.")
            self._inside += 1
        try:
            yield
        finally:
            with self._gate:
                self._inside -= 1
                self._gate.notify_all()

    def _start(self) -> None:
        self._gate = threading.Condition(threading.Lock())
        self._making = threading.Lock()
        self._inside = 0
        self._forking = False

    def before_fork(self) -> None:
        """Let what is under way finish, hold up what comes, and close the connections.

        A copied SQLite connection breaks the locks, a copied PostgreSQL one the protocol.
        """
        with self._gate:
            self._forking = True
            self._gate.wait_for(lambda: not self._inside, self.lock_timeout)
        if not self._memory:
            self._engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        with self._gate:
            self._forking = False
            self._gate.notify_all()

    def after_fork_in_child(self) -> None:
        """Begin anew, without what the parent's threads held."""
        self._start()
        self._watchdog.restart()
        if not self._memory:
            self._engine.dispose(close=False)


_OPEN: weakref.WeakSet[Database] = weakref.WeakSet()


def _each(act: Callable[[Database], None]) -> Callable[[], None]:
    def hook() -> None:
        for database in list(_OPEN):
            act(database)

    return hook


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(
        before=_each(Database.before_fork),
        after_in_parent=_each(Database.after_fork_in_parent),
        after_in_child=_each(Database.after_fork_in_child),
    )


def _identity(path: str) -> tuple[int, int] | None:
    if not path:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


def _write_ahead(connection: Connection, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while True:
        try:
            mode = connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar()
            break
        except OperationalError:
            # SQLite does not always wait by itself here for another process that makes the same change.
            if time.monotonic() > limit:
                raise
            threading.Event().wait(0.01)
    if mode != "wal":
        logger.warning("The ledger's file system allows no write-ahead log; its journal mode is %s.", mode)
