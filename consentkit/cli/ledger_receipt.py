"""The command that prints the receipt of a visitor's consent."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from consentkit.cli.console import fail, print_json
from consentkit.cli.ledger_options import LedgerOption, Reference, open_ledger
from consentkit.errors import LedgerUnavailableError
from consentkit.manager import notice_on_record
from consentkit.proof import grant_of, receipt_of

__all__ = ["receipt"]


def receipt(
    reference: Reference,
    url: LedgerOption,
    prefix: Annotated[
        str, typer.Option(help="Path under which the library answers on the site.", show_default=True)
    ] = "/consent",
) -> None:
    """Print the receipt of the grant in force as JSON-LD, for a visitor who asks for it by the reference.

    The exit code is 1 if nothing is granted under the reference.
    """
    store = open_ledger(url)
    try:
        record = store.newest(reference)
        notice = notice_on_record(store, record.notice) if record is not None else None
        history = store.history(reference)
    except LedgerUnavailableError as error:
        fail(error, 2)
    now = time.time()
    if record is None or notice is None or record.status != "given" or now >= (record.expires_at or 0):
        fail(f"Nothing is granted under the reference {reference!r}. Check the reference.", 1)
    origins = {site["id"]: site["origin"] for site in notice["sites"]}
    grant = grant_of(record, notice, history=history)
    print_json(receipt_of(grant, address=origins[record.site] + prefix, at=datetime.fromtimestamp(now, UTC)))
