"""Removal of rows, in transactions so short that writers hardly notice them.

The records of a visitor are removed with the links between the visitor's pseudonyms. A link stays as long as a record of any
pseudonym that it joins is left, because a withdrawal on one site reaches the others by the links.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import sqlalchemy
from sqlalchemy import BigInteger, Connection, Executable, Text, bindparam, func, select

from consentkit.ledger import queries
from consentkit.ledger.chain import append_removal
from consentkit.ledger.connections import Database
from consentkit.ledger.tables import links, records, removals
from consentkit.ledger.view import list_of

__all__ = ["SHORTEST_REST", "Ending", "LinkedRecords", "Reason", "Removed", "Remover", "linked_records"]

Reason = Literal["erasure", "pruning"]
Read = Callable[[Executable, dict[str, Any]], Sequence[Any]]

NEVER: Final = 2**62
"""The end of a consent that has none."""
LONGEST_TRANSACTION: Final = 0.02
SHORTEST_REST: Final = 0.03
"""Seconds between two transactions. Writers to SQLite that wait for the lock ask for it at least every 25 ms during their first
tenth of a second (`sqliteDefaultBusyCallback` in SQLite's main.c), so each finds it free in one of these pauses."""
SMALLEST_BATCH: Final = 20
LARGEST_BATCH: Final = 400


@dataclass(frozen=True, slots=True)
class Ending:
    """What has to be over before a record may go: everything about its visitor has ended by a time, and was on these sites.

    Attributes:
        by: seconds since the epoch.
        sites: ids of sites.
    """

    by: int
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """How many records and links were removed."""

    records: int = 0
    links: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.records + other.records, self.links + other.links)


@dataclass(frozen=True, slots=True)
class LinkedRecords:
    """A pseudonym with all that links join to it.

    Attributes:
        subjects: the pseudonyms, this one included.
        count: number of their records.
        ends_at: when the last of their validities ends, in seconds since the epoch.
    """

    subjects: tuple[str, ...]
    count: int
    ends_at: int


def own_end() -> sqlalchemy.ColumnElement[int]:
    """Return the expression for when a record's own validity ends. A grant whose end no calendar holds never ends."""
    columns = records.c
    return sqlalchemy.case(
        ((columns.status == "given") & columns.expires_at.is_(None), NEVER),
        (columns.expires_at > columns.at, columns.expires_at),
        else_=columns.at,
    )


def _summary(dialect: str) -> Executable:
    given = (
        sqlalchemy.text(queries.GIVEN[dialect]).columns(sqlalchemy.column("handle", Text)).subquery("given")
    )
    end = sqlalchemy.case((records.c.site.in_(bindparam("sites", expanding=True)), own_end()), else_=NEVER)
    return (
        select(records.c.subject, func.count(), func.max(end, type_=BigInteger))
        .where(records.c.subject.in_(select(given.c.handle)))
        .group_by(records.c.subject)
    )


_SUMMARY: Final = {dialect: _summary(dialect) for dialect in queries.GIVEN}


def linked_records(
    read: Read, dialect: str, subjects: Iterable[str], sites: Sequence[str]
) -> dict[str, LinkedRecords]:
    """Return, for each pseudonym, what is recorded about it and all that links join to it.

    A record on a site that is not listed has no end, and neither have pseudonyms of which there are too many to look at.
    """
    given = list(subjects)
    if not given:
        return {}
    asked = {"subjects": list_of(given, dialect), "most": queries.MOST_LINKED}
    found = read(sqlalchemy.text(queries.LINKED[dialect]), asked)
    if len(found) == queries.MOST_LINKED:
        if len(given) == 1:
            return {given[0]: LinkedRecords(tuple(row[1] for row in found), len(found), NEVER)}
        return {
            key: each for one in given for key, each in linked_records(read, dialect, [one], sites).items()
        }
    handles: dict[str, list[str]] = {subject: [] for subject in given}
    for root, handle in found:
        if isinstance(handle, str):
            handles[root].append(handle)
    everyone = list_of({handle for each in handles.values() for handle in each}, dialect)
    rows = read(_SUMMARY[dialect], {"subjects": everyone, "sites": list(sites)})
    # In SQLite, another program may have stored texts for times.
    about = {subject: (count, end if isinstance(end, int) else NEVER) for subject, count, end in rows}
    return {
        subject: LinkedRecords(
            tuple(linked),
            sum(about.get(handle, (0, 0))[0] for handle in linked),
            max(about.get(handle, (0, 0))[1] for handle in linked),
        )
        for subject, linked in handles.items()
    }


class _Pace:
    """The size of batches, so that a transaction takes no longer than it should, and the pauses in which others write."""

    def __init__(self) -> None:
        self.size = SMALLEST_BATCH
        self._resume_at = 0.0
        self._pause = threading.Event()

    def adapt(self, seconds: float) -> None:
        """Adapt the size of batches to the time that a transaction took, which has just ended."""
        self._resume_at = time.monotonic() + max(seconds, SHORTEST_REST)
        if seconds > LONGEST_TRANSACTION:
            self.size = max(self.size // 2, SMALLEST_BATCH)
        elif seconds < LONGEST_TRANSACTION / 2:
            self.size = min(self.size * 2, LARGEST_BATCH)

    def rest(self) -> None:
        """Leave the database to other writers for as long as the last transaction took, or a little longer."""
        self._pause.wait(max(0.0, self._resume_at - time.monotonic()))


class Remover:
    """Remove records and links from one database. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pace = _Pace()

    def remove(
        self, record_ids: Sequence[str], *, reason: Reason, at: int, ending: Ending | None = None
    ) -> Removed:
        """Remove records, and the links of visitors about whom none is left, in short transactions.

        Args:
            record_ids: those that are not stored are ignored.
            reason: why.
            at: when, in seconds since the epoch.
            ending: what has to be over; checked again in the transaction, because the visitor may have just decided.

        Raises:
            LedgerUnavailableError: a transaction failed; those before it have removed their records.
        """
        removed, first = Removed(), 0
        while first < len(record_ids):
            batch = record_ids[first : first + self._pace.size]
            first += len(batch)
            removed += self._in_transaction(
                partial(self._remove, ids=batch, reason=reason, at=at, ending=ending)
            )
        return removed

    def remove_links(
        self, subjects: Sequence[str], *, reason: Reason, at: int, ending: Ending | None = None
    ) -> Removed:
        """Remove the links of pseudonyms without any record, and of all that they are linked with."""

        def work(connection: Connection) -> Removed:
            found = self._linked(connection, subjects, ending)
            empty = {other for each in found.values() if not each.count for other in each.subjects}
            return self._delete(connection, [], _links_of(connection, empty), reason, at)

        return self._in_transaction(work)

    def _in_transaction(self, work: Callable[[Connection], Removed]) -> Removed:
        self._pace.rest()
        with self._database.transaction() as connection:
            began = time.monotonic()
            removed = work(connection)
        self._pace.adapt(time.monotonic() - began)
        return removed

    def _remove(
        self, connection: Connection, *, ids: Sequence[str], reason: Reason, at: int, ending: Ending | None
    ) -> Removed:
        columns = records.c
        rows = connection.execute(
            select(columns.seq, columns.subject, columns.site, own_end()).where(columns.id.in_(ids))
        ).all()
        found = self._linked(connection, {row.subject for row in rows if row.subject is not None}, ending)
        if ending is not None:
            rows = [row for row in rows if _is_over(row, found, ending)]
        if not rows:
            return Removed()
        gone = Counter(row.subject for row in rows)
        ended = {
            subject
            for each in found.values()
            if each.count <= sum(gone[subject] for subject in each.subjects)
            for subject in each.subjects
        }
        return self._delete(connection, [row.seq for row in rows], _links_of(connection, ended), reason, at)

    def _delete(
        self, connection: Connection, of_records: list[int], of_links: list[int], reason: Reason, at: int
    ) -> Removed:
        """Delete rows, and note in the chain and in numbers that they are gone."""
        if not of_records and not of_links:
            return Removed()
        rows = [*((records, seq) for seq in of_records), *((links, seq) for seq in of_links)]
        append_removal(connection, reason, rows, at=at)
        for table, seqs in ((records, of_records), (links, of_links)):
            for first in range(0, len(seqs), LARGEST_BATCH):
                connection.execute(table.delete().where(table.c.seq.in_(seqs[first : first + LARGEST_BATCH])))
        removed = Removed(len(of_records), len(of_links))
        self._note(connection, removed, reason, at, max(of_records, default=0))
        return removed

    def _linked(
        self, connection: Connection, subjects: Iterable[str], ending: Ending | None
    ) -> dict[str, LinkedRecords]:
        sites = ending.sites if ending is not None else ()
        return linked_records(
            lambda statement, values: connection.execute(statement, values).all(),
            self._database.dialect,
            subjects,
            sites,
        )

    def _note(self, connection: Connection, removed: Removed, reason: Reason, at: int, last_seq: int) -> None:
        """Add to what is left of removed rows: numbers that lead to nobody."""
        from sqlalchemy.dialects import postgresql, sqlite

        insert = (postgresql if self._database.dialect == "postgresql" else sqlite).insert(removals)
        columns, new = removals.c, insert.excluded
        greater = func.greatest if self._database.dialect == "postgresql" else func.max
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=[columns.reason],
                set_={
                    "times": columns.times + 1,
                    "at": greater(columns.at, new.at),
                    "records": columns.records + new.records,
                    "links": columns.links + new.links,
                    "last_seq": greater(columns.last_seq, new.last_seq),
                },
            ),
            {
                "reason": reason,
                "times": 1,
                "at": at,
                "records": removed.records,
                "links": removed.links,
                "last_seq": last_seq,
            },
        )


def _is_over(row: Any, found: dict[str, LinkedRecords], ending: Ending) -> bool:
    if row.subject is not None:
        return found[row.subject].ends_at <= ending.by
    own: int = row[3]
    return own <= ending.by and row.site in ending.sites


def _links_of(connection: Connection, subjects: Iterable[str]) -> list[int]:
    """Return the places of the links of pseudonyms."""
    given, found = list(subjects), set[int]()
    for first in range(0, len(given), LARGEST_BATCH):
        batch = given[first : first + LARGEST_BATCH]
        either = links.c.handle_from.in_(batch) | links.c.handle_to.in_(batch)
        found.update(connection.execute(select(links.c.seq).where(either)).scalars())
    return sorted(found)
