"""A small site with the consent in it, as the tests of the manager and of the whole journey need one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from consentkit import ConsentManager, Policy
from consentkit.asgi import ConsentMiddleware, get_consent

KEY = "a-key-of-the-tests-that-guards-nothing-else"
PAGE = "<!doctype html><html lang=en><head><title>Stride</title></head><body><main><h1>Run</h1></main></body></html>"


@contextmanager
def managing(policy: Policy, **options: Any) -> Iterator[ConsentManager]:
    """Make a manager for the example policy's first site, and close it."""
    manager = ConsentManager(policy, **({"secret_key": KEY, "site": "stride"} | options))
    try:
        yield manager
    finally:
        manager.close()


def site(manager: ConsentManager) -> ConsentMiddleware:
    """A page, a handler that says what is granted, and one that withdraws."""

    async def home(request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def granted(request: Request) -> Response:
        consent = get_consent(request)
        return JSONResponse({"granted": sorted(consent.granted), "status": consent.status})

    async def forget(request: Request) -> Response:
        return JSONResponse({"reference": await get_consent(request).awithdraw()})

    app = Starlette(
        routes=[Route("/", home), Route("/granted", granted), Route("/forget", forget, methods=["POST"])]
    )
    return ConsentMiddleware(app, manager)
