import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from consentkit import ConsentManager, Policy
from consentkit.errors import UnknownCategoryError
from consentkit.manager.choice import Outcome
from consentkit.testing import consenting, grant, refuse, withdraw
from tests.conftest import Clock
from tests.support.sites import managing, site

__all__ = ["consenting"]


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url, clock=clock) as made:
        yield made


@pytest.fixture
def client(manager: ConsentManager) -> TestClient:
    return TestClient(site(manager), base_url="https://stride.example")


def test_a_client_becomes_a_visitor_who_granted_refused_or_withdrew(
    client: TestClient, manager: ConsentManager, clock: Clock, consenting: Callable[..., Outcome]
) -> None:
    given = consenting(client, manager, "social")
    assert client.get("/granted").json() == {"granted": ["social"], "status": "given"}
    clock.advance(1)
    withdraw(client, manager, given)
    assert client.get("/granted").json() == {"granted": [], "status": "withdrawn"}
    refuse(client, manager)
    assert client.get("/granted").json() == {"granted": [], "status": "refused"}
    assert manager.ledger is not None
    assert [record.event for record in manager.ledger.records()] == ["given", "withdrawn", "refused"]


def test_a_category_that_the_policy_lacks_raises(client: TestClient, manager: ConsentManager) -> None:
    with pytest.raises(UnknownCategoryError):
        grant(client, manager, "elsewhere")


@pytest.mark.parametrize("conftest", ["", 'pytest_plugins = ["consentkit.testing"]'])
def test_pytest_finds_the_fixture_without_importing_the_rest_of_the_library(
    tmp_path: Path, conftest: str
) -> None:
    (tmp_path / "conftest.py").write_text(conftest, "utf-8")
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_other(consenting):\n"
        "    loaded = {name for name in sys.modules if name.startswith('consentkit')}\n"
        "    assert loaded == {'consentkit', 'consentkit._version', 'consentkit.testing'}\n",
        "utf-8",
    )
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
