"""Django behind real servers: the attack cases on gunicorn, and one visit on uvicorn."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.journeys.test_security import CASES, HAVE, SITES, executable
from tests.support.servers import LOCALHOST, free_port, running

ROOT = Path(__file__).parents[2]
MODULE = "tests.support.django_attacked"
GUNICORN = ("-m", "gunicorn", f"{MODULE}:application", "--threads", "8", "--log-level", "warning", "--bind")
UVICORN = ("-m", "uvicorn", f"{MODULE}:asgi", "--host", LOCALHOST, "--log-level", "warning", "--port")


def environment(place: Path, site: str) -> dict[str, str]:
    return {"ATTACKED_LEDGER": f"sqlite:///{place / 'attacked.db'}", "ATTACKED_SITE": site}


@pytest.fixture
def params(tmp_path: Path) -> Iterator[Path]:
    """Three attacked sites in Django on gunicorn over one fresh ledger, and the file that tells the runner where."""
    sites = {}
    with ExitStack() as servers:
        for name, (site, host) in SITES.items():
            port = free_port()
            address = f"{LOCALHOST}:{port}"
            arguments = (*GUNICORN, address)
            servers.enter_context(
                running(arguments, port=port, environment=environment(tmp_path, site), cwd=ROOT)
            )
            sites[name] = {"id": site, "addr": address, "host": host, "origin": f"https://{host}"}
        file = tmp_path / "params.json"
        file.write_text(json.dumps({"sites": sites}))
        yield file


def test_every_attack_on_django_comes_to_nothing(params: Path) -> None:
    runner = (CASES / "run_cases.py", CASES / "cases.json", "--params", params, "--have", HAVE, "-v")
    ran = subprocess.run(
        [sys.executable, *map(str, runner)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=150,
    )
    counted = re.search(r"\{'pass': (\d+), 'fail': (\d+), 'skip': \d+\}", ran.stdout)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert counted is not None, ran.stdout + ran.stderr
    assert int(counted[1]) >= executable() and counted[2] == "0", ran.stdout


def test_visit_over_asgi_asks_remembers_and_withdraws(tmp_path: Path) -> None:
    port = free_port()
    headers = {"origin": "https://a.test", "host": "a.test"}
    with (
        running((*UVICORN, str(port)), port=port, environment=environment(tmp_path, "a"), cwd=ROOT),
        httpx2.Client(base_url=f"http://{LOCALHOST}:{port}", headers=headers) as client,
    ):
        assert 'id="cookie-consent"' in client.get("/").text
        given = client.post("/consent/decision", json={"categories": {"analytical": True}})
        assert given.json()["status"] == "given"
        cookies = "; ".join(line.partition(";")[0] for line in given.headers.get_list("set-cookie"))
        probed = client.get("/_probe", headers={"cookie": cookies}).json()
        assert probed == {"decided": True, "granted": ["analytical"]}
        withdrawn = client.delete("/consent/decision", headers={"cookie": cookies})
        assert withdrawn.json()["status"] == "withdrawn"
        assert client.get("/_probe", headers={"cookie": cookies}).json()["granted"] == []
