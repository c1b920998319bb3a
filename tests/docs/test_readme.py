"""Run what the README shows, and check its links, commands and length."""

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from consentkit import ConsentManager

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
QUICKSTART = (ROOT / "examples/quickstart.py").read_text("utf-8")
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [textwrap.dedent(code) for _, name, code in BLOCK.findall(README) if name == language]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run all Python of the README in the order of the page, in a directory with the policy; give its names."""
    (tmp_path / "consent.toml").write_bytes((ROOT / "examples/consent.toml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSENT_KEY", "a key that the tests of the README sign with")
    namespace: dict[str, Any] = {"__name__": "app"}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), namespace)  # noqa: S102 - the README is ours
    yield namespace
    namespace["manager"].close()


def test_readme_is_short_and_starts_with_code() -> None:
    lines = README.splitlines()
    assert len(lines) < 120
    assert lines.index("```python") < 15


def test_first_code_block_is_the_quickstart() -> None:
    docstring, _, code = QUICKSTART.partition("\n\n")
    assert docstring.startswith('"""')
    assert blocks("python")[0] == code
    assert len(QUICKSTART.splitlines()) < 30


def test_links_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_readme_says_how_long_a_replayed_cookie_may_count() -> None:
    (said,) = (line for line in README.splitlines() if "replayed" in line)
    seconds = inspect.signature(ConsentManager).parameters["recheck"].default
    assert said.endswith(f"other processes may honour it for up to `recheck` seconds ({seconds}).")


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        assert set(re.findall(r"\bmake ([a-z]+)\b", (ROOT / name).read_text("utf-8"))) <= targets | {"sure"}


def test_application_asks_and_obeys(shown: dict[str, Any]) -> None:
    with TestClient(shown["app"], base_url="http://localhost:8000") as client:
        assert "cookie-consent-reject-all" in client.get("/").text
        assert not client.cookies
        assert client.post("/consent/decision", json={"choice": "accept_all"}).status_code == 200
        assert client.get("/").cookies["visited"] == "yes"


def test_handlers_do_what_their_comments_say(shown: dict[str, Any]) -> None:
    app = Starlette(routes=[Route(f"/{name}", shown[name]) for name in ("article", "statistics", "goodbye")])
    app.add_middleware(shown["ConsentMiddleware"], manager=shown["manager"])
    with TestClient(app, base_url="http://localhost:8000") as client:
        assert client.get("/article").text == "unknown: placeholder"
        assert client.get("/statistics").status_code == 403
        client.post("/consent/decision", json={"choice": "accept_all"})
        assert client.get("/article").text == "given: player"
        assert client.get("/statistics").text == "Read by you"
        assert client.get("/goodbye").text == "Forgotten"
        assert client.get("/article").text == "withdrawn: placeholder"
    assert shown["Request"] is Request
