from pathlib import Path

import pytest

from consentkit.config.policy_file import load_policy
from consentkit.enforcement.cookie_gate import Action, Reason, Verdict
from consentkit.enforcement.declared_attributes import CookieAttributes, Deviation
from consentkit.enforcement.observations import (
    DIFFERS,
    MOST,
    MOST_SENT,
    SENT,
    Observation,
    ObservedCookies,
    read_observed_cookies,
)


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


ATTRIBUTES = CookieAttributes(1209600, "/account", None, False)


def test_a_deviation_is_logged_once_for_each_declaration(caplog: pytest.LogCaptureFixture) -> None:
    observed = ObservedCookies()
    for name in ("_ga_A", "_ga_B"):
        found = Deviation(GA, ("lifetime P14D instead of P90D", "path /account instead of /"))
        observed.report_deviation(name, ATTRIBUTES, found)
    assert caplog.messages == [
        "Set-Cookie '_ga_A' differs from the policy: lifetime P14D instead of P90D, path /account instead of /. Declare what "
        "the site sets, or set what is declared: a withdrawal deletes cookies only where they are declared."
    ]


def sent(observed: ObservedCookies, name: str, *, is_hidden: bool = False) -> None:
    if observed.is_new_in_requests(name):
        observed.report_sent(name, is_hidden=is_hidden)


@pytest.mark.parametrize(
    ("is_hidden", "hint"), [(False, ""), (True, ", so it is hidden from the application")]
)
def test_an_undeclared_cookie_of_requests_is_logged_once(
    is_hidden: bool, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    observed = ObservedCookies()
    for _ in range(2):
        sent(observed, "_ga", is_hidden=is_hidden)
    assert caplog.messages == [
        f"The browser sends the cookie '_ga', which the policy does not declare{hint}. "
        "Declare it, or find out what sets it."
    ]


def test_a_cookie_that_the_application_sets_is_not_logged_again_when_it_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = ObservedCookies()
    observed.report(Verdict(Action.PASS, Reason.UNDECLARED, "x"))
    sent(observed, "x")
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "\xe9", "a" * 65, '"a"', "a,b"])
def test_a_name_that_a_stranger_made_up_is_not_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    sent(ObservedCookies(), name)
    assert not caplog.messages


def test_cookies_of_requests_have_a_limit_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    observed = ObservedCookies()
    for number in range(MOST_SENT + 10):
        sent(observed, f"x{number}")
    assert len(caplog.messages) == MOST_SENT
    observed.report(Verdict(Action.PASS, Reason.UNDECLARED, "y"))
    assert "'y' let through" in caplog.messages[-1]


# IN-08
def test_observations_are_written_to_a_file_and_read_back_once(tmp_path: Path) -> None:
    file = tmp_path / "observed.jsonl"
    for _ in range(2):
        observed = ObservedCookies(file)
        observed.report(REFUSED)
        observed.report(Verdict(Action.PASS, Reason.UNDECLARED, 'odd "name"\n'))
        observed.report_deviation("_ga_A", ATTRIBUTES, Deviation(GA, ("lifetime P14D instead of P90D",)))
        sent(observed, "x")
    assert read_observed_cookies(file.read_text().splitlines()) == [
        Observation("_ga", "refused"),
        Observation('odd "name"\n', "undeclared"),
        Observation("_ga_A", DIFFERS, ATTRIBUTES),
        Observation("x", SENT),
    ]


def test_a_file_that_cannot_be_written_is_logged_and_raises_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ObservedCookies(tmp_path).report(REFUSED)
    assert "cannot be written" in caplog.text


ALL = '{"lifetime": null, "path": null, "domain": null, "partitioned": false}'


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "1",
        "{}",
        '{"cookie": 1}',
        "[" * 100_000,
        '{"cookie": "a", "reason": "differs", "attributes": 1}',
        '{"cookie": "a", "reason": "differs", "attributes": {"lifetime": 1}}',
        f'{{"cookie": "a", "reason": "differs", "attributes": {ALL.replace("null", "[]", 1)}}}',
        f'{{"cookie": "a", "reason": "differs", "attributes": {ALL.replace("false", "[], 0: 1")}}}',
    ],
)
def test_other_lines_of_the_file_are_skipped(line: str) -> None:
    assert read_observed_cookies([line]) == []
