"""Run the guide's code for those frameworks that are installed for development."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from consentkit import ConsentManager, Policy
from tests.support.pages_of_docs import ROOT, blocks_of
from tests.support.servers import free_port, running
from tests.support.sites import KEY, managing

BANNER = 'id="cookie-consent"'
PAGE = (ROOT / "docs/how-to/other-frameworks.md").read_text("utf-8")
CODE = {block.title: block.code for block in blocks_of(PAGE)}


@pytest.fixture
def manager(policy: Policy, ledger_url: str) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url) as made:
        yield made


def run(title: str, manager: ConsentManager) -> ModuleType:
    module = ModuleType(Path(title).stem)
    names: dict[str, Any] = vars(module)
    names["manager"] = manager
    exec(compile(CODE[title], title, "exec"), names)  # noqa: S102 - our own page
    return module


def test_every_other_example_is_python() -> None:
    for title, code in CODE.items():
        compile(code, title, "exec")
    assert len(CODE) == 9


def test_falcon_asks_and_refuses(manager: ConsentManager) -> None:
    client = TestClient(run("falcon_site.py", manager).app, base_url="https://stride.example")
    assert BANNER in client.get("/").text
    refused = client.get("/video")
    assert refused.status_code == 403 and refused.json()["vendor"] == "youtube"
    assert client.post("/consent/decision", json={"choice": "accept_all"}).status_code == 200
    assert BANNER not in client.get("/").text and client.get("/video").text == "player"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_datasette_asks(manager: ConsentManager) -> None:
    from datasette.app import Datasette
    from datasette.plugins import pm

    plugin = run("plugins/consent.py", manager)
    pm.register(plugin)
    try:
        app = Datasette(memory=True).app()
        with TestClient(app, base_url="https://stride.example") as client:
            assert BANNER in client.get("/").text
            assert client.post("/consent/decision", json={"choice": "reject_all"}).status_code == 200
            assert BANNER not in client.get("/").text
    finally:
        pm.unregister(plugin)


def test_nicegui_asks_and_obeys(tmp_path: Path, ledger_url: str) -> None:
    port = free_port()
    # NiceGUI takes its port from this variable when it finds itself in a test.
    environment = {"PYTHONPATH": str(ROOT), "NICEGUI_SCREEN_TEST_PORT": str(port)}
    (tmp_path / "nicegui_site.py").write_text(
        "from consentkit import ConsentManager, load_policy\n"
        f"policy = load_policy({str(ROOT / 'tests/consent.example.toml')!r})\n"
        f"manager = ConsentManager(policy, secret_key={KEY!r}, ledger={ledger_url!r}, site='stride')\n"
        + CODE["nicegui_site.py"].replace("port=8000", f"port={port}")
    )
    with (
        running(["nicegui_site.py"], port=port, cwd=tmp_path, environment=environment) as base,
        httpx2.Client(base_url=base, headers={"origin": "https://stride.example"}) as client,
    ):
        page = client.get("/", headers={"accept-encoding": "gzip"})
        assert BANNER in page.text, page.headers
        assert "are not counted" in page.text
        answer = client.post("/consent/decision", json={"choice": "accept_all"})
        cookies = "; ".join(line.partition(";")[0] for line in answer.headers.get_list("set-cookie"))
        page = client.get("/", headers={"cookie": cookies})
        assert BANNER not in page.text and "are counted" in page.text
