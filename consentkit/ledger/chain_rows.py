"""The rows that a verification of the chain reads, as they are stored, a few thousand at a time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Boolean, Connection, Table

from consentkit.ledger.chain import KINDS
from consentkit.ledger.driver import run

__all__ = ["ChainEntry", "ChainRows", "StoredRow", "StreamEnd", "stored_row"]

PAGE_SIZE: Final = 2_000
_MOST_STRANGERS: Final = 100
_TABLES: Final[Mapping[str, Table]] = {kind: table for table, kind in KINDS.items()}
_GIVEN: Final = {"sqlite": "IN (SELECT value FROM json_each(?))", "postgresql": "= ANY(%s)"}


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
        dialect = connection.dialect.name
        self._given = _GIVEN[dialect]
        self._mark = "?" if dialect == "sqlite" else "%s"
        self._is_sqlite = dialect == "sqlite"

    def streams(self) -> list[StreamEnd]:
        """Return all streams, sorted by name."""
        rows = self._all("SELECT stream, n, head, base_n, base_head FROM consentkit_streams ORDER BY stream")
        return [StreamEnd(*row) for row in rows]

    def entries(self, stream: str, after: int) -> list[ChainEntry]:
        """Return the next entries of a stream in their order."""
        rows = self._all(
            "SELECT stream, n, kind, ref, payload, digest, head FROM consentkit_chain "  # noqa: S608 - values are given apart
            f"WHERE stream = {self._mark} AND n > {self._mark} ORDER BY n LIMIT {PAGE_SIZE}",
            stream,
            after,
        )
        return [ChainEntry(*row) for row in rows]

    def names(self) -> set[str]:
        """Return the names of all streams that entries are in."""
        return {row[0] for row in self._all("SELECT DISTINCT stream FROM consentkit_chain")}

    def rows(self, kind: str, refs: Sequence[int]) -> dict[int, StoredRow]:
        """Return records or links by their `seq`."""
        table = _TABLES[kind]
        names = [column.name for column in table.columns]
        found = self._all(
            f"SELECT {', '.join(names)} FROM {table.name} WHERE seq {self._given}",  # noqa: S608 - names of our own
            json.dumps(list(refs)) if self._is_sqlite else list(refs),
        )
        return {row[0]: stored_row(table, row) for row in found}

    def last(self, kind: str) -> int:
        """Return the highest `seq` of a table."""
        last: int = self._all(f"SELECT coalesce(max(seq), 0) FROM {_TABLES[kind].name}")[0][0]  # noqa: S608 - a name of our own
        return last

    def strangers(self, kind: str, before: int) -> list[int]:
        """Return `seq` of the first rows behind a place that are not in the chain, at most a hundred."""
        rows = self._all(
            f"SELECT seq {self._outside(kind)} AND seq > {self._mark} ORDER BY seq LIMIT {_MOST_STRANGERS}",
            before,
        )
        return [row[0] for row in rows]

    def count_unchained(self, kind: str, before: int) -> int:
        """Return how many rows up to a place are not in the chain."""
        found: int = self._all(f"SELECT count(*) {self._outside(kind)} AND seq <= {self._mark}", before)[0][0]
        return found

    def _outside(self, kind: str) -> str:
        return (
            f"FROM {_TABLES[kind].name} AS found WHERE NOT EXISTS (SELECT 1 FROM consentkit_chain AS c "  # noqa: S608 - as above
            f"WHERE c.ref = found.seq AND c.kind = '{kind}')"
        )

    def _all(self, statement: str, *values: Any) -> list[Any]:
        rows: list[Any] = run(self._connection, statement, values or None).fetchall()
        return rows


def stored_row(table: Table, row: Sequence[Any]) -> StoredRow:
    """Return a row with the columns of its table in their order, as the driver read it."""
    values = dict(zip((column.name for column in table.columns), row, strict=True))
    for name in _flags(table):
        # SQLite stores 0 and 1. Any other value stays what it is.
        if type(values[name]) is int and values[name] in (0, 1):
            values[name] = bool(values[name])
    del values["seq"]
    return StoredRow(values.pop("salt"), values)


def _flags(table: Table) -> Iterator[str]:
    return (column.name for column in table.columns if isinstance(column.type, Boolean))
