"""The parts that all pages of the magazine share: texts, templates and comments."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from consentkit import ConsentManager
from consentkit.asgi import get_consent
from consentkit.headers import preferred_language

from .comments import CommentBook
from .content import Piece, Shelf, read_shelf
from .dressing import dress
from .page_views import PageView, Reporter, log_view, report_if_allowed

__all__ = ["CSP", "HERE", "Edition", "Magazine", "build_magazine"]

HERE = Path(__file__).parent
# The policy without consent; the library opens it for the vendors that a visitor allows. Their scripts run because ours,
# which has the nonce, adds them. Listed hosts would help an injected script, because some serve whatever one asks for.
CSP = """
    default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; img-src 'self'; font-src 'self';
    connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'
"""
# Every text may call these macros without importing them.
_TEXT_PREFIX = '{% from "parts.html" import video with context %}'


@dataclass(frozen=True, slots=True)
class Edition:
    """The magazine in one language."""

    language: str
    shelf: Shelf
    templates: Environment


@dataclass(frozen=True, slots=True)
class Magazine:
    """The state that all handlers share, in `app.state.magazine`.

    `origins` are those of the site, the canonical one first; `editions` are by language.
    """

    manager: ConsentManager
    origins: tuple[str, ...]
    editions: Mapping[str, Edition]
    comments: CommentBook
    reporter: Reporter

    @classmethod
    def of(cls, request: Request) -> "Magazine":
        """Return the magazine of a request."""
        magazine: Magazine = request.app.state.magazine
        return magazine

    @property
    def secure(self) -> bool:
        """Whether the site's cookies are sent only over https."""
        return self.origins[0].startswith("https:")

    def edition(self, request: Request) -> Edition:
        """Return the edition in the language that the consent pages use for this request."""
        return self.editions[preferred_language(request.scope["headers"], tuple(self.editions))]

    def piece(self, request: Request, section: str, slug: str = "") -> Piece:
        """Return the piece with `slug`, by default the one in the path; raises HTTPException 404."""
        piece = self.edition(request).shelf.find(section, slug or request.path_params["slug"])
        if piece is None:
            raise HTTPException(404)
        return piece

    def page(self, request: Request, template: str, status: int = 200, **context: object) -> HTMLResponse:
        """Render a page, and count it afterwards if the visitor allows that."""
        consent, edition = get_consent(request), self.edition(request)
        html = edition.templates.get_template(template).render(
            request=request,
            consent=consent,
            shelf=edition.shelf,
            path=request.url.path,
            url=self.origins[0] + request.url.path,
            large=request.cookies.get("reading-size") == "large",
            **context,
        )
        view = PageView(self.origins[0] + request.url.path, request.cookies.get("stride-entry"))
        return HTMLResponse(
            html,
            status,
            {"Content-Language": edition.language, "Vary": "Accept-Language, Cookie"},
            background=BackgroundTask(report_if_allowed, consent, view, self.reporter),
        )


def build_magazine(
    manager: ConsentManager,
    origins: tuple[str, ...],
    reporter: Reporter = log_view,
    comments: CommentBook | None = None,
) -> Magazine:
    """Read the texts and prepare the templates; a missing or misspelt name raises here."""
    folder = HERE / "content" / "stride"
    editions = {language: _edition(manager, folder, language) for language in manager.policy.languages}
    return Magazine(manager, origins, editions, comments or CommentBook(), reporter)


def _edition(manager: ConsentManager, folder: Path, language: str) -> Edition:
    shelf = read_shelf(folder, language)
    texts = {piece.path: _TEXT_PREFIX + piece.body for piece in shelf.all}
    templates = Environment(
        loader=ChoiceLoader([DictLoader(texts), FileSystemLoader(HERE / "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    dress(templates, manager, language)
    for path in texts:
        templates.get_template(path)
    return Edition(language, shelf, templates)
