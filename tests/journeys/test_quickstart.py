"""The smallest complete use, on a real server."""

import sqlite3
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import httpx2
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(params=["quickstart", "quickstart_fastapi"])
def quickstart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[ModuleType]:
    """Each of the examples, loaded again in a directory of its own, where it finds its policy and leaves its ledger."""
    for name in ("consent.toml", "consent.lock"):
        (tmp_path / name).write_bytes((EXAMPLES / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSENT_KEY", "a key that the tests of the quickstart sign with")
    spec = spec_from_file_location(request.param, EXAMPLES / f"{request.param}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    module.manager.close()


@pytest.fixture
def client(quickstart: ModuleType, serve: Callable[..., str]) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=serve(quickstart.app), headers={"Origin": "http://localhost:8000"}) as client:
        yield client


# LB-01, LB-03
def test_it_asks_and_stores_nothing_before_the_answer(client: httpx2.Client) -> None:
    page = client.get("/")
    assert "cookie-consent-accept-all" in page.text
    assert "cookie-consent-reject-all" in page.text
    assert "set-cookie" not in page.headers
    assert client.get("/consent/decision").json()["categories"] == {"functional": True, "analytical": False}


# WD-03, WD-05
def test_it_obeys_remembers_and_forgets(client: httpx2.Client) -> None:
    assert client.post("/consent/decision", json={"choice": "accept_all"}).json()["status"] == "given"
    page = client.get("/")
    assert page.cookies["visited"] == "yes"
    assert 'id="cookie-consent"' not in page.text
    assert client.delete("/consent/decision").json()["status"] == "withdrawn"
    assert "visited" not in client.cookies
    assert "set-cookie" not in client.get("/").headers


# RC-01
def test_it_keeps_the_proof(client: httpx2.Client, tmp_path: Path) -> None:
    client.post("/consent/decision", json={"choice": "reject_all"})
    database = sqlite3.connect(tmp_path / "consent.db")
    (records,) = database.execute("SELECT count(*) FROM consentkit_records").fetchone()
    database.close()
    assert records == 1


@pytest.mark.parametrize("quickstart", ["quickstart_fastapi"], indirect=True)
def test_a_route_of_fastapi_says_what_it_needs(client: httpx2.Client) -> None:
    route = client.get("/openapi.json").json()["paths"]["/statistics"]["get"]
    assert route["security"] == [{"consent-analytical": []}]
    assert client.get("/statistics").status_code == 403
    client.post("/consent/decision", json={"choice": "accept_all"})
    assert client.get("/statistics").json() == {"visits": 1}
