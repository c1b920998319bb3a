"""Request bodies: at most 16 KiB, of two media types. Any other body is refused."""

from collections.abc import Callable
from typing import TypeVar

from consentkit.errors import InvalidDecisionError
from consentkit.headers import RawHeaders, header_values
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.request_head import RequestHead

__all__ = ["FORM", "JSON", "BodyBuffer", "media_type", "parsed", "required_body", "wants_html"]

LARGEST_BODY = 16 * 1024
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

T = TypeVar("T")


class BodyBuffer:
    """Collects a request's body, up to 16 KiB.

    Received bytes are counted, because Content-Length may be wrong.

    Attributes:
        is_too_large: whether the body is larger, so that the host can stop reading.
    """

    def __init__(self, headers: RawHeaders) -> None:
        declared = header_values(headers, b"content-length")
        self.is_too_large = bool(declared and declared[0].isdigit() and int(declared[0][:20]) > LARGEST_BODY)
        self._received = bytearray()

    def add(self, chunk: bytes) -> None:
        """Add a chunk of the body."""
        self._received += chunk
        self.is_too_large = self.is_too_large or len(self._received) > LARGEST_BODY

    def whole(self) -> bytes | None:
        """Return the whole body, or None if it is too large."""
        return None if self.is_too_large else bytes(self._received)


def required_body(body: bytes | None) -> bytes:
    """Return a body.

    Raises:
        HTTPProblem: the body is None, which means that it was too large (413).
    """
    if body is None:
        raise HTTPProblem(413, "The body is larger than 16 KiB.")
    return body


def parsed(read: Callable[[], T]) -> T:
    """Return the result of a parser.

    Raises:
        HTTPProblem: the parser raised InvalidDecisionError (400).
    """
    try:
        return read()
    except InvalidDecisionError as error:
        raise HTTPProblem(400, str(error)) from None


def media_type(head: RequestHead) -> str:
    """Return the media type of a request's body; empty if the body is compressed or not in UTF-8."""
    types = header_values(head.headers, b"content-type")
    encodings = header_values(head.headers, b"content-encoding")
    if len(types) != 1 or any(value.strip().lower() not in (b"", b"identity") for value in encodings):
        return ""
    media_type, _, parameters = types[0].decode("latin-1").lower().partition(";")
    charset = parameters.strip().replace('"', "").removeprefix("charset=")
    return media_type.strip() if not parameters.strip() or charset in ("utf-8", "utf8") else ""


def wants_html(head: RequestHead) -> bool:
    """Return whether a person will read a refusal, because a form was sent or a browser navigates."""
    if media_type(head) == FORM:
        return True
    accept = b",".join(header_values(head.headers, b"accept"))
    return b"text/html" in accept and head.method in ("GET", "HEAD", "POST")
