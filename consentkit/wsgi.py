"""Middleware for WSGI applications (PEP 3333), such as those of Flask, Bottle and Pyramid, and `get_consent` for their handlers.

The middleware is a thin host of `consentkit.web`. It waits for the ledger in the thread of the request.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any

from consentkit.errors import ConfigurationError, ConsentRequiredError, MissingMiddlewareError
from consentkit.manager import ConsentManager
from consentkit.web import (
    Endpoints,
    Exchange,
    RequestConsent,
    Response,
    SiteServices,
    head_from_environ,
    read_body,
    refusal,
    visible_environ,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["ConsentMiddleware", "get_consent", "get_exchange"]

_KEY = "consentkit.exchange"
# With old locks and new threads, which are greenlets, the first decision would stop the whole process.
_PATCHED_LATE = (
    "gevent replaced Python's locks after this middleware was made, so that its threads would wait for each other for ever: "
    "start gunicorn without --preload, or call gevent.monkey.patch_all() at the top of its configuration file."
)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None
TextHeaders = list[tuple[str, str]]


class ConsentMiddleware:
    """Asks visitors of an application for consent, records their decisions, and applies them to every response.

    Compressing middleware must run around this middleware, and middleware that sets cookies inside. For Flask that is
    `app.wsgi_app = ConsentMiddleware(app.wsgi_app, manager)`, which `consentkit.flask.Consent` does.
    """

    def __init__(self, app: "WSGIApplication", manager: ConsentManager) -> None:
        self.app = app
        self.manager = manager
        self._site = SiteServices(manager)
        self._endpoints = Endpoints(self._site)
        self._lock_type = threading.Lock

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request.

        Raises:
            ConfigurationError: gevent has replaced Python's locks after the manager was made.
        """
        if threading.Lock is not self._lock_type:
            raise ConfigurationError(_PATCHED_LATE)
        outer = environ.get(_KEY)
        if isinstance(outer, Exchange) and not outer.is_over and outer.site.belongs_to(self.manager):
            # A middleware of the same manager runs around this middleware, and does the work.
            return self.app(environ, start_response)
        head = head_from_environ(environ, every_field=self._site.places is not None)
        exchange = Exchange(self._site, head)
        if exchange.needs_ledger:
            exchange.ask_ledger()
        environ[_KEY] = exchange
        responder = _Responder(exchange, start_response)
        if exchange.is_own:
            return responder.respond(self._respond(exchange, environ))
        shown = environ if exchange.unaltered else visible_environ(exchange, environ)
        try:
            body = self.app(shown, responder.start_response)
        except ConsentRequiredError as missing:
            return responder.pass_on(responder.refusal(missing), None)
        except BaseException:
            exchange.is_over = True  # an outer middleware may run the request again
            raise
        return responder.pass_on(body, environ.get("wsgi.file_wrapper"))

    def _respond(self, exchange: Exchange, environ: "WSGIEnvironment") -> Response:
        """Return the response to a request for one of the library's own addresses."""
        body: bytes | None = b""
        if exchange.head.method not in ("GET", "HEAD"):
            body, is_complete = read_body(environ, exchange.head)
            if not is_complete:
                return self._endpoints.incomplete(exchange)
        answer = self._endpoints.respond(exchange, body)
        if not isinstance(answer, Response):
            answer = answer()
            exchange.announce()
        return answer


class _Responder:
    """Passes one response through its exchange: the status and headers, then each piece of the body.

    The server's `start_response` is called with the first bytes, not when the application calls ours. Until then the application
    may read the consent, which changes the headers.
    """

    __slots__ = ("_begun", "_exchange", "_headers", "_left", "_start", "_status", "_write", "has_started")

    def __init__(self, exchange: Exchange, start_response: "StartResponse") -> None:
        self._exchange = exchange
        self._start = start_response
        self._status = ""
        self._headers: TextHeaders = []
        self._begun = False  # whether the exchange has taken the headers
        self._left: int | None = (
            None  # bytes of the body that the application still owes, if it said how many
        )
        self._write: Callable[[bytes], object] | None = None  # the server's, once it has the headers
        self.has_started = False  # whether the server has the status and headers

    def start_response(
        self, status: str, headers: TextHeaders, exc_info: ExcInfo = None
    ) -> Callable[[bytes], object]:
        """Take the status and headers from the application, which may replace them until the first bytes are sent.

        Raises:
            RuntimeError: the application has started its response already.
            BaseException: the application's own error, if it can no longer show an error page.
        """
        if exc_info and exc_info[1] is not None and self._begun:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._status and not exc_info:
            raise RuntimeError("start_response was called twice; only an error handler may, with exc_info.")
        self._status, self._headers = status, headers
        return self.write

    def write(self, data: bytes) -> None:
        """Send bytes at once, for applications that do not return them."""
        out = self.feed(data)
        if self._write is not None and out:
            self._write(out)

    def feed(self, chunk: bytes) -> bytes:
        """Return what to send for a piece of the body."""
        self._begin()
        if self._exchange.passes:
            return chunk
        if self._is_complete:
            return b""
        if self._left is not None:
            self._left -= len(chunk)
        return self._send(chunk, more=self._left is None or self._left > 0)

    def finish(self) -> bytes:
        """Return what to send at the end of the body."""
        self._begin()
        if self._exchange.passes or self._is_complete:
            return b""
        return self._send(b"", more=False)

    @property
    def _is_complete(self) -> bool:
        """Whether the application has sent as many bytes as its Content-Length says."""
        return self._left is not None and self._left <= 0 and self.has_started

    def _send(self, chunk: bytes, *, more: bool) -> bytes:
        headers, out = self._exchange.body(chunk, more)
        if headers is not None:
            self._send_start(_text(headers))
        return out

    def _send_start(self, headers: TextHeaders) -> None:
        self._write = self._start(self._status, headers)
        self.has_started = True

    def _begin(self) -> None:
        """Pass the status and headers through the exchange, before the first piece of the body."""
        if self._begun:
            return
        if not self._status:
            raise RuntimeError("The application returned a body without calling start_response.")
        self._begun = True
        # Names are ASCII (RFC 9110, section 5.1).
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in self._headers]
        headers = self._exchange.start(int(self._status[:3]), raw)
        if not self._exchange.passes:
            length = dict(raw).get(b"content-length", b"")
            self._left = int(length) if length.isdigit() else None
        if headers is not None:
            self._send_start(self._headers if headers is raw else _text(headers))

    def pass_on(self, body: Iterable[bytes], file_wrapper: object) -> Iterable[bytes]:
        """Return the body to give to the server: the application's own if it passes unchanged, such as a file."""
        is_whole = isinstance(body, (list, tuple))
        if self._status and (is_whole or (isinstance(file_wrapper, type) and isinstance(body, file_wrapper))):
            self._begin()
            if self._exchange.passes:
                self._exchange.is_over = True
                return body
            if is_whole:
                body = [b"".join(body)]
                self._left = len(body[0])
        return _Body(self, body, self._exchange)

    def respond(self, response: Response) -> Iterable[bytes]:
        """Send a response of the library itself."""
        # Headers of the library's own responses never wait for the first bytes.
        headers = self._exchange.start(response.status, response.headers) or []
        self._exchange.is_over = True
        self._start(_status_line(response.status), _text(headers))
        return [] if self._exchange.head.method == "HEAD" else [response.body]

    def refusal(self, missing: ConsentRequiredError) -> list[bytes]:
        """Replace the response with a refusal, for a handler whose consent is missing, and return its body.

        Raises:
            ConsentRequiredError: the response has started, so that no refusal can be sent.
        """
        if self._begun:
            self._exchange.is_over = True
            raise missing
        refused = refusal(self._exchange, missing.category, missing.vendor)
        self._status, self._headers = _status_line(refused.status), _text(refused.headers)
        return [] if self._exchange.head.method == "HEAD" else [refused.body]


class _Body:
    """The body of a response on its way through the exchange, piece by piece as the application makes it."""

    def __init__(self, responder: _Responder, body: Iterable[bytes], exchange: Exchange) -> None:
        self._responder = responder
        self._body = body
        self._exchange = exchange
        self._pieces: Iterator[bytes] | None = iter(body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Return the next piece; pieces are joined only as long as the headers wait for the beginning of a page."""
        while self._pieces is not None:
            try:
                out = self._responder.feed(next(self._pieces))
            except StopIteration:
                self._pieces = None
                out = self._responder.finish()
                if not out:
                    break
            except ConsentRequiredError as missing:
                self._pieces = iter(self._responder.refusal(missing))
                continue
            if self._responder.has_started:
                return out
        raise StopIteration

    def close(self) -> None:
        """Close the application's body, as the server does at the end or when the visitor leaves."""
        self._exchange.is_over = True
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _text(headers: list[tuple[bytes, bytes]]) -> TextHeaders:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def get_exchange(environ: "WSGIEnvironment | dict[str, Any]") -> Exchange:
    """Return the exchange of a request, for adapters to frameworks.

    Raises:
        MissingMiddlewareError: the request did not pass through ConsentMiddleware.
    """
    exchange = environ.get(_KEY)
    if isinstance(exchange, Exchange):
        return exchange
    raise MissingMiddlewareError(
        "This request did not pass through ConsentMiddleware: wrap the application as "
        "app = ConsentMiddleware(app, manager)."
    )


def get_consent(environ: "WSGIEnvironment | dict[str, Any]") -> RequestConsent:
    """Return the consent of a request.

    Raises:
        MissingMiddlewareError: the request did not pass through ConsentMiddleware.
    """
    return get_exchange(environ).consent
