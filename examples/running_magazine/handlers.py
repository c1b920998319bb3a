"""The handlers of the magazine. Code that needs consent asks here or in the template, in one call."""

import secrets
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from consentkit.asgi import get_consent, requires_consent
from consentkit.headers import local_path

from .forms import read_form
from .languages import COOKIE
from .magazine import Magazine

__all__ = [
    "about",
    "article",
    "articles",
    "book",
    "comments",
    "course",
    "error",
    "forget",
    "front",
    "language",
    "shoe",
    "shoes",
    "text_size",
    "your_data",
]

_SAID = {
    403: "That is not possible from here.",
    404: "This page has run off.",
    405: "This address does not take that.",
}
_SIX_MONTHS = 182 * 24 * 3600
_THIRTY_DAYS = 30 * 24 * 3600


async def front(request: Request) -> Response:
    """Show the front page."""
    return Magazine.of(request).page(request, "front.html")


async def articles(request: Request) -> Response:
    """List the articles."""
    return Magazine.of(request).page(request, "articles.html")


async def article(request: Request) -> Response:
    """Show an article, and store where the visit began if the visitor allows that."""
    magazine = Magazine.of(request)
    piece = magazine.piece(request, "articles")
    response = magazine.page(
        request, "article.html", piece=piece, comments=magazine.comments.under(piece.slug)
    )
    if get_consent(request).allows("analytical") and "stride-entry" not in request.cookies:
        response.set_cookie("stride-entry", piece.path, httponly=True, secure=magazine.secure, samesite="lax")
    return response


@requires_consent("social", vendor="disqus")
async def comments(request: Request) -> Response:
    """Show the comments on an article, and accept a new one."""
    magazine = Magazine.of(request)
    piece = magazine.piece(request, "articles")
    if request.method != "POST":
        return _comments_page(request, {}, None)
    fields = await read_form(request, *magazine.origins)
    problem = magazine.comments.add(piece.slug, fields)
    if problem is not None:
        return _comments_page(request, fields, problem)
    return RedirectResponse(f"{piece.path}#comments", 303)


def _comments_page(request: Request, fields: dict[str, str], problem: str | None) -> Response:
    magazine = Magazine.of(request)
    piece = magazine.piece(request, "articles")
    return magazine.page(
        request,
        "comments.html",
        400 if problem else 200,
        piece=piece,
        comments=magazine.comments.under(piece.slug),
        fields=fields,
        problem=problem,
    )


async def text_size(request: Request) -> Response:
    """Store the text size that the reader asked for. This is functional, so it needs no consent."""
    magazine = Magazine.of(request)
    piece = magazine.piece(request, "articles")
    size = (await read_form(request, *magazine.origins)).get("size")
    if size not in ("normal", "large"):
        raise HTTPException(400, "The text can be normal or large.")
    response = RedirectResponse(piece.path, 303)
    response.set_cookie(
        "reading-size", size, max_age=_SIX_MONTHS, httponly=True, secure=magazine.secure, samesite="lax"
    )
    return response


async def language(request: Request) -> Response:
    """Store the language that the reader chose, and return to the page."""
    magazine = Magazine.of(request)
    fields = await read_form(request, *magazine.origins)
    chosen = fields.get("language", "")
    if chosen not in magazine.editions:
        raise HTTPException(400, "There is no edition in that language.")
    response = RedirectResponse(local_path(fields.get("next"), magazine.manager.prefix), 303)
    response.set_cookie(
        COOKIE, chosen, max_age=_SIX_MONTHS, httponly=True, secure=magazine.secure, samesite="lax"
    )
    return response


async def shoes(request: Request) -> Response:
    """List and compare the shoe tests."""
    return Magazine.of(request).page(request, "shoes.html")


async def shoe(request: Request) -> Response:
    """Show a shoe test."""
    magazine = Magazine.of(request)
    return magazine.page(request, "review.html", piece=magazine.piece(request, "shoes"))


async def course(request: Request) -> Response:
    """Show a course that readers get a discount on."""
    magazine = Magazine.of(request)
    return magazine.page(request, "course.html", piece=magazine.piece(request, "courses"))


async def book(request: Request) -> Response:
    """Redirect to the partner, with a click number for the commission if the visitor allows that.

    The discount is the same without it.
    """
    magazine = Magazine.of(request)
    offer = magazine.piece(request, "courses").offer
    if offer is None or not get_consent(request).allows("tracking", vendor="zielgerade"):
        return RedirectResponse(offer.url if offer else "/", 303)
    click = secrets.token_urlsafe(12)
    response = RedirectResponse(f"{offer.url}?{urlencode({'zgclick': click})}", 303)
    response.set_cookie(
        "partner-click", click, max_age=_THIRTY_DAYS, httponly=True, secure=magazine.secure, samesite="lax"
    )
    return response


async def about(request: Request) -> Response:
    """Show who makes the magazine."""
    magazine = Magazine.of(request)
    return magazine.page(request, "about.html", piece=magazine.piece(request, "pages", "about"))


async def your_data(request: Request) -> Response:
    """Show the reader's rights, with a button that withdraws everything."""
    magazine = Magazine.of(request)
    return magazine.page(request, "your-data.html", forgotten="forgotten" in request.query_params)


async def privacy(request: Request) -> Response:
    """Show the privacy statement."""
    return Magazine.of(request).page(request, "privacy.html")


async def forget(request: Request) -> Response:
    """Withdraw everything that was granted, in a handler."""
    await read_form(request, *Magazine.of(request).origins)
    await get_consent(request).awithdraw()
    return RedirectResponse("/your-data?forgotten", 303)


async def error(request: Request, exception: Exception) -> Response:
    """Show an error in the magazine's own design."""
    if not isinstance(exception, HTTPException):
        raise exception
    said = exception.detail if exception.status_code in (400, 413, 415) else _SAID.get(exception.status_code)
    response = Magazine.of(request).page(
        request, "error.html", exception.status_code, said=said or exception.detail
    )
    response.headers.update(exception.headers or {})
    return response
