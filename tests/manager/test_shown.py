"""Counts of how often the notice was shown, from the pages to the ledger's table."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from consentkit import ConsentManager, Ledger, Policy, trusted_header
from consentkit.consent import Choice
from consentkit.ledger import copy_ledger, snapshot
from consentkit.ledger.tables import shown
from consentkit.manager import ChoiceContext
from consentkit.manager.no_revocations import NoRevocations
from consentkit.manager.shown import ShownCounts
from consentkit.notices import Notice
from consentkit.policy import RegimePolicies
from consentkit.proof.figures import figures_of
from consentkit.proof.figures_export import figures_as_csv, figures_as_data
from tests.conftest import Clock
from tests.support.embeds import embed_path
from tests.support.policies import put
from tests.support.postgres import Server
from tests.support.records import NOON, nobody_reads
from tests.support.regimes import policy_with_regimes
from tests.support.sites import KEY, managing, site

NOTICE = "n" * 43
MIDNIGHT = NOON // 86_400 * 86_400
ORIGIN = "https://stride.example"
VIDEO = "https://www.youtube-nocookie.com/embed/abc"
EMBED = f"/consent{embed_path('youtube', VIDEO, key=KEY)}"
DUTCH = {"accept-language": "nl"}
GPC = {"sec-gpc": "1"}


def stored(url: str) -> dict[tuple[str, str], int]:
    """Return what the table has of this site, by language and surface."""
    with snapshot(url) as connection:
        rows = connection.execute(select(shown)).all()
    assert {row.site for row in rows} <= {"stride"} and len({row.notice for row in rows}) <= 1
    assert {row.day for row in rows} <= {MIDNIGHT}
    return {(row.language, row.surface): row.count for row in rows}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, ledger_url: str) -> str:
    if request.param == "sqlite":
        return ledger_url
    server: Server = request.getfixturevalue("postgres")
    return server.address()


def client_of(manager: ConsentManager) -> TestClient:
    return TestClient(site(manager), base_url=ORIGIN, follow_redirects=False)


def test_every_surface_counts_once_for_each_response_with_the_notice(
    policy: Policy, url: str, clock: Clock, tmp_path: Path
) -> None:
    with managing(policy, ledger=url, clock=clock) as manager:
        client = client_of(manager)
        for path in ("/", "/consent/banner", "/consent", "/consent/policy", EMBED):
            assert client.get(path, headers=DUTCH).status_code == 200
        client.get("/")
        # Nobody sees these.
        client.head("/", headers=DUTCH)
        client.head("/consent", headers=DUTCH)
        for advance in ("sec-purpose", "purpose"):
            client.get("/", headers=DUTCH | {advance: "prefetch"})
        client.get("/", headers=DUTCH | {"sec-fetch-dest": "iframe"})
        client.get("/consent/policy.json", headers=DUTCH)
        # What a stranger makes up adds no row.
        client.get("/consent/made-up?next=/x", headers={"accept-language": "tlh"})
    expected = {("nl", "banner"): 2, ("nl", "preferences"): 1, ("nl", "policy"): 1, ("nl", "embed"): 1}
    first = policy.languages[0]
    expected[first, "banner"] = expected.get((first, "banner"), 0) + 1
    assert stored(url) == expected
    copied = f"sqlite:///{tmp_path / 'copy.db'}"
    assert dict(copy_ledger(url, copied))["consentkit_shown"] == len(expected)
    assert stored(copied) == expected


def test_who_has_answered_is_counted_only_when_asked_again(
    policy: Policy, ledger_url: str, clock: Clock
) -> None:
    with managing(policy, ledger=ledger_url, clock=clock) as manager:
        client = client_of(manager)
        everything = {category.id: True for category in policy.consent_needed}
        outcome = manager.decide(
            manager.evaluator.undecided(), Choice(categories=everything, vendors={}), ChoiceContext()
        )
        sent = {"cookie": "; ".join(line.partition(";")[0] for line in outcome.cookies)}
        client.get("/", headers=sent | DUTCH)
        assert client.get("/consent/banner", headers=sent | DUTCH).status_code == 204
        assert client.get(EMBED, headers=sent | DUTCH).status_code == 200
        clock.advance(days=400)
        client.get("/", headers=sent | DUTCH)
    with snapshot(ledger_url) as connection:
        found = [(row.day, row.surface) for row in connection.execute(select(shown))]
    assert (MIDNIGHT + 400 * 86_400, "asked_again") in found
    assert "banner" not in {surface for _, surface in found}


def test_pages_for_browsers_with_a_signal_are_counted_by_the_rules_of_the_place(
    ledger_url: str, clock: Clock
) -> None:
    policy = policy_with_regimes(us=True)
    location = trusted_header(country="X-Country", region="X-Region", peers=["10.0.0.1"])
    with managing(policy, ledger=ledger_url, clock=clock, location=location) as manager:
        client = TestClient(site(manager), base_url=ORIGIN, client=("10.0.0.1", 1))
        there = {"x-country": "US", "x-region": "CA"}
        for headers in (
            GPC,
            GPC,
            GPC | there,
            there,
            GPC | {"sec-fetch-dest": "iframe"},
            GPC | {"purpose": "prefetch"},
        ):
            assert client.get("/", headers=headers).status_code == 200
        client.get("/granted", headers=GPC)
    with snapshot(ledger_url) as connection:
        found = {
            row.notice: row.count for row in connection.execute(select(shown)) if row.surface == "signal"
        }
        day = datetime.fromtimestamp(NOON, UTC).date()
        figures = figures_of(connection, ["stride"], day, day)
    # Who is of an unknown place has the strictest rules.
    strictest, california = (
        Notice.of(RegimePolicies(policy).by_id[rules]).digest for rules in ("strictest", "us-ca")
    )
    assert found == {strictest: 2, california: 1}
    assert set(figures.which("signal")) == {strictest, california}
    assert figures_as_data(figures, policy)["gpc_pages"] == {"strictest": 0, "us-ca": 0}
    other = figures_as_data(figures, policy_with_regimes(put(validity="P5M"), us=True))
    assert other["gpc_pages"] == {"unknown": 0, "us-ca": 0} and "gpc_pages,unknown," in figures_as_csv(other)


def test_pages_with_a_signal_are_told_by_the_rules_of_notices_on_record(
    ledger_url: str, clock: Clock
) -> None:
    policy = policy_with_regimes()
    with managing(policy, ledger=ledger_url, clock=clock) as manager:
        client = TestClient(site(manager), base_url=ORIGIN)
        for _ in range(6):
            client.get("/", headers=GPC)
        client.post("/consent/decision", json={"choice": "accept_all"}, headers=GPC)
    with snapshot(ledger_url) as connection:
        day = datetime.fromtimestamp(NOON, UTC).date()
        figures = figures_of(connection, ["stride"], day, day)
    later = policy_with_regimes(put(validity="P5M"))
    assert figures_as_data(figures, later)["gpc_pages"] == {"NL": 5}


def counts(ledger: Ledger | None, ticks: Callable[[], float] = lambda: 0.0) -> ShownCounts:
    return ShownCounts(ledger, NoRevocations(), "stride", clock=lambda: NOON, monotonic=ticks)


def test_counts_wait_for_a_ledger_that_is_away_and_are_stored_once(ledger_url: str) -> None:
    ledger = Ledger(ledger_url, lock_timeout=0.2)
    ledger.counts()
    ledger.close()
    ledger = Ledger(ledger_url, lock_timeout=0.2)
    waiting = counts(ledger)
    waiting.add("banner", "nl", NOTICE)
    with nobody_reads(ledger_url):
        waiting.store()
        waiting.add("banner", "nl", NOTICE)
    waiting.store()
    waiting.store()
    ledger.close()
    assert stored(ledger_url) == {("nl", "banner"): 2}


def test_a_forked_process_counts_from_zero(ledger: Ledger, ledger_url: str) -> None:
    parent = counts(ledger)
    parent.add("policy", "nl", NOTICE)
    parent.store()
    parent.add("policy", "nl", NOTICE)
    parent.restart()
    parent.store()
    assert stored(ledger_url) == {("nl", "policy"): 1}


def test_an_outage_without_end_takes_no_memory_without_end(ledger: Ledger, ledger_url: str) -> None:
    waiting = counts(ledger)
    for number in range(1100):
        waiting.add("banner", f"x{number}", NOTICE)
    waiting.add("banner", "x0", NOTICE)
    waiting.store()
    found = stored(ledger_url)
    assert len(found) == 1000 and found["x0", "banner"] == 2


def test_counts_are_stored_a_minute_after_the_last_time(
    policy: Policy, ledger_url: str, ledger: Ledger
) -> None:
    now = 0.0
    with managing(policy, ledger=ledger_url) as manager:
        waiting = ShownCounts(
            ledger, manager.revocations, "stride", clock=lambda: NOON, monotonic=lambda: now
        )
        waiting.add("embed", "nl", NOTICE)
        now = 59.0
        waiting.add("embed", "nl", NOTICE)
        assert not waiting._stored_at
        now = 60.0
        waiting.add("embed", "nl", NOTICE)
        while waiting._counts:
            # Another thread stores, and ends with the manager.
            manager.revocations.run("shown", waiting.store, 30.0)
    assert stored(ledger_url) == {("nl", "embed"): 3}


def test_without_a_ledger_nothing_is_counted() -> None:
    none = counts(None)
    none.add("banner", "nl", NOTICE)
    none.store()
    assert not none._counts
