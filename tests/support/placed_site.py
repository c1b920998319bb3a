"""A site with the rules of places, whose visitors come through a proxy that says where they are.

As a program: serve it on a port, to look at.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit import ConsentManager, Ledger, Policy, trusted_header
from consentkit.asgi import ConsentMiddleware, get_consent
from tests.support.servers import free_port, serving
from tests.support.sites import KEY
from tests.support.told import EXAMPLE

PAGE = """<!doctype html><html lang=en><head><title>Stride</title></head><body><main><h1>Run</h1></main>
<script type="text/plain" data-category="analytical" data-vendor="google-analytics" data-src="https://www.googletagmanager.com/a.js"></script>
<script type="text/plain" data-category="tracking" data-vendor="adhub" data-src="https://cdn.adhub.example/tag.js"></script>
</body></html>"""
CSP = "default-src 'self'; object-src 'none'; base-uri 'none'"
_CATEGORIES: dict[str, dict[str, Any]] = {
    "analytical": {"statistics": True, "sale_or_share": False, "honours_gpc": False},
    "tracking": {"sale_or_share": True},
    "social": {"appearance": True, "sale_or_share": False, "honours_gpc": False, "sensitive": True},
}


def placed_data(**changes: Any) -> dict[str, Any]:
    """Return the example's policy with regimes: statistics that sell nothing, advertising that does, sensitive media."""
    data = deepcopy(EXAMPLE) | changes
    data.setdefault("regimes", {"eea": True, "gb": True, "us": True, "ch": "opt_out", "ca": True, "br": True})
    for category in data["categories"]:
        category.pop("combines_across_sites", None)
        category.update(_CATEGORIES.get(category["id"], {}))
    for vendor in data["vendors"]:
        vendor["profiling"] = vendor["id"] == "adhub"
    return data


def placed_policy(**changes: Any) -> Policy:
    """Return the policy of that data."""
    return Policy.model_validate(placed_data(**changes))


@contextmanager
def serving_places(peer: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve the site, which believes the headers of one proxy, and yield its origin."""
    port = port or free_port()
    origin = f"http://stride.localhost:{port}"
    ledger = Ledger("sqlite://")
    manager = ConsentManager(
        placed_policy(),
        secret_key=KEY,
        site="stride",
        ledger=ledger,
        origins={"stride": origin},
        csp=CSP,
        location=trusted_header(country="CF-IPCountry", region="CF-Region-Code", peers=[peer]),
    )

    async def home(request: Request) -> Response:
        # A page of one visitor, as the sites of the tests have it.
        shown = "counted" if get_consent(request).allows("analytical") else "not counted"
        return HTMLResponse(PAGE.replace("Run", f"Run, {shown}"))

    app = ConsentMiddleware(Starlette(routes=[Route("/", home)]), manager)
    try:
        with serving(app, port=port):
            yield origin
    finally:
        manager.close()
        ledger.close()


if __name__ == "__main__":
    with serving_places(port=int(sys.argv[1])) as address:
        input(f"{address}\n")
