"""The attack cases, played by their own runner against a real uvicorn."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.servers import serving

HAVE = "probe,clock,ledger,gate,handoff,handoff3,sync"
CASES = Path(__file__).parents[1] / "security"
SITES = {"A": ("a", "a.test"), "B": ("b", "b.example"), "C": ("c", "c.example")}


@pytest.fixture
def params(tmp_path: Path) -> Iterator[Path]:
    """Three attacked sites on free ports over one fresh ledger, and the file that tells the runner where."""
    from consentkit import Ledger
    from tests.support.security_app import AttackedSite

    with ExitStack() as running:
        ledger = Ledger(f"sqlite:///{tmp_path / 'attacked.db'}")
        running.callback(ledger.close)
        sites = {}
        for name, (site, host) in SITES.items():
            attacked = AttackedSite(site, ledger)
            running.callback(attacked.manager.close)
            address = running.enter_context(serving(attacked.app))
            sites[name] = {
                "id": site,
                "addr": address.removeprefix("http://"),
                "host": host,
                "origin": f"https://{host}",
            }
        file = tmp_path / "params.json"
        file.write_text(json.dumps({"sites": sites}))
        yield file


# CK-05, CK-08, HT-01, HT-05, HT-06, VA-02, VA-04, WD-03, WD-05, WD-08
def test_every_attack_comes_to_nothing(params: Path) -> None:
    ran = subprocess.run(
        [
            sys.executable,
            str(CASES / "run_cases.py"),
            str(CASES / "cases.json"),
            *("--params", str(params), "--have", HAVE, "-v"),
        ],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=150,
    )
    counted = re.search(r"\{'pass': (\d+), 'fail': (\d+), 'skip': \d+\}", ran.stdout)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert counted is not None, ran.stdout + ran.stderr
    assert int(counted[1]) >= executable() and counted[2] == "0", ran.stdout


def executable() -> int:
    """Count the cases with steps that need no more than this application has."""
    cases = json.loads((CASES / "cases.json").read_text())["cases"]
    return sum(bool(case["steps"]) and set(case["needs"]) <= set(HAVE.split(",")) for case in cases)
