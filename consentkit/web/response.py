"""Responses that the library itself makes: status, raw headers and body, which every host can send."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from consentkit.headers import RawHeaders

__all__ = ["Response", "content", "html", "json_document", "no_content", "not_modified", "redirect"]

# Characters with a meaning in an address, which a redirect's Location keeps unescaped.
_SAFE_IN_ADDRESS = ":/%#?=@[]!$&'()*+,;"

NamedHeaders = Mapping[str, str]


@dataclass(slots=True)
class Response:
    """A response that the library itself makes.

    Attributes:
        status: HTTP status code.
        headers: pairs of raw bytes, names in lower case.
        body: the whole body, even for HEAD, where servers send none.
    """

    status: int
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def add(self, name: str, value: str) -> None:
        """Add a header."""
        self.headers.append((name.encode("latin-1"), value.encode("latin-1")))

    def add_missing(self, headers: RawHeaders) -> None:
        """Add the headers whose names the response does not have yet."""
        present = {name for name, _ in self.headers}
        self.headers += [(name, value) for name, value in headers if name not in present]


def _response(status: int, headers: NamedHeaders | None, body: bytes, content_type: str = "") -> Response:
    response = Response(status, body=body)
    for name, value in (headers or {}).items():
        response.add(name, value)
    if status not in (204, 304):
        response.add("content-length", str(len(body)))
    if content_type:
        response.add("content-type", content_type)
    return response


def content(body: bytes, content_type: str, headers: NamedHeaders | None = None) -> Response:
    """Return a response with a file."""
    return _response(200, headers, body, content_type)


def html(text: str, status: int = 200, headers: NamedHeaders | None = None) -> Response:
    """Return a response with an HTML page in UTF-8."""
    return _response(status, headers, text.encode(), "text/html; charset=utf-8")


def json_document(
    value: Any, status: int = 200, headers: NamedHeaders | None = None, media_type: str = "application/json"
) -> Response:
    """Return a response with a JSON document in UTF-8 (RFC 8259)."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _response(status, headers, text.encode(), media_type)


def redirect(address: str, headers: NamedHeaders | None = None) -> Response:
    """Return a redirect to a page that the browser then requests with GET (303, RFC 9110 section 15.4.4)."""
    response = _response(303, headers, b"")
    response.add("location", quote(address, safe=_SAFE_IN_ADDRESS))
    return response


def no_content(headers: NamedHeaders | None = None) -> Response:
    """Return a response without a body (204)."""
    return _response(204, headers, b"")


def not_modified(headers: NamedHeaders) -> Response:
    """Return a response for a browser that still has the file (304)."""
    return _response(304, headers, b"")
