"""What is remembered of Cookie headers: where our cookie stands in those that hold nothing to hide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.enforcement.cookie_gate import CookieGate
from consentkit.enforcement.cookie_header import LONGEST, CookieHeaderCache
from consentkit.headers.request import cookie_values
from tests.support.front import a_policy

NAME = b"__Host-consent"
GATE = CookieGate(a_policy(), own_names=frozenset({NAME.decode()}))
PARTS = st.sampled_from(
    [NAME, b"=", b";", b" ", b"\t", b"a", b"\n", b"\xa0", b"_ga", b"watched", b"-state", b"theme=dark", b'"']
)


def sent() -> CookieHeaderCache:
    return CookieHeaderCache(NAME, GATE)


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
def test_our_cookie_is_found_where_browsers_put_it(header: bytes, value: bytes) -> None:
    memory = sent()
    place = memory.remember(header)
    assert place is not None
    assert header[slice(*place)] == value
    assert memory.spans[hash(header)] == place


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
def test_what_has_to_be_read_whole_is_not_remembered(header: bytes) -> None:
    memory = sent()
    assert memory.remember(header) is None
    assert not memory.spans


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.enforcement.cookie_header._REMEMBERED", 3)
    memory = sent()
    for number in range(10):
        memory.remember(b"a=%d" % number)
    assert len(memory.spans) <= 3


def test_names_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.enforcement.cookie_header._NAMES_REMEMBERED", 3)
    memory = sent()
    for number in range(10):
        memory.remember(b"%d=a; %b=b" % (number, b"x" * (300 + number)))
    assert len(memory._kinds) <= 3


@given(st.lists(PARTS, max_size=12).map(b"".join))
def test_it_finds_what_reading_the_whole_header_finds(header: bytes) -> None:
    place = sent().remember(header)
    if place is not None:
        values = cookie_values([(b"cookie", header)], NAME)
        assert [header[slice(*place)]] == values if place[1] else not any(values)
        assert GATE.strip(header, lambda category, vendor: False) is header
