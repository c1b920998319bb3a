"""Reading of posted forms, with a size limit, and only from the site's own pages."""

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from consentkit.headers import proves_same_origin

__all__ = ["read_form"]

_BODY_LIMIT = 8_192
_FORM = "application/x-www-form-urlencoded"


async def read_form(request: Request, *origins: str) -> dict[str, str]:
    """Read a posted form; of fields with the same name, the first counts.

    `origins` are those of the site. Raises HTTPException: 403 for a form on another site's page, 413 for a form that is
    too long, 415 for another media type, 400 for a body that cannot be read.
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
