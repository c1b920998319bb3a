import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from tests.support.policies import TEXT


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "consent.toml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["group", *arguments])


@pytest.mark.parametrize("command", [("key", "stride"), ("check", "--offline")])
def test_a_faulty_policy_is_reported_like_by_check(place: Path, command: tuple[str, ...]) -> None:
    (place / "consent.toml").write_text(TEXT.replace('"P6M"', '"P14M"'))
    result, checked = run(*command), CliRunner().invoke(app, ["check"])
    assert result.exit_code == checked.exit_code == 1
    assert "consent.toml:3: error: A decision is valid for at most 13 months." in result.output
    assert result.output == checked.output


def test_problems_are_printed_as_json_too(place: Path) -> None:
    printed, as_json = run("check", "--offline"), run("check", "--offline", "--json")
    assert printed.exit_code == as_json.exit_code == 1
    (problem,) = json.loads(as_json.stdout)
    assert problem["message"] in printed.output and "1 site, 1 problem." in printed.output
