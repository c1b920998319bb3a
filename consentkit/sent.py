"""What is remembered of Cookie headers that were sent before: that nothing in them is to be hidden, and where our cookie stands.

Only hashes of whole headers are kept, with a place, since they hold other people's secrets. Python's hash of bytes is keyed
(SipHash) and 64 bits wide; where two headers share one all the same, what stands at the place is no token that was ever
verified, and counts as none.
"""

import re

from consentkit.gate import CookieGate

__all__ = ["SentCookies"]

LONGEST = 4096
"""Octets of the longest header that is remembered."""
_REMEMBERED = 8192

Place = tuple[int, int]


class SentCookies:
    """Remember Cookie headers.

    Attributes:
        places: by the hash of a header, start and end of our cookie's value; the end is 0 where it holds none. What is here
            need not be searched for declared cookies.
    """

    __slots__ = ("_gate", "_ours", "places")

    def __init__(self, name: bytes, gate: CookieGate) -> None:
        """Take the name of our cookie."""
        self._gate = gate
        self._ours = re.compile(
            rb"(?:\A|;)[ \t]*" + re.escape(name) + rb"[ \t]*=[ \t]*([^;]*?)[ \t]*(?=;|\Z)"
        )
        self.places: dict[int, Place] = {}

    def learn(self, header: bytes) -> Place | None:
        """Find our cookie in a header; None where it has to be read whole, for several of them or something to hide."""
        if len(header) > LONGEST or self._gate.strip(header, _nothing) is not header:
            return None
        found = self._ours.findall(header)
        if len(found) > 1:
            return None
        match = self._ours.search(header)
        place = match.span(1) if match else (0, 0)
        if len(self.places) >= _REMEMBERED:
            self.places.clear()
        self.places[hash(header)] = place
        return place


def _nothing(category: str, vendor: str | None) -> bool:
    return False
