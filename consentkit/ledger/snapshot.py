"""One moment of a ledger's database, for reading all of it while others go on writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger.driver import run
from consentkit.ledger.engines import in_memory, make_engine, supported
from consentkit.ledger.sqlite_file import path_of
from consentkit.ledger.store import WRITE_LOCK, check_version
from consentkit.ledger.tables import schema

__all__ = ["begin_writing", "has_ledger", "opened", "snapshot"]

_LOCK_TIMEOUT: Final = 30.0
_LOOK_TIMEOUT: Final = 2.0
_BEGIN_WRITING: Final = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": (
        "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL synchronous_commit = on; "
        f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"
    ),
}
_BEGIN: Final = {
    "sqlite": "BEGIN",
    "postgresql": (
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; "
        "SET LOCAL idle_in_transaction_session_timeout = 0"
    ),
}


@contextmanager
def opened(target: str | URL | Engine) -> Iterator[Connection]:
    """Yield a connection to an existing database, in autocommit mode.

    Raises:
        ConfigurationError: the database is not supported, or its driver is not installed.
        LedgerUnavailableError: there is no such file.
        sqlalchemy.exc.SQLAlchemyError: the server does not answer.
    """
    if isinstance(target, Engine):
        with supported(target).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            yield connection
        return
    engine = make_engine(target, _LOCK_TIMEOUT)
    path = path_of(make_url(target)) if engine.dialect.name == "sqlite" else None
    if path is not None and not in_memory(engine.url) and not path.exists():
        raise LedgerUnavailableError(f"There is no ledger at {path}.")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def snapshot(target: str | URL | Engine) -> Iterator[Connection]:
    """Yield a connection that sees one moment of a ledger, and does not write.

    Raises:
        LedgerUnavailableError: there is no ledger, or its tables have another version.
        ConfigurationError, sqlalchemy.exc.SQLAlchemyError: as `opened` does.
    """
    with opened(target) as connection:
        if not connection.dialect.has_table(connection, schema.name):
            raise LedgerUnavailableError("There is no ledger in this database.")
        check_version(connection)
        driver: Any = connection.connection.driver_connection
        is_sqlite = connection.dialect.name == "sqlite"
        before = driver.text_factory if is_sqlite else None
        if is_sqlite:
            # Text that somebody damaged is read too, because the chain finds it.
            driver.text_factory = _decode
        connection.exec_driver_sql(_BEGIN[connection.dialect.name])
        try:
            yield connection
        finally:
            connection.exec_driver_sql("ROLLBACK")
            if is_sqlite:
                driver.text_factory = before


def has_ledger(target: str | URL) -> bool:
    """Return whether a database has a ledger's tables. True if it does not answer, which whoever uses it finds out.

    Raises:
        ConfigurationError: as `opened` does.
    """
    engine = make_engine(target, _LOOK_TIMEOUT)
    try:
        with opened(engine) as connection:
            return bool(connection.dialect.has_table(connection, schema.name))
    except SQLAlchemyError:
        return True
    finally:
        engine.dispose()


def begin_writing(connection: Connection) -> None:
    """Begin a transaction while nobody else writes. It may take as long as it needs."""
    run(connection, _BEGIN_WRITING[connection.dialect.name])


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
