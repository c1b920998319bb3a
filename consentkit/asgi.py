"""Middleware for Starlette and every other ASGI application, and the functions that handlers call.

The middleware is a thin host of `consentkit.web`. It reads a request's head, passes messages through an Exchange, and waits for
the ledger in threads of its own.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import Response as StarletteResponse
from starlette.routing import Host, Mount, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from consentkit.errors import ConsentRequiredError, LedgerBusyError, MissingMiddlewareError, UsageError
from consentkit.manager import ConsentManager
from consentkit.web import (
    PATHSEND,
    ZEROCOPYSEND,
    BodyBuffer,
    Endpoints,
    Exchange,
    RequestConsent,
    RequestHead,
    Response,
    SiteServices,
    check_required,
    in_ledger_thread,
    look_up_in_time,
    mark_required,
    read_pieces,
    refusal,
)

__all__ = ["ConsentMiddleware", "get_consent", "requires_consent"]

P = ParamSpec("P")
R = TypeVar("R")

_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1
_MOST_MIDDLEWARE = 100
"""Middleware that is looked through for the routes inside."""


class ConsentMiddleware:
    """Asks visitors of an application for consent, records their decisions, and applies them to every response.

    Compressing middleware must run around this middleware, and middleware that sets cookies inside. So first call
    `app.add_middleware(ConsentMiddleware, manager=...)`, then add the compressing middleware.
    """

    def __init__(self, app: ASGIApp, manager: ConsentManager) -> None:
        """Put the middleware around an application.

        Raises:
            UnknownIdError: a route of Starlette or FastAPI needs consent for an id that the policy does not declare.
        """
        _check_routes(app, manager)
        self.app = app
        self.manager = manager
        self._site = SiteServices(manager)
        self._endpoints = Endpoints(self._site)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind, outer = scope["type"], scope.get("consentkit")
        is_inside = outer is not None and not outer.is_over and outer.site.belongs_to(self.manager)
        if is_inside or (kind != "http" and kind != "websocket"):
            # A middleware of the same manager that runs around this middleware does the work.
            await self.app(scope, receive, send)
            return
        given = scope.get("headers")
        # ASGI allows any iterable, and none. The headers are read more than once.
        headers = given if given.__class__ is list else list(given or ())
        method, root_path = scope.get("method", ""), scope.get("root_path", "")
        query, raw_path = scope.get("query_string", b""), scope.get("raw_path")
        head = RequestHead(method, scope["path"], headers, root_path, query, raw_path)
        if self._site.places is not None:
            head.peer = _peer(scope)
        exchange = Exchange(self._site, head)
        if exchange.needs_ledger:
            await look_up_in_time(exchange.ask_ledger)
        state = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        state["consent"] = exchange.consent
        # The exchange is marked on the scope, because a server may share one state between several requests.
        scope["consentkit"] = exchange
        responder = _Responder(exchange, send)
        try:
            if exchange.is_own:
                await self._respond(exchange, scope, receive, responder)
                return
            shown = headers if exchange.unaltered else exchange.application_headers()
            if shown is not given:
                scope = {**scope, "headers": shown}
            try:
                await self.app(scope, receive, responder.send)
            except ConsentRequiredError as missing:
                await responder.refuse(missing, scope)
            except LedgerBusyError:
                if exchange.has_started or kind != "http":
                    raise
                await responder.send_response(self._endpoints.busy(exchange))
        finally:
            exchange.is_over = True  # an outer middleware may run the request again

    def _warn_of_outer_session(self) -> None:
        self._site.observed_cookies.warn_once(
            "outer session",
            "SessionMiddleware runs around ConsentMiddleware, so its cookie is sent and read whatever the visitor allows. Add it "
            "before ConsentMiddleware: what is added last runs outermost.",
        )

    async def _respond(
        self, exchange: Exchange, scope: Scope, receive: Receive, responder: "_Responder"
    ) -> None:
        """Send the response to a request for one of the library's own addresses; close a websocket."""
        if "session" in scope:
            self._warn_of_outer_session()
        if scope["type"] != "http":
            await responder.send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        body: bytes | None = b""
        if exchange.head.method not in ("GET", "HEAD"):
            buffer = BodyBuffer(exchange.head.headers)
            if not await _fill(buffer, receive):
                return
            body = buffer.whole()
        answer = self._endpoints.respond(exchange, body)
        if not isinstance(answer, Response):
            try:
                answer = await in_ledger_thread(answer)
            except LedgerBusyError:
                answer = self._endpoints.busy(exchange)
            await exchange.aannounce()
        await responder.send_response(answer)


def _peer(scope: Scope) -> str:
    """Return the address that a location may ask for."""
    client = scope.get("client")
    return client[0] if client else ""


async def _fill(buffer: BodyBuffer, receive: Receive) -> bool:
    """Receive a request's body until it is complete or too large; return False if the client has disconnected."""
    more = not buffer.is_too_large
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        buffer.add(message.get("body", b""))
        more = message.get("more_body", False) and not buffer.is_too_large
    return True


class _Responder:
    """Passes the messages of one response through its exchange."""

    __slots__ = ("_exchange", "_send", "_start")

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self._start: Message | None = None

    def send(self, message: Message) -> Awaitable[None]:
        """Send one message of the response, through the exchange unless the response passes unchanged."""
        if self._exchange.passes:
            return self._send(message)
        kind = message["type"]
        if kind == "http.response.start":
            original = message.get("headers")
            headers = self._exchange.start(
                message["status"], original if original.__class__ is list else list(original or ())
            )
            if headers is None:
                return self._hold(message)
            return self._send(message if headers is original else {**message, "headers": headers})
        if kind.startswith("websocket."):
            return self._send_websocket(message)
        return self._send_rest(message)

    async def _hold(self, message: Message) -> None:
        self._start = message

    async def _send_rest(self, message: Message) -> None:
        kind = message["type"]
        if kind in (PATHSEND, ZEROCOPYSEND):
            await self._send_file(message)
            return
        if kind == "http.response.body":
            more = message.get("more_body", False)
            headers, body = self._exchange.body(message.get("body", b""), more)
            message = {**message, "body": body}
        else:
            headers = self._exchange.body_elsewhere()
        if self._start is not None:
            if headers is None:
                return
            start, self._start = self._start, None
            await self._send({**start, "headers": headers})
        await self._send(message)

    async def _send_file(self, message: Message) -> None:
        """Send the bytes of a page that the application has in a file."""
        async with aclosing(read_pieces(message)) as pieces:
            async for body, more in pieces:
                await self.send({"type": "http.response.body", "body": body, "more_body": more})

    def _send_websocket(self, message: Message) -> Awaitable[None]:
        """Send one message of a websocket; the handshake carries the cookies of a decision that was made before it."""
        if message["type"] in ("websocket.accept", "websocket.http.response.start"):
            headers = list(message.get("headers") or ())
            message = {**message, "headers": self._exchange.start(message.get("status", 101), headers)}
        return self._send(message)

    async def send_response(self, response: Response) -> None:
        """Send a response of the library itself."""
        await self.send(
            {"type": "http.response.start", "status": response.status, "headers": response.headers}
        )
        await self.send({"type": "http.response.body", "body": response.body})

    async def refuse(self, missing: ConsentRequiredError, scope: Scope) -> None:
        """Send a refusal for a handler whose consent is missing.

        Raises:
            ConsentRequiredError: the response has started, so that no refusal can be sent.
        """
        if self._exchange.has_started:
            raise missing
        if scope["type"] == "http":
            await self.send_response(refusal(self._exchange, missing.category, missing.vendor))
        else:
            await self.send({"type": "websocket.close", "code": _POLICY_VIOLATION})


def get_consent(connection: HTTPConnection) -> RequestConsent:
    """Return the consent of a request or websocket.

    Raises:
        MissingMiddlewareError: the request did not pass through ConsentMiddleware.
    """
    consent = (connection.scope.get("state") or {}).get("consent")
    if isinstance(consent, RequestConsent):
        return consent
    raise MissingMiddlewareError(
        "This request did not pass through ConsentMiddleware: add it with "
        "app.add_middleware(ConsentMiddleware, manager=manager)."
    )


def requires_consent(
    category: str, *, vendor: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that runs a handler only if a category, or a vendor of it, is allowed.

    Otherwise the response is 403: a page for a browser, or a problem document with the category and the address of the preference
    page. A websocket is closed with 1008 (policy violation, RFC 6455). The handler takes the request or websocket as an argument.
    The ids of Starlette's and FastAPI's routes are checked when the application starts.
    """

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        if inspect.isclass(handler):
            raise UsageError(
                f"@requires_consent decorates handlers, not classes: decorate the methods of {handler.__name__}."
            )
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__):

            @wraps(handler)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                connection = _connection(handler, args, kwargs)
                if get_consent(connection).allows(category, vendor):
                    return await cast(Awaitable[Any], handler(*args, **kwargs))
                if isinstance(connection, WebSocket):
                    await connection.close(_POLICY_VIOLATION)
                    return None
                return _refused(connection, category, vendor)

            return mark_required(cast(Callable[P, R], guarded), category, vendor)

        @wraps(handler)
        def guarded_sync(*args: P.args, **kwargs: P.kwargs) -> Any:
            connection = _connection(handler, args, kwargs)
            if get_consent(connection).allows(category, vendor):
                return handler(*args, **kwargs)
            return _refused(connection, category, vendor)

        return mark_required(cast(Callable[P, R], guarded_sync), category, vendor)

    return decorate


def _check_routes(app: object, manager: ConsentManager) -> None:
    """Check the ids that the routes of Starlette and FastAPI need. Those of other applications are found at the first request."""
    for _ in range(_MOST_MIDDLEWARE):
        if isinstance(app, (Starlette, Router)):
            break
        app = getattr(app, "app", None)
    else:
        return
    classes: list[object] = [each.cls for each in app.user_middleware] if isinstance(app, Starlette) else []
    if ConsentMiddleware in classes:
        return  # it has another manager perhaps, with which it checks its routes itself
    for route in app.routes:
        name = f"the route {getattr(route, 'path', '')!r}"
        check_required(manager, getattr(route, "endpoint", None), name)
        for dependency in _dependencies(getattr(route, "dependant", None)):
            check_required(manager, dependency, name)
        if isinstance(route, (Mount, Host)):
            _check_routes(route.app, manager)


def _dependencies(dependant: Any) -> Iterator[object]:
    """Yield what a route of FastAPI depends on, in any depth."""
    for each in getattr(dependant, "dependencies", ()):
        yield each.call
        yield from _dependencies(each)


def _connection(handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> HTTPConnection:
    for value in (*args, *kwargs.values()):
        if isinstance(value, HTTPConnection):
            return value
    raise MissingMiddlewareError(
        f"{handler!r} takes no request or websocket: @requires_consent needs one among its arguments."
    )


def _refused(connection: HTTPConnection, category: str, vendor: str | None) -> StarletteResponse:
    refused = refusal(connection.scope["consentkit"], category, vendor)
    response = StarletteResponse(refused.body, refused.status)
    response.raw_headers = refused.headers
    return response
