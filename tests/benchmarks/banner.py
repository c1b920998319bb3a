"""First paint and layout shift of a page in Chromium, under the network and processor of Lighthouse's mobile profile.

A variant is a page under an address of its own, so that another maker's banner is one more entry of `variants`. The variants
take turns, each time in a new context without a cache, and the medians are compared.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit import ConsentManager, load_policy
from consentkit.asgi import ConsentMiddleware
from tests.benchmarks.table import Row, show
from tests.conftest import HERE
from tests.support.browser import launched
from tests.support.servers import free_port, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["WITHOUT", "measure", "variants"]

WITHOUT = "without a banner"
PARAGRAPH = "<p>Stretch slowly, breathe out, and stop before it hurts. Hold each side for half a minute.</p>"
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    f"<title>Hamstrings</title></head><body><main><h1>Hamstrings</h1>{PARAGRAPH * 120}</main></body></html>"
)
# Lighthouse's mobile profile, as it throttles by the developer tools: 150 ms * 3.75, 1.6 Mbit/s * 0.9, 4 times.
NETWORK = {"offline": False, "latency": 562.5, "downloadThroughput": 184_320, "uploadThroughput": 84_375}
OBSERVE = """new PerformanceObserver(list => list.getEntries().forEach(entry => {
  window.shift = (window.shift || 0) + entry.value;
})).observe({ type: "layout-shift", buffered: true });"""
READ = """() => new Promise(done => setTimeout(() => done([
  performance.getEntriesByName("first-contentful-paint")[0].startTime, window.shift || 0]), 300))"""


class Painted(NamedTuple):
    """What one visit measured: milliseconds until the first contentful paint, and the sum of layout shifts."""

    first: float
    shift: float


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


def measure(*, rounds: int) -> bool:
    """Print first paints against the page without a banner, and every layout shift; say whether the budgets are met."""
    with variants() as addresses, launched() as browser:
        visits = {name: list[Painted]() for name in addresses}
        for _ in range(rounds):
            for name, address in addresses.items():
                visits[name].append(_visit(browser, address))
    paints = {name: median(visit.first for visit in seen) for name, seen in visits.items()}
    shifts = {name: max(visit.shift for visit in seen) for name, seen in visits.items()}
    rows = [Row(name, first, paints[WITHOUT], 1.1) for name, first in paints.items() if name != WITHOUT]
    met = show("First contentful paint, mobile profile", "ms", "the page without a banner", rows)
    for name, shift in shifts.items():
        print(f"  layout shift, {name}: {shift:.4f} (budget: 0)")
    return met and not any(shifts.values())


def _visit(browser: "Browser", address: str) -> Painted:
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
        first, shift = page.evaluate(READ)
        return Painted(first, shift)
    finally:
        context.close()
