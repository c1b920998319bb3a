from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from consentkit.policy.duration import Duration

durations = st.builds(
    Duration,
    months=st.integers(0, 1100),
    days=st.integers(0, 500),
    seconds=st.integers(1, 200_000),
)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("text", "duration", "canonical"),
    [
        ("P6M", Duration(months=6), "P6M"),
        ("P1Y", Duration(months=12), "P1Y"),
        ("P12M", Duration(months=12), "P1Y"),
        ("P14M", Duration(months=14), "P14M"),
        ("P1Y2M", Duration(months=14), "P14M"),
        ("P2W", Duration(days=14), "P14D"),
        ("P1W1D", Duration(days=8), "P8D"),
        ("P90D", Duration(days=90), "P90D"),
        ("PT30M", Duration(seconds=1800), "PT30M"),
        ("PT24H", Duration(days=1), "P1D"),
        ("PT36H", Duration(days=1, seconds=43_200), "P1DT12H"),
        ("P1Y2M3W4DT5H6M7S", Duration(months=14, days=25, seconds=18_367), "P14M25DT5H6M7S"),
        ("PT90S", Duration(seconds=90), "PT1M30S"),
        ("P100Y", Duration(months=1200), "P100Y"),
        ("P0Y1D", Duration(days=1), "P1D"),
    ],
)
def test_a_duration_is_parsed_and_written_in_canonical_form(
    text: str, duration: Duration, canonical: str
) -> None:
    assert Duration.parse(text) == duration
    assert str(duration) == canonical
    assert Duration.parse(canonical) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P6",
        "6M",
        "p6m",
        "P6M ",
        " P6M",
        "P6m",
        "P-6M",
        "-P6M",
        "+P6M",
        "P0.5Y",
        "P1,5M",
        "P1MT",
        "P1D1M",
        "PT1H1D",
        "P1S",
        "P6M\n",
        "P٦M",
        "P9999999999D",
        "P6MT",
        "P1YT6M1M",
        "2026-01-01/P6M",
        "P0D",
        "PT0S",
        "P101Y",
        "P99999D",
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        Duration.parse(text)


@given(st.text(st.sampled_from("PTYMWDHS0123456789.-+ "), max_size=20))
def test_the_written_duration_parses_to_the_same(text: str) -> None:
    try:
        duration = Duration.parse(text)
    except ValueError:
        return
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize(
    ("start", "end"),
    [
        # VA-01
        (date(2026, 8, 31), date(2027, 2, 28)),
        (date(2027, 8, 31), date(2028, 2, 29)),
        (date(2026, 11, 22), date(2027, 5, 22)),
        (date(2026, 12, 31), date(2027, 6, 30)),
    ],
)
def test_six_months_are_counted_by_the_calendar(start: date, end: date) -> None:
    moment = datetime(start.year, start.month, start.day, 23, 59, 59, tzinfo=UTC)
    after = Duration(months=6).after(moment)
    assert after == datetime(end.year, end.month, end.day, 23, 59, 59, tzinfo=UTC)
    assert Duration(months=6).seconds_from(int(moment.timestamp())) == int(after.timestamp())


@given(durations, moments)
def test_months_are_added_before_days_with_the_day_clamped_to_the_month(
    duration: Duration, moment: datetime
) -> None:
    year, month = divmod(moment.year * 12 + moment.month - 1 + duration.months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    clamped = moment.replace(year=year, month=month + 1, day=day)
    assert duration.after(moment) == clamped + timedelta(duration.days, duration.seconds)


@given(durations, moments)
def test_a_duration_never_spans_more_than_its_upper_bound(duration: Duration, moment: datetime) -> None:
    assert duration.after(moment) - moment <= timedelta(duration.days_at_most)


def test_the_upper_bound_of_months_is_exact() -> None:
    starts = [datetime(year, month, 1, tzinfo=UTC) for year in (2027, 2028) for month in range(1, 13)]
    for months in range(1, 12):
        longest = max((Duration(months=months).after(start) - start).days for start in starts)
        assert Duration(months=months).days_at_most == longest


@pytest.mark.parametrize(
    ("duration", "other", "longer"),
    [
        ("P14M", "P13M", True),
        ("P13M", "P13M", False),
        ("P400D", "P13M", True),
        ("P184D", "P6M", False),
        ("P185D", "P6M", True),
        ("PT2H", "PT1H", True),
        ("PT1H", "PT2H", False),
    ],
)
def test_durations_are_compared_by_what_they_can_span(duration: str, other: str, longer: bool) -> None:
    assert Duration.parse(duration).longer_than(Duration.parse(other)) is longer


def test_the_calendar_is_in_utc() -> None:
    ahead = datetime(2026, 9, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert Duration(months=6).after(ahead) == datetime(2027, 2, 28, 23, 0, tzinfo=UTC)


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Duration(months=6).after(datetime(2026, 1, 1))


@pytest.mark.parametrize("start", [10**30, -(10**30), 253_402_300_799, 10**12])
def test_seconds_outside_the_calendar_overflow(start: int) -> None:
    with pytest.raises(OverflowError):
        Duration(months=6).seconds_from(start)


def test_a_moment_past_the_last_year_overflows() -> None:
    with pytest.raises(OverflowError):
        Duration(days=30).after(datetime(9999, 12, 20, tzinfo=UTC))


@pytest.mark.parametrize(
    "parts", [{}, {"months": -1}, {"days": -1, "months": 1}, {"seconds": -90_000, "days": 1}]
)
def test_a_duration_is_longer_than_zero(parts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="longer than zero"):
        Duration(**parts)


class _Model(BaseModel):
    length: Duration


def test_a_model_validates_and_dumps_the_text() -> None:
    model = _Model.model_validate({"length": "P12M"})
    assert model.length == Duration(months=12)
    assert _Model(length=Duration(months=12)) == model
    assert model.model_dump(mode="json") == {"length": "P1Y"}
    assert _Model.model_json_schema()["properties"]["length"]["type"] == "string"


@pytest.mark.parametrize("value", ["six months", 6, True, None, timedelta(1)])
def test_a_refused_duration_comes_with_an_example(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        _Model.model_validate({"length": value})
    assert '"P6M"' in caught.value.errors()[0]["ctx"]["remedy"]
