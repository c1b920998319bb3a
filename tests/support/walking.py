"""What a walk through pages needs: who walks, what is looked at on each page, and where pictures of it go."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axe_playwright_python.sync_playwright import Axe

from examples.running_magazine.development import build, origins_from
from tests.support.servers import free_port, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).parents[2] / ".artifacts" / "walk"
WHOLE = os.environ.get("WALK") == "whole"
"""Whether each page is examined in both themes and pictured at every width, instead of one that changes."""
WIDTHS = (320, 768, 1280)
SCHEMES = ("light", "dark")
STATES = ("undecided", "refused", "granted", "withdrawn")
_AXE = Axe()

_ANSWER = """async answers => {
    for (const [method, path, body] of answers) {
        const said = await fetch(path, { method, headers: { "Content-Type": "application/json" }, body });
        if (!said.ok) throw new Error(`${method} ${path}: ${said.status} ${await said.text()}`);
    }
}"""
_ANSWERS: dict[str, list[tuple[str, str, str | None]]] = {
    "undecided": [],
    "refused": [("POST", "/consent/decision", '{"choice": "reject_all"}')],
    "granted": [("POST", "/consent/decision", '{"choice": "accept_all"}')],
    "withdrawn": [
        ("POST", "/consent/decision", '{"choice": "accept_all"}'),
        ("DELETE", "/consent/decision", None),
    ],
}

# Text that sticks out of its box, out of a box that hides what sticks out, or out of the window. What is there for
# screen readers alone is clipped away on purpose, and what scrolls can be scrolled to.
_CUT = """() => {
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


@contextmanager
def magazine(folder: Path) -> Iterator[dict[str, str]]:
    """Serve the example's three sites as its command does; yields their origins."""
    port = free_port(3)
    with ExitStack() as servers:
        for place, app in enumerate(build(folder, port).values()):
            servers.enter_context(serving(app, port=port + place))
        yield {site: addresses[0] for site, addresses in origins_from(port).items()}


def walker(
    open_page: Callable[..., "Page"], origin: str, language: str, state: str, **options: Any
) -> "Page":
    """Open a page for a visitor of one site, with a language and an answer; nothing leaves this machine."""
    page = open_page(locale=language, **options)
    # Third parties that were allowed are asked, and are not there.
    page.route(
        re.compile(r"^https?://(?![a-z]+\.localhost:|127\.0\.0\.1:|localhost:)"), lambda route: route.abort()
    )
    if _ANSWERS[state]:
        page.goto(f"{origin}/consent")
        page.evaluate(_ANSWER, _ANSWERS[state])
    return page


def resize(page: "Page", width: int, height: int = 900) -> None:
    """Make the window so large, in CSS pixels."""
    page.set_viewport_size({"width": width, "height": height})


def look(page: "Page", where: str) -> None:
    """Look for what sticks out: sideways out of the window, or out of a box."""
    beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert beyond <= 0, f"{where} scrolls sideways by {beyond} px"
    assert page.evaluate(_CUT) == [], where


def unfold(page: "Page") -> None:
    """Open whatever is folded away."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")


def examine(page: "Page", where: str) -> None:
    """Let axe-core examine the page."""
    violations = _AXE.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    found = [(one["id"], [node["html"][:300] for node in one["nodes"]]) for one in violations]
    assert found == [], where


def picture(page: "Page", *names: object) -> Path:
    """Keep a picture of the whole page, and return where."""
    name = "-".join(re.sub(r"\W+", "_", str(name)).strip("_") or "front" for name in names)
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.jpg"
    page.screenshot(path=path, full_page=True, type="jpeg", quality=60)
    return path
