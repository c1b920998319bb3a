"""What Flask and Quart have in common: the extension that adds consent to an application, and the check of decorated views.

Quart is built on Flask's own classes, so that settings, templates, error handlers and commands are the same.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import click
from flask.sansio.app import App
from markupsafe import Markup
from werkzeug.local import LocalProxy

from consentkit.config import PolicyFile
from consentkit.errors import ConsentRequiredError, UsageError
from consentkit.headers import own_path
from consentkit.jinja import install
from consentkit.manager import ConsentManager
from consentkit.settings import manager_from_settings
from consentkit.web import Exchange, RequestConsent, check_required, refusal

__all__ = ["FlaskExtension", "check_is_function"]

NAME = "consentkit"
_PREFIX = "CONSENTKIT_"


class FlaskExtension(ABC):
    """Adds consent to applications: the middleware, functions for templates, the 403 response, and commands.

    `app.extensions["consentkit"]` is the application's ConsentManager.
    """

    # The method of applications that the middleware is put around.
    entry: ClassVar[str]

    def __init__(self, app: App | None = None, manager: ConsentManager | None = None) -> None:
        self._manager = manager
        if app is not None:
            self.init_app(app)

    def init_app(self, app: App, manager: ConsentManager | None = None) -> None:
        """Add consent to an application.

        Without a manager, one is built from the settings `CONSENTKIT_POLICY`, `CONSENTKIT_LEDGER` and so on: each argument of
        ConsentManager is a setting. Relative paths start from the application's folder. Without `CONSENTKIT_SECRET_KEY`, the
        key is derived from `SECRET_KEY`, and those of `SECRET_KEY_FALLBACKS` are still read.

        Raises:
            ConfigurationError: the settings cannot be used, with the remedy.
            UnknownIdError: a view that is registered already needs consent for an id that the policy does not declare.
            UsageError: the application has an extension of this kind already.
        """
        if NAME in app.extensions:
            raise UsageError("This application has consent already: call Consent(app) or init_app(app) once.")
        manager = manager or self._manager or _manager_of(app)
        check_views(app, manager)
        app.extensions[NAME] = manager
        setattr(app, self.entry, self.wrapped(getattr(app, self.entry), manager))
        install(app.jinja_env)
        app.jinja_env.globals["consent"] = LocalProxy(self.current)
        app.jinja_env.globals["consent_scripts"] = self.scripts
        if ConsentRequiredError not in app.error_handler_spec[None][None]:
            app.register_error_handler(ConsentRequiredError, lambda missing: self._refuse(app, missing))
        app.cli.add_command(_command(manager))
        self.check_at_start(app, partial(check_views, app, manager))

    def scripts(self) -> Markup:
        """Return the tag of the loader, for pages that the middleware leaves alone, such as those without a doctype.

        On other pages the loader does nothing.
        """
        exchange = self.exchange()
        src = own_path(exchange.head.root_path, f"{exchange.site.manager.prefix}/loader.js")
        return Markup('<script src="{}" defer></script>').format(src)

    @abstractmethod
    def wrapped(self, application: Any, manager: ConsentManager) -> Any:
        """Return the middleware around an application."""

    @abstractmethod
    def current(self) -> RequestConsent:
        """Return the consent of the request that is being handled."""

    @abstractmethod
    def exchange(self) -> Exchange:
        """Return the exchange of the request that is being handled."""

    @abstractmethod
    def check_at_start(self, app: App, check: Callable[[], None]) -> None:
        """Have a function called before the application serves its first request."""

    def _refuse(self, app: App, missing: ConsentRequiredError) -> Any:
        """Return the 403 response to a request whose consent is missing."""
        refused = refusal(self.exchange(), missing.category, missing.vendor)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in refused.headers]
        response_class: Callable[..., Any] = app.response_class
        return response_class(refused.body, refused.status, headers)


def check_views(app: App, manager: ConsentManager) -> None:
    """Check the ids of every view that is decorated with `requires_consent`.

    Raises:
        UnknownIdError: the policy has no such category, or no such vendor in it. A note has the view.
    """
    for endpoint, view in app.view_functions.items():
        for each in (view, getattr(view, "view_class", None)):
            check_required(manager, each, f"the view {endpoint!r}")


def check_is_function(view: Callable[..., Any]) -> None:
    """Check that `requires_consent` decorates a function.

    Raises:
        UsageError: it decorates a class.
    """
    if inspect.isclass(view):
        raise UsageError(
            f"@requires_consent decorates functions, not classes: add it to the list {view.__name__}.decorators."
        )


def _manager_of(app: App) -> ConsentManager:
    """Return the manager that an application's settings describe."""
    settings = {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in app.config.items()
        if name.startswith(_PREFIX)
    }
    keys = [app.config.get("SECRET_KEY"), *(app.config.get("SECRET_KEY_FALLBACKS") or ())]
    return manager_from_settings(
        settings,
        root=app.root_path,
        framework_keys=[key for key in keys if key],
        spelled=lambda name: f"{_PREFIX}{name.upper()}",
    )


def _command(manager: ConsentManager) -> click.Command:
    """Return the command `consent`, which runs the library's own commands with the application's policy.

    They are imported when they run: they need the extra `consentkit[cli]`, and their imports take longer than those of a small
    application.
    """

    def run(arguments: tuple[str, ...]) -> None:
        from consentkit.cli import app as commands

        commands(list(arguments), prog_name="flask consent", default_map=_defaults(manager))

    return click.Command(
        "consent",
        callback=run,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        add_help_option=False,
        help="Check the consent policy, and lock it.",
    )


def _defaults(manager: ConsentManager) -> Mapping[str, Any]:
    """Return the arguments of the commands that the application's settings answer."""
    policy, observed = manager.policy, manager.observed
    path: Path | None = policy.path if isinstance(policy, PolicyFile) else None
    if path is None:
        return {}
    seen = observed if observed is not None and observed.exists() else None
    of_group = {"policy_path": path, "prefix": manager.prefix}
    return {
        "check": {"path": path, "observed": seen},
        "lock": {"path": path},
        "group": {"check": of_group, "key": of_group},
    }
