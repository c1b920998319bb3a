"""An HTML page whose headers wait for its first bytes, because the bytes show whether it is a whole document."""

from consentkit.headers import caching
from consentkit.html import Inserter

__all__ = ["LONGEST_DOUBT", "HeldPage"]

Headers = list[tuple[bytes, bytes]]

LONGEST_DOUBT = 16 * 1024
"""At most this many bytes of leading comments and white space wait for the beginning of a document."""


class HeldPage:
    """A page from the start of the application's response until its last byte.

    Attributes:
        status: of the response.
        headers: the application's, without the cookies that are not allowed.
        is_held: whether the headers still wait.
        confirmation: markup that confirms what the visitor just did; empty on most pages.
    """

    __slots__ = ("_early", "_inserter", "confirmation", "headers", "is_held", "status")

    def __init__(self, status: int, headers: Headers, inserter: Inserter, *, confirmation: bytes) -> None:
        self.status = status
        self.headers = headers
        self.confirmation = confirmation
        self.is_held = True
        self._inserter = inserter
        self._early = b""

    def feed(self, chunk: bytes, more: bool) -> bytes | None:
        """Return the bytes to send after a chunk of the body, or None while it is unknown whether a document follows."""
        out = self._early + self._inserter.feed(bytes(chunk), more)
        if more and self._inserter.complete is None and len(out) < LONGEST_DOUBT:
            self._early = out
            return None
        self._early = b""
        return out

    def feed_after(self, chunk: bytes, more: bool) -> bytes:
        """Return the bytes to send for a chunk that follows the headers."""
        return self._inserter.feed(bytes(chunk), more)

    @property
    def is_document(self) -> bool:
        """Whether our markup is inserted, because the bytes so far can begin a whole document."""
        return self._inserter.complete is not False

    def headers_with_markup(self, length: int | None) -> Headers:
        """Return the headers for the body with our markup; `length` is its size, or None if more follows."""
        headers = caching.without_body_fields(self.headers)
        if length is not None and not caching.values(headers, b"transfer-encoding"):
            headers.append((b"content-length", b"%d" % length))
        return headers
