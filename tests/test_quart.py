"""The extension for Quart: what is async in it. Settings, templates and commands are the same as in Flask."""

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypercorn.middleware.dispatcher import AsyncioDispatcherMiddleware
from quart import Quart, Response, jsonify, render_template_string, websocket
from quart.testing import WebsocketResponseError
from quart.testing.app import LifespanError

from consentkit import ConsentManager, asgi
from consentkit.errors import ConsentRequiredError, MissingMiddlewareError
from consentkit.quart import Consent, get_consent, requires_consent
from consentkit.testing import grant, withdraw
from tests.conftest import HERE
from tests.support.front import DOCUMENT, without_submissions
from tests.support.front import ask as ask_asgi

SECRET = "a key of Quart, which signs the sessions of the tests"
VIDEO = "https://www.youtube-nocookie.com/embed/abc"
ORIGIN = {"Origin": "https://stride.example"}
Make = Callable[..., Quart]
T = TypeVar("T")


def run(test: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run an async function to its end."""
    return asyncio.run(test())


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """`make(CONSENTKIT_PREFIX=…)` makes an application with consent, whose settings say where policy and ledger are."""
    shutil.copy(HERE / "consent.example.toml", tmp_path / "consent.toml")
    with ExitStack() as made:

        def build(**settings: Any) -> Quart:
            app = a_site(tmp_path)
            app.config.update(settings)
            Consent().init_app(app)
            made.callback(app.extensions["consentkit"].close)
            return app

        yield build


def a_site(root: Path) -> Quart:
    """Make an application with a page, a video, a websocket, and settings for consent."""
    app = Quart("stride", root_path=str(root))
    app.config.update(
        TESTING=True,
        SECRET_KEY=SECRET,
        CONSENTKIT_POLICY="consent.toml",
        CONSENTKIT_LEDGER="sqlite://",
        CONSENTKIT_SITE="stride",
    )

    @app.get("/")
    async def home() -> str:
        return DOCUMENT

    @app.get("/granted")
    async def granted() -> Response:
        return jsonify(sorted(get_consent().granted))

    @app.get("/video")
    @requires_consent("social", vendor="youtube")
    async def video() -> str:
        return "player"

    @app.get("/comments")
    @requires_consent("social")
    def comments() -> str:
        return "comments"

    @app.post("/forget")
    async def forget() -> Response:
        return jsonify(await get_consent().awithdraw())

    @app.websocket("/live")
    @requires_consent("social")
    async def live() -> None:
        await websocket.send(get_consent().status.value)

    return app


def manager_of(app: Quart) -> ConsentManager:
    manager = app.extensions["consentkit"]
    assert isinstance(manager, ConsentManager)
    return manager


def test_a_visitor_is_asked_decides_is_obeyed_and_withdraws(make: Make) -> None:
    app = make()

    async def visit() -> None:
        client = app.test_client()
        assert 'id="cookie-consent"' in await (await client.get("/")).get_data(as_text=True)
        assert (await client.get("/video")).status_code == 403
        given = await client.post("/consent/decision", json={"choice": "accept_all"}, headers=ORIGIN)
        assert (await given.get_json())["status"] == "given"
        cookies = "; ".join(line.partition(";")[0] for line in given.headers.getlist("set-cookie"))
        headers = {"Cookie": cookies}
        assert await (await client.get("/video", headers=headers)).get_data(as_text=True) == "player"
        assert await (await client.get("/comments", headers=headers)).get_data(as_text=True) == "comments"
        left = await client.post("/forget", headers=headers)
        assert await left.get_json()
        assert any(line.startswith("__Host-consent=") for line in left.headers.getlist("set-cookie"))

    run(visit)
    ledger = manager_of(app).ledger
    assert ledger is not None and [record.event for record in ledger.records()] == ["given", "withdrawn"]


def test_the_403_is_the_one_of_the_middleware(make: Make) -> None:
    app = make()

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        assert not scope["state"]["consent"].allows("social", "youtube")
        raise ConsentRequiredError("social", "youtube")

    theirs = ask_asgi(
        asgi.ConsentMiddleware(bare, manager_of(app)), "/video", headers=[(b"accept", b"text/html")]
    )

    async def visit() -> bytes:
        answer = await app.test_client().get("/video", headers={"Accept": "text/html"})
        assert answer.status_code == theirs.status == 403
        program = await app.test_client().get("/video")
        assert json.loads(await program.get_data())["vendor"] == "youtube"
        return bytes(await answer.get_data())

    assert without_submissions(run(visit)) == without_submissions(theirs.body)


def test_a_websocket_is_refused_until_its_consent_is_given(make: Make) -> None:
    app = make()

    async def visit() -> str:
        client = app.test_client()
        with pytest.raises(WebsocketResponseError) as refused:
            async with client.websocket("/live") as connection:
                await connection.receive()
        assert refused.value.response.status_code == 403
        grant(client, manager_of(app), "social")
        async with client.websocket("/live") as connection:
            return str(await connection.receive())

    assert run(visit) == "given"


def test_clients_of_tests_become_visitors_who_decided(make: Make) -> None:
    app = make(SERVER_NAME="localhost")
    client, manager = app.test_client(), manager_of(app)

    async def granted() -> Any:
        return await (await client.get("/granted")).get_json()

    given = grant(client, manager, "social")
    assert run(granted) == ["social"]
    withdraw(client, manager, given)
    assert run(granted) == []


def test_templates_have_the_consent_the_block_and_embeds(make: Make) -> None:
    app = make()
    template = (
        '{% consent "social" %}video{% else %}link{% endconsent %} {{ consent.status }} '
        '{{ consent_embed("youtube", "' + VIDEO + '", title="A stretch") }}{{ consent_scripts() }}'
    )

    @app.get("/template")
    async def page() -> str:
        return await render_template_string(template)

    async def visit() -> str:
        client = app.test_client()
        grant(client, manager_of(app), "social")
        return str(await (await client.get("/template")).get_data(as_text=True))

    assert run(visit).startswith("video given <figure")


def test_a_misspelt_id_ends_the_server_at_its_start(make: Make) -> None:
    app = make()
    app.add_url_rule("/map", "map", requires_consent("socail")(lambda: ""))

    async def start() -> None:
        async with app.test_app():
            pass

    with pytest.raises(LifespanError, match="no category 'socail'"):
        run(start)

    async def start_right() -> None:
        async with make().test_app():
            pass

    run(start_right)


def test_an_application_below_a_path_keeps_its_addresses_below_it(make: Make) -> None:
    app = AsyncioDispatcherMiddleware({"/run": make()})
    found = ask_asgi(app, "/run/", headers=[(b"host", b"stride.example")])
    assert b'action="/run/consent/decision"' in found.body


def test_without_the_extension_get_consent_says_what_to_add(make: Make) -> None:
    async def visit() -> None:
        async with make().test_request_context("/"):
            get_consent()

    with pytest.raises(MissingMiddlewareError, match=r"Consent\(app\)"):
        run(visit)


def test_the_commands_are_those_of_flask(make: Make) -> None:
    result = make().test_cli_runner().invoke(args=["consent", "check"])
    assert result.exit_code == 0
    assert "consent.toml: 0 problems" in result.output
