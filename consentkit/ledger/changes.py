"""What was stored after a place in the ledger, without a gap, whoever else writes at the same time."""

import logging
from collections.abc import Sequence
from typing import Any, Final

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import queries
from consentkit.ledger.connections import Database
from consentkit.ledger.record import Record
from consentkit.ledger.write_locks import PLACES, settled_place

__all__ = ["read_changes"]

logger = logging.getLogger("consentkit.ledger")

_EVERYTHING: Final = 2**63 - 1


def read_changes(database: Database, cursor: int | None) -> tuple[tuple[Record, ...], int]:
    """Return the records of subjects that were stored after a cursor, and the next cursor; see `Ledger.changes`.

    Every record that is visible is returned. The cursor stays before the rows of writers that have not committed yet.

    Raises:
        LedgerUnavailableError: the database did not answer; or is a standby, if the place has to be found; or more was stored
            after a writer that has not ended than can be read at once.
    """
    if cursor is None:
        return (), _settled_end(database)
    # Before the rows: a writer that has no lock by now has committed, so that its rows will be seen.
    settled = _settled(database)
    rows = _rows_after(database, cursor)
    last_seq, is_standby = rows[0][-2:]
    if last_seq < cursor:
        logger.warning(
            "The ledger ends at record %d, but its end was %d before, so it was probably restored from a backup. "
            "Reading continues from its new end. Records of the time between are lost.",
            last_seq,
            cursor,
        )
        database.begin_epoch()
        return read_changes(database, _settled_end(database))
    is_full = len(rows) == queries.LARGEST_ANSWER
    # A writer that has just begun may have noted a place before the cursor. Its rows come after the cursor nevertheless.
    end = rows[-1][0] if is_full else last_seq
    after = cursor if settled is None or is_standby else max(cursor, min(settled, end))
    if is_full and after == cursor:
        raise LedgerUnavailableError(
            f"The ledger cannot be used now: {len(rows)} records follow one that another process has not committed yet."
        )
    # An outer join: a ledger without newer records answers with one row of NULLs and its end.
    records = queries.readable_records(row for row in rows if row[0] is not None)
    return tuple(records), after


def _settled(database: Database) -> int | None:
    """Return a number up to which no row becomes visible later; None on a standby."""
    if database.dialect == "sqlite":
        # Nobody writes at the same time as others.
        return _EVERYTHING
    return settled_place(database.read(PLACES)[0])


def _settled_end(database: Database) -> int:
    """Return the number from which reading can begin without a gap."""
    settled = _settled(database)
    if settled is None:
        raise LedgerUnavailableError(
            "The ledger cannot be used now: its database is a standby, so that its end is not known. Use the primary."
        )
    last_seq: int = database.read(queries.LAST_SEQ)[0][0] if settled == _EVERYTHING else settled
    return last_seq


def _rows_after(database: Database, cursor: int) -> Sequence[Any]:
    values = {"after": cursor - queries.OVERLAP, "most": queries.LARGEST_ANSWER}
    return database.read(queries.CHANGES[database.dialect], values)
