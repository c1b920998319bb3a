"""Engines made for the ledger from an address: limits in time, privacy of files, recovery."""

import os
from math import ceil
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from consentkit.errors import ConfigurationError

__all__ = ["checked", "in_memory", "make_engine"]

_DRIVERS: Final = ("pysqlite", "psycopg")


def checked(engine: Engine) -> Engine:
    """Take an engine that its owner made.

    Raises:
        ConfigurationError: it belongs to a database or driver that the ledger does not know.
    """
    if engine.driver not in _DRIVERS:
        raise ConfigurationError(
            f"ledger = {engine!r}: no ledger is kept with {engine.driver}; make the engine for "
            "sqlite:/// or postgresql+psycopg://."
        )
    return engine


def make_engine(target: str | URL, lock_timeout: float) -> Engine:
    """Make an engine, without connecting.

    Raises:
        ConfigurationError: the address is none, is another database's, or its driver is missing.
    """
    try:
        url = make_url(target)
    except ArgumentError as error:
        raise ConfigurationError(
            "ledger: this is not the address of a database; write sqlite:///consent.db or postgresql://host/name."
        ) from error
    backend, _, driver = url.drivername.partition("+")
    if backend == "sqlite" and driver in ("", "pysqlite"):
        return _sqlite(url.set(drivername="sqlite"), lock_timeout)
    if backend in ("postgresql", "postgres") and driver in ("", "psycopg"):
        return _postgresql(url.set(drivername="postgresql+psycopg"), lock_timeout)
    raise ConfigurationError(
        f"ledger = {url!r}: no ledger is kept with {url.drivername}; write sqlite:/// or postgresql://."
    )


def in_memory(url: URL) -> bool:
    """Tell a SQLite database that ends with its connection."""
    return url.database in (None, "", ":memory:", "file::memory:") or url.query.get("mode") == "memory"


def _sqlite(url: URL, lock_timeout: float) -> Engine:
    options: dict[str, Any] = {"pool_timeout": lock_timeout}
    by_path = not in_memory(url) and not str(url.database).startswith("file:")
    if in_memory(url):
        # One connection is the whole database: lent to one thread at a time.
        options |= {"pool_size": 1, "max_overflow": 0}
    elif by_path:
        path = Path(str(url.database)).absolute()
        if not path.parent.is_dir():
            raise ConfigurationError(f"ledger = {url!r}: there is no directory {path.parent}; create it.")
        url = url.set(database=str(path))
    engine = sqlalchemy.create_engine(
        url,
        poolclass=QueuePool,
        connect_args={"timeout": lock_timeout, "check_same_thread": False},
        hide_parameters=True,
        **options,
    )
    if by_path:
        event.listen(engine, "do_connect", _create_for_owner_only)
    return engine


def _create_for_owner_only(_dialect: object, _entry: object, arguments: list[str], _options: object) -> None:
    # Before SQLite does it with the process's umask; its -wal and -shm files take the same mode.
    if not os.path.exists(arguments[0]):
        os.close(os.open(arguments[0], os.O_RDWR | os.O_CREAT, 0o600))


def _postgresql(url: URL, lock_timeout: float) -> Engine:
    milliseconds = ceil(lock_timeout * 1000)
    limits = {
        "connect_timeout": max(2, ceil(lock_timeout)),  # the driver takes no less than 2 s
        "tcp_user_timeout": milliseconds,
        "application_name": "consentkit",
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
            f"ledger = {url!r}: the driver for PostgreSQL is missing; install consentkit[postgres]."
        ) from error

    @event.listens_for(engine, "connect")
    def limit_statements(connection: Any, _entry: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}")

    return engine
