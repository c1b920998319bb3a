"""`consentkit report`: how often the notice was shown and what visitors answered, as a page, JSON or CSV."""

import sys
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from consentkit.cli.console import DEFAULT_POLICY, fail, load_checked_policy
from consentkit.cli.ledger_options import LedgerOption, PolicyOption
from consentkit.config import PolicyFile
from consentkit.errors import ConfigurationError, LedgerError
from consentkit.ledger import snapshot
from consentkit.proof import (
    LONGEST,
    figures_as_csv,
    figures_as_data,
    figures_as_json,
    figures_of,
    figures_page,
)

__all__ = ["report"]


class ReportFormat(Enum):
    """A form in which figures are written."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"


def report(
    url: LedgerOption,
    policy: PolicyOption = DEFAULT_POLICY,
    first: Annotated[
        str,
        typer.Option("--from", help="The first day, such as 2026-01-01; by default 30 days.", metavar="DATE"),
    ] = "",
    last: Annotated[
        str, typer.Option("--to", help="The last day; by default yesterday, UTC.", metavar="DATE")
    ] = "",
    site: Annotated[str, typer.Option(help="Id of one site; all by default.", metavar="ID")] = "",
    form: Annotated[ReportFormat, typer.Option("--format", help="How it is written.")] = ReportFormat.HTML,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file; standard output by default.", show_default=False),
    ] = None,
) -> None:
    """Write figures: how often the notice was shown, and what visitors answered. No figure is about fewer than five.

    The page needs the extra consentkit[report]. Exits with 2 if the ledger cannot be read.
    """
    policy_file = load_checked_policy(policy)
    sites = _sites(policy_file, site)
    begin, end = _period(first, last)
    try:
        with snapshot(url) as connection:
            data = figures_as_data(figures_of(connection, sites, begin, end), policy_file)
        if form is ReportFormat.HTML:
            text = figures_page(data)
        else:
            text = figures_as_json(data) if form is ReportFormat.JSON else figures_as_csv(data)
    except (LedgerError, ConfigurationError) as error:
        fail(error, 2)
    except (SQLAlchemyError, OSError) as error:
        fail(f"The ledger cannot be read: {getattr(error, 'orig', None) or error}", 2)
    try:
        if output is None:
            sys.stdout.write(text)
        else:
            output.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}.", 2)


def _sites(policy: PolicyFile, site: str) -> list[str]:
    sites = [each.id for each in policy.sites]
    if site and site not in sites:
        fail(f"--site: the policy has no site {site!r}. Write one of {', '.join(sites)}.", 2)
    return [site] if site else sites


def _period(first: str, last: str) -> tuple[date, date]:
    """Return the first and the last day. A day that is not over is none of them, because its figures still change."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    end = _day("--to", last) or yesterday
    if end > yesterday:
        fail(f"--to: {end} is not over. Write {yesterday} or an earlier day.", 2)
    begin = _day("--from", first) or end - timedelta(days=29)
    if not 0 <= (end - begin).days < LONGEST:
        fail(f"--from: {begin} is not within {LONGEST} days before {end}. Write another day.", 2)
    return begin, end


def _day(option: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        fail(f"{option}: {text!r} is no date. Write one such as 2026-01-31.", 2)
