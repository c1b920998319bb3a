"""What the headers of a response say about its body: whether it is a complete HTML page, and how it is compressed."""

from collections.abc import Iterable
from enum import Enum

__all__ = ["Obstacle", "content_codings", "html_and_cookies", "is_for_people", "obstacle_in"]

Headers = Iterable[tuple[bytes, bytes]]

_METHODS_OF_PAGES = frozenset({"GET", "HEAD", "POST"})
# No content, reset content, partial content (RFC 9110 section 15.3).
_WITHOUT_A_PAGE = frozenset({204, 205, 206})


def html_and_cookies(headers: Headers) -> tuple[bool, bool]:
    """Return whether a response's headers announce HTML, and whether they set cookies."""
    is_html = sets_cookies = False
    for name, value in headers:
        # By length first: hardly any other field name of a response has 12 letters, or 10.
        size = len(name)
        if size == 12:
            # Cheap reject: "application/...", "image/..." and "font/..." sort before b"t"; a capital first letter sorts
            # before b"a".
            if (value > b"t" or value < b"a") and value[:9].lower() == b"text/html":
                is_html = is_html or name.lower() == b"content-type"
        elif size == 10 and name.lower() == b"set-cookie":
            sets_cookies = True
    return is_html, sets_cookies


def content_codings(headers: Headers) -> list[bytes]:
    """Return the compressions of the body in the order in which they were applied, in lower case and without `identity`."""
    return [
        coding
        for name, value in headers
        if name.lower() == b"content-encoding"
        for coding in (part.strip().lower() for part in value.split(b","))
        if coding not in (b"", b"identity")
    ]


class Obstacle(Enum):
    """Why nothing is inserted into an HTML response. The values are words that follow "because"."""

    CHARSET = "it is not in UTF-8"
    ENCODED = "its compression cannot be undone"
    ATTACHMENT = "it is an attachment"
    PART = "it is a part of a larger response"
    FRAGMENT = "it begins with neither a doctype nor <html>"
    FRAME = "it is shown in a frame"
    EXCLUDED = "its path is excluded"


def is_for_people(method: str, status: int) -> bool:
    """Return whether people look at HTML with this status in response to this method, also at an error or after a form."""
    return method in _METHODS_OF_PAGES and not (300 <= status < 400 or status in _WITHOUT_A_PAGE)


def obstacle_in(headers: Headers) -> Obstacle | None:
    """Return why nothing is inserted into an HTML response, judging by its headers; None for a complete page in UTF-8."""
    for header_name, value in headers:
        name = header_name.lower()
        if name == b"content-range":
            return Obstacle.PART
        if name == b"content-disposition" and value.strip().lower().startswith(b"attachment"):
            return Obstacle.ATTACHMENT
        if name == b"content-type" and not _is_html_in_utf8(value):
            return Obstacle.CHARSET
    return None


def _is_html_in_utf8(content_type: bytes) -> bool:
    """Return whether a Content-Type is HTML in UTF-8, also without a charset: HTML allows no other (section 4.2.5.4)."""
    media_type, *parameters = content_type.lower().split(b";")
    if media_type.strip() != b"text/html":
        return False
    for parameter in parameters:
        name, _, charset = parameter.partition(b"=")
        if name.strip() == b"charset":
            return charset.strip(b" \t\"'") in (b"utf-8", b"utf8")
    return True
