"""The middleware for Starlette and every other ASGI application, and what its handlers ask."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from consentkit.endpoints import Endpoints, local_path_of, refusal
from consentkit.errors import ConsentRequiredError, MissingMiddlewareError, UsageError
from consentkit.exchange import Exchange, Exchanges
from consentkit.manager import ConsentManager
from consentkit.request import RequestConsent
from consentkit.threads import in_ledger_thread

__all__ = ["ConsentMiddleware", "get_consent", "requires_consent"]

P = ParamSpec("P")
R = TypeVar("R")


class ConsentMiddleware:
    """Ask, obey and remember, around one application.

    Put it inside whatever compresses, and outside whatever sets cookies: `app.add_middleware(ConsentMiddleware, manager=...)`
    before the compressing middleware is added.
    """

    def __init__(self, app: ASGIApp, manager: ConsentManager) -> None:
        self.app = app
        self.manager = manager
        self._shared = Exchanges(manager)
        self._endpoints = Endpoints(self._shared)
        self._prefix = manager.prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        outer = scope.get("consentkit")
        if outer is not None and outer.shared.manager is self.manager:
            await self.app(scope, receive, send)
            return
        headers = scope.get("headers", ())
        if type(headers) is not list:  # ASGI allows every iterable; ours is read more than once
            headers = list(headers)
            scope = {**scope, "headers": headers}
        own = self._endpoints.serves(local_path_of(scope))
        exchange = Exchange(self._shared, scope.get("method", ""), headers, own=own)
        if exchange.begin():
            await in_ledger_thread(exchange.look_up)
        scope.setdefault("state", {})["consent"] = exchange.consent
        scope["consentkit"] = exchange
        exchange.at(scope, scope.get("root_path", "").rstrip("/"))
        if own:
            await self._endpoints(scope, receive, _Responder(exchange, send) if kind == "http" else send)
            return
        shown = exchange.request_headers()
        if shown is not headers:
            scope = {**scope, "headers": shown}
        answer = _Responder(exchange, send) if kind == "http" else _Handshake(exchange, send)
        try:
            await self.app(scope, receive, answer)
        except ConsentRequiredError as missing:
            if exchange.consent.started:
                raise
            if kind == "http":
                await refusal(Request(scope), missing.category, missing.vendor)(scope, receive, answer)
            else:
                await answer({"type": "websocket.close", "code": 1008})


class _Responder:
    """Send one response: its start waits for the first bytes of a document, since they decide what it becomes."""

    __slots__ = ("_exchange", "_held", "_send")

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self._held: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Send one message of the response."""
        kind = message["type"]
        exchange = self._exchange
        if kind == "http.response.start":
            given = message.get("headers", ())
            headers = exchange.start(message["status"], given if type(given) is list else list(given))
            if headers is not given:
                message = {**message, "headers": headers}
            if exchange.holding:
                self._held = message
                return
        elif kind == "http.response.body":
            if exchange.rewrites:
                await self._body(message)
                return
        elif self._held is not None:
            held, self._held = self._held, None
            await self._send({**held, "headers": exchange.spare()})
        await self._send(message)

    async def _body(self, message: Message) -> None:
        more = message.get("more_body", False)
        body = self._exchange.body(message.get("body", b""), more)
        held = self._held
        if held is not None:
            if not body and more:
                return
            self._held = None
            await self._send({**held, "headers": self._exchange.release(None if more else len(body))})
        await self._send({**message, "body": body})


class _Handshake:
    """Let a websocket's handshake carry the cookies of a decision that was taken before it."""

    __slots__ = ("_exchange", "_send")

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self._exchange = exchange
        self._send = send

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("websocket.accept", "websocket.http.response.start"):
            headers = list(message.get("headers", ()))
            message = {**message, "headers": self._exchange.start(message.get("status", 101), headers)}
        await self._send(message)


def get_consent(connection: HTTPConnection) -> RequestConsent:
    """Return the consent of a request or websocket.

    Raises:
        MissingMiddlewareError: it did not pass through ConsentMiddleware.
    """
    consent = connection.scope.get("state", {}).get("consent")
    if not isinstance(consent, RequestConsent):
        raise MissingMiddlewareError(
            "This request did not pass through ConsentMiddleware: add it with "
            "app.add_middleware(ConsentMiddleware, manager=manager)."
        )
    return consent


def requires_consent(
    category: str, *, vendor: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a handler run only where a category, or a vendor of it, is allowed.

    Otherwise the answer is 403: a problem document that names the category and the preference page, or a page for a browser; a
    websocket is closed with 1008 (policy violation, RFC 6455). The handler takes the request or websocket as an argument.
    """

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        if inspect.isclass(handler):
            raise UsageError(
                f"@requires_consent stands on handlers: decorate the methods of {handler.__name__}."
            )
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__):

            @wraps(handler)
            async def asking(*args: P.args, **kwargs: P.kwargs) -> Any:
                connection = _connection(handler, args, kwargs)
                if get_consent(connection).allows(category, vendor):
                    return await cast(Awaitable[Any], handler(*args, **kwargs))
                if isinstance(connection, WebSocket):
                    await connection.close(1008)
                    return None
                return _refused(connection, category, vendor)

            return cast(Callable[P, R], asking)

        @wraps(handler)
        def asking_sync(*args: P.args, **kwargs: P.kwargs) -> Any:
            connection = _connection(handler, args, kwargs)
            if get_consent(connection).allows(category, vendor):
                return handler(*args, **kwargs)
            return _refused(connection, category, vendor)

        return cast(Callable[P, R], asking_sync)

    return decorate


def _connection(handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> HTTPConnection:
    for value in (*args, *kwargs.values()):
        if isinstance(value, HTTPConnection):
            return value
    raise MissingMiddlewareError(
        f"{handler!r} takes no request or websocket: @requires_consent needs one among its arguments."
    )


def _refused(connection: HTTPConnection, category: str, vendor: str | None) -> Response:
    return refusal(cast(Request, connection), category, vendor)
