"""The commands for a ledger's tables: `upgrade` and `copy`."""

from typing import Annotated

import typer
from rich.markup import escape
from sqlalchemy.exc import SQLAlchemyError

from consentkit.cli.console import count, fail, out
from consentkit.cli.ledger_options import LedgerOption, counting
from consentkit.errors import ConfigurationError, LedgerError
from consentkit.ledger import ChainRows, Step, copy_ledger, snapshot, upgrade_ledger
from consentkit.proof import verify

__all__ = ["copy", "upgrade"]


def upgrade(
    url: LedgerOption,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and change nothing.")
    ] = False,
    all_restarted: Annotated[
        bool,
        typer.Option(
            "--all-restarted",
            help="Every process that uses the ledger has this version by now: several may write to PostgreSQL at once.",
        ),
    ] = False,
) -> None:
    """Upgrade the tables to this version of the library, and take records that are not in the chain into it.

    Back the database up first. Web processes never do this themselves. It can be interrupted and run again.
    """
    try:
        with counting("Chaining records") as progress:
            done = upgrade_ledger(
                url, dry_run=dry_run, all_restarted=all_restarted, on_step=_print_step, on_rows=progress
            )
    except (LedgerError, ConfigurationError, SQLAlchemyError, OSError) as error:
        fail(error, 2)
    if dry_run:
        for step in done.steps:
            _print_step(step)
    words = "would be" if dry_run else "were"
    if done.unchained:
        out.print(
            f"{count(done.unchained, 'record or link', 'records and links')} {words} taken into the chain."
        )
    if not done.steps and not done.unchained:
        out.print(f"[green]The tables have version {done.version}, and there is nothing to do.[/]")
    elif not dry_run:
        out.print("[bold green]The ledger is up to date.[/]")
    if done.steps and not all_restarted:
        out.print(
            "Once every process has been restarted with this version, run it again with --all-restarted."
        )


def _print_step(step: Step) -> None:
    out.print(f"Version {step.version}: {escape(step.adds)}.")


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="URL of the ledger to copy.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="URL of an empty database.")],
) -> None:
    """Copy a ledger to another database, compare both, and verify the chain of the copy.

    Stop the site's decisions first: what is stored after the copy has begun is not copied. If the copy fails, the
    target is empty, and the command can be run again.
    """
    try:
        with counting("Copying") as progress:
            copied = copy_ledger(source, target, progress=progress)
        with snapshot(target) as connection, counting("Verifying") as progress:
            result = verify(ChainRows(connection), progress=progress)
    except (LedgerError, ConfigurationError, SQLAlchemyError, OSError, ValueError) as error:
        fail(error, 2)
    for table, rows in copied:
        if rows:
            out.print(f"{escape(table)}: {count(rows, 'row')}")
    for finding in result.findings[:1]:
        fail(f"Everything was copied, but the chain was broken before: {finding.message}", 1)
    out.print("[bold green]The copy is complete, and its chain is unbroken.[/]")
