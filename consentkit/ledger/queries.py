"""The ledger's queries, in the dialects of SQLite and PostgreSQL.

Of one pseudonym's records the one with the highest `precedence` counts. Records can share it, when two hosts changed the
same answer in one second.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy
from sqlalchemy import BigInteger, Select, Text, bindparam, select

from consentkit._bounded_cache import BoundedCache
from consentkit.errors import InvalidDecisionError
from consentkit.ledger import tables
from consentkit.ledger.record import Record
from consentkit.ledger.tables import from_row

__all__ = [
    "CHANGES",
    "GIVEN",
    "LARGEST_ANSWER",
    "LAST_SEQ",
    "LINKED",
    "MOST_LINKED",
    "NEWEST",
    "OVERLAP",
    "PAGE_OF_LINKS",
    "PAGE_OF_RECORDS",
    "readable_records",
]

logger = logging.getLogger("consentkit.ledger")

# Rows before the cursor that `changes` reads again, in case another program wrote without the ledger's lock.
OVERLAP: Final = 32
LARGEST_ANSWER: Final = 10_000
PAGE_SIZE: Final = 500
MOST_LINKED: Final = 100_000

_reported: BoundedCache[str, bool] = BoundedCache(1000)


def readable_records(rows: Iterable[Sequence[Any]]) -> list[Record]:
    """Return the records of rows. A row that holds no record is left out, and logged once.

    Another program may have written such a row, or the database is damaged. It must not stop the pages of all visitors.
    """
    records = []
    for row in rows:
        try:
            records.append(from_row(row))
        except (InvalidDecisionError, TypeError, ValueError, RecursionError) as error:
            # Place, id and subject together are another row's in another database.
            which = repr(tuple(row[:6]))
            if which not in _reported:
                _reported[which] = True
                logger.error(
                    "Row %r of consentkit_records is not a record and is skipped: %s. Look at what wrote it.",
                    row[0],
                    error,
                )
    return records


# Rows that were removed count too. Without them a removal at the end would look like a database restored from a backup.
_ends: Final = sqlalchemy.union_all(
    select(sqlalchemy.func.max(tables.records.c.seq).label("seq")),
    select(sqlalchemy.func.max(tables.removals.c.last_seq)),
).subquery()
LAST_SEQ: Final = select(sqlalchemy.func.coalesce(sqlalchemy.func.max(_ends.c.seq), 0).label("last_seq"))
_end: Final = LAST_SEQ.subquery()
# Limited in itself, so that a database walks along the key from the cursor, and does not sort all that comes after it.
_next: Final = (
    select(tables.records)
    .where(tables.records.c.seq > bindparam("after", type_=BigInteger), tables.records.c.subject.is_not(None))
    .order_by(tables.records.c.seq)
    .limit(bindparam("most", type_=BigInteger))
    .subquery("next")
)
# One statement, because records that commit between two of them would be before the cursor and yet not returned.
_changes: Final = (
    select(*_next.c, _end.c.last_seq)
    .select_from(_end.outerjoin(_next, sqlalchemy.true()))
    .order_by(_next.c.seq)
)
# The last column says whether a standby has answered: each connection may lead to another server.
CHANGES: Final = {
    "sqlite": _changes.add_columns(sqlalchemy.false()),
    "postgresql": _changes.add_columns(sqlalchemy.func.pg_is_in_recovery()),
}
PAGE_OF_RECORDS: Final = (
    select(tables.records)
    .where(tables.records.c.seq > bindparam("after", type_=BigInteger))
    .order_by(tables.records.c.seq)
    .limit(PAGE_SIZE)
)
PAGE_OF_LINKS: Final = (
    select(tables.links.c.seq, tables.links.c.handle_from, tables.links.c.handle_to, tables.links.c.at)
    .where(tables.links.c.seq > bindparam("after", type_=BigInteger))
    .order_by(tables.links.c.seq)
    .limit(PAGE_SIZE)
)

# A list of texts is one argument: JSON in SQLite, an array in PostgreSQL.
GIVEN: Final = {
    "sqlite": "SELECT value AS handle FROM json_each(:subjects)",
    "postgresql": "SELECT unnest(CAST(:subjects AS text[])) AS handle",
}

# Both directions of a link are followed, each by its own index. UNION drops pseudonyms seen before, so cycles end.
# PostgreSQL allows a single reference to the recursive table, hence LATERAL.
LINKED: Final = {
    "sqlite": """
        WITH RECURSIVE linked(root, handle) AS (
            SELECT value, value FROM json_each(:subjects)
            UNION SELECT root, handle_to FROM linked JOIN consentkit_links ON handle_from = handle
            UNION SELECT root, handle_from FROM linked JOIN consentkit_links ON handle_to = handle
        ) SELECT root, handle FROM linked LIMIT :most
    """,
    "postgresql": """
        WITH RECURSIVE linked(root, handle) AS (
            SELECT given, given FROM unnest(CAST(:subjects AS text[])) AS given
            UNION SELECT root, next FROM linked CROSS JOIN LATERAL (
                SELECT handle_to AS next FROM consentkit_links WHERE handle_from = handle
                UNION ALL SELECT handle_from FROM consentkit_links WHERE handle_to = handle
            ) AS neighbours
        ) SELECT root, handle FROM linked LIMIT :most
    """,
}


def _newest_of(handles: str) -> Select[Any]:
    """Return the query for the records that count of each given pseudonym, in the ledger's order.

    A scalar subquery for each pseudonym uses the index on subject and precedence. For a plain join the planner guesses how
    many pseudonyms there are, and may scan all records.
    """
    given = sqlalchemy.text(handles).columns(sqlalchemy.column("handle", Text)).subquery("given")
    other = tables.records.alias("other")
    highest = (
        select(sqlalchemy.func.max(other.c.precedence))
        .where(other.c.subject == given.c.handle)
        .scalar_subquery()
    )
    return (
        select(tables.records)
        .select_from(
            given.join(
                tables.records,
                (tables.records.c.subject == given.c.handle) & (tables.records.c.precedence == highest),
            )
        )
        .order_by(tables.records.c.seq)
    )


NEWEST: Final = {dialect: _newest_of(given) for dialect, given in GIVEN.items()}
