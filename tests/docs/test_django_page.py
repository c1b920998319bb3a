"""The page about Django, followed in a project that `startproject` has made."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.pages_of_docs import ROOT, agrees, blocks_of, commands_of, dumped, merged

PAGE = (ROOT / "docs/how-to/django.md").read_text("utf-8")
BLOCKS = {block.title: block.code for block in blocks_of(PAGE) if block.title}
SHOWN = [pair for block in blocks_of(PAGE) if block.language == "console" for pair in commands_of(block.code)]

VISIT = """
import django
django.setup()
from django.test import Client
from consentkit.django import get_manager
from consentkit.testing import grant
import shop.receivers

client = Client(headers={"origin": "http://localhost:8000", "host": "localhost:8000"})
page = client.get("/").content.decode()
assert 'id="cookie-consent"' in page and "No videos" in page, page
assert page.count('class="site-privacy-settings"') == 1
assert 'src="/consent/embed/youtube?' in page
assert client.get("/videos/").status_code == client.get("/comments/").status_code == 403
given = client.post("/consent/decision", {"choice": "accept_all"}, "application/json")
assert given.json()["status"] == "given", given.content
assert "Our channel" in client.get("/").content.decode()
assert client.get("/videos/").status_code == client.get("/comments/").status_code == 200
assert b"Your reference: " in client.get("/forget/").content
assert client.get("/videos/").status_code == 403
other = Client(headers={"host": "localhost:8000"})
grant(other, get_manager(), "social")
assert other.get("/videos/").status_code == 200
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project, with what the page shows added to its files."""
    run(tmp_path, "-m", "django", "startproject", "shop", ".")
    policy = tomllib.loads((ROOT / "tests/consent.example.toml").read_text("utf-8"))
    whole = merged(policy, tomllib.loads(BLOCKS["consent.toml"]))
    (tmp_path / "consent.toml").write_text(dumped(whole), "utf-8")
    with (tmp_path / "shop/settings.py").open("a", encoding="utf-8") as settings:
        settings.write(f"\n{BLOCKS['settings.py']}\nTEMPLATES[0]['DIRS'] = [BASE_DIR / 'templates']\n")
    for name in ("urls.py", "receivers.py"):
        (tmp_path / "shop" / name).write_text(BLOCKS[name], "utf-8")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/article.html").write_text(BLOCKS["templates/article.html"], "utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": f"{ROOT}:{folder}"}
    command = [sys.executable, *arguments]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_new_project_asks_remembers_refuses_and_withdraws(project: Path) -> None:
    for command, shown in SHOWN:
        program, *arguments = command.split()
        assert program == "python3"
        if arguments[1] != "runserver":
            assert agrees(shown, run(project, *arguments)), command
    printed = run(project, "-c", VISIT)
    assert printed.splitlines() == ["given given", "withdrawn withdrawn"]
    assert (project / "consent.db").exists()
