"""The hash chain: an entry for each record and link that is stored, and for each removal.

An entry's digest is `SHA-256(salt + payload)`, with the salt that is stored with the row: once row and salt are deleted, the
digest says nothing about what they were. Each entry's head covers the entry before it, so that no change goes unnoticed.
docs/explanation/proof.md has the exact bytes.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, func, select

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import tables
from consentkit.ledger.driver import run, run_many
from consentkit.ledger.tables import InsertIgnore

__all__ = [
    "EMPTY_HEAD",
    "KINDS",
    "LOG",
    "POOL",
    "ROW_KINDS",
    "STREAMS",
    "Addition",
    "ChainWriter",
    "ChainedInsert",
    "append",
    "append_removal",
    "append_to_log",
    "canonical",
    "digest_of",
    "head_of",
    "make_streams",
    "open_chain",
]

POOL: Final = tuple("0123456789abcdef")
"""The streams of records and links. A transaction appends to one of them, so that many can do so at once."""
LOG: Final = "log"
"""The stream of what was done to the others: where they begin, and what was removed. It is never cut."""
STREAMS: Final = (*POOL, LOG)
EMPTY_HEAD: Final = "0" * 64
"""The head of a stream without entries."""
KINDS: Final[Mapping[Table, str]] = {tables.records: "record", tables.links: "link"}
ROW_KINDS: Final = ("link", "record")
"""The kinds of entries that stand for a row."""

_ENCODE: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_FREE: Final = (
    "SELECT stream, n, head FROM consentkit_streams WHERE stream <> 'log' "
    "ORDER BY stream <> %s LIMIT 1 FOR UPDATE SKIP LOCKED"
)
_OWN: Final = {
    "sqlite": "SELECT stream, n, head FROM consentkit_streams WHERE stream = ?",
    "postgresql": "SELECT stream, n, head FROM consentkit_streams WHERE stream = %s FOR UPDATE",
}
_COLUMNS: Final = ("stream", "n", "kind", "ref", "payload", "digest", "head")
_ADD: Final = (
    "INSERT INTO consentkit_chain (stream, n, kind, ref, payload, digest, head) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_MOVE: Final = "UPDATE consentkit_streams SET n = ?, head = ? WHERE stream = ?"
# One statement, because each is a journey to the server. It waits for nobody who has the stream.
_ADD_AND_MOVE: Final = (
    "WITH moved AS (UPDATE consentkit_streams SET n = %s, head = %s WHERE stream = "
    "(SELECT stream FROM consentkit_streams WHERE stream = %s AND n = %s AND head = %s FOR UPDATE SKIP LOCKED) "
    "RETURNING n) INSERT INTO consentkit_chain (stream, n, kind, ref, payload, digest, head) "
    "SELECT stream, n, kind, ref, payload, digest, head FROM json_to_recordset(%s::json) AS given"
    "(stream text, n bigint, kind text, ref bigint, payload text, digest text, head text) WHERE EXISTS (SELECT FROM moved)"
)


def canonical(row: Mapping[str, Any]) -> str:
    """Return a row as the JSON that its digest covers: keys sorted, no white space, no escapes that JSON does not need."""
    return _ENCODE(row)


def digest_of(salt: str, payload: str) -> str:
    """Return the digest of a payload: SHA-256 in hexadecimal of the salt's characters and the payload in UTF-8."""
    # What somebody put into a SQLite file is not always UTF-8.
    return hashlib.sha256((salt + payload).encode("utf-8", "surrogateescape")).hexdigest()


def head_of(before: str, stream: str, n: int, kind: str, ref: int | None, digest: str) -> str:
    """Return the head after an entry: SHA-256 of six lines, the first of which is the head before it."""
    lines = f"{before}\n{stream}\n{n}\n{kind}\n{'' if ref is None else ref}\n{digest}\n"
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


class Addition(NamedTuple):
    """What is appended to a stream: a row that was stored, or the payload of another entry."""

    kind: str
    digest: str
    ref: int | None = None
    payload: str | None = None


class ChainWriter:
    """Append to the streams of the pool, for one writer."""

    def __init__(self) -> None:
        self._preferred = secrets.randbelow(len(POOL))
        self._last: _Place | None = None

    def append(self, connection: Connection, additions: Sequence[Addition]) -> None:
        """Append entries to the stream that this writer used last, or to another that no transaction has."""
        # What is remembered may be wrong, after a rollback or another writer: then nothing is added, and a stream is chosen.
        if connection.dialect.name == "postgresql" and self._last is not None:
            place = _add(connection, self._last, additions)
            if place is not None:
                self._last = place
                return
            # At random, so that writers come to have a stream each, whose end is where they left it.
            self._preferred = secrets.randbelow(len(POOL))
        # Processes that were forked from one another differ too.
        stream = POOL[(self._preferred + os.getpid()) % len(POOL)]
        self._last = append(connection, additions, stream=stream)


class ChainedInsert(InsertIgnore):
    """The statement that inserts records or links, each with a new salt, and appends them to the chain."""

    def __init__(self, table: Table, dialect: str, chain: ChainWriter) -> None:
        super().__init__(table, dialect, returning=("seq", "salt"))
        self._table = table
        self._chain = chain

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
        """Insert rows in their order and return how many were new."""
        # New at each attempt, so that rows of an earlier attempt whose commit arrived are not taken for rows of this one.
        random = secrets.token_hex(16 * len(rows))
        payloads = {random[32 * at : 32 * at + 32]: canonical(row) for at, row in enumerate(rows)}
        if connection.dialect.name == "postgresql":
            given = ",".join(f'{payload[:-1]},"salt":"{salt}"}}' for salt, payload in payloads.items())
            stored: Sequence[tuple[int, str]] = sorted(self.execute_json(connection, f"[{given}]").fetchall())
        else:
            salted = [{**row, "salt": salt} for salt, row in zip(payloads, rows, strict=True)]
            cursor = self.execute(connection, salted)
            stored = _stored_in_sqlite(connection, self._table, list(payloads), cursor.rowcount)
        kind = KINDS[self._table]
        additions = [Addition(kind, digest_of(salt, payloads[salt]), seq) for seq, salt in stored]
        if additions:
            self._chain.append(connection, additions)
        return len(additions)


def _stored_in_sqlite(
    connection: Connection, table: Table, salts: list[str], count: int
) -> Sequence[tuple[int, str]]:
    """Return `seq` and salt of the rows that were just inserted. Nobody else writes, so they are the last ones."""
    if not count:
        return []
    last = run(connection, "SELECT last_insert_rowid()").fetchone()[0]
    if count == len(salts):
        return list(zip(range(last - count + 1, last + 1), salts, strict=True))
    # A row that is ignored may use up a place, so the salts tell which rows are of this statement.
    found = connection.execute(select(table.c.seq, table.c.salt).where(table.c.seq > last - len(salts)))
    mine = set(salts)
    return sorted((seq, salt) for seq, salt in found if salt in mine)


class _Place(NamedTuple):
    """The end of a stream."""

    stream: str
    n: int
    head: str


def append(connection: Connection, additions: Sequence[Addition], *, stream: str) -> _Place:
    """Append entries to the log, or to a given stream of the pool, if no other transaction has it.

    Raises:
        LedgerUnavailableError: the database has no such stream any more.
    """
    place = _add(connection, _take(connection, stream), additions)
    if place is None:
        raise LedgerUnavailableError(
            "The ledger cannot be used now: consentkit_streams is changed by others."
        )
    return place


def _add(connection: Connection, place: _Place, additions: Sequence[Addition]) -> _Place | None:
    """Append entries at a place and return the new end; None, without a change, if the stream ends somewhere else."""
    stream, n, head = place
    rows = []
    for added in additions:
        n += 1
        head = head_of(head, stream, n, added.kind, added.ref, added.digest)
        rows.append((stream, n, added.kind, added.ref, added.payload, added.digest, head))
    if connection.dialect.name == "postgresql":
        given = json.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in rows])
        added_rows = run(connection, _ADD_AND_MOVE, (n, head, *place, given)).rowcount
        return _Place(stream, n, head) if added_rows == len(rows) else None
    run_many(connection, _ADD, rows)
    run(connection, _MOVE, (n, head, stream))
    return _Place(stream, n, head)


def _take(connection: Connection, stream: str) -> _Place:
    """Return a stream and its end, and hold it until the end of the transaction."""
    dialect = connection.dialect.name
    found = None
    if dialect == "postgresql" and stream != LOG:
        found = run(connection, _FREE, (stream,)).fetchone()
    if found is None:
        found = run(connection, _OWN[dialect], (stream,)).fetchone()
    if found is None:
        raise LedgerUnavailableError(
            f"The ledger cannot be used now: consentkit_streams has no stream {stream!r}. Restore the table from your backup."
        )
    return _Place(*found)


def append_removal(
    connection: Connection, kind: str, removed: Iterable[tuple[Table, int]], *, at: int
) -> int:
    """Note in the chain that rows are removed. Call this in the transaction that deletes them, before they are deleted.

    Rows that were stored before the chain began need no note.

    Args:
        connection: the connection of `Database.transaction`.
        kind: `erasure` or `pruning`.
        removed: `tables.records` or `tables.links`, and the `seq` of a row that is in it now.
        at: the time, in seconds since the epoch.

    Returns:
        how many of them are in the chain.
    """
    seqs: dict[str, list[int]] = {}
    for table, seq in removed:
        seqs.setdefault(KINDS[table], []).append(seq)
    places = sorted(
        place
        for of_kind, refs in seqs.items()
        for start in range(0, len(refs), 500)
        for place in connection.execute(_places(of_kind, refs[start : start + 500])).all()
    )
    if places:
        append_to_log(connection, kind, {"at": at, "removed": _ranges(map(tuple, places))})
    return len(places)


def _places(kind: str, refs: Sequence[int]) -> Any:
    columns = tables.chain.c
    return select(columns.stream, columns.n).where(columns.kind == kind, columns.ref.in_(refs))


def _ranges(places: Iterable[tuple[str, int]]) -> list[list[Any]]:
    """Return sorted places as lists of a stream, a first and a last number."""
    ranges: list[list[Any]] = []
    for stream, n in places:
        if ranges and ranges[-1][0] == stream and ranges[-1][2] == n - 1:
            ranges[-1][2] = n
        else:
            ranges.append([stream, n, n])
    return ranges


def make_streams(connection: Connection) -> None:
    """Create the streams that are missing, without entries."""
    InsertIgnore(tables.streams, connection.dialect.name).run(
        connection,
        [
            {"stream": stream, "n": 0, "head": EMPTY_HEAD, "base_n": 0, "base_head": EMPTY_HEAD}
            for stream in STREAMS
        ],
    )


def open_chain(connection: Connection) -> None:
    """Note, as the first entry of all, which rows were stored before the chain began."""
    last = {
        f"{kind}s": connection.execute(select(func.coalesce(func.max(table.c.seq), 0))).scalar_one()
        for table, kind in KINDS.items()
    }
    if any(last.values()):
        append_to_log(connection, "start", {"before": last})


def append_to_log(connection: Connection, kind: str, value: Mapping[str, Any]) -> None:
    """Append an entry without a row."""
    payload = canonical(value)
    append(connection, [Addition(kind, digest_of("", payload), payload=payload)], stream=LOG)
