import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from consentkit.handoff.keys import PrivateKey, PublicKey

EXAMPLE = (Path(__file__).parents[1] / "consent.example.toml").read_text()
KEY = re.compile(r"[A-Za-z0-9_-]{43}")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "consent.toml").write_text(EXAMPLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["group", *arguments])


def with_keys(place: Path) -> dict[str, str]:
    """Give both sites of the example keys, and return the private halves."""
    text, private = EXAMPLE, {}
    for site, origin in (("stride", "https://stride.example"), ("trailhead", "https://trailhead.example")):
        public, private[site] = KEY.findall(run("key", site).output)
        text = text.replace(f'origin = "{origin}"', f'origin = "{origin}"\npublic_key = "{public}"')
    (place / "consent.toml").write_text(text)
    return private


def test_a_pair_is_made_and_each_half_told_where_to_go(place: Path) -> None:
    result = run("key", "stride")
    assert result.exit_code == 0
    public, private = KEY.findall(result.output)
    assert PrivateKey.read(private, PublicKey.read(public))
    assert "public half" in result.output and "private half" in result.output
    assert (place / "consent.toml").read_text() == EXAMPLE
    assert "has a key already" not in result.output


def test_a_site_that_has_a_key_is_told_the_order_of_replacing_it(place: Path) -> None:
    with_keys(place)
    assert "has a key already" in run("key", "stride").output


def test_an_unknown_site_and_a_faulty_policy_are_refused(place: Path) -> None:
    assert run("key", "elsewhere").exit_code == 2
    (place / "consent.toml").write_text("schema = 1")
    assert run("key", "stride").exit_code != 0
    assert run("check", "--offline").exit_code != 0


def test_missing_keys_are_found_without_asking_anybody(place: Path) -> None:
    result = run("check", "--offline", "--json")
    assert result.exit_code == 1 and len(json.loads(result.stdout)) >= 1
    assert run("check", "--offline").exit_code == 1


def test_keys_are_held_against_the_policy(place: Path) -> None:
    private = with_keys(place)
    (place / "stride.key").write_text(private["stride"] + "\n")
    fits = run("check", "--offline", "--private-key", "stride=stride.key", "--json")
    other = run("check", "--offline", "--private-key", "trailhead=stride.key", "--json")
    assert len(json.loads(other.stdout)) == len(json.loads(fits.stdout)) + 1 and other.exit_code == 1
    for wrong in ("stride", "elsewhere=stride.key", "stride=missing.key"):
        assert run("check", "--offline", "--private-key", wrong).exit_code == 2
