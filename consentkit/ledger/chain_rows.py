"""The rows that a verification of the chain reads, as they are stored, a few thousand at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Executable,
    Table,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.types import NullType

from consentkit.ledger import tables
from consentkit.ledger.chain import KINDS

__all__ = ["ChainEntry", "ChainRows", "StoredRow", "StreamEnd", "stored_row"]

PAGE_SIZE: Final = 2_000
_MOST_STRANGERS: Final = 100
_TABLES: Final[Mapping[str, Table]] = {kind: table for table, kind in KINDS.items()}


class StreamEnd(NamedTuple):
    """A row of `consentkit_streams`."""

    stream: str
    n: int
    head: str
    base_n: int
    base_head: str


class ChainEntry(NamedTuple):
    """A row of `consentkit_chain`."""

    stream: str
    n: int
    kind: str
    ref: int | None
    payload: str | None
    digest: str
    head: str


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A record or link as it is stored: its salt, and the columns that its digest covers."""

    salt: str | None
    values: Mapping[str, Any]


class ChainRows:
    """Read the chain and what it covers over one connection, which should see one moment of the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def streams(self) -> list[StreamEnd]:
        """Return all streams, sorted by name."""
        return [StreamEnd(*row) for row in self._all(_STREAMS)]

    def entries(self, stream: str, after: int) -> list[ChainEntry]:
        """Return the next entries of a stream in their order."""
        wanted = _ENTRIES.where(_ENTRY.stream == stream, _ENTRY.n > literal(after, BigInteger))
        return [ChainEntry(*row) for row in self._all(wanted)]

    def names(self) -> set[str]:
        """Return the names of all streams that entries are in."""
        return {row[0] for row in self._all(select(_ENTRY.stream).distinct())}

    def rows(self, kind: str, refs: Sequence[int]) -> dict[int, StoredRow]:
        """Return records or links by their `seq`."""
        table = _TABLES[kind]
        # As the driver reads them: SQLAlchemy would take every number in a column of flags for True.
        columns = (type_coerce(column, NullType()).label(column.name) for column in table.columns)
        return {
            row.seq: stored_row(table, row)
            for row in self._all(select(*columns).where(table.c.seq.in_(refs)))
        }

    def last(self, kind: str) -> int:
        """Return the highest `seq` of a kind."""
        last: int = self._all(select(func.coalesce(func.max(_TABLES[kind].c.seq), 0)))[0][0]
        return last

    def strangers(self, kind: str, before: int) -> list[int]:
        """Return `seq` of the first rows behind a place that are not in the chain, at most a hundred."""
        return self.outside(kind, before, _MOST_STRANGERS)

    def outside(self, kind: str, after: int, most: int) -> list[int]:
        """Return `seq` of the first rows behind a place that are not in the chain."""
        seq = _TABLES[kind].c.seq
        wanted = select(seq).where(_is_outside(kind), seq > after).order_by(seq).limit(most)
        return [row[0] for row in self._all(wanted)]

    def count_unchained(self, kind: str, before: int) -> int:
        """Return how many rows up to a place are not in the chain."""
        seq = _TABLES[kind].c.seq
        found: int = self._all(select(func.count()).where(_is_outside(kind), seq <= before))[0][0]
        return found

    def _all(self, statement: Executable) -> Sequence[Any]:
        return self._connection.execute(statement).all()


_ENTRY: Final = tables.chain.c
_ENTRIES: Final = select(*(_ENTRY[name] for name in ChainEntry._fields)).order_by(_ENTRY.n).limit(PAGE_SIZE)
_STREAMS: Final = select(*(tables.streams.c[name] for name in StreamEnd._fields)).order_by(
    tables.streams.c.stream
)


def _is_outside(kind: str) -> ColumnElement[bool]:
    return ~select(_ENTRY.n).where(_ENTRY.ref == _TABLES[kind].c.seq, _ENTRY.kind == kind).exists()


def stored_row(table: Table, row: Sequence[Any]) -> StoredRow:
    """Return a row with the columns of its table in their order, as the driver read it."""
    values = dict(zip((column.name for column in table.columns), row, strict=True))
    for column in table.columns:
        # SQLite stores 0 and 1. Any other value stays what it is.
        if (
            isinstance(column.type, Boolean)
            and type(values[column.name]) is int
            and values[column.name] in (0, 1)
        ):
            values[column.name] = bool(values[column.name])
    del values["seq"]
    return StoredRow(values.pop("salt"), values)
