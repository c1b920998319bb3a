import sys
from collections.abc import Iterator
from pathlib import Path
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
}


@pytest.mark.parametrize(
    ("framework", "file", "name"),
    [
        ("starlette", "app.py", "app"),
        ("starlette", "main.py", "site"),
        ("fastapi", "main.py", "app"),
        ("fastapi", "src/shop/web.py", "api"),
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
    announced, _, lines = result.output.partition(" already exists. Add these lines:\n")
    assert announced.endswith(file)
    names: dict[str, Any] = {"__file__": str(path)}
    exec(before + lines[: lines.index("Visitors are asked at ")], names)  # noqa: S102 - our own lines
    try:
        with TestClient(names[name], base_url="http://localhost:8000") as client:
            assert 'id="cookie-consent"' in client.get("/").text
            assert client.post("/consent/decision", json={"choice": "accept_all"}).status_code == 200
            assert 'id="cookie-consent"' not in client.get("/").text
    finally:
        names["manager"].close()
    assert (place / "consent.db").exists()


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
