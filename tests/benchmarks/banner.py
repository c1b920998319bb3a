"""What a banner costs in Chromium, ours and those of others, with the network and processor of Lighthouse's mobile profile.

Measured are the first paint of the page, when the banner can be seen, layout shifts, the bytes of scripts and style sheets, and
the longest interaction of Accept and of Reject (Interaction to Next Paint). Every variant is the same page under an address of
its own. The variants take turns, each time in a new context without a cache, and the medians are compared.

The others are the packages that requirements/peers pins, with the pages of tools/peers.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from consentkit import ConsentManager, load_policy
from consentkit.asgi import ConsentMiddleware
from tests.benchmarks.table import Row, show
from tests.conftest import HERE
from tests.support.browser import launched
from tests.support.servers import free_port, serving
from tools.peers import PAGES as PEERS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["WITHOUT", "measure", "peers", "variants"]

WITHOUT = "without a banner"
PARAGRAPH = "<p>Stretch slowly, breathe out, and stop before it hurts. Hold each side for half a minute.</p>"
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    f"<title>Hamstrings</title></head><body><main><h1>Hamstrings</h1>{PARAGRAPH * 120}</main></body></html>"
)
# Lighthouse's mobile profile, as it throttles by the developer tools: 150 ms * 3.75, 1.6 Mbit/s * 0.9, 4 times.
NETWORK = {"offline": False, "latency": 562.5, "downloadThroughput": 184_320, "uploadThroughput": 84_375}
ROOT = HERE.parent
# Buttons of every tool say "Accept", ours and the peers' alike.
OBSERVE = """new PerformanceObserver(list => list.getEntries().forEach(entry => {
  window.shift = (window.shift || 0) + entry.value;
})).observe({ type: "layout-shift", buffered: true });
// A task that follows a frame's callbacks runs once the frame is handed over to be shown.
addEventListener("click", event => requestAnimationFrame(() => setTimeout(() => {
  window.pressed = performance.now() - event.timeStamp;
})), true);
(function look() {
  const shows = button => /accept/i.test(button.textContent) && button.checkVisibility({ opacityProperty: true });
  if ([...document.querySelectorAll("button")].some(shows)) window.asked = performance.now();
  else requestAnimationFrame(look);
})();"""
# A banner that is not there after four seconds more does not come.
READ = """async asks => {
  const pause = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  await pause(300);
  for (let turns = 0; asks && !window.asked && turns < 40; turns++) await pause(100);
  return [performance.getEntriesByName("first-contentful-paint")[0].startTime, window.asked || 0, window.shift || 0,
  performance.getEntriesByType("resource").filter(one => /[.](js|css)$/.test(one.name))
    .reduce((sum, one) => sum + one.encodedBodySize, 0)];
}"""
PRESSED = "() => new Promise(done => setTimeout(() => done(window.pressed), 600))"
INTERACTION_BUDGET = 50
BUTTONS = ("accept", "reject|decline")


class Painted(NamedTuple):
    """What one visit measured.

    `first` and `asked` are milliseconds until the first contentful paint and until the banner's button is visible (0 if it never
    is), `shift` the sum of layout shifts, `weight` the compressed bytes of scripts and style sheets.
    """

    first: float
    asked: float
    shift: float
    weight: float


@contextmanager
def variants() -> Iterator[dict[str, str]]:
    """Serve the page with and without us; the addresses by name, the page without a banner first."""

    async def private(request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def public(request: Request) -> Response:
        return HTMLResponse(PAGE, headers={"cache-control": "public, max-age=600"})

    bare = Starlette(routes=[Route("/", private)])
    app = Starlette(routes=[Route("/private", private), Route("/public", public)])
    port = free_port()
    origin = f"http://localhost:{port}"
    manager = ConsentManager(
        load_policy(HERE / "consent.example.toml"),
        secret_key="a key that the benchmark of the banner signs with",
        ledger="sqlite://",
        site="stride",
        origins={"stride": origin},
    )
    try:
        ours = GZipMiddleware(ConsentMiddleware(app, manager))
        with serving(GZipMiddleware(bare)) as without, serving(ours, port=port):
            yield {
                WITHOUT: without,
                "banner in the page": f"{origin}/private",
                "page for all": f"{origin}/public",
            }
    finally:
        manager.close()


@contextmanager
def peers() -> Iterator[dict[str, str]]:
    """Serve the page with the banners of others; the addresses by name."""
    folder = ROOT / ".artifacts" / "peers"
    subprocess.run([ROOT / "tools/npm", ROOT / "requirements/peers", folder], check=True)
    for path in PEERS.iterdir():
        shutil.copy(path, folder)
    bundled = (
        "--bundle",
        "--minify",
        '--define:process.env.NODE_ENV="production"',
        "--outfile=c15t.bundle.js",
    )
    subprocess.run(
        [folder / "node_modules/.bin/esbuild", "c15t.jsx", *bundled, "--log-level=warning"],
        cwd=folder,
        check=True,
    )
    names = []
    for path in sorted(folder.glob("*.html")):
        # The cookie banner of govuk-frontend is a component without a script.
        if path.stem != "govuk-frontend":
            _give_content(path)
            names.append(path.stem)
    app = Starlette()
    app.mount("/", StaticFiles(directory=folder))
    with serving(GZipMiddleware(app)) as address:
        yield {name: f"{address}/{name}.html" for name in names}


def _give_content(path: Path) -> None:
    """Replace the article of a peer's page by the one that all variants have."""
    article = re.search("<main>.*</main>", PAGE)
    assert article is not None
    text, replaced = re.subn("<main>.*</main>", article[0], path.read_text("utf-8"), flags=re.DOTALL)
    assert replaced == 1, path
    path.write_text(text, "utf-8")


def measure(*, rounds: int) -> bool:
    """Print what every variant costs; return whether ours meets its budgets."""
    with variants() as ours, peers() as others, launched() as browser:
        addresses = ours | others
        visits = {name: list[Painted]() for name in addresses}
        for _ in range(rounds):
            for name, address in addresses.items():
                visits[name].append(_visit(browser, address, asks=name != WITHOUT))
        asking = {name: address for name, address in addresses.items() if name != WITHOUT}
        longest = {
            name: [max(_interaction(browser, address, button) for _ in range(3)) for button in BUTTONS]
            for name, address in asking.items()
        }
    paints = {name: median(visit.first for visit in seen) for name, seen in visits.items()}
    rows = [
        Row(name, paints[name], paints[WITHOUT], 1.1 if name in ours else None)
        for name in addresses
        if name != WITHOUT
    ]
    met = show("First contentful paint, mobile profile", "ms", "the page without a banner", rows)
    print(
        f"\n  {'':24}{'banner seen, ms':>16}{'layout shift':>14}{'JS + CSS, bytes':>17}{'accept, ms':>12}{'reject, ms':>12}"
    )
    for name, (accept, reject) in longest.items():
        seen = visits[name]
        shift = max(visit.shift for visit in seen)
        asked, weight = median(visit.asked for visit in seen), median(visit.weight for visit in seen)
        is_over = name in ours and (shift > 0 or max(accept, reject) >= INTERACTION_BUDGET)
        met = met and not is_over
        row = f"  {name:24}{asked:16,.0f}{shift:14.4f}{weight:17,.0f}{accept:12.0f}{reject:12.0f}"
        print(f"{row}{'  OVER' if is_over else ''}")
    print(
        f"  budgets of ours: layout shift 0, accept and reject under {INTERACTION_BUDGET} ms",
        flush=True,
    )
    return met


def _interaction(browser: "Browser", address: str, button: str) -> float:
    """Return the milliseconds from a click on a button of the banner to the next frame, with the mobile profile.

    The browser's own measure of that, Event Timing, is not used: headless Chromium does not count a paint of what is fixed to the
    lower edge of the window, and measures on until the banner has gone.
    """
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True
    )
    try:
        page = context.new_page()
        page.add_init_script(OBSERVE)
        page.goto(address, wait_until="networkidle")
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", NETWORK)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.get_by_role("button", name=re.compile(button, re.IGNORECASE)).first.click()
        return float(page.evaluate(PRESSED))
    finally:
        context.close()


def _visit(browser: "Browser", address: str, *, asks: bool) -> Painted:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True
    )
    try:
        page = context.new_page()
        page.add_init_script(OBSERVE)
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", NETWORK)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.goto(address, wait_until="load", timeout=120_000)
        return Painted(*page.evaluate(READ, asks))
    finally:
        context.close()
