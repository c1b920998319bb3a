"""`consentkit dossier`: one archive for an authority about how consent was asked for and recorded in a period."""

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote, quote_plus

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from consentkit.cli.browser import camera
from consentkit.cli.change_report import describe_changes
from consentkit.cli.console import count, err, fail, load_checked_policy, out
from consentkit.cli.ledger_options import DEFAULT_POLICY, LedgerOption, PolicyOption
from consentkit.config import LOCK, PolicyFile
from consentkit.errors import ConfigurationError, LedgerError, UnknownIdError
from consentkit.ledger import snapshot
from consentkit.proof import (
    Camera,
    Checkpoint,
    DossierRequest,
    DossierResult,
    Period,
    SigningKey,
    VerifyingKey,
    open_note,
    with_report,
    write_dossier,
)
from consentkit.ui import shipped_assets

__all__ = ["dossier"]

_KEY: Final = "CONSENTKIT_CHECKPOINT_KEY"
_SHOWN: Final = 10
_PRIVATE: Final = re.compile(rb"PRIVATE\+KEY\+|-----BEGIN [A-Z ]*PRIVATE KEY-----")


_From = Annotated[
    datetime,
    typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="First day of the period, in UTC."),
]
_To = Annotated[
    datetime,
    typer.Option("--to", formats=["%Y-%m-%d"], metavar="DATE", help="Last day of the period, included."),
]
_Site = Annotated[
    str | None,
    typer.Option("--site", metavar="ID", help="Only this site; all sites by default.", show_default=False),
]
_Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        help=f"File with the private key that signs. Without it, {_KEY} is the key.",
        show_default=False,
    ),
]
_Against = Annotated[
    Path | None,
    typer.Option(
        "--against", help="File with a signed checkpoint to compare the ledger with.", show_default=False
    ),
]
_PublicKey = Annotated[
    str, typer.Option("--public-key", help="Public half of the checkpoint's key; that of --key by default.")
]
_FiguresOnly = Annotated[bool, typer.Option("--figures-only", help="Hand over figures, and no records.")]
_NoPictures = Annotated[
    bool, typer.Option("--no-pictures", help="Leave out pictures of what was sent, and the PDF of the cover.")
]
_Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="The file; by default one that has the period in its name.", show_default=False
    ),
]


def dossier(
    url: LedgerOption,
    first: _From,
    last: _To,
    policy: PolicyOption = DEFAULT_POLICY,
    site: _Site = None,
    key_file: _Key = None,
    against: _Against = None,
    public_key: _PublicKey = "",
    figures_only: _FiguresOnly = False,
    no_pictures: _NoPictures = False,
    output: _Output = None,
) -> None:
    """Write one archive that shows an authority how consent was asked for and recorded in a period.

    It opens in a browser without a network, and its checksums and signature are verified with standard tools. Exits with 1 if
    something in the ledger is not as it was stored, and with 2 if no archive could be written.
    """
    checked = load_checked_policy(policy)
    period = _period(first, last, site, checked)
    target = output or Path(f"consent-dossier-{period.name}.zip")
    try:
        key = _read_key(key_file)
        with ExitStack() as stack:
            request = _request(checked, period, key, has_records=not figures_only)
            request = replace(
                request,
                note=_read_note(against, public_key, key),
                configuration=_configuration(checked, key, url),
            )
            browser, no_camera = _camera(stack, wanted=not no_pictures)
            result = _write(target, url, replace(request, camera=browser, no_camera=no_camera))
    except (LedgerError, ConfigurationError, SQLAlchemyError, OSError, ValueError) as error:
        fail(error, 2)
    _report(result, target, is_signed=key is not None)
    raise typer.Exit(1 if result.problems else 0)


def _request(
    policy: PolicyFile, period: Period, key: SigningKey | None, *, has_records: bool
) -> DossierRequest:
    return DossierRequest(
        policy=policy,
        notices=policy.notices,
        lock=policy.lock,
        period=period,
        figures=with_report(policy),
        at=int(os.environ.get("SOURCE_DATE_EPOCH") or time.time()),
        key=key,
        has_records=has_records,
        stylesheet=shipped_assets()["consent.css"].content.decode(),
        describe=describe_changes,
    )


def _period(first: datetime, last: datetime, site: str | None, policy: PolicyFile) -> Period:
    if last < first:
        fail(f"--to {last.date()} is before --from {first.date()}.", 2)
    try:
        return Period(first.date(), last.date(), None if site is None else policy.site(site).id)
    except UnknownIdError as error:
        fail(f"--site: {error}", 2)


def _read_key(path: Path | None) -> SigningKey | None:
    text = path.read_text("ascii") if path is not None else os.environ.get(_KEY, "")
    return SigningKey.read(text) if text else None


def _read_note(path: Path | None, public_key: str, key: SigningKey | None) -> tuple[str, Checkpoint] | None:
    if path is None:
        return None
    if public_key:
        known = VerifyingKey.read(public_key)
    elif key is not None:
        known = key.public
    else:
        raise ConfigurationError("--against needs --public-key, the public half of the note's key.")
    text = path.read_text("utf-8")
    return text, open_note(text, known)


def _configuration(policy: PolicyFile, key: SigningKey | None, url: str) -> dict[str, bytes]:
    """Return the files that say how the site is set up, after checking that no secret is in one.

    Raises:
        ConfigurationError: a file has a secret.
    """
    names = [policy.path.name, LOCK, *([policy.adequacy_file] if policy.adequacy_file else [])]
    paths = [policy.path.with_name(name) for name in names]
    files = {path.name: path.read_bytes() for path in paths if path.is_file()}
    address = make_url(url)
    secrets = [] if key is None else [key.text.encode()]
    for password in filter(None, (address.password, address.query.get("password"))):
        for text in {str(password), quote(str(password), safe=""), quote_plus(str(password))}:
            secrets += [f":{text}@".encode(), f"password={text}".encode()]
    for name, content in files.items():
        if _PRIVATE.search(content) or any(secret in content for secret in secrets):
            raise ConfigurationError(
                f"{name} holds a private key or a password. Remove it, then make the dossier."
            )
    return files


def _camera(stack: ExitStack, *, wanted: bool) -> tuple[Camera | None, str]:
    """Return a browser, or why there is none."""
    if not wanted:
        return None, "the controller left them out."
    try:
        return stack.enter_context(camera()), ""
    except ConfigurationError as error:
        err.print(f"[yellow]There will be no pictures: {escape(str(error))}[/]")
        return None, "there was no browser where the dossier was made."


def _write(target: Path, url: str, request: DossierRequest) -> DossierResult:
    """Write the archive as a whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w+b") as file, snapshot(url) as connection, _progress() as progress:
            result = write_dossier(connection, file, request, progress)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return result


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that shows progress where somebody watches a terminal; a total of 0 is not known."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("Reading", total=None)
        yield lambda what, done, total: progress.update(
            task, description=what, completed=done, total=total or None
        )


def _report(result: DossierResult, target: Path, *, is_signed: bool) -> None:
    for problem in result.problems[:_SHOWN]:
        out.print(f"[bold red]{escape(problem)}[/]")
    if len(result.problems) > _SHOWN:
        out.print(
            f"... and {len(result.problems) - _SHOWN} more; verification/result.json in the archive has up to 100."
        )
    what = ", ".join(
        (
            count(result.notices, "notice"),
            count(result.renderings, "rendering"),
            count(result.pictures, "picture"),
            count(result.records, "record"),
        )
    )
    out.print(f"[bold green]{escape(str(target))}[/]: {what}.")
    if not is_signed:
        out.print(f"[yellow]It is not signed. Write --key FILE, or set {_KEY}.[/]")
