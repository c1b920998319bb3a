"""Checks of pages in a browser: that they fit at every width and are accessible, with pictures of each."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axe_playwright_python.sync_playwright import Axe

from consentkit import load_policy
from examples.running_magazine.content import read_shelf
from examples.running_magazine.development import build, origins_from
from examples.running_magazine.magazine import HERE
from tests.support.servers import free_port, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).parents[2] / ".artifacts" / "walk"
WHOLE = os.environ.get("WALK") == "whole"
"""Whether each page is checked in both themes, instead of one that changes from page to page."""
WIDTHS = (320, 768, 1280)
SCHEMES = ("light", "dark")
STATES = ("undecided", "refused", "granted", "withdrawn")
LANGUAGES = load_policy(HERE / "consent.toml").languages
ZOOMED = (320, 256)
"""A window of 1280 x 1024 at 400 % (WCAG 1.4.10)."""
_CONSENT_PAGES = ("/consent", "/consent/policy", "/consent/sites", "/consent/nowhere")
_STRIDE_PAGES = (
    *("/articles", "/shoes", "/about", "/your-data", "/your-data?forgotten"),
    "/articles/hamstrings/comments",
)

_AXE = Axe()

_ANSWER = """async answers => {
    for (const [method, path, body] of answers) {
        const said = await fetch(path, { method, headers: { "Content-Type": "application/json" }, body });
        if (!said.ok) throw new Error(`${method} ${path}: ${said.status} ${await said.text()}`);
    }
}"""
ANSWERS: dict[str, list[tuple[str, str, str | None]]] = {
    "undecided": [],
    "refused": [("POST", "/consent/decision", '{"choice": "reject_all"}')],
    "granted": [("POST", "/consent/decision", '{"choice": "accept_all"}')],
    "withdrawn": [
        ("POST", "/consent/decision", '{"choice": "accept_all"}'),
        ("DELETE", "/consent/decision", None),
    ],
}

# Texts that overflow their box, a box that hides its overflow, or the window. Text for screen readers is clipped on
# purpose, and text in a box that scrolls can be reached.
_OVERFLOWING_TEXTS = """() => {
    const styles = new Map(), found = new Set();
    const style = one => styles.get(one) ?? (styles.set(one, getComputedStyle(one)), styles.get(one));
    const ancestors = one => one ? [one, ...ancestors(one.parentElement)] : [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode, above = ancestors(text.parentElement);
        if (!text.data.trim() || !above[0].checkVisibility({ visibilityProperty: true })) continue;
        if (above.some(one => style(one).clipPath !== "none")) continue;
        const range = document.createRange();
        range.selectNodeContents(text);
        for (const line of range.getClientRects()) {
            if (line.width < 2) continue;
            const block = above.find(one => style(one).display !== "inline");
            for (const one of above) {
                if (/auto|scroll/.test(style(one).overflow)) break;
                const box = one.getBoundingClientRect(), hides = /hidden|clip/.test(style(one).overflow);
                const wide = line.left < box.left - 2 || line.right > box.right + 2;
                const high = line.top < box.top - 2 || line.bottom > box.bottom + 2;
                if ((hides && (wide || high)) || (one === block && wide) || (one === document.body &&
                    (line.left < -1 || line.right > innerWidth + 1))) found.add(text.data.trim());
            }
        }
    }
    return [...found];
}"""


# What a page shows: its elements and those of its frames. Scripts show nothing, and neither does the address of a link.
_CONTENT = """() => {
    const content = page => {
        const copy = page.documentElement.cloneNode(true);
        copy.querySelectorAll("script").forEach(script => script.remove());
        for (const link of copy.querySelectorAll("a[href]")) link.setAttribute("href", "");
        return [copy.outerHTML, ...[...page.querySelectorAll("iframe")].map(
            frame => frame.contentDocument?.documentElement ? content(frame.contentDocument) : frame.src)].join("\\n");
    };
    return content(document);
}"""


# Where each element is, and whether it is seen.
_BOXES = """() => JSON.stringify([...document.querySelectorAll("body *")].map(element => {
    const box = element.getBoundingClientRect();
    return [box.x, box.y, box.width, box.height, element.checkVisibility({ visibilityProperty: true })];
}))"""
_COLOUR_RULES = ("color-contrast", "link-in-text-block")
"""The rules of axe-core that depend on colours."""


@contextmanager
def serving_magazine(folder: Path) -> Iterator[dict[str, str]]:
    """Serve the example's three sites as its command does; yields their origins."""
    port = free_port(3)
    with ExitStack() as servers:
        for offset, app in enumerate(build(folder, port).values()):
            servers.enter_context(serving(app, port=port + offset))
        yield {site: origins[0] for site, origins in origins_from(port).items()}


def article_paths(site: str) -> list[str]:
    """Return the paths of the articles, tests and courses of one of the example's sites."""
    return [piece.path for piece in read_shelf(HERE / "content" / site, "en").all if piece.section != "pages"]


def other_paths(site: str) -> list[str]:
    """Return the paths of its other pages: front page, overviews, errors, and the library's documents."""
    return ["/", *(_STRIDE_PAGES if site == "stride" else ()), "/nowhere", *_CONSENT_PAGES]


def open_as_visitor(
    open_page: Callable[..., "Page"], origin: str, language: str, state: str, **options: Any
) -> "Page":
    """Open a page for a visitor of one site, with a language and an answer; requests to third parties fail."""
    page = open_page(locale=language, **options)
    page.route(
        re.compile(r"^https?://(?![a-z]+\.localhost:|127\.0\.0\.1:|localhost:)"), lambda route: route.abort()
    )
    if ANSWERS[state]:
        page.goto(f"{origin}/consent")
        page.evaluate(_ANSWER, ANSWERS[state])
    return page


def go_to(page: "Page", address: str, language: str) -> None:
    """Load a page, check its language, and open whatever is folded away."""
    page.goto(address, wait_until="load")
    assert page.get_attribute("html", "lang") == language
    open_details(page)


def resize(page: "Page", width: int, height: int = 900) -> None:
    """Resize the window, in CSS pixels."""
    page.set_viewport_size({"width": width, "height": height})


def open_details(page: "Page") -> None:
    """Open all `<details>`."""
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")


def check_layout(page: "Page", where: str) -> None:
    """Fail if the page scrolls sideways, or if a text overflows its box."""
    beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert beyond <= 0, f"{where} scrolls sideways by {beyond} px"
    assert page.evaluate(_OVERFLOWING_TEXTS) == [], where


def violations(
    page: "Page", *, only: Sequence[str] = (), without: Sequence[str] = ()
) -> list[tuple[str, list[str]]]:
    """Return the rules of axe-core that the page violates, with the elements.

    The content of frames is not examined. Only violations leave the browser, because a whole report is large.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.axe_script)
    options: dict[str, Any] = {"resultTypes": ["violations"], "iframes": False}
    options["rules"] = {rule: {"enabled": False} for rule in without}
    if only:
        options["runOnly"] = list(only)
    found = page.evaluate(
        """options => axe.run(options).then(report => report.violations.map(
            violation => [violation.id, violation.nodes.map(node => node.html.slice(0, 300))]))""",
        options,
    )
    return [(rule, elements) for rule, elements in found]


def check_accessibility(page: "Page", where: str) -> None:
    """Fail if axe-core finds a violation."""
    assert violations(page) == [], where


def take_picture(page: "Page", *names: object) -> Path:
    """Save a picture of the whole page, and return its path."""
    name = "-".join(re.sub(r"\W+", "_", str(name)).strip("_") or "front" for name in names)
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.jpg"
    page.screenshot(path=path, full_page=True, type="jpeg", quality=60)
    return path


class Walk:
    """A walk through the pages of the example. A page with the same content in several states is checked once.

    A page is checked at every width and zoomed, and by axe-core at one width, which changes from page to page, as the theme
    does. With `WALK=whole` the other theme follows, in the first language: it may change colours only, so that one width is
    enough.
    """

    def __init__(self) -> None:
        self._checked: set[str] = set()

    def check(
        self, page: "Page", origin: str, paths: Iterable[str], site: str, language: str, state: str
    ) -> None:
        """Check these pages of a site in one language and state."""
        turn = STATES.index(state) * len(LANGUAGES) + LANGUAGES.index(language)
        for place, path in enumerate(paths):
            go_to(page, origin + path, language)
            content = page.evaluate(_CONTENT)
            if content not in self._checked:
                self._checked.add(content)
                _check_page(page, place + turn, (site, path, state, language))


def _check_page(page: "Page", turn: int, names: tuple[str, ...]) -> None:
    scheme, other = SCHEMES if turn % 2 else reversed(SCHEMES)
    *widths, last = (WIDTHS[(turn // 2 + place) % len(WIDTHS)] for place in range(len(WIDTHS)))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    resize(page, *ZOOMED)
    check_layout(page, f"{names}, zoomed, {scheme}")
    for width in (*widths, last):
        resize(page, width)
        check_layout(page, f"{names}, {width} px, {scheme}")
        if WHOLE and width != last:
            take_picture(page, *names, width, scheme)
    check_accessibility(page, f"{names}, {last} px, {scheme}")
    # Colours do not depend on the language, so one language is checked in the other theme.
    if WHOLE and names[-1] == LANGUAGES[0]:
        boxes = page.evaluate(_BOXES)
        page.emulate_media(color_scheme=other)  # type: ignore[arg-type]
        assert page.evaluate(_BOXES) == boxes, f"{names}, {last} px: the themes differ in more than colours"
        assert violations(page, only=_COLOUR_RULES) == [], f"{names}, {last} px, {other}"
        scheme = other
    take_picture(page, *names, last, scheme)
