"""`consentkit ledger export`: everything about a visitor, as JSON, CSV or a page."""

import sys
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from consentkit.cli.console import err, fail
from consentkit.cli.ledger_options import LedgerOption, Reference, open_ledger
from consentkit.errors import LedgerUnavailableError
from consentkit.proof import VisitorHistory, as_csv, as_json, as_page, history_of

__all__ = ["export"]


class Format(Enum):
    """A form in which everything about a visitor is written."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


def export(
    reference: Reference,
    url: LedgerOption,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.JSON,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file; standard output by default.", show_default=False),
    ] = None,
) -> None:
    """Write everything about a visitor: records, links, notices and the words that were sent, of all linked sites."""
    store = open_ledger(url)
    try:
        history = history_of(store, reference)
    except LedgerUnavailableError as error:
        fail(error, 2)
    finally:
        store.close()
    parts = _parts(history, form)
    try:
        if output is None:
            sys.stdout.writelines(parts)
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(parts)
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}.", 2)
    if not history:
        err.print(f"Nothing is recorded under {escape(reference)}. Check that the reference is complete.")
        raise typer.Exit(1)


def _parts(history: VisitorHistory, form: Format) -> Iterator[str]:
    if form is Format.CSV:
        return as_csv(history)
    return as_json(history, time.time()) if form is Format.JSON else as_page(history, time.time())
