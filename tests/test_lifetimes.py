"""When browsers let cookies end."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.lifetimes import clamp, cookie_date, deletes, endings, latest

NOW = 1_800_000_000
MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "06 november 1994 8:49:37",
        "8:49:37 6 nov 94",
        "1994 6 Nov 08:49:37",
        "08:49:37x 6x Novx 1994x",
        "6 08:49:37 7 Nov Dec 1994 1995",
        "\t6-nov-1994@08:49:37;",
    ],
)
def test_dates_are_read_as_browsers_read_them(text: str) -> None:
    assert cookie_date(text.encode()) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "never",
        "06 Nov 1994",
        "06 Nov 08:49:37",
        "Nov 1994 08:49:37",
        "06 1994 08:49:37",
        "006 Nov 1994 08:49:37",
        "06 Nov 19940 08:49:37",
        "06 Nov 1600 08:49:37",
        "31 Feb 1994 08:49:37",
        "32 Nov 1994 08:49:37",
        "00 Nov 1994 08:49:37",
        "06 Nov 1994 24:49:37",
        "06 Nov 1994 08:60:37",
        "06 Nov 1994 08:49:60",
        "06 Nov 1994 08:49",
        "06 Nov 1994 08:49:370",
        "06 Nov 1994 \xff08:49:37",
    ],
)
def test_what_is_no_date_for_browsers_is_none_here(text: str) -> None:
    assert cookie_date(text.encode("latin-1")) is None


@pytest.mark.parametrize(
    ("written", "year"), [("69", 2069), ("70", 1970), ("99", 1999), ("00", 2000), ("1601", 1601)]
)
def test_years_of_two_digits_are_those_around_now(written: str, year: int) -> None:
    found = cookie_date(f"6 Nov {written} 08:49:37".encode())
    assert found == datetime(year, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()


@given(st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))
def test_every_date_that_servers_write_is_read(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    assert cookie_date(format_datetime(whole, usegmt=True).encode()) == whole.timestamp()


@given(st.binary(max_size=60) | st.text("0123456789: -,JanFebGMT", max_size=40).map(str.encode))
def test_no_date_raises(text: bytes) -> None:
    found = cookie_date(text)
    assert found is None or found > -12_000_000_000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=1", []),
        ("a=1; Path=/max-age=5", []),
        ("a=1; Max-Age=5", [NOW + 5, NOW + 5]),
        ("a=1;MAX-AGE\t=\t5\t", [NOW + 5, NOW + 5]),
        ("a=1; Max-Age=0", [0.0, 0.0]),
        ("a=1; Max-Age=-5", [0.0, 0.0]),
        ("a=1; Max-Age=5; Max-Age=6", [NOW + 6, NOW + 6]),
        ("a=1; Max-Age=5; Max-Age=x", [NOW + 5, None]),
        ("a=1; Max-Age=x; Expires=Sun, 06 Nov 1994 08:49:37 GMT", [MOMENT, MOMENT]),
        ("a=1; Max-Age=5; Expires=Sun, 06 Nov 1994 08:49:37 GMT", [NOW + 5, NOW + 5]),
        ("a=1; Max-Age=", [None, None]),
        ("a=1; Max-Age=--5", [None, None]),
        ("a=1; Max-Age=" + "9" * 1024, [NOW + 10**10, NOW + 10**10]),
        ("a=1; Max-Age=" + "9" * 1025, [None, None]),
    ],
)
def test_the_last_valid_attribute_counts_and_max_age_before_expires(
    line: str, expected: list[float | None]
) -> None:
    assert endings(line.encode(), NOW) == tuple(expected)


def test_only_what_ends_at_once_for_every_browser_deletes() -> None:
    assert deletes((0.0, NOW), NOW)
    assert not deletes((), NOW)
    assert not deletes((0.0, None), NOW)
    assert not deletes((NOW + 1, 0.0), NOW)


def test_the_end_of_a_session_counts_as_past() -> None:
    assert latest(()) == 0
    assert latest((None, None)) == 0
    assert latest((5.0, None, 7.0)) == 7


@given(
    st.lists(
        st.sampled_from(
            ["; Max-Age=9999", "; max-age = x", "; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "; Path=/"]
        )
    )
)
def test_a_clamped_line_ends_then_for_every_browser(attributes: list[str]) -> None:
    line = ("a=1" + "".join(attributes)).encode()
    clamped = clamp(line, NOW + 0.7, NOW + 100)
    assert endings(clamped, NOW) == (NOW + 100, NOW + 100)
    assert clamped.startswith(b"a=1")
    assert clamped.count(b"; Path=/") == attributes.count("; Path=/")
