"""The order of a site's `MIDDLEWARE`: what runs around the consent's middleware, and what inside."""

from typing import NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string

__all__ = ["MiddlewareOrder", "middleware_order"]

CONSENT = "consentkit.django.ConsentMiddleware"
_COMPRESSES = ("gzip", "brotli", "compress", "zstd")
_SETS_COOKIES = frozenset(
    {
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    }
)
_SETS_POLICIES = frozenset(
    {"csp.middleware.CSPMiddleware", "django.middleware.csp.ContentSecurityPolicyMiddleware"}
)
_CACHES = frozenset(
    {
        "django.middleware.cache.CacheMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
        "django.middleware.cache.UpdateCacheMiddleware",
    }
)
_REDIRECTS = "django.middleware.common.CommonMiddleware"


class MiddlewareOrder(NamedTuple):
    """Where other middleware stands.

    Attributes:
        outside: names before the consent's middleware.
        inside: names after it.
    """

    outside: tuple[str, ...]
    inside: tuple[str, ...]

    @property
    def compresses_inside(self) -> list[str]:
        """Names of middleware whose compressed pages nothing can be inserted into."""
        return [
            name
            for name in self.inside
            if any(word in name.rpartition(".")[2].lower() for word in _COMPRESSES)
        ]

    @property
    def caches_inside(self) -> list[str]:
        """Names of middleware that keeps pages before they say that they depend on the visitor."""
        return [name for name in self.inside if name in _CACHES]

    @property
    def sets_cookies_outside(self) -> list[str]:
        """Names of middleware whose cookies pass without the consent."""
        return [name for name in self.outside if name in _SETS_COOKIES]

    @property
    def sets_policies_outside(self) -> list[str]:
        """Names of middleware whose Content-Security-Policy stays closed for vendors that visitors allowed."""
        return [name for name in self.outside if name in _SETS_POLICIES]

    @property
    def redirects_outside(self) -> bool:
        """Whether the library's addresses may get a slash at the end before they are recognised."""
        return bool(settings.APPEND_SLASH) and _REDIRECTS in self.outside


def middleware_order() -> MiddlewareOrder | None:
    """Return the order; None if the consent's middleware, or a class that inherits it, is not in `MIDDLEWARE`."""
    names = list(settings.MIDDLEWARE)
    for place, name in enumerate(names):
        if name == CONSENT or _inherits(name):
            return MiddlewareOrder(tuple(names[:place]), tuple(names[place + 1 :]))
    return None


def _inherits(name: str) -> bool:
    try:
        found = import_string(name)
        consent = import_string(CONSENT)
    except ImportError:
        return False  # Django itself reports what cannot be imported
    return isinstance(found, type) and issubclass(found, consent)
