"""What is remembered of Cookie headers that were sent before: that nothing in them is to be hidden, and where our cookie stands.

Only hashes of whole headers are kept, with a place, since they hold other people's secrets. Python's hash of bytes is keyed
(SipHash) and 64 bits wide; where two headers share one all the same, what stands at the place is no token that was ever
verified, and counts as none.
"""

from consentkit._bounded_cache import BoundedCache
from consentkit.enforcement.cookie_gate import CookieGate

__all__ = ["CookieHeaderCache"]

LONGEST = 4096
"""Octets of the longest header that is remembered."""
_REMEMBERED = 8192
_NAMES_REMEMBERED = 2048
_LONGEST_NAME = 256

Span = tuple[int, int]

_HARMLESS, _OURS, _ODD = 1, 2, 3


class CookieHeaderCache:
    """Remember Cookie headers.

    Attributes:
        spans: by the hash of a header, start and end of our cookie's value; the end is 0 where it holds none. What is here
            need not be searched for declared cookies.
    """

    __slots__ = ("_gate", "_kinds", "_name", "spans")

    def __init__(self, name: bytes, gate: CookieGate) -> None:
        """Take the name of our cookie."""
        self._name = name
        self._gate = gate
        self._kinds: BoundedCache[bytes, int] = BoundedCache(_NAMES_REMEMBERED)
        self.spans: BoundedCache[int, Span] = BoundedCache(_REMEMBERED)

    def remember(self, header: bytes) -> Span | None:
        """Find our cookie in a header; None where it has to be read whole, as it is odd, or holds something to hide."""
        if len(header) > LONGEST:
            return None
        kinds = self._kinds
        place, start = (0, 0), 0
        for pair in header.split(b";"):
            name, equals, value = pair.partition(b"=")
            kind = kinds.get(name) or self._kind(name)
            if kind != _HARMLESS:
                if kind == _ODD or place[1] or not equals or value.strip(b" \t") != value:
                    return None
                end = start + len(pair)
                place = (end - len(value), end)
            start += len(pair) + 1
        self.spans[hash(header)] = place
        return place

    def _kind(self, name: bytes) -> int:
        """Say what a cookie is, by all that stands before its first `=`."""
        plain = name.strip(b" \t")
        kind = _HARMLESS if plain and not self._gate.may_hide(name) else _ODD
        if plain == self._name:
            kind = _OURS
        if len(name) <= _LONGEST_NAME:
            self._kinds[name] = kind
        return kind
