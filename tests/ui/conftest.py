"""A browser that shows documents with their style sheet and script, without a server."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.told import POLICY, pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

ADDRESS = "http://stride.test/"
ASSETS = pages(POLICY).assets
Show = Callable[..., "Page"]


@pytest.fixture(scope="module")
def show(chromium: "Browser") -> Iterator[Show]:
    """`show(html, width=320, color_scheme="dark", ...)` loads a document with its style sheet; one page serves all tests."""
    document = ""

    def answer(route: "Route") -> None:
        name = route.request.url.rsplit("/", 1)[1]
        kind, body = ASSETS.get(name, ("text/html; charset=utf-8", document.encode()))
        route.fulfill(body=body, content_type=kind)

    context = chromium.new_context()
    page = context.new_page()
    page.route("**/*", answer)

    def load(html: str, *, width: int = 1280, height: int = 720, **media: Any) -> "Page":
        nonlocal document
        document = html
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**({"media": "screen", "color_scheme": "light", "forced_colors": "none"} | media))
        page.goto(ADDRESS)
        return page

    yield load
    context.close()
