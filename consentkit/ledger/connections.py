"""Connections to the ledger's database: durable transactions, recovery from outages and forks."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from math import ceil
from typing import Any, Final, Literal, TypedDict

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, Executable
from sqlalchemy.exc import SQLAlchemyError

from consentkit.errors import ConfigurationError, LedgerUnavailableError
from consentkit.ledger.driver import is_lost_connection, run
from consentkit.ledger.engines import default_spool, in_memory, make_engine, supported, time_limited
from consentkit.ledger.fork_hooks import ForkHooks
from consentkit.ledger.sqlite_file import FileCheck, file_id, is_damage, is_writable_file, set_write_ahead
from consentkit.ledger.store import begin_and_read, is_missing_table, make_tables, read_store
from consentkit.ledger.tables import store
from consentkit.ledger.watchdog import Watchdog
from consentkit.ledger.write_locks import begin_statements

__all__ = ["Database", "DatabaseHealth"]

logger = logging.getLogger("consentkit.ledger")

_SETTINGS: Final = "consentkit settings"
# Seconds that a server may exceed its own limit before the watchdog cuts the connection.
_MARGIN: Final = 0.5
_BEGIN_SQLITE: Final = dict.fromkeys((True, False), "BEGIN IMMEDIATE")


class DatabaseHealth(TypedDict):
    """Facts about the ledger's database for monitoring.

    Attributes:
        state: how the last use by this process ended.
        store: the random id of the database; None before its first use.
    """

    state: Literal["ok", "unreachable", "damaged", "unused"]
    store: str | None


class Database:
    """Run queries and transactions, each within a time limit.

    Connections are opened when first needed and closed before a fork, so that no process uses another's.

    Attributes:
        store_id: the random id of the database, which was drawn when its tables were created; None before its first use.
        epoch: a number that grows whenever the database turns out to be another one, or to have lost its tables.
        allows_several_writers: whether a transaction may share the ledger's lock with those of other processes.
        is_memory: whether the database is SQLite in memory, and ends with its connection.
        default_spool: the directory where records wait if no other is configured; None if there is no such place.
    """

    def __init__(
        self,
        target: str | URL | Engine,
        *,
        lock_timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if lock_timeout <= 0:
            raise ConfigurationError(
                f"lock_timeout = {lock_timeout}: the ledger needs time to answer. Write seconds above 0."
            )
        self.lock_timeout = lock_timeout
        self._owns_engine = not isinstance(target, Engine)
        # AUTOCOMMIT: the driver begins no transaction by itself, because `_begin` needs its own kind of BEGIN.
        engine = self._engine = (
            supported(target).execution_options(isolation_level="AUTOCOMMIT")
            if isinstance(target, Engine)
            else make_engine(target, lock_timeout)
        )
        self.dialect = engine.dialect.name
        self.default_spool = default_spool(engine)
        self.is_memory = self.dialect == "sqlite" and in_memory(engine.url)
        self._is_server = self.dialect == "postgresql"
        self._is_file = self.dialect == "sqlite" and not self.is_memory
        self._begin_statements = begin_statements(lock_timeout) if self._is_server else _BEGIN_SQLITE
        self._path = ""
        self._file_id = file_id(self._path)
        self._file_check = FileCheck(self._engine, clock=clock)
        self._is_file_checked = False
        self._is_file_replaced = False
        self._damage: str | None = None
        self._state: Literal["ok", "unreachable", "unused"] = "unused"
        self.store_id: str | None = None
        self.epoch = 0
        self.allows_several_writers = False
        self._watchdog = Watchdog()
        if self._owns_engine and self._is_server:
            self._watchdog.follow(engine)
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
            may_try_again = is_lost_connection(error) or is_missing_table(error.__cause__)
            if not may_try_again or time.monotonic() - started > self.lock_timeout:
                raise
        # A restart of the server breaks the connections that wait in the pool. SQLAlchemy has dropped them all by now.
        # Missing tables are created at this second try.
        return self._read(statement, values)

    @contextmanager
    def transaction(self, *, alone: bool = True) -> Iterator[Connection]:
        """Yield a connection inside a transaction that writes; leaving the block commits durably.

        Args:
            alone: whether no other transaction may write meanwhile. Others share the ledger's lock, if the database allows it.

        Raises:
            LedgerUnavailableError: nothing was stored. If COMMIT itself failed, that is unknown.
        """
        # Twice: waiting for the lock and writing have `lock_timeout` each.
        with self._connection(2 * self.lock_timeout + _MARGIN) as connection:
            found = begin_and_read(connection, partial(self._begin, connection, alone=alone))
            if found is None or found.id != self.store_id:
                connection.rollback()
                self._make_ready(connection)
                self._begin(connection)
            else:
                self.allows_several_writers = self._is_server and found.allows_several_writers
            yield connection
            run(connection, "COMMIT")

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield a connection outside a transaction, for statements that begin their own.

        Raises:
            LedgerUnavailableError: the database did not answer.
        """
        with self._connection(self.lock_timeout + _MARGIN) as connection:
            yield connection

    def check(self) -> None:
        """Check whether the database is still the same and, for a SQLite file, undamaged. Call this at every poll.

        A database that was not used yet is not checked.

        Raises:
            LedgerUnavailableError: the database is damaged, or did not answer in time.
        """
        if self._state == "unused":
            return
        if self._is_file and self.store_id is not None:
            self._check_file()
        found = self.read(sqlalchemy.select(store.c.id))
        if not found or found[0][0] != self.store_id:
            self._ready = False
            self.read(sqlalchemy.select(store.c.id))

    def is_writable(self) -> bool:
        """Return whether the database accepts changes now: not a standby, not read-only, its file not protected.

        Raises:
            LedgerUnavailableError: the server did not answer in time.
        """
        if self.dialect == "sqlite":
            return self.is_memory or is_writable_file(self._engine.url)
        # It is on for a standby too.
        return bool(self.read(sqlalchemy.text("SHOW transaction_read_only"))[0][0] == "off")

    def health(self) -> DatabaseHealth:
        """Return facts about the database for monitoring, without using it."""
        return {"state": self._state if self._damage is None else "damaged", "store": self.store_id}

    def begin_epoch(self) -> None:
        """Note that the database has lost content, as after a restore, so that what was stored before is stored again."""
        self.epoch += 1

    def close(self) -> None:
        """Close the connections, except those of an engine that the application made."""
        self._closed = True
        self._watchdog.close()
        if self._owns_engine:
            self._engine.dispose()

    def _read(self, statement: Executable, values: dict[str, Any] | None) -> Sequence[Any]:
        with self._connection(self.lock_timeout + _MARGIN) as connection, time_limited(connection):
            return connection.execute(statement, values).all()

    @contextmanager
    def _connection(self, seconds: float) -> Iterator[Connection]:
        self._refuse_damaged()
        with (
            self._counted_for_forks(),
            self._database_errors(),
            self._connect() as connection,
            self._watchdog.watch(connection, seconds) if self._is_server else nullcontext(),
        ):
            if not self._ready:
                self._make_ready(connection)
            try:
                yield connection
            finally:
                connection.rollback()

    def _connect(self) -> Connection:
        # A connection to a deleted file goes on writing to an inode that nobody can find again.
        if self._ready and self._file_id != file_id(self._path):
            logger.error(
                "%s was deleted or replaced while in use. The ledger continues with the file that is there now, or "
                "with a new one. Restore the old one from your backup.",
                self._path,
            )
            self._is_file_replaced = True
            self._disconnect()
        with self._watchdog.opening(self.lock_timeout + _MARGIN):
            return self._engine.connect()

    def _disconnect(self) -> None:
        self._ready = False
        self._engine.dispose()

    @contextmanager
    def _database_errors(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError, sqlite3.Error) as error:
            self._state = "unreachable"
            if self._is_file:
                self._disconnect()
            # The driver's error, because SQLAlchemy's text repeats the statement.
            reason: Any = getattr(error, "orig", None) or error
            # PostgreSQL's first line. A later one may have the row, and with it the visitor's pseudonym.
            message = getattr(getattr(reason, "diag", None), "message_primary", None) or reason
            if is_missing_table(error):
                self._ready = False
            elif is_damage(reason):
                self._note_damage(str(reason))
            raise LedgerUnavailableError(f"The ledger cannot be used now: {message}") from error
        else:
            self._state = "ok"

    # Damage

    def _refuse_damaged(self) -> None:
        if self._damage is not None and self._file_check.is_worth_another_look(self._path):
            self._check_file()
        if self._damage is not None:
            raise LedgerUnavailableError(
                f"The ledger cannot be used now: its file is damaged ({self._damage}). Restore it from your backup."
            )

    def _check_file(self) -> None:
        with self._counted_for_forks(), self._database_errors():
            is_gone = file_id(self._path) == (0, 0)
            after_damage = self._damage is not None
            self._note_damage(
                None if is_gone else self._file_check.damage(self._path, after_damage=after_damage)
            )

    def _note_damage(self, damage: str | None) -> None:
        if damage is not None and self._damage is None:
            logger.error(
                "%s is damaged: %s. The ledger stores and reads nothing until the file is restored from a backup.",
                self._path or self._engine.url.database,
                damage,
            )
        if damage is None and self._damage is not None:
            logger.warning("%s is no longer damaged. The ledger continues.", self._path)
            self._is_file_replaced = True
        if damage != self._damage:
            self._damage = damage
            self._disconnect()

    # Setting up

    def _begin(self, connection: Connection, *, alone: bool = True) -> None:
        # Settings of a SQLite connection last as long as the connection.
        if self.dialect == "sqlite" and _SETTINGS not in connection.info:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={ceil(self.lock_timeout * 1000)}")
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
            connection.info[_SETTINGS] = True
        if not connection.in_transaction():
            # SQLAlchemy's own transaction, without which its `rollback` does nothing. In AUTOCOMMIT it sends no statement.
            connection.begin()
        run(connection, self._begin_statements[alone])

    def _make_ready(self, connection: Connection) -> None:
        if not self._setup_lock.acquire(timeout=self.lock_timeout):
            raise LedgerUnavailableError(
                "The ledger cannot be used now: another thread is still creating its tables."
            )
        try:
            if self._is_file:
                self._path = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
                self._file_id = file_id(self._path)
                set_write_ahead(connection, self.lock_timeout)
                self._check_at_first_use()
            were_missing = make_tables(connection, self._begin)
            found = read_store(connection)
            self._note_store(found and found.id, were_missing=were_missing)
            self.allows_several_writers = (
                self._is_server and found is not None and found.allows_several_writers
            )
            self._ready = True
        finally:
            self._setup_lock.release()

    def _check_at_first_use(self) -> None:
        if not self._is_file_checked and self._path and os.path.getsize(self._path):
            self._note_damage(self._file_check.damage(self._path))
            self._refuse_damaged()
        self._is_file_checked = True

    def _note_store(self, found: str | None, *, were_missing: bool) -> None:
        """Compare the database with the one that this process has used."""
        is_same = found == self.store_id and not self._is_file_replaced and not were_missing
        if self.store_id is not None and were_missing:
            logger.error(
                "The ledger's tables were missing and have been created again, so its database was emptied, or replaced by "
                "an empty one. Restore its records from your backup."
            )
        elif self.store_id is not None and found != self.store_id:
            logger.error(
                "The ledger's database is another one than before. Records that were stored before are missing, unless "
                "they were moved. Check where the ledger's URL leads."
            )
        if not is_same:
            self.epoch += 1
        self._is_file_replaced = False
        self.store_id = found

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
        if not self.is_memory:
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
        if not self.is_memory:
            # Without closing: what is left in the pool are copies of the parent's connections.
            self._engine.dispose(close=False)


_FORK_HOOKS: Final = ForkHooks(
    before=Database.before_fork,
    after_in_parent=Database.after_fork_in_parent,
    after_in_child=Database.after_fork_in_child,
)
