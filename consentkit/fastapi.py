"""For FastAPI: the consent as a dependency, and routes that need one, visible in the OpenAPI document.

The middleware is the same as for Starlette: `app.add_middleware(ConsentMiddleware, manager=manager)`.
"""

from typing import Annotated, Any

from fastapi import Depends, Security
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase

from consentkit.asgi import ConsentMiddleware, get_consent
from consentkit.errors import ConsentRequiredError
from consentkit.web import RequestConsent

__all__ = ["ConsentDep", "ConsentMiddleware", "get_consent", "require_consent"]


def _consent(connection: HTTPConnection) -> RequestConsent:
    return get_consent(connection)


ConsentDep = Annotated[RequestConsent, Depends(_consent)]
"""The visitor's consent: `async def article(consent: ConsentDep)`."""


class _Required(SecurityBase):
    """A dependency that FastAPI shows as a security scheme, so that clients see what a route needs."""

    def __init__(self, category: str, vendor: str | None) -> None:
        self.category = category
        self.vendor = vendor
        of = f"{category} ({vendor})" if vendor else category
        self.scheme_name = f"consent-{category}-{vendor}" if vendor else f"consent-{category}"
        described = (
            f"The visitor's consent for {of}, given on the consent pages; without it 403, a problem document."
        )
        self.model = APIKey.model_validate(
            {"in": APIKeyIn.cookie, "name": "__Host-consent", "description": described}
        )

    def __call__(self, connection: HTTPConnection) -> RequestConsent:
        """Return the consent.

        Raises:
            ConsentRequiredError: it does not allow what the route needs.
        """
        consent = get_consent(connection)
        if not consent.allows(self.category, self.vendor):
            raise ConsentRequiredError(self.category, self.vendor)
        return consent


def require_consent(category: str, *, vendor: str | None = None) -> Any:
    """Let a route run only where a category, or a vendor of it, is allowed; otherwise 403, or 1008 for a websocket.

    Use it as `dependencies=[require_consent("social")]` of a route or router, or as the default of a parameter, which then is the
    visitor's consent.
    """
    return Security(_Required(category, vendor))
