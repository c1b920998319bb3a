"""Views that need consent: a decorator for functions, and a mixin for classes."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import View

from consentkit.django.request_head import get_consent
from consentkit.errors import ConsentRequiredError, MissingMiddlewareError, UsageError

__all__ = ["ConsentRequiredMixin", "Requirement", "requirements", "requires_consent"]

P = ParamSpec("P")
R = TypeVar("R")


class Requirement(NamedTuple):
    """A category, or a vendor of it, that a view needs."""

    view: str
    category: str
    vendor: str | None


requirements: list[Requirement] = []
"""What the views of this process need, for the system check that compares it with the policy."""


def requires_consent(
    category: str, *, vendor: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that runs a view, sync or async, only if a category, or a vendor of it, is allowed.

    Otherwise the response is 403: the template `consentkit/consent_required.html` of the site or a page of the library for a
    browser, a problem document for a program.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        if isinstance(view, type):
            raise UsageError(
                f"@requires_consent decorates functions, not classes: {view.__name__} can have ConsentRequiredMixin."
            )
        name = getattr(view, "__qualname__", repr(view))
        requirements.append(Requirement(f"{view.__module__}.{name}", category, vendor))
        if iscoroutinefunction(view):

            @wraps(view)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                _require(_request(view, args), category, vendor)
                return await cast(Awaitable[Any], view(*args, **kwargs))

            return cast(Callable[P, R], guarded)

        @wraps(view)
        def guarded_sync(*args: P.args, **kwargs: P.kwargs) -> R:
            _require(_request(view, args), category, vendor)
            return view(*args, **kwargs)

        return guarded_sync

    return decorate


class ConsentRequiredMixin:
    """Runs a class-based view only if `consent_category`, or its `consent_vendor`, is allowed.

    It stands before `View` among the base classes.
    """

    consent_category: str = ""
    consent_vendor: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.consent_category:
            name = f"{cls.__module__}.{cls.__qualname__}"
            requirements.append(Requirement(name, cls.consent_category, cls.consent_vendor))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Call the view's method.

        Raises:
            ConsentRequiredError: the consent is missing; the middleware answers 403.
            UsageError: the class has no `consent_category`.
        """
        if not self.consent_category:
            raise UsageError(f"{type(self).__name__} has ConsentRequiredMixin, but no consent_category.")
        _require(request, self.consent_category, self.consent_vendor)
        view = cast(View, super())
        return view.dispatch(request, *args, **kwargs)


def _require(request: HttpRequest, category: str, vendor: str | None) -> None:
    if not get_consent(request).allows(category, vendor):
        raise ConsentRequiredError(category, vendor)


def _request(view: Callable[..., Any], args: tuple[Any, ...]) -> HttpRequest:
    for value in args:
        if isinstance(value, HttpRequest):
            return value
    raise MissingMiddlewareError(f"{view!r} was called without a request: @requires_consent decorates views.")
