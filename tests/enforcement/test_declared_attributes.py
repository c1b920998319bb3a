from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.enforcement.declared_attributes import CookieAttributes, attributes_of, deviation
from consentkit.headers.cookie_expiry import deletion
from consentkit.policy import Tracker

NOW = 1_800_000_000  # Fri, 15 Jan 2027 08:00:00 GMT
DAY = 86_400
IN_TWO_WEEKS = b"Expires=Fri, 29 Jan 2027 07:59:59 GMT"


def tracker(lifetime: str = "session", **more: Any) -> Tracker:
    common = {"name": "sid", "kind": "cookie", "category": "functional", "purpose": {"en": "Is tested."}}
    return Tracker.model_validate(common | {"lifetime": lifetime} | more)


@pytest.mark.parametrize(
    ("line", "attributes"),
    [
        (b"a=1", (None, None, None, False)),
        (b"a=1; Path=/; Path=/b", (None, "/b", None, False)),
        (b"a=1; path = /b ;PARTITIONED", (None, "/b", None, True)),
        (b"a=1; Path=/b; Path=b", (None, None, None, False)),
        (b"a=1; Path=/b; Path", (None, None, None, False)),
        (b"a=1; Path=/; Domain=.Stride.Example", (None, "/", "stride.example", False)),
        (b"a=1; Path=/; Domain=x; Domain=", (None, "/", None, False)),
        (b"a=1; Path=/; Path=/" + b"x" * 1024, (None, "/", None, False)),
        (b"a=; Path=/=1", (None, "/=1", None, False)),
        (b"a=Path=/; Max-Age=60", (60, None, None, False)),
        (b"a=1; Max-Age=60; max-age=90", (90, None, None, False)),
        (b"a=1; Max-Age=60; " + IN_TWO_WEEKS, (60, None, None, False)),
        (b"a=1; " + IN_TWO_WEEKS, (14 * DAY - 1, None, None, False)),
        (b"a=1; Max-Age=soon", (None, None, None, False)),
        (b"a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT", (251_602_300_799, None, None, False)),
    ],
)
def test_attributes_are_read_as_browsers_read_them(line: bytes, attributes: tuple[object, ...]) -> None:
    assert attributes_of(line, NOW) == attributes


@pytest.mark.parametrize(
    "line", [b"a=; Max-Age=0", b"a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", b"a=; Max-Age=-1; Path=/"]
)
def test_a_deletion_has_no_attributes_to_compare(line: bytes) -> None:
    assert attributes_of(line, NOW) is None


@pytest.mark.parametrize(
    ("line", "declared", "differences"),
    [
        (b"a=1; Path=/", {}, []),
        (b"a=1; Path=/; Max-Age=1209600", {}, ["lifetime P14D instead of session"]),
        (b"a=1; Path=/; " + IN_TWO_WEEKS, {}, ["lifetime P14D instead of session"]),
        (b"a=1; Path=/; Max-Age=90", {}, ["lifetime PT1M30S instead of session"]),
        (b"a=1; Path=/", {"lifetime": "P12M"}, ["lifetime session instead of P12M"]),
        (b"a=1; Path=/; Max-Age=31536000", {"lifetime": "P12M"}, []),
        (b"a=1; Path=/; Max-Age=31622400", {"lifetime": "P1Y"}, []),
        (b"a=1; Path=/; Max-Age=33696000", {"lifetime": "P1Y"}, ["lifetime P390D instead of P1Y"]),
        (b"a=1; Path=/; Max-Age=2592000", {"lifetime": "P1Y"}, ["lifetime P30D instead of P1Y"]),
        (b"a=1; Path=/; Max-Age=1860", {"lifetime": "PT30M"}, []),
        (b"a=1; Path=/; Max-Age=1861", {"lifetime": "PT30M"}, ["lifetime PT31M1S instead of PT30M"]),
        (b"a=1; Path=/; Max-Age=1619", {"lifetime": "PT30M"}, ["lifetime PT26M59S instead of PT30M"]),
        (b"a=1; Path=/; Max-Age=99999999999", {"lifetime": "P1Y"}, ["lifetime P36525D instead of P1Y"]),
        (b"a=1; Path=/b", {}, ["path /b instead of /"]),
        (b"a=1", {}, ["path none instead of /"]),
        (b"a=1; Path=/\x1b[1m\xe9", {}, [r"path '/\x1b[1m\xe9' instead of /"]),
        (b"a=1; Path=/b", {"path": "/b"}, []),
        (b"a=1; Path=/; Domain=x.example", {}, ["domain x.example instead of none"]),
        (b"a=1; Path=/; Domain=X.example", {"domain": ".x.example"}, []),
        (b"a=1; Path=/", {"domain": ".x.example"}, ["domain none instead of .x.example"]),
        (b"a=1; Path=/; Partitioned", {}, ["partitioned true instead of false"]),
        (b"a=1", {"third_party": True, "vendor": "x"}, []),
    ],
)
def test_both_values_of_each_difference_are_named(
    line: bytes, declared: dict[str, Any], differences: list[str]
) -> None:
    attributes = attributes_of(line, NOW)
    assert attributes is not None
    found = deviation(attributes, [tracker(**declared)])
    assert list(found.differences if found is not None else ()) == differences


def test_a_cookie_may_be_as_any_of_its_declarations_says() -> None:
    declared = [tracker(), tracker(path="/b", domain="x.example"), tracker("P1Y", path="/c")]
    assert deviation(CookieAttributes(365 * DAY, "/c", None, False), declared) is None
    closest = deviation(CookieAttributes(None, "/b", None, False), declared)
    assert closest is not None and closest.tracker is declared[0]
    assert deviation(CookieAttributes(None, "/b", None, False), []) is None


@given(st.binary(max_size=60), st.integers(), st.sampled_from(["session", "P1M", "PT1S", "P100Y"]))
def test_no_line_raises(text: bytes, age: int, lifetime: str) -> None:
    for line in (text, b"a=1;" + text, b"a=1; Max-Age=%d" % age, b"a=1; Expires=1 Jan %d 00:00:00" % age):
        attributes = attributes_of(line, NOW)
        if attributes is not None:
            deviation(attributes, [tracker(lifetime)])


# The reason for the comparison: what is deleted is what is declared.
@pytest.mark.parametrize(
    "place", [{}, {"path": "/b"}, {"domain": ".x.example"}, {"partitioned": True, "path": "/b"}]
)
def test_a_cookie_that_a_withdrawal_deletes_differs_in_nothing(place: dict[str, Any]) -> None:
    declared = tracker(**place)
    line = deletion("a", declared.path, declared.domain, declared.partitioned)
    kept = line.replace("Max-Age=0; ", "").replace("Expires=Thu, 01 Jan 1970 00:00:00 GMT; ", "")
    attributes = attributes_of(kept.encode(), NOW)
    assert attributes is not None and deviation(attributes, [declared]) is None
