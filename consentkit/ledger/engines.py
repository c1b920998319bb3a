"""SQLAlchemy engines for the ledger's database, with time limits, and with files that only their owner can read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from consentkit.errors import ConfigurationError
from consentkit.ledger.driver import run
from consentkit.ledger.sqlite_file import path_of

__all__ = ["default_spool", "in_memory", "make_engine", "supported", "time_limited"]

_DRIVERS: Final = ("pysqlite", "psycopg")
_LIMITS: Final = ("statement_timeout", "lock_timeout")
_POOLED: Final = "consentkit's limits behind a pooler"


def supported(engine: Engine) -> Engine:
    """Return an engine that the application made, after checking its driver.

    Raises:
        ConfigurationError: the driver is not sqlite3 or psycopg 3.
    """
    if engine.driver not in _DRIVERS:
        raise ConfigurationError(
            f"ledger = {engine!r}: the driver {engine.driver} is not supported. Create the engine for "
            "sqlite:/// or postgresql+psycopg://."
        )
    return engine


def make_engine(target: str | URL, lock_timeout: float) -> Engine:
    """Create an engine for a database URL, without connecting.

    Raises:
        ConfigurationError: the URL is invalid, its database is not supported, or its driver is not installed.
    """
    try:
        url = make_url(target)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "ledger: expected the URL of a database. Write sqlite:///consent.db or postgresql://host/name."
        ) from error
    if "@" in (url.host or ""):
        # What looks like the host has a part of the password, and no message may show that.
        raise ConfigurationError("ledger: the URL has several @. Write %40 for each @ in the password.")
    backend, _, driver = url.drivername.partition("+")
    if backend == "sqlite" and driver in ("", "pysqlite"):
        return _sqlite(url.set(drivername="sqlite"), lock_timeout)
    if backend in ("postgresql", "postgres") and driver in ("", "psycopg"):
        return _postgresql(url.set(drivername="postgresql+psycopg"), lock_timeout)
    raise ConfigurationError(
        f"ledger = {url!r}: {url.drivername} is not supported. Write sqlite:/// or postgresql://."
    )


def in_memory(url: URL) -> bool:
    """Return whether a SQLite database lives in memory, so that it ends with its connection."""
    return url.database in (None, "", ":memory:", "file::memory:") or url.query.get("mode") == "memory"


def default_spool(target: str | URL | Engine) -> Path | None:
    """Return the directory next to a SQLite file where records wait if no other is configured, `<file>.spool`.

    Return None for a database in memory or on a server, and for an invalid URL.
    """
    try:
        url = target.url if isinstance(target, Engine) else make_url(target)
    except (ArgumentError, ValueError):
        return None
    if url.get_backend_name() != "sqlite" or in_memory(url):
        return None
    path = path_of(url)
    return None if path is None else path.with_name(f"{path.name}.spool")


def _sqlite(url: URL, lock_timeout: float) -> Engine:
    options: dict[str, Any] = {"pool_timeout": lock_timeout}
    by_path = not in_memory(url) and not str(url.database).startswith("file:")
    if in_memory(url):
        # Each connection would be a database of its own, so all threads take turns with a single connection.
        options |= {"pool_size": 1, "max_overflow": 0}
    elif by_path:
        path = Path(str(url.database)).absolute()
        if not path.parent.is_dir():
            raise ConfigurationError(
                f"ledger = {url!r}: the directory {path.parent} does not exist. Create it."
            )
        url = url.set(database=str(path))
    engine = sqlalchemy.create_engine(
        url,
        poolclass=QueuePool,
        connect_args={"timeout": lock_timeout, "check_same_thread": False},
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
        **options,
    )
    if by_path:
        event.listen(engine, "do_connect", _create_for_owner_only)
    event.listen(engine, "connect", _read_damaged_text)
    return engine


def _create_for_owner_only(_dialect: object, _entry: object, arguments: list[str], _options: object) -> None:
    # SQLite would create the file with the process's umask. Its -wal and -shm files copy the mode of the database.
    if not os.path.exists(arguments[0]):
        os.close(os.open(arguments[0], os.O_RDWR | os.O_CREAT, 0o600))


def _read_damaged_text(connection: Any, _entry: object) -> None:
    # A single text that is not UTF-8 would make every query fail that meets it, polls included.
    connection.text_factory = _text_or_bytes


def _text_or_bytes(text: bytes) -> str | bytes:
    """Return a text, or bytes that are none, which no record may hold."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text


def _postgresql(url: URL, lock_timeout: float) -> Engine:
    milliseconds = ceil(lock_timeout * 1000)
    limits: dict[str, Any] = {
        # libpq raises 1 s to 2 s.
        "connect_timeout": max(2, ceil(lock_timeout)),
        "tcp_user_timeout": milliseconds,
        "application_name": "consentkit",
        # Behind a pooler such as PgBouncer, the next transaction may have another server, which did not prepare the statement.
        "prepare_threshold": None,
    }
    try:
        engine = sqlalchemy.create_engine(
            url,
            connect_args={name: value for name, value in limits.items() if name not in url.query},
            pool_timeout=lock_timeout,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
        )
    except ImportError as error:
        raise ConfigurationError(
            f"ledger = {url!r}: the driver for PostgreSQL is not installed. Install consentkit[postgres]."
        ) from error

    event.listen(engine, "connect", partial(_limit_statements, milliseconds))
    return engine


def _limit_statements(milliseconds: int, connection: Any, entry: Any) -> None:
    """Limit the time of statements in the session of a new connection, if the session is the connection's own.

    A pooler in transaction mode lends a session to one client after another: a setting would stay for all of them. The
    process that a pooler names as the connection's is not the one that answers.
    """
    settings = ", ".join(f"set_config('{name}', '{milliseconds}', false)" for name in _LIMITS)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {settings} WHERE pg_backend_pid() = %s", [connection.info.backend_pid])
            if not cursor.rowcount:
                entry.info[_POOLED] = "; ".join(f"SET LOCAL {name} = {milliseconds}" for name in _LIMITS)
    except Exception:
        # SQLAlchemy leaves a connection that could not be set up to the garbage collector.
        connection.close()
        raise


@contextmanager
def time_limited(connection: Connection) -> Iterator[None]:
    """Limit the time of the statement in the block behind a pooler too, by a transaction that commits."""
    limits = connection.info.get(_POOLED)
    if limits is None:
        yield
        return
    run(connection, f"BEGIN; {limits}")
    yield
    run(connection, "COMMIT")
