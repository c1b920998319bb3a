"""Django, configured once for all tests of a process, and a site whose views each test brings."""

from collections.abc import Callable, Sequence
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from consentkit import ConsentManager
from consentkit.django import get_manager
from consentkit.ledger import Record
from tests.support.front import DOCUMENT, KEY, ORIGIN, a_policy

CONSENT = "consentkit.django.ConsentMiddleware"
EVERY_MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    CONSENT,
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {
        "context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]
    },
}

if not settings.configured:
    settings.configure(
        SECRET_KEY="a key of a Django site of the tests, which guards nothing",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=(),
        INSTALLED_APPS=[
            "consentkit.django",
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
        ],
        MIDDLEWARE=EVERY_MIDDLEWARE,
        TEMPLATES=[TEMPLATES],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        USE_TZ=True,
        STATIC_URL="static/",
    )
    django.setup()

__all__ = ["CONSENT", "EVERY_MIDDLEWARE", "TEMPLATES", "DjangoSite", "page"]


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(DOCUMENT)


class DjangoSite:
    """The site of the example in Django. `changes` are pytest-django's settings, which it puts back after a test."""

    def __init__(self, changes: Any, clock: Callable[[], float]) -> None:
        self.changes = changes
        self._clock = clock
        changes.MIDDLEWARE = [CONSENT]
        self.configure()

    def configure(self, **options: Any) -> None:
        """Use a manager with these options in addition to the usual ones."""
        usual = {"policy": a_policy(), "ledger": "sqlite://", "site": "stride", "secret_key": KEY}
        self.changes.CONSENTKIT = usual | {"clock": self._clock} | options

    @property
    def manager(self) -> ConsentManager:
        return get_manager()

    def records(self) -> list[Record]:
        assert self.manager.ledger is not None
        return list(self.manager.ledger.records())

    def _use(self, views: Sequence[Any]) -> None:
        routes = [view if hasattr(view, "pattern") else path(view.__name__, view) for view in views]
        self.changes.ROOT_URLCONF = (*routes, path("", page))

    def client(self, *views: Any, **options: Any) -> Client:
        """Return a client of a site with a page at `/` and each view at its name."""
        self._use(views)
        return Client(**({"headers": {"origin": ORIGIN}} | options))

    def aclient(self, *views: Any) -> AsyncClient:
        """Return a client of the same site over ASGI."""
        self._use(views)
        return AsyncClient(headers={"origin": ORIGIN})
