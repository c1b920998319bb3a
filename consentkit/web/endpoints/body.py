"""What the endpoints take in: bodies of 16 KiB at the most, of two media types, read strictly or refused."""

from starlette.requests import Request

from consentkit.errors import InvalidDecisionError
from consentkit.headers import header_values
from consentkit.web.endpoints.choice import SubmittedChoice, read_form, read_json
from consentkit.web.endpoints.problem import HTTPProblem

__all__ = ["FORM", "JSON", "body", "form", "json", "media_type", "wants_html"]

LARGEST_BODY = 16 * 1024
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def media_type(request: Request) -> str:
    """Give the media type of a body in UTF-8 that is not encoded; empty for any other one."""
    headers = request.scope["headers"]
    types = header_values(headers, b"content-type")
    encodings = header_values(headers, b"content-encoding")
    if len(types) != 1 or any(value.strip().lower() not in (b"", b"identity") for value in encodings):
        return ""
    media_type, _, parameters = types[0].decode("latin-1").lower().partition(";")
    charset = parameters.strip().replace('"', "").removeprefix("charset=")
    return media_type.strip() if not parameters.strip() or charset in ("utf-8", "utf8") else ""


def wants_html(request: Request) -> bool:
    """Say whether a refusal is read by a person: after a form, or where a browser navigates."""
    if media_type(request) == FORM:
        return True
    accept = b",".join(header_values(request.scope["headers"], b"accept"))
    return b"text/html" in accept and request.method in ("GET", "HEAD", "POST")


async def body(request: Request) -> bytes:
    """Read at most 16 KiB, counted as they arrive, whatever Content-Length says."""
    declared = header_values(request.scope["headers"], b"content-length")
    if declared and declared[0].isdigit() and int(declared[0][:20]) > LARGEST_BODY:
        raise HTTPProblem(413, "The body is larger than 16 KiB.")
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST_BODY:
            raise HTTPProblem(413, "The body is larger than 16 KiB.")
    return bytes(received)


def form(body: bytes, *, withdrawal: bool = False) -> tuple[SubmittedChoice, str | None]:
    """Read a form, or answer 400."""
    try:
        return read_form(body, withdrawal=withdrawal)
    except InvalidDecisionError as error:
        raise HTTPProblem(400, str(error)) from None


def json(body: bytes, *, merge: bool) -> SubmittedChoice:
    """Read JSON, or answer 400."""
    try:
        return read_json(body, merge=merge)
    except InvalidDecisionError as error:
        raise HTTPProblem(400, str(error)) from None
