"""What an application sees in strict mode, in every framework and behind a real server."""

from pathlib import Path

import httpx2
import pytest

from consentkit.enforcement import SENT, read_observed_cookies
from tests.behaviour.hosts import HOSTS
from tests.behaviour.pages import Stream
from tests.behaviour.visitor import Visitor
from tests.support.family import a_policy
from tests.support.sites import managing


# LB-01, IN-08
# Wagtail has the middleware of Django, and runs in a process of its own with fewer options.
@pytest.mark.parametrize("host", [host for host in HOSTS if host != "wagtail"])
def test_an_undeclared_cookie_is_hidden_and_reported(host: str, tmp_path: Path) -> None:
    observed, ledger = tmp_path / "observed.jsonl", f"sqlite:///{tmp_path / 'consent.db'}"
    with (
        managing(a_policy(), ledger=ledger, observed=observed, strict=True) as manager,
        HOSTS[host](manager, Stream()) as base,
        httpx2.Client(base_url=base, timeout=30) as client,
    ):
        visitor = Visitor(client, ajs_anonymous_id="1", session="1")
        for _ in range(2):
            assert visitor.get("/cookies").text == "session"
    found = [each for each in read_observed_cookies(observed.read_text().splitlines()) if each.reason == SENT]
    assert [each.cookie for each in found] == ["ajs_anonymous_id"]
