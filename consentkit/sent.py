"""What is remembered of Cookie headers that were sent before: that nothing in them is to be hidden, and where our cookie stands.

Only hashes of whole headers are kept, with a place, since they hold other people's secrets. Python's hash of bytes is keyed
(SipHash) and 64 bits wide; where two headers share one all the same, what stands at the place is no token that was ever
verified, and counts as none.
"""

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

    __slots__ = ("_gate", "_name", "places")

    def __init__(self, name: bytes, gate: CookieGate) -> None:
        """Take the name of our cookie."""
        self._name = name
        self._gate = gate
        self.places: dict[int, Place] = {}

    def learn(self, header: bytes) -> Place | None:
        """Find our cookie in a header; None where it has to be read whole, as it is odd, or holds something to hide."""
        if len(header) > LONGEST or self._gate.strip(header, _nothing) is not header:
            return None
        name = self._name
        place: Place | None = (0, 0)
        if name in header:
            place = self._find(header, name + b"=") if _plainly(header, name) else None
        if place is not None:
            if len(self.places) >= _REMEMBERED:
                self.places.clear()
            self.places[hash(header)] = place
        return place

    def _find(self, header: bytes, pair: bytes) -> Place | None:
        before, found, after = header.partition(pair)
        if not found:
            return 0, 0
        value = after.partition(b";")[0]
        if pair in after or value.strip(b" \t") != value or (before and before[-2:] != b"; "):
            return None
        start = len(before) + len(pair)
        return start, start + len(value)


def _plainly(header: bytes, name: bytes) -> bool:
    """Say whether each cookie that is named like ours, or like its companions, is written as browsers write it."""
    return header.count(name) == header.count(name + b"=") + header.count(name + b"-")


def _nothing(category: str, vendor: str | None) -> bool:
    return False
