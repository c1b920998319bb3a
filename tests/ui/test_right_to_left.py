"""The library's pages in a script that runs from right to left: Arabic letters in place of the English ones."""

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from babel.messages.pofile import read_po, write_po
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from consentkit import ConsentManager, Policy
from consentkit.asgi import ConsentMiddleware
from consentkit.ui.i18n import LOCALES
from examples.running_magazine.magazine import HERE
from tests.support.servers import free_port, serving
from tests.support.walking import (
    WIDTHS,
    check_accessibility,
    check_layout,
    open_as_visitor,
    open_details,
    resize,
    take_picture,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

LATIN = "abcdefghijklmnopqrstuvwxyz"
ARABIC = "ابثدعفغهيجكلمنوپقرستطڤوخيز"
LETTERS = str.maketrans(LATIN + LATIN.upper(), ARABIC * 2)
PAGE = (
    '<!doctype html><html lang="ar" dir="rtl"><head><meta charset="utf-8"><title>\u0627</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
    "<body><main><h1>\u0627</h1></main></body></html>"
)


def pseudo(text: str) -> str:
    """Write with Arabic letters, and a third longer, as translations are; placeholders stay."""
    parts = re.split(r"(%\(\w+\)s)", text)
    written = "".join(part if place % 2 else part.translate(LETTERS) for place, part in enumerate(parts))
    return f"{written} {'ن' * (len(text) // 15 + 1)}" if len(text) > 12 else written


def written_in_arabic(value: Any) -> Any:
    """Put an Arabic text where the policy has an English and a Dutch one."""
    if isinstance(value, dict):
        if "en" in value:
            return {"ar": pseudo(value["en"])}
        return {key: written_in_arabic(one) for key, one in value.items()}
    return [written_in_arabic(one) for one in value] if isinstance(value, list) else value


def catalogue(folder: Path) -> Path:
    """Translate the template for translators; Arabic has six plural forms."""
    with (LOCALES / "consentkit.pot").open("rb") as lines:
        found = read_po(lines, locale="ar")
    for message in found:
        if message.id and isinstance(message.id, str):
            message.string = pseudo(message.id)
        elif message.id:
            message.string = tuple(pseudo(message.id[1]) for _ in range(found.num_plurals))
    path = folder / "ar" / "LC_MESSAGES" / "consentkit.po"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_po(file, found)
    return folder


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(PAGE)

    port = free_port()
    data = tomllib.loads((HERE / "consent.toml").read_text("utf-8"))
    policy = Policy.model_validate(written_in_arabic(data) | {"languages": ["ar"]})
    manager = ConsentManager(
        policy,
        secret_key="a key that the tests of the other direction sign with",
        ledger="sqlite://",
        site="stride",
        origins={"stride": f"http://stride.localhost:{port}"},
        locales=catalogue(tmp_path_factory.mktemp("locales")),
    )
    app = Starlette(routes=[Route("/", page)])
    app.add_middleware(ConsentMiddleware, manager=manager)
    with serving(app, port=port):
        yield f"http://stride.localhost:{port}"
    manager.close()


# AX-05, AX-06, IN-07
@pytest.mark.parametrize("state", ["undecided", "granted"])
def test_right_to_left_pages_fit_and_are_accessible(
    origin: str, new_page: "Callable[..., Page]", state: str
) -> None:
    page = open_as_visitor(new_page, origin, "ar", state)
    for place, path in enumerate(("/", "/consent", "/consent/policy", "/consent/sites", "/consent/nowhere")):
        page.goto(origin + path)
        open_details(page)
        for width in WIDTHS:
            resize(page, width)
            check_layout(page, f"{path}, {state}, {width} px")
        assert not page.evaluate(
            """() => [...document.querySelectorAll("main p, h2, .cookie-consent p, legend")].some(
                one => one.checkVisibility() && getComputedStyle(one).direction !== "rtl")"""
        )
        resize(page, WIDTHS[place % len(WIDTHS)])
        check_accessibility(page, f"{path}, {state}")
        take_picture(page, "rtl", path, state, WIDTHS[place % len(WIDTHS)])


# AX-05
def test_the_right_to_left_banner_is_mirrored(origin: str, new_page: "Callable[..., Page]") -> None:
    page = open_as_visitor(new_page, origin, "ar", "undecided")
    resize(page, 1280)
    page.goto(origin)
    assert page.get_attribute("#cookie-consent", "dir") == "rtl"
    text = page.locator(".cookie-consent-text").bounding_box()
    actions = page.locator(".cookie-consent-actions").bounding_box()
    assert text and actions
    assert actions["x"] + actions["width"] <= text["x"]
