"""Connections to the ledger's database: limits, durability, one writer at a time, recovery, and forks."""

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, Table, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool
from sqlalchemy.sql.dml import Insert

from consentkit.errors import ConfigurationError, LedgerUnavailableError
from consentkit.ledger.tables import METADATA, SCHEMA_VERSION, schema

__all__ = ["Database", "unavailable"]

logger = logging.getLogger("consentkit.ledger")

# Any number will do, as long as every process that writes to one database takes the same.
_WRITERS: Final = 0x636F6E73656E74


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn whatever a database, its driver or the system raises into LedgerUnavailableError."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        # Not SQLAlchemy's own text: it repeats the statement and its values.
        reason = getattr(error, "orig", None) or error
        raise LedgerUnavailableError(f"The ledger cannot be used now: {reason}") from error


class Database:
    """Hand out connections that are limited in time, and transactions that commit in the order of `seq`.

    Connections are opened when first needed and closed before a fork, so that no process ever uses another's.
    """

    def __init__(self, target: str | URL | Engine, *, lock_timeout: float) -> None:
        if lock_timeout <= 0:
            raise ConfigurationError(f"lock_timeout = {lock_timeout}: a wait has to be longer than nothing.")
        self.lock_timeout = lock_timeout
        self._milliseconds = ceil(lock_timeout * 1000)
        self._owned = not isinstance(target, Engine)
        engine = target if isinstance(target, Engine) else self._own_engine(target)
        # The driver opens no transaction by itself: each begins here, in words of its database.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        if self.dialect not in _BEGIN:
            raise ConfigurationError(f"ledger = {engine.url!r}: not a SQLite or PostgreSQL engine.")
        self._memory = self.dialect == "sqlite" and _in_memory(engine.url)
        self._closed = False
        self._ready = False
        self._reset()
        _OPEN.add(self)

    @property
    def dialect(self) -> str:
        """Name the kind of database: sqlite or postgresql."""
        return self._engine.dialect.name

    def insert(self, table: Table) -> Insert:
        """Build the statement that adds rows and leaves alone those whose key is there already."""
        if self.dialect == "sqlite":
            from sqlalchemy.dialects.sqlite import insert as for_sqlite

            return for_sqlite(table).on_conflict_do_nothing().inline()
        from sqlalchemy.dialects.postgresql import insert as for_postgresql

        return for_postgresql(table).on_conflict_do_nothing().inline()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection for single statements, each of which sees one moment.

        Raises:
            LedgerUnavailableError: whatever goes wrong.
        """
        with self._using(), unavailable(), self._engine.connect() as connection:
            self._make_ready(connection)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend a connection inside the only transaction that writes; leaving commits, durably.

        Raises:
            LedgerUnavailableError: whatever goes wrong; then nothing was stored, unless it went wrong while
                committing.
        """
        with self._using(), unavailable(), self._engine.connect() as connection:
            self._make_ready(connection)
            self._begin(connection)
            yield connection
            connection.exec_driver_sql("COMMIT")

    def close(self) -> None:
        """Close the connections; those of a given engine stay its owner's."""
        self._closed = True
        if self._owned:
            self._engine.dispose()

    def _own_engine(self, target: str | URL) -> Engine:
        try:
            url = make_url(target)
        except ArgumentError as error:
            raise ConfigurationError(
                "ledger: not a database URL; write sqlite:///consent.db or postgresql://host/database."
            ) from error
        backend, _, driver = url.drivername.partition("+")
        if backend == "sqlite" and driver in ("", "pysqlite"):
            return self._sqlite_engine(url)
        if backend in ("postgresql", "postgres") and driver in ("", "psycopg"):
            return self._postgresql_engine(url.set(drivername="postgresql+psycopg"))
        raise ConfigurationError(
            f"ledger = {url!r}: no ledger is kept with {url.drivername}; write sqlite:/// or postgresql://."
        )

    def _sqlite_engine(self, url: URL) -> Engine:
        options: dict[str, Any] = {"pool_timeout": self.lock_timeout}
        if _in_memory(url):
            # One connection is the whole database: lent to one thread at a time.
            options |= {"pool_size": 1, "max_overflow": 0}
        elif not url.query:
            path = Path(url.database or "").absolute()
            if not path.parent.is_dir():
                raise ConfigurationError(f"ledger = {url!r}: there is no directory {path.parent}; create it.")
            url = url.set(database=str(path))
        arguments = {"timeout": self.lock_timeout, "check_same_thread": False}
        engine = sqlalchemy.create_engine(
            url, poolclass=QueuePool, connect_args=arguments, hide_parameters=True, **options
        )
        if not url.query and not _in_memory(url):
            event.listen(engine, "do_connect", _create_for_owner_only)
        return engine

    def _postgresql_engine(self, url: URL) -> Engine:
        limits: dict[str, Any] = {
            "connect_timeout": max(2, ceil(self.lock_timeout)),
            "tcp_user_timeout": self._milliseconds,
            "application_name": "consentkit",
        }
        try:
            engine = sqlalchemy.create_engine(
                url,
                connect_args={key: value for key, value in limits.items() if key not in url.query},
                pool_timeout=self.lock_timeout,
                pool_pre_ping=True,
                hide_parameters=True,
                isolation_level="AUTOCOMMIT",
            )
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise ConfigurationError(
                f"ledger = {url!r}: the driver for PostgreSQL is missing; install consentkit[postgres]."
            ) from error
        event.listen(engine, "connect", self._limit_statements)
        return engine

    def _limit_statements(self, connection: Any, _entry: ConnectionPoolEntry) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET statement_timeout = {self._milliseconds}; SET lock_timeout = {self._milliseconds}"
            )

    def _begin(self, connection: Connection) -> None:
        statement = _BEGIN[self.dialect].format(milliseconds=self._milliseconds, writers=_WRITERS)
        for part in statement.split("\n"):
            connection.exec_driver_sql(part, execution_options={"no_parameters": True})

    def _make_ready(self, connection: Connection) -> None:
        if self._ready:
            return
        if not self._making.acquire(timeout=self.lock_timeout):
            raise LedgerUnavailableError("The ledger cannot be used now: its tables are still being made.")
        try:
            if not self._ready:
                self._make_tables(connection)
                self._ready = True
        finally:
            self._making.release()

    def _make_tables(self, connection: Connection) -> None:
        if self.dialect == "sqlite" and not self._memory:
            _write_ahead(connection)
        if not connection.dialect.has_table(connection, schema.name):
            self._begin(connection)
            METADATA.create_all(connection)
            connection.execute(self.insert(schema), {"version": SCHEMA_VERSION})
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
                raise LedgerUnavailableError("The ledger cannot be used now: a fork takes too long.")
            self._inside += 1
        try:
            yield
        finally:
            with self._gate:
                self._inside -= 1
                self._gate.notify_all()

    def _reset(self) -> None:
        self._gate = threading.Condition(threading.Lock())
        self._inside = 0
        self._forking = False
        self._making = threading.Lock()

    def before_fork(self) -> None:
        """Let what is under way finish, hold up what comes, and close: a fork must not copy a connection.

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
        self._reset()
        if not self._memory:
            self._engine.dispose(close=False)


_OPEN: weakref.WeakSet[Database] = weakref.WeakSet()
_BEGIN: Final = {
    "sqlite": "PRAGMA busy_timeout={milliseconds}\nPRAGMA synchronous=FULL\nBEGIN IMMEDIATE",
    # The lock makes commits happen in the order in which places are given, so that nobody who reads up to a place
    # misses one that commits later; it goes with the transaction.
    "postgresql": (
        "BEGIN; SET LOCAL lock_timeout = {milliseconds}; SET LOCAL statement_timeout = {milliseconds}; "
        "SET LOCAL synchronous_commit = on; SELECT pg_advisory_xact_lock({writers})"
    ),
}


def _for_each(act: Callable[[Database], None]) -> Callable[[], None]:
    def hook() -> None:
        for database in list(_OPEN):
            act(database)

    return hook


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(
        before=_for_each(Database.before_fork),
        after_in_parent=_for_each(Database.after_fork_in_parent),
        after_in_child=_for_each(Database.after_fork_in_child),
    )


def _in_memory(url: URL) -> bool:
    return (
        url.database in (None, "", ":memory:")
        or ":memory:" in (url.database or "")
        or "memory" in url.query.values()
    )


def _create_for_owner_only(_dialect: object, _entry: object, arguments: list[Any], _options: object) -> None:
    # Before SQLite does it with the process's umask; its -wal and -shm files take the same mode.
    if not os.path.exists(arguments[0]):
        os.close(os.open(arguments[0], os.O_RDWR | os.O_CREAT, 0o600))


def _write_ahead(connection: Connection) -> None:
    for patience in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0):
        try:
            mode = connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar()
        except OperationalError:
            # Here SQLite does not wait by itself for another process that makes the same change.
            if not patience:
                raise
            threading.Event().wait(0.02)
        else:
            break
    if mode != "wal":
        logger.warning(
            "The ledger's file system does not allow a write-ahead log; its journal mode is %s.", mode
        )
