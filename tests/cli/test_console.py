from pathlib import Path

import pytest
import typer
from sqlalchemy.exc import OperationalError

from consentkit.cli.console import count, fail, load_checked_policy, print_problems
from consentkit.errors import PolicyProblem
from tests.support.policies import TEXT


@pytest.mark.parametrize(
    ("problem", "lines"),
    [
        (
            PolicyProblem("a.toml", 3, "vendors[2].country", '"XX"', "Wrong.", "Fix it.", "Hotjar (hotjar)"),
            ["a.toml:3: error: Wrong.", '  Hotjar (hotjar): vendors[2].country = "XX"', "  Fix it."],
        ),
        (
            PolicyProblem("a.toml", None, "", "", "[b]Wrong.", "Fix it."),
            ["a.toml: error: [b]Wrong.", "  Fix it."],
        ),
    ],
)
def test_a_problem_is_printed_with_place_key_and_remedy(
    problem: PolicyProblem, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    print_problems([problem])
    assert capsys.readouterr().out.splitlines() == lines
    print_problems([problem], are_warnings=True)
    assert "warning" in capsys.readouterr().out


def test_a_failure_is_printed_to_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as exit_:
        fail("It failed.", 2)
    assert exit_.value.exit_code == 2
    assert capsys.readouterr().err == "It failed.\n"
    with pytest.raises(typer.Exit):
        fail(OperationalError("SELECT 1", {}, OSError("no answer\n\tIs it running?")), 2)
    assert capsys.readouterr().err == "no answer Is it running?\n"


def test_only_a_valid_policy_is_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "consent.toml"
    path.write_text(TEXT)
    assert load_checked_policy(path).path == path
    path.write_text(TEXT.replace('"P6M"', '"P14M"'))
    with pytest.raises(typer.Exit) as exit_:
        load_checked_policy(path)
    assert exit_.value.exit_code == 1
    assert "1 problem, 0 warnings." in capsys.readouterr().out


def test_numbers_have_their_noun_in_the_right_form() -> None:
    assert [count(number, "party", "parties") for number in (0, 1, 2)] == [
        "0 parties",
        "1 party",
        "2 parties",
    ]
    assert [count(number, "site") for number in (1, 2)] == ["1 site", "2 sites"]
