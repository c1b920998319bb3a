"""Headers of Django's responses, as pairs of raw bytes and back.

Django has one value for each name, and cookies apart from the other headers.
"""

from collections.abc import Container
from http.cookies import Morsel
from typing import TYPE_CHECKING, Any, cast

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from consentkit.web import Response

if TYPE_CHECKING:
    StrMorsel = Morsel[str]
else:
    StrMorsel = Morsel

__all__ = ["SetCookieLine", "http_response", "raw_headers", "write_headers"]

Headers = list[tuple[bytes, bytes]]

_ATTRIBUTES = frozenset(
    ("expires", "path", "comment", "domain", "max-age", "secure", "httponly", "version", "samesite")
)


class SetCookieLine(StrMorsel):
    """A Set-Cookie value that is sent as it was written. Name, value and attributes can be read as of any cookie of Django."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line
        pair, *attributes = line.split(";")
        name, _, value = pair.partition("=")
        self.set(name.strip(), value, value)
        for attribute in attributes:
            key, is_valued, text = attribute.strip().partition("=")
            if key.lower() in _ATTRIBUTES:
                self[key.lower()] = text if is_valued else True

    def OutputString(self, attrs: Container[str] | None = None) -> str:
        """Return the line."""
        return self.line

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled by Django's caches. A Morsel would lose the line.
        return SetCookieLine, (self.line,)


def raw_headers(response: HttpResponseBase) -> Headers:
    """Return a response's headers, one field for each cookie."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    return headers + [(b"set-cookie", _raw_line(morsel)) for morsel in response.cookies.values()]


def _raw_line(morsel: StrMorsel) -> bytes:
    return morsel.OutputString().encode("latin-1", "replace")


def write_headers(response: HttpResponseBase, headers: Headers) -> None:
    """Replace a response's headers. Several values of one name become one list, but for cookies."""
    fields: dict[str, str] = {}
    lines: list[bytes] = []
    for raw_name, raw_value in headers:
        if raw_name == b"set-cookie":
            lines.append(raw_value)
            continue
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    for name in [name for name in response.headers if name.lower() not in fields]:
        del response.headers[name]
    written = {name.lower(): name for name in response.headers}
    for name, value in fields.items():
        if response.headers.get(name) != value:
            response.headers[written.get(name) or name.title()] = value
    _write_cookies(response, lines)


def _write_cookies(response: HttpResponseBase, lines: list[bytes]) -> None:
    """Replace a response's cookies by Set-Cookie values; those that are the same stay the objects that they are."""
    unchanged = {_raw_line(morsel): morsel for morsel in response.cookies.values()}
    response.cookies.clear()
    for line in lines:
        morsel: StrMorsel = unchanged.get(line) or SetCookieLine(line.decode("latin-1"))
        key = morsel.key
        while key in response.cookies:
            # The cookie is expired at several paths or domains. Only the value's `key` is sent.
            key += " "
        response.cookies[key] = morsel


def http_response(response: Response, headers: Headers, *, has_body: bool = True) -> HttpResponse:
    """Return a response of the library itself as Django's."""
    written = HttpResponse(response.body if has_body else b"", status=response.status)
    write_headers(written, headers)
    if "Location" in written:
        # As HttpResponseRedirect has it, for Django's test client.
        cast(Any, written).url = written["Location"]
    return written
