"""Requests of Django: their heads, their bodies, and what the application may see of them."""

from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from consentkit.errors import MissingMiddlewareError
from consentkit.headers import header_values
from consentkit.web import (
    Exchange,
    RequestConsent,
    RequestHead,
    head_from_environ,
    read_body,
)

__all__ = ["KEY", "exchange_of", "get_consent", "head_of_request", "hide", "show_again", "whole_body"]

KEY = "consentkit.exchange"
"""Key of the exchange in `request.META`, where `consentkit.wsgi` has it too."""

_FILTERED = {
    "HTTP_COOKIE": b"cookie",
    "HTTP_IF_NONE_MATCH": b"if-none-match",
    "HTTP_IF_MATCH": b"if-match",
}
_ENCODINGS = "HTTP_ACCEPT_ENCODING"
_CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH")


def head_of_request(request: HttpRequest, *, every_field: bool = False) -> RequestHead:
    """Return the head of a request: from the server's own fields under ASGI, and from the environment under WSGI.

    From the environment come the fields that the library reads, or every field.
    """
    meta = request.META
    if isinstance(request, ASGIRequest):
        scope: dict[str, Any] = dict(request.scope)
        query = meta["QUERY_STRING"].encode()
        headers = list(scope.get("headers") or ())
        path, root_path = scope["path"], meta["SCRIPT_NAME"]
        raw_path, client = scope.get("raw_path"), scope.get("client")
        peer = client[0] if client else ""
        return RequestHead(meta["REQUEST_METHOD"], path, headers, root_path, query, raw_path, peer)
    # Django has decoded the paths, which PEP 3333 has as the characters of Latin-1.
    paths = {name: meta[name].encode().decode("latin-1") for name in ("SCRIPT_NAME", "PATH_INFO")}
    return head_from_environ({**meta, **paths}, every_field=every_field)


def whole_body(request: HttpRequest, head: RequestHead) -> tuple[bytes | None, bool]:
    """Read a request's body.

    Returns:
        the body, or None if it is larger than a BodyBuffer takes; and whether it is complete.
    """
    # Under ASGI, Django has received the whole body, whose length the request need not declare.
    is_received = isinstance(request, ASGIRequest)
    length = request.META.get("CONTENT_LENGTH", "")
    environ = {"wsgi.input": request, "wsgi.input_terminated": is_received, "CONTENT_LENGTH": length}
    return read_body(environ, head)


def hide(request: HttpRequest, exchange: Exchange, *, compression: bool = False) -> dict[str, str]:
    """Hide the cookies and entity tags from a request that the application must not see.

    Args:
        request: of the visitor.
        exchange: of the request.
        compression: whether to hide what compression the browser takes, too.

    Returns:
        the fields that `show_again` puts back.
    """
    hidden = _hide_headers(request, exchange)
    if compression and _ENCODINGS in request.META:
        hidden[_ENCODINGS] = request.META.pop(_ENCODINGS)
        request.__dict__.pop("headers", None)
    return hidden


def _hide_headers(request: HttpRequest, exchange: Exchange) -> dict[str, str]:
    headers = exchange.application_headers()
    if headers is exchange.head.headers:
        return {}
    meta = request.META
    hidden = {name: meta[name] for name in _CONDITIONS if name in meta}
    for name, field in _FILTERED.items():
        values = [value.decode("latin-1") for value in header_values(headers, field) if value]
        if values:
            # HTTP/2 may have several fields of cookies (RFC 9113 section 8.2.3).
            meta[name] = ("; " if field == b"cookie" else ", ").join(values)
        else:
            meta.pop(name, None)
    # Django keeps what it has read of the headers.
    for name in ("COOKIES", "headers"):
        request.__dict__.pop(name, None)
    if isinstance(request, ASGIRequest):
        request.scope = {**request.scope, "headers": headers}
    return hidden


def show_again(request: HttpRequest, hidden: dict[str, str]) -> None:
    """Put back headers as the browser sent them, for middleware that runs around the consent's. Cookies stay hidden."""
    if hidden:
        request.META.update(hidden)
        request.__dict__.pop("headers", None)


def exchange_of(request: HttpRequest) -> Exchange:
    """Return the exchange of a request.

    Raises:
        MissingMiddlewareError: the request did not pass through ConsentMiddleware.
    """
    exchange = request.META.get(KEY)
    if isinstance(exchange, Exchange):
        return exchange
    raise MissingMiddlewareError(
        "This request did not pass through ConsentMiddleware: add 'consentkit.django.ConsentMiddleware' to MIDDLEWARE."
    )


def get_consent(request: HttpRequest) -> RequestConsent:
    """Return the consent of a request, which `request.consent` is too, for type checkers.

    Raises:
        MissingMiddlewareError: the request did not pass through ConsentMiddleware.
    """
    return exchange_of(request).consent
