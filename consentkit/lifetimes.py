"""When browsers let a cookie end, as its Set-Cookie line says (RFC 6265bis, sections 5.6 and 5.7)."""

import re
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

__all__ = ["clamp", "cookie_date", "deletes", "endings", "latest"]

_LIFETIME = re.compile(rb"(;[ \t]*(?:(max-age)|expires)[ \t]*=[ \t]*)([^;]*)", re.IGNORECASE)
_SECONDS = re.compile(rb"-?[0-9]{1,1024}")
_LONGEST = 10**10
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_DATE_TOKENS = re.compile(r"[^\t -/;-@\[-`{-~]+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def endings(value: bytes, now: float) -> tuple[float | None, ...]:
    """Return when a cookie ends as the RFC reads its line, and as Chromium does; nothing where nothing is said.

    In seconds since the epoch; None is the end of the session. Max-Age wins over Expires, and the last of several counts.
    Where that one is invalid, the RFC goes back to the one before, and Chromium does not.
    """
    at = value.find(b";")
    if at < 0:
        return ()
    said = _read(value[at:])
    if said is None:
        return ()
    after, at_last_after, end, at_last_end = said
    return (
        end if after is None else now + after if after > 0 else 0.0,
        at_last_end if at_last_after is None else now + at_last_after if at_last_after > 0 else 0.0,
    )


def deletes(ends: tuple[float | None, ...], now: float) -> bool:
    """Say whether every browser takes a line with these endings for a deletion."""
    for end in ends:
        if end is None or end > now:
            return False
    return bool(ends)


def latest(ends: tuple[float | None, ...]) -> float:
    """Return the latest of these endings; that of a session counts as past."""
    found = 0.0
    for end in ends:
        if end is not None and end > found:
            found = end
    return found


def clamp(value: bytes, now: float, end: int) -> bytes:
    """Write a line anew so that its cookie ends then, whichever attribute a browser goes by."""
    left = b"%d" % (end - int(now))
    aged = False

    def shorten(found: re.Match[bytes]) -> bytes:
        nonlocal aged
        aged = aged or found[2] is not None
        return found[1] + (left if found[2] else formatdate(end, usegmt=True).encode())

    written = _LIFETIME.sub(shorten, value)
    return written if aged else written + b"; Max-Age=" + left


# Applications write the same attributes again and again.
@lru_cache(maxsize=512)
def _read(attributes: bytes) -> tuple[int | None, int | None, float | None, float | None] | None:
    """Read the last valid Max-Age, the last one if it is valid, and the same of Expires; None where there is neither."""
    found = _LIFETIME.findall(attributes)
    ages = [_seconds(text) for _, is_age, text in found if is_age]
    dates = [cookie_date(text) for _, is_age, text in found if not is_age]
    if not found:
        return None
    return (
        next((age for age in reversed(ages) if age is not None), None),
        ages[-1] if ages else None,
        next((date for date in reversed(dates) if date is not None), None),
        dates[-1] if dates else None,
    )


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
