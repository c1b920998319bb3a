"""A chained ledger in memory, which tests tamper with."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from consentkit.ledger import Ledger
from consentkit.ledger.chain import KINDS, ChainedInsert
from consentkit.ledger.chain_rows import ChainEntry, ChainRows, StoredRow, StreamEnd
from consentkit.ledger.snapshot import snapshot
from tests.support.records import a_record

__all__ = ["RowsInMemory", "three_writers"]


@dataclass
class RowsInMemory:
    """What `ChainRows` reads, as lists and dictionaries to change."""

    ends: list[StreamEnd]
    chain: dict[str, list[ChainEntry]]
    stored: dict[str, dict[int, StoredRow]] = field(default_factory=dict)

    @classmethod
    def read(cls, url: str) -> "RowsInMemory":
        """Read a whole ledger."""
        with snapshot(url) as connection:
            rows = ChainRows(connection)
            ends = rows.streams()
            chain = {name: rows.entries(name, 0) for name in rows.names()}
            stored = {kind: rows.rows(kind, list(range(1, rows.last(kind) + 1))) for kind in KINDS.values()}
        return cls(ends, chain, stored)

    def copy(self) -> "RowsInMemory":
        """Return another one to change."""
        chain = {name: list(entries) for name, entries in self.chain.items()}
        return RowsInMemory(list(self.ends), chain, {kind: dict(rows) for kind, rows in self.stored.items()})

    def streams(self) -> list[StreamEnd]:
        return self.ends

    def entries(self, stream: str, after: int) -> list[ChainEntry]:
        return [entry for entry in self.chain.get(stream, []) if entry.n > after]

    def names(self) -> set[str]:
        return {name for name, entries in self.chain.items() if entries}

    def rows(self, kind: str, refs: list[int]) -> dict[int, StoredRow]:
        return {ref: self.stored[kind][ref] for ref in refs if ref in self.stored[kind]}

    def last(self, kind: str) -> int:
        return max(self.stored[kind], default=0)

    def strangers(self, kind: str, before: int) -> list[int]:
        return sorted(seq for seq in self._outside(kind) if seq > before)

    def count_unchained(self, kind: str, before: int) -> int:
        return sum(seq <= before for seq in self._outside(kind))

    def _outside(self, kind: str) -> Iterator[int]:
        chained = {entry.ref for entries in self.chain.values() for entry in entries if entry.kind == kind}
        return (seq for seq in self.stored[kind] if seq not in chained)


def three_writers(url: str, records: int = 200) -> None:
    """Store records and links by three writers in turn, each with a stream of its own."""
    ledgers = [Ledger(url, lock_timeout=30) for _ in range(3)]
    for at, ledger in enumerate(ledgers):
        for statement in ledger._insert_statements.values():
            if isinstance(statement, ChainedInsert):
                # The streams 0, 1 and 2, whatever the process.
                statement._chain._preferred = at - os.getpid()
    for number in range(records):
        granted = {"analytical": number % 2 == 0, "tracking": True}
        record = a_record(subject=f"{number:022d}", language="nl é", categories=granted, gpc=number % 3 == 0)
        ledgers[number % 3].append(record)
        if number % 20 == 0:
            ledgers[number % 3].link(f"{number:022d}", f"other{number}", number)
    for ledger in ledgers:
        ledger.close()


def execute(url: str, statement: str, *values: Any) -> list[Any]:
    """Run a statement on a SQLite ledger, as somebody who tampers with it does."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()
