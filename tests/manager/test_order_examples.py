"""Sequences that the model of the order found, one by one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentkit.ledger.engines import make_engine
from tests.support.order import Cookie, Submission, Worker, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    engine = make_engine("sqlite://", 30)
    world = World(engine, tmp_path)
    world.look_into_ledger()
    yield world
    world.close()
    engine.dispose()


def worker(world: World, site: str = "stride", *, skew: int = 0) -> Worker:
    """Start a worker whose clock is ahead by some seconds."""
    started = Worker(world, site, world.folder / str(len(world.workers)), skew)
    world.workers.append(started)
    return started


def answers(
    worker: Worker, sent: Cookie | None, kind: str, *, away: bool = False, page: str = "", **answers: bool
) -> Cookie | None:
    """Answer at a worker, perhaps while its ledger is away, and return the cookie of the response."""
    worker.connect("all" if away else "")
    cookie = worker.world.answer(worker, sent, Submission(kind, answers, page))
    worker.connect()
    worker.world.look_into_ledger()
    worker.world.step += 1
    return cookie


def accepts(worker: Worker) -> Cookie:
    """Accept everything as a new visitor."""
    cookie = answers(worker, None, "accept")
    assert cookie is not None
    return cookie


def test_customer_service_tells_listeners_of_linked_sites_too(world: World) -> None:
    here, there = worker(world), worker(world, "trailhead")
    accepted = accepts(here)
    under_way = world.issue(here, accepted, there)
    assert under_way is not None
    imported = world.arrive(there, under_way, None)
    assert imported is not None
    world.serve_customer(here, accepted.subject)
    world.look_into_ledger()
    ended = {record.subject: world.announced[record.id] for record in world.records if record.ends_subject}
    assert ended == {accepted.subject: 1, imported.subject: 1}


def test_withdrawal_is_recorded_although_the_last_record_has_not_arrived(world: World) -> None:
    first, second = worker(world), worker(world)
    accepted = answers(first, None, "save", analytical=True)
    first.request(accepted.raw if accepted else b"")
    later = answers(second, accepted, "save", social=True)
    assert later is not None
    answers(first, later, "withdraw", away=True)
    assert [record.status for record in first.waiting()] == ["withdrawn"]
    world.ask()
    assert not any(each.grants(later.raw) for each in (first, second))


@pytest.mark.parametrize("kind", ["reject", "withdraw"])
def test_worker_that_answers_a_repeated_withdrawal_grants_nothing_more(world: World, kind: str) -> None:
    first, second = worker(world), worker(world)
    accepted = accepts(first)
    first.request(accepted.raw)
    assert first.grants(accepted.raw)
    answers(second, accepted, kind, page="page")
    answers(first, accepted, kind, page="page")
    assert first.grants(accepted.raw) == frozenset()


@pytest.mark.parametrize(("early", "late"), [(0, 30), (30, 0)])
def test_late_change_and_what_was_answered_meanwhile_both_count(world: World, early: int, late: int) -> None:
    first, second = worker(world, skew=early), worker(world, skew=late)
    accepted = accepts(first)
    answers(first, accepted, "change", tracking=False)
    answers(second, accepted, "change", away=True, analytical=False)
    world.now += 70
    world.ask()
    other = worker(world)
    for each in (first, other):
        each.request(accepted.raw)
        assert each.grants(accepted.raw) == {"social", "~youtube"}


def test_full_answer_that_arrives_late_counts_as_it_was_given(world: World) -> None:
    first, second = worker(world), worker(world, skew=30)
    accepted = accepts(first)
    answers(first, accepted, "change", tracking=False)
    answers(second, accepted, "save", away=True, tracking=True)
    world.ask()
    assert first.grants(accepted.raw) == {"tracking", "~adhub"}
    assert len(world.records) == 3
