import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, Decision
from consentkit.enforcement.cookie_gate import Action, CookieGate, Reason
from consentkit.enforcement.observations import ObservedCookies
from consentkit.enforcement.set_cookie import Headers, SetCookieFilter
from tests.support.calls import calls_during
from tests.support.front import a_policy

NOW = 1_800_000_000
ENDS = NOW + 1000
POLICY = a_policy()
EVALUATOR = Evaluator(POLICY, "stride")
OWN = frozenset({"__Host-consent"})
JSON = (b"content-type", b"application/json")


def consent(*granted: str, **vendors: bool) -> Consent:
    decision = Decision(
        granted=frozenset(granted),
        vendors={vendor.replace("_", "-"): allowed for vendor, allowed in vendors.items()},
        decided_at=NOW - 5,
        changed_at=NOW - 5,
        notice=EVALUATOR.notice.digest,
        subject="s" * 22,
    )
    return EVALUATOR.evaluate(decision, NOW)


CONSENTS = [
    consent(),
    consent("analytical"),
    consent("analytical", google_analytics=False),
    consent("analytical", "tracking", "social"),
]
GATES = [CookieGate(POLICY, own_names=OWN, strict=strict) for strict in (False, True)]


def lines(*values: bytes) -> Headers:
    return [JSON, *((b"set-cookie", value) for value in values)]


# HT-05, VA-07
names = st.sampled_from(
    [
        b"_ga",
        b"_ga_x",
        b" _ga",
        b"=_ga",
        b"_GA",
        b"watched",
        b"seen_ads",
        b"session",
        b"__Host-consent",
        b"",
        b"a\n",
        b"a,_ga",
    ]
)
ends = st.sampled_from(
    [
        b"",
        b"; Max-Age=10",
        b"; Max-Age=5000",
        b"; Max-Age=0",
        b"; Path=/; Max-Age=-1",
        b"; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ]
)
values = st.builds(
    lambda name, equals, end: name + equals + end,
    names,
    st.sampled_from([b"=1", b"", b"=1\r", b"=,_ga=2"]),
    ends,
)


@given(
    st.lists(values, max_size=6),
    st.sampled_from(CONSENTS),
    st.sampled_from(GATES),
    st.sampled_from([None, ENDS, NOW - 1]),
)
def test_the_filter_decides_as_the_gate_does_the_first_and_the_second_time(
    given_lines: list[bytes], allowed: Consent, gate: CookieGate, until: int | None
) -> None:
    verdicts = [gate.set_cookie(value, allowed.allows, NOW, until) for value in given_lines]
    left = [
        verdict.value or value
        for value, verdict in zip(given_lines, verdicts, strict=True)
        if verdict.action is not Action.DROP
    ]
    cookies = SetCookieFilter(gate, ObservedCookies())
    for _ in range(2):
        kept, depends, noticed = cookies.filter(lines(*given_lines), allowed, NOW, until)
        assert kept == lines(*left)
        assert depends == any(verdict.depends for verdict in verdicts)
        expected = [verdict for verdict in verdicts if verdict.action is not Action.PASS]
        assert [verdict for verdict in noticed if verdict.action is not Action.PASS] == [
            verdict for verdict in expected if verdict.reason is not Reason.DELETION
        ]


def test_an_undeclared_name_is_noticed_once() -> None:
    cookies, allowed = SetCookieFilter(GATES[0], ObservedCookies()), consent()
    once = cookies.filter(lines(b"new=1"), allowed, NOW, None)
    again = cookies.filter(lines(b"new=2"), allowed, NOW, None)
    assert [verdict.reason for verdict in once[2]] == [Reason.UNDECLARED] and again[2] == ()


def test_set_cookie_in_other_letter_case_is_filtered() -> None:
    kept, depends, _ = SetCookieFilter(GATES[0], ObservedCookies()).filter(
        [(b"Set-Cookie", b"_ga=1"), (b"x-set-cook", b"_ga=1")], consent(), NOW, None
    )
    assert kept == [(b"x-set-cook", b"_ga=1")] and depends


def test_the_cache_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.enforcement.set_cookie._NAMES_REMEMBERED", 3)
    cookies, allowed = SetCookieFilter(GATES[0], ObservedCookies()), consent()
    for number in range(10):
        cookies.filter(lines(b"c%d=1" % number, b"x" * (300 + number) + b"=1"), allowed, NOW, None)
    assert len(cookies._verdicts[allowed]) <= 3


GA = b"_ga_A=1; Path=/; Max-Age=34000000"


@pytest.mark.parametrize(
    ("given_lines", "differences"),
    [
        ([GA], ""),
        ([GA + b"; Domain=.stride.example"], "domain stride.example instead of none."),
        ([GA + b"; Path=/x"], "path /x instead of /."),
        # The application's line counts, and not what is left of it until the consent ends.
        ([GA + b"; Max-Age=99999999"], "lifetime P1157DT9H47M instead of P13M."),
        ([b"_ga_A=; Max-Age=0; Path=/x", GA + b"; Path=/x"], "path /x instead of /."),
        ([GA, GA + b"; Path=/x"], ""),
        ([b"_ga_A=; Max-Age=0; Path=/x"], ""),
        ([b"new=1; Path=/x"], ""),
        ([b"session=1; Path=/; Max-Age=60"], "lifetime PT1M instead of session."),
        ([b"session=; Path=/; Max-Age=0", b"session=1; Path=/x"], "path /x instead of /."),
    ],
)
def test_the_first_line_that_stores_a_cookie_is_compared_with_its_declaration(
    given_lines: list[bytes], differences: str, caplog: pytest.LogCaptureFixture
) -> None:
    cookies, allowed = SetCookieFilter(GATES[0], ObservedCookies()), consent("analytical")
    for value in given_lines * 2:
        cookies.filter(lines(value), allowed, NOW, ENDS)
    assert [message.partition(" Declare")[0].rpartition(": ")[2] for message in caplog.messages] == (
        [differences] if differences else []
    )


def test_a_refused_cookie_is_not_compared_and_a_granted_one_is_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cookies = SetCookieFilter(GATES[0], ObservedCookies())
    cookies.filter(lines(GA + b"; Path=/x"), consent(), NOW, ENDS)
    assert not caplog.messages
    cookies.filter(lines(GA + b"; Path=/x"), consent("analytical"), NOW, ENDS)
    assert len(caplog.messages) == 1


def test_a_name_that_was_compared_takes_no_more_work() -> None:
    cookies, allowed = SetCookieFilter(GATES[0], ObservedCookies()), consent("analytical")
    cookies.filter(lines(GA), allowed, NOW, None)
    again = GA.replace(b"=1", b"=2")
    assert calls_during(lambda: cookies.filter(lines(again), allowed, NOW, None)) < 15
