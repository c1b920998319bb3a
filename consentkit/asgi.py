"""The middleware for Starlette and every other ASGI application, and what its handlers ask."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from consentkit.errors import ConsentRequiredError, MissingMiddlewareError, UsageError
from consentkit.manager import ConsentManager
from consentkit.web.endpoints.router import Endpoints, local_path_of, refusal
from consentkit.web.exchange import Exchange, SiteServices
from consentkit.web.request_consent import RequestConsent
from consentkit.web.threads import in_ledger_thread
from consentkit.web.visit import NOWHERE

__all__ = ["ConsentMiddleware", "get_consent", "requires_consent"]

_LONGEST_PATH = 256
_PATHS_REMEMBERED = 4096
_ADDRESS = ("method", "path", "raw_path", "query_string")

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
        self._shared = SiteServices(manager)
        self._endpoints = Endpoints(self._shared)
        self._prefix = manager.prefix
        self._elsewhere: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        # Inside itself it stands back. The mark is the scope's: a server might give one state to several requests.
        if (kind != "http" and kind != "websocket") or scope.get("consentkit") is self.manager:
            await self.app(scope, receive, send)
            return
        state = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        headers = scope.get("headers")
        if headers.__class__ is not list:  # ASGI allows every iterable, and none; ours is read more than once
            headers = list(headers or ())
            scope = {**scope, "headers": headers}
        marked = scope
        marked["consentkit"] = self.manager
        served = state["consent"] = _Served()
        served.send = send
        if served.begin(self._shared, scope, headers):
            await in_ledger_thread(served.look_up)
        if scope.get("root_path"):  # mounting changes it, later
            served.root_path = scope["root_path"].rstrip("/")
        answer = served.reply if kind == "http" else served.shake_hands
        over: Mapping[str, Any] = NOWHERE
        try:
            if scope["path"] not in self._elsewhere and self._is_own(scope):
                served.own = True
                await self._endpoints(scope, receive, answer)
                return
            if not served.clean and (seen := served.request_headers()) is not headers:
                scope = {**scope, "headers": seen}
            try:
                await self.app(scope, receive, answer)
            except ConsentRequiredError as missing:
                await served.refuse(missing, scope, receive)
        except BaseException:
            # Whoever answers for it, outside of us, may ask what page this was.
            over = {key: scope[key] for key in _ADDRESS if key in scope}
            raise
        finally:
            # Both lead back to it, so that it would wait for the garbage collector.
            served.scope, served.send = over, _nowhere
            marked.pop("consentkit", None)

    def _is_own(self, scope: Scope) -> bool:
        """Say whether a path is ours; most are certainly not, wherever the application is mounted, and are remembered."""
        path: str = scope["path"]
        if self._prefix in path or ".well-known" in path:
            return self._endpoints.serves(local_path_of(scope))
        if len(path) <= _LONGEST_PATH:
            if len(self._elsewhere) >= _PATHS_REMEMBERED:
                self._elsewhere.clear()
            self._elsewhere.add(path)
        return False


async def _nowhere(message: Message) -> None:
    raise RuntimeError("The application has returned, so that nothing more of this response can be sent.")


class _Served(Exchange):
    """An exchange that sends: the start of a response waits for the first bytes of a document, which decide what it becomes."""

    __slots__ = ("send",)

    send: Send
    _message: Message | None = None

    def reply(self, message: Message) -> Awaitable[None]:
        """Send one message of the response; no coroutine of ours is needed for what passes as it is."""
        if self.passes:
            return self.send(message)
        if message["type"] != "http.response.start":
            return self._rewrite(message)
        given = message.get("headers")
        headers = self.start(message["status"], given if given.__class__ is list else list(given or ()))
        if headers is not given:
            message = {**message, "headers": headers}
        return self._hold(message) if self.holding else self.send(message)

    async def _hold(self, message: Message) -> None:
        self._message = message

    async def _rewrite(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.body":
            if self.rewrites:
                await self._body(message)
                return
        elif self._message is not None:
            held, self._message = self._message, None
            await self.send({**held, "headers": self.spare()})
        await self.send(message)

    async def _body(self, message: Message) -> None:
        more = message.get("more_body", False)
        body = self.body(message.get("body", b""), more)
        held = self._message
        if held is not None:
            if not body and more:
                return
            self._message = None
            await self.send({**held, "headers": self.release(None if more else len(body))})
        await self.send({**message, "body": body})

    def shake_hands(self, message: Message) -> Awaitable[None]:
        """Send one message of a websocket, whose handshake carries the cookies of a decision that was taken before it."""
        if message["type"] in ("websocket.accept", "websocket.http.response.start"):
            headers = list(message.get("headers") or ())
            message = {**message, "headers": self.start(message.get("status", 101), headers)}
        return self.send(message)

    async def refuse(self, missing: ConsentRequiredError, scope: Scope, receive: Receive) -> None:
        """Answer for a handler that asked for a consent that is not there, unless it has begun to answer."""
        if self.started:
            raise missing
        if scope["type"] == "http":
            await refusal(Request(scope), missing.category, missing.vendor)(scope, receive, self.reply)
        else:
            await self.shake_hands({"type": "websocket.close", "code": 1008})


def get_consent(connection: HTTPConnection) -> RequestConsent:
    """Return the consent of a request or websocket.

    Raises:
        MissingMiddlewareError: it did not pass through ConsentMiddleware.
    """
    state = connection.scope.get("state")
    consent = state.get("consent") if state else None
    if isinstance(consent, RequestConsent):
        return consent
    raise MissingMiddlewareError(
        "This request did not pass through ConsentMiddleware: add it with "
        "app.add_middleware(ConsentMiddleware, manager=manager)."
    )


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
