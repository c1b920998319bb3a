"""What figures are read from; the figures themselves are tested in `tests/proof/test_figures.py`."""

from datetime import date
from pathlib import Path

import pytest

from consentkit.ledger import Ledger, Period, read_counts, read_shown, read_tallies, snapshot
from tests.support.figures import FIRST, LAST, SITES, Drawn, answered, fill, second
from tests.support.postgres import Server


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_database_adds_up_so_that_few_rows_are_read(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    if database == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        url = server.address()
    drawn = Drawn(1)
    at = second(date(2026, 10, 2))
    alike = {
        "site": "stride",
        "gpc": False,
        "surface": "banner",
        "vendors": {},
        "categories": {"social": True},
    }
    ledger = Ledger(url, lock_timeout=30)
    visitors = [[answered(drawn, at + number, f"s{number}", **alike)] for number in range(3000)]
    # One of them changes the answer twice more: within the month, which adds nothing, and in the next one.
    again = [answered(drawn, at + 90_000 * days, "s7", event="changed", **alike) for days in (1, 40)]
    fill(ledger, [*visitors, again])
    ledger.close()
    period = Period([second(date(2026, month, 1)) for month in (9, 10, 11, 12)], second(LAST), SITES)
    later = Period(
        [second(date(2026, month, 1)) for month in (9, 10, 11, 12)], second(date(2026, 12, 1)), SITES
    )
    with snapshot(url) as connection:
        rows = list(read_tallies(connection, period))
        assert [(row.day, row.number, row.kind) for row in rows] == [(at, 3000, "grant")]
        assert sum(row.number for row in read_tallies(connection, later)) == 3001
        assert sum(number for *_, number in read_counts(connection, period)) == 8
        sites = {site for site, *_ in read_shown(connection, period)}
    assert sites == set(SITES) and second(FIRST) > period.months[0]
