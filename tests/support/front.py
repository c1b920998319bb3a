"""A site for tests of the HTTP side, and requests of every kind to it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentkit import ConsentManager, Ledger, Policy
from consentkit.asgi import ConsentMiddleware
from consentkit.ledger import Record
from consentkit.web import SiteServices
from tests.conftest import Clock
from tests.support.told import EXAMPLE

KEY = "a key that the tests of the HTTP side sign with"
ORIGIN = "https://stride.example"
COOKIE, COMPANION = "__Host-consent", "__Host-consent-state"
DOCUMENT = (
    "<!doctype html><html lang=en><head><title>Stretching</title></head>"
    "<body><main><h1>Stretch well</h1></main></body></html>"
)
EVERYTHING = {"analytical": True, "tracking": True, "social": True}
CLEARED = '"cache", "prefetchCache", "prerenderCache"'
Headers = list[tuple[bytes, bytes]]

COOKIES: list[dict[str, Any]] = [
    {"name": "_ga*", "category": "analytical", "vendor": "google-analytics", "lifetime": "P13M"},
    {"name": "watched", "category": "social", "path": "/videos", "domain": ".stride.example"},
    {"name": "seen_ads", "category": "tracking", "partitioned": True},
]


def a_policy(**changes: Any) -> Policy:
    """Make the example's policy, with first-party cookies of every category, and with other top-level values."""
    common = {"kind": "cookie", "lifetime": "P1M", "purpose": {"en": "Is tested.", "nl": "Wordt getest."}}
    trackers = [row for row in EXAMPLE["trackers"] if row["name"] != "_ga*"]
    return Policy.model_validate(
        EXAMPLE | {"trackers": trackers + [common | row for row in COOKIES]} | changes
    )


@dataclass
class Front:
    """A manager, its clock, and clients of applications wrapped in its middleware."""

    manager: ConsentManager
    clock: Clock

    @property
    def ledger(self) -> Ledger:
        assert self.manager.ledger is not None
        return self.manager.ledger

    @cached_property
    def shared(self) -> SiteServices:
        return SiteServices(self.manager)

    def records(self) -> list[Record]:
        return list(self.ledger.records())

    def around(self, *endpoints: Any, **options: Any) -> Starlette:
        """Return an application with a page at `/` and each endpoint at its name, wrapped in the middleware."""
        routes = [
            endpoint
            if isinstance(endpoint, BaseRoute)
            else Route(f"/{endpoint.__name__}", endpoint, methods=["GET", "POST"])
            for endpoint in endpoints
        ]
        app = Starlette(routes=[*routes, Route("/", document)], **options)
        app.add_middleware(ConsentMiddleware, manager=self.manager)
        return app

    def client(self, *endpoints: Any, app: ASGIApp | None = None, **options: Any) -> TestClient:
        """Open a client with its own cookies, which sends no fetch metadata by default."""
        app = app or self.around(*endpoints)
        return TestClient(app, **({"base_url": ORIGIN, "follow_redirects": False} | options))

    def cookie(self, client: TestClient, **categories: bool) -> str:
        """Post a decision and return the token."""
        answer = client.post("/consent/decision", json={"categories": categories})
        assert answer.status_code == 200, answer.text
        return str(client.cookies[COOKIE])


@contextmanager
def fronting(clock: Clock, policy: Policy | None = None, **options: Any) -> Iterator[Front]:
    """Prepare the site of the example, with a ledger in memory; options go to its manager."""
    defaults: dict[str, Any] = {"secret_key": KEY, "ledger": "sqlite://", "site": "stride", "clock": clock}
    manager = ConsentManager(policy or a_policy(), **(defaults | options))
    try:
        yield Front(manager, clock)
    finally:
        manager.close()


async def document(request: Any) -> HTMLResponse:
    return HTMLResponse(DOCUMENT)


@dataclass
class Answer:
    """What an ASGI application sent."""

    messages: list[Message] = field(default_factory=list)

    @property
    def start(self) -> Message:
        return next(message for message in self.messages if message["type"] == "http.response.start")

    @property
    def status(self) -> int:
        return int(self.start["status"])

    @property
    def headers(self) -> Headers:
        return [(bytes(name), bytes(value)) for name, value in self.start.get("headers", ())]

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def chunks(self) -> list[bytes]:
        return [m.get("body", b"") for m in self.messages if m["type"] == "http.response.body"]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def ask(
    app: ASGIApp,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    body: Sequence[Message] = ({"type": "http.request", "body": b"", "more_body": False},),
    **scope: Any,
) -> Answer:
    """Call an ASGI application with exactly these messages, and collect exactly what it sends."""
    answer = Answer()
    left = list(body)

    async def receive() -> Message:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answer.messages.append(message)

    path, _, query = path.partition("?")
    whole: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("stride.example", 443),
    }
    asyncio.run(_call(app, whole | scope, receive, send))
    return answer


async def _call(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def sends(*messages: Message) -> ASGIApp:
    """Make an application that answers with exactly these messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def answers(
    body: bytes | Sequence[bytes] = DOCUMENT.encode(),
    *,
    status: int = 200,
    kind: bytes = b"text/html; charset=utf-8",
    headers: Iterable[tuple[bytes, bytes]] = (),
    do: Callable[[Scope], Awaitable[object]] | None = None,
) -> ASGIApp:
    """Make an application that answers with this, in one chunk or several, after doing something with its scope."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    given = [(b"content-type", kind), *headers] if kind else list(headers)
    if isinstance(body, bytes):
        given.append((b"content-length", b"%d" % len(body)))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if do is not None:
            await do(scope)
        await send({"type": "http.response.start", "status": status, "headers": list(given)})
        for place, chunk in enumerate(chunks, 1):
            await send({"type": "http.response.body", "body": chunk, "more_body": place < len(chunks)})

    return app


def set_cookies(response: httpx2.Response) -> list[str]:
    """Return the values of the Set-Cookie headers of a response."""
    return response.headers.get_list("set-cookie")


def without_submissions(html: bytes) -> bytes:
    """Return a page without the random text of each rendering, by which a repeated submission is known.

    The reference of the visitor's records goes, too.
    """
    html = re.sub(rb'(<code dir="ltr">)[^<]+', rb"\1", html)
    return re.sub(rb'(name="submission" value=")[^"]+', rb"\1", html)
