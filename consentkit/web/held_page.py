"""An HTML page whose headers wait for its first bytes, because the bytes show whether it is a whole document."""

from consentkit.headers import Obstacle, caching
from consentkit.html import Inserter
from consentkit.web.recoding import Recoder

__all__ = ["LONGEST_DOUBT", "HeldPage", "headers_with_markup"]

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
        asks: whether the markup has the banner.
    """

    __slots__ = (
        "_early",
        "_inserter",
        "_is_broken",
        "_received",
        "_recoder",
        "asks",
        "confirmation",
        "headers",
        "is_held",
        "status",
    )

    def __init__(
        self,
        status: int,
        headers: Headers,
        inserter: Inserter,
        *,
        confirmation: bytes,
        asks: bool = False,
        recoder: Recoder | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.confirmation, self.asks = confirmation, asks
        self.is_held = True
        self._inserter = inserter
        self._early = b""
        self._recoder = recoder
        # The compressed bytes, which leave as they are if this is no page.
        self._received = b""
        self._is_broken = False

    def feed(self, chunk: bytes, more: bool) -> bytes | None:
        """Return the bytes to send after a chunk of the body, or None while it is unknown whether a document follows."""
        piece = bytes(chunk)
        if self._recoder is None:
            return self._feed_plain(piece, more)
        self._received += piece
        decoded = self._recoder.decode(piece)
        if decoded is None:
            self._is_broken = True
            self._inserter.complete = False
            return self._received
        out = self._feed_plain(decoded, more)
        if out is None:
            return None
        received, self._received = self._received, b""
        return self._recoder.encode(out, more) if self.is_document else received

    def _feed_plain(self, piece: bytes, more: bool) -> bytes | None:
        out = self._early + self._inserter.feed(piece, more)
        if more and self._inserter.complete is None and len(out) < LONGEST_DOUBT:
            self._early = out
            return None
        self._early = b""
        return out

    def feed_after(self, chunk: bytes, more: bool) -> bytes:
        """Return the bytes to send for a chunk that follows the headers.

        Raises:
            ValueError: the page is not compressed as its headers say.
        """
        piece = bytes(chunk)
        if self._recoder is None:
            return self._inserter.feed(piece, more)
        decoded = self._recoder.decode(piece)
        if decoded is None:
            raise ValueError("The application's page is not compressed as its Content-Encoding says.")
        return self._recoder.encode(self._inserter.feed(decoded, more), more)

    @property
    def is_document(self) -> bool:
        """Whether our markup is inserted, because the bytes so far can begin a whole document."""
        return self._inserter.complete is not False

    @property
    def is_bare(self) -> bool:
        """Whether this is a document only because a browser shows it in a window."""
        return self._inserter.is_bare

    @property
    def obstacle(self) -> Obstacle:
        """Why nothing is inserted, if this is no document."""
        return Obstacle.ENCODED if self._is_broken else Obstacle.FRAGMENT

    def headers_with_markup(self, length: int | None) -> Headers:
        """Return the headers for the body with our markup; `length` is its size, or None if more follows."""
        headers = headers_with_markup(self.headers, self._recoder)
        if length is not None and not caching.values(headers, b"transfer-encoding"):
            headers.append((b"content-length", b"%d" % length))
        return headers


def headers_with_markup(headers: Headers, recoder: Recoder | None) -> Headers:
    """Return the headers for a body with our markup, of unknown size."""
    kept = caching.without_body_fields(headers)
    if recoder is None:
        return kept
    kept = [(name, value) for name, value in kept if name.lower() != b"content-encoding"]
    return kept if recoder.coding is None else [*kept, (b"content-encoding", recoder.coding)]
