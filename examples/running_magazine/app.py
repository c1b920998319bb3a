"""The magazine as an application: its routes, and the one line that adds consent."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from consentkit import ConsentManager
from consentkit.asgi import ConsentMiddleware

from . import handlers
from .comments import CommentBook
from .languages import LanguageChoice
from .magazine import HERE, build_magazine
from .page_views import Reporter, log_view

__all__ = ["create_app"]


def create_app(
    manager: ConsentManager,
    *origins: str,
    reporter: Reporter = log_view,
    comments: CommentBook | None = None,
) -> Starlette:
    """Return the application of the magazine.

    Args:
        manager: of the site; its policy is the `consent.toml` in this folder.
        origins: of the site, the canonical one first; forms are accepted only from these.
        reporter: called with each page view that may be counted.
        comments: the comments to start with.
    """
    app = Starlette(routes=_routes(), exception_handlers={HTTPException: handlers.error})
    app.state.magazine = build_magazine(
        manager, origins or ("https://stride.example",), reporter, comments or CommentBook()
    )
    app.add_middleware(ConsentMiddleware, manager=manager)
    app.add_middleware(LanguageChoice, languages=manager.policy.languages)
    return app


def _routes() -> list[Route | Mount]:
    return [
        Route("/", handlers.front),
        Route("/articles", handlers.articles),
        Route("/articles/{slug}", handlers.article),
        Route("/articles/{slug}/comments", handlers.comments, methods=["GET", "POST"]),
        Route("/articles/{slug}/text-size", handlers.text_size, methods=["POST"]),
        Route("/shoes", handlers.shoes),
        Route("/shoes/{slug}", handlers.shoe),
        Route("/courses/{slug}", handlers.course),
        Route("/courses/{slug}/book", handlers.book),
        Route("/about", handlers.about),
        Route("/language", handlers.language, methods=["POST"]),
        Route("/your-data", handlers.your_data),
        Route("/privacy", handlers.privacy),
        Route("/account/forget", handlers.forget, methods=["POST"]),
        Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
    ]
