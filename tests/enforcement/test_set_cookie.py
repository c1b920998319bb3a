import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, Decision
from consentkit.enforcement.cookie_gate import Action, CookieGate, Reason
from consentkit.enforcement.set_cookie import Headers, SetCookieFilter
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
    cookies = SetCookieFilter(gate)
    for _ in range(2):
        kept, depends, noticed = cookies.filter(lines(*given_lines), allowed, NOW, until)
        assert kept == lines(*left)
        assert depends == any(verdict.depends for verdict in verdicts)
        expected = [verdict for verdict in verdicts if verdict.action is not Action.PASS]
        assert [verdict for verdict in noticed if verdict.action is not Action.PASS] == [
            verdict for verdict in expected if verdict.reason is not Reason.DELETION
        ]


def test_an_undeclared_name_is_noticed_once() -> None:
    cookies, allowed = SetCookieFilter(GATES[0]), consent()
    once = cookies.filter(lines(b"new=1"), allowed, NOW, None)
    again = cookies.filter(lines(b"new=2"), allowed, NOW, None)
    assert [verdict.reason for verdict in once[2]] == [Reason.UNDECLARED] and again[2] == ()


def test_set_cookie_in_other_letter_case_is_filtered() -> None:
    kept, depends, _ = SetCookieFilter(GATES[0]).filter(
        [(b"Set-Cookie", b"_ga=1"), (b"x-set-cook", b"_ga=1")], consent(), NOW, None
    )
    assert kept == [(b"x-set-cook", b"_ga=1")] and depends


def test_the_cache_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.enforcement.set_cookie._NAMES_REMEMBERED", 3)
    cookies, allowed = SetCookieFilter(GATES[0]), consent()
    for number in range(10):
        cookies.filter(lines(b"c%d=1" % number, b"x" * (300 + number) + b"=1"), allowed, NOW, None)
    assert len(cookies._verdicts[allowed]) <= 3
