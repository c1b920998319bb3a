"""For FastAPI: the consent as a dependency, and routes that need consent, as the OpenAPI document shows.

The middleware is the same as for Starlette: `app.add_middleware(ConsentMiddleware, manager=manager)`.
"""

from typing import Annotated, Any

from fastapi import Depends, Security
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase

from consentkit.asgi import ConsentMiddleware, get_consent
from consentkit.errors import ConsentRequiredError
from consentkit.web import RequestConsent, mark_required

__all__ = ["ConsentDep", "ConsentMiddleware", "get_consent", "require_consent"]


def _consent(connection: HTTPConnection) -> RequestConsent:
    return get_consent(connection)


ConsentDep = Annotated[RequestConsent, Depends(_consent)]
"""The visitor's consent: `async def article(consent: ConsentDep)`."""


class _Required(SecurityBase):
    """A dependency that refuses requests without a consent, and that the OpenAPI document shows as a security scheme."""

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
        """Return the visitor's consent.

        Raises:
            ConsentRequiredError: the category or vendor is not allowed.
        """
        consent = get_consent(connection)
        if not consent.allows(self.category, self.vendor):
            raise ConsentRequiredError(self.category, self.vendor)
        return consent


def require_consent(category: str, *, vendor: str | None = None) -> Any:
    """Return a dependency that runs a route only if a category, or a vendor of it, is allowed.

    Otherwise the response is 403, and a websocket is closed with 1008. Write `dependencies=[require_consent("social")]` on a
    route or router. As the default of a parameter, the dependency passes the visitor's consent to the route.
    """
    return Security(mark_required(_Required(category, vendor), category, vendor))
