"""The ledger: an append-only log of records, and the notices, renderings, links and tokens that go with them."""

import hashlib
import itertools
import json
import logging
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Engine, Select, Table, TextClause, select

from consentkit.errors import LedgerError, LedgerUnavailableError
from consentkit.ledger import tables
from consentkit.ledger.connections import Database
from consentkit.ledger.group_commit import GroupCommitWriter
from consentkit.ledger.record import Record, check_text
from consentkit.ledger.tables import InsertIgnore, from_row, to_row

__all__ = ["Ledger"]

logger = logging.getLogger("consentkit.ledger")

# Rows before the cursor that `changes` reads again, in case another program wrote without the ledger's lock.
OVERLAP: Final = 32
LARGEST_ANSWER: Final = 10_000
PAGE_SIZE: Final = 500
MOST_LINKED: Final = 100_000


class Ledger:
    """Append-only store of records, notices and links in SQLite or PostgreSQL.

    Every method may be called from any thread. If the database fails, or does not answer within about `lock_timeout`
    seconds, it raises LedgerUnavailableError; the ledger works again as soon as the database does. The first use in a
    process connects, and the process may fork at any time.
    """

    def __init__(self, target: str | URL | Engine, *, lock_timeout: float = 2.0) -> None:
        """Configure the ledger for a database URL, or for an engine of sqlite3 or psycopg 3, without connecting.

        Raises:
            ConfigurationError: the database is not supported, or its driver is not installed.
        """
        self._database = Database(target, lock_timeout=lock_timeout)
        self._writer = GroupCommitWriter(self._database)
        self._insert_statements = {
            table: InsertIgnore(table, self._database.dialect) for table in _INSERTABLE
        }
        self._token_uses = itertools.count(1)
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

    def newest(self, subject: str) -> Record | None:
        """Return the latest record of a subject, by its place in the ledger, or None."""
        rows = self._database.read(
            select(tables.records)
            .where(tables.records.c.subject == subject)
            .order_by(tables.records.c.seq.desc())
            .limit(1)
        )
        return from_row(rows[0]) if rows else None

    def history(self, reference: str) -> list[Record]:
        """Return all records of a subject, oldest first."""
        rows = self._database.read(
            select(tables.records).where(tables.records.c.subject == reference).order_by(tables.records.c.seq)
        )
        return [from_row(row) for row in rows]

    def changes(self, cursor: int | None) -> tuple[tuple[Record, ...], int]:
        """Return the newest record of every subject that changed after a cursor, and the next cursor.

        With None, return no records, only the cursor for the end of the ledger. No record is missed, but some come
        twice. One call reads at most 10 000 records: call again until the cursor stays the same.
        """
        if cursor is None:
            return (), self._database.read(_LAST_SEQ)[0][0]
        rows = self._database.read(_CHANGES, {"after": cursor - OVERLAP, "most": LARGEST_ANSWER})
        last_seq: int = rows[0][-1]
        if last_seq < cursor:
            logger.warning(
                "The ledger ends at record %d, but its end was %d before, so it was probably restored from a backup. "
                "Reading continues from its new end. Records of the time between are lost.",
                last_seq,
                cursor,
            )
            rows = self._database.read(_CHANGES, {"after": last_seq - OVERLAP, "most": LARGEST_ANSWER})
        # An outer join: a ledger without newer records answers with one row of NULLs and its end.
        records = [from_row(row) for row in rows if row[0] is not None]
        newest = {record.subject: record for record in records}
        return tuple(newest.values()), rows[-1][0] if len(rows) == LARGEST_ANSWER else last_seq

    def records(self) -> Iterator[Record]:
        """Yield all records in their order, reading a few hundred at a time."""
        last_seq = 0
        while rows := self._database.read(_PAGE_OF_RECORDS, {"after": last_seq}):
            yield from (from_row(row) for row in rows)
            last_seq = rows[-1][0]

    def store_notice(self, digest: str, content: dict[str, Any]) -> None:
        """Store a notice under its digest; a notice that is stored already stays as it is."""
        check_text("digest", digest)
        if self.notice(digest) is None:
            self._insert(tables.notices, [{"digest": digest, "content": json.dumps(content)}])

    def notice(self, digest: str) -> dict[str, Any] | None:
        """Return the notice with a digest as it was stored, or None."""
        rows = self._database.read(select(tables.notices.c.content).where(tables.notices.c.digest == digest))
        return json.loads(rows[0][0]) if rows else None

    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all notices with their digests, in the order in which they were stored."""
        rows = self._database.read(
            select(tables.notices.c.digest, tables.notices.c.content).order_by(tables.notices.c.seq)
        )
        return [(digest, json.loads(content)) for digest, content in rows]

    def store_rendering(self, digest: str, language: str, parts: dict[str, Any]) -> None:
        """Store what a notice was rendered with in a language: the library's texts, and hashes of templates and styles.

        Another version of the library may render the same notice with other parts. Both are stored.
        """
        check_text("digest", digest)
        check_text("language", language)
        text = json.dumps(parts, sort_keys=True)
        row = {
            "digest": digest,
            "language": language,
            "parts_digest": hashlib.sha256(text.encode()).hexdigest(),
            "parts": text,
        }
        self._insert(tables.renderings, [row])

    def renderings(self, digest: str) -> list[tuple[str, dict[str, Any]]]:
        """Return languages and parts of the renderings of a notice, in the order in which they were stored."""
        rows = self._database.read(
            select(tables.renderings.c.language, tables.renderings.c.parts)
            .where(tables.renderings.c.digest == digest)
            .order_by(tables.renderings.c.seq)
        )
        return [(language, json.loads(parts)) for language, parts in rows]

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
        while rows := self._database.read(_PAGE_OF_LINKS, {"after": last_seq}):
            yield from ((from_subject, to_subject, at) for _, from_subject, to_subject, at in rows)
            last_seq = rows[-1][0]

    def linked(self, subject: str) -> set[str]:
        """Return a pseudonym and all that links join to it, in either direction and over any number of links.

        At most 100 000: with more, the nearest ones are returned and a warning is logged.
        """
        parameters = {"subject": subject, "most": MOST_LINKED}
        subjects = {row[0] for row in self._database.read(_LINKED[self._database.dialect], parameters)}
        if len(subjects) == MOST_LINKED:
            logger.warning(
                "More than %d pseudonyms are linked with one another. A withdrawal reaches the nearest of them only. "
                "Check what calls hand-off so often.",
                MOST_LINKED,
            )
        return subjects

    def newest_linked(self, subject: str) -> list[Record]:
        """Return the latest record of each other pseudonym that links join to this one, in the ledger's order.

        One query serves any number of pseudonyms. Every hand-off adds one, and few of them have a record.
        """
        parameters = {"subject": subject, "most": MOST_LINKED}
        rows = self._database.read(_NEWEST_LINKED[self._database.dialect], parameters)
        return [from_row(row) for row in rows]

    def close(self) -> None:
        """Store what is queued and close the connections; later calls raise LedgerUnavailableError."""
        self._close()

    def _insert(self, table: Table, rows: Sequence[dict[str, Any]]) -> int:
        return self._writer.insert(self._insert_statements[table], rows)

    def _refuse_changed_records(self, records: Sequence[Record]) -> None:
        ids = [record.id for record in records]
        stored = {
            row[1]: from_row(row)
            for row in self._database.read(select(tables.records).where(tables.records.c.id.in_(ids)))
        }
        for record in records:
            if stored[record.id].to_json() != record.to_json():
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


def _close(writer: GroupCommitWriter, database: Database) -> None:
    writer.close()
    database.close()


_INSERTABLE: Final = (tables.records, tables.notices, tables.renderings, tables.links, tables.tokens)
_LAST_SEQ: Final = select(
    sqlalchemy.func.coalesce(sqlalchemy.func.max(tables.records.c.seq), 0).label("last_seq")
)
_end: Final = _LAST_SEQ.subquery()
# One statement, because records that commit between two of them would be before the cursor and yet not returned.
_CHANGES: Final = (
    select(tables.records, _end.c.last_seq)
    .select_from(
        _end.outerjoin(
            tables.records,
            (tables.records.c.seq > sqlalchemy.bindparam("after", type_=sqlalchemy.BigInteger))
            & tables.records.c.subject.is_not(None),
        )
    )
    .order_by(tables.records.c.seq)
    .limit(sqlalchemy.bindparam("most", type_=sqlalchemy.BigInteger))
)
_PAGE_OF_RECORDS: Final = (
    select(tables.records)
    .where(tables.records.c.seq > sqlalchemy.bindparam("after", type_=sqlalchemy.BigInteger))
    .order_by(tables.records.c.seq)
    .limit(PAGE_SIZE)
)
_PAGE_OF_LINKS: Final = (
    select(tables.links.c.seq, tables.links.c.handle_from, tables.links.c.handle_to, tables.links.c.at)
    .where(tables.links.c.seq > sqlalchemy.bindparam("after", type_=sqlalchemy.BigInteger))
    .order_by(tables.links.c.seq)
    .limit(PAGE_SIZE)
)

# Both directions of a link are followed, each by its own index. UNION drops pseudonyms seen before, so cycles end.
# PostgreSQL allows a single reference to the recursive table, hence LATERAL.
_LINKED: Final = {
    "sqlite": sqlalchemy.text("""
        WITH RECURSIVE linked(handle) AS (
            SELECT :subject
            UNION SELECT handle_to FROM linked JOIN consentkit_links ON handle_from = handle
            UNION SELECT handle_from FROM linked JOIN consentkit_links ON handle_to = handle
        ) SELECT handle FROM linked LIMIT :most
    """),
    "postgresql": sqlalchemy.text("""
        WITH RECURSIVE linked(handle) AS (
            SELECT CAST(:subject AS text)
            UNION SELECT next FROM linked CROSS JOIN LATERAL (
                SELECT handle_to AS next FROM consentkit_links WHERE handle_from = handle
                UNION ALL SELECT handle_from FROM consentkit_links WHERE handle_to = handle
            ) AS neighbours
        ) SELECT handle FROM linked LIMIT :most
    """),
}


def _newest_of(linked: TextClause) -> Select[Any]:
    """Return the query for the last record of each linked pseudonym.

    A scalar subquery for each pseudonym uses the index on subject and seq. For a plain join the planner guesses how
    many pseudonyms the recursion yields, and may scan all records.
    """
    others = linked.columns(sqlalchemy.column("handle", sqlalchemy.Text)).subquery("near")
    event = tables.records.alias("event")
    last = (
        select(sqlalchemy.func.max(event.c.seq)).where(event.c.subject == others.c.handle).scalar_subquery()
    )
    return (
        select(tables.records)
        .select_from(others.join(tables.records, tables.records.c.seq == last))
        .where(others.c.handle != sqlalchemy.bindparam("subject", type_=sqlalchemy.Text))
        .order_by(tables.records.c.seq)
    )


_NEWEST_LINKED: Final = {dialect: _newest_of(linked) for dialect, linked in _LINKED.items()}
