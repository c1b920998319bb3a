import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from consentkit.ledger import Ledger
from tests.conftest import HERE
from tests.support.records import a_record

POLICY = HERE / "consent.example.toml"
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    ledger = Ledger(url)
    noon = int(datetime(YESTERDAY.year, YESTERDAY.month, YESTERDAY.day, 12, tzinfo=UTC).timestamp())
    for site, visitors in (("stride", 12), ("trailhead", 4)):
        ledger.append(
            *(a_record(subject=f"{site}{number}", at=noon, site=site) for number in range(visitors)),
        )
    ledger.close()
    return url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["report", "--policy", str(POLICY), *arguments])


def test_figures_of_the_last_thirty_days_are_written_in_each_form(url: str, tmp_path: Path) -> None:
    printed = run("--ledger", url, "--format", "json")
    assert printed.exit_code == 0
    data = json.loads(printed.stdout)
    assert (data["to"], len(data["by_day"])) == (YESTERDAY.isoformat(), 30)
    assert data["sites"] == ["stride", "trailhead"] and data["answered"] == 10
    table, page = tmp_path / "figures.csv", tmp_path / "figures.html"
    assert run("--ledger", url, "--format", "csv", "-o", str(table)).exit_code == 0
    with table.open(encoding="utf-8", newline="") as file:
        assert {row["figure"]: row["number"] for row in csv.DictReader(file)}["answered"] == "10"
    assert run("--ledger", url, "--output", str(page)).exit_code == 0
    assert page.read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("content", ["{", "[1]", '{"vendors": [1]}'])
def test_a_damaged_notice_is_left_out(url: str, content: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        statement = "INSERT INTO consentkit_notices (digest, content) VALUES (?, ?)"
        connection.exec_driver_sql(statement, ("n" * 43, content))
    engine.dispose()
    printed = run("--ledger", url, "--format", "json")
    assert printed.exit_code == 0 and json.loads(printed.stdout)["answered"] == 10


def test_a_period_and_a_site_can_be_chosen(url: str) -> None:
    old = YESTERDAY - timedelta(days=40)
    day = str(YESTERDAY)
    chosen = run("--ledger", url, "--format", "json", "--site", "trailhead", "--from", day, "--to", day)
    assert json.loads(chosen.stdout)["answered"] == 0
    before = run("--ledger", url, "--format", "json", "--to", str(old))
    data = json.loads(before.stdout)
    assert (data["from"], data["to"], data["answered"]) == (str(old - timedelta(days=29)), str(old), 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--site", "nowhere"), "the policy has no site 'nowhere'"),
        (("--to", str(TODAY)), "is not over"),
        (("--from", "31-12-2025"), "'31-12-2025' is no date"),
        (("--from", str(TODAY)), "is not within 1830 days"),
        (("--from", "2001-01-01"), "is not within 1830 days"),
        (("-o", "/nowhere/figures.html"), "cannot be written"),
    ],
)
def test_what_cannot_be_reported_is_said(arguments: tuple[str, ...], message: str, url: str) -> None:
    result = run("--ledger", url, *arguments)
    assert result.exit_code == 2 and message in result.stderr


def test_a_ledger_that_cannot_be_read_and_a_missing_extra_are_said(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = run("--ledger", f"sqlite:///{tmp_path / 'none.db'}")
    assert missing.exit_code == 2 and "There is no ledger" in missing.stderr
    (tmp_path / "damaged.db").write_bytes(b"no database" * 999)
    damaged = run("--ledger", f"sqlite:///{tmp_path / 'damaged.db'}")
    assert damaged.exit_code == 2 and "cannot be read" in damaged.stderr
    monkeypatch.setitem(sys.modules, "pygal", None)
    without = run("--ledger", url)
    assert without.exit_code == 2 and "consentkit[report]" in without.stderr
    assert run("--ledger", url, "--format", "json").exit_code == 0
