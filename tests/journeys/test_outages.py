"""Outages over HTTP, a round of each: `python -m tests.soak` plays them for long."""

from pathlib import Path

import pytest

from tests.soak.flood import flood
from tests.soak.merges import race
from tests.soak.outages import one_round
from tests.soak.world import World
from tests.support.postgres import Server

ROUNDS = [
    ("sqlite", "locked", "kill"),
    ("sqlite", "moved away", None),
    ("postgresql", "locked", None),
    ("postgresql", "frozen", "term"),
]


def world(kind: str, directory: Path, request: pytest.FixtureRequest, *, workers: int) -> World:
    if kind == "sqlite":
        (directory / "data").mkdir()
        return World(directory, f"sqlite:///{directory / 'data' / 'consent.db'}", workers=workers)
    server: Server = request.getfixturevalue("postgres")
    return World(directory, server.address(), workers=workers, server=server)


@pytest.mark.parametrize(("kind", "outage", "restart"), ROUNDS)
def test_nothing_answered_is_lost_and_nothing_withdrawn_grants_again(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, outage: str, restart: str | None
) -> None:
    with world(kind, tmp_path, request, workers=2) as running:
        found = one_round(running, outage, restart=restart)
    assert not found.wrong and found.answered == 12


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_change_next_to_a_withdrawal_over_http_never_undoes_it(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    with world(kind, tmp_path, request, workers=2) as running:
        assert not race(running, 30)


def test_flood_of_decisions_without_the_ledger_leaves_few_lines_and_pages_work(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with world("sqlite", tmp_path, request, workers=1) as running:
        found = flood(running, "locked", seconds=4, rate=400)
    assert found.recovered and found.log_lines <= 12
    assert found.sent[503] > 0 and found.sent[200] > 0 and set(found.sent) == {200, 503}
    assert max(found.memory) - found.memory[0] < 40
