"""Every language in a browser: the pages of a first visit, at the widths of a small phone and of a desktop.

axe-core runs once for each page, at 320 px. It leaves out colours, which do not depend on the language.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from consentkit import ConsentManager, Policy, trusted_header
from consentkit.asgi import ConsentMiddleware, get_consent, requires_consent
from consentkit.headers import preferred_language
from consentkit.jinja import embed
from consentkit.ui.i18n import direction
from examples.running_magazine.magazine import HERE
from tests.support.languages import LANGUAGES, in_every_language
from tests.support.placed_site import placed_data
from tests.support.servers import free_port, serving
from tests.support.walking import WHOLE, check_layout, resize, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page

PAGE = """<!doctype html><html lang="{language}" dir="{direction}"><head><meta charset="utf-8"><title>Stride</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>Stride</h1>{video}</main></body></html>"""
VIDEO = "https://www.youtube-nocookie.com/embed/M7lc1UVf-VE"
PICTURES = Path(__file__).parents[2] / ".artifacts" / "languages"
PICTURED = {
    ("banner-gb", 320),
    ("choices-us", 320),
    ("banner", 320),
    ("banner", 1280),
    ("settings-before", 320),
    ("policy", 320),
}
COLOURS = ("color-contrast", "link-in-text-block")
GREAT_BRITAIN = {"CF-IPCountry": "GB"}
CALIFORNIA = {"CF-IPCountry": "US", "CF-Region-Code": "CA", "Sec-GPC": "1"}
SMALL, WIDE = (320, 640), (1280, 800)
TALLEST = 0.68
"""The share of a phone's screen, 390 x 844, that the banner takes at most, with texts of an owner that are longer than most."""

# Show a page as a browser without JavaScript does.
WRITE = """async html => {
    document.open();
    document.write(html.replace(/<script\\b[^>]*>[^]*?<[/]script>/g, ""));
    document.close();
    await Promise.all([...document.querySelectorAll("link[rel=stylesheet]")].map(
        link => link.sheet || new Promise(loaded => { link.onload = loaded; })));
    document.querySelectorAll("details").forEach(one => { one.open = true; });
}"""
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
# Boxes whose text is wider than they are.
CUT = """() => [...document.querySelectorAll("button, a.cookie-consent-button, th, td, legend, summary, label, span, dt, dd")]
    .filter(one => one.checkVisibility() && getComputedStyle(one).display !== "inline" && one.scrollWidth > one.clientWidth + 1)
    .map(one => one.outerHTML.slice(0, 200))"""
# Pairs of buttons, accept and reject, with different boxes.
UNEQUAL = """() => [...document.querySelectorAll(".cookie-consent-actions, form.consent-actions, .consent-segments")]
    .map(row => [...row.querySelectorAll("button, label:not(:has([value='']))")].map(one => one.getBoundingClientRect()))
    .filter(boxes => boxes.length === 2 && boxes[0].height > 0
        && (Math.abs(boxes[0].width - boxes[1].width) > 1 || Math.abs(boxes[0].height - boxes[1].height) > 1))
    .map(boxes => boxes.map(box => [box.width, box.height]))"""
# Words of a choice that are broken over two lines.
BROKEN = """() => [...document.querySelectorAll("button, a.cookie-consent-button, .consent-segments span")].flatMap(one => {
    const text = [...one.childNodes].find(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    return !text || !one.checkVisibility() ? [] : [...text.data.matchAll(/\\S+/g)].filter(word => {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1;
    }).map(word => word[0]);
})"""
# Texts that run in another direction than the page.
OTHER_WAY = """way => [...document.querySelectorAll("main p, h1, h2, legend, button, .cookie-consent p, .site-privacy-status p")]
    .filter(one => one.checkVisibility() && getComputedStyle(one).direction !== way).map(one => one.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A site whose policy has all languages."""

    async def page(request: Request) -> HTMLResponse:
        language = preferred_language(request.scope["headers"], LANGUAGES)
        video = embed(get_consent(request), "youtube", VIDEO, title="Leg swings", kind="video")
        return HTMLResponse(PAGE.format(language=language, direction=direction(language), video=video))

    @requires_consent("analytical")
    async def needs(request: Request) -> HTMLResponse:
        return await page(request)

    port = free_port()
    magazine = tomllib.loads((HERE / "consent.toml").read_text("utf-8"))
    placed = placed_data(categories=magazine["categories"])
    data = in_every_language(placed) | {"languages": LANGUAGES}
    address = f"http://localhost:{port}"
    manager = ConsentManager(
        Policy.model_validate(data),
        secret_key="a key that the tests of languages sign with",
        ledger="sqlite://",
        site="stride",
        exclude=["/empty"],
        location=trusted_header(country="CF-IPCountry", region="CF-Region-Code", peers=["127.0.0.1"]),
        origins={"stride": address, "trailhead": f"http://trailhead.localhost:{port}"},
    )
    app = Starlette(routes=[Route("/", page), Route("/empty", page), Route("/needs", needs)])
    app.add_middleware(ConsentMiddleware, manager=manager)
    with serving(app, port=port):
        yield address
    manager.close()


@pytest.fixture(scope="module")
def window(origin: str, chromium: "Browser") -> "Iterator[Page]":
    """One window for all pages: axe-core stays in it, which takes longer to load than a page to check."""
    context = chromium.new_context()
    page = context.new_page()
    page.route("https://**", lambda route: route.abort())
    # The page without the library's script, which would stay in the window too.
    page.goto(f"{origin}/empty")
    yield page
    context.close()


def check_words(page: "Page | Frame", where: str, language: str) -> None:
    """Fail if the page is not in the language, or if a text is cut, or if a choice has unequal buttons."""
    way = direction(language)
    for selector in ("html", "#cookie-consent", ".site-privacy", ".site-privacy-status dialog"):
        told = page.evaluate(
            "s => [...document.querySelectorAll(s)].map(one => [one.lang, one.dir])", selector
        )
        assert told in ([], [[language, way]]), f"{where}: {selector}"
    assert page.evaluate(OTHER_WAY, way) == [], where
    assert page.evaluate(CUT) == [], where
    assert page.evaluate(UNEQUAL) == [], where
    assert page.evaluate(BROKEN) == [], where


def look_at(page: "Page", name: str, language: str, *, is_short: bool = False) -> None:
    """Check the words and the layout of the page at both widths, and take pictures of it.

    Of pages with few words, the small width and no axe-core unless the walk is whole: they share their parts with the others.
    """
    is_short = is_short and not WHOLE
    for width, height in (SMALL,) if is_short else (WIDE, SMALL):
        where = f"{name}, {language}, {width} px"
        resize(page, width, height)
        check_layout(page, where)
        check_words(page, where, language)
        if WHOLE or (name, width) in PICTURED:
            path = PICTURES / f"{name}-{language}-{width}.jpg"
            page.screenshot(path=path, full_page=name not in ("banner", "status"), type="jpeg", quality=60)
    if not is_short:
        assert violations(page, without=COLOURS) == [], f"{name}, {language}"


def visit(
    page: "Page", address: str, language: str, *, place: Mapping[str, str] | None = None, **form: str
) -> None:
    """Show a page, or the one that a form leads to, to a visitor at a place."""
    origin = address[: address.index("/", 8)]
    headers = {**NAVIGATION, "Accept-Language": language, "Origin": origin, **(place or {})}
    answer = page.request.fetch(
        address, method="POST" if form else "GET", headers=headers, **({"form": form} if form else {})
    )
    page.evaluate(WRITE, answer.text())


# IN-07, UI-02, AX-01, AX-05, AX-06
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_whole_in_every_language(origin: str, window: "Page", language: str) -> None:
    page = window
    page.context.clear_cookies()
    page.set_extra_http_headers({"Accept-Language": language})
    visit(page, f"{origin}/", language)
    resize(page, 390, 844)
    banner = page.locator("#cookie-consent").bounding_box()
    assert banner and banner["height"] <= 844 * TALLEST
    look_at(page, "banner", language)
    frame = page.frames[-1]
    frame.wait_for_selector("main")
    check_words(frame, f"embed, {language}", language)
    assert violations(frame, without=COLOURS) == []
    for name, path, place in (("banner-gb", "/", GREAT_BRITAIN), ("choices-us", "/consent", CALIFORNIA)):
        visit(page, f"{origin}{path}", language, place=place)
        look_at(page, name, language, is_short=True)
    visit(page, f"{origin}/consent", language)
    look_at(page, "settings-before", language)
    visit(page, f"{origin}/consent/decision", language, choice="accept_all", next="/")
    assert page.locator(".site-privacy-status dialog").is_visible()
    look_at(page, "status", language, is_short=True)
    for name, path in (("settings", ""), ("policy", "/policy"), ("sites", "/sites"), ("error", "/nowhere")):
        visit(page, f"{origin}/consent{path}", language)
        look_at(page, name, language, is_short=name != "policy")
    if WHOLE:
        look_at_other_states(page, origin, language)


def look_at_other_states(page: "Page", origin: str, language: str) -> None:
    """Look at what a visitor sees later, who has accepted everything."""
    visit(page, f"{origin}/consent/receipt.html", language)
    look_at(page, "receipt", language)
    visit(page, f"{origin}/consent/withdraw", language, next="/consent")
    look_at(page, "withdrawn", language)
    visit(page, f"{origin}/needs", language)
    look_at(page, "needs-consent", language)
    visit(page, f"{origin}/consent/decision", language, choice="reject_all", next="/")
    look_at(page, "status-rejected", language)
    visit(page, f"{origin}/consent", language)
    look_at(page, "settings-rejected", language)
    for name, place in (("settings-gb", GREAT_BRITAIN), ("choices-us-refused", CALIFORNIA)):
        visit(page, f"{origin}/consent", language, place=place)
        look_at(page, name, language)
    visit(page, f"{origin}/consent/decision", language, place=CALIFORNIA, choice="save", next="/consent")
    look_at(page, "choices-us-saved", language)
