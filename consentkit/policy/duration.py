"""Calendar durations in the form of ISO 8601 (`P6M`, `P90D`, `PT30M`), counted in UTC."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from dateutil.relativedelta import relativedelta
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from consentkit.policy.findings import invalid

__all__ = ["Duration"]

_ISO_8601 = re.compile(
    r"P(?:(?P<years>[0-9]{1,9})Y)?(?:(?P<months>[0-9]{1,9})M)?(?:(?P<weeks>[0-9]{1,9})W)?(?:(?P<days>[0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?(?:(?P<seconds>[0-9]{1,9})S)?)?"
)
_DAY = 86_400
_MAX_DAYS = 36_525
_MAX_DAYS_OF_MONTHS = (0, 31, 62, 92, 123, 153, 184, 215, 245, 276, 306, 337)
"""The largest number of days that 0 to 11 consecutive months can have."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: longer than zero, at most 100 years.

    Years count as twelve months, weeks as seven days. A day has 24 hours, because all times are UTC: `PT24H` equals `P1D`.
    A month has no fixed length: `P1M` equals no number of days.
    """

    months: int = 0
    days: int = 0
    seconds: int = 0
    written: str = field(default="", compare=False, repr=False)
    """The duration as the policy file spells it; empty for a computed duration."""

    def __post_init__(self) -> None:
        extra_days, seconds = divmod(self.seconds, _DAY)
        object.__setattr__(self, "days", self.days + extra_days)
        object.__setattr__(self, "seconds", seconds)
        if min(self.months, self.days) < 0 or not (self.months or self.days or self.seconds):
            raise ValueError("A duration must be longer than zero.")
        if self.days_at_most > _MAX_DAYS:
            raise ValueError("A duration must be at most 100 years.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `PnYnMnWnDTnHnMnS` with capital letters and whole numbers.

        Raises:
            ValueError: for any other text, for zero, and for more than 100 years.
        """
        match = _ISO_8601.fullmatch(text)
        if match is None or text == "P":
            raise ValueError("Not a duration of ISO 8601.")
        part = {name: int(digits or 0) for name, digits in match.groupdict().items()}
        return cls(
            months=part["years"] * 12 + part["months"],
            days=part["weeks"] * 7 + part["days"],
            seconds=part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"],
            written=text,
        )

    def __str__(self) -> str:
        date, time = "", ""
        if self.months:
            date = f"{self.months}M" if self.months % 12 else f"{self.months // 12}Y"
        if self.days:
            date += f"{self.days}D"
        minutes, seconds = divmod(self.seconds, 60)
        hours, minutes = divmod(minutes, 60)
        for amount, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")):
            if amount:
                time += f"{amount}{unit}"
        return f"P{date}T{time}" if time else f"P{date}"

    @property
    def days_at_most(self) -> int:
        """The largest number of days that the duration can span, whatever day it starts on."""
        years, months = divmod(self.months, 12)
        return (
            years * 365
            + (years + 3) // 4
            + _MAX_DAYS_OF_MONTHS[months]
            + self.days
            + (1 if self.seconds else 0)
        )

    def longer_than(self, other: Self) -> bool:
        """Return whether this duration can span more than the other; neither of `P6M` and `P184D` is longer."""
        return (self.days_at_most, self.seconds) > (other.days_at_most, other.seconds)

    def after(self, moment: datetime) -> datetime:
        """Return a moment plus the duration, by the calendar in UTC.

        If the month of the result has no such day, its last day counts: 31 August plus `P6M` is 28 February.

        Raises:
            ValueError: the moment is naive.
            OverflowError: the result lies past the year 9999.
        """
        if moment.tzinfo is None:
            raise ValueError("The moment has no time zone.")
        try:
            return moment.astimezone(UTC) + relativedelta(
                months=self.months, days=self.days, seconds=self.seconds
            )
        except ValueError as error:
            raise OverflowError("The moment lies past the year 9999.") from error

    def seconds_from(self, start: int) -> int:
        """Return whole seconds since the epoch, plus the duration.

        Raises:
            OverflowError: the start or the end lies outside the years 1 to 9999.
        """
        try:
            moment = datetime.fromtimestamp(start, UTC)
        except (ValueError, OSError) as error:
            raise OverflowError("The start lies outside the calendar.") from error
        return int(self.after(moment).timestamp())

    @classmethod
    def validated(cls, value: object) -> "Duration":
        """Return a Duration from a Duration or its text, as a pydantic validator."""
        if isinstance(value, cls):
            return value
        remedy = 'Write "P6M" for six months, "P90D" for 90 days, or "PT30M" for half an hour.'
        if not isinstance(value, str):
            raise invalid("Expected a duration in quotes.", remedy)
        try:
            return cls.parse(value)
        except ValueError as error:
            raise invalid(str(error), remedy) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate a Duration or its text; dump the text."""
        return core_schema.no_info_plain_validator_function(
            cls.validated,
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema()
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON Schema of the text."""
        date, time = "([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?", "([0-9]+H)?([0-9]+M)?([0-9]+S)?"
        return {
            "type": "string",
            "pattern": f"^P(?=[0-9T]){date}(T(?=[0-9]){time})?$",
            "examples": ["P6M", "P90D"],
        }
