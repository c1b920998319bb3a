"""Compare the lifetime and place of a cookie with what the policy declares.

A withdrawal deletes cookies in the place that is declared, so a cookie that is set elsewhere stays. Its lifetime is what
visitors were told. Attributes are read as browsers read them (RFC 6265bis, section 5.6): the last one of a name counts.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from consentkit.headers import lifetime
from consentkit.policy import Duration, Tracker

__all__ = ["CookieAttributes", "Deviation", "attributes_of", "deviation"]

_DAY = 86_400
_HOUR = 3_600
_MINUTE = 60
# The longest Duration.
_CENTURY = 36_525 * _DAY
# Browsers ignore longer attributes.
_LONGEST_ATTRIBUTE = 1024


class CookieAttributes(NamedTuple):
    """How long and where a browser stores a cookie."""

    lifetime: int | None
    """In seconds; None for a session cookie."""
    path: str | None
    """None if the line has none, so that the browser takes the folder of the page."""
    domain: str | None
    """In lower case, without a leading dot; None for a host-only cookie."""
    partitioned: bool
    """Whether the cookie is Partitioned (CHIPS)."""


class Deviation(NamedTuple):
    """How a cookie differs from its declaration."""

    tracker: Tracker
    """The declaration, the closest one if there are several."""
    differences: tuple[str, ...]
    """Each with both values, such as `lifetime P14D instead of session`."""


def attributes_of(value: bytes, now: float) -> CookieAttributes | None:
    """Return the attributes of a Set-Cookie value, or None if it deletes the cookie; `now` in seconds since the epoch."""
    life = lifetime(value)
    if life is not None and life.deletes(now):
        return None
    seconds = round(life.latest(now) - now) if life is not None else 0
    attributes = {}
    for part in value.split(b";")[1:]:
        name, _, text = part.partition(b"=")
        if len(text) <= _LONGEST_ATTRIBUTE:
            attributes[name.strip(b" \t").lower()] = text.strip(b" \t").decode("latin-1")
    path = attributes.get(b"path", "")
    return CookieAttributes(
        lifetime=seconds if seconds > 0 else None,
        path=path if path.startswith("/") else None,
        domain=_normalized(attributes.get(b"domain")),
        partitioned=b"partitioned" in attributes,
    )


def deviation(attributes: CookieAttributes, trackers: Iterable[Tracker]) -> Deviation | None:
    """Return how a cookie differs from its declarations, or None if it is as one of them says.

    Cookies on a vendor's own domain are set by the vendor, so their declarations do not count.
    """
    deviations = [
        Deviation(tracker, tuple(_differences(attributes, tracker)))
        for tracker in trackers
        if not tracker.third_party
    ]
    closest = min(deviations, key=lambda each: len(each.differences), default=None)
    return closest if closest is not None and closest.differences else None


def _differences(attributes: CookieAttributes, tracker: Tracker) -> Iterator[str]:
    declared = tracker.lifetime
    if not _is_within(attributes.lifetime, declared):
        spelled = (declared.written or declared) if isinstance(declared, Duration) else declared
        yield f"lifetime {_spelled(attributes.lifetime)} instead of {spelled}"
    if attributes.path != tracker.path:
        yield f"path {_printable(attributes.path or 'none')} instead of {tracker.path}"
    if attributes.domain != _normalized(tracker.domain):
        yield f"domain {_printable(attributes.domain or 'none')} instead of {tracker.domain or 'none'}"
    if attributes.partitioned != tracker.partitioned:
        yield f"partitioned {attributes.partitioned} instead of {tracker.partitioned}".lower()


def _is_within(seconds: int | None, declared: Duration | str) -> bool:
    """Return whether a lifetime is about the declared one: at least nine tenths of it, and at most a minute longer."""
    if not isinstance(declared, Duration) or seconds is None:
        return seconds is None and not isinstance(declared, Duration)
    # `days_at_most` rounds up to whole days.
    days = declared.days_at_most - (1 if declared.seconds else 0)
    longest = days * _DAY + declared.seconds
    return 0.9 * longest <= seconds <= longest + _MINUTE


def _spelled(seconds: int | None) -> str:
    """Return a lifetime as the policy file spells it, to the minute where that is accurate enough."""
    if seconds is None:
        return "session"
    if seconds >= _HOUR:
        # A date is up to a few seconds off, because the application and this library do not read the clock at once.
        seconds = round(seconds / _MINUTE) * _MINUTE
    return str(Duration(seconds=max(1, min(seconds, _CENTURY))))


def _normalized(domain: str | None) -> str | None:
    return (domain or "").removeprefix(".").lower() or None


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else ascii(text)
