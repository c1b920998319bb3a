"""What a form sends: read with a limit, and only from our own pages."""

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from consentkit.headers.request import proves_same_origin

__all__ = ["read_form"]

_BODY_LIMIT = 8_192
_FORM = "application/x-www-form-urlencoded"


async def read_form(request: Request, *origins: str) -> dict[str, str]:
    """Read a posted form, the first of equal names.

    `origins` are the site's own. Raises HTTPException: 403 for a form on somebody else's page, 413 for one
    that is too long, 415 for another type, 400 for what cannot be read.
    """
    if not proves_same_origin(request.scope["headers"], [origin.encode() for origin in origins]):
        raise HTTPException(403, "This form was sent from another site.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(415, "Please use the form on the page.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise HTTPException(413, "That is more than fits into this form.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError as error:
        raise HTTPException(400, "That form could not be read.") from error
    return dict(reversed(pairs))
