"""What the commands for a ledger share: the option that tells where it is, and opening it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import make_url

from consentkit.cli.console import DEFAULT_POLICY, err, fail
from consentkit.errors import ConfigurationError
from consentkit.ledger import Ledger, has_ledger, path_of

__all__ = ["DEFAULT_POLICY", "LedgerOption", "PolicyOption", "Reference", "counting", "open_ledger"]

Reference = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="The reference that the visitor's settings page shows. Write -- before one that begins with a hyphen.",
    ),
]

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
PolicyOption = Annotated[Path, typer.Option("--policy", help="The policy file.", show_default=True)]


def open_ledger(url: str) -> Ledger:
    """Return the ledger at a URL. A file that is not there is not created, and neither are tables.

    Raises:
        typer.Exit: no ledger can be there; the exit code is 2.
    """
    try:
        ledger = Ledger(url)
    except ConfigurationError as error:
        fail(error, 2)
    place = make_url(url)
    try:
        path = path_of(place)
        if place.get_backend_name() == "sqlite" and (path is None or not path.is_file()):
            fail(f"--ledger: there is no file {place.database}. Check the path.", 2)
        if not has_ledger(url):
            fail("--ledger: there is no ledger in this database. Check the URL.", 2)
    except OSError as error:
        fail(error, 2)
    return ledger


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of the number done and of all, which shows progress where somebody watches a terminal."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
