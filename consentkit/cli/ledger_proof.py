"""The commands that prove a ledger unchanged: `checkpoint` and `verify`."""

import http.client
import json
import os
import ssl
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.markup import escape
from sqlalchemy.exc import SQLAlchemyError

from consentkit.cli.console import count, fail, out, print_json
from consentkit.cli.ledger_options import LedgerOption, counting
from consentkit.errors import ConfigurationError, LedgerError
from consentkit.ledger import ChainRows, snapshot
from consentkit.proof import (
    Checkpoint,
    SigningKey,
    Verification,
    VerifyingKey,
    make_checkpoint,
    open_note,
    sign_note,
    verify,
)

__all__ = ["checkpoint", "verify_ledger"]

_KEY: Final = "CONSENTKIT_CHECKPOINT_KEY"
_TIMEOUT: Final = 30.0
_SHOWN: Final = 10

OptionalLedger = Annotated[
    str,
    typer.Option(
        "--ledger",
        envvar="CONSENTKIT_LEDGER",
        help="URL of the ledger, such as sqlite:////var/lib/site/consent.db.",
        metavar="URL",
        show_default=False,
    ),
]


def checkpoint(
    url: OptionalLedger = "",
    key_file: Annotated[
        Path | None,
        typer.Option("--key", help=f"File with the private key. Without it, {_KEY} is the key."),
    ] = None,
    to: Annotated[
        str, typer.Option(help="A file, or a URL that the note is sent to; standard output without it.")
    ] = "",
    method: Annotated[str, typer.Option(help="How the note is sent to a URL: PUT or POST.")] = "PUT",
    new_key: Annotated[
        str, typer.Option("--new-key", help="Make a key of this name, such as example.org/consent, instead.")
    ] = "",
) -> None:
    """Sign a note of how long the chain is and what its heads are, for somebody else to keep.

    The key does not belong on the hosts of the web site. The note has no personal data.
    """
    try:
        if new_key:
            _print_new_key(new_key)
            return
        text = key_file.read_text("ascii") if key_file is not None else os.environ.get(_KEY, "")
        if not text:
            fail(f"There is no key. Write --key FILE, or set {_KEY}.", 2)
        if not url:
            fail("There is no ledger. Write --ledger URL, or set CONSENTKIT_LEDGER.", 2)
        key = SigningKey.read(text)
        with snapshot(url) as connection:
            ends = ChainRows(connection).streams()
        note = sign_note(make_checkpoint(key.public.name, ends, at=int(time.time())).to_text(), key)
        _deliver(note, to, method)
    except (LedgerError, ConfigurationError, SQLAlchemyError, OSError, ValueError) as error:
        fail(error, 2)


def _print_new_key(name: str) -> None:
    key = SigningKey.new(name)
    out.print("[bold]Public half[/]: give it to everybody who verifies the ledger:\n")
    out.print(f"    {escape(key.public.text)}\n")
    out.print(
        "[bold]Private half[/]: store it where checkpoints are made, and not on the hosts of the web site. It is not shown "
        "again:\n"
    )
    out.print(f"    {escape(key.text)}")


def _deliver(note: str, to: str, method: str) -> None:
    """Write or send a note.

    Raises:
        OSError, ValueError: that failed.
    """
    parts = urlsplit(to)
    if not to:
        sys.stdout.write(note)
    elif "://" in to and (parts.scheme not in ("http", "https") or "@" in parts.netloc):
        raise ValueError(
            "--to: expected a file, or an http or https URL without a password, which is not sent."
        )
    elif parts.scheme in ("http", "https"):
        _send(note, to, method.upper())
    else:
        Path(to).write_text(note, "utf-8")


def _send(note: str, url: str, method: str) -> None:
    if method not in ("PUT", "POST"):
        raise ValueError(f"--method {method}: expected PUT or POST.")
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT)
    )
    try:
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request(method, target, note.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        status = connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"{url} did not take the note: {error!r}.") from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise OSError(f"{url} did not take the note: it answered with status {status}.")


def verify_ledger(
    url: LedgerOption,
    against: Annotated[
        Path | None, typer.Option("--against", help="File with a signed note to compare with.")
    ] = None,
    public_key: Annotated[str, typer.Option("--public-key", help="The public half of the note's key.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check that no record was changed, removed, inserted, reordered or cut off, and name the first one that was.

    Exits with 1 if there is one. Without --against, somebody who can write to the database can have rewritten all of it.
    """
    try:
        noted = _read_note(against, public_key)
        with snapshot(url) as connection, counting("Verifying") as progress:
            result = verify(ChainRows(connection), noted, progress=progress)
    except (LedgerError, ConfigurationError, SQLAlchemyError, OSError, ValueError) as error:
        fail(error, 2)
    if as_json:
        print_json(_as_json(result))
    else:
        _print(result)
    raise typer.Exit(0 if result.is_unchanged else 1)


def _read_note(path: Path | None, public_key: str) -> Checkpoint | None:
    if path is None:
        return None
    if not public_key:
        raise ValueError("--against needs --public-key, the public half of the note's key.")
    return open_note(path.read_text("utf-8"), VerifyingKey.read(public_key))


def _as_json(result: Verification) -> object:
    values = asdict(result)
    noted = result.against
    values["against"] = (
        None if noted is None else {"origin": noted.origin, "at": noted.at, "size": noted.size}
    )
    return json.loads(json.dumps({"unchanged": result.is_unchanged, **values}))


def _print(result: Verification) -> None:
    records, links = result.rows["record"], result.rows["link"]
    out.print(f"{count(records, 'record')} and {count(links, 'link')} are in the chain as they were stored.")
    for kind, number in result.removed.items():
        if number:
            out.print(f"{count(number, 'row')} removed by {kind}, as the chain says.")
    if result.adopted:
        out.print(
            f"{count(result.adopted, 'row')} stored before the chain began; the chain proves them since the upgrade."
        )
    if unchained := sum(result.unchained.values()):
        out.print(
            f"[yellow]{count(unchained, 'row')} stored before the chain began, about which it proves nothing. "
            "Run `consentkit ledger upgrade`.[/]"
        )
    if result.against is not None:
        at = datetime.fromtimestamp(result.against.at, UTC).isoformat(timespec="seconds")
        out.print(f"Compared with the checkpoint of {escape(result.against.origin)} of {at}.")
    for finding in result.findings[:_SHOWN]:
        out.print(f"[bold red]{escape(finding.what)}[/]: {escape(finding.message)}")
    if len(result.findings) > _SHOWN:
        out.print(f"... and {len(result.findings) - _SHOWN} more; --json prints up to 100.")
    if result.is_unchanged:
        out.print("[bold green]Nothing was changed.[/]")
