"""The copy of a whole ledger to another database, as one transaction, with a comparison at the end."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import URL, Connection, Engine, Table, func, select, text, tuple_

from consentkit.errors import LedgerError
from consentkit.ledger.driver import run
from consentkit.ledger.ledger import Ledger
from consentkit.ledger.snapshot import begin_writing, opened, snapshot
from consentkit.ledger.tables import METADATA, schema, store, streams

__all__ = ["Copied", "copy_ledger"]

_PAGE: Final = 1_000
# A database keeps its own id and version. Streams are there from the beginning.
_COPIED: Final = tuple(table for table in METADATA.sorted_tables if table not in (schema, store))


class Copied(NamedTuple):
    """How many rows of a table were copied."""

    table: str
    rows: int


def copy_ledger(
    source: str | URL | Engine,
    target: str | URL | Engine,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Copied]:
    """Copy a ledger into an empty one, which is created if need be, and compare both.

    `seq` and the chain stay the same, so that checkpoints of the one verify the other. What is stored in the source after the
    copy has begun is not copied.

    Raises:
        ConfigurationError: a database is not supported, or its driver is not installed.
        LedgerUnavailableError: there is no ledger to copy, or its tables have another version.
        LedgerError: the target has rows already, or does not hold afterwards what the source does. It is left empty.
        sqlalchemy.exc.SQLAlchemyError: a database failed. The target is left empty.
    """
    with snapshot(source) as reading:
        total = sum(_count(reading, table) for table in _COPIED)
        ledger = Ledger(target, lock_timeout=30)
        # Creates the tables.
        ledger.counts()
        ledger.close()
        with opened(target) as writing:
            begin_writing(writing)
            try:
                _refuse_rows(writing)
                copied = _copy(reading, writing, lambda done: progress(done, total))
                run(writing, "COMMIT")
            except BaseException:
                writing.exec_driver_sql("ROLLBACK")
                raise
    return copied


def _refuse_rows(connection: Connection) -> None:
    for table in _COPIED:
        if table is not streams and _count(connection, table):
            raise LedgerError(
                f"The target has rows in {table.name} already, and nothing was copied. Copy into a new database."
            )
    connection.execute(streams.delete())


def _copy(reading: Connection, writing: Connection, progress: Callable[[int], None]) -> list[Copied]:
    copied, done = [], 0
    for table in _COPIED:
        digest = hashlib.sha256()
        count = 0
        for page in _pages(reading, table):
            writing.execute(table.insert(), [dict(row._mapping) for row in page])
            _add(digest, page)
            count += len(page)
            progress(done + count)
        done += count
        _continue_seq(reading, writing, table)
        found = hashlib.sha256()
        for page in _pages(writing, table):
            _add(found, page)
        if found.digest() != digest.digest():
            raise LedgerError(
                f"The copy of {table.name} is not what was copied, so it was undone. Check the target's encoding and its disk."
            )
        copied.append(Copied(table.name, count))
    return copied


def _pages(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table in the order of its key. The order of texts differs between databases, so it is by bytes."""
    keys = [
        column.collate("C") if _is_text(column) and connection.dialect.name == "postgresql" else column
        for column in table.primary_key
    ]
    names = [column.name for column in table.primary_key]
    query = select(table).order_by(*keys).limit(_PAGE)
    page = connection.execute(query).all()
    while page:
        yield page
        last = [page[-1]._mapping[name] for name in names]
        page = connection.execute(query.where(tuple_(*keys) > tuple_(*last))).all()


def _is_text(column: Any) -> bool:
    return bool(column.type.python_type is str)


def _add(digest: Any, rows: Sequence[Any]) -> None:
    for row in rows:
        digest.update(json.dumps([str(value) for value in row]).encode())


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _continue_seq(reading: Connection, writing: Connection, table: Table) -> None:
    """Set the counter of a table so that no row gets a `seq` that a row of the source has had, even a removed one."""
    if "seq" not in table.c:
        return
    last = max(_last_seq(connection, table) for connection in (reading, writing))
    if not last:
        return
    if writing.dialect.name == "postgresql":
        statement = text("SELECT setval(pg_get_serial_sequence(:table, 'seq'), :last)")
        writing.execute(statement, {"table": table.name, "last": last})
        return
    writing.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table.name})
    writing.execute(
        text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)"),
        {"table": table.name, "last": last},
    )


def _last_seq(connection: Connection, table: Table) -> int:
    """Return the highest `seq` that a table has had."""
    if connection.dialect.name == "postgresql":
        query = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, 'seq')::regclass)")
    else:
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    return connection.execute(query, {"table": table.name}).scalar() or 0
