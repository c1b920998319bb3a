"""The site under test in every framework, each served by a real server. A host is `serve(manager, stream)`."""

import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import waitress
from anyio import to_thread

from consentkit import ConsentManager, RequestConsent
from tests.behaviour.pages import Asked, Reply, Stream, reply_to
from tests.support.servers import LOCALHOST, serving
from tests.support.sites import KEY

__all__ = ["HOSTS"]

Serve = Callable[[ConsentManager, Stream], AbstractContextManager[str]]


async def pieces(body: bytes | Stream) -> AsyncIterator[bytes]:
    """Yield a body in a way that does not block the event loop."""
    if isinstance(body, bytes):
        yield body
        return
    iterator = iter(body)
    while (piece := await to_thread.run_sync(next, iterator, None)) is not None:
        yield piece


def plain_type(reply: Reply) -> str:
    """Return the type of a response without its charset, for frameworks that add it."""
    return reply.type.partition(";")[0]


def lowered(headers: Any) -> dict[str, str]:
    """Return header fields by name in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def werkzeug_response(reply: Reply, response: Any) -> Any:
    """Return a reply as a response of Flask, Quart or Werkzeug."""
    body: Any = iter(reply.body) if isinstance(reply.body, Stream) else reply.body
    made = response(body, reply.status, {"content-type": reply.type, **reply.headers})
    for name, value in reply.cookies.items():
        made.set_cookie(name, value, max_age=3600)
    return made


@contextmanager
def served_by_waitress(app: Any) -> Iterator[str]:
    """Serve a WSGI application."""
    server = waitress.create_server(app, host=LOCALHOST, port=0, threads=4)
    thread = threading.Thread(target=server.run, name="waitress", daemon=True)
    thread.start()
    try:
        yield f"http://{LOCALHOST}:{server.effective_port}"
    finally:
        server.close()
        thread.join(30)


def starlette(manager: ConsentManager, stream: Stream) -> AbstractContextManager[str]:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response, StreamingResponse
    from starlette.routing import Route

    from consentkit.asgi import ConsentMiddleware, get_consent, requires_consent

    async def page(request: Request) -> Response:
        reply = reply_to(
            Asked(request.url.path, request.cookies, request.headers, lambda: get_consent(request)), stream
        )
        return _starlette_response(reply, Response, StreamingResponse)

    @requires_consent("social", vendor="youtube")
    async def comments(request: Request) -> Response:
        return PlainTextResponse("Nice run.")

    methods = ["GET", "POST"]
    app = Starlette(routes=[Route("/comments", comments), Route("/{path:path}", page, methods=methods)])
    app.add_middleware(ConsentMiddleware, manager=manager)
    return serving(app)


def fastapi(manager: ConsentManager, stream: Stream) -> AbstractContextManager[str]:
    from fastapi import FastAPI, Request
    from fastapi.responses import Response, StreamingResponse

    from consentkit.fastapi import ConsentMiddleware, get_consent, require_consent

    app = FastAPI()
    app.add_middleware(ConsentMiddleware, manager=manager)

    @app.get("/comments", dependencies=[require_consent("social", vendor="youtube")])
    def comments() -> str:
        return "Nice run."

    def page(request: Request) -> Response:
        reply = reply_to(
            Asked(request.url.path, request.cookies, request.headers, lambda: get_consent(request)), stream
        )
        return _starlette_response(reply, Response, StreamingResponse)

    app.api_route("/{path:path}", methods=["GET", "HEAD", "POST"])(page)
    return serving(app)


def _starlette_response(reply: Reply, response: Any, streaming: Any) -> Any:
    if isinstance(reply.body, Stream):
        return streaming(pieces(reply.body), headers={"content-type": reply.type})
    made = response(reply.body, reply.status, {"content-type": reply.type, **reply.headers})
    for name, value in reply.cookies.items():
        made.set_cookie(name, value, max_age=3600)
    return made


def litestar(manager: ConsentManager, stream: Stream) -> AbstractContextManager[str]:
    from litestar import Litestar, Request, Response, get, route
    from litestar.response import Stream as StreamResponse

    from consentkit.litestar import ConsentPlugin, get_consent, requires_consent

    @get("/comments", guards=[requires_consent("social", vendor="youtube")])
    async def comments() -> str:
        return "Nice run."

    async def page(request: Request[Any, Any, Any]) -> Response[Any]:
        asked = Asked(request.url.path, request.cookies, request.headers, lambda: get_consent(request))
        reply = reply_to(asked, stream)
        if isinstance(reply.body, Stream):
            return StreamResponse(pieces(reply.body), media_type=plain_type(reply))
        made = Response(
            reply.body, status_code=reply.status, headers=reply.headers, media_type=plain_type(reply)
        )
        for name, value in reply.cookies.items():
            made.set_cookie(name, value, max_age=3600)
        return made

    page.__annotations__ |= {"request": Request, "return": Response}
    every = route(["/", "/{path:path}"], http_method=["GET", "POST"], status_code=200)(page)
    return serving(Litestar([comments, every], plugins=[ConsentPlugin(manager)]))


def wsgi(manager: ConsentManager, stream: Stream) -> AbstractContextManager[str]:
    from werkzeug.wrappers import Request, Response

    from consentkit.errors import ConsentRequiredError
    from consentkit.wsgi import ConsentMiddleware, get_consent

    @Request.application
    def page(request: Request) -> Response:
        def consent() -> RequestConsent:
            return get_consent(request.environ)

        if request.path == "/comments":
            if not consent().allows("social", "youtube"):
                raise ConsentRequiredError("social", "youtube")
            return Response("Nice run.")
        reply = reply_to(Asked(request.path, request.cookies, lowered(request.headers), consent), stream)
        return werkzeug_response(reply, Response)

    return served_by_waitress(ConsentMiddleware(page, manager))


def flask(manager: ConsentManager, stream: Stream) -> AbstractContextManager[str]:
    from flask import Flask, request

    from consentkit.flask import Consent, get_consent, requires_consent

    app = Flask("stride")

    @app.get("/comments")
    @requires_consent("social", vendor="youtube")
    def comments() -> str:
        return "Nice run."

    @app.route("/", methods=["GET", "POST"], defaults={"path": ""})
    @app.route("/<path:path>", methods=["GET", "POST"])
    def page(path: str) -> Any:
        asked = Asked(request.path, request.cookies, lowered(request.headers), get_consent)
        return werkzeug_response(reply_to(asked, stream), app.response_class)

    Consent(app, manager)
    return served_by_waitress(app)


def quart(manager: ConsentManager, stream: Stream) -> AbstractContextManager[str]:
    from quart import Quart, request

    from consentkit.quart import Consent, get_consent, requires_consent

    app = Quart("stride")

    @app.get("/comments")
    @requires_consent("social", vendor="youtube")
    async def comments() -> str:
        return "Nice run."

    @app.route("/", methods=["GET", "POST"], defaults={"path": ""})
    @app.route("/<path:path>", methods=["GET", "POST"])
    async def page(path: str) -> Any:
        asked = Asked(request.path, request.cookies, lowered(request.headers), get_consent)
        reply = reply_to(asked, stream)
        if isinstance(reply.body, Stream):
            return app.response_class(pieces(reply.body), content_type=reply.type)
        return werkzeug_response(reply, app.response_class)

    Consent(app, manager)
    return serving(app)


@contextmanager
def _django(manager: ConsentManager, stream: Stream, *, is_async: bool) -> Iterator[None]:
    """Set Django up for the site, whose views are sync or async."""
    from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
    from django.test import override_settings
    from django.urls import re_path

    from consentkit.django import get_consent, requires_consent
    from tests.support.django_site import CONSENT

    @requires_consent("social", vendor="youtube")
    def comments(request: HttpRequest) -> HttpResponse:
        return HttpResponse("Nice run.", content_type="text/plain")

    def page(request: HttpRequest) -> Any:
        asked = Asked(request.path, request.COOKIES, lowered(request.headers), lambda: get_consent(request))
        reply = reply_to(asked, stream)
        if isinstance(reply.body, Stream):
            return StreamingHttpResponse(
                pieces(reply.body) if is_async else reply.body, content_type=reply.type
            )
        made = HttpResponse(reply.body, reply.type, reply.status, headers=reply.headers)
        for name, value in reply.cookies.items():
            made.set_cookie(name, value, max_age=3600)
        return made

    async def apage(request: HttpRequest) -> Any:
        return page(request)

    routes = (re_path("^comments$", comments), re_path("", apage if is_async else page))
    with override_settings(CONSENTKIT=manager, MIDDLEWARE=[CONSENT], ROOT_URLCONF=routes):
        yield


@contextmanager
def django_wsgi(manager: ConsentManager, stream: Stream) -> Iterator[str]:
    from django.core.handlers.wsgi import WSGIHandler

    with _django(manager, stream, is_async=False), served_by_waitress(WSGIHandler()) as base:
        yield base


@contextmanager
def django_asgi(manager: ConsentManager, stream: Stream) -> Iterator[str]:
    from django.core.handlers.asgi import ASGIHandler

    with _django(manager, stream, is_async=True), serving(ASGIHandler(), lifespan="off") as base:
        yield base


@contextmanager
def wagtail(manager: ConsentManager, stream: Stream) -> Iterator[str]:
    """Serve Wagtail in a process of its own, because its applications are not those of the other sites with Django."""
    assert manager.ledger is not None
    options = {
        "policy": manager.policy.model_dump(mode="json", by_alias=True, exclude_none=True),
        "ledger": str(manager.ledger._database._engine.url),
        "site": manager.site,
        "secret_key": KEY,
        "private_key": manager.private_key,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.behaviour.wagtail_host"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    tell = process.stdin

    def pass_on() -> None:
        stream.seen.wait()
        with suppress(ValueError, OSError):
            tell.write("seen\n")
            tell.flush()

    watcher = threading.Thread(target=pass_on, name="passes on what was seen", daemon=True)
    with process:
        tell.write(f"{json.dumps(options)}\n")
        tell.flush()
        watcher.start()
        yield f"http://{LOCALHOST}:{int(process.stdout.readline())}"
        stream.seen.set()
        watcher.join(30)


HOSTS: Mapping[str, Serve] = {
    "starlette": starlette,
    "fastapi": fastapi,
    "litestar": litestar,
    "wsgi": wsgi,
    "flask": flask,
    "quart": quart,
    "django_wsgi": django_wsgi,
    "django_asgi": django_asgi,
    "wagtail": wagtail,
}
