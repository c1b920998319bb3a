"""What the ledger holds inside the transaction that writes, and plans: records that are worked out from it there.

Reading and writing are one step: between the two, nobody else writes anything about the same visitors. So a record that builds on
another one builds on the newest, and a withdrawal cannot get lost between them.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, TextClause, select, text

from consentkit.ledger import queries, tables
from consentkit.ledger.outbox import Message
from consentkit.ledger.record import Record
from consentkit.ledger.write_locks import MustBeAloneError, lock_names

__all__ = ["Document", "Entries", "LedgerView", "Plan", "View", "highest", "list_of"]


@dataclass(frozen=True, slots=True)
class Entries:
    """What a plan adds to the ledger.

    Attributes:
        records: in the order in which they are stored.
        links: pairs of pseudonyms of one visitor on two sites, with the time in seconds since the epoch.
        messages: what others are told of the records.
    """

    records: tuple[Record, ...] = ()
    links: tuple[tuple[str, str, int], ...] = ()
    messages: tuple[Message, ...] = ()


class View(Protocol):
    """What is known about pseudonyms and records at the moment of writing."""

    def newest(self, subject: str) -> tuple[Record, ...]:
        """Return the records of a pseudonym that count: none, one, or several of the same moment."""

    def linked(self, subject: str) -> tuple[str, ...]:
        """Return the other pseudonyms that links join to this one."""

    def stored(self, record_id: str) -> Record | None:
        """Return the record with an id if it is stored already."""

    def history(self, subject: str) -> list[Record]:
        """Return all records of a pseudonym, oldest first."""

    def erased_since(self, at: int) -> bool:
        """Return whether records of any visitor were erased at a time or later."""

    def add(self, entries: Entries) -> None:
        """Take what is about to be stored into account."""


@dataclass(frozen=True, slots=True)
class Document:
    """A notice, and the words of one of its renderings, which are stored before the first record that refers to them.

    Attributes:
        notice: row of the table of notices.
        rendering: row of the table of renderings, or None.
    """

    notice: dict[str, Any]
    rendering: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Records that are worked out inside the transaction that stores them.

    `work_out` may be called several times, because a transaction that fails is tried again. Each call must use the same
    record ids. What it raises reaches the caller of `Ledger.carry_out`, and nothing of this plan is stored.

    Attributes:
        work_out: returns what is to be stored, given what the ledger holds.
        subjects: pseudonyms whose newest records `work_out` asks for.
        linked_to: pseudonyms whose linked pseudonyms it asks for.
        repeats: ids of its records that may be stored already.
        document: the notice that its records refer to; None if the notice's text is not known.
        adds_links: whether it adds links, which no other plan of the same transaction could see.
    """

    work_out: Callable[[View], Entries]
    subjects: tuple[str, ...] = ()
    linked_to: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    document: Document | None = None
    adds_links: bool = False

    @property
    def names(self) -> frozenset[str]:
        """What the plan builds on, as far as the plan itself says."""
        return frozenset((*self.subjects, *self.linked_to, *self.repeats))


@dataclass(slots=True)
class LedgerView:
    """The ledger as one transaction sees it, with what the plans before have added to the transaction.

    Attributes:
        connection: of the transaction.
        is_alone: whether nobody else writes. Otherwise the view locks what plans build on, and knows of nothing else.
    """

    connection: Connection
    is_alone: bool = True
    _locked: set[str] = field(default_factory=set)
    _newest: dict[str, tuple[Record, ...]] = field(default_factory=dict)
    _linked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _stored: dict[str, Record | None] = field(default_factory=dict)

    def prefetch(self, plans: Sequence[Plan]) -> None:
        """Read what plans will ask for, with one query for each kind of question.

        Raises:
            MustBeAloneError: too much would have to be locked.
        """
        # Links come and go only while somebody is alone, so these stay as they are.
        self._read_linked({subject for plan in plans for subject in plan.linked_to})
        others = {other for linked in self._linked.values() for other in linked}
        if not self.is_alone:
            self._locked = {name for plan in plans for name in plan.names} | others
            lock_names(self.connection, self._locked)
        self._read_stored({record_id for plan in plans for record_id in plan.repeats})
        self._read_newest({subject for plan in plans for subject in plan.subjects} | others)

    def newest(self, subject: str) -> tuple[Record, ...]:
        """Return the records of a pseudonym that count."""
        self._check_is_locked(subject)
        if subject not in self._newest:
            self._read_newest({subject})
        return self._newest[subject]

    def linked(self, subject: str) -> tuple[str, ...]:
        """Return the other pseudonyms that links join to this one."""
        self._check_is_locked(subject)
        if subject not in self._linked:
            self._read_linked({subject})
        return self._linked[subject]

    def stored(self, record_id: str) -> Record | None:
        """Return the record with an id if it is stored already."""
        # Without a check: a record that somebody else stores meanwhile is noticed when this one is inserted.
        if record_id not in self._stored:
            self._read_stored({record_id})
        return self._stored[record_id]

    def history(self, subject: str) -> list[Record]:
        """Return all records of a pseudonym, oldest first."""
        self._check_is_locked(subject)
        found = self.connection.execute(
            select(tables.records).where(tables.records.c.subject == subject).order_by(tables.records.c.seq)
        )
        return queries.readable_records(found.all())

    def erased_since(self, at: int) -> bool:
        """Return whether records of any visitor were erased at a time or later."""
        columns = tables.removals.c
        query = select(columns.at).where(columns.reason == "erasure", columns.at >= at)
        return self.connection.execute(query).first() is not None

    def add(self, entries: Entries) -> None:
        """Take what a plan adds into account for the plans after it."""
        for record in entries.records:
            self._stored[record.id] = record
            # A pseudonym that no plan has asked for yet is new: nobody else knows it before the transaction ends.
            if record.subject in self._newest:
                others = (known for known in self._newest[record.subject] if known.id != record.id)
                self._newest[record.subject] = highest((*others, record))

    def _check_is_locked(self, subject: str) -> None:
        """Check that nobody else can be writing about a pseudonym.

        Raises:
            MustBeAloneError: somebody can.
        """
        if not self.is_alone and subject not in self._locked:
            raise MustBeAloneError

    def _read_newest(self, subjects: set[str]) -> None:
        wanted = subjects - self._newest.keys()
        if not wanted:
            return
        self._newest |= dict.fromkeys(wanted, ())
        query = queries.NEWEST[self.connection.dialect.name]
        for record in queries.readable_records(self._rows(query, wanted)):
            if record.subject is not None:
                self._newest[record.subject] += (record,)

    def _read_linked(self, subjects: set[str]) -> None:
        wanted = subjects - self._linked.keys()
        if not wanted:
            return
        found: dict[str, list[str]] = {subject: [] for subject in wanted}
        query = text(queries.LINKED[self.connection.dialect.name])
        for root, handle in self._rows(query, wanted, most=queries.MOST_LINKED):
            if root != handle:
                found[root].append(handle)
        self._linked |= {subject: tuple(others) for subject, others in found.items()}

    def _read_stored(self, ids: set[str]) -> None:
        wanted = ids - self._stored.keys()
        if not wanted:
            return
        self._stored |= dict.fromkeys(wanted)
        found = self.connection.execute(select(tables.records).where(tables.records.c.id.in_(wanted)))
        self._stored |= {record.id: record for record in queries.readable_records(found.all())}

    def _rows(self, query: Any | TextClause, subjects: Iterable[str], **values: int) -> Sequence[Any]:
        given = list_of(subjects, self.connection.dialect.name)
        return self.connection.execute(query, {"subjects": given, **values}).all()


def list_of(subjects: Iterable[str], dialect: str) -> str | list[str]:
    """Return a list of pseudonyms as an argument of the queries."""
    return json.dumps(list(subjects)) if dialect == "sqlite" else list(subjects)


def highest(records: Sequence[Record]) -> tuple[Record, ...]:
    """Return the records of the highest precedence: one, or several of the same moment."""
    most = max(record.precedence for record in records)
    return tuple(record for record in records if record.precedence == most)
