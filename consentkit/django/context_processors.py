"""A context processor, for templates that read the consent without `request`."""

from django.http import HttpRequest

from consentkit.django.request_head import get_consent
from consentkit.web import RequestConsent

__all__ = ["consent"]


def consent(request: HttpRequest) -> dict[str, RequestConsent]:
    """Add `consent` to the context. The response depends on the visitor only if the template reads it.

    Raises:
        MissingMiddlewareError: the request did not pass through ConsentMiddleware.
    """
    return {"consent": get_consent(request)}
