import gzip
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest
from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.enums import MediaType
from litestar.exceptions import NotAuthorizedException, NotFoundException, WebSocketDisconnect
from litestar.handlers import asgi
from litestar.middleware import DefineMiddleware
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Scope, Send

from consentkit import ConsentManager, Policy
from consentkit.errors import ConsentRequiredError, MissingMiddlewareError, UnknownVendorError
from consentkit.litestar import ConsentDep, ConsentPlugin, get_consent, requires_consent
from consentkit.testing import grant
from tests.conftest import Clock
from tests.support.sites import PAGE, managing

BANNER = 'id="cookie-consent"'
HTML = MediaType.HTML


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url, clock=clock) as made:
        yield made


@get("/", media_type=HTML)
async def home() -> str:
    return PAGE


@get("/granted")
async def granted(consent: ConsentDep) -> list[str]:
    return sorted(consent.granted)


@post("/granted", sync_to_thread=True)
def decide(consent: ConsentDep) -> dict[str, str]:
    consent.decide({"analytical": True})
    return {"status": consent.status}


async def anybody(connection: Any, handler: Any) -> None:
    """A guard of the application."""


@get("/comments", guards=[anybody, requires_consent("social", vendor="youtube")])
async def comments() -> str:
    return "Nice run."


@get("/likes")
async def likes(request: Request[Any, Any, Any]) -> str:
    if not get_consent(request).allows("social"):
        raise ConsentRequiredError("social")
    return "Three."


@websocket("/live", guards=[requires_consent("social")])
async def live(socket: WebSocket[Any, Any, Any], consent: ConsentDep) -> None:
    await socket.accept()
    await socket.send_text(str(consent.allows("social")))
    await socket.close()


HANDLERS = [home, granted, decide, comments, likes, live]


@pytest.fixture
def open_client(manager: ConsentManager) -> Iterator[Callable[..., TestClient[Litestar]]]:
    """`open_client(*handlers, **options)` makes an application, and a client that visits it."""
    opened = []

    def open_client(*handlers: Any, root_path: str = "", **options: Any) -> TestClient[Litestar]:
        app = Litestar([*(handlers or HANDLERS)], plugins=[ConsentPlugin(manager)], **options)
        client = TestClient(app, base_url="https://stride.example", root_path=root_path)
        opened.append(client.__enter__())
        return client

    yield open_client
    for client in opened:
        client.__exit__()


def test_a_page_asks_and_remembers_and_forgets(open_client: Callable[..., TestClient[Litestar]]) -> None:
    client = open_client()
    assert BANNER in client.get("/").text
    answer = client.post("/consent/decision", data={"choice": "accept_all", "next": "/"})
    assert answer.url.path == "/" and BANNER not in answer.text and "/consent" in answer.text
    assert client.get("/granted").json() == ["analytical", "social", "tracking"]
    assert client.post("/consent/withdraw", data={"next": "/"}).status_code == 200
    assert client.get("/granted").json() == []


def test_every_address_of_the_library_answers(open_client: Callable[..., TestClient[Litestar]]) -> None:
    client = open_client()
    for path in ("/consent", "/consent/policy.json", "/.well-known/gpc.json", "/.well-known/consent.json"):
        assert client.get(path).status_code == 200, path
    asset = client.get("/").text.partition('src="')[2].partition('"')[0]
    assert client.get(asset).headers["content-type"].startswith("text/javascript")
    assert client.delete("/consent/decision").json()["reference"] is None
    assert client.get("/consent/nothing").status_code == 404


def test_a_handler_takes_the_consent_as_a_dependency(
    open_client: Callable[..., TestClient[Litestar]], manager: ConsentManager
) -> None:
    client = open_client()
    assert client.get("/granted").json() == []
    grant(client, manager, "analytical", vendors=("youtube",))
    answer = client.get("/granted")
    assert answer.json() == ["analytical"] and "private" in answer.headers["cache-control"]


def test_a_sync_handler_decides_in_its_thread(open_client: Callable[..., TestClient[Litestar]]) -> None:
    client = open_client()
    answer = client.post("/granted")
    assert answer.json() == {"status": "given"} and "__Host-consent" in answer.headers["set-cookie"]
    assert client.get("/granted").json() == ["analytical"]


# LB-10
def test_a_handler_that_needs_consent_is_refused(
    open_client: Callable[..., TestClient[Litestar]], manager: ConsentManager
) -> None:
    client = open_client()
    refused = client.get("/comments", headers={"accept": "application/json"})
    assert refused.status_code == 403 and refused.headers["content-type"] == "application/problem+json"
    assert (refused.json()["category"], refused.json()["vendor"]) == ("social", "youtube")
    assert client.get("/likes").json()["preferences"] == "/consent"
    page = client.get("/comments", headers={"accept": "text/html"})
    assert page.status_code == 403 and "<html" in page.text and "YouTube" in page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    grant(client, manager, "social")
    assert client.get("/comments").text == "Nice run." and client.get("/likes").text == "Three."


def test_a_websocket_that_needs_consent_is_closed(
    open_client: Callable[..., TestClient[Litestar]], manager: ConsentManager
) -> None:
    client = open_client()
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/live"):
        pass
    assert closed.value.code == 1008
    grant(client, manager, "social")
    with client.websocket_connect("/live") as socket:
        assert socket.receive_text() == "True"


def test_a_guard_with_an_unknown_vendor_is_refused_at_the_start(manager: ConsentManager) -> None:
    @get("/", guards=[requires_consent("social", vendor="yuotube")])
    async def misspelt() -> None: ...

    with pytest.raises(UnknownVendorError):
        Litestar([misspelt, home, live], plugins=[ConsentPlugin(manager)])


def test_an_application_without_the_plugin_is_told(manager: ConsentManager) -> None:
    with TestClient(Litestar([likes], debug=True)) as client, pytest.raises(MissingMiddlewareError):
        get_consent(Request({"type": "http", "state": {}}))
        client.get("/likes")


def test_pages_are_compressed_with_the_banner_in_them(
    open_client: Callable[..., TestClient[Litestar]],
) -> None:
    @get("/plain", media_type=HTML, opt={"uncompressed": True})
    async def plain() -> str:
        return PAGE

    config = CompressionConfig(backend="gzip", minimum_size=10, exclude_opt_key="uncompressed")
    client = open_client(home, plain, compression_config=config)
    with client.stream("GET", "/", headers={"accept-encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert BANNER.encode() in gzip.decompress(b"".join(answer.iter_raw()))
    answer = client.get("/plain", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in answer.headers and BANNER in answer.text


def test_cookies_of_the_session_and_of_handlers_are_filtered(
    open_client: Callable[..., TestClient[Litestar]], manager: ConsentManager
) -> None:
    @get("/count", media_type=HTML)
    async def count(request: Request[Any, Any, Any]) -> Response[str]:
        request.session["visits"] = request.session.get("visits", 0) + 1
        answer = Response(f"{request.session['visits']}", media_type=HTML)
        answer.set_cookie("_ga", "GA1", max_age=3600)
        return answer

    session = CookieBackendConfig(secret=b"0123456789abcdef", key="session")
    client = open_client(count, middleware=[session.middleware])
    assert client.get("/count").text == "1" and "_ga" not in client.cookies
    assert client.get("/count").text == "2"
    grant(client, manager, "analytical")
    client.get("/count")
    assert "_ga" in client.cookies


def test_forms_of_the_banner_need_no_token_of_the_application(
    open_client: Callable[..., TestClient[Litestar]],
) -> None:
    client = open_client(csrf_config=CSRFConfig(secret="a secret of the test's forms"))
    assert client.post("/consent/decision", json={"choice": "reject_all"}).status_code == 200


def test_an_application_below_a_path_keeps_its_addresses(
    open_client: Callable[..., TestClient[Litestar]],
) -> None:
    client = open_client(root_path="/shop")
    page = client.get("/shop/").text
    assert 'action="/shop/consent/decision"' in page and 'value="/shop/"' in page
    answer = client.post("/shop/consent/decision", data={"choice": "accept_all", "next": "/shop/"})
    assert answer.url.path == "/shop/" and BANNER not in answer.text


def test_a_mounted_application_gets_the_banner_and_its_own_paths(
    open_client: Callable[..., TestClient[Litestar]],
) -> None:
    @asgi("/old", is_mount=True, copy_scope=True)
    async def old(scope: Scope, receive: Receive, send: Send) -> None:
        body = PAGE.replace("Run", scope["path"]).encode()
        await Response(body, media_type=HTML).to_asgi_response(None, Request(scope))(scope, receive, send)

    client = open_client(old)
    page = client.get("/old/consent/policy").text
    assert BANNER in page and "<h1>/consent/policy/</h1>" in page
    assert 'value="/old/consent/policy"' in page


def show(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    return Response(PAGE.replace("Run", type(error).__name__), status_code=404, media_type=HTML)


def test_pages_for_errors_ask_for_consent(open_client: Callable[..., TestClient[Litestar]]) -> None:
    @get("/broken", media_type=HTML)
    async def broken() -> str:
        raise NotFoundException()

    def closing(app: ASGIApp) -> ASGIApp:
        async def close(scope: Scope, receive: Receive, send: Send) -> None:
            raise NotAuthorizedException()

        return close

    @get("/closed", middleware=[DefineMiddleware(lambda app: closing(app))])
    async def closed() -> None: ...

    handlers = {NotFoundException: show, NotAuthorizedException: show}
    client = open_client(home, broken, closed, exception_handlers=handlers)
    for path in ("/nowhere", "/broken", "/closed"):
        answer = client.get(path)
        assert answer.status_code == 404 and answer.text.count(BANNER) == 1, path


def test_a_cached_response_never_shows_the_consent_of_another_visitor(
    open_client: Callable[..., TestClient[Litestar]], manager: ConsentManager
) -> None:
    made = []

    @get("/read", cache=True)
    async def read(consent: ConsentDep) -> list[str]:
        made.append("read")
        return sorted(consent.granted)

    @get("/same", cache=True, media_type=HTML)
    async def same() -> str:
        made.append("same")
        return PAGE

    client = open_client(read, same)
    assert BANNER in client.get("/same").text and client.get("/read").json() == []
    grant(client, manager, "analytical")
    assert BANNER not in client.get("/same").text and client.get("/read").json() == ["analytical"]
    assert made == ["same", "read", "read"]


def test_the_application_works_behind_uvicorn(manager: ConsentManager, serve: Callable[..., str]) -> None:
    app = Litestar(HANDLERS, plugins=[ConsentPlugin(manager)])
    site = {"host": "stride.example", "origin": "https://stride.example"}
    with httpx.Client(base_url=serve(app), headers=site) as client:
        assert BANNER in client.get("/").text
        answer = client.post("/consent/decision", json={"choice": "accept_all"})
        cookies = "; ".join(line.partition(";")[0] for line in answer.headers.get_list("set-cookie"))
        assert BANNER not in client.get("/", headers={"cookie": cookies}).text
        assert client.get("/comments", headers={"cookie": cookies}).text == "Nice run."
