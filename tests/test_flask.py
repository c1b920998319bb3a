"""The extension for Flask: everything that PEP 3333 is about is tested with the middleware itself."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, jsonify, render_template_string, session, stream_template_string
from flask.views import MethodView, View
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from consentkit import ConfigurationError, ConsentManager, wsgi
from consentkit.errors import ConsentRequiredError, MissingMiddlewareError, UnknownIdError, UsageError
from consentkit.flask import Consent, get_consent, requires_consent
from consentkit.testing import grant, refuse, withdraw
from tests.conftest import HERE
from tests.support.front import DOCUMENT, Front, without_submissions

SECRET = "a key of Flask, which signs the sessions of the tests"
VIDEO = "https://www.youtube-nocookie.com/embed/abc"
ORIGIN = {"Origin": "https://stride.example"}
Make = Callable[..., Flask]
ROOT = HERE.parent
# A whole visit to an application that runs where neither Starlette nor another framework can be imported.
WITHOUT_STARLETTE = """
import sys

sys.modules.update(dict.fromkeys(("starlette", "fastapi", "django", "quart")))
from flask import Flask, render_template_string
from consentkit.flask import Consent, requires_consent

app = Flask("stride", root_path=sys.argv[1])
app.config.update(
    SECRET_KEY="a key of Flask, which signs the sessions of the tests",
    CONSENTKIT_POLICY="consent.toml",
    CONSENTKIT_LEDGER="sqlite:///consent.db",
    CONSENTKIT_SITE="stride",
)
Consent(app)
VIDEO = "https://www.youtube-nocookie.com/embed/abc"
app.add_url_rule("/", view_func=lambda: render_template_string(
    "<!doctype html><title>x</title>{{ consent_embed('youtube', url, title='A stretch') }}", url=VIDEO
), endpoint="home")
app.add_url_rule("/video", view_func=requires_consent("social")(lambda: "player"), endpoint="video")
client = app.test_client()
origin = {"Origin": "https://stride.example"}
page = client.get("/").text
assert 'id="cookie-consent"' in page and "/consent/embed/youtube?" in page
assert client.get("/video").status_code == 403
given = client.post("/consent/decision", json={"choice": "accept_all"}, headers=origin)
assert given.json["status"] == "given", given.text
assert client.get("/video").text == "player"
gone = client.delete("/consent/decision", headers=origin)
assert gone.json["status"] == "withdrawn"
assert client.get("/video").status_code == 403
app.extensions["consentkit"].close()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of an application, with a policy."""
    shutil.copy(HERE / "consent.example.toml", tmp_path / "consent.toml")
    return tmp_path


@pytest.fixture
def make(root: Path) -> Iterator[Make]:
    """`make(CONSENTKIT_SITE=…)` makes an application with consent, whose settings say where policy and ledger are."""
    with ExitStack() as made:

        def build(**settings: Any) -> Flask:
            app = a_site(root)
            app.config.update(settings)
            Consent(app)
            made.callback(app.extensions["consentkit"].close)
            return app

        yield build


def a_site(root: Path) -> Flask:
    """Make an application with a page, a video, a session, and settings for consent."""
    app = Flask("stride", root_path=str(root))
    app.config.update(
        TESTING=True,
        SECRET_KEY=SECRET,
        CONSENTKIT_POLICY="consent.toml",
        CONSENTKIT_LEDGER="sqlite://",
        CONSENTKIT_SITE="stride",
    )

    @app.get("/")
    def home() -> str:
        return DOCUMENT

    @app.get("/granted")
    def granted() -> Response:
        return jsonify(sorted(get_consent().granted))

    @app.get("/video")
    @requires_consent("social", vendor="youtube")
    def video() -> str:
        return "player"

    @app.post("/forget")
    def forget() -> Response:
        session["left"] = True
        return jsonify(get_consent().withdraw())

    return app


def manager_of(app: Flask) -> ConsentManager:
    manager = app.extensions["consentkit"]
    assert isinstance(manager, ConsentManager)
    return manager


def get_reference(app: Flask) -> str | None:
    """Return the reference of the first record."""
    ledger = manager_of(app).ledger
    assert ledger is not None
    return next(iter(ledger.records())).subject


def with_template(app: Flask, template: str) -> Flask:
    """Add a page that shows a template."""
    app.add_url_rule("/template", view_func=lambda: render_template_string(template), endpoint="template")
    return app


def shown(app: Flask, template: str) -> str:
    """Return what a template shows to a client."""
    return with_template(app, template).test_client().get("/template").text


# The application


def test_a_visitor_is_asked_decides_is_obeyed_and_withdraws(make: Make) -> None:
    app = make()
    client = app.test_client()
    assert 'id="cookie-consent"' in client.get("/").text
    assert client.get("/video").status_code == 403
    given = client.post("/consent/decision", json={"choice": "accept_all"}, headers=ORIGIN)
    assert given.json is not None and given.json["status"] == "given"
    assert 'id="cookie-consent"' not in client.get("/").text
    assert client.get("/video").text == "player"
    assert client.post("/forget").json == get_reference(app)
    assert client.get("/granted").json == []
    assert client.get("/video").status_code == 403
    ledger = manager_of(app).ledger
    assert ledger is not None and [record.event for record in ledger.records()] == ["given", "withdrawn"]


def test_settings_say_where_policy_and_ledger_are(make: Make, root: Path) -> None:
    app = make(
        CONSENTKIT_LEDGER="sqlite:///consent.db", CONSENTKIT_PREFIX="/privacy", CONSENTKIT_BANNER="off"
    )
    client = app.test_client()
    assert 'id="cookie-consent"' not in client.get("/").text
    assert client.get("/privacy/policy").status_code == 200
    client.post("/privacy/decision", json={"choice": "accept_all"}, headers=ORIGIN)
    assert (root / "consent.db").exists()


def test_settings_that_cannot_be_used_are_an_error_at_start(make: Make) -> None:
    with pytest.raises(ConfigurationError, match="CONSENTKIT_SIT: did you mean CONSENTKIT_SITE"):
        make(CONSENTKIT_SIT="stride")
    with pytest.raises(ConfigurationError, match="set SECRET_KEY, or CONSENTKIT_SECRET_KEY"):
        make(SECRET_KEY=None)
    with pytest.raises(
        ConfigurationError, match="SECRET_KEY, from which CONSENTKIT_SECRET_KEY is derived, has 3"
    ):
        make(SECRET_KEY="dev")


def test_cookies_signed_with_an_old_secret_key_are_read(make: Make) -> None:
    ledger = {"CONSENTKIT_LEDGER": "sqlite:///consent.db"}
    old, new = make(**ledger), make(SECRET_KEY=f"{SECRET}, new", SECRET_KEY_FALLBACKS=[SECRET], **ledger)
    client = new.test_client()
    grant(client, manager_of(old), "social")
    assert client.get("/granted").json == ["social"]


def test_a_factory_makes_several_applications_with_one_extension(root: Path, front: Front) -> None:
    consent = Consent()

    def create_app(manager: ConsentManager | None) -> Flask:
        app = a_site(root)
        consent.init_app(app, manager)
        return app

    first, second = create_app(None), create_app(front.manager)
    client, other = first.test_client(), second.test_client()
    grant(client, manager_of(first), "social")
    assert (client.get("/granted").json, other.get("/granted").json) == (["social"], [])
    assert manager_of(second) is front.manager
    manager_of(first).close()
    third = a_site(root)
    assert manager_of_extension(third, front) is front.manager


def manager_of_extension(app: Flask, front: Front) -> ConsentManager:
    Consent(app, front.manager)
    return manager_of(app)


def test_an_application_gets_consent_once(make: Make, front: Front) -> None:
    with pytest.raises(UsageError, match="has consent already"):
        Consent(make(), front.manager)


def test_an_application_below_a_path_keeps_its_addresses_below_it(make: Make) -> None:
    app = make()
    client = Client(DispatcherMiddleware(Flask("other"), {"/run": app}))
    assert 'action="/run/consent/decision"' in client.get("/run/").text
    assert client.get("/run/consent/policy").status_code == 200
    assert json.loads(client.get("/run/video").data)["preferences"] == "/run/consent"
    grant(client, manager_of(app), "social")
    assert client.get("/run/granted").json == ["social"]


def test_flask_needs_no_starlette(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_STARLETTE, str(root)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Views


def test_the_403_is_the_one_of_the_middleware(make: Make) -> None:
    app = make()
    app.testing = False  # so that an error which nothing handles is a 500, as in production

    def bare(environ: Any, start_response: Any) -> Any:
        assert not wsgi.get_consent(environ).allows("social", "youtube")
        raise ConsentRequiredError("social", "youtube")

    other = Client(wsgi.ConsentMiddleware(bare, manager_of(app)))
    for accept in ("text/html", "application/json"):
        headers = {"Accept": accept}
        ours, theirs = app.test_client().get("/video", headers=headers), other.get("/video", headers=headers)
        assert ours.status_code == 403
        assert without_submissions(ours.data) == without_submissions(theirs.data)
        assert sorted(ours.headers) == sorted(theirs.headers)
    assert json.loads(ours.data)["vendor"] == "youtube"


def test_an_error_handler_of_the_owner_is_used_instead(root: Path, front: Front) -> None:
    def own(missing: ConsentRequiredError) -> tuple[str, int]:
        return f"{missing.category} please", 401

    before, after = a_site(root), a_site(root)
    before.register_error_handler(ConsentRequiredError, own)
    for app in (before, after):
        Consent(app, front.manager)
    after.register_error_handler(ConsentRequiredError, own)
    for app in (before, after):
        found = app.test_client().get("/video")
        assert (found.status_code, found.text) == (401, "social please")


def test_blueprints_and_class_based_views_need_consent_too(root: Path, front: Front) -> None:
    app, videos = a_site(root), Blueprint("videos", "videos", url_prefix="/videos")

    @videos.get("/<int:number>")
    @requires_consent("social")
    def one(number: int) -> str:
        return f"video {number}"

    class Comments(MethodView):
        def get(self) -> str:
            return "comments"

        @requires_consent("social")
        def post(self) -> str:
            return "sent"

    class Map(View):
        decorators = [requires_consent("social")]  # noqa: RUF012 - Flask's own interface

        def dispatch_request(self) -> str:
            return "map"

    Consent(app, front.manager)
    app.register_blueprint(videos)
    app.add_url_rule("/comments", view_func=Comments.as_view("comments"))
    app.add_url_rule("/map", view_func=Map.as_view("map"))
    client = app.test_client()
    assert client.get("/comments").text == "comments"
    asked = [client.get("/videos/7"), client.post("/comments"), client.get("/map")]
    assert [answer.status_code for answer in asked] == [403, 403, 403]
    grant(client, front.manager, "social")
    asked = [client.get("/videos/7"), client.post("/comments"), client.get("/map")]
    assert [answer.text for answer in asked] == ["video 7", "sent", "map"]


def test_a_misspelt_id_is_found_before_its_view_is_asked(root: Path, front: Front) -> None:
    class Comments(MethodView):
        @requires_consent("social", vendor="disqus")
        def get(self) -> str:
            return "comments"

    early, late = a_site(root), a_site(root)
    early.add_url_rule("/comments", view_func=Comments.as_view("comments"))
    with pytest.raises(UnknownIdError, match="no vendor 'disqus'") as raised:
        Consent(early, front.manager)
    assert raised.value.__notes__ == ["It stands in @requires_consent of the view 'comments'."]
    Consent(late, front.manager)
    late.add_url_rule("/map", view_func=requires_consent("socail")(lambda: ""), endpoint="map")
    for _ in range(2):
        with pytest.raises(UnknownIdError, match="no category 'socail'"):
            late.test_client().get("/")


def test_classes_are_not_decorated() -> None:
    class Map(View):
        pass

    with pytest.raises(UsageError, match=r"add it to the list Map\.decorators"):
        requires_consent("social")(Map)


def test_without_the_extension_get_consent_says_what_to_add(root: Path, make: Make) -> None:
    with pytest.raises(MissingMiddlewareError, match=r"Consent\(app\)"):
        a_site(root).test_client().get("/granted")
    with make().test_request_context(), pytest.raises(MissingMiddlewareError):
        get_consent()


# Templates


def test_templates_have_the_consent_the_block_and_embeds(make: Make) -> None:
    app = make()
    template = (
        '{% consent "social" vendor="youtube" %}video{% else %}link{% endconsent %} {{ consent.status }} '
        '{{ consent_embed("youtube", "' + VIDEO + '", title="A stretch") }}'
    )
    client = with_template(app, template).test_client()
    before = client.get("/template").text
    assert before.startswith("link unknown <figure")
    grant(client, manager_of(app), "social")
    after = client.get("/template").text
    assert after.startswith("video given <figure")
    assert before.partition("<figure")[2] == after.partition("<figure")[2]


def test_the_loader_can_be_put_into_pages_that_are_left_alone(make: Make) -> None:
    client = Client(
        DispatcherMiddleware(Flask("other"), {"/run": with_template(make(), "{{ consent_scripts() }}")})
    )
    assert client.get("/run/template").text == '<script src="/run/consent/loader.js" defer></script>'
    assert client.get("/run/consent/loader.js").mimetype == "text/javascript"


def test_an_embed_alone_makes_no_page_depend_on_the_visitor(make: Make) -> None:
    app = make()
    template = '{{ consent_embed("youtube", "' + VIDEO + '", title="A stretch") }}'

    def part() -> Response:
        return Response(render_template_string(template), mimetype="text/plain")

    app.add_url_rule("/part", view_func=part)
    assert "Vary" not in app.test_client().get("/part").headers


def test_macros_that_are_imported_without_context_have_the_consent(make: Make, root: Path) -> None:
    (root / "templates").mkdir()
    (root / "templates/macros.html").write_text(
        '{% macro video() %}{% consent "social" %}video{% else %}link{% endconsent %}{% endmacro %}', "utf-8"
    )
    assert shown(make(), '{% from "macros.html" import video %}{{ video() }}') == "link"


def test_a_template_without_a_request_that_passed_the_middleware_says_so(make: Make) -> None:
    with make().test_request_context(), pytest.raises(MissingMiddlewareError):
        render_template_string('{% consent "social" %}{% endconsent %}')


def test_a_page_that_is_streamed_gets_the_banner(make: Make) -> None:
    app = make()
    page = DOCUMENT.replace("</h1>", '</h1>{% consent "social" %}yes{% else %}no{% endconsent %}')
    app.add_url_rule("/streamed", view_func=lambda: stream_template_string(page), endpoint="streamed")
    found = app.test_client().get("/streamed")
    assert 'id="cookie-consent"' in found.text
    assert "</h1>no" in found.text


# Tests of applications


@pytest.mark.parametrize("server_name", [None, "shop.example:5000"])
def test_clients_of_tests_become_visitors_who_decided(make: Make, server_name: str | None) -> None:
    app = make(SERVER_NAME=server_name)
    client, manager = app.test_client(), manager_of(app)
    given = grant(client, manager, "social")
    assert client.get("/granted").json == ["social"]
    assert client.get("/granted", base_url="https://stride.example").json == ["social"]
    withdraw(client, manager, given)
    assert client.get("/granted").json == []
    refuse(client, manager)
    assert client.get("/granted").json == []


# Commands


def test_the_commands_know_the_policy_of_the_application(make: Make, root: Path) -> None:
    seen = {"cookie": "tracking_id", "reason": "undeclared"}
    (root / "seen.txt").write_text(json.dumps(seen), "utf-8")
    app = make(CONSENTKIT_OBSERVED="seen.txt")
    code, told = run(app, "check")
    assert code == 0
    assert f"{root / 'consent.toml'}: 0 problems" in told
    assert "tracking_id" in told
    code, told = run(app, "lock", "--dry-run")
    assert (code, "This is the first notice." in told) == (0, True)
    assert run(app, "lock")[0] == 0
    assert (root / "consent.lock").exists()
    code, told = run(app, "group", "check", "--offline")
    assert "problem" in told


def test_the_commands_of_a_policy_without_a_file_need_its_path(root: Path, front: Front) -> None:
    app = a_site(root)
    Consent(app, front.manager)
    assert "flask consent" in run(app, "--help")[1]
    assert run(app, "check", str(root / "consent.toml"))[0] == 0


def run(app: Flask, *arguments: str) -> tuple[int, str]:
    """Run `flask consent` with arguments, and return its exit code and what it printed."""
    result = app.test_cli_runner().invoke(args=["consent", *arguments])
    return result.exit_code, result.output
