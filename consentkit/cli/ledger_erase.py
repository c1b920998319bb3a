"""`consentkit ledger erase`: remove everything about a visitor."""

import time
from typing import Annotated

import typer
from rich.markup import escape

from consentkit.cli.console import count, err, fail, out, print_json
from consentkit.cli.ledger_options import LedgerOption, Reference, open_ledger
from consentkit.errors import LedgerUnavailableError
from consentkit.proof import erase as erase_from
from consentkit.proof import history_of

__all__ = ["erase"]


def erase(
    reference: Reference,
    url: LedgerOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Remove all records of a visitor, of linked sites too. What is granted is withdrawn first.

    Listeners of a running site are not called, and no webhooks are sent; `ConsentManager.erase` does both.
    """
    store = open_ledger(url)
    try:
        history = history_of(store, reference)
        held = sum(len(store.record_ids(each)) for each in history.references)
        if not held and not history:
            err.print(f"Nothing is recorded under {escape(reference)}. Check that the reference is complete.")
            raise typer.Exit(1)
        if not yes:
            sites = ", ".join(sorted({record.site for record in history.records})) or "no site"
            typer.confirm(
                f"{count(held, 'record')} of {sites} will be gone for good. Go on?",
                abort=True,
                err=True,
            )
        erased = erase_from(store, reference, now=int(time.time()))
    except LedgerUnavailableError as error:
        fail(f"{error} Run it again: what is erased stays so.", 2)
    finally:
        store.close()
    if as_json:
        print_json(
            {
                "references": list(erased.references),
                "withdrawn": len(erased.withdrawn),
                "records": erased.records,
                "links": erased.links,
            }
        )
        return
    out.print(f"Erased {count(erased.records, 'record')} and {count(erased.links, 'link')}.")
    if erased.withdrawn:
        out.print(
            "A consent was in force and was withdrawn first. Listeners were not called and no webhooks sent, so tell the "
            "third parties yourself."
        )
