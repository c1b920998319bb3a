"""What the commands for a ledger share: the option that tells where it is, and opening it."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import make_url

from consentkit.cli.console import fail
from consentkit.errors import ConfigurationError
from consentkit.ledger import Ledger

__all__ = ["LedgerOption", "open_ledger"]

LedgerOption = Annotated[
    str,
    typer.Option(
        "--ledger",
        envvar="CONSENTKIT_LEDGER",
        help="URL of the ledger, such as sqlite:////var/lib/site/consent.db. Default: the variable CONSENTKIT_LEDGER.",
        metavar="URL",
        show_default=False,
    ),
]


def open_ledger(url: str) -> Ledger:
    """Return the ledger at a URL, without connecting. A file that is not there is not created.

    Raises:
        typer.Exit: no ledger can be there; the exit code is 2.
    """
    try:
        ledger = Ledger(url)
    except ConfigurationError as error:
        fail(error, 2)
    place = make_url(url)
    if place.get_backend_name() == "sqlite" and not Path(place.database or "").is_file():
        fail(f"--ledger: there is no file {place.database}. Check the path.", 2)
    return ledger
