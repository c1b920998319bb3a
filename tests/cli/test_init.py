import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from tests.support.servers import free_port, running


def run(*arguments: str, answers: str | None = None) -> Result:
    return CliRunner().invoke(app, ["init", *arguments], input=answers)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture(params=["starlette", "fastapi"])
def started(place: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """What `consentkit init` wrote, running."""
    result = run("--yes", "--framework", request.param)
    assert result.exit_code == 0, result.output
    port = free_port()
    program = [
        "-m",
        "uvicorn",
        "app:app",
        "--host",
        "localhost",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    with running(program, port=port, python=sys.executable, cwd=place) as base:
        yield base.replace("127.0.0.1", "localhost")


# UI-10, WD-01
def test_the_written_application_asks_remembers_and_forgets(started: str) -> None:
    with httpx.Client(base_url=started, follow_redirects=True, timeout=30) as visitor:
        assert 'id="cookie-consent"' in visitor.get("/").text
        assert not visitor.cookies
        page = visitor.post("/consent/decision", data={"choice": "accept_all", "next": "/"})
        assert 'id="cookie-consent"' not in page.text and "visits are count" in page.text
        page = visitor.post("/consent/withdraw", data={"next": "/"})
        assert "visits are not count" in page.text and "/consent/withdraw" not in page.text
        assert visitor.get("/consent/decision").json()["status"] == "withdrawn"


def test_init_writes_a_valid_policy_its_lock_and_a_private_key(place: Path) -> None:
    result = run("--yes", "--framework", "starlette")
    assert sorted(path.name for path in place.iterdir()) == [
        ".gitignore",
        "app.py",
        "consent.key",
        "consent.lock",
        "consent.toml",
    ]
    assert (place / "consent.key").stat().st_mode & 0o777 == 0o600
    assert "http://localhost:8000" in result.output
    checked = CliRunner().invoke(app, ["check"])
    assert checked.exit_code == 0 and "0 problems" in checked.output


def test_init_asks_for_the_facts_of_the_site(place: Path) -> None:
    answers = ["Stride", "https://stride.example", "Hardlopen Media BV", "Kade 1", "BE", "a@b.example"]
    answers += ["Gegevensbeschermingsautoriteit", "https://www.gegevensbeschermingsautoriteit.be", "nl"]
    result = run("site", "--framework", "fastapi", answers="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    text = (place / "site" / "consent.toml").read_text()
    assert (
        'name = "Hardlopen Media BV"' in text
        and 'jurisdiction = "BE"' in text
        and 'languages = ["nl"]' in text
    )
    assert "fastapi" in (place / "site" / "app.py").read_text()


# Applications of people who had one before: sources, and whether they are WSGI.
MADE = {
    "starlette": """
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route


async def home(request):
    return HTMLResponse("<!doctype html><title>Mine</title><h1>Mine</h1>")


{name} = Starlette(routes=[Route("/", home)])
""",
    "fastapi": """
import fastapi
from fastapi.responses import HTMLResponse

{name}: fastapi.FastAPI = fastapi.FastAPI(title="Mine")


@{name}.get("/", response_class=HTMLResponse)
async def home():
    return "<!doctype html><title>Mine</title><h1>Mine</h1>"
""",
    "litestar": """
from litestar import Litestar, MediaType, get


@get("/", media_type=MediaType.HTML)
async def home() -> str:
    return "<!doctype html><title>Mine</title><h1>Mine</h1>"


{name} = Litestar([home])
""",
    "quart": """
from quart import Quart

{name} = Quart(__name__)


@{name}.get("/")
async def home():
    return "<!doctype html><title>Mine</title><h1>Mine</h1>"
""",
    "flask": """
from flask import Flask

{name} = Flask(__name__)


@{name}.get("/")
def home():
    return "<!doctype html><title>Mine</title><h1>Mine</h1>"
""",
}
ADAPTERS = [name for name in MADE if find_spec(f"consentkit.{name}") or name == "starlette"]
END = "Visitors are asked at "


@contextmanager
def visiting(source: str, path: Path, name: str = "app") -> Iterator[httpx.Client]:
    """Run an application's source, and yield a client of it."""
    module = sys.modules["made"] = ModuleType("made")
    names: dict[str, Any] = vars(module)
    names["__file__"] = str(path)
    try:
        exec(compile(source, str(path), "exec"), names)  # noqa: S102 - our own lines
        app = names[name]
        port = 5000 if "flask" in source or "quart" in source else 8000
        base = f"http://localhost:{port}"
        wsgi = getattr(app, "wsgi_app", None)
        client = httpx.Client(transport=httpx.WSGITransport(app), base_url=base) if wsgi else None
        with client or TestClient(app, base_url=base) as client:
            yield client
    finally:
        names["manager"].close()
        del sys.modules["made"]


def assert_it_asks(client: httpx.Client) -> None:
    assert 'id="cookie-consent"' in client.get("/").text
    answer = client.post("/consent/decision", json={"choice": "accept_all"})
    assert answer.status_code == 200, answer.text
    page = client.get("/")
    assert page.status_code == 200 and 'id="cookie-consent"' not in page.text
    assert client.post("/consent/withdraw", data={"next": "/"}).status_code in (200, 303)
    assert client.get("/consent/decision").json()["status"] == "withdrawn"


@pytest.mark.parametrize("framework", ADAPTERS)
def test_a_new_application_of_each_framework_asks_and_refuses(place: Path, framework: str) -> None:
    result = run("--yes", "--framework", framework)
    assert result.exit_code == 0, result.output
    path = place / "app.py"
    with visiting(path.read_text(), path) as client:
        assert_it_asks(client)
        if framework != "starlette":
            assert client.get("/video").status_code == 403
            client.post("/consent/decision", json={"choice": "accept_all"})
            assert client.get("/video").status_code == 200


@pytest.mark.parametrize(
    ("framework", "file", "name"),
    [
        ("starlette", "app.py", "app"),
        ("starlette", "main.py", "site"),
        ("fastapi", "src/shop/web.py", "api"),
        *((framework, "main.py", "app") for framework in ADAPTERS[1:]),
    ],
)
def test_an_existing_application_asks_once_the_printed_lines_are_added(
    place: Path, framework: str, file: str, name: str
) -> None:
    path = place / file
    path.parent.mkdir(parents=True, exist_ok=True)
    before = MADE[framework].format(name=name)
    path.write_text(before)
    result = run("--yes")
    assert result.exit_code == 0, result.output
    assert path.read_text() == before
    assert list(place.rglob("*.py")) == [path]
    announced, _, lines = result.output.partition(" already exists. ")
    assert announced.endswith(file)
    with visiting(added(before, lines), path, name) as client:
        assert_it_asks(client)
    assert (place / "consent.db").exists()


def added(source: str, printed: str) -> str:
    """Do with an application what was printed."""
    printed = printed[: printed.index(END)]
    appended = re.match(r"Add these lines:\n(.*)", printed, re.DOTALL)
    if appended:
        return source + appended[1]
    argument = re.match(
        r"Add these lines above line (\d+), .*?:\n(.*)And this argument .*?:\n(.*)", printed, re.DOTALL
    )
    assert argument
    lines = source.splitlines()
    line = int(argument[1]) - 1
    lines[line] = lines[line].removesuffix(")") + f", {argument[3].strip()})"
    return "\n".join([*lines[:line], argument[2], *lines[line:]])


COMPRESSED = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse
from starlette.routing import Route


async def home(request):
    return HTMLResponse("<!doctype html><title>Mine</title>" + "<p>Mine</p>" * 200)


"""


def test_the_order_of_compression_is_noticed(place: Path) -> None:
    source = COMPRESSED + 'app = Starlette(routes=[Route("/", home)])\napp.add_middleware(GZipMiddleware)\n'
    (place / "app.py").write_text(source)
    lines = run("--yes").output.partition("Add these lines:\n")[2]
    code, _, advice = lines.partition("Then move line ")
    number, compressing = int(advice.split(",")[0]), "app.add_middleware(GZipMiddleware)"
    rest = source.splitlines()
    assert rest.pop(number - 1) == compressing
    with visiting("\n".join([*rest, code, compressing]), place / "app.py") as client:
        page = client.get("/", headers={"accept-encoding": "gzip"})
        assert page.headers["content-encoding"] == "gzip" and 'id="cookie-consent"' in page.text


def test_the_order_of_compression_in_a_list_is_noticed(place: Path) -> None:
    listed = "middleware=[Middleware(GZipMiddleware)]"
    source = COMPRESSED + f'app = Starlette(routes=[Route("/", home)], {listed})\n'
    (place / "app.py").write_text(source)
    lines = run("--yes").output.partition("Add these lines:\n")[2]
    code, _, advice = lines.partition("GZipMiddleware in line 13 would compress")
    found = re.search(r"Instead of the last line, put (.*) behind GZipMiddleware in its list", advice)
    assert found
    manager = code.rpartition("app.add_middleware")[0]
    asked = source.replace(listed, f"{listed[:-1]}, {found[1]}]").partition("app = ")
    with visiting(f"{asked[0]}{manager}\napp = {asked[2]}", place / "app.py") as client:
        page = client.get("/", headers={"accept-encoding": "gzip"})
        assert page.headers["content-encoding"] == "gzip" and 'id="cookie-consent"' in page.text


def test_an_application_that_a_function_makes_gets_its_line_there(place: Path) -> None:
    source = "from fastapi import FastAPI\n\n\ndef create():\n    app = FastAPI()\n    return app\n"
    (place / "main.py").write_text(source)
    output = run("--yes").output
    assert "Add these lines after the imports:" in output
    assert "And this one below line 5, where `app` is made:\n\napp.add_middleware(" in output


# Django

VISIT = """
import django
from django.core.management import call_command
from django.test import Client

django.setup()
visitor = Client(HTTP_HOST="localhost:8000", HTTP_ORIGIN="http://localhost:8000")
page = visitor.get({path!r})
assert page.status_code == 200, page.content
assert b'id="cookie-consent"' in page.content or {path!r} != "/", page.content
accepted = visitor.post("/consent/decision", {{"choice": "accept_all"}}, content_type="application/json")
assert accepted.status_code == 200, accepted.content
form = "application/x-www-form-urlencoded"
assert visitor.post("/consent/withdraw", "next=/", content_type=form).status_code == 303
assert visitor.get("/consent/decision").json()["status"] == "withdrawn"
from django.conf import settings
call_command("check", "consentkit", fail_level="WARNING")
print(settings.MIDDLEWARE)
"""


def in_project(place: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


PROJECTS = [
    ("django", ["-m", "django", "startproject", "mysite", "."], "mysite/settings.py", "mysite.settings", "/"),
    (
        "wagtail",
        ["-c", "from wagtail.bin.wagtail import main; main()", "start", "mysite", "."],
        "mysite/settings/base.py",
        "mysite.settings.dev",
        "/consent/policy",
    ),
]


@pytest.mark.parametrize(
    ("framework", "command", "file", "module", "path"),
    PROJECTS if find_spec("consentkit.django") else [],
    ids=[row[0] for row in PROJECTS] if find_spec("consentkit.django") else [],
)
def test_a_django_project_asks_once_the_printed_lines_are_added(
    place: Path, framework: str, command: list[str], file: str, module: str, path: str
) -> None:
    in_project(place, *command)
    result = run("--yes")
    assert result.exit_code == 0, result.output
    assert not (place / "consent.key").exists() and "sessionid" in (place / "consent.toml").read_text()
    lines = result.output.partition("Add these lines at the end of ")[2]
    assert lines.startswith(f"{file}:\n")
    with (place / file).open("a") as settings:
        settings.write(lines.partition(":\n")[2].partition("The key of the consent cookie")[0])
    output = in_project(place, "-W", "ignore", "-c", VISIT.format(path=path), DJANGO_SETTINGS_MODULE=module)
    shown = output.splitlines()[-1]
    assert shown.index("SecurityMiddleware") < shown.index("ConsentMiddleware")


@pytest.mark.parametrize("framework", ["django", "wagtail"])
def test_without_a_django_project_nothing_is_written(place: Path, framework: str) -> None:
    result = run("--yes", "--framework", framework)
    assert result.exit_code == 1 and list(place.iterdir()) == []


def test_no_file_is_overwritten(place: Path) -> None:
    (place / "consent.toml").write_text("mine")
    result = run("--yes", "--framework", "starlette")
    assert result.exit_code == 1 and (place / "consent.toml").read_text() == "mine"
    assert not (place / "consent.lock").exists()


def test_a_question_is_repeated_until_the_answer_is_valid(place: Path) -> None:
    wrong = {1: "stride.example", 4: "xx", 5: "nobody", 8: "en, nl"}
    right = ["Stride", "https://stride.example", "Hardlopen Media BV", "Kade 1", "be", "a@b.example"]
    right += ["Gegevensbeschermingsautoriteit", "https://www.gegevensbeschermingsautoriteit.be", "nl"]
    typed = [text for place, answer in enumerate(right) for text in (wrong.get(place), answer) if text]
    result = run("--framework", "starlette", answers="\n".join(typed) + "\n")
    assert result.exit_code == 0, result.output
    assert result.output.count("Error: ") == len(wrong)
    assert "Write an address such as" in result.output and "Invalid TOML" not in result.output
    assert 'country = "BE"' in (place / "consent.toml").read_text()


def test_an_interrupted_init_writes_nothing(place: Path) -> None:
    result = run("new", "--framework", "starlette", answers="Stride\nno origin\n")
    assert result.exit_code == 1 and list(place.iterdir()) == []


def test_an_unknown_framework_is_refused_with_the_known_ones(place: Path) -> None:
    result = run("--yes", "--framework", "bottle")
    assert result.exit_code == 1 and list(place.iterdir()) == []


# What exists already


def test_a_key_and_a_policy_that_exist_are_kept_and_the_rest_is_written(place: Path) -> None:
    assert run("--yes", "--framework", "starlette").exit_code == 0
    kept = {name: (place / name).read_bytes() for name in ("consent.key", "consent.toml", "consent.lock")}
    (place / "app.py").unlink()
    result = run("--yes", "--framework", "fastapi")
    assert result.exit_code == 0 and result.output.count("stays as it is") == 3
    assert kept == {name: (place / name).read_bytes() for name in kept}
    assert "fastapi" in (place / "app.py").read_text()
    (place / "consent.lock").unlink()
    (place / "consent.toml").unlink()
    assert run("--yes").exit_code == 0
    assert (place / "consent.key").read_bytes() == kept["consent.key"]
    assert (place / "consent.lock").exists() and (place / "consent.toml").exists()


def test_a_lock_without_its_policy_is_refused(place: Path) -> None:
    (place / "consent.lock").write_text("{}")
    result = run("--yes", "--framework", "starlette")
    assert result.exit_code == 1 and "restore the policy" in result.output
    assert [path.name for path in place.iterdir()] == ["consent.lock"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "consent.key\nconsent.db*\n"),
        ("*.pyc", "*.pyc\nconsent.key\nconsent.db*\n"),
        ("/consent.key\n", "/consent.key\nconsent.db*\n"),
        ("*.key\nconsent.db*\n", "*.key\nconsent.db*\n"),
    ],
)
def test_key_and_records_are_kept_out_of_version_control(place: Path, before: str | None, after: str) -> None:
    if before is not None:
        (place / ".gitignore").write_text(before)
    assert run("--yes", "--framework", "starlette").exit_code == 0
    assert (place / ".gitignore").read_text() == after


def test_a_project_of_another_framework_is_told_and_left_alone(place: Path) -> None:
    (place / "main.py").write_text("import falcon.asgi\n")
    result = run("--yes")
    assert result.exit_code == 1 and "uses falcon" in result.output
    assert [path.name for path in place.iterdir()] == ["main.py"]
