"""The locks of writers to PostgreSQL, by which several write at once while plans and polls see an order.

A writer takes the ledger's lock alone, or shares it with others. Those that share it lock the names that their plans build on:
pseudonyms and record ids. So whatever is about one visitor happens in turn.

Rows get their numbers before they are committed, so a row may become visible after one with a higher number. Therefore each
writer that shares the lock notes, in a second lock, after which number all of its rows will come. `settled_place` reads that
from the server's list of locks. docs/explanation/records.md has the reasons.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from math import ceil
from typing import Any, Final

from sqlalchemy import Connection, Executable, text

from consentkit.ledger.driver import run
from consentkit.ledger.store import WRITE_LOCK

__all__ = ["MOST_NAMES", "PLACES", "MustBeAloneError", "begin_statements", "lock_names", "settled_place"]

MOST_NAMES: Final = 60
"""Names that one transaction locks. PostgreSQL has room for 64 locks of each connection, unless configured otherwise."""
_MODULUS: Final = 1 << 32
_LATER: Final = 1 << 20

_BEGIN: Final = (
    # Each statement must see what was committed while the one before it waited for a lock.
    "BEGIN ISOLATION LEVEL READ COMMITTED; "
    "SET LOCAL lock_timeout = {milliseconds}; SET LOCAL statement_timeout = {milliseconds}; "
    # A process that is stopped inside its transaction must not hold the lock for ever.
    "SET LOCAL idle_in_transaction_session_timeout = {idle}; SET LOCAL synchronous_commit = on; "
)
_ALONE: Final = f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"
_SHARED: Final = f"SELECT pg_advisory_xact_lock_shared({WRITE_LOCK})"
# By the table's own number, because several ledgers may be in schemas of one database. Half a lock has 32 bits.
# The maximum of a UNION would take 180 us to plan, instead of 85.
_NOTE_PLACE: Final = (
    "SELECT pg_advisory_xact_lock_shared("
    "hashtext('consentkit places ' || CAST(CAST('consentkit_records' AS regclass) AS oid)), CAST("
    "coalesce(greatest((SELECT max(seq) FROM consentkit_records), (SELECT max(last_seq) FROM consentkit_removals)), 0) "
    "% 4294967296 - 2147483648 AS int))"
)
_LOCK_NAMES: Final = (
    "SELECT pg_advisory_xact_lock("
    "hashtext('consentkit names ' || CAST(CAST('consentkit_records' AS regclass) AS oid)), name) "
    "FROM unnest(CAST(%s AS int[])) AS name"
)
# One statement: its view of the tables is older than its list of locks.
PLACES: Final[Executable] = text("""
    SELECT
    coalesce(greatest((SELECT max(seq) FROM consentkit_records), (SELECT max(last_seq) FROM consentkit_removals)), 0),
    pg_is_in_recovery(), ARRAY(
        SELECT CAST(objid AS bigint) FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND CAST(classid AS bigint) = 4294967295 & CAST(
            hashtext('consentkit places ' || CAST(CAST('consentkit_records' AS regclass) AS oid)) AS bigint
        )
    )
""")
"""The query for `settled_place`."""


class MustBeAloneError(Exception):
    """Raised if a transaction that shares the ledger's lock has to start again without sharing it."""


def settled_place(row: Sequence[Any]) -> int | None:
    """Return the number up to which all rows are visible that ever will be, by the answer to `PLACES`.

    Rows have to be read after it. None on a standby, which does not know who writes to its primary.
    """
    last_seq, is_standby, places = row
    return None if is_standby else min((_place(place, last_seq) for place in places), default=last_seq)


def _place(locked: int, last_seq: int) -> int:
    """Return the number that a writer has noted; at most the end of the ledger."""
    behind = (last_seq - locked + _MODULUS // 2) % _MODULUS
    # A writer that has begun since then has noted a number that is a little later.
    return last_seq if behind >= _MODULUS - _LATER else max(last_seq - behind, 0)


def begin_statements(lock_timeout: float) -> dict[bool, str]:
    """Return how a transaction begins that has the ledger's lock alone (True), or shares it (False).

    Args:
        lock_timeout: seconds.
    """
    milliseconds = ceil(lock_timeout * 1000)
    begin = _BEGIN.format(milliseconds=milliseconds, idle=2 * milliseconds)
    return {True: begin + _ALONE, False: begin + "; ".join((_SHARED, _NOTE_PLACE))}


def lock_names(connection: Connection, names: Iterable[str]) -> None:
    """Lock names until the end of the transaction, in an order in which no two transactions can wait for one another.

    Call this once in a transaction.

    Raises:
        MustBeAloneError: there are more than a transaction should lock.
    """
    numbers = sorted({_number(name) for name in names})
    if len(numbers) > MOST_NAMES:
        raise MustBeAloneError
    if numbers:
        run(connection, _LOCK_NAMES, (numbers,))


def _number(name: str) -> int:
    return int.from_bytes(
        blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big", signed=True
    )
