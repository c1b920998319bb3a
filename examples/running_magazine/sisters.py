"""Stride's sister sites, Trailhead and Shoelab: one small application, two looks, and the same consent."""

from collections.abc import Sequence
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

from .content import Shelf, read_shelf
from .dressing import LINES, dress
from .page_views import PageView, Reporter, log_view, report_if_allowed

__all__ = ["SISTERS", "create_sister"]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Sister:
    """What differs from one sister site to the other, beside its texts and its colours."""

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
    shelf: Shelf
    templates: Environment
    reporter: Reporter

    def page(self, request: Request, template: str, status: int = 200, **context: object) -> HTMLResponse:
        """Render a page, and count it afterwards if the visitor lets us."""
        consent = get_consent(request)
        url = self.origin + request.url.path
        html = self.templates.get_template(template).render(
            consent=consent, path=request.url.path, shelf=self.shelf, url=url, **context
        )
        count = BackgroundTask(report_if_allowed, consent, PageView(url, None), self.reporter)
        return HTMLResponse(html, status, background=count)


def create_sister(manager: ConsentManager, *, reporter: Reporter = log_view) -> Starlette:
    """Build the sister site that a manager is for."""
    sister = next(each for each in SISTERS if each.id == manager.site)
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    dress(templates, manager, "en")
    templates.globals["sister"] = sister
    shelf = read_shelf(HERE / "content" / sister.id, "en")
    app = Starlette(routes=_routes(), exception_handlers={HTTPException: _error})
    app.state.site = _Site(sister, manager.origins[sister.id][0], shelf, templates, reporter)
    app.add_middleware(ConsentMiddleware, manager=manager)
    return app


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
    piece = site.shelf.find("articles", request.path_params["slug"])
    if piece is None:
        raise HTTPException(404)
    return site.page(request, "sister/piece.html", piece=piece)


async def _error(request: Request, exception: Exception) -> Response:
    if not isinstance(exception, HTTPException):
        raise exception
    return _site(request).page(request, "sister/error.html", exception.status_code)
