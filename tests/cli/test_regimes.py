import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from consentkit.cli.regimes import describe_regimes, regimes_as_json
from tests.support.policies import TEXT
from tests.support.regimes import LIST, OPT_OUT, policy_with_regimes, regime

TODAY = date(2026, 11, 30)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a policy for several places, and a list of their rules, where the command line runs."""
    write(tmp_path, TEXT, 'eea = true\nus = "opt_out"')
    (tmp_path / "regimes.toml").write_text(LIST, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(place: Path, text: str, regimes: str) -> None:
    top, rest = text.split("[controller]", 1)
    whole = f'{top}regimes_file = "regimes.toml"\n[regimes]\n{regimes}\n[controller]{rest}'
    (place / "consent.toml").write_text(whole, "utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_the_rules_of_a_policy_without_places_are_named() -> None:
    assert list(describe_regimes(policy_with_regimes(), TODAY)) == [
        "Rules by place, as of 2026-11-01:",
        "  nl, NL (for all visitors): opt_in, off until the visitor agrees. Without consent: audience. "
        "To be reviewed by 2027-06-30.",
        "  There is no [regimes]. The list has rules of their own for visitors from: eea, gb, us, br.",
    ]


def test_regimes_are_named_with_mode_review_and_gaps() -> None:
    lines = list(describe_regimes(policy_with_regimes(gb=True, us="opt_out", br=True), TODAY))
    assert "  nl, NL (your own; NL): opt_in, off until the visitor agrees." in lines[1]
    assert lines[2:] == [
        "  gb, GB (GB): opt_in, off until the visitor agrees. Without consent: statistics, appearance. "
        "To be reviewed by 2027-06-30.",
        "  us-ca, California (US-CA): opt_out, on until the visitor opts out. To be reviewed by 2027-06-30.",
        "  us-signal, US-SIGNAL (US-CO): opt_out, on until the visitor opts out. To be reviewed by 2027-06-30.",
        "  br, BR (BR): opt_in, off until the visitor agrees. To be reviewed by 2026-11-15.",
        "  Everywhere else, and where the place is unknown: strictest: opt_in, off until the visitor agrees.",
        "  Not in [regimes], so without their own rules: eea.",
        "  Comes into force: US-OK from 2027-01-01: Act (us-signal).",
        "  Not verified in a source (us-signal): US-OK (M). Check before you rely on it.",
        "  Not verified in a source (br): BR (E). Check before you rely on it.",
    ]


@pytest.mark.parametrize(
    ("today", "comes"),
    [
        (date(2026, 6, 30), False),
        (date(2026, 7, 1), True),
        (date(2026, 12, 31), True),
        (date(2027, 1, 1), False),
    ],
)
def test_a_law_that_was_signed_is_named_for_six_months(today: date, comes: bool) -> None:
    lines = list(describe_regimes(policy_with_regimes(us=True), today))
    assert any("Comes into force: US-OK" in line for line in lines) is comes
    assert any("US-CO, US-OK" in line for line in lines) is (today >= date(2027, 1, 1))


def test_many_places_are_cut_short_and_a_place_without_law_has_none() -> None:
    codes = ["AL", "AK", "AZ", "AR", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS"]
    many = regime("us-opt-out", "us", OPT_OUT, *((f"US-{code}", "2020-01-01", "V") for code in codes))
    ended = regime(
        "ch", "ch", 'mode = "notice"\nmodes = ["notice"]\n', ("CH", "2020-01-01", "M"), name="Switzerland"
    )
    ended = ended.replace("from = 2020-01-01", "from = 2020-01-01\nuntil = 2026-11-29")
    lines = list(describe_regimes(policy_with_regimes(text=LIST + many + ended, us=True, ch=True), TODAY))
    assert any("US-ID, US-IL, US-IN and 2 more): opt_out" in line for line in lines)
    assert (
        "  ch, Switzerland (no law in force): notice, on, with information. To be reviewed by 2027-06-30."
        in lines
    )
    assert not any("CH (M)" in line for line in lines)


def test_a_policy_with_all_places_has_no_gap() -> None:
    lines = list(describe_regimes(policy_with_regimes(eea=True, gb=True, us=True, br=True), TODAY))
    assert not any("Not in [regimes]" in line for line in lines)


def test_regimes_are_printed_as_json(place: Path) -> None:
    found = json.loads(run("check", "--json").stdout)["regimes"]
    assert (
        found["as_of"] == "2026-11-01"
        and found["not_applied"] == ["gb", "br"]
        and found["elsewhere"] == "strictest"
    )
    ids = {row["id"]: row for row in found["applied"]}
    assert list(ids) == ["nl", "fr", "eea", "us-ca", "us-signal"]
    assert ids["us-ca"]["mode"] == "opt_out" and ids["us-ca"]["places"] == ["US-CA"] and ids["nl"]["is_home"]
    write(place, TEXT, "eea = 3")
    assert json.loads(run("check", "--json").stdout)["regimes"] is None
    assert regimes_as_json(policy_with_regimes(), TODAY)["not_applied"] == ["eea", "gb", "us", "br"]


def test_lock_and_check_say_what_changed_in_each_place(place: Path) -> None:
    first = run("lock")
    assert "us-ca: first notice for California." in first.output and "nl: " not in first.output
    assert "6 notices" in first.output
    checked = run("check")
    assert checked.exit_code == 0 and "us-ca, California" in checked.output
    # A change in all places is told once.
    write(
        place, TEXT.replace('lifetime = "P30D"', 'lifetime = "P60D"'), 'eea = true\nus = "opt_out"\ngb = true'
    )
    behind = run("check")
    assert behind.exit_code == 1 and behind.output.count("kept for P60D (was P30D)") == 1
    assert "Visitors who granted analytical will be asked again." in behind.output
    assert "us-ca: analytical: tracker visits of Counter (counter): kept for P60D" not in behind.output
    assert "gb: first notice for GB." in behind.output
    assert run("lock").exit_code == 0
    # A change of the rules of one place is told for that place alone.
    rules = LIST.replace(
        'mode = "opt_out"\nmodes = ["opt_out", "opt_in"]', 'mode = "opt_in"\nmodes = ["opt_in"]', 1
    )
    (place / "regimes.toml").write_text(rules, "utf-8")
    write(place, TEXT.replace('lifetime = "P30D"', 'lifetime = "P60D"'), "eea = true\nus = true\ngb = true")
    locked = run("lock")
    assert "us-ca: category analytical: exempt from consent: no." in locked.output
    assert "us-signal: " not in locked.output and "fr: " not in locked.output
    assert "The notice has not changed." in run("lock").output


def test_an_editorial_change_is_one_in_all_places(place: Path) -> None:
    run("lock")
    write(place, TEXT.replace("To count visits.", "To count the visits."), 'eea = true\nus = "opt_out"')
    result = run("lock", "--editorial", "--reason", "an article")
    assert result.exit_code == 0 and "reworded" not in result.output
