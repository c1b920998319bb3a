"""For Quart: an extension that adds consent to an application, and what views call. Everything is as in Flask, and async.

app = Quart(__name__)
app.config.update(CONSENTKIT_POLICY="consent.toml", CONSENTKIT_LEDGER="sqlite:///consent.db")
Consent(app)
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from flask.sansio.app import App
from quart import Quart, current_app, has_websocket_context, request, websocket

from consentkit import asgi
from consentkit._flask_extension import FlaskExtension, check_is_function
from consentkit.errors import ConsentRequiredError, MissingMiddlewareError
from consentkit.manager import ConsentManager
from consentkit.web import Exchange, RequestConsent, mark_required

__all__ = ["Consent", "get_consent", "requires_consent"]

P = ParamSpec("P")
R = TypeVar("R")


class Consent(FlaskExtension):
    """Adds consent to Quart applications: `Consent(app)`, or `init_app` in an application factory.

    Compressing and proxy middleware must run around it: put them around `app.asgi_app` after this call.

    Args:
        app: the application; None to call `init_app` later.
        manager: built by hand; None to build one from the application's settings.
    """

    entry = "asgi_app"

    def wrapped(self, application: Any, manager: ConsentManager) -> Any:
        """Return the middleware around an application."""
        return asgi.ConsentMiddleware(application, manager)

    def current(self) -> RequestConsent:
        """Return the consent of the request or websocket, as `get_consent` does."""
        return get_consent()

    def exchange(self) -> Exchange:
        """Return the exchange of the request or websocket."""
        return _exchange()

    def check_at_start(self, app: App, check: Callable[[], None]) -> None:
        """Have a function called when the server starts the application; what it raises ends the server."""

        async def check_views() -> None:
            check()

        cast(Quart, app).before_serving(check_views)


def get_consent() -> RequestConsent:
    """Return the consent of the request or websocket that is being handled.

    Raises:
        MissingMiddlewareError: the application has no consent, or the request was made by `test_request_context`.
    """
    return _exchange().consent


def requires_consent(
    category: str, *, vendor: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, Awaitable[R]]]:
    """Return a decorator that runs a view only if a category, or a vendor of it, is allowed.

    Otherwise the response is 403: a page for a browser, or a problem document with the category and the address of the preference
    page. A websocket is refused likewise, before it is accepted. An error handler of the application for ConsentRequiredError is
    used instead. The ids are checked when the server starts the application. Put the decorator below `@app.route`.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, Awaitable[R]]:
        check_is_function(view)

        @wraps(view)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not get_consent().allows(category, vendor):
                raise ConsentRequiredError(category, vendor)
            call: Callable[..., Awaitable[Any]] = current_app.ensure_async(view)
            return cast(R, await call(*args, **kwargs))

        return mark_required(guarded, category, vendor)

    return decorate


def _exchange() -> Exchange:
    scope = (websocket if has_websocket_context() else request).scope
    exchange = cast(dict[str, Any], scope).get("consentkit")
    if isinstance(exchange, Exchange):
        return exchange
    raise MissingMiddlewareError(
        "This request did not pass through ConsentMiddleware: add consent to the application with Consent(app)."
    )
