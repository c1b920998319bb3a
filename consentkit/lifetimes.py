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


def endings(value: bytes, now: float) -> list[float | None]:
    """Return when a cookie ends as the RFC reads its line, and as Chromium does; nothing where nothing is said.

    In seconds since the epoch; None is the end of the session. Max-Age wins over Expires, and the last of several counts.
    Where that one is invalid, the RFC goes back to the one before, and Chromium does not.
    """
    found = _LIFETIME.findall(value)
    if not found:
        return []
    ages = [_after(text, now) for _, is_age, text in found if is_age]
    dates = [cookie_date(text) for _, is_age, text in found if not is_age]
    return [
        next((end for end in (*reversed(ages), *reversed(dates)) if end is not None), None),
        next((end for end in (*ages[-1:], *dates[-1:]) if end is not None), None),
    ]


def deletes(ends: list[float | None], now: float) -> bool:
    """Say whether every browser takes a line with these endings for a deletion."""
    for end in ends:
        if end is None or end > now:
            return False
    return bool(ends)


def latest(ends: list[float | None]) -> float:
    """Return the latest of these endings; that of a session counts as past."""
    return max((end or 0.0 for end in ends), default=0.0)


def clamp(value: bytes, now: float, end: int) -> bytes:
    """Write a line anew so that its cookie ends then, whichever attribute a browser goes by."""
    left = b"%d" % (end - int(now))
    date = formatdate(end, usegmt=True).encode()
    written = _LIFETIME.sub(lambda found: found[1] + (left if found[2] else date), value)
    return written if any(found[2] for found in _LIFETIME.finditer(value)) else written + b"; Max-Age=" + left


def _after(text: bytes, now: float) -> float | None:
    seconds = text.strip(b" \t")
    if not _SECONDS.fullmatch(seconds):
        return None
    return now + min(int(seconds), _LONGEST) if int(seconds) > 0 else 0.0


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
