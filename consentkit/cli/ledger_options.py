"""What the commands for a ledger share: the options that name it and its policy, and opening it."""

from pathlib import Path
from typing import Annotated

import typer

from consentkit.cli.console import DEFAULT_POLICY, fail
from consentkit.errors import ConfigurationError
from consentkit.ledger import Ledger

__all__ = ["DEFAULT_POLICY", "LedgerOption", "PolicyOption", "open_ledger"]

LedgerOption = Annotated[
    str,
    typer.Option(
        "--ledger",
        envvar="CONSENTKIT_LEDGER",
        help="URL of the ledger, such as sqlite:////var/lib/site/consent.db.",
        metavar="URL",
        show_default=False,
    ),
]
PolicyOption = Annotated[Path, typer.Option("--policy", help="The policy file.", show_default=True)]


def open_ledger(url: str) -> Ledger:
    """Return the ledger at a URL, without connecting.

    Raises:
        typer.Exit: no ledger can be there; the exit code is 2.
    """
    try:
        return Ledger(url)
    except ConfigurationError as error:
        fail(error, 2)
