"""What the ledger holds about a visitor as JSON, as CSV, and as one page to read and print."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, Final

from consentkit._version import __version__
from consentkit.ledger import Record
from consentkit.proof.export_page import page_of
from consentkit.proof.history import VisitorHistory

__all__ = ["as_csv", "as_data", "as_json", "as_page"]

SCHEMA: Final = 1
_FIELDS: Final = [record_field.name for record_field in fields(Record)]
COLUMNS: Final = ["kind", *_FIELDS, "content"]
"""Columns of the CSV file: the kind of row, the fields of a record, and what other rows hold."""


def as_data(history: VisitorHistory, now: float) -> dict[str, Any]:
    """Return everything about a visitor as plain data: what `as_json` writes."""
    return {
        "schema": SCHEMA,
        "exported_at": _utc(now),
        "version": __version__,
        "reference": history.reference,
        "references": list(history.references),
        "records": [asdict(record) for record in history.records],
        "links": [{"from": first, "to": second, "at": at} for first, second, at in history.links],
        "notices": history.notices,
        "renderings": {key: asdict(words) for key, words in history.renderings.items()},
    }


def as_json(history: VisitorHistory, now: float) -> Iterator[str]:
    """Yield the parts of a JSON document with everything about a visitor. Times are seconds since the epoch."""
    yield from json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(as_data(history, now))
    yield "\n"


def as_csv(history: VisitorHistory) -> Iterator[str]:
    """Yield the lines of a CSV file: records, then links, notices and words, each with its kind in the first column.

    A link has its pseudonyms in `subject` and `content`; a notice and words have their text in `content`.
    """
    yield _line(COLUMNS)
    for record in history.records:
        yield _row("record", asdict(record))
    for first, second, at in history.links:
        yield _row("link", {"subject": first, "content": second, "at": at})
    for digest, content in history.notices.items():
        yield _row("notice", {"notice": digest, "content": content})
    for words in history.renderings.values():
        values = asdict(words)
        yield _row("rendering", values | {"rendering": words.id, "content": words.html})


def as_page(history: VisitorHistory, now: float) -> Iterator[str]:
    """Yield the parts of an HTML page with everything about a visitor, which loads nothing and runs nothing."""
    return page_of(history, _utc(now))


def _row(kind: str, values: Mapping[str, Any]) -> str:
    return _line([kind, *(_cell(values.get(column)) for column in COLUMNS[1:])])


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value


def _line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
