"""Requests as WSGI describes them (PEP 3333), which Django's requests carry too."""

from collections.abc import Iterator, Mapping
from typing import Any

from consentkit.web.endpoints import BodyBuffer
from consentkit.web.exchange import Exchange
from consentkit.web.request_head import RequestHead

__all__ = ["head_from_environ", "read_body", "visible_environ"]

Environ = Mapping[str, Any]

_FIELDS_WITHOUT_PREFIX = (("CONTENT_TYPE", b"content-type"), ("CONTENT_LENGTH", b"content-length"))
# The fields that the library reads. Reading all fields of a browser doubles the cost of a request.
_FIELDS = tuple(
    (f"HTTP_{name.upper().replace('-', '_')}", name.encode())
    for name in (
        "accept",
        "accept-encoding",
        "accept-language",
        "content-encoding",
        "cookie",
        "hx-boosted",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "origin",
        "purpose",
        "referer",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "sec-gpc",
        "sec-purpose",
        "transfer-encoding",
        "user-agent",
        "x-moz",
    )
)
# The only fields that an exchange changes for the application.
_FILTERED = (
    ("HTTP_COOKIE", b"cookie"),
    ("HTTP_IF_NONE_MATCH", b"if-none-match"),
    ("HTTP_IF_MATCH", b"if-match"),
    ("HTTP_IF_MODIFIED_SINCE", b"if-modified-since"),
)
_CHUNK = 8 * 1024


def head_from_environ(environ: Environ, *, every_field: bool = False) -> RequestHead:
    """Return the head of a request, with those of its fields that the library reads, or with every field.

    The environment has one value for each field name, and may have lost the order of the fields. A site's `location` may
    read any field.
    """
    fields = tuple(_every_field(environ)) if every_field else _FIELDS
    try:
        headers = [(name, environ[key].encode("latin-1")) for key, name in fields if key in environ]
    except UnicodeEncodeError:  # the server decoded the fields otherwise than PEP 3333 wants
        headers = [(name, _raw(environ[key])) for key, name in fields if key in environ]
    for key, name in _FIELDS_WITHOUT_PREFIX:
        if environ.get(key):
            headers.append((name, _raw(environ[key])))
    path, root_path = _decoded(environ.get("PATH_INFO") or "/"), environ.get("SCRIPT_NAME", "")
    if root_path:
        root_path = _decoded(root_path)
        path = root_path.rstrip("/") + path
    query = _raw(environ.get("QUERY_STRING", ""))
    peer = environ.get("REMOTE_ADDR", "")
    return RequestHead(environ["REQUEST_METHOD"], path, headers, root_path, query, _raw_path(environ), peer)


def _every_field(environ: Environ) -> Iterator[tuple[str, bytes]]:
    for key in environ:
        if key.startswith("HTTP_"):
            yield key, key[5:].replace("_", "-").lower().encode("latin-1", "replace")


def visible_environ(exchange: Exchange, environ: dict[str, Any]) -> dict[str, Any]:
    """Return the environment that the application may see; the same object if nothing is hidden."""
    headers = exchange.application_headers()
    if headers is exchange.head.headers:
        return environ
    shown = dict(headers)
    visible = {**environ}
    for key, name in _FILTERED:
        if name in shown:
            visible[key] = shown[name].decode("latin-1")
        else:
            visible.pop(key, None)
    return visible


def read_body(environ: Environ, head: RequestHead) -> tuple[bytes | None, bool]:
    """Read a request's body from the server.

    Returns:
        the body, or None if it is larger than a BodyBuffer takes; and whether it is complete. It is not if the client has
        disconnected.
    """
    buffer = BodyBuffer(head.headers)
    stream = environ["wsgi.input"]
    is_terminated = bool(environ.get("wsgi.input_terminated"))
    left = _content_length(environ)
    while not buffer.is_too_large and (is_terminated or left > 0):
        try:
            chunk = stream.read(_CHUNK if is_terminated else min(left, _CHUNK))
        except OSError:
            return b"", False
        if not chunk:
            break
        buffer.add(chunk)
        left -= len(chunk)
    return buffer.whole(), buffer.is_too_large or left <= 0


def _content_length(environ: Environ) -> int:
    declared = str(environ.get("CONTENT_LENGTH") or "0")
    return int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 20 else 0


def _raw(value: str) -> bytes:
    """Return the bytes of a field; a server that decoded them otherwise than PEP 3333 wants loses characters only."""
    return value.encode("latin-1", "replace") if value else b""


def _decoded(path: str) -> str:
    """Return a path as text. PEP 3333 has its bytes as the characters of Latin-1."""
    return path if path.isascii() else _raw(path).decode("utf-8", "replace")


def _raw_path(environ: Environ) -> bytes | None:
    """Return the path as the browser sent it, which gunicorn and mod_wsgi add to the environment; None from other servers."""
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    return _raw(target.partition("?")[0]) if target.startswith("/") else None
