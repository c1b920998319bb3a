"""The middleware around applications, and what their handlers ask: in process, and behind a real uvicorn."""

import asyncio
import functools
import gc
import json
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anyio import create_task_group, to_thread, wait_all_tasks_blocked
from anyio.lowlevel import checkpoint
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

from consentkit import Ledger
from consentkit.asgi import ConsentMiddleware, get_consent, requires_consent
from consentkit.errors import (
    BlockingCallError,
    ConsentRequiredError,
    LedgerBusyError,
    MissingMiddlewareError,
    ResponseStartedError,
    UnknownCategoryError,
    UnknownIdError,
    UnknownVendorError,
    UsageError,
)
from consentkit.web import in_ledger_thread, threads
from consentkit.web.request_consent import RequestConsent
from consentkit.web.sent_files import PATHSEND, ZEROCOPYSEND
from tests.conftest import Clock
from tests.support.front import (
    CLEARED,
    COMPANION,
    COOKIE,
    DOCUMENT,
    EVERYTHING,
    ORIGIN,
    Front,
    answers,
    ask,
    fronting,
    sends,
    set_cookies,
)
from tests.support.records import nobody_reads
from tests.support.servers import serving
from tests.support.told import tree

MakeFront = Callable[..., Front]
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
MIB = 1024 * 1024
LARGE = DOCUMENT.replace("<h1>", "<p>" + "Stretch. " * (10 * MIB // 9) + "</p><h1>")


def around(front: Front, app: ASGIApp) -> ConsentMiddleware:
    return ConsentMiddleware(app, front.manager)


def start(headers: Any = (), status: int = 200, **more: Any) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers, **more}


def body(content: bytes = DOCUMENT.encode(), *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


HTML = (b"content-type", b"text/html")


# Waiting for the ledger


# WD-03, CK-08
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_page_does_not_wait_behind_decisions_while_the_ledger_hangs(
    database: str, make_front: MakeFront, request: Any, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = ledger_url if database == "sqlite" else request.getfixturevalue("postgres").address()
    monkeypatch.setattr(threads, "THREADS", 2)
    monkeypatch.setattr("consentkit.manager.revocations.LONGEST_WAIT", 0.25)
    with closing(Ledger(url)) as elsewhere:
        other = make_front(ledger=elsewhere)
        cookie = other.cookie(other.client(), **EVERYTHING)
        other.manager.close()
    ledger = Ledger(url, lock_timeout=60)
    app = make_front(ledger=ledger).around()
    decided: list[int] = []

    async def decide() -> None:
        answer = await client.post("/consent/decision", json={"choice": "accept_all"})
        decided.append(answer.status_code)

    async def main() -> None:
        async with client, create_task_group() as deciders:
            for _ in range(6):
                deciders.start_soon(decide)
            await wait_all_tasks_blocked()
            page = await client.get("/", headers={"Cookie": f"{COOKIE}={cookie}"})
            assert "/consent/withdraw" in page.text, "the grant counts while the ledger does not answer"
            assert decided == []
            held.close()

    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN, timeout=60)
    with ExitStack() as held:
        held.enter_context(nobody_reads(url))
        asyncio.run(main())
    assert decided == [200] * 6
    ledger.close()


def test_decision_is_answered_with_503_at_once_when_too_many_wait(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def decide(request: Request) -> Response:
        await get_consent(request).adecide(EVERYTHING)
        return Response()

    async def start(request: Request) -> Response:
        async def pieces() -> AsyncIterator[str]:
            yield "started"
            await in_ledger_thread(lambda: None)

        return StreamingResponse(pieces())

    async def socket(websocket: WebSocket) -> None:
        await get_consent(websocket).adecide(EVERYTHING)

    monkeypatch.setattr(threads, "MOST_WAITING", 0)
    client = front.client(decide, start, WebSocketRoute("/socket", socket))
    for path in ("/consent/decision", "/decide"):
        answer = client.post(path, json={"choice": "accept_all"})
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
        assert answer.json()["detail"].startswith("We couldn't save your choice")
        assert "set-cookie" not in answer.headers
    page = client.post("/consent/decision", data={"choice": "accept_all"}, headers=BROWSER)
    assert page.status_code == 503 and "<!doctype html>" in page.text.lower()
    with pytest.raises(LedgerBusyError):
        client.get("/start")
    with pytest.raises(LedgerBusyError), client.websocket_connect("/socket"):
        pass
    assert front.records() == []


# What handlers ask


def test_handlers_ask_the_consent_of_their_request(front: Front) -> None:
    async def asks(request: Request) -> Response:
        consent = get_consent(request)
        assert consent is request.state.consent
        return JSONResponse(
            {
                "status": consent.status,
                "granted": sorted(consent.granted),
                "video": consent.allows("social", vendor="youtube"),
                "decided_at": consent.decided_at.isoformat() if consent.decided_at else None,
                "expires_at": consent.expires_at.isoformat() if consent.expires_at else None,
                "needs_asking": consent.needs_asking,
            }
        )

    client = front.client(asks)
    assert client.get("/asks").json() == {
        "status": "unknown",
        "granted": [],
        "video": False,
        "decided_at": None,
        "expires_at": None,
        "needs_asking": True,
    }
    front.cookie(client, social=True)
    answer = client.get("/asks")
    assert answer.json() == {
        "status": "given",
        "granted": ["social"],
        "video": True,
        "decided_at": "2026-08-31T12:00:00+00:00",
        "expires_at": "2027-02-28T12:00:00+00:00",
        "needs_asking": False,
    }
    assert answer.headers["cache-control"] == "private, no-cache"


def test_a_handler_that_misspells_an_id_is_told(front: Front) -> None:
    def category(request: Request) -> None:
        get_consent(request).allows("soicial")

    def vendor(request: Request) -> None:
        get_consent(request).allows("analytical", vendor="youtube")

    client = front.client(category, vendor)
    with pytest.raises(UnknownCategoryError):
        client.get("/category")
    with pytest.raises(UnknownVendorError):
        client.get("/vendor")


def test_a_misspelt_id_of_a_decorator_stops_the_start(front: Front) -> None:
    @requires_consent("soicial")
    async def page(request: Request) -> None:
        pass

    class Feed(HTTPEndpoint):
        @requires_consent("social", vendor="yuotube")
        def get(self, request: Request) -> None:
            pass

    for routes, told in (
        ([Route("/page", page)], "soicial"),
        ([Mount("/far", routes=[Route("/feed", Feed)])], "yuotube"),
        ([Mount("/far", Starlette(routes=[Route("/feed", Feed)]))], "yuotube"),
    ):
        app = Starlette(routes=routes)
        app.add_middleware(ConsentMiddleware, manager=front.manager)
        app.add_middleware(GZipMiddleware)
        with pytest.raises(UnknownIdError, match=told) as error, TestClient(app):
            pass
        assert "in @requires_consent of the route '/" in error.value.__notes__[0]
        with pytest.raises(UnknownIdError, match=told):
            ConsentMiddleware(Starlette(routes=routes), front.manager)


def test_routes_inside_are_checked_by_their_own_manager_and_no_other_application_is_opened(
    front: Front,
) -> None:
    @requires_consent("soicial")
    async def page(request: Request) -> None:
        pass

    class Endless:
        """An application that has every attribute."""

        def __getattr__(self, name: str) -> "Endless":
            return Endless()

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            pass

    inner = Starlette(routes=[Route("/page", page)])
    inner.add_middleware(ConsentMiddleware, manager=front.manager)
    ConsentMiddleware(Starlette(routes=[Mount("/far", inner), Mount("/endless", Endless())]), front.manager)
    ConsentMiddleware(Endless(), front.manager)
    with pytest.raises(UnknownIdError, match="soicial"), TestClient(inner):
        pass
    hosted = Starlette(routes=[Host("far.example", Router([Route("/page", page)]))])
    with pytest.raises(UnknownIdError, match="soicial"):
        ConsentMiddleware(hosted, front.manager)


def test_a_missing_middleware_is_named_with_its_remedy() -> None:
    async def asks(request: Request) -> None:
        get_consent(request)

    with (
        TestClient(Starlette(routes=[Route("/", asks)])) as client,
        pytest.raises(
            MissingMiddlewareError, match=r"app\.add_middleware\(ConsentMiddleware, manager=manager\)"
        ),
    ):
        client.get("/")


# WD-03, WD-05
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_handlers_decide_change_and_withdraw(front: Front, backend: Any) -> None:
    async def decide(request: Request) -> Response:
        await get_consent(request).adecide({"analytical": True}, vendors={"youtube": True})
        return told(request)

    async def change(request: Request) -> Response:
        await get_consent(request).achange({"social": True}, vendors={"adhub": True})
        return told(request)

    def withdraw(request: Request) -> Response:
        reference = get_consent(request).withdraw("social")
        return told(request, reference=reference)

    async def blocks(request: Request) -> Response:
        get_consent(request).withdraw()
        return told(request)

    def told(request: Request, **more: Any) -> Response:
        consent = get_consent(request)
        on = [one for one, allowed in (*consent.categories.items(), *consent.vendors.items()) if allowed]
        return JSONResponse({"on": on} | more)

    with front.client(decide, change, withdraw, blocks, backend=backend) as client:
        on = ["functional", "analytical", "google-analytics", "youtube"]
        assert client.post("/decide").json() == {"on": on}
        assert client.post("/change").json()["on"] == [
            *("functional", "analytical", "social"),
            *("google-analytics", "youtube", "adhub"),
        ]
        withdrawn = client.post("/withdraw")
        reference = front.records()[0].subject
        assert withdrawn.json() == {"on": ["functional", "analytical", "google-analytics", "adhub"]} | {
            "reference": reference
        }
        assert withdrawn.headers["clear-site-data"] == CLEARED
        with pytest.raises(BlockingCallError, match="awithdraw"):
            client.post("/blocks")
    assert [record.event for record in front.records()] == ["given", "changed", "withdrawn"]


def test_deciding_once_the_answer_has_begun_is_an_error_that_writes_nothing(front: Front) -> None:
    async def late(request: Request) -> Response:
        async def stream() -> AsyncIterator[str]:
            yield DOCUMENT
            await get_consent(request).adecide(EVERYTHING)

        return StreamingResponse(stream(), media_type="text/html")

    with pytest.raises(ResponseStartedError):
        front.client(late).get("/late")
    assert front.records() == []


def test_background_tasks_run_and_know_the_consent(front: Front) -> None:
    seen: list[Any] = []

    async def reports(request: Request) -> Response:
        consent = get_consent(request)

        async def report() -> None:
            seen.append(consent.consent.allows("analytical"))
            with pytest.raises(ResponseStartedError):
                await consent.awithdraw()
            seen.append("finished")

        return HTMLResponse(DOCUMENT, background=BackgroundTask(report))

    client = front.client(reports)
    front.cookie(client, analytical=True)
    assert "site-privacy-settings" in client.get("/reports").text
    assert seen == [True, "finished"]
    assert len(front.records()) == 1


# RC-01
def test_listeners_are_told_of_what_handlers_decide(front: Front) -> None:
    told: list[str] = []

    async def listens(record: Any) -> None:
        told.append(record.event)

    front.manager.on_change(lambda record: told.append(record.status))
    front.manager.on_change(listens)
    client = front.client()
    client.post("/consent/decision", json={"choice": "accept_all"})
    client.delete("/consent/decision")
    client.delete("/consent/decision")
    assert told == ["given", "given", "withdrawn", "withdrawn"]


# Errors of the application


def test_an_error_of_the_application_stays_its_own(front: Front) -> None:
    async def breaks(request: Request) -> Response:
        get_consent(request).allows("social")
        raise RuntimeError("broken")

    async def stops(request: Request) -> Response:
        async def stream() -> AsyncIterator[str]:
            yield "<!doctype html><html>"
            raise RuntimeError("broken")

        return StreamingResponse(stream(), media_type="text/html")

    app = front.around(breaks, stops)
    client = front.client(app=app, raise_server_exceptions=False)
    answer = client.get("/breaks")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    with pytest.raises(RuntimeError, match="broken"):
        front.client(app=app).get("/breaks")
    with pytest.raises(RuntimeError, match="broken"):
        front.client(app=app).get("/stops")


def test_a_page_about_an_error_is_left_as_it_is(front: Front) -> None:
    async def shows(request: Request, error: Exception) -> Response:
        return HTMLResponse(DOCUMENT, 500)

    async def breaks(request: Request) -> Response:
        raise RuntimeError

    app = front.around(breaks, exception_handlers={500: shows})
    answer = front.client(app=app, raise_server_exceptions=False).get("/breaks")
    assert (answer.status_code, answer.text) == (500, DOCUMENT)


# Handlers that need a consent


class Comments(HTTPEndpoint):
    @requires_consent("social")
    async def get(self, request: Request) -> Response:
        return JSONResponse({"comments": []})

    @requires_consent("social", vendor="youtube")
    def post(self, request: Request) -> Response:
        return JSONResponse({"comments": [1]})


@requires_consent("social")
async def plain(request: Request) -> Response:
    return JSONResponse({"comments": []})


@requires_consent("social", vendor="youtube")
def sync(request: Request) -> Response:
    return JSONResponse({"comments": []})


class Callable_:
    async def __call__(self, request: Request) -> Response:
        return JSONResponse({"comments": []})


async def with_name(name: str, request: Request) -> Response:
    return JSONResponse({"comments": [], "name": name})


NEEDING = [
    Route("/comments", Comments),
    Route("/plain", plain),
    Route("/sync", sync),
    Route("/object", requires_consent("social")(Callable_())),
    Route("/partial", requires_consent("social")(functools.partial(with_name, "x"))),
]


# LB-10
@pytest.mark.parametrize(
    ("method", "path", "vendor"),
    [
        ("GET", "/plain", None),
        ("GET", "/sync", "youtube"),
        ("GET", "/comments", None),
        ("POST", "/comments", "youtube"),
        ("GET", "/object", None),
        ("GET", "/partial", None),
    ],
)
def test_a_handler_that_needs_a_consent_runs_only_with_it(
    front: Front, method: str, path: str, vendor: str | None
) -> None:
    client = front.client(*NEEDING)
    refused = client.request(method, path)
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    told = refused.json()
    assert (told["category"], told.get("vendor"), told["preferences"]) == ("social", vendor, "/consent")
    assert "/consent" in told["detail"] and "'social'" in told["detail"]
    assert refused.headers["cache-control"] == "private, no-store"
    front.cookie(client, social=True)
    assert "comments" in client.request(method, path).json()
    client.patch("/consent/decision", json={"vendors": {"youtube": False}})
    assert client.request(method, path).status_code == (403 if vendor else 200)


# LB-10, IN-07
def test_a_browser_is_shown_a_page_that_leads_to_the_preferences_and_back(front: Front) -> None:
    client = front.client(*NEEDING)
    answer = client.get("/sync?page=2", headers=BROWSER | {"Accept-Language": "nl"})
    page = tree(answer.text)
    assert (answer.status_code, page.get("lang")) == (403, "nl")
    assert "YouTube" in answer.text and "Sociaal" in answer.text
    assert any(link.get("href") == "/consent?next=/sync%3Fpage%3D2" for link in page.iter("a")), answer.text
    assert answer.text.count('id="cookie-consent"') == 1
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Cookie, Sec-GPC, Accept-Language"


def test_the_mistakes_of_developers_are_named() -> None:
    with pytest.raises(UsageError, match="decorate the methods of Comments"):
        requires_consent("social")(Comments)

    @requires_consent("social")
    def without_request() -> None: ...

    with pytest.raises(MissingMiddlewareError, match="needs one among its arguments"):
        without_request()


def test_handler_may_raise_consent_required_error(front: Front) -> None:
    async def needs(request: Request) -> Response:
        raise ConsentRequiredError("social", "youtube")

    async def late(request: Request) -> Response:
        async def stream() -> AsyncIterator[str]:
            yield DOCUMENT
            raise ConsentRequiredError("social")

        return StreamingResponse(stream(), media_type="text/html")

    async def socket(websocket: WebSocket) -> None:
        raise ConsentRequiredError("social")

    client = front.client(needs, late, WebSocketRoute("/socket", socket))
    assert client.get("/needs").json()["vendor"] == "youtube"
    assert client.get("/needs").status_code == 403
    with pytest.raises(ConsentRequiredError):
        client.get("/late")
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/socket"):
        pass
    assert closed.value.code == 1008


# What ASGI allows


def test_what_is_neither_http_nor_a_websocket_passes(front: Front) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    ask(around(front, app), type="lifespan")
    assert seen == ["lifespan"]


def test_request_without_hidden_cookies_reaches_the_application_unchanged(front: Front) -> None:
    seen: list[Scope] = []

    async def keeps(scope: Scope) -> None:
        seen.append(scope)

    headers = [(b"accept", b"*/*")]
    messages = [start([(b"content-type", b"text/plain")]), body(b"x", more=True), body(b"")]
    answer = ask(around(front, sends(*messages)), headers=headers)
    assert all(left is sent for left, sent in zip(answer.messages, messages, strict=True))
    ask(around(front, answers(b"{}", kind=b"", do=keeps)), headers=headers)
    assert seen[0]["headers"] is headers


class Cycle:
    """Serve one request as servers do, whose `send` leads to all that they know of it."""

    def __init__(self, **scope: Any) -> None:
        self.scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "state": {}} | scope
        self.messages: list[Message] = []

    async def receive(self) -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    async def run(self, app: ASGIApp) -> None:
        await app(self.scope, self.receive, self.send)


@pytest.mark.parametrize("path", ["/", "/consent/policy.json"])
def test_a_request_that_is_over_leaves_nothing_to_the_garbage_collector(front: Front, path: str) -> None:
    app = ConsentMiddleware(answers(b"{}"), front.manager)
    for _ in range(2):
        gc.collect()
        gc.disable()
        try:
            asyncio.run(Cycle(path=path, headers=[(b"accept", b"*/*")]).run(app))
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left = [one for one in gc.garbage if isinstance(one, RequestConsent)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert not left


def test_the_error_page_of_an_application_may_ask_the_consent(front: Front) -> None:
    async def boom(request: Request) -> Response:
        raise LookupError

    async def sorry(request: Request, error: Exception) -> Response:
        consent = get_consent(request)
        return Response(f"{request.url.path} {consent.allows('social')} {consent.status}", 500)

    client = front.client(
        boom, app=front.around(boom, exception_handlers={500: sorry}), raise_server_exceptions=False
    )
    assert client.get("/boom?a=1").text == "/boom False unknown"


@pytest.mark.parametrize("headers", [[(b"accept", b"*/*")], ((b"accept", b"*/*"),)])
def test_the_error_page_of_an_application_may_need_a_consent(front: Front, headers: Any) -> None:
    async def boom(request: Request) -> Response:
        raise LookupError

    @requires_consent("social")
    async def sorry(request: Request, error: Exception) -> Response:
        return Response("with a video", 500)

    app = front.around(boom, exception_handlers={500: sorry})
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    scope = {"type": "http", "method": "GET", "path": "/boom", "query_string": b"", "headers": headers}
    with pytest.raises(LookupError):
        asyncio.run(app(scope, Cycle().receive, send))  # type: ignore[arg-type]  # it is a coroutine
    assert messages[0]["status"] == 403


def test_the_headers_of_a_request_may_be_any_iterable(front: Front) -> None:
    seen: list[Any] = []

    async def reads(scope: Scope) -> None:
        consent = get_consent(Request(scope))
        seen.append((consent.allows("social"), [list(header) for header in scope["headers"]]))

    token = front.cookie(front.client(), social=True).encode()
    pairs = [[b"cookie", COOKIE.encode() + b"=" + token], [b"x-a", b"b"]]
    for headers in (tuple(map(tuple, pairs)), pairs, (tuple(pair) for pair in pairs)):
        ask(around(front, answers(b"{}", do=reads)), headers=headers)
    assert seen == [(True, pairs)] * 3


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Content-Type", b"text/html"), (b"SET-COOKIE", b"_ga=1"), (b"Content-Length", b"5")],
        ((b"content-type", b"text/html"), (b"set-cookie", b"_ga=1")),
        [[b"content-type", b"text/html"], [b"set-cookie", b"_ga=1"]],
        iter([(b"content-type", b"text/html"), (b"set-cookie", b"_ga=1")]),
    ],
    ids=["capitals", "tuple", "lists", "iterator"],
)
def test_the_headers_of_an_answer_may_be_any_iterable(front: Front, headers: Any) -> None:
    answer = ask(around(front, sends(start(headers), body())))
    assert b"cookie-consent-accept-all" in answer.body
    assert answer.values(b"content-length") == [b"%d" % len(answer.body)]
    assert answer.values(b"set-cookie") == []
    assert answer.values(b"cache-control") == [b"private, no-cache"]


def test_an_answer_may_have_no_headers(front: Front) -> None:
    answer = ask(around(front, sends({"type": "http.response.start", "status": 204}, body(b""))))
    assert (answer.status, answer.headers) == (204, [])


def test_body_messages_may_leave_out_what_they_can(front: Front) -> None:
    answer = ask(around(front, sends(start([HTML]), {"type": "http.response.body"})))
    assert (answer.headers, answer.chunks) == ([HTML], [b""])


# UI-10
def test_the_start_waits_for_the_first_bytes_and_no_longer(front: Front) -> None:
    head, rest = DOCUMENT.split("<main>")
    messages = [start([HTML]), body(b"", more=True), body(head.encode(), more=True)]
    messages += [body(b"<main>", more=True), body(b"", more=True), body(rest.encode())]
    answer = ask(around(front, sends(*messages)))
    assert [message["type"] for message in answer.messages] == ["http.response.start"] + [
        "http.response.body"
    ] * 4
    first, second, _, last = answer.chunks
    assert b'id="cookie-consent"' in first and second == b"<main>"
    assert b"site-privacy-settings" in last
    assert answer.values(b"content-length") == []


def test_page_that_the_application_sends_as_a_file_gets_the_banner(front: Front, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(DOCUMENT.encode())
    given = [HTML, (b"content-length", b"%d" % len(DOCUMENT))]
    answer = ask(around(front, sends(start(given), {"type": PATHSEND, "path": str(path)})))
    assert b'id="cookie-consent"' in answer.body and answer.values(b"content-length") == []
    assert [message["type"] for message in answer.messages] == ["http.response.start"] + [
        "http.response.body"
    ] * len(answer.chunks)


def test_parts_of_a_file_that_an_application_joins_are_one_page(front: Front, tmp_path: Path) -> None:
    path = tmp_path / "parts.html"
    path.write_bytes(DOCUMENT.encode() + b"<p>another page</p>")
    head, rest = 40, len(DOCUMENT) - 40
    with path.open("rb") as file:
        first = {"type": ZEROCOPYSEND, "file": file, "count": head, "more_body": True}
        second = {"type": ZEROCOPYSEND, "file": file.fileno(), "offset": head, "count": rest}
        answer = ask(around(front, sends(start([HTML]), first, second)))
    assert b'id="cookie-consent"' in answer.body and answer.body.endswith(b"</body></html>")


@pytest.mark.parametrize("kind", [PATHSEND, ZEROCOPYSEND])
def test_file_that_is_no_page_is_left_to_the_server(front: Front, kind: str) -> None:
    headers = [(b"content-type", b"image/png"), (b"content-length", b"9"), (b"etag", b'"1"')]
    messages = [start(list(headers)), {"type": kind, "path": "/picture.png"}]
    assert ask(around(front, sends(*messages))).messages == messages


def test_fragment_in_a_file_is_sent_with_its_own_headers(front: Front, tmp_path: Path) -> None:
    path = tmp_path / "fragment.html"
    path.write_bytes(b"<p>fragment</p>")
    given = [HTML, (b"content-length", b"15"), (b"etag", b'"1"')]
    answer = ask(around(front, sends(start(given), {"type": PATHSEND, "path": str(path)})))
    assert (answer.headers, answer.body) == (given, b"<p>fragment</p>")


def test_trailers_and_other_messages_pass(front: Front) -> None:
    trailers = {
        "type": "http.response.trailers",
        "headers": [(b"server-timing", b"x")],
        "more_trailers": False,
    }
    hints = {"type": "http.response.early_hint", "links": []}
    answer = ask(around(front, sends(hints, start([HTML], trailers=True), body(), trailers)))
    assert [answer.messages[0], answer.messages[-1]] == [hints, trailers]
    assert answer.start["trailers"] is True
    assert b'id="cookie-consent"' in answer.body


def test_inner_middleware_of_the_same_manager_does_nothing(front: Front) -> None:
    inner = around(front, answers(headers=[(b"set-cookie", b"_ga=1")]))
    app = Starlette(routes=[Mount("/inner", around(front, inner))])
    app.add_middleware(ConsentMiddleware, manager=front.manager)
    client = front.client(app=app)
    page = client.get("/inner/")
    assert page.text.count('id="cookie-consent"') == 1
    assert page.text.count('class="site-privacy-settings"') == 1
    front.cookie(client, analytical=True)
    assert set_cookies(client.get("/inner/")) == ["_ga=1"]


def test_requests_that_share_a_server_state_are_each_filtered(front: Front) -> None:
    app = around(front, answers(b"{}", kind=b"application/json", headers=[(b"set-cookie", b"_ga=1")]))
    state: dict[str, Any] = {}
    for _ in range(2):
        assert ask(app, state=state).values(b"set-cookie") == []


def test_outer_middleware_may_run_a_request_twice(front: Front) -> None:
    cycle = Cycle(headers=[])
    app = around(front, answers(b"{}", kind=b"application/json", headers=[(b"set-cookie", b"_ga=1")]))
    for _ in range(2):
        asyncio.run(cycle.run(app))
    assert [dict(one["headers"]).get(b"set-cookie") for one in cycle.messages[::2]] == [None, None]


def test_another_sites_middleware_within_asks_for_itself(front: Front, make_front: MakeFront) -> None:
    other = make_front(site="trailhead", prefix="/choices")
    seen: list[str] = []

    async def asks(scope: Scope) -> None:
        seen.append(scope["consentkit"].site.manager.site)

    ask(around(front, around(other, answers(b"{}", do=asks))))
    assert seen == ["trailhead"]


# Where the application is mounted


@pytest.mark.parametrize("root_path", ["/app", "/app/"])
def test_behind_a_root_path_every_address_has_it(front: Front, root_path: str) -> None:
    with front.client(root_path=root_path.rstrip("/")) as client:
        page = client.get("/app/")
        assert '"/app/consent/decision"' in page.text
        assert client.get("/app/consent/decision").status_code == 200
        posted = client.post("/app/consent/decision", data={"choice": "reject_all", "next": "/app/consent/x"})
        assert posted.headers["location"] == "/"
        posted = client.post("/app/consent/decision", data={"choice": "reject_all", "next": "/app/a"})
        assert posted.headers["location"] == "/app/a"
    answer = ask(front.around(), "/app/consent/policy", root_path=root_path)
    assert b'href="/app/consent' in answer.body


@pytest.mark.parametrize("root_path", ["/app", "/app/"])
@pytest.mark.parametrize(
    ("back", "target"), [("/app/consent/policy", "/"), ("/app/consent", "/"), ("/app/shoes", "/app/shoes")]
)
def test_a_form_never_leads_back_into_the_prefix_below_a_root_path(
    front: Front, root_path: str, back: str, target: str
) -> None:
    form = f"choice=reject_all&next={back}".encode()
    answer = ask(
        front.around(),
        "/app/consent/decision",
        method="POST",
        headers=[(b"content-type", b"application/x-www-form-urlencoded")],
        body=[{"type": "http.request", "body": form, "more_body": False}],
        root_path=root_path,
    )
    assert (answer.status, answer.values(b"location")) == (303, [target.encode()])


def test_root_path_matches_whole_path_segments_only(front: Front) -> None:
    assert ask(front.around(), "/apples/consent", root_path="/app").status == 404
    assert ask(front.around(), "/consent/decision", root_path="/app").status == 200


def test_a_mounted_application_may_have_the_middleware_to_itself(front: Front) -> None:
    inner = front.around(*NEEDING)
    client = front.client(app=Starlette(routes=[Mount("/shop", inner)]))
    assert '"/shop/consent/decision"' in client.get("/shop/").text
    assert client.get("/shop/consent/decision").json()["status"] == "unknown"
    assert client.get("/shop/plain").json()["preferences"] == "/shop/consent"
    assert client.get("/consent/decision").status_code == 404


def test_another_prefix_moves_every_address(make_front: MakeFront) -> None:
    client = make_front(prefix="/privacy/choices").client()
    page = client.get("/")
    assert not re.findall(r'"/consent[^"]*"', page.text)
    assert client.get("/privacy/choices/decision").status_code == 200
    assert client.get("/consent/decision").status_code == 404


# Websockets


async def talks(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"social": get_consent(websocket).allows("social")})
    await websocket.close()


async def decides(websocket: WebSocket) -> None:
    await get_consent(websocket).adecide({"social": True})
    await websocket.accept(headers=[(b"set-cookie", b"watched=1"), (b"set-cookie", b"_ga=1")])
    with pytest.raises(ResponseStartedError):
        await get_consent(websocket).awithdraw()
    await websocket.send_text("decided")
    await websocket.close()


@requires_consent("social", vendor="youtube")
async def guarded(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("watch")
    await websocket.close()


class Guarded(WebSocketEndpoint):
    encoding = "text"

    @requires_consent("social")
    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()


async def denies(websocket: WebSocket) -> None:
    get_consent(websocket).allows("social")
    await websocket.send_denial_response(HTMLResponse(DOCUMENT, 200))


SOCKETS = [
    WebSocketRoute("/talks", talks),
    WebSocketRoute("/decides", decides),
    WebSocketRoute("/guarded", guarded),
    WebSocketRoute("/endpoint", Guarded),
    WebSocketRoute("/denies", denies),
]


def test_a_websocket_asks_and_decides_before_it_accepts(front: Front) -> None:
    with front.client(*SOCKETS) as client:
        with client.websocket_connect("/talks") as session:
            assert session.receive_json() == {"social": False}
        with client.websocket_connect("/decides") as session:
            lines = [value.decode() for name, value in session.extra_headers or () if name == b"set-cookie"]
            assert session.receive_text() == "decided"
        assert [line.partition("=")[0] for line in lines] == ["watched", COOKIE, COMPANION]
        sent = {"Cookie": "; ".join(line.partition(";")[0] for line in lines)}
        with client.websocket_connect("/talks", headers=sent) as session:
            assert session.receive_json() == {"social": True}
    assert [record.event for record in front.records()] == ["given"]


def test_a_websocket_is_closed_where_the_consent_is_missing(front: Front) -> None:
    with front.client(*SOCKETS) as client:
        for path in ("/guarded", "/endpoint"):
            with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect(path):
                pass
            assert closed.value.code == 1008
        with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/denies"):
            pass
        assert denied.value.text == DOCUMENT
        assert denied.value.headers["cache-control"] == "private, no-cache"
        sent = {"Cookie": f"{COOKIE}={front.cookie(client, social=True)}"}
        with client.websocket_connect("/guarded", headers=sent) as session:
            assert session.receive_text() == "watch"


# Behind a real uvicorn


class Gates:
    """What the pages of the served application wait for, and what they have seen."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.gone = threading.Event()

    async def stream(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[str]:
            head, tail = DOCUMENT.split("<main>")
            yield head
            await to_thread.run_sync(self.go_on.wait)
            yield f"<main>{tail}"

        return StreamingResponse(pieces(), media_type="text/html")

    async def endless(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[str]:
            try:
                yield DOCUMENT.removesuffix("</body></html>")
                while True:
                    yield "<p>" + "more " * 1000
                    await checkpoint()
            finally:
                self.gone.set()

        return StreamingResponse(pieces(), media_type="text/html")


async def measure(request: Request) -> Response:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return JSONResponse({"size": size})


async def large(request: Request) -> Response:
    return HTMLResponse(LARGE)


async def state(request: Request) -> Response:
    return JSONResponse({"started": request.state.started, "asking": request.state.consent.needs_asking})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Gates]]:
    """One uvicorn with everything that is asked of it below, and the address."""
    page = tmp_path_factory.mktemp("served") / "page.html"
    page.write_text(DOCUMENT)
    gates = Gates()

    async def file(request: Request) -> Response:
        return FileResponse(page)

    async def picture(request: Request) -> Response:
        return FileResponse(page, media_type="image/png")

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, bool]]:
        yield {"started": True}

    with fronting(
        Clock(datetime(2026, 8, 31, 12, tzinfo=UTC)), origins={"stride": "http://localhost:8000"}
    ) as front:
        routes = [
            *SOCKETS,
            Route("/stream", gates.stream),
            Route("/endless", gates.endless),
            Route("/file", file),
            Route("/picture", picture),
            Route("/measure", measure, methods=["POST"]),
            Route("/large", large),
            Route("/state", state),
            Mount("/static", StaticFiles(directory=page.parent)),
        ]
        with serving(front.around(*routes, lifespan=lifespan), lifespan="on") as address:
            yield address, gates


@pytest.fixture
def address(served: tuple[str, Gates]) -> str:
    return served[0]


@pytest.fixture
def browser(address: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=address, timeout=30) as client:
        yield client


def talk(address: str, *pieces: bytes) -> bytes:
    """Send bytes over one connection and return all that comes back."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def asked(method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_visitor_is_asked_answers_and_withdraws_over_http(browser: httpx2.Client) -> None:
    assert "cookie-consent-accept-all" in browser.get("/").text
    assert browser.post("/consent/decision", data={"choice": "accept_all"}).status_code == 303
    assert set(browser.cookies) == {"consent", "consent-state", "consent-from"}
    page = browser.get("/")
    assert 'id="cookie-consent"' not in page.text and "/consent/withdraw" in page.text
    token = browser.cookies["consent"]
    assert browser.delete("/consent/decision").json()["status"] == "withdrawn"
    replayed = browser.get("/consent/decision", headers={"Cookie": f"consent={token}"})
    assert replayed.json()["categories"]["social"] is False


@pytest.mark.parametrize(
    "path", ["/", "/consent", "/consent/policy", "/consent/policy.json", "/file", "/large"]
)
def test_head_has_the_headers_of_get_and_no_body(address: str, path: str) -> None:
    answer = talk(address, asked("HEAD", path))
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert rest == b""
    assert head.startswith(b"HTTP/1.1 200")
    fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
    got = httpx2.get(address + path)
    for name in ("content-type", "vary", "cache-control"):
        assert fields.get(name.encode()) == (
            got.headers[name].lower().encode() if name in got.headers else None
        )
    assert "content-length" not in got.headers or len(got.content) == int(got.headers["content-length"])
    assert fields.get(b"content-length", b"") in (b"", str(len(got.content)).encode())


def test_a_stream_flows_chunk_by_chunk(served: tuple[str, Gates], browser: httpx2.Client) -> None:
    _, gates = served
    gates.go_on.clear()
    with browser.stream("GET", "/stream") as answer:
        chunks = answer.iter_raw()
        first = next(chunks)
        assert b'id="cookie-consent"' in first and b"<main>" not in first
        gates.go_on.set()
        rest = b"".join(chunks)
    assert rest.startswith(b"<main>") and b"site-privacy-settings" in rest
    assert answer.headers["transfer-encoding"] == "chunked"


def test_a_browser_that_goes_away_ends_a_stream(served: tuple[str, Gates], browser: httpx2.Client) -> None:
    _, gates = served
    gates.gone.clear()
    with browser.stream("GET", "/endless") as answer:
        next(answer.iter_raw())
    assert gates.gone.wait(30)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"Range": "bytes=0-9"}, 206), ({"Range": "bytes=0-9", "If-Range": '"x"'}, 200)],
)
def test_ranges_are_the_applications_own(
    browser: httpx2.Client, headers: dict[str, str], status: int
) -> None:
    picture = browser.get("/picture", headers=headers)
    assert (picture.status_code, picture.headers["accept-ranges"]) == (status, "bytes")
    assert picture.text == (DOCUMENT[:10] if status == 206 else DOCUMENT)
    page = browser.get("/file", headers=headers)
    assert page.status_code == status
    assert (page.text == DOCUMENT[:10]) is (status == 206)
    assert ("accept-ranges" in page.headers) is (status == 206)


# HT-01
def test_a_page_that_is_known_is_not_sent_again_in_the_same_state(browser: httpx2.Client) -> None:
    tag = browser.get("/static/page.html").headers["etag"]
    again = browser.get("/static/page.html", headers={"If-None-Match": tag})
    assert (again.status_code, again.headers["etag"], again.content) == (304, tag, b"")
    browser.post("/consent/decision", json={"choice": "reject_all"})
    changed = browser.get("/static/page.html", headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.headers["etag"] != tag


def test_ten_mebibytes_pass_in_both_directions(browser: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(160):
            yield b"x" * 65536

    assert browser.post("/measure", content=chunks()).json() == {"size": 10 * MIB}
    assert browser.post("/measure", content=b"x" * 10 * MIB).json() == {"size": 10 * MIB}
    page = browser.get("/large").text
    assert len(page) > len(LARGE) > 10 * MIB
    assert page.count('id="cookie-consent"') == page.count('class="site-privacy-settings"') == 1


# HT-06
def test_ten_mebibytes_for_us_are_refused_long_before_they_arrived(address: str) -> None:
    path, kind = "/consent/decision", "Content-Type: application/json"
    announced = talk(address, asked("POST", path, kind, "Content-Length: 10485760"))
    assert announced.startswith(b"HTTP/1.1 413")
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    chunked = talk(address, asked("POST", path, kind, "Transfer-Encoding: chunked"), chunk, chunk)
    assert chunked.startswith(b"HTTP/1.1 413")
    assert httpx2.get(f"{address}/consent/decision").status_code == 200


def test_a_chunked_decision_is_a_decision(address: str) -> None:
    content = json.dumps({"choice": "reject_all"}).encode()
    pieces = [b"1\r\n" + content[at : at + 1] + b"\r\n" for at in range(len(content))]
    head = asked("POST", "/consent/decision", "Content-Type: application/json", "Transfer-Encoding: chunked")
    answer = talk(address, head, *pieces, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and b'"status":"refused"' in answer


def test_the_state_of_the_lifespan_is_there_beside_the_consent(browser: httpx2.Client) -> None:
    assert browser.get("/state").json() == {"started": True, "asking": True}


def test_websockets_work_over_the_wire(address: str) -> None:
    there = address.replace("http", "ws", 1)
    with connect(f"{there}/talks") as session:
        assert json.loads(session.recv()) == {"social": False}
    with connect(f"{there}/decides") as session:
        assert session.recv() == "decided"
        assert session.response is not None
        lines = session.response.headers.get_all("set-cookie")
        with pytest.raises(ConnectionClosedOK):
            session.recv()
    sent = {"Cookie": "; ".join(line.partition(";")[0] for line in lines)}
    with connect(f"{there}/guarded", additional_headers=sent) as session:
        assert session.recv() == "watch"


@pytest.mark.parametrize("path", ["/guarded", "/endpoint", "/consent/decision", "/consent/nowhere"])
def test_a_websocket_without_consent_is_refused_before_it_opens(address: str, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(address.replace("http", "ws", 1) + path):
        pass
    assert refused.value.response.status_code == 403


def test_compression_around_the_middleware_compresses_what_was_put_in(
    front: Front, serve: Callable[..., str]
) -> None:
    app = front.around()
    app.add_middleware(GZipMiddleware, minimum_size=100)
    answer = httpx2.get(serve(app), headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "cookie-consent-accept-all" in answer.text
    assert answer.headers["vary"] == "Cookie, Sec-GPC, Accept-Language, Accept-Encoding"


def test_compression_inside_the_middleware_is_undone_for_pages_and_applied_again(
    front: Front, serve: Callable[..., str]
) -> None:
    app = Starlette(routes=[Route("/", large)])
    app.add_middleware(GZipMiddleware)
    app.add_middleware(ConsentMiddleware, manager=front.manager)
    answer = httpx2.get(serve(app), headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip" and len(answer.text) > len(LARGE)
    assert "cookie-consent-accept-all" in answer.text and answer.text.endswith("</body></html>")


def test_sessions_and_the_consent_get_along(front: Front) -> None:
    async def counts(request: Request) -> Response:
        request.session["count"] = request.session.get("count", 0) + 1
        return JSONResponse(request.session)

    app = front.around(counts)
    app.add_middleware(SessionMiddleware, secret_key="a key for sessions")
    client = front.client(app=app)
    assert [client.get("/counts").json()["count"] for _ in range(3)] == [1, 2, 3]
    assert "consent" not in client.get("/counts").text


def test_a_session_around_the_middleware_is_told_once(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    app = front.around()
    around = SessionMiddleware(app, secret_key="a key for sessions")
    for _ in range(2):
        front.client(app=app).get("/consent")
        front.client(app=around).get("/consent")
    (line,) = (record.message for record in caplog.records if record.name == "consentkit")
    assert line.startswith("SessionMiddleware runs around ConsentMiddleware") and "Add it before" in line


def test_a_server_may_add_the_root_path_that_a_proxy_took_off(
    front: Front, serve: Callable[..., str]
) -> None:
    address = serve(front.around(), root_path="/app")
    page = httpx2.get(address).text
    assert '"/app/consent/decision"' in page
    assert 'name="next" value="/app/"' in page
    script = tree(page).find(".//script").get("src")
    assert httpx2.get(address + script.removeprefix("/app")).status_code == 200
    posted = httpx2.post(
        f"{address}/consent/decision",
        data={"choice": "reject_all", "next": "/app/a"},
        headers={"Origin": ORIGIN},
    )
    assert (posted.status_code, posted.headers["location"]) == (303, "/app/a")
