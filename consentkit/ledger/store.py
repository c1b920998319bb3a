"""The tables of the ledger's database, and the random id by which one database differs from another."""

import secrets
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger.chain import make_streams
from consentkit.ledger.driver import run
from consentkit.ledger.tables import COMPATIBLE_FROM, METADATA, SCHEMA_VERSION, InsertIgnore, schema, store

__all__ = [
    "WRITE_LOCK",
    "Store",
    "begin_and_read",
    "check_version",
    "is_missing_table",
    "make_tables",
    "read_store",
]

WRITE_LOCK: Final = 0x636F6E73656E74
"""The bytes of "consent". Every process that writes to one database must take the same lock, whatever its number."""
_UNDEFINED_TABLE: Final = "42P01"
# The first version whose polls leave out nothing while several processes write at once.
_SEVERAL_WRITERS_FROM: Final = 4
_SELECT: Final = str(
    sqlalchemy.select(store.c.id, sqlalchemy.select(sqlalchemy.func.min(schema.c.version)).scalar_subquery())
)


class Store(NamedTuple):
    """What a database says about itself.

    Attributes:
        id: its random id.
        oldest: the oldest version of the tables whose library may still be using it; None if somebody has deleted that.
    """

    id: str
    oldest: int | None

    @property
    def allows_several_writers(self) -> bool:
        """Return whether every library that uses the database expects that several processes write at once."""
        return self.oldest is not None and self.oldest >= _SEVERAL_WRITERS_FROM


def is_missing_table(error: BaseException | None) -> bool:
    """Return whether a statement failed because a table does not exist."""
    cause: Any = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) == _UNDEFINED_TABLE or str(cause).startswith("no such table")


def read_store(connection: Connection) -> Store | None:
    """Return what the database says about itself, or None if it has no tables."""
    try:
        row = run(connection, _SELECT).fetchone()
    except SQLAlchemyError as error:
        if is_missing_table(error):
            return None
        raise
    return Store(*row) if row is not None else None


def begin_and_read(connection: Connection, begin: Callable[[], None]) -> Store | None:
    """Begin a transaction, and return what the database says about itself, or None if it has no tables."""
    try:
        begin()
    except SQLAlchemyError as error:
        # A transaction that shares the ledger's lock asks for the end of the records at once.
        if is_missing_table(error):
            return None
        raise
    return read_store(connection)


def make_tables(connection: Connection, begin: Callable[[Connection], None]) -> bool:
    """Create what is missing of the tables and the id, in a transaction, and return whether anything was.

    Raises:
        LedgerUnavailableError: the tables are those of another version of the library.
    """
    has_table = connection.dialect.has_table
    if has_table(connection, schema.name):
        check_version(connection)
    if all(has_table(connection, name) for name in METADATA.tables) and read_store(connection) is not None:
        return False
    begin(connection)
    METADATA.create_all(connection)
    InsertIgnore(schema, connection.dialect.name).run(
        connection, [{"version": SCHEMA_VERSION, "compatible_from": COMPATIBLE_FROM}]
    )
    make_streams(connection)
    # Another process may have been faster. There is never more than one id.
    if read_store(connection) is None:
        connection.execute(store.insert(), {"id": secrets.token_hex(16)})
    run(connection, "COMMIT")
    check_version(connection)
    return True


def check_version(connection: Connection) -> None:
    """Check that this version of the library may use the tables, if there are any.

    Raises:
        LedgerUnavailableError: it may not, as the message says.
    """
    version = connection.execute(sqlalchemy.select(sqlalchemy.func.max(schema.c.version))).scalar()
    if version is None or version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        # A newer schema has the column.
        query = sqlalchemy.select(schema.c.compatible_from).where(schema.c.version == version)
        compatible_from = connection.execute(query).scalar()
        if compatible_from is not None and compatible_from <= SCHEMA_VERSION:
            return
        remedy = "The tables are newer. Upgrade consentkit."
    else:
        remedy = "The tables are older. Run `consentkit ledger upgrade`."
    raise LedgerUnavailableError(
        f"The ledger's tables have version {version}, but this consentkit knows {SCHEMA_VERSION}. {remedy}"
    )
