"""Sites of one publisher in a process of their own, for uvicorn to import: `tests.support.group_sites:app`.

The Host of a request decides which site answers. The environment says which sites this process serves, where all of them are,
where the ledger is, and which file has the time.
"""

import json
import os
from functools import cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from consentkit import ConsentManager, Ledger, Policy
from consentkit.asgi import ConsentMiddleware, get_consent
from tests.support.told import EXAMPLE

SETTINGS = "GROUP_SITES"
KEY = "a key that the tests of several processes sign with"
PAGE = (
    "<!doctype html><html lang=en><head><title>Run</title><link rel=icon href='data:,'></head>"
    "<body><main><h1>Run</h1></main></body></html>"
)


async def _page(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def _granted(request: Request) -> Response:
    consent = get_consent(request)
    return PlainTextResponse(f"{consent.status}: {' '.join(sorted(consent.granted))}")


@cache
def _sites() -> dict[str, ConsentMiddleware]:
    settings = json.loads(os.environ[SETTINGS])
    origins, pairs, time = settings["origins"], settings["pairs"], Path(settings["time"])
    rows = [
        {"id": site, "name": site.title(), "origin": f"https://{site}.example", "public_key": pairs[site][1]}
        for site in origins
    ]
    policy = Policy.model_validate(EXAMPLE | {"sites": rows})
    ledger = Ledger(settings["ledger"])
    served = {}
    for site in settings["served"]:
        manager = ConsentManager(
            policy,
            secret_key=KEY,
            ledger=ledger,
            site=site,
            origins=origins,
            clock=lambda: float(time.read_text()),
            private_key=pairs[site][0],
        )
        app = Starlette(routes=[Route("/", _page), Route("/granted", _granted)])
        served[site] = ConsentMiddleware(app, manager)
    return served


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Call the site that a request is for."""
    host = dict(scope.get("headers", ())).get(b"host", b"").decode()
    await _sites()[host.split(".")[0]](scope, receive, send)
