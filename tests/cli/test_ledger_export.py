import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from consentkit.ledger import Ledger
from tests.support.records import a_record


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    ledger = Ledger(url)
    ledger.append(a_record(subject="a"), a_record(subject="-b"), a_record(subject="c"))
    ledger.link("a", "-b", 0)
    ledger.close()
    return url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ledger", "export", *arguments])


def test_everything_about_a_visitor_is_written_in_each_form(url: str, tmp_path: Path) -> None:  # RC-09
    printed = run("--ledger", url, "--", "-b")
    assert printed.exit_code == 0
    assert [each["subject"] for each in json.loads(printed.stdout)["records"]] == ["a", "-b"]
    table, page = tmp_path / "visitor.csv", tmp_path / "visitor.html"
    assert run("a", "--ledger", url, "--format", "csv", "-o", str(table)).exit_code == 0
    with table.open(encoding="utf-8", newline="") as file:
        assert [row["kind"] for row in csv.DictReader(file)] == ["record", "record", "link"]
    assert run("a", "--ledger", url, "--format", "html", "--output", str(page)).exit_code == 0
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_what_cannot_be_found_read_or_written_is_reported(url: str, tmp_path: Path) -> None:
    unknown = run("nobody", "--ledger", url)
    assert unknown.exit_code == 1 and json.loads(unknown.stdout)["records"] == []
    assert "Nothing is recorded under nobody" in unknown.stderr
    assert run("a", "--ledger", url, "-o", str(tmp_path / "no" / "file")).exit_code == 2
    (tmp_path / "damaged.db").write_bytes(b"no database" * 999)
    assert run("a", "--ledger", f"sqlite:///{tmp_path / 'damaged.db'}").exit_code == 2


def test_a_reference_is_printed_as_it_is(url: str) -> None:
    result = run("[/b]", "--ledger", url)
    assert result.exit_code == 1 and "Nothing is recorded under [/b]." in result.stderr
