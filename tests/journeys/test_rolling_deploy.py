"""Two real servers, one on the old policy and one on the new, over one PostgreSQL: nobody loses an answer, nothing widens."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest

from consentkit.config.lock_file import write_lock
from consentkit.config.policy_file import load_policy
from consentkit.notices.lock import add_notices_to_lock
from tests.conftest import Clock
from tests.journeys.test_journey import BANNER, Visitor
from tests.support.postgres import Server
from tests.support.servers import serving
from tests.support.sites import managing, site

EXAMPLE = (Path(__file__).parents[1] / "consent.example.toml").read_text()
YOUTUBE = EXAMPLE[EXAMPLE.index('[[vendors]]\nid = "youtube"') : EXAMPLE.index('[[vendors]]\nid = "adhub"')]
HOTJAR = """
[[vendors]]
id = "hotjar"
name = "Hotjar"
country = "MT"
profiling = false
policy_url = "https://www.hotjar.com/privacy"
category = "analytical"
"""
PURPOSES = ("analytical", "tracking", "social")
# The new notice has a vendor more for analytical and one less for social.
ASKED_AGAIN_ON = {"new": "analytical", "old": "social"}


class Deploy:
    """The old and the new server, and visitors who come to both."""

    def __init__(self, servers: dict[str, str], clock: Clock, running: ExitStack) -> None:
        self.servers = servers
        self.clock = clock
        self._running = running

    def visitor(self, where: str) -> Visitor:
        """Let somebody new come to a server."""
        return self._running.enter_context(Visitor(self.servers[where]))

    def see(self, visitor: Visitor, where: str) -> tuple[str, set[str], bool]:
        """Say how a visitor stands on a server: status, what is granted, whether the banner is there."""
        visitor.base_url = self.servers[where]
        answer = visitor.get("/granted").json()
        return answer["status"], set(answer["granted"]), BANNER in visitor.get("/").text

    def answer(self, where: str, granted: tuple[str, ...]) -> Visitor:
        """Let a new visitor answer on a server."""
        visitor = self.visitor(where)
        body = {"categories": {purpose: purpose in granted for purpose in PURPOSES}}
        assert visitor.post("/consent/decision", json=body).status_code == 200
        return visitor


@pytest.fixture
def deploy(postgres: Server, tmp_path: Path, clock: Clock) -> Iterator[Deploy]:
    old, new = tmp_path / "old", tmp_path / "new"
    for directory, text in ((old, EXAMPLE), (new, EXAMPLE.replace(YOUTUBE, "") + HOTJAR)):
        directory.mkdir()
        (directory / "consent.toml").write_text(text)
    first = load_policy(old / "consent.toml")
    locked, _ = add_notices_to_lock(first, first.lock, date(2026, 8, 1))
    write_lock(old / "consent.lock", locked)
    locked, changes = add_notices_to_lock(load_policy(new / "consent.toml"), locked, date(2026, 8, 31))
    write_lock(new / "consent.lock", locked)
    assert {change.category for change in changes if change.asks} == {"analytical"}
    ledger = postgres.address()
    with ExitStack() as running:
        managers = {
            name: running.enter_context(
                managing(load_policy(directory / "consent.toml"), ledger=ledger, clock=clock)
            )
            for name, directory in (("old", old), ("new", new))
        }
        servers = {name: running.enter_context(serving(site(manager))) for name, manager in managers.items()}
        yield Deploy(servers, clock, running)


# VA-05, IN-06
def test_every_answer_counts_on_both_servers_for_what_both_notices_cover(deploy: Deploy) -> None:
    for there, count in itertools.product(("old", "new"), range(4)):
        for granted in itertools.combinations(PURPOSES, count):
            here = "new" if there == "old" else "old"
            visitor = deploy.answer(there, granted)
            deploy.clock.advance(61)
            own = deploy.see(visitor, there)
            assert own == ("given" if granted else "refused", set(granted), False)
            status, seen, banner = deploy.see(visitor, here)
            assert seen == set(granted) - {ASKED_AGAIN_ON[here]}, (there, granted)
            assert banner is (ASKED_AGAIN_ON[here] in granted)
            assert status == ("given" if seen else "invalidated" if granted else "refused")
            assert deploy.see(visitor, there) == own, "looking elsewhere changes nothing"


# WD-03
def test_a_withdrawal_on_one_server_holds_on_the_other_within_recheck(deploy: Deploy) -> None:
    for there, here in (("old", "new"), ("new", "old")):
        visitor = deploy.answer(there, PURPOSES)
        other = deploy.visitor(here)
        other.jar = dict(visitor.jar)
        assert deploy.see(other, here)[1] == set(PURPOSES) - {ASKED_AGAIN_ON[here]}
        visitor.delete("/consent/decision")
        deploy.clock.advance(61)
        assert deploy.see(other, here) == ("withdrawn", set(), False)


def test_an_answer_to_what_is_asked_again_settles_both(deploy: Deploy) -> None:
    visitor = deploy.answer("old", PURPOSES)
    assert deploy.see(visitor, "new") == ("given", {"tracking", "social"}, True)
    banner = visitor.get("/").text
    assert "Hotjar" in banner and 'value="change"' in banner and "category.tracking" not in banner
    answer = visitor.post("/consent/decision", data={"choice": "change", "category.analytical": "on"})
    assert answer.status_code == 303
    assert deploy.see(visitor, "new") == ("given", set(PURPOSES), False)
    deploy.clock.advance(61)
    # The old policy has a vendor under social that the new notice does not name.
    assert deploy.see(visitor, "old") == ("given", {"analytical", "tracking"}, True)
