"""The commands for a ledger: what it holds about a visitor, and its upkeep."""

import json
from typing import Annotated

import typer

from consentkit.cli.console import fail, print_json
from consentkit.cli.ledger_options import LedgerOption, open_ledger
from consentkit.errors import LedgerUnavailableError

__all__ = ["ledger"]

ledger = typer.Typer(
    help="The records of the decisions: look at them, hand them over, keep them in order.",
    no_args_is_help=True,
)

Reference = Annotated[
    str,
    typer.Argument(metavar="REFERENCE", help="The reference that the visitor's settings page shows."),
]


@ledger.command()
def history(reference: Reference, url: LedgerOption) -> None:
    """Print all records of a visitor as JSON, with those of the group's other sites that are linked with them."""
    store = open_ledger(url)
    try:
        records = [record for subject in sorted(store.linked(reference)) for record in store.history(subject)]
    except LedgerUnavailableError as error:
        fail(error, 2)
    print_json([json.loads(record.to_json()) for record in records])
    raise typer.Exit(0 if records else 1)
