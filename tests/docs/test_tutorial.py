"""Follow the tutorial with a real server, and check the types of what its readers write."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from consentkit.cli.policy import app as command_line
from tests.support.pages_of_docs import ROOT, blocks_of
from tests.support.servers import free_port, running

DOCS = ROOT / "docs"
TUTORIAL = (DOCS / "tutorial.md").read_text("utf-8")
FILES = {block.title: block.code for block in blocks_of(TUTORIAL) if block.language == "python"}
PAGES = ("explanation/records.md", "explanation/notices.md", "how-to/customer-withdrawal.md")
# The manager of the reader's site.
MANAGER = "from consentkit import ConsentManager\nmanager: ConsentManager\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with all files of the tutorial."""
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(command_line, ["init", "--yes", "--framework", "starlette"])
    for title, code in FILES.items():
        (tmp_path / title).write_text(code, "utf-8")
    return tmp_path


def test_log_lines_have_level_and_name_and_records_a_date(site: Path) -> None:
    port = free_port()
    program = f"exec '{sys.executable}' -m uvicorn app:app --port {port} 2> log"
    with (
        running(["-ec", program], port=port, python="bash", cwd=site) as base,
        httpx2.Client(base_url=base, timeout=30) as visitor,
    ):
        visitor.get("/")
        visitor.post("/consent/decision", json={"choice": "accept_all"})
        visitor.post("/consent/withdraw", data={"next": "/"})
    shown = "WARNING consentkit: Set-Cookie 'visits' dropped: refused, category 'analytics'."
    assert f"```text\n{shown}\n```" in TUTORIAL and shown in (site / "log").read_text().splitlines()
    done = subprocess.run(
        [sys.executable, "records.py"], cwd=site, capture_output=True, text=True, check=True
    )
    events = [line.split(" ") for line in done.stdout.splitlines()]
    assert [event[2] for event in events] == ["given", "withdrawn"]
    assert all(event[1].endswith("+00:00") for event in events)


def test_what_readers_write_passes_a_strict_type_checker(site: Path) -> None:
    modules = [*FILES]
    for number, page in enumerate(PAGES):
        blocks = blocks_of((DOCS / page).read_text("utf-8"))
        code = "\n".join(block.code for block in blocks if block.language == "python")
        modules.append(f"page{number}.py")
        (site / modules[-1]).write_text(MANAGER + code, "utf-8")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--cache-dir=.cache",
        *modules,
    ]
    done = subprocess.run(
        command, cwd=site, env=os.environ | {"MYPYPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
