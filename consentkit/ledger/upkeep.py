"""Upkeep of a ledger: which of its rows are old, the counts that go with them, and the space that removed rows leave."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, bindparam, select

from consentkit.ledger.connections import Database
from consentkit.ledger.driver import run
from consentkit.ledger.removal import (
    NEVER,
    Ending,
    LinkedRecords,
    Reason,
    Removed,
    Remover,
    linked_records,
    own_end,
)
from consentkit.ledger.tables import counts, links, prunings, records, shown

__all__ = ["Page", "PlacedRecord", "Pruning", "Upkeep"]

HOURS_AT_ONCE: Final = 24
DAY: Final = 86_400
PAGES_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class PlacedRecord:
    """What pruning needs to know about a record.

    Attributes:
        seq: place in the ledger.
        id, subject, site, at: of the record.
        ends_at: when its own validity ends, in seconds since the epoch.
    """

    seq: int
    id: str
    subject: str | None
    site: str
    at: int
    ends_at: int


Page = Sequence[PlacedRecord]


@dataclass(frozen=True, slots=True)
class Pruning:
    """The last pruning of a site that came to its end: when, and the period that it enforced, such as P24M."""

    at: int
    records_kept: str


_AFTER: Final = bindparam("after", type_=BigInteger)
_MOST: Final = bindparam("most", type_=BigInteger)
_columns: Final = records.c
_PAGE: Final = (
    select(_columns.seq, _columns.id, _columns.subject, _columns.site, _columns.at, own_end())
    .where(_columns.seq > _AFTER)
    .order_by(_columns.seq)
    .limit(_MOST)
)
_OLD_LINKS: Final = (
    select(links.c.seq, links.c.handle_from, links.c.at)
    .where(links.c.seq > _AFTER)
    .order_by(links.c.seq)
    .limit(_MOST)
)


def _placed(seq: int, record_id: str, subject: Any, site: str, at: Any, ends_at: Any) -> PlacedRecord:
    """Return a place. A row that another program wrote, without times or with bytes for a subject, never ends."""
    if isinstance(at, int) and isinstance(ends_at, int) and isinstance(subject, str | None):
        return PlacedRecord(seq, record_id, subject, site, at, ends_at)
    return PlacedRecord(seq, record_id, None, site, NEVER, NEVER)


class Upkeep:
    """What retention asks of a ledger. Every method raises LedgerUnavailableError if the database does not answer."""

    def __init__(self, database: Database, remover: Remover) -> None:
        self._database = database
        self._remover = remover

    def page(self, after: int, most: int) -> Page:
        """Return the records after a place in the ledger, in their order."""
        rows = self._database.read(_PAGE, {"after": after, "most": most})
        return [_placed(*row) for row in rows]

    def linked_records(self, subjects: Iterable[str], sites: Sequence[str] = ()) -> dict[str, LinkedRecords]:
        """Return, for each pseudonym, what is recorded about it and all that links join to it; see `linked_records`."""
        return linked_records(self._database.read, self._database.dialect, subjects, sites)

    def links(self, after: int, most: int) -> Sequence[tuple[int, str, int]]:
        """Return the place, one pseudonym and the time of the links after a place, in their order."""
        rows = self._database.read(_OLD_LINKS, {"after": after, "most": most})
        return [
            (seq, subject, at if isinstance(at, int) and isinstance(subject, str) else NEVER)
            for seq, subject, at in rows
        ]

    def remove_links(self, subjects: Sequence[str], *, reason: Reason, at: int, ending: Ending) -> Removed:
        """Remove the links of pseudonyms about whom nothing is recorded any more."""
        return self._remover.remove_links(subjects, reason=reason, at=at, ending=ending)

    def remove_counts(self, ending: Ending, *, dry_run: bool = False) -> int:
        """Remove counts of decisions that ended by a time, those of a day at once, and return how many rows there were.

        What was shown goes with them, because both are parts of the same figures.
        """
        old = (counts.c.hour <= ending.by) & counts.c.site.in_(ending.sites)
        if dry_run:
            return len(self._database.read(select(counts.c.hour).where(old)))
        with self._database.transaction() as connection:
            connection.execute(
                shown.delete().where((shown.c.day <= ending.by - DAY) & shown.c.site.in_(ending.sites))
            )
        removed = 0
        hours = select(counts.c.hour).where(old).distinct().order_by(counts.c.hour).limit(HOURS_AT_ONCE)
        while found := [row[0] for row in self._database.read(hours)]:
            with self._database.transaction() as connection:
                chosen = counts.c.hour.in_(found) & counts.c.site.in_(ending.sites)
                removed += connection.execute(counts.delete().where(chosen)).rowcount
        return removed

    def note_pruning(self, sites: Sequence[str], pruning: Pruning) -> None:
        """Store that a pruning of some sites came to its end."""
        with self._database.transaction() as connection:
            connection.execute(prunings.delete().where(prunings.c.site.in_(sites)))
            rows = [{"site": site, "at": pruning.at, "records_kept": pruning.records_kept} for site in sites]
            connection.execute(prunings.insert(), rows)

    def last_pruning(self, site: str) -> Pruning | None:
        """Return the last pruning of a site that came to its end, or None."""
        found = self._database.read(
            select(prunings.c.at, prunings.c.records_kept).where(prunings.c.site == site)
        )
        return Pruning(*found[0]) if found else None

    # The file of a SQLite ledger

    def gives_space_back(self) -> bool:
        """Return whether a SQLite file can shrink a little at a time, or the database is none."""
        if self._database.dialect != "sqlite":
            return True
        return bool(self._pragma("auto_vacuum") == 2)

    def give_space_back(self) -> bool:
        """Shrink a SQLite file by some pages that removed rows have left. Return whether more can be given back."""
        if self._database.dialect != "sqlite" or self._pragma("auto_vacuum") != 2:
            return False
        with self._database.connection() as connection:
            # A step for each page, so the driver's cursor has to be read to its end.
            run(connection, f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})").fetchall()
        return bool(self._pragma("freelist_count"))

    def rewrite(self) -> None:
        """Rewrite a SQLite file without its empty pages, so that it can shrink a little at a time from then on.

        Nobody else can write meanwhile, and the disk needs room for a second copy.
        """
        if self._database.dialect == "sqlite":
            with self._database.connection() as connection:
                connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")
                connection.exec_driver_sql("VACUUM")

    def pages(self) -> int:
        """Return how many pages a SQLite file has; 0 for another database."""
        return int(self._pragma("page_count")) if self._database.dialect == "sqlite" else 0

    def _pragma(self, name: str) -> Any:
        with self._database.connection() as connection:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar()
