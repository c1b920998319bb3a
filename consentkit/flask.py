"""For Flask: an extension that adds consent to an application, and what views call.

app = Flask(__name__)
app.config.update(CONSENTKIT_POLICY="consent.toml", CONSENTKIT_LEDGER="sqlite:///consent.db")
Consent(app)
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from flask import current_app, request
from flask.sansio.app import App

from consentkit import wsgi
from consentkit._flask_extension import FlaskExtension, check_is_function
from consentkit.errors import ConsentRequiredError, MissingMiddlewareError
from consentkit.manager import ConsentManager
from consentkit.web import Exchange, RequestConsent, mark_required

__all__ = ["Consent", "get_consent", "requires_consent"]

P = ParamSpec("P")
R = TypeVar("R")


class Consent(FlaskExtension):
    """Adds consent to Flask applications: `Consent(app)`, or `init_app` in an application factory.

    Compressing and proxy middleware must run around it: put them around `app.wsgi_app` after this call. Extensions that set
    cookies work inside, wherever they are added.

    Args:
        app: the application; None to call `init_app` later.
        manager: built by hand; None to build one from the application's settings.
    """

    entry = "wsgi_app"

    def wrapped(self, application: Any, manager: ConsentManager) -> Any:
        """Return the middleware around an application."""
        return wsgi.ConsentMiddleware(application, manager)

    def current(self) -> RequestConsent:
        """Return the consent of the request, as `get_consent` does."""
        return get_consent()

    def exchange(self) -> Exchange:
        """Return the exchange of the request."""
        return wsgi.get_exchange(request.environ)

    def check_at_start(self, app: App, check: Callable[[], None]) -> None:
        """Have a function called before the first request. It is called again until it raises no error."""
        is_checked = False

        def check_once() -> None:
            nonlocal is_checked
            if not is_checked:
                check()
                is_checked = True

        app.before_request(check_once)


def get_consent() -> RequestConsent:
    """Return the consent of the request that is being handled.

    Raises:
        MissingMiddlewareError: the application has no consent, or the request was made by `test_request_context`.
    """
    try:
        return wsgi.get_consent(request.environ)
    except MissingMiddlewareError:
        raise MissingMiddlewareError(
            "This request did not pass through ConsentMiddleware: add consent to the application with Consent(app)."
        ) from None


def requires_consent(
    category: str, *, vendor: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that runs a view only if a category, or a vendor of it, is allowed.

    Otherwise the response is 403: a page for a browser, or a problem document with the category and the address of the preference
    page. An error handler of the application for ConsentRequiredError is used instead. The ids are checked when the application
    starts. Put the decorator below `@app.route`.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        check_is_function(view)

        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not get_consent().allows(category, vendor):
                raise ConsentRequiredError(category, vendor)
            return cast(R, current_app.ensure_sync(view)(*args, **kwargs))

        return mark_required(guarded, category, vendor)

    return decorate
