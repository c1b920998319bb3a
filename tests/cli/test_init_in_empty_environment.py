"""`consentkit init` where nothing is installed but the library, its command line, one framework and a server."""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from consentkit.cli.project import FRAMEWORKS
from tests.support.environments import build_wheel, make_environment, run
from tests.support.servers import free_port, running

SERVERS = {"starlette": ["uvicorn"], "fastapi": ["uvicorn"], "litestar": ["uvicorn"]}
"""What is installed in addition, where the framework brings no server of its own."""
PROJECTS = {"django": ["django-admin", "startproject"], "wagtail": ["wagtail", "start"]}
"""Commands that make a project, where `init` writes no application."""

MIGRATE = """
import os
import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings.dev"
django.setup()
for application in ("home", "wagtailcore"):
    call_command("migrate", application, verbosity=0)
"""
"""Makes the tables that Wagtail's home page needs. All of them take twice as long."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("dist"))


class Visitor:
    """A browser that keeps its cookies, and opens pages as the origin that the policy has for development."""

    def __init__(self, address: str, origin: str) -> None:
        self.address, self.origin = address, origin
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, data: str | None = None) -> tuple[int, str]:
        """Return the status and the text of a page, or of what a form leads to."""
        request = Request(self.address + path, data.encode() if data is not None else None)
        request.add_header("Origin", self.origin)
        try:
            with self.opener.open(request) as page:
                return page.status, page.read().decode()
        except HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def status(self) -> str:
        """Return the status of the visitor's consent."""
        return str(json.loads(self.open("/consent/decision")[1])["status"])

    def is_asked(self) -> bool:
        """Return whether the home page has the banner."""
        status, text = self.open("/")
        assert status == 200, text
        return 'id="cookie-consent"' in text


@contextmanager
def started(framework: str, python: Path, place: Path) -> Iterator[tuple[str, str]]:
    """Do what `init` and the framework's own documentation ask for, and yield the address and the origin of the site."""
    project, port = PROJECTS.get(framework), free_port()
    if project is not None:
        run(python.with_name(project[0]), *project[1:], "mysite", ".", cwd=place)
    choice = [] if framework != "starlette" else ["--framework", framework]
    printed = run(python.with_name("consentkit"), "init", "--yes", *choice, cwd=place)
    if project is None:
        command, origin = re.findall(r"Start it with (.*) and open\s+(\S+)", printed)[0]
        program = [str(python.with_name(shlex.split(command)[0])), *shlex.split(command)[1:]]
    else:
        found = re.search(r"at the end of (\S+):\n(.*)The key of the consent cookie", printed, re.DOTALL)
        assert found, printed
        with (place / found[1]).open("a") as settings:
            settings.write(found[2])
        if framework == "wagtail":
            run(python, "-c", MIGRATE, cwd=place)
        program, origin = ["manage.py", "runserver", "--noreload"], "http://localhost:8000"
    where = [f"localhost:{port}"] if project is not None else ["--port", str(port)]
    # What others bring along has warnings of its own.
    strict = ["-W", "error"] if framework in ("starlette", "fastapi") else []
    with running([*strict, *program, *where], port=port, python=python, cwd=place) as address:
        yield address, origin


# UI-10, WD-01
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_init_leaves_asks_refuses_grants_and_withdraws(
    framework: str, wheel: Path, tmp_path: Path
) -> None:
    extras = "cli" if framework == "starlette" else f"cli,{framework}"
    wanted = (f"consentkit[{extras}] @ {wheel.as_uri()}", *SERVERS.get(framework, []))
    python = make_environment(tmp_path / "environment", *wanted)
    place = tmp_path / "site"
    place.mkdir()
    with started(framework, python, place) as (address, origin):
        visitor = Visitor(address, origin)
        assert visitor.is_asked()
        assert visitor.open("/consent/decision", "choice=reject_all&next=/")[0] == 200
        assert visitor.status() == "refused" and not visitor.is_asked()
        # Applications that `init` wrote for a framework with an adapter have a page that needs consent.
        has_video = framework not in ("starlette", *PROJECTS)
        assert not has_video or visitor.open("/video")[0] == 403
        assert visitor.open("/consent/decision", "choice=accept_all&next=/")[0] == 200
        assert visitor.status() == "given" and not visitor.is_asked()
        assert not has_video or visitor.open("/video")[0] == 200
        assert visitor.open("/consent/withdraw", "next=/")[0] == 200
        assert visitor.status() == "withdrawn" and not visitor.is_asked()
    assert (place / "consent.db").exists()
