import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from consentkit.ledger import Ledger
from tests.support.records import a_record


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ledger", *arguments])


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    ledger = Ledger(url)
    ledger.append(a_record(subject="a"), a_record(subject="b"), a_record(subject="c"))
    ledger.link("a", "b", 0)
    ledger.close()
    return url


def test_the_history_of_a_reference_holds_its_linked_records(url: str) -> None:
    result = run("history", "b", "--ledger", url)
    assert result.exit_code == 0
    assert [each["subject"] for each in json.loads(result.stdout)] == ["a", "b"]


def test_the_ledger_comes_from_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTKIT_LEDGER", url)
    result = run("history", "c")
    assert [each["subject"] for each in json.loads(result.stdout)] == ["c"]


def test_an_unknown_reference_has_no_records(url: str) -> None:
    result = run("history", "nobody", "--ledger", url)
    assert result.exit_code == 1 and json.loads(result.stdout) == []


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite:////no/such/folder/consent.db"])
def test_a_ledger_that_cannot_be_read_is_reported(url: str) -> None:
    result = run("history", "a", "--ledger", url)
    assert result.exit_code == 2 and result.stdout == "" and result.stderr


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    damaged = tmp_path / "consent.db"
    damaged.write_text("no database" * 1000)
    result = run("history", "a", "--ledger", f"sqlite:///{damaged}")
    assert result.exit_code == 2 and result.stdout == "" and result.stderr
