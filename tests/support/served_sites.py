"""The attacked sites in one process, for any ASGI server to import: `tests.support.served_sites:app`.

The Host of a request decides which site answers. The environment says where the ledger is, and the folder of the files below
`/files` on the first site.
"""

import os
from functools import cache

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from consentkit import Ledger
from tests.support.attacked import FILES, LEDGER
from tests.support.security_app import AttackedSite

HOSTS = {b"a.test": "a", b"b.example": "b", b"c.example": "c"}


async def extensions(request: Request) -> Response:
    """Return the names of the ASGI extensions that the server has."""
    return JSONResponse(sorted(request.scope.get("extensions") or ()))


@cache
def _sites() -> dict[str, AttackedSite]:
    ledger = Ledger(os.environ[LEDGER])
    sites = {site: AttackedSite(site, ledger) for site in HOSTS.values()}
    sites["a"].app.add_route("/_extensions", extensions)
    sites["a"].app.mount("/files", StaticFiles(directory=os.environ[FILES]))
    return sites


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Call the site that a request is for, and the first one for any other host."""
    host = dict(scope.get("headers", ())).get(b"host", b"")
    await _sites()[HOSTS.get(host, "a")].app(scope, receive, send)
