"""For Litestar: a plugin that asks for consent, the consent as a dependency, and a guard for handlers that need consent.

    app = Litestar([home], plugins=[ConsentPlugin(manager)])

Litestar runs middleware for each route, inside its router. The plugin therefore also registers the library's own addresses as
routes.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any, cast
from urllib.parse import unquote

from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.connection import ASGIConnection, Request
from litestar.di import NamedDependency, Provide
from litestar.enums import HttpMethod, ScopeType
from litestar.exceptions import WebSocketException
from litestar.handlers import BaseRouteHandler, route
from litestar.middleware import DefineMiddleware
from litestar.plugins import InitPlugin, ReceiveRoutePlugin
from litestar.response import Response
from litestar.routes import BaseRoute, HTTPRoute, WebSocketRoute
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from consentkit.asgi import ConsentMiddleware
from consentkit.errors import ConsentRequiredError, MissingMiddlewareError
from consentkit.manager import ConsentManager
from consentkit.web import Exchange, RequestConsent, refusal

__all__ = ["ConsentDep", "ConsentPlugin", "get_consent", "requires_consent"]

ConsentDep = NamedDependency[RequestConsent]
"""The visitor's consent: `async def article(consent: ConsentDep)`. The parameter must have this name."""

_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1
_PATH = "consentkit.routed_path"
_METHODS = list(HttpMethod)
_WELL_KNOWN = ("/.well-known/gpc.json", "/.well-known/consent.json")


class ConsentPlugin(InitPlugin, ReceiveRoutePlugin):
    """Asks visitors of a Litestar application for consent, records their decisions, and applies them to every response.

    The middleware runs around all middleware of the application. Compression by `compression_config` moves around the
    middleware, so that pages are compressed with the banner in them. Handlers take the consent as the dependency `consent`.
    """

    __slots__ = ("_middleware", "manager")

    def __init__(self, manager: ConsentManager) -> None:
        self.manager = manager
        self._middleware = ConsentMiddleware(cast(Any, _answered_before), manager)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add middleware, routes, dependency and error handler to an application."""
        app_config.middleware = [self._around, *app_config.middleware]
        compression = app_config.compression_config
        if compression is not None:
            app_config.compression_config = None
            compressing = DefineMiddleware(compression.middleware_class, config=compression)
            app_config.middleware = [compressing, *app_config.middleware]
        prefix = self.manager.prefix
        paths = [prefix, f"{prefix}/{{address:path}}", *_WELL_KNOWN]
        app_config.route_handlers = [
            *app_config.route_handlers,
            route(paths, http_method=_METHODS, include_in_schema=False)(_answered_before),
        ]
        app_config.dependencies = {
            "consent": Provide(_provide_consent, sync_to_thread=False),
            **app_config.dependencies,
        }
        app_config.exception_handlers = {
            ConsentRequiredError: _refuse,
            **{kind: self._with_banner(handler) for kind, handler in app_config.exception_handlers.items()},
        }
        caching = app_config.response_cache_config
        app_config.response_cache_config = replace(
            caching, cache_response_filter=_unread_only(caching.cache_response_filter)
        )
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Check the guards of a route.

        Raises:
            UnknownIdError: a guard requires a category or vendor that the policy lacks.
        """
        handlers: list[BaseRouteHandler] = []
        if isinstance(route, HTTPRoute):
            handlers += route.route_handlers
        elif isinstance(route, WebSocketRoute):
            handlers.append(route.route_handler)
        undecided = self.manager.evaluator.undecided()
        for handler in handlers:
            for guard in handler.resolve_guards():
                if isinstance(guard, _Guard):
                    undecided.allows(guard.category, guard.vendor)

    def _around(self, app: ASGIApp) -> ASGIApp:
        """Return the middleware around a route. The middleware of all routes share what the site needs once."""
        return _RouteMiddleware(self._middleware, app)

    def _with_banner(self, handler: Callable[..., Response[Any]]) -> Callable[..., Response[Any]]:
        """Return an error handler whose pages get the banner, even if the router found no route and ran no middleware."""

        def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
            return _ErrorResponse(handler(request, error), self._around)

        return handle


class _RouteMiddleware:
    """Runs ConsentMiddleware around one route, with the path that the visitor requested.

    Litestar shortens the path of a mounted application before middleware runs.
    """

    def __init__(self, shared: ConsentMiddleware, app: ASGIApp) -> None:
        self._app = app
        self._middleware = copy(shared)
        self._middleware.app = cast(Any, self._pass_on)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        routed, raw = scope["path"], scope.get("raw_path")
        path = unquote(raw.partition(b"?")[0].decode("latin-1")) if raw else routed
        if path != routed:
            scope = cast(Scope, {**scope, "path": path, _PATH: routed})
        await cast(ASGIApp, self._middleware)(scope, receive, send)

    async def _pass_on(self, scope: Any, receive: Receive, send: Send) -> None:
        scope["path"] = scope.pop(_PATH, scope["path"])
        await self._app(scope, receive, send)


class _ErrorResponse(Response[Any]):
    """The response of an error handler, with the middleware around it."""

    def __init__(self, response: Response[Any], around: Callable[[ASGIApp], ASGIApp]) -> None:
        super().__init__(None)
        self._response = response
        self._around = around

    def to_asgi_response(self, app: Litestar | None, request: Request[Any, Any, Any], **options: Any) -> Any:
        """Return the application that sends the response; a middleware that runs already is not run again."""
        return self._around(self._response.to_asgi_response(app, request, **options))


class _Guard:
    """Refuses connections without a consent."""

    def __init__(self, category: str, vendor: str | None) -> None:
        self.category = category
        self.vendor = vendor

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """Check the consent of one connection.

        Raises:
            ConsentRequiredError: the category or vendor is not allowed.
            WebSocketException: the same for a websocket, which is closed.
        """
        if get_consent(connection).allows(self.category, self.vendor):
            return
        missing = ConsentRequiredError(self.category, self.vendor)
        if connection.scope["type"] == ScopeType.WEBSOCKET:
            raise WebSocketException(detail=str(missing), code=_POLICY_VIOLATION)
        raise missing


def requires_consent(category: str, *, vendor: str | None = None) -> Any:
    """Return a guard that runs a handler only if a category, or a vendor of it, is allowed.

    Otherwise the response is 403, and a websocket is closed with 1008. Write `guards=[requires_consent("social")]` on a handler,
    controller or router. An id that the policy lacks raises when the application is made.
    """
    return _Guard(category, vendor)


def get_consent(connection: ASGIConnection[Any, Any, Any, Any]) -> RequestConsent:
    """Return the consent of a request or websocket.

    Raises:
        MissingMiddlewareError: the application has no ConsentPlugin.
    """
    return _consent_of(connection.scope)


def _consent_of(scope: Scope) -> RequestConsent:
    consent = scope["state"].get("consent")
    if isinstance(consent, RequestConsent):
        return consent
    raise MissingMiddlewareError(
        "This application asks for no consent: add plugins=[ConsentPlugin(manager)] to Litestar(...)."
    )


def _provide_consent(scope: Scope) -> RequestConsent:
    return _consent_of(scope)


def _refuse(request: Request[Any, Any, Any], missing: ConsentRequiredError) -> Response[bytes]:
    """Return the 403 response for a handler whose consent is missing."""
    exchange = cast("dict[str, Any]", request.scope)["consentkit"]
    refused = refusal(exchange, missing.category, missing.vendor)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in refused.headers}
    return Response(refused.body, status_code=refused.status, headers=headers)


def _unread_only(decide: Callable[[HTTPScope, int], bool]) -> Callable[[HTTPScope, int], bool]:
    """Return a filter that keeps a visitor's own responses out of Litestar's response cache."""

    def is_cached(scope: HTTPScope, status: int) -> bool:
        exchange = cast("dict[str, Any]", scope).get("consentkit")
        is_personal = isinstance(exchange, Exchange) and exchange.is_personal
        return not is_personal and decide(scope, status)

    return is_cached


async def _answered_before() -> None:
    """Never run: the middleware answers for every address below the prefix."""
