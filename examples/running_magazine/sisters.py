"""Stride's sister sites, Trailhead and Shoelab: one small application, two designs, and the same consent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from consentkit import ConsentManager
from consentkit.asgi import ConsentMiddleware, get_consent
from consentkit.headers import preferred_language

from .content import read_shelf
from .dressing import LINES, dress
from .languages import LanguageChoice
from .magazine import Edition
from .page_views import PageView, Reporter, log_view, report_if_allowed

__all__ = ["SISTERS", "create_sister"]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Sister:
    """The differences between the sister sites, except their texts and colours."""

    id: str
    name: str
    line: str
    heading: str


SISTERS = (
    Sister("trailhead", "Trailhead", LINES["trailhead"], "Trails worth the mud"),
    Sister("shoelab", "Shoelab", LINES["shoelab"], "From the bench"),
)


@dataclass(frozen=True, slots=True)
class _Site:
    sister: Sister
    origin: str
    editions: Mapping[str, Edition]
    reporter: Reporter

    def edition(self, request: Request) -> Edition:
        """Return the edition in the language that the consent pages use for this request."""
        return self.editions[preferred_language(request.scope["headers"], tuple(self.editions))]

    def page(self, request: Request, template: str, status: int = 200, **context: object) -> HTMLResponse:
        """Render a page, and count it afterwards if the visitor allows that."""
        consent, edition = get_consent(request), self.edition(request)
        url = self.origin + request.url.path
        html = edition.templates.get_template(template).render(
            request=request, consent=consent, path=request.url.path, shelf=edition.shelf, url=url, **context
        )
        count = BackgroundTask(report_if_allowed, consent, PageView(url, None), self.reporter)
        headers = {"Content-Language": edition.language, "Vary": "Accept-Language, Cookie"}
        return HTMLResponse(html, status, headers, background=count)


def create_sister(manager: ConsentManager, *, reporter: Reporter = log_view) -> Starlette:
    """Return the application of the sister site that a manager is for."""
    sister = next(each for each in SISTERS if each.id == manager.site)
    editions = {language: _edition(manager, sister, language) for language in manager.policy.languages}
    app = Starlette(routes=_routes(), exception_handlers={HTTPException: _error})
    app.state.site = _Site(sister, manager.origins[sister.id][0], editions, reporter)
    app.add_middleware(ConsentMiddleware, manager=manager)
    app.add_middleware(LanguageChoice, languages=manager.policy.languages)
    return app


def _edition(manager: ConsentManager, sister: Sister, language: str) -> Edition:
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    dress(templates, manager, language)
    templates.globals["sister"] = sister
    return Edition(language, read_shelf(HERE / "content" / sister.id, language), templates)


def _routes() -> Sequence[Route | Mount]:
    return [
        Route("/", _front),
        Route("/articles/{slug}", _piece),
        Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
    ]


def _site(request: Request) -> _Site:
    site: _Site = request.app.state.site
    return site


async def _front(request: Request) -> Response:
    return _site(request).page(request, "sister/front.html")


async def _piece(request: Request) -> Response:
    site = _site(request)
    piece = site.edition(request).shelf.find("articles", request.path_params["slug"])
    if piece is None:
        raise HTTPException(404)
    return site.page(request, "sister/piece.html", piece=piece)


async def _error(request: Request, exception: Exception) -> Response:
    if not isinstance(exception, HTTPException):
        raise exception
    return _site(request).page(request, "sister/error.html", exception.status_code)
