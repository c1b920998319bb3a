"""Calendar durations as ISO 8601 writes them (`P6M`, `P90D`, `PT30M`), counted in UTC."""

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

_FORM = re.compile(
    r"P(?:(?P<years>[0-9]{1,9})Y)?(?:(?P<months>[0-9]{1,9})M)?(?:(?P<weeks>[0-9]{1,9})W)?(?:(?P<days>[0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?(?:(?P<seconds>[0-9]{1,9})S)?)?"
)
_DAY = 86_400
_LONGEST_DAYS = 36_525
_MOST_DAYS = (0, 31, 62, 92, 123, 153, 184, 215, 245, 276, 306, 337)
"""The most days that 0 to 11 months in a row can have."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time that is longer than zero and at most about a century.

    Years count as twelve months, weeks as seven days. A day has 24 hours, since all times are UTC, so that
    `PT24H` equals `P1D`; a month has no fixed length, so that `P1M` equals no number of days.
    """

    months: int = 0
    days: int = 0
    seconds: int = 0
    written: str = field(default="", compare=False, repr=False)
    """As its owner wrote it, for those who compare with the file; empty where it was computed."""

    def __post_init__(self) -> None:
        more, seconds = divmod(self.seconds, _DAY)
        object.__setattr__(self, "days", self.days + more)
        object.__setattr__(self, "seconds", seconds)
        if min(self.months, self.days) < 0 or not (self.months or self.days or self.seconds):
            raise ValueError("A duration is longer than zero.")
        if self.days_at_most > _LONGEST_DAYS:
            raise ValueError("A duration is at most 100 years.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `PnYnMnWnDTnHnMnS`, capitals, whole numbers.

        Raises:
            ValueError: for anything else, for zero, and for more than a century.
        """
        found = _FORM.fullmatch(text)
        if found is None or text == "P":
            raise ValueError("This is not a duration in ISO 8601.")
        part = {name: int(digits or 0) for name, digits in found.groupdict().items()}
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
        """The most days it can span, whatever day it starts on."""
        years, months = divmod(self.months, 12)
        return years * 365 + (years + 3) // 4 + _MOST_DAYS[months] + self.days + (1 if self.seconds else 0)

    def longer_than(self, other: Self) -> bool:
        """Compare by what each can span at the most; `P6M` is not longer than `P184D`, nor the other way round."""
        return (self.days_at_most, self.seconds) > (other.days_at_most, other.seconds)

    def after(self, moment: datetime) -> datetime:
        """Add the duration by the calendar in UTC, the day clamped to the month's last: 31 August + `P6M` is 28 February.

        Raises:
            ValueError: for a naive datetime.
            OverflowError: past the year 9999.
        """
        if moment.tzinfo is None:
            raise ValueError("A moment needs a time zone.")
        try:
            return moment.astimezone(UTC) + relativedelta(
                months=self.months, days=self.days, seconds=self.seconds
            )
        except ValueError as error:
            raise OverflowError("The moment lies past the year 9999.") from error

    def seconds_from(self, start: int) -> int:
        """Add the duration to whole seconds since the epoch, and give the same.

        Raises:
            OverflowError: when start or end lies outside the years 1 to 9999.
        """
        try:
            moment = datetime.fromtimestamp(start, UTC)
        except (ValueError, OSError) as error:
            raise OverflowError("The start lies outside the calendar.") from error
        return int(self.after(moment).timestamp())

    @classmethod
    def validated(cls, value: object) -> "Duration":
        """Take a Duration or its text, as a pydantic validator."""
        if isinstance(value, cls):
            return value
        remedy = 'Write it as ISO 8601 does: "P6M" for six months, "P90D" for ninety days, "PT30M" for half an hour.'
        if not isinstance(value, str):
            raise invalid("A duration is a text.", remedy)
        try:
            return cls.parse(value)
        except ValueError as error:
            raise invalid(str(error), remedy) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a Duration or its ISO 8601 form; dump the latter."""
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
        """Describe the text form."""
        date, time = "([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?", "([0-9]+H)?([0-9]+M)?([0-9]+S)?"
        return {
            "type": "string",
            "pattern": f"^P(?=[0-9T]){date}(T(?=[0-9]){time})?$",
            "examples": ["P6M", "P90D"],
        }
