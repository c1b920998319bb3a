"""`consentkit ledger prune`: remove the records that the policy keeps no longer."""

import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress

from consentkit.cli.console import count, err, fail, load_checked_policy, out, print_json
from consentkit.cli.ledger_options import DEFAULT_POLICY, LedgerOption, PolicyOption, open_ledger
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger
from consentkit.proof import Pruned, Retention

__all__ = ["prune"]


def prune(
    url: LedgerOption,
    policy: PolicyOption = DEFAULT_POLICY,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would go, and remove nothing.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="Records that are removed at once, at most.")] = 400,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--site", metavar="ID", help="A site that the policy lists no longer, whose records go too."
        ),
    ] = None,
    vacuum: Annotated[
        bool,
        typer.Option(
            "--vacuum",
            help="Rewrite a SQLite file that cannot shrink yet. No decision can be stored meanwhile, and the disk needs room "
            "for a second copy.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Remove records once their validity and the policy's `records_kept` have passed, for cron. Writers go on meanwhile."""
    kept = load_checked_policy(policy)
    store = open_ledger(url)
    retention = Retention(store, kept.records_kept, [*(site.id for site in kept.sites), *(also or ())])
    try:
        pruned = _run(store, retention, dry_run=dry_run, batch=batch)
        if not dry_run:
            _give_space_back(store, vacuum=vacuum, as_json=as_json)
    except LedgerUnavailableError as error:
        fail(f"{error} What was removed before stays removed. Run it again.", 2)
    finally:
        store.close()
    if as_json:
        print_json(asdict(pruned) | {"dry_run": dry_run})
        return
    verb = "Would remove" if dry_run else "Removed"
    rows = (count(pruned.records, "record"), count(pruned.links, "link"), count(pruned.counts, "count"))
    out.print(f"{verb} {rows[0]}, {rows[1]} and {rows[2]}.")
    if pruned.elsewhere:
        place, others = escape(str(policy)), count(pruned.elsewhere, "record")
        out.print(f"{others} of sites that are not in {place} stay. Add --site ID for a closed site.")


def _run(store: Ledger, retention: Retention, *, dry_run: bool, batch: int) -> Pruned:
    pruned = Pruned()
    _, end = store.changes(None)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("Looking at records", total=max(end, 1))
        for pruned in retention.prune(int(time.time()), dry_run=dry_run, batch=batch):
            progress.update(task, completed=pruned.position, description=f"{pruned.records} old records")
    return pruned


def _give_space_back(store: Ledger, *, vacuum: bool, as_json: bool) -> None:
    if not store.upkeep.gives_space_back():
        if vacuum:
            store.upkeep.rewrite()
        elif not as_json:
            out.print("The file does not shrink. SQLite uses the space again; --vacuum gives it back.")
    while store.upkeep.give_space_back():
        pass
