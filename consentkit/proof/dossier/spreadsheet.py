"""The records of a dossier as a table for spreadsheets, with times that people read."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from consentkit.ledger import Record

__all__ = ["SPREADSHEET", "answers_of", "as_spreadsheet"]

SPREADSHEET: Final = "ledger/records.csv"
"""File with the records of the period in a table."""
COLUMNS: Final = (
    *("happened (UTC)", "decided (UTC)", "valid until (UTC)", "site", "event", "allowed", "not allowed"),
    *("choice", "language", "surface", "notice", "digest of the notice", "words", "pseudonym", "record"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def as_spreadsheet(records: Iterable[Record], numbers: Mapping[str, int]) -> Iterator[str]:
    """Yield the lines of a CSV file with a row for each record.

    Args:
        records: of the period.
        numbers: the number of each notice by its digest.
    """
    yield _line(COLUMNS)
    for record in records:
        yield _line(
            [
                _utc(record.at),
                _utc(record.decided_at),
                _utc(record.expires_at),
                record.site,
                record.event,
                answers_of(record, allowed=True),
                answers_of(record, allowed=False),
                record.choice,
                record.language,
                record.surface,
                str(numbers.get(record.notice, "")),
                record.notice,
                record.rendering,
                record.subject or "",
                record.id,
            ]
        )


def answers_of(record: Record, *, allowed: bool) -> str:
    """Return what a record allows, or what it does not: categories, and third parties that differ from theirs."""
    answers = {**record.categories, **record.vendors}
    return ", ".join(name for name, answer in answers.items() if answer is allowed)


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(map(_guarded, cells))
    return line.getvalue()


def _guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _utc(seconds: int | None) -> str:
    if seconds is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return str(seconds)
