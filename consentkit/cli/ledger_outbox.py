"""The command for messages to webhooks that were not delivered yet."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from consentkit.cli.console import count, fail, out, print_json
from consentkit.cli.ledger_options import LedgerOption, open_ledger
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import DEAD, GONE, WAITING, Outbox, OutboxRow
from consentkit.manager import GIVE_UP_AFTER

__all__ = ["outbox"]

MOST_SHOWN = 1000

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the messages as JSON, without what they say.")
]
RetryOption = Annotated[
    str | None,
    typer.Option("--retry", metavar="ID", help="Send a message again soon, even if it was given up."),
]
RetryAllOption = Annotated[
    bool,
    typer.Option(
        "--retry-all", help="Send all messages again soon, also those that were given up or refused."
    ),
]
DropOption = Annotated[
    str | None,
    typer.Option("--drop", metavar="ID", help="Remove a message, so that it is never sent."),
]


def outbox(
    url: LedgerOption,
    *,
    as_json: JsonOption = False,
    retry: RetryOption = None,
    retry_all: RetryAllOption = False,
    drop: DropOption = None,
) -> None:
    """List the messages to webhooks that were not delivered yet, at most 1,000; or send them again, or drop one.

    The site's own processes send them, within a minute while the site is visited. Exits with 1 if messages were given up, or were
    refused by an endpoint that is gone; with 2 if there is no such message, or no such ledger.
    """
    if (retry is not None) + retry_all + (drop is not None) > 1:
        fail("Use only one of --retry, --retry-all and --drop.", 2)
    store = open_ledger(url)
    try:
        if retry is not None or retry_all:
            _retry(store.outbox, retry)
        if drop is not None and not store.outbox.drop(drop):
            fail(f"The outbox has no message {drop}.", 2)
        rows, counts = store.outbox.rows(MOST_SHOWN), store.outbox.counts()
    except LedgerUnavailableError as error:
        fail(error, 2)
    finally:
        store.close()
    if as_json:
        print_json({"counts": counts, "messages": [_as_json(row) for row in rows]})
    else:
        _print(rows, counts)
    raise typer.Exit(1 if counts[DEAD] or counts[GONE] else 0)


def _retry(messages: Outbox, message_id: str | None) -> None:
    now = int(time.time())
    if not messages.retry(message_id, now, now + GIVE_UP_AFTER) and message_id is not None:
        fail(f"The outbox has no message {message_id}.", 2)


def _as_json(row: OutboxRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": row.type,
        "record": row.record,
        "site": row.site,
        "endpoint": row.endpoint,
        "state": row.state,
        "created": _time(row.created_at),
        "attempts": row.attempts,
        "next_attempt": _time(row.due_at) if row.state == WAITING else None,
        "error": row.error or None,
    }


def _print(rows: list[OutboxRow], counts: dict[str, int]) -> None:
    if rows:
        table = Table()
        for title in ("message", "endpoint", "state", "attempts", "next attempt", "last error"):
            table.add_column(title, overflow="fold")
        for row in rows:
            next_attempt = _time(row.due_at) if row.state == WAITING else ""
            cells = (row.id, row.endpoint, row.state, str(row.attempts), next_attempt, row.error)
            table.add_row(*map(escape, cells))
        out.print(table)
    total = sum(counts.values())
    shown = f", the oldest {len(rows)} shown" if total > len(rows) else ""
    out.print(
        f"{count(total, 'message')}{shown}: {counts[WAITING]} waiting, {counts[DEAD]} dead, {counts[GONE]} gone."
    )


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
