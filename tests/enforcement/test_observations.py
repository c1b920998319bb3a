from pathlib import Path

import pytest

from consentkit.config.policy_file import load_policy
from consentkit.enforcement.cookie_gate import Action, Reason, Verdict
from consentkit.enforcement.observations import MOST, ObservedCookies, read_observed_cookies


# Also for what is no warning.
def test_a_message_is_logged_once_at_its_level(caplog: pytest.LogCaptureFixture) -> None:
    observed = ObservedCookies()
    with caplog.at_level("INFO", "consentkit"):
        for _ in range(2):
            observed.log_once(20, "frames", "%s in a frame", "/a")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "/a in a frame")
    ]


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
def test_a_verdict_is_logged_once_for_each_cookie_name(
    verdict: Verdict, words: str, caplog: pytest.LogCaptureFixture
) -> None:  # IN-08
    observed = ObservedCookies()
    for _ in range(3):
        observed.report(verdict)
    assert caplog.messages == [words]
    assert observed.cookies == {verdict.name: verdict.reason}


def test_granted_cookie_is_remembered_but_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    observed = ObservedCookies()
    observed.report(Verdict(Action.PASS, Reason.GRANTED, "_ga", GA))
    assert observed.cookies and not caplog.messages


def test_cookies_and_warnings_are_remembered_up_to_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    observed = ObservedCookies()
    for number in range(MOST + 10):
        observed.report(Verdict(Action.DROP, Reason.REFUSED, f"_ga{number}", GA))
        observed.warn_once(str(number), "warning %d", number)
    assert len(observed.cookies) == MOST and len(caplog.messages) == 2 * MOST


# IN-08
def test_cookie_names_are_written_to_a_file_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "observed.jsonl"
    for _ in range(2):
        observed = ObservedCookies(file)
        observed.report(REFUSED)
        observed.report(Verdict(Action.PASS, Reason.UNDECLARED, 'odd "name"\n'))
    assert read_observed_cookies(file.read_text().splitlines()) == {
        "_ga": "refused",
        'odd "name"\n': "undeclared",
    }


def test_a_file_that_cannot_be_written_is_logged_and_raises_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ObservedCookies(tmp_path).report(REFUSED)
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize("line", ["", "[]", "1", "{}", '{"cookie": 1}', "[" * 100_000])
def test_other_lines_of_the_file_are_skipped(line: str) -> None:
    assert read_observed_cookies([line]) == {}
