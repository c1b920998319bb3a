import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consentkit import __version__
from consentkit.cli.policy import app
from consentkit.config import load_policy
from consentkit.consent import Evaluator
from consentkit.enforcement import CookieGate, CookieHeaderCache, ObservedCookies, SetCookieFilter

EXAMPLE = Path(__file__).parents[1] / "consent.example.toml"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the example policy in it, where the command line runs."""
    (tmp_path / "consent.toml").write_text(EXAMPLE.read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def change(place: Path, old: str, new: str) -> None:
    text = (place / "consent.toml").read_text()
    assert old in text
    (place / "consent.toml").write_text(text.replace(old, new, 1))


def test_a_lawful_policy_passes_with_its_warnings(place: Path) -> None:
    result = run("check")
    assert result.exit_code == 0
    assert "consent.toml: 0 problems" in result.output and "3 purposes that need consent" in result.output
    assert "There is no lock" in result.output and "warning" in result.output


def test_every_problem_is_printed_with_its_line_and_remedy(place: Path) -> None:
    change(place, 'country = "SG"', 'country = "XX"')
    change(
        place, 'policy_url = "https://adhub.example/privacy"', 'policy_url = "http://adhub.example/privacy"'
    )
    result = run("check")
    assert result.exit_code == 1
    assert "consent.toml:9" in result.output and "AdHub Exchange (adhub): vendors[2].country" in result.output
    assert "vendors[2].policy_url" in result.output and "2 problems" in result.output


def test_problems_and_warnings_are_printed_as_json(place: Path) -> None:
    assert run("lock").exit_code == 0
    found = json.loads(run("check", "--json").stdout)
    assert found["problems"] == [] and found["warnings"][0]["file"] == "consent.toml"
    change(place, 'country = "SG"', 'country = "XX"')
    result = run("check", "consent.toml", "--json")
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["problems"]
    assert problem["key"] == "vendors[2].country" and problem["line"] and problem["remedy"]
    assert problem["subject"] == "AdHub Exchange (adhub)"


def test_check_warns_of_what_an_outage_of_the_ledger_loses(place: Path) -> None:
    assert run("lock").exit_code == 0
    on_server = run("check", "--ledger", "postgresql://localhost/consent")
    assert on_server.exit_code == 0 and "Set spool= to a directory." in on_server.output
    for safe in (["postgresql://localhost/consent", "--spool", "waiting"], ["sqlite:///consent.db"]):
        assert "spool" not in run("check", "--ledger", *safe).output
    wrong = run("check", "--ledger", "mysql://localhost/consent")
    assert wrong.exit_code == 2 and "not supported" in wrong.output


def test_lock_says_who_will_be_asked_again(place: Path) -> None:
    first = run("lock")
    assert "This is the first notice." in first.output and (place / "consent.lock").exists()
    assert run("check").exit_code == 0
    assert "The notice has not changed." in run("lock").output
    change(place, 'lifetime = "P90D"', 'lifetime = "P180D"')
    with (place / "consent.toml").open("a") as file:
        file.write(
            '\n[[vendors]]\nid = "hotjar"\nname = "Hotjar"\nlegal_entity = "Hotjar Ltd"\ncountry = "MT"\nprofiling = false\n'
            'policy_url = "https://www.hotjar.com/privacy"\ncategory = "analytical"\n'
        )
    behind = run("check")
    assert behind.exit_code == 1 and "has changed since it was locked" in behind.output
    before = (place / "consent.lock").read_bytes()
    dry = run("lock", "--dry-run")
    assert (place / "consent.lock").read_bytes() == before
    assert (
        "analytical: vendor added: Hotjar (hotjar), MT. Visitors who granted analytical will be asked again."
        in dry.output
    )
    assert "tracking: tracker adhub_uid of AdHub Exchange (adhub): kept for P180D (was P90D)." in dry.output
    assert run("lock").exit_code == 0 and run("check").exit_code == 0


def test_an_editorial_change_is_locked_with_a_reason(place: Path) -> None:
    run("lock")
    change(place, "Count visits and", "Count visits, and")
    assert run("lock", "--editorial").exit_code == 2
    assert run("lock", "--reason", "a comma").exit_code == 2
    assert run("lock", "--editorial", "--reason", "a comma").exit_code == 0
    change(place, 'lifetime = "P90D"', 'lifetime = "P180D"')
    refused = run("lock", "--editorial", "--reason", "no reason")
    assert refused.exit_code == 1


def test_a_faulty_policy_is_not_locked(place: Path) -> None:
    change(place, 'country = "SG"', 'country = "XX"')
    result = run("lock")
    assert result.exit_code == 1 and not (place / "consent.lock").exists()


# IN-08
def test_observed_cookies_that_are_not_declared_are_warnings(place: Path) -> None:
    lines = [
        '{"cookie": "_fbp", "reason": "undeclared"}',
        '{"cookie": "_ga_X", "reason": "refused"}',
        "noise",
    ]
    (place / "observed.jsonl").write_text("\n".join(lines))
    result = run("check", "--observed", "observed.jsonl")
    assert result.exit_code == 0
    assert "_fbp" in result.output and "does not declare it" in result.output and "_ga_X" not in result.output
    assert run("check", "--observed", "elsewhere.jsonl").exit_code == 2


# IN-08
def test_observed_cookies_that_differ_or_that_browsers_send_are_warnings(place: Path) -> None:
    policy = load_policy(place / "consent.toml")
    observed = ObservedCookies(place / "observed.jsonl")
    cookies = SetCookieFilter(CookieGate(policy, own_names=frozenset()), observed)
    granted = Evaluator(policy, "stride").undecided()
    for name in (b"session", b"session"):
        line = name + b"=secret; Path=/account; Max-Age=1209600"
        cookies.filter([(b"set-cookie", line)], granted, 1_800_000_000, None)
    headers = CookieHeaderCache(b"__Host-consent", CookieGate(policy, own_names=frozenset()), observed)
    headers.remember(b"session=secret; ajs_anonymous_id=secret")
    assert "secret" not in (place / "observed.jsonl").read_text()

    def warnings() -> list[tuple[str, str]]:
        result = run("check", "--json", "--observed", "observed.jsonl")
        found = json.loads(result.stdout)["warnings"]
        return [(each["key"], each["message"]) for each in found if each["file"] == "observed.jsonl"]

    sent = ("ajs_anonymous_id", "Browsers send this cookie, but the policy does not declare it.")
    differs = "The site sets this cookie otherwise than declared: "
    assert warnings() == [
        ("session", f"{differs}lifetime P14D instead of session, path /account instead of /."),
        sent,
    ]
    # What was put right is no longer listed.
    change(place, 'lifetime = "session"', 'lifetime = "P2W"')
    assert warnings() == [("session", f"{differs}path /account instead of /."), sent]
    change(place, 'lifetime = "P2W"', 'lifetime = "P2W"\npath = "/account"')
    assert warnings() == [sent]


def test_a_missing_file_is_a_problem_without_a_traceback(place: Path) -> None:
    result = run("check", "elsewhere.toml")
    assert result.exit_code == 1 and "elsewhere.toml" in result.output and result.exception is not None


def test_version_and_commands_are_printed() -> None:
    assert run("--version").output.strip() == __version__
    assert "check" in run().output and "lock" in run("--help").output


def test_the_package_runs_as_a_program() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "consentkit", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == __version__
