import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.enforcement.cookie_gate import CookieGate
from consentkit.enforcement.cookie_header import LONGEST, CookieHeaderCache
from consentkit.enforcement.observations import ObservedCookies
from consentkit.headers.request import cookie_values
from tests.support.calls import calls_during
from tests.support.front import a_policy

NAME = b"__Host-consent"
GATE = CookieGate(a_policy(), own_names=frozenset({NAME.decode()}))
PARTS = st.sampled_from(
    [NAME, b"=", b";", b" ", b"\t", b"a", b"\n", b"\xa0", b"_ga", b"watched", b"-state", b"theme=dark", b'"']
)


def empty_cache() -> CookieHeaderCache:
    return CookieHeaderCache(NAME, GATE, ObservedCookies())


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"__Host-consent=abc", b"abc"),
        (b"a=b; __Host-consent=abc; __Host-consent-state=x", b"abc"),
        (b"__Host-consent=a=b", b"a=b"),
        (b"__Host-consent=", b""),
        (b'__Host-consent="abc"', b'"abc"'),
        (b"a=b", b""),
        (b"__Host-consent-state=x", b""),
        (b"x__Host-consent-state=x", b""),
        (b"a=b;\t__Host-consent=abc", b"abc"),
        (b"a=b; __Host-consent\t=abc", b"abc"),
        (b"x__Host-consent=x", b""),
        (b"a=__Host-consent=x", b""),
        (b"\xa0__Host-consent=x", b""),
    ],
)
def test_the_span_of_the_consent_cookie_is_found_where_browsers_put_it(header: bytes, value: bytes) -> None:
    cache = empty_cache()
    span = cache.remember(header)
    assert span is not None
    assert header[slice(*span)] == value
    assert cache.spans[hash(header)] == span


@pytest.mark.parametrize(
    "header",
    [
        b"__Host-consent=a; __Host-consent=b",
        b"__Host-consent= abc",
        b"__Host-consent=abc\t; a=b",
        b"a=b; __Host-consent",
        b"=__Host-consent=x",
        b"a=b; =_ga=1",
        b"a=b; _ga=1",
        b"a=b; _GA =1",
        b"__Host-consent=a; Watched=1",
        b"a=" + b"b" * LONGEST,
    ],
)
def test_a_header_that_must_be_parsed_is_not_remembered(header: bytes) -> None:
    cache = empty_cache()
    assert cache.remember(header) is None
    assert not cache.spans


def test_the_cache_of_headers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.enforcement.cookie_header._HEADERS_REMEMBERED", 3)
    cache = empty_cache()
    for number in range(10):
        cache.remember(b"a=%d" % number)
    assert len(cache.spans) <= 3


def test_the_cache_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.enforcement.cookie_header._NAMES_REMEMBERED", 3)
    cache = empty_cache()
    for number in range(10):
        cache.remember(b"%d=a; %b=b" % (number, b"x" * (300 + number)))
    assert len(cache._kinds) <= 3


@given(st.lists(PARTS, max_size=12).map(b"".join))
def test_a_remembered_span_holds_what_parsing_the_header_finds(header: bytes) -> None:
    span = empty_cache().remember(header)
    if span is not None:
        values = cookie_values([(b"cookie", header)], NAME)
        assert [header[slice(*span)]] == values if span[1] else not any(values)
        assert GATE.strip(header, lambda category, vendor: False) is header


def reported(cache: CookieHeaderCache, *fields: bytes) -> set[str]:
    """Return the names that are reported for a request with these Cookie fields."""
    if len(fields) > 1 or cache.remember(fields[0]) is None:
        cache.observe(fields)
    return set(cache._observed._sent)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ([b"session=1; __Host-consent=x; _ga=1; _GA_X=2; Watched=3"], []),
        ([b"new=1; session=1"], ["new"]),
        ([b"_ga=1; new=1"], ["new"]),
        ([b"new=1", b"newer=2; _ga=1"], ["new", "newer"]),
        ([b"=new=1"], []),
        ([b"new=" + b"x" * LONGEST], ["new"]),
        ([b"; ".join(b"n%d=1" % number for number in range(2000))], [f"n{number}" for number in range(100)]),
        ([b"_ga=1; " * 200 + b"new=1"], []),
    ],
)
def test_undeclared_cookies_of_a_request_are_reported(fields: list[bytes], names: list[str]) -> None:
    cache = empty_cache()
    assert reported(cache, *fields) == set(names)
    assert reported(cache, *fields) == set(names)


# What a stranger sends is looked at once, and then only as far as browsers go.
@pytest.mark.parametrize("field", [b"_ga%d=1; ", b"\xe9%d=1; ", b"n%d=1; ", b"_ga" + b"x" * 300 + b"%d=1; "])
def test_the_names_of_a_field_are_looked_at_once_and_up_to_a_limit(field: bytes) -> None:
    cache = empty_cache()
    fields = [b"".join(field % number for number in range(1000))]
    assert calls_during(lambda: cache.observe(fields)) < 180 * 60
    assert calls_during(lambda: cache.observe(fields)) < 5


def test_strict_mode_says_that_an_undeclared_cookie_is_hidden(caplog: pytest.LogCaptureFixture) -> None:
    gate = CookieGate(a_policy(), own_names=frozenset({NAME.decode()}), strict=True)
    cache = CookieHeaderCache(NAME, gate, ObservedCookies())
    assert cache.remember(b"session=1; __Host-consent=x") is not None
    assert cache.remember(b"session=1; new=1") is None
    assert "'new', which the policy does not declare, so it is hidden" in caplog.text
