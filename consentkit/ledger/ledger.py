"""The ledger: what happened, in order, and never changed afterwards."""

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
from consentkit.ledger.group_commit import Writer
from consentkit.ledger.record import Record, check_text
from consentkit.ledger.tables import InsertIgnore, from_row, to_row

__all__ = ["Ledger"]

logger = logging.getLogger("consentkit.ledger")

# Rows before the cursor that are read again, should somebody have written without our lock.
OVERLAP: Final = 32
LARGEST_ANSWER: Final = 10_000
PAGE: Final = 500
MOST_LINKED: Final = 100_000


class Ledger:
    """Keep records, notices and links in SQLite or PostgreSQL; nothing in it is ever changed.

    Every method may be called from any thread, waits `lock_timeout` seconds or little more, and raises
    LedgerUnavailableError when the database does not answer by then or does not answer as it should. Once the
    database is well, so is the ledger. The first use in a process connects; a fork is allowed at any time.
    """

    def __init__(self, target: str | URL | Engine, *, lock_timeout: float = 2.0) -> None:
        """Take a database URL, or an engine of SQLite or psycopg 3.

        Raises:
            ConfigurationError: a database that cannot be a ledger, or whose driver is missing.
        """
        self._database = Database(target, lock_timeout=lock_timeout)
        self._writer = Writer(self._database)
        self._additions = {table: InsertIgnore(table, self._database.dialect) for table in _GROWING}
        self._uses = itertools.count(1)
        self._close = weakref.finalize(self, _close, self._writer, self._database)

    def append(self, *records: Record) -> None:
        """Store records durably, all or none; those that are stored already stay as they are.

        Raises:
            LedgerUnavailableError: nothing was stored, and nothing will be later; only when the database went silent
                in the middle of committing is that unknown. Appending the same records again is right either way.
            LedgerError: another record has the id of one of these; the rest was stored.
        """
        rows = [to_row(record) for record in records]
        if rows and self._insert(tables.records, rows) < len(rows):
            self._refuse_other_content(records)

    def newest(self, subject: str) -> Record | None:
        """Return the latest event of a subject, by its place in the ledger."""
        found = self._database.read(
            select(tables.records)
            .where(tables.records.c.subject == subject)
            .order_by(tables.records.c.seq.desc())
            .limit(1)
        )
        return from_row(found[0]) if found else None

    def history(self, reference: str) -> list[Record]:
        """Return all events of a subject, oldest first."""
        found = self._database.read(
            select(tables.records).where(tables.records.c.subject == reference).order_by(tables.records.c.seq)
        )
        return [from_row(row) for row in found]

    def changes(self, cursor: int | None) -> tuple[tuple[Record, ...], int]:
        """Return the newest record of every subject that changed after a cursor, and the next cursor.

        Without a cursor nothing is returned but where the ledger stands. No commit is ever missed; some records come
        twice. At most 10 000 events are looked at: call again until the cursor stands still.
        """
        if cursor is None:
            return (), self._database.read(_TOP)[0][0]
        found = self._database.read(_CHANGES, {"after": cursor - OVERLAP})
        top: int = found[0][-1]
        if top < cursor:
            logger.warning("The ledger is older than it was: it ends at %d, not at %d.", top, cursor)
            found = self._database.read(_CHANGES, {"after": top - OVERLAP})
        events = [from_row(row) for row in found if row[0] is not None]
        newest = {event.subject: event for event in events}
        return tuple(newest.values()), found[-1][0] if len(found) == LARGEST_ANSWER else top

    def records(self) -> Iterator[Record]:
        """Go through all records in their order, a few hundred at a time."""
        last = 0
        while found := self._database.read(_PAGE, {"after": last}):
            yield from (from_row(row) for row in found)
            last = found[-1][0]

    def store_notice(self, digest: str, content: dict[str, Any]) -> None:
        """Keep a notice under its digest; one that is kept already stays as it is."""
        check_text("digest", digest)
        if self.notice(digest) is None:
            self._insert(tables.notices, [{"digest": digest, "content": json.dumps(content)}])

    def notice(self, digest: str) -> dict[str, Any] | None:
        """Return the notice of a digest, as it was stored."""
        found = self._database.read(select(tables.notices.c.content).where(tables.notices.c.digest == digest))
        return json.loads(found[0][0]) if found else None

    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all notices with their digests, in the order in which they were stored."""
        found = self._database.read(
            select(tables.notices.c.digest, tables.notices.c.content).order_by(tables.notices.c.seq)
        )
        return [(digest, json.loads(content)) for digest, content in found]

    def store_rendering(self, digest: str, language: str, parts: dict[str, Any]) -> None:
        """Keep what a notice was shown with in a language: the library's own words, hashes of templates and styles.

        Another version of the library may show the same notice with other parts: both are kept.
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
        """Return the languages a notice was shown in and their parts, in the order in which they were stored."""
        found = self._database.read(
            select(tables.renderings.c.language, tables.renderings.c.parts)
            .where(tables.renderings.c.digest == digest)
            .order_by(tables.renderings.c.seq)
        )
        return [(language, json.loads(parts)) for language, parts in found]

    def use_once(self, token_id: str, expires_at: int) -> bool:
        """Return True the first time that a token is used, False ever after.

        `expires_at` (seconds since the epoch) has to be checked before: an hour later the token is forgotten. Where the
        database broke off while committing, the answer may be False for a first use.
        """
        check_text("token", token_id)
        first = self._insert(tables.tokens, [{"token_id": token_id, "expires_at": expires_at}]) == 1
        if next(self._uses) % 256 == 0:
            self._forget_tokens(expires_at - 3600)
        return first

    def link(self, from_subject: str, to_subject: str, at: int) -> None:
        """Keep that two pseudonyms are one visitor's, on two sites; `at` is in seconds since the epoch."""
        check_text("handle", from_subject)
        check_text("handle", to_subject)
        self._insert(tables.links, [{"at": at, "handle_from": from_subject, "handle_to": to_subject}])

    def links(self) -> Iterator[tuple[str, str, int]]:
        """Go through all links in their order, as `link` takes them, a few hundred at a time."""
        last = 0
        while found := self._database.read(_LINKS, {"after": last}):
            yield from ((one, other, at) for _, one, other, at in found)
            last = found[-1][0]

    def linked(self, subject: str) -> set[str]:
        """Return all pseudonyms that links join to this one, in either direction and over any number of links; and it.

        At most 100 000: past that a warning is logged, and those nearest to it are returned.
        """
        asked = {"subject": subject, "most": MOST_LINKED}
        found = {row[0] for row in self._database.read(_LINKED[self._database.dialect], asked)}
        if len(found) == MOST_LINKED:
            logger.warning("More than %d pseudonyms are linked with one another.", MOST_LINKED)
        return found

    def newest_linked(self, subject: str) -> list[Record]:
        """Return the latest event of each other pseudonym that links join to this one, in their order.

        Every hand-off adds a pseudonym, and few of them ever have an event: one question, however many there are.
        """
        asked = {"subject": subject, "most": MOST_LINKED}
        return [from_row(row) for row in self._database.read(_NEWEST_LINKED[self._database.dialect], asked)]

    def close(self) -> None:
        """Store what waits and close the connections; what is called afterwards raises LedgerUnavailableError."""
        self._close()

    def _insert(self, table: Table, rows: Sequence[dict[str, Any]]) -> int:
        return self._writer.insert(self._additions[table], rows)

    def _refuse_other_content(self, records: Sequence[Record]) -> None:
        ids = [record.id for record in records]
        stored = {
            row[1]: from_row(row)
            for row in self._database.read(select(tables.records).where(tables.records.c.id.in_(ids)))
        }
        for record in records:
            if stored[record.id].to_json() != record.to_json():
                raise LedgerError(f"Another record has the id {record.id}; this one was not stored.")

    def _forget_tokens(self, before: int) -> None:
        try:
            with self._database.writing() as connection:
                connection.execute(tables.tokens.delete().where(tables.tokens.c.expires_at < before))
        except LedgerUnavailableError as error:
            logger.warning("Tokens that have ended stay in the ledger for now. %s", error)


def _close(writer: Writer, database: Database) -> None:
    writer.close()
    database.close()


_GROWING: Final = (tables.records, tables.notices, tables.renderings, tables.links, tables.tokens)
_TOP: Final = select(sqlalchemy.func.coalesce(sqlalchemy.func.max(tables.records.c.seq), 0).label("top"))
_ends: Final = _TOP.subquery()
# One statement, so that the events and the end of the ledger are of the same moment.
_CHANGES: Final = (
    select(tables.records, _ends.c.top)
    .select_from(
        _ends.outerjoin(
            tables.records,
            (tables.records.c.seq > sqlalchemy.bindparam("after", type_=sqlalchemy.BigInteger))
            & tables.records.c.subject.is_not(None),
        )
    )
    .order_by(tables.records.c.seq)
    .limit(LARGEST_ANSWER)
)
_PAGE: Final = (
    select(tables.records)
    .where(tables.records.c.seq > sqlalchemy.bindparam("after", type_=sqlalchemy.BigInteger))
    .order_by(tables.records.c.seq)
    .limit(PAGE)
)
_LINKS: Final = (
    select(tables.links.c.seq, tables.links.c.handle_from, tables.links.c.handle_to, tables.links.c.at)
    .where(tables.links.c.seq > sqlalchemy.bindparam("after", type_=sqlalchemy.BigInteger))
    .order_by(tables.links.c.seq)
    .limit(PAGE)
)

# A component is walked along both directions of a link, each by its index. UNION drops whom it has met, so cycles end.
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
    """Look up the last event of each pseudonym by its index, whatever the planner believes of how many there are."""
    near = linked.columns(sqlalchemy.column("handle", sqlalchemy.Text)).subquery("near")
    event = tables.records.alias("event")
    last = select(sqlalchemy.func.max(event.c.seq)).where(event.c.subject == near.c.handle).scalar_subquery()
    return (
        select(tables.records)
        .select_from(near.join(tables.records, tables.records.c.seq == last))
        .where(near.c.handle != sqlalchemy.bindparam("subject", type_=sqlalchemy.Text))
        .order_by(tables.records.c.seq)
    )


_NEWEST_LINKED: Final = {dialect: _newest_of(linked) for dialect, linked in _LINKED.items()}
