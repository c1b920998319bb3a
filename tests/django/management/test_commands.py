import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.support.django_site import DjangoSite
from tests.support.policies import TEXT

SERVER = "postgresql+psycopg://shop@db.example/shop"


@pytest.fixture
def folder(site: DjangoSite, tmp_path: Path) -> Path:
    """The folder of a site with a policy."""
    (tmp_path / "consent.toml").write_text(TEXT)
    site.changes.BASE_DIR = tmp_path
    site.changes.CONSENTKIT = {"ledger": "sqlite:///consent.db"}
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        call_command("consent", *arguments)
    return int(ended.value.code or 0)


def test_policy_of_the_site_is_locked_and_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lock") == 0
    assert (folder / "consent.lock").exists()
    capsys.readouterr()
    assert run("check", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["problems"], found["warnings"]) == ([], [])


def test_problem_ends_the_command_with_its_code(folder: Path) -> None:
    (folder / "consent.toml").write_text("schema = 1")
    assert run("check") == 1


@pytest.mark.parametrize(
    ("options", "is_lost"),
    [
        ({"ledger": SERVER}, True),
        ({"ledger": SERVER, "spool": "spool"}, False),
        ({"ledger": {"database": "default"}}, False),
        ({"ledger": None}, False),
    ],
)
def test_check_warns_of_what_an_outage_loses(
    site: DjangoSite, folder: Path, options: Any, is_lost: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    site.changes.CONSENTKIT = {"observed": "seen.txt"} | options
    (folder / "seen.txt").write_text('{"cookie": "sessionid", "reason": "undeclared"}\n')
    assert run("check") == 0
    shown = capsys.readouterr().out
    assert ("Set spool= to a directory" in shown) == is_lost
    assert "sessionid" in shown


def test_command_without_arguments_lists_the_commands(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--") == 0
    assert "lock" in capsys.readouterr().out


def test_site_without_a_policy_file_has_no_commands(site: DjangoSite) -> None:
    with pytest.raises(CommandError, match=r"CONSENTKIT\['policy'\] is not a path"):
        call_command("consent", "check")
