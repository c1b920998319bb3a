"""When a cookie expires in browsers, by Max-Age and Expires of its Set-Cookie line (RFC 6265bis, sections 5.6 and 5.7)."""

import re
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import TypeVar

__all__ = ["Lifetime", "clamp", "cookie_date", "deletion", "lifetime", "read_attributes"]

_T = TypeVar("_T")

# An attribute without `=` has an empty value, which is invalid.
_EXPIRY_ATTRIBUTE = re.compile(
    rb"(;[ \t]*(?:(max-age)|expires)[ \t]*(?:=[ \t]*|(?=;|\Z)))([^;]*)", re.IGNORECASE
)
_SECONDS = re.compile(rb"-?[0-9]{1,1024}")
_LONGEST_AGE = 10**10
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_DATE_TOKENS = re.compile(r"[^\t -/;-@\[-`{-~]+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Lifetime:
    """The lifetime of a cookie by its Max-Age and Expires attributes, as the RFC reads them and as Chromium does.

    Max-Age takes precedence over Expires. If an attribute is repeated, the last one counts. If the last one is invalid,
    the RFC uses the last valid one, and Chromium none. A cookie without a valid attribute lasts for the session.

    Attributes:
        stays: whether some browser may keep the cookie, whenever it receives the line.
        age: the longest Max-Age of both readings, in seconds; 0 or less if neither has one.
        date: the latest Expires of both readings, in seconds since the epoch; 0 if neither uses one.
    """

    __slots__ = ("age", "date", "stays")

    def __init__(self, ages: list[int | None], dates: list[float | None]) -> None:
        # Of each reading: Max-Age and Expires.
        readings = (
            (_last_valid(ages), _last_valid(dates)),
            (ages[-1] if ages else None, dates[-1] if dates else None),
        )
        self.stays = any((age is None and date is None) or (age or 0) > 0 for age, date in readings)
        self.age = max(age or 0 for age, _ in readings)
        self.date = max(date or 0.0 if age is None else 0.0 for age, date in readings)

    def deletes(self, now: float) -> bool:
        """Return whether the line makes every browser delete the cookie; `now` in seconds since the epoch."""
        return not self.stays and self.latest(now) <= now

    def latest(self, now: float) -> float:
        """Return when the cookie expires at the latest, in seconds since the epoch; 0 for a session or a deletion."""
        if self.age <= 0:
            return max(self.date, 0.0)
        return max(self.date, now + self.age)


def lifetime(value: bytes) -> Lifetime | None:
    """Return the lifetime in a Set-Cookie value, or None if it has neither Max-Age nor Expires."""
    semicolon = value.find(b";")
    return None if semicolon < 0 else read_attributes(value[semicolon:])


def clamp(value: bytes, now: float, end: int) -> bytes:
    """Return a Set-Cookie value whose cookie expires at `end` by each of its attributes; times in seconds since the epoch."""
    pair, semicolon, attributes = value.partition(b";")
    template = _expiry_template(semicolon + attributes)
    return pair + template % {b"age": end - int(now), b"date": _http_date(end)}


# Applications send the same few attributes with all their cookies.
@lru_cache(maxsize=512)
def read_attributes(attributes: bytes) -> Lifetime | None:
    """Return the lifetime in the attributes of a Set-Cookie value, from the first semicolon on, as `lifetime` does."""
    matches = _EXPIRY_ATTRIBUTE.findall(attributes)
    ages = [_seconds(text) for _, is_age, text in matches if is_age]
    dates = [cookie_date(text) for _, is_age, text in matches if not is_age]
    return Lifetime(ages, dates) if matches else None


def _last_valid(values: list[_T | None]) -> _T | None:
    return next((value for value in reversed(values) if value is not None), None)


@lru_cache(maxsize=512)
def _expiry_template(attributes: bytes) -> bytes:
    """Return attributes with placeholders for the age in each Max-Age, which is added if absent, and for each date."""

    def placed(match: re.Match[bytes]) -> bytes:
        start = match[1] if b"=" in match[1] else match[1] + b"="
        return start + (b"%(age)d" if match[2] else b"%(date)b")

    template = _EXPIRY_ATTRIBUTE.sub(placed, attributes.replace(b"%", b"%%"))
    return template if b"%(age)d" in template.replace(b"%%", b"") else template + b"; Max-Age=%(age)d"


@lru_cache(maxsize=512)
def _http_date(moment: int) -> bytes:
    return formatdate(moment, usegmt=True).encode()


def _seconds(text: bytes) -> int | None:
    number = text.strip(b" \t")
    return min(int(number), _LONGEST_AGE) if _SECONDS.fullmatch(number) else None


@lru_cache(maxsize=512)
def cookie_date(text: bytes) -> float | None:
    """Return the date of an Expires attribute in seconds since the epoch, or None if it is invalid (section 5.6.1)."""
    time = day = month = year = None
    for token in _DATE_TOKENS.findall(text.decode("latin-1")):
        if time is None and (match := _TIME.match(token)):
            time = match
        elif day is None and (match := _DAY.match(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _YEAR.match(token)):
            year = int(match[1])
    if time is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    hour, minute, second = map(int, time.groups())
    if year < 1601:
        return None
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def deletion(name: str, path: str, domain: str | None, partitioned: bool) -> str:
    """Return the Set-Cookie value that expires a cookie stored under this name, path, domain and partition."""
    parts = [f"{name}=", "Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT", f"Path={path}"]
    if domain:
        parts.append(f"Domain={domain}")
    if partitioned or name.startswith("__"):
        parts.append("Secure")
    parts.append("SameSite=Lax")
    if partitioned:
        parts.append("Partitioned")
    return "; ".join(parts)
