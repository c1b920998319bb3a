"""The rows that an extract of a ledger reads: what happened in a period, and what visitors were shown."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Select, and_, case, func, literal, select

from consentkit.errors import InvalidDecisionError
from consentkit.ledger import tables
from consentkit.ledger.record import Record
from consentkit.ledger.tables import from_row
from consentkit.ledger.words import SentWords

__all__ = ["ExtractRows"]

PAGE_SIZE: Final = 500
_PLACES: Final = ("before", "in_period", "after", "elsewhere", "removed")
_WORDS: Final = [column for column in tables.renderings.columns if column.name != "seq"]


class ExtractRows:
    """Read a ledger over one connection, which should see one moment of the database.

    Attributes:
        unreadable: how many rows of the period hold no record, as far as they were read.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.unreadable = 0

    def last(self) -> int:
        """Return the highest `seq` of a record."""
        found: int = self._all(select(func.coalesce(func.max(tables.records.c.seq), 0)))[0][0]
        return found

    def first_at(self, site: str | None = None) -> int | None:
        """Return the time of the oldest record, on one site or on all; None without records."""
        columns = tables.records.c
        wanted = select(func.min(columns.at))
        found: int | None = self._all(wanted if site is None else wanted.where(columns.site == site))[0][0]
        return found

    def records(self, start: int, end: int, site: str | None = None) -> Iterator[Record]:
        """Yield the records of a period in the order in which they were stored, reading a few hundred at a time.

        Args:
            start: first second of the period, since the epoch.
            end: first second after it.
            site: id of the only site, or None for all.
        """
        columns = tables.records.c
        wanted = select(tables.records).where(columns.at >= start, columns.at < end)
        if site is not None:
            wanted = wanted.where(columns.site == site)
        wanted = wanted.order_by(columns.seq).limit(PAGE_SIZE)
        last = 0
        while rows := self._all(wanted.where(columns.seq > literal(last, BigInteger))):
            for row in rows:
                try:
                    record = from_row(row)
                except (InvalidDecisionError, TypeError, ValueError, RecursionError):
                    self.unreadable += 1
                else:
                    yield record
            last = rows[-1][0]

    def entries(self, start: int, end: int, site: str | None = None) -> dict[str, int]:
        """Return how many entries of records the chain has by where their rows are: before, in or after a period, or gone."""
        entry, record = tables.chain.c, tables.records.c
        places = [
            (record.seq.is_(None), "removed"),
            (record.at < start, "before"),
            (record.at >= end, "after"),
        ]
        if site is not None:
            places.append((record.site != site, "elsewhere"))
        rows = tables.chain.outerjoin(tables.records, and_(entry.ref == record.seq, entry.kind == "record"))
        place = case(*places, else_="in_period").label("place")
        placed = select(place).select_from(rows).where(entry.kind == "record").subquery()
        found = self._all(select(placed.c.place, func.count()).group_by(placed.c.place))
        return {name: 0 for name in _PLACES} | {name: number for name, number in found}

    def counts(self, start: int, end: int, site: str | None = None) -> list[dict[str, Any]]:
        """Return the counts of decisions of a period that were not recorded one by one, by hour."""
        columns = tables.counts.c
        wanted = select(tables.counts).where(columns.hour >= start, columns.hour < end)
        if site is not None:
            wanted = wanted.where(columns.site == site)
        return [dict(row._mapping) for row in self._all(wanted.order_by(*tables.counts.primary_key))]

    def notices(self) -> dict[str, str]:
        """Return all notices by digest, each as the text that is stored, in the order in which they were stored."""
        columns = tables.notices.c
        rows = self._all(select(columns.digest, columns.content).order_by(columns.seq))
        return {str(digest): str(content) for digest, content in rows}

    def renderings(self, digest: str, site: str | None = None) -> Iterator[SentWords]:
        """Yield the renderings of a notice in the order in which they were stored, one at a time."""
        columns = tables.renderings.c
        wanted = select(columns.seq).where(columns.notice == digest)
        if site is not None:
            wanted = wanted.where(columns.site == site)
        for (seq,) in self._all(wanted.order_by(columns.seq)):
            for row in self._all(select(*_WORDS).where(columns.seq == seq)):
                yield SentWords(**{name: str(value) for name, value in row._mapping.items()})

    def _all(self, statement: Select[Any]) -> list[Any]:
        return list(self._connection.execute(statement).all())
