from pathlib import Path

import pytest

from consentkit.config.policy_file import load_policy
from consentkit.enforcement.cookie_gate import Action, Reason, Verdict
from consentkit.enforcement.observations import MOST, ObservedCookies, read_sightings

POLICY = load_policy(Path(__file__).parents[1] / "consent.example.toml")
GA = next(tracker for tracker in POLICY.trackers if tracker.name == "_ga*")
REFUSED = Verdict(Action.DROP, Reason.REFUSED, "_ga", GA)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (REFUSED, "Set-Cookie '_ga' dropped: refused, category 'analytical'."),
        (
            Verdict(Action.REWRITE, Reason.CLAMPED, "_ga", GA),
            "Set-Cookie '_ga' shortened: clamped, category 'analytical'.",
        ),
        (
            Verdict(Action.PASS, Reason.UNDECLARED, "x"),
            "Set-Cookie 'x' let through: undeclared. Declare it in the policy.",
        ),
        (
            Verdict(Action.DROP, Reason.UNDECLARED, "x"),
            "Set-Cookie 'x' dropped: undeclared. Declare it in the policy.",
        ),
    ],
)
def test_each_cookie_is_told_once_with_what_became_of_it(
    verdict: Verdict, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen = ObservedCookies()
    for _ in range(3):
        seen.report(verdict)
    assert caplog.messages == [words]
    assert seen.cookies == {verdict.name: verdict.reason}


def test_what_needs_no_words_is_remembered_without(caplog: pytest.LogCaptureFixture) -> None:
    seen = ObservedCookies()
    seen.report(Verdict(Action.PASS, Reason.GRANTED, "_ga", GA))
    assert seen.cookies and not caplog.messages


def test_no_more_are_told_apart_than_memory_has_room_for(caplog: pytest.LogCaptureFixture) -> None:
    seen = ObservedCookies()
    for number in range(MOST + 10):
        seen.report(Verdict(Action.DROP, Reason.REFUSED, f"_ga{number}", GA))
        seen.warn_once(str(number), "warning %d", number)
    assert len(seen.cookies) == MOST and len(caplog.messages) == 2 * MOST


# IN-08
def test_names_are_written_to_a_file_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "observed.jsonl"
    for _ in range(2):
        seen = ObservedCookies(file)
        seen.report(REFUSED)
        seen.report(Verdict(Action.PASS, Reason.UNDECLARED, 'odd "name"\n'))
    assert read_sightings(file.read_text().splitlines()) == {"_ga": "refused", 'odd "name"\n': "undeclared"}


def test_a_file_that_cannot_be_written_is_no_visitors_problem(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ObservedCookies(tmp_path).report(REFUSED)
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize("line", ["", "[]", "1", "{}", '{"cookie": 1}', "[" * 100_000])
def test_lines_of_another_kind_are_passed_over(line: str) -> None:
    assert read_sightings([line]) == {}
