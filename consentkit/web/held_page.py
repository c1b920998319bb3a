"""An HTML page whose headers wait for its first bytes, because those tell whether it is a whole document."""

from consentkit.headers import caching
from consentkit.html import Inserter

__all__ = ["LONGEST_DOUBT", "HeldPage"]

Headers = list[tuple[bytes, bytes]]

LONGEST_DOUBT = 16 * 1024
"""Bytes of comments and white space at the beginning that are held until it is known whether a document follows."""


class HeldPage:
    """A page between the application's response start and the moment when its headers are decided.

    Attributes:
        headers: the application's, without the cookies that the gate dropped.
        is_held: whether the headers still wait.
        arrival: markup that tells where the visitor's choice came from; empty on most pages.
    """

    __slots__ = ("_early", "_inserter", "arrival", "headers", "is_held")

    def __init__(self, headers: Headers, inserter: Inserter, *, arrival: bytes) -> None:
        self.headers = headers
        self.arrival = arrival
        self.is_held = True
        self._inserter = inserter
        self._early = b""

    def feed(self, chunk: bytes, more: bool) -> bytes | None:
        """Take a piece of the body; return what leaves, or None while it is still in doubt whether a document follows."""
        out = self._early + self._inserter.feed(bytes(chunk), more)
        if more and self._inserter.complete is None and len(out) < LONGEST_DOUBT:
            self._early = out
            return None
        self._early = b""
        return out

    def feed_after(self, chunk: bytes, more: bool) -> bytes:
        """Take a piece of the body after the headers have left; return what leaves."""
        return self._inserter.feed(bytes(chunk), more)

    @property
    def is_document(self) -> bool:
        """Whether the bytes so far do not rule out that this is a whole document, so that our markup goes in."""
        return self._inserter.complete is not False

    def headers_with_markup(self, length: int | None) -> Headers:
        """Return the headers for a body that has our markup in it; `length` is its size where all of it is known."""
        headers = caching.without_body_fields(self.headers)
        if length is not None and not caching.values(headers, b"transfer-encoding"):
            headers.append((b"content-length", b"%d" % length))
        return headers
