"""When browsers let a cookie end, as its Set-Cookie line says (RFC 6265bis, sections 5.6 and 5.7)."""

import re
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import TypeVar

__all__ = ["Lifetime", "clamp", "cookie_date", "deletion", "lifetime", "read_attributes"]

_T = TypeVar("_T")

_LIFETIME = re.compile(rb"(;[ \t]*(?:(max-age)|expires)[ \t]*=[ \t]*)([^;]*)", re.IGNORECASE)
_SECONDS = re.compile(rb"-?[0-9]{1,1024}")
_LONGEST = 10**10
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_DATE_TOKENS = re.compile(r"[^\t -/;-@\[-`{-~]+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Lifetime:
    """What a line says about its cookie's end, as the RFC reads it and as Chromium does.

    Max-Age wins over Expires, and the last of several counts; where that one is invalid, the RFC goes back to the one
    before, and Chromium does not. What neither gives an end goes with the session.

    Attributes:
        stays: whether some browser may keep the cookie, at whatever time it gets the line.
        age: the longest that it may be kept, in seconds; not above 0 where no reading says.
        date: the latest end that is given as a moment, in seconds since the epoch; 0 where no reading goes by one.
    """

    __slots__ = ("age", "date", "stays")

    def __init__(self, ages: list[int | None], dates: list[float | None]) -> None:
        # Of each reading: seconds from now, or else the moment.
        readings = (
            (_last_valid(ages), _last_valid(dates)),
            (ages[-1] if ages else None, dates[-1] if dates else None),
        )
        self.stays = any((age is None and date is None) or (age or 0) > 0 for age, date in readings)
        self.age = max(age or 0 for age, _ in readings)
        self.date = max(date or 0.0 if age is None else 0.0 for age, date in readings)

    def deletes(self, now: float) -> bool:
        """Say whether every browser takes the line for a deletion; `now` in seconds since the epoch."""
        return not self.stays and self.latest(now) <= now

    def latest(self, now: float) -> float:
        """Return the latest end, in seconds since the epoch; that of a session, or of a deletion, is 0."""
        if self.age <= 0:
            return max(self.date, 0.0)
        return max(self.date, now + self.age)


def lifetime(value: bytes) -> Lifetime | None:
    """Read what a Set-Cookie value says about its cookie's end; None where it says nothing."""
    at = value.find(b";")
    return None if at < 0 else read_attributes(value[at:])


def clamp(value: bytes, now: float, end: int) -> bytes:
    """Write a line anew so that its cookie ends then, whichever attribute a browser goes by."""
    pair, semicolon, attributes = value.partition(b";")
    form = _form(semicolon + attributes)
    return pair + form % {b"left": end - int(now), b"date": _written(end)}


# Applications write the same attributes again and again.
@lru_cache(maxsize=512)
def read_attributes(attributes: bytes) -> Lifetime | None:
    """Read what follows a cookie's value, from the first semicolon on, as `lifetime` does."""
    found = _LIFETIME.findall(attributes)
    ages = [_seconds(text) for _, is_age, text in found if is_age]
    dates = [cookie_date(text) for _, is_age, text in found if not is_age]
    return Lifetime(ages, dates) if found else None


def _last_valid(values: list[_T | None]) -> _T | None:
    return next((value for value in reversed(values) if value is not None), None)


@lru_cache(maxsize=512)
def _form(attributes: bytes) -> bytes:
    """Leave a place for the seconds in each Max-Age, of which there is one at least, and for the date in each Expires."""
    form = _LIFETIME.sub(
        lambda found: found[1] + (b"%(left)d" if found[2] else b"%(date)b"), attributes.replace(b"%", b"%%")
    )
    return form if b"%(left)d" in form.replace(b"%%", b"") else form + b"; Max-Age=%(left)d"


@lru_cache(maxsize=512)
def _written(moment: int) -> bytes:
    return formatdate(moment, usegmt=True).encode()


def _seconds(text: bytes) -> int | None:
    digits = text.strip(b" \t")
    return min(int(digits), _LONGEST) if _SECONDS.fullmatch(digits) else None


@lru_cache(maxsize=512)
def cookie_date(text: bytes) -> float | None:
    """Read the date of an Expires attribute, in seconds since the epoch; None where it is none (section 5.6.1)."""
    time = day = month = year = None
    for token in _DATE_TOKENS.findall(text.decode("latin-1")):
        if time is None and (found := _TIME.match(token)):
            time = found
        elif day is None and (found := _DAY.match(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.match(token)):
            year = int(found[1])
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
    """Write the Set-Cookie value that expires a cookie in the place where it is stored."""
    parts = [f"{name}=", "Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT", f"Path={path}"]
    if domain:
        parts.append(f"Domain={domain}")
    if partitioned or name.startswith("__"):
        parts.append("Secure")
    parts.append("SameSite=Lax")
    if partitioned:
        parts.append("Partitioned")
    return "; ".join(parts)
