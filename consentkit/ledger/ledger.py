"""The ledger: an append-only log of records, and the notices, renderings, links and tokens that go with them."""

import itertools
import json
import logging
import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Engine, Table, select, text

from consentkit.errors import LedgerError, LedgerUnavailableError
from consentkit.ledger import queries, tables
from consentkit.ledger.chain import KINDS, ChainedInsert, ChainWriter
from consentkit.ledger.changes import read_changes
from consentkit.ledger.connections import Database, DatabaseHealth
from consentkit.ledger.group_commit import GroupCommitWriter
from consentkit.ledger.outbox import Outbox
from consentkit.ledger.record import Record, check_text
from consentkit.ledger.removal import Ending, Reason, Removed, Remover
from consentkit.ledger.tables import AddCounts, InsertIgnore, to_row
from consentkit.ledger.upkeep import Upkeep
from consentkit.ledger.view import Document, Entries, Plan, list_of
from consentkit.ledger.words import SentWords

__all__ = ["Ledger", "document"]

logger = logging.getLogger("consentkit.ledger")


class Ledger:
    """Append-only store of records, notices and links in SQLite or PostgreSQL.

    Every method may be called from any thread. If the database fails, or does not answer within about `lock_timeout`
    seconds, it raises LedgerUnavailableError; the ledger works again as soon as the database does. The first use in a
    process connects, and the process may fork at any time.

    Attributes:
        upkeep: what retention asks of the ledger.
    """

    def __init__(self, target: str | URL | Engine, *, lock_timeout: float = 2.0) -> None:
        """Configure the ledger for a database URL, or for an engine of sqlite3 or psycopg 3, without connecting.

        Raises:
            ConfigurationError: the database is not supported, or its driver is not installed.
        """
        self._database = Database(target, lock_timeout=lock_timeout)
        dialect = self._database.dialect
        self._insert_statements = {table: InsertIgnore(table, dialect) for table in _INSERTABLE}
        chain = ChainWriter()
        self._insert_statements |= {table: ChainedInsert(table, dialect, chain) for table in KINDS}
        self._writer = GroupCommitWriter(self._database, self._insert_statements)
        self._add_counts = AddCounts(tables.counts, dialect)
        self._add_shown = AddCounts(tables.shown, dialect)
        self._token_uses = itertools.count(1)
        self._remover = Remover(self._database)
        self.upkeep = Upkeep(self._database, self._remover)
        self._close = weakref.finalize(self, _close, self._writer, self._database)

    def append(self, *records: Record) -> None:
        """Store records durably, all or none; records that are stored already stay as they are.

        Raises:
            LedgerUnavailableError: nothing was stored, and nothing will be later. Only if the database stopped
                answering during the commit is that unknown. Appending the same records again is safe in both cases.
            LedgerError: the ledger has a different record with one of these ids; the others were stored.
        """
        rows = [to_row(record) for record in records]
        if rows and self._insert(tables.records, rows) < len(rows):
            self._refuse_changed_records(records)

    def carry_out(self, plan: Plan) -> Entries:
        """Work a plan out and store it durably, in one transaction, and return what was stored.

        Raises:
            LedgerUnavailableError: as `append` does.
            Exception: what the plan raised; nothing of it was stored.
        """
        return self._writer.carry_out(plan)

    def newest(self, subject: str) -> Record | None:
        """Return the record of a subject that counts, or None.

        A record that refuses or withdraws everything ends its subject for good. Otherwise the latest change counts, and of
        several changes of the same moment the one that allows the fewest categories, whatever the order of their arrival.
        """
        found = self.newest_of([subject])[subject]
        return min(found, key=_breadth, default=None)

    def newest_of(self, subjects: Sequence[str]) -> dict[str, tuple[Record, ...]]:
        """Return the records that count of each subject: none, one, or several of the same moment."""
        found: dict[str, tuple[Record, ...]] = dict.fromkeys(subjects, ())
        dialect = self._database.dialect
        rows = self._database.read(queries.NEWEST[dialect], {"subjects": list_of(subjects, dialect)})
        for record in queries.readable_records(rows):
            if record.subject is not None:
                found[record.subject] += (record,)
        return found

    def history(self, reference: str) -> list[Record]:
        """Return all records of a subject, in the order in which they were stored."""
        rows = self._database.read(
            select(tables.records).where(tables.records.c.subject == reference).order_by(tables.records.c.seq)
        )
        return queries.readable_records(rows)

    def record_ids(self, reference: str) -> list[str]:
        """Return the ids of all records of a subject, also of those that cannot be read."""
        columns = tables.records.c
        rows = self._database.read(
            select(columns.id).where(columns.subject == reference).order_by(columns.seq)
        )
        return [row[0] for row in rows]

    def changes(self, cursor: int | None) -> tuple[tuple[Record, ...], int]:
        """Return the records of subjects that were stored after a cursor, and the next cursor.

        With None, return no records, only the cursor for the end of the ledger. No record is missed, but some come
        twice. One call reads at most 10 000 records: call again until the cursor stays the same. It stays before records
        that other processes are storing.

        Raises:
            LedgerUnavailableError: as `read_changes` does.
        """
        return read_changes(self._database, cursor)

    def add_counts(self, rows: Sequence[dict[str, str | int]]) -> None:
        """Add to the counts of decisions that are not recorded one by one.

        Each row has `hour` (its first second since the epoch), `event`, `site`, `notice`, `language`, `surface`, `choice` and
        `count`. If the connection breaks during the commit, rows may be added twice when they are sent again.

        Raises:
            LedgerUnavailableError: nothing was added.
        """
        if rows:
            self._writer.insert(self._add_counts, rows)

    def counts(self) -> list[dict[str, str | int]]:
        """Return the counts of decisions that were not recorded one by one, by hour."""
        names = [column.name for column in tables.counts.columns]
        rows = self._database.read(select(tables.counts).order_by(*tables.counts.primary_key))
        return [dict(zip(names, row, strict=True)) for row in rows]

    def add_shown(self, rows: Sequence[dict[str, str | int]]) -> None:
        """Add to the counts of how often each notice was shown, as `add_counts` does.

        Each row has `day` (its first second since the epoch, UTC), `site`, `notice`, `language`, `surface` and `count`.
        """
        if rows:
            self._writer.insert(self._add_shown, rows)

    def records(self) -> Iterator[Record]:
        """Yield all records in their order, reading a few hundred at a time."""
        last_seq = 0
        while rows := self._database.read(queries.PAGE_OF_RECORDS, {"after": last_seq}):
            yield from queries.readable_records(rows)
            last_seq = rows[-1][0]

    def store_notice(self, digest: str, content: dict[str, Any]) -> None:
        """Store a notice under its digest; a notice that is stored already stays as it is."""
        check_text("digest", digest)
        if self.notice(digest) is None:
            self._insert(tables.notices, [{"digest": digest, "content": json.dumps(content)}])

    def notice(self, digest: str) -> dict[str, Any] | None:
        """Return the notice with a digest as it was stored, or None."""
        rows = self._database.read(select(tables.notices.c.content).where(tables.notices.c.digest == digest))
        return _readable_json(rows[0][0]) if rows else None

    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all notices with their digests, in the order in which they were stored."""
        rows = self._database.read(
            select(tables.notices.c.digest, tables.notices.c.content).order_by(tables.notices.c.seq)
        )
        return [(digest, _readable_json(content)) for digest, content in rows]

    def store_renderings(self, renderings: Sequence[SentWords]) -> None:
        """Store the words that were sent to visitors; those that are stored already stay as they are."""
        rows = [words.to_row() for words in renderings]
        if rows:
            self._insert(tables.renderings, rows)

    def rendering(self, rendering: str) -> SentWords | None:
        """Return the words with an id, which a record has in `rendering`, or None."""
        columns = tables.renderings.c
        rows = self._database.read(select(*_WORDS).where(columns.id == rendering))
        return SentWords(**rows[0]._mapping) if rows and isinstance(rows[0].html, str) else None

    def renderings(self, digest: str) -> list[SentWords]:
        """Return the renderings of a notice, in the order in which they were stored."""
        columns = tables.renderings.c
        rows = self._database.read(select(*_WORDS).where(columns.notice == digest).order_by(columns.seq))
        return [SentWords(**row._mapping) for row in rows if isinstance(row.html, str)]

    def use_once(self, token_id: str, expires_at: int) -> bool:
        """Return True the first time that a token is used, and False afterwards.

        Check `expires_at` (seconds since the epoch) first: an hour after that time the ledger deletes the token, and would
        accept it again. If the connection breaks during the commit, a first use may return False.
        """
        check_text("token", token_id)
        is_first_use = self._insert(tables.tokens, [{"token_id": token_id, "expires_at": expires_at}]) == 1
        if next(self._token_uses) % 256 == 0:
            self._delete_tokens(expires_at - 3600)
        return is_first_use

    def link(self, from_subject: str, to_subject: str, at: int) -> None:
        """Store that two pseudonyms, on two sites, belong to one visitor; `at` is in seconds since the epoch."""
        check_text("handle", from_subject)
        check_text("handle", to_subject)
        self._insert(tables.links, [{"at": at, "handle_from": from_subject, "handle_to": to_subject}])

    def links(self) -> Iterator[tuple[str, str, int]]:
        """Yield the arguments of all calls to `link` in their order, reading a few hundred at a time."""
        last_seq = 0
        while rows := self._database.read(queries.PAGE_OF_LINKS, {"after": last_seq}):
            yield from ((from_subject, to_subject, at) for _, from_subject, to_subject, at in rows)
            last_seq = rows[-1][0]

    def links_of(self, subjects: Iterable[str]) -> list[tuple[str, str, int]]:
        """Return the links of some pseudonyms, as `links` yields them."""
        columns, given = tables.links.c, list(subjects)
        chosen = columns.handle_from.in_(given) | columns.handle_to.in_(given)
        rows = self._database.read(
            select(columns.handle_from, columns.handle_to, columns.at).where(chosen).order_by(columns.seq)
        )
        return [tuple(row) for row in rows]

    def linked(self, subject: str) -> set[str]:
        """Return a pseudonym and all that links join to it, in either direction and over any number of links.

        At most 100 000: with more, the nearest ones are returned and a warning is logged.
        """
        dialect = self._database.dialect
        parameters = {"subjects": list_of([subject], dialect), "most": queries.MOST_LINKED}
        rows = self._database.read(text(queries.LINKED[dialect]), parameters)
        subjects = {row[1] for row in rows if isinstance(row[1], str)}
        if len(subjects) == queries.MOST_LINKED:
            logger.warning(
                "More than %d pseudonyms are linked with one another. A withdrawal reaches the nearest of them only. "
                "Check what calls hand-off so often.",
                queries.MOST_LINKED,
            )
        return subjects

    # Removing

    def remove(
        self, record_ids: Sequence[str], *, reason: Reason, at: int, ending: Ending | None = None
    ) -> Removed:
        """Remove records, and the links of visitors about whom none is left; see `Remover.remove`."""
        return self._remover.remove(record_ids, reason=reason, at=at, ending=ending)

    def remove_links(self, subjects: Sequence[str], *, reason: Reason, at: int) -> Removed:
        """Remove the links of pseudonyms about whom nothing is recorded, and of all that they are linked with."""
        return self._remover.remove_links(subjects, reason=reason, at=at)

    def erasures(self) -> int:
        """Return how many transactions have erased records of visitors, so that processes notice when one does."""
        return self.removals().get("erasure", 0)

    def removals(self) -> dict[str, int]:
        """Return how many transactions have removed records, by reason: `erasure`, or `pruning`."""
        columns = tables.removals.c
        return {row[0]: row[1] for row in self._database.read(select(columns.reason, columns.times))}

    def lacking(self, record_ids: Collection[str]) -> set[str]:
        """Return those of a few ids that no record has."""
        if not record_ids:
            return set()
        ids = tables.records.c.id
        return set(record_ids) - {
            row[0] for row in self._database.read(select(ids).where(ids.in_(record_ids)))
        }

    def begin_again(self) -> None:
        """Begin a new epoch, because the ledger lacks records that it had, as after a restore from a backup."""
        logger.warning(
            "The ledger lacks what it had before, so it was probably restored from a backup. Visitors are looked up again. "
            "Records of the time between are lost."
        )
        self._database.begin_epoch()

    @property
    def outbox(self) -> Outbox:
        """The messages about records that were not delivered yet."""
        return Outbox(self._database)

    # The database itself

    @property
    def lock_timeout(self) -> float:
        """Seconds after which a call gives up."""
        return self._database.lock_timeout

    @property
    def is_in_memory(self) -> bool:
        """Whether the records end with the process."""
        return self._database.is_memory

    @property
    def default_spool(self) -> Path | None:
        """The directory where records wait if no other is configured; None for a server or a ledger in memory."""
        return self._database.default_spool

    @property
    def epoch(self) -> int:
        """A number that grows whenever the database turns out to be another one, or to have lost its tables."""
        return self._database.epoch

    def check(self) -> None:
        """Look for damage in a SQLite file, in little time. Does nothing before the first use.

        Raises:
            LedgerUnavailableError: the file is damaged or gone; every other call raises too until it is well again.
        """
        self._database.check()

    def is_writable(self) -> bool:
        """Return whether records can be stored, or only be read.

        Raises:
            LedgerUnavailableError: the database does not answer.
        """
        return self._database.is_writable()

    def health(self) -> DatabaseHealth:
        """Return `state` (ok, unreachable, damaged or unused) and the `store` id of the database, without asking it."""
        return self._database.health()

    def close(self) -> None:
        """Store what is queued and close the connections; later calls raise LedgerUnavailableError."""
        self._close()

    def _insert(self, table: Table, rows: Sequence[dict[str, Any]]) -> int:
        return self._writer.insert(self._insert_statements[table], rows)

    def _refuse_changed_records(self, records: Sequence[Record]) -> None:
        ids = [record.id for record in records]
        rows = self._database.read(select(tables.records).where(tables.records.c.id.in_(ids)))
        stored = {record.id: record.to_json() for record in queries.readable_records(rows)}
        for record in records:
            if stored.get(record.id) != record.to_json():
                raise LedgerError(
                    f"The ledger has a different record with the id {record.id}. This one was not stored."
                )

    def _delete_tokens(self, before: int) -> None:
        try:
            with self._database.transaction() as connection:
                connection.execute(tables.tokens.delete().where(tables.tokens.c.expires_at < before))
        except LedgerUnavailableError as error:
            logger.warning(
                "Expired tokens could not be deleted from the ledger; the next attempt follows. %s", error
            )


def document(digest: str, content: dict[str, Any], words: SentWords | None = None) -> Document:
    """Return a notice, and the words of one of its renderings, for plans whose records refer to them."""
    check_text("digest", digest)
    row = None if words is None else words.to_row()
    return Document({"digest": digest, "content": json.dumps(content)}, row)


def _readable_json(content: str) -> Any:
    """Return a JSON value, or None if another program wrote something else into the ledger."""
    try:
        return json.loads(content)
    except (ValueError, TypeError, RecursionError):
        return None


def _breadth(record: Record) -> tuple[int, int, str]:
    vendors = sum(1 if allowed else -1 for allowed in record.vendors.values())
    return sum(record.categories.values()), vendors, record.id


def _close(writer: GroupCommitWriter, database: Database) -> None:
    writer.close()
    database.close()


_INSERTABLE: Final = (tables.notices, tables.renderings, tables.tokens, tables.outbox)
_WORDS: Final = [column for column in tables.renderings.columns if column.name != "seq"]
