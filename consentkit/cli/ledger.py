"""The commands for a ledger: what it holds about a visitor, and its upkeep."""

import json
from contextlib import closing

import typer

from consentkit.cli.console import fail, print_json
from consentkit.cli.ledger_erase import erase
from consentkit.cli.ledger_export import export
from consentkit.cli.ledger_options import LedgerOption, Reference, open_ledger
from consentkit.cli.ledger_outbox import outbox
from consentkit.cli.ledger_proof import checkpoint, verify_ledger
from consentkit.cli.ledger_prune import prune
from consentkit.cli.ledger_receipt import receipt
from consentkit.cli.ledger_tables import copy, upgrade
from consentkit.errors import LedgerUnavailableError

__all__ = ["ledger"]

ledger = typer.Typer(
    help="The records of the decisions: look at them, hand them over, keep them in order.",
    no_args_is_help=True,
)


@ledger.command()
def history(reference: Reference, url: LedgerOption) -> None:
    """Print all records of a visitor as JSON, with those of the group's other sites that are linked with them.

    Exits with 1 if there are none, and with 2 if the ledger cannot be read.
    """
    with closing(open_ledger(url)) as store:
        try:
            subjects = sorted(store.linked(reference))
            records = [record for subject in subjects for record in store.history(subject)]
        except LedgerUnavailableError as error:
            fail(error, 2)
    print_json([json.loads(record.to_json()) for record in records])
    raise typer.Exit(0 if records else 1)


ledger.command()(checkpoint)
ledger.command("verify")(verify_ledger)
ledger.command()(upgrade)
ledger.command()(copy)
ledger.command()(receipt)
ledger.command()(export)
ledger.command()(erase)
ledger.command()(prune)
ledger.command()(outbox)
