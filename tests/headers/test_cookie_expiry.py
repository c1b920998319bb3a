from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.headers.cookie_expiry import clamp, cookie_date, lifetime

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
def test_a_date_that_browsers_reject_is_none(text: str) -> None:
    assert cookie_date(text.encode("latin-1")) is None


@pytest.mark.parametrize(
    ("written", "year"), [("69", 2069), ("70", 1970), ("99", 1999), ("00", 2000), ("1601", 1601)]
)
def test_years_of_two_digits_are_read_as_1970_to_2069(written: str, year: int) -> None:
    found = cookie_date(f"6 Nov {written} 08:49:37".encode())
    assert found == datetime(year, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()


@given(st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))
def test_every_http_date_is_read(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    assert cookie_date(format_datetime(whole, usegmt=True).encode()) == whole.timestamp()


@given(st.binary(max_size=60) | st.text("0123456789: -,JanFebGMT", max_size=40).map(str.encode))
def test_any_date_bytes_are_read_without_raising(text: bytes) -> None:
    found = cookie_date(text)
    assert found is None or found > -12_000_000_000


@pytest.mark.parametrize(
    ("attributes", "end"),
    [
        ("Max-Age=5", NOW + 5),
        (" MAX-AGE\t=\t5\t;Path=/", NOW + 5),
        ("Max-Age=0", 0),
        ("Max-Age=-5", 0),
        ("Max-Age=5; Max-Age=6", NOW + 6),
        ("Max-Age=6; Max-Age=5", NOW + 5),
        ("Max-Age=5; Max-Age=x", NOW + 5),
        ("Max-Age=x; Expires=Sun, 06 Nov 1994 08:49:37 GMT", MOMENT),
        ("Max-Age=5; Expires=Thu, 01 Jan 2099 00:00:00 GMT", NOW + 5),
        ("Expires=Thu, 01 Jan 2099 00:00:00 GMT; Max-Age=5", NOW + 5),
        ("Expires=Thu, 01 Jan 2099 00:00:00 GMT; Max-Age=0", 0),
        ("Expires=Sun, 06 Nov 1994 08:49:37 GMT", MOMENT),
        ("Max-Age=", 0),
        ("Max-Age", 0),
        ("Max-Age=--5", 0),
        ("Expires=never", 0),
        ("Max-Age=" + "9" * 1024, NOW + 10**10),
        ("Max-Age=" + "9" * 1025, 0),
    ],
)
def test_the_last_valid_attribute_counts_and_max_age_precedes_expires(attributes: str, end: float) -> None:
    life = lifetime(f"a=1;{attributes}".encode())
    assert life is not None
    assert life.latest(NOW) == end


@pytest.mark.parametrize(
    "line", ["a=1", "a=1; Path=/max-age=5", "a=Max-Age=5", "a=1; Max-Age-5", "a=1; X-Expires=x", ""]
)
def test_a_line_without_expiry_has_no_lifetime(line: str) -> None:
    assert lifetime(line.encode()) is None


@pytest.mark.parametrize(
    ("attributes", "deletes"),
    [
        ("Max-Age=0", True),
        ("Max-Age=1", False),
        ("Max-Age=x", False),
        ("Max-Age=0; Max-Age=x", False),
        ("Max-Age=0; Max-Age", False),
        ("Max-Age=0; max-age \t; Path=/", False),
        ("Max-Age=0; Max-Age-x; Expiresx", True),
        ("Expires=Sun, 06 Nov 1994 08:49:37 GMT; expires; Path=/", False),
        ("Max-Age=0; Max-Age=x; Expires=Sun, 06 Nov 1994 08:49:37 GMT", True),
        ("Max-Age=5; Max-Age=x; Expires=Sun, 06 Nov 1994 08:49:37 GMT", False),
        ("Max-Age=x; Expires=Sun, 06 Nov 1994 08:49:37 GMT", True),
        ("Expires=Fri, 15 Jan 2027 08:00:00 GMT", True),
        ("Expires=Fri, 15 Jan 2027 08:00:01 GMT", False),
        ("Expires=Sun, 06 Nov 1994 08:49:37 GMT; Expires=x", False),
    ],
)
def test_a_line_deletes_only_if_it_does_in_every_browser(attributes: str, deletes: bool) -> None:
    life = lifetime(f"a=; {attributes}".encode())
    assert life is not None
    assert life.deletes(NOW) is deletes


@given(
    st.lists(
        st.sampled_from(
            [
                "; Max-Age=9999",
                "; max-age = x",
                "; Expires=Thu, 01 Jan 2099 00:00:00 GMT",
                "; Path=/",
                "; x=%(left)d%%",
                "; %d%",
            ]
        ),
        max_size=8,
    )
)
def test_a_clamped_line_expires_at_the_end_in_every_browser(attributes: list[str]) -> None:
    line = ("a=1" + "".join(attributes)).encode()
    clamped = clamp(line, NOW + 0.7, NOW + 100)
    life = lifetime(clamped)
    assert life is not None
    assert life.latest(NOW) == NOW + 100
    assert not life.deletes(NOW + 99)
    assert clamped.startswith(b"a=1")
    for kept in ("; Path=/", "; x=%(left)d%%", "; %d%"):
        assert clamped.count(kept.encode()) == attributes.count(kept)
