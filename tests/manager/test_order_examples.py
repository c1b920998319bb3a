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


def links(here: Worker, there: Worker) -> tuple[Cookie, Cookie]:
    """Accept everything on one site and follow a link to another, and return the cookies of both."""
    accepted = accepts(here)
    under_way = here.world.issue(here, accepted, there)
    assert under_way is not None
    imported = here.world.arrive(there, under_way, None)
    assert imported is not None
    return accepted, imported


def asks_nothing_more(worker: Worker) -> None:
    """Let a worker keep to what it knows, as if each look-up before a decision took too long."""
    worker.manager.revocations.due = lambda *arguments, **options: False  # type: ignore[method-assign]  # for this one worker


def test_customer_service_tells_listeners_of_linked_sites_too(world: World) -> None:
    here, there = worker(world), worker(world, "trailhead")
    accepted, imported = links(here, there)
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


@pytest.mark.parametrize("away", [False, True])
def test_retry_of_a_change_that_waits_brings_back_nothing(world: World, away: bool) -> None:
    here = worker(world)
    accepted = accepts(here)
    world.now += 10
    change = Submission("change", {"analytical": True, "~adhub": False}, "page", accepted)
    here.connect("all")
    changed = world.answer(here, accepted, change)
    here.connect()
    withdrawn = answers(here, changed, "withdraw_category", away=away, analytical=False)
    here.connect("all" if away else "")
    again = world.answer(here, accepted, change)
    assert again is None or "analytical" not in again.allowed
    here.connect()
    world.ask()
    assert withdrawn is not None
    assert here.grants(withdrawn.raw) == {"social", "tracking", "~youtube"}


def test_retry_of_a_change_that_waits_gets_the_same_cookie_again(world: World) -> None:
    here = worker(world)
    accepted = accepts(here)
    change = Submission("change", {"tracking": False}, "page", accepted)
    here.connect("all")
    first, second = (world.answer(here, accepted, change) for _ in range(2))
    assert first is not None
    assert first == second
    assert len(here.waiting()) == 1


@pytest.mark.parametrize("asks", [True, False])
def test_process_that_saw_a_narrowing_keeps_to_it_after_the_ledger_was_restored(
    world: World, asks: bool
) -> None:
    here = worker(world)
    accepted = accepts(here)
    world.keep_copy()
    answers(here, accepted, "save", analytical=True)
    # A poll has read to the end of the ledger, so that the process notices that it was restored.
    world.ask()
    world.restore_copy()
    if asks:
        world.ask()
    assert here.grants(accepted.raw) == {"analytical", "~google-analytics"}
    changed = answers(here, accepted, "change", analytical=True)
    assert changed is None or changed.allowed == {"analytical", "~google-analytics"}


def test_process_keeps_to_what_two_answers_of_one_moment_left_although_one_of_them_is_lost(
    world: World,
) -> None:
    first, second = worker(world), worker(world)
    accepted = accepts(first)
    answers(first, accepted, "withdraw_category", away=True, tracking=False)
    saved = answers(second, accepted, "save", social=True, **{"~adhub": True})
    assert saved is not None
    world.keep_copy()
    for _ in range(2):
        world.ask()
        assert first.grants(saved.raw) == {"social", "~youtube"}
        # The copy has only the second answer.
        world.restore_copy()
    world.settle()
    assert first.grants(saved.raw) == {"social", "~youtube"}


@pytest.mark.parametrize("is_kept", [True, False])
def test_narrowing_that_is_delivered_to_a_restored_ledger_limits_what_was_read_before(
    world: World, is_kept: bool
) -> None:
    here, other = worker(world), worker(world, skew=5)
    accepted = accepts(here)
    if is_kept:
        world.keep_copy()
    answers(here, accepted, "withdraw_category", away=True, social=False)
    later = answers(other, accepted, "change", tracking=False)
    assert later is not None
    world.now += 10
    here.request(later.raw)
    world.restore_copy()
    # No poll has noticed that the ledger was restored.
    here.deliver()
    assert here.grants(accepted.raw) == here.grants(later.raw) == {"analytical", "~google-analytics"}
    world.settle()
    assert here.grants(accepted.raw) == {"analytical", "~google-analytics"}


def test_process_that_never_polled_keeps_to_what_it_stored_in_a_ledger_that_was_emptied(
    world: World,
) -> None:
    # This server's clock is so far behind that it does not read the cookie, and looks nobody up.
    here, other = worker(world, skew=-61), worker(world, skew=90)
    accepted = accepts(other)
    world.now += 70
    answers(other, accepted, "withdraw_category", away=True, social=False)
    saved = answers(here, accepted, "save", **{"~adhub": True})
    assert saved is not None
    world.restore_copy()
    other.deliver()
    for _ in range(2):
        world.now += 70
        here.request(accepted.raw)
        here.await_answer()
        assert not here.grants(accepted.raw) - {"~adhub"}


@pytest.mark.parametrize("is_kept", [True, False])
def test_process_that_saw_a_withdrawal_ends_the_pseudonym_although_the_ledger_was_restored(
    world: World, is_kept: bool
) -> None:
    here, other = worker(world), worker(world)
    accepted = accepts(here)
    if is_kept:
        world.keep_copy()
    answers(here, accepted, "withdraw")
    world.restore_copy()
    again = answers(here, accepted, "accept")
    assert again is not None
    assert again.subject != accepted.subject
    assert other.grants(again.raw)
    assert not here.grants(accepted.raw)


def test_grant_whose_record_a_restored_ledger_lacks_does_not_count(world: World) -> None:
    here = worker(world)
    accepted = accepts(here)
    here.request(accepted.raw)
    world.restore_copy()
    world.ask()
    assert not here.grants(accepted.raw)


@pytest.mark.parametrize("away", [False, True])
def test_what_was_taken_back_twice_in_one_second_stays_taken_back(world: World, away: bool) -> None:
    first, second = worker(world), worker(world)
    accepted = accepts(first)
    one = answers(first, accepted, "withdraw_category", away=True, analytical=False)
    two = answers(second, accepted, "withdraw_category", away=away, social=False)
    assert one is not None
    assert two is not None
    assert one.moment == two.moment
    # The first record still waits, and its cookie says what is in it.
    assert second.grants(one.raw) == {"tracking", "~adhub"}
    world.ask()
    other = worker(world)
    for each in (first, second, other):
        each.request(two.raw)
        for cookie in (accepted, one, two):
            assert each.grants(cookie.raw) == {"tracking", "~adhub"}


def test_second_tab_builds_on_what_the_first_one_recorded(world: World) -> None:
    first, second = worker(world), worker(world)
    accepted = accepts(first)
    answers(first, accepted, "withdraw_category", analytical=False)
    later = answers(second, accepted, "withdraw_category", social=False)
    assert later is not None
    assert later.allowed == {"tracking", "~adhub"}


def test_visitor_who_refuses_once_more_after_customer_service_withdrew(world: World) -> None:
    here = worker(world)
    accepted = accepts(here)
    world.serve_customer(here, accepted.subject)
    answers(here, accepted, "save", away=True)
    here.stop()
    here.start()
    here.request(accepted.raw)
    assert not here.grants(accepted.raw)


def test_submission_that_waits_here_and_was_stored_by_another_process_is_told_once(world: World) -> None:
    first, second = worker(world), worker(world)
    accepted = accepts(first)
    change = Submission("change", {"tracking": False}, "page", accepted)
    first.connect("all")
    one = world.answer(first, accepted, change)
    first.connect()
    assert world.answer(second, accepted, change) == one
    world.ask()
    assert len(world.records) == 2
    assert [world.announced[record.id] for record in world.records] == [1, 1]


def test_record_whose_delivery_a_process_did_not_survive_is_stored_once(world: World) -> None:
    here = worker(world)
    accepted = accepts(here)
    answers(here, accepted, "withdraw_category", away=True, analytical=False)
    here.stop(after_delivery=True)
    here.start()
    assert here.waiting()
    world.ask()
    assert not here.waiting()
    assert len(world.records) == 2
    assert here.grants(accepted.raw) == {"social", "tracking", "~youtube", "~adhub"}


@pytest.mark.parametrize("kind", ["save", "change"])
def test_narrowing_that_waits_where_the_clock_is_behind_counts_once_it_is_delivered(
    world: World, kind: str
) -> None:
    first, second = worker(world, skew=-90), worker(world)
    accepted = accepts(first)
    answers(second, accepted, "change", analytical=False)
    answers(first, accepted, kind, away=True, social=True, tracking=False)
    world.ask()
    for each in (first, second):
        assert each.grants(accepted.raw) == {"social", "~youtube"}


@pytest.mark.parametrize("is_shared", [False, True])
def test_narrowing_that_waits_counts_at_once_next_to_a_later_change_that_does_not_know_of_it(
    world: World, is_shared: bool
) -> None:
    first, second = worker(world, skew=-90), worker(world)
    accepted = accepts(first)
    answers(first, accepted, "change", away=True, tracking=False)
    answers(second, accepted, "change", social=False)
    # Another process finds what waits if it has the same directory for it.
    asked = Worker(world, "stride", first.spool, 0) if is_shared else first
    world.workers.append(asked)
    for _ in range(2):
        world.now += 70
        asked.request(accepted.raw)
        assert asked.grants(accepted.raw) == {"analytical", "~google-analytics"}
    changed = answers(asked, accepted, "change", away=True, analytical=True)
    assert changed is None or changed.allowed == {"analytical", "~google-analytics"}
    first.deliver()
    world.ask()
    for each in (first, second, asked):
        assert each.grants(accepted.raw) == {"analytical", "~google-analytics"}


def test_full_answer_counts_although_a_narrowing_waits_that_is_older(world: World) -> None:
    first, second = worker(world, skew=-90), worker(world)
    accepted = accepts(first)
    answers(first, accepted, "change", away=True, tracking=False)
    saved = answers(second, accepted, "save", tracking=True)
    world.now += 70
    assert saved is not None
    first.request(saved.raw)
    assert first.grants(saved.raw) == {"tracking", "~adhub"}


def test_narrowing_that_another_process_has_delivered_limits_nothing_more(world: World) -> None:
    first, second = worker(world), worker(world)
    accepted = accepts(first)
    answers(first, accepted, "change", away=True, tracking=False)
    other = Worker(world, "stride", first.spool, 0)
    world.workers.append(other)
    other.request(accepted.raw)
    first.deliver()
    world.now += 70
    changed = answers(second, accepted, "change", tracking=True)
    assert changed is not None
    for _ in range(2):
        world.now += 70
        other.request(changed.raw)
    assert "tracking" in other.grants(changed.raw)


@pytest.mark.parametrize("kind", ["change", "save"])
def test_narrowing_that_a_restored_ledger_lacks_outlasts_a_change_that_did_not_know_of_it(
    world: World, kind: str
) -> None:
    here, other = worker(world), worker(world, skew=5)
    accepted = accepts(here)
    world.keep_copy()
    waits = {"social": False} if kind == "change" else {"tracking": True}
    answers(other, accepted, kind, away=True, **waits)
    answers(here, accepted, "change", tracking=False)
    world.now += 70
    here.request(accepted.raw)
    world.restore_copy()
    for _ in range(2):
        world.now += 70
        here.request(accepted.raw)
        here.await_answer()
        other.deliver()
    left = {"analytical", "~google-analytics"} if kind == "change" else {"tracking", "~adhub"}
    assert here.grants(accepted.raw) == left


def test_change_that_is_made_with_knowledge_of_a_lost_narrowing_replaces_it(world: World) -> None:
    here = worker(world)
    accepted = accepts(here)
    world.keep_copy()
    answers(here, accepted, "change", tracking=False)
    world.ask()
    world.restore_copy()
    world.ask()
    changed = answers(here, accepted, "change", tracking=True, analytical=False)
    assert changed is not None
    world.ask()
    assert here.grants(changed.raw) == {"social", "tracking", "~youtube", "~adhub"}


@pytest.mark.parametrize("kind", ["reject", "withdraw", "accept"])
@pytest.mark.parametrize("is_shared", [False, True])
def test_answer_to_a_pseudonym_whose_end_waits_ends_it_in_the_ledger(
    world: World, kind: str, is_shared: bool
) -> None:
    first, second = worker(world), worker(world)
    accepted = accepts(first)
    second.request(accepted.raw)
    answers(first, accepted, "withdraw", away=True)
    asked = Worker(world, "stride", first.spool, 0) if is_shared else first
    world.workers.append(asked)
    world.now += 70
    answers(asked, accepted, kind)
    assert [record.event for record in world.records if record.ends_subject and record.subject] == [
        "withdrawn"
    ]
    second.request(accepted.raw)
    assert not second.grants(accepted.raw)
    world.settle()
    assert len({record.id for record in world.records}) == len(world.records)
    assert not first.waiting()


@pytest.mark.parametrize("kind", ["reject", "withdraw"])
def test_answer_to_a_pseudonym_whose_end_a_restored_ledger_lacks_ends_it_there_again(
    world: World, kind: str
) -> None:
    here, other = worker(world), worker(world)
    accepted = accepts(here)
    world.keep_copy()
    answers(here, accepted, "withdraw")
    world.ask()
    world.restore_copy()
    world.ask()
    answers(here, accepted, kind)
    fresh = worker(world)
    for each in (here, other, fresh):
        each.request(accepted.raw)
        assert not each.grants(accepted.raw)


def test_refusal_is_dated_after_the_cookie_that_the_browser_sent_although_its_pseudonym_had_ended(
    world: World,
) -> None:
    here, ahead = worker(world), worker(world, skew=90)
    accepted = accepts(here)
    answers(here, accepted, "withdraw", away=True)
    # The other worker does not know of the withdrawal yet, and its clock is ahead.
    widened = answers(ahead, accepted, "save", tracking=True)
    world.ask()
    assert widened is not None and not here.grants(widened.raw)
    refused = answers(here, widened, "reject", away=True)
    assert refused is not None and refused.moment > widened.moment


def test_full_answer_counts_that_is_later_than_two_changes_and_arrives_after_them(world: World) -> None:
    first, second, third = worker(world), worker(world), worker(world)
    accepted = accepts(first)
    for each in (second, third):
        each.request(accepted.raw)
    answers(first, accepted, "change", away=True, tracking=False)
    changed = answers(second, accepted, "change", analytical=False)
    # All of it is in one second. This worker knows one of the two changes, and the other one still waits.
    saved = answers(third, changed, "save", away=True, tracking=True)
    assert saved is not None
    first.deliver()
    world.settle()
    for each in (first, second, third):
        assert each.grants(saved.raw) == {"tracking", "~adhub"}


def test_full_answer_counts_that_is_later_than_a_change_on_a_linked_site(world: World) -> None:
    here, there, other = worker(world), worker(world, "trailhead"), worker(world, "trailhead")
    accepted = answers(here, None, "save", social=True, tracking=True)
    assert accepted is not None
    under_way = world.issue(here, accepted, there)
    assert under_way is not None
    imported = world.arrive(there, under_way, None)
    assert imported is not None
    for each in (there, other):
        each.request(imported.raw)
    changed = answers(there, imported, "change", analytical=True)
    answers(here, accepted, "change", tracking=False)
    saved = answers(other, changed, "save", away=True, tracking=True)
    assert saved is not None
    world.settle()
    assert other.grants(saved.raw) == {"tracking", "~adhub"}


def test_change_counts_that_arrives_after_an_older_full_answer_and_a_later_change(world: World) -> None:
    first, second, third = worker(world), worker(world, skew=1), worker(world, skew=2)
    accepted = accepts(first)
    for each in (second, third):
        each.request(accepted.raw)
    answers(first, accepted, "save", away=True, social=True, analytical=True)
    answers(second, accepted, "change", away=True, social=False)
    answers(third, accepted, "change", **{"~youtube": False})
    first.deliver()
    second.deliver()
    world.ask()
    for each in (first, second, third):
        assert each.grants(accepted.raw) == {"analytical", "~google-analytics"}


def test_two_answers_of_one_moment_that_leave_nothing_end_the_pseudonym_before_the_next_answer(
    world: World,
) -> None:
    first, second = worker(world), worker(world)
    accepted = accepts(first)
    answers(first, accepted, "change", away=True, social=False)
    saved = answers(second, accepted, "save", social=True)
    again = answers(first, saved, "accept")
    assert again is not None
    assert again.subject != accepted.subject
    world.settle()
    assert first.grants(again.raw) == again.allowed


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("kind", ["change", "save"])
def test_cookie_limits_a_later_change_that_waits_and_does_not_know_its_answer(
    world: World, kind: str, is_shared: bool
) -> None:
    first, second = worker(world), worker(world, skew=-1)
    accepted = accepts(first)
    world.now += 1
    waits = {"analytical": False} if kind == "change" else {"social": True, "tracking": True}
    answers(first, accepted, kind, away=True, **waits)
    # By its time this answer is the earlier one. A worker in which the other one waits sees its cookie alone.
    saved = answers(second, accepted, "save", analytical=True, social=True)
    assert saved is not None
    asked = Worker(world, "stride", first.spool, 0) if is_shared else first
    world.workers.append(asked)
    asked.connect("all")
    left = {"social", "~youtube"} if kind == "change" else {"social", "tracking", "~youtube", "~adhub"}
    assert asked.grants(saved.raw) == left
    changed = answers(first, saved, "change", away=True, **{"~google-analytics": False})
    assert changed is None or changed.allowed == left
    asked.connect()
    world.settle()
    assert second.grants(saved.raw) == left


def test_answer_that_waits_elsewhere_limits_a_change_on_a_later_record_once_it_is_delivered(
    world: World,
) -> None:
    first, second = worker(world), worker(world, skew=5)
    accepted = accepts(first)
    for each in (first, second):
        each.request(accepted.raw)
    first.connect("all")
    answers(second, accepted, "change", tracking=False)
    # By its time this answer is the earlier one, and only the first worker has it.
    saved = answers(first, accepted, "save", away=True, analytical=True)
    changed = answers(second, saved, "change", **{"~google-analytics": False})
    assert changed is not None
    world.settle()
    for each in (first, second):
        assert each.grants(changed.raw) == {"analytical"}


@pytest.mark.parametrize("is_restored", [False, True])
def test_refusal_ends_a_pseudonym_of_which_two_answers_left_nothing(world: World, is_restored: bool) -> None:
    here, other = worker(world), worker(world)
    accepted = accepts(here)
    for each in (here, other):
        each.request(accepted.raw)
    # Of one moment, neither with knowledge of the other one.
    if is_restored:
        answers(here, accepted, "change", away=True, analytical=False)
        saved = answers(other, accepted, "save", analytical=True)
        world.restore_copy()
        world.ask()
        answers(other, saved, "reject")
    else:
        answers(here, accepted, "save", away=True, analytical=True)
        changed = answers(other, accepted, "change", analytical=False)
        answers(here, changed, "reject")
    assert any(record.ends_subject for record in world.records if record.subject == accepted.subject)


def test_answer_is_dated_after_one_that_waits_here_although_the_ledger_has_no_record_of_either(
    world: World,
) -> None:
    first, here = worker(world), worker(world)
    accepted = accepts(first)
    world.restore_copy()
    saved = answers(here, accepted, "save", away=True, tracking=True)
    here.request(accepted.raw)
    assert saved is not None and not here.grants(saved.raw)
    withdrawn = answers(here, accepted, "withdraw_category", away=True, social=False)
    assert withdrawn is not None and withdrawn.moment > saved.moment


def test_process_notices_a_restored_ledger_that_others_have_written_to_since(world: World) -> None:
    ahead, here = worker(world, skew=1), worker(world)
    accepted = accepts(ahead)
    here.request(accepted.raw)
    world.now += 70
    changed = answers(ahead, accepted, "change", away=True, analytical=False)
    saved = answers(here, accepted, "save", analytical=True)
    world.restore_copy()
    # The restored ledger has as many records again before the process reads it.
    ahead.deliver()
    world.now += 61
    here.request(accepted.raw)
    for cookie in (accepted, changed, saved):
        assert cookie is not None and not here.grants(cookie.raw)


def test_two_answers_that_wait_count_together_although_a_restored_ledger_lacks_what_they_changed(
    world: World,
) -> None:
    ahead, here = worker(world, skew=1), worker(world)
    accepted = accepts(ahead)
    world.now += 70
    changed = answers(ahead, accepted, "change", away=True, analytical=False)
    saved = answers(here, accepted, "save", away=True, analytical=True)
    world.restore_copy()
    world.settle()
    for cookie in (accepted, changed, saved):
        assert cookie is not None and not any(each.grants(cookie.raw) for each in (ahead, here))


def test_repeated_submission_counts_where_it_was_repeated_with_the_moment_that_the_ledger_has(
    world: World,
) -> None:
    first, second, third = worker(world), worker(world), worker(world)
    accepted = accepts(first)
    world.ask()
    third.connect("all")
    # In one second, so that what both leave counts, which is nothing.
    answers(first, accepted, "save", away=True, analytical=True)
    change = Submission("change", {"analytical": False}, "page")
    world.answer(second, accepted, change)
    world.look_into_ledger()
    world.ask()
    world.answer(third, accepted, change)
    assert [record.changed_at for record in third.waiting()] == [int(world.now)]
    third.connect()
    world.ask()
    assert [each.grants(accepted.raw) for each in (first, second, third)] == [frozenset()] * 3


@pytest.mark.parametrize("away", [False, True])
def test_refusal_stores_the_end_again_that_a_restored_ledger_lacks(world: World, away: bool) -> None:
    first, second = worker(world), worker(world)
    accepted = accepts(first)
    world.keep_copy()
    answers(second, accepted, "withdraw")
    world.restore_copy()
    # This process does not know of the withdrawal, and the other one not that the ledger was restored.
    answers(first, accepted, "save", away=True, analytical=True)
    answers(second, accepted, "save", away=away, analytical=False)
    # Whoever knew of the withdrawal is gone.
    second.stop()
    second.start()
    second.connect()
    world.ask()
    assert not any(each.grants(accepted.raw) for each in (first, second))


def test_delivery_tells_what_others_recorded_meanwhile(world: World) -> None:
    first, second = worker(world), worker(world, skew=61)
    accepted = accepts(first)
    answers(first, accepted, "save", away=True, analytical=True)
    changed = answers(second, accepted, "change", analytical=False)
    assert changed is not None
    first.request(changed.raw)
    assert first.grants(changed.raw) == frozenset()
    answers(second, changed, "withdraw")
    # What was delivered limits nothing any more. That the pseudonym has ended does.
    first.deliver()
    assert first.grants(changed.raw) == first.grants(accepted.raw) == frozenset()


def test_answer_counts_at_once_in_every_process_whose_ledger_answers(world: World) -> None:
    first, second = worker(world), worker(world)
    cookie = answers(first, None, "save", tracking=True)
    assert cookie is not None
    second.request(cookie.raw)
    more = answers(first, cookie, "change", analytical=True)
    assert more is not None
    second.request(more.raw)
    assert second.grants(more.raw) == more.allowed


def test_change_in_another_process_keeps_what_was_just_answered(world: World) -> None:
    first, second = worker(world), worker(world)
    cookie = answers(first, None, "save", tracking=True)
    assert cookie is not None
    second.request(cookie.raw)
    more = answers(first, cookie, "change", analytical=True)
    asks_nothing_more(second)
    after = answers(second, more, "change", social=True)
    assert after is not None and after.allowed >= {"tracking", "analytical", "social"}


def test_older_answer_that_a_link_brings_takes_nothing_from_one_that_the_process_has_not_read(
    world: World,
) -> None:
    here, there, other = worker(world), worker(world, "trailhead"), worker(world, "trailhead")
    accepted = accepts(here)
    world.now += 2
    first = answers(there, None, "save", tracking=True, analytical=True)
    assert first is not None
    other.request(first.raw)
    latest = answers(there, first, "save", analytical=True, social=True)
    assert latest is not None
    asks_nothing_more(other)
    older = world.issue(here, accepted, other)
    assert older is not None
    world.arrive(other, older, latest)
    world.ask()
    assert there.grants(latest.raw) == latest.allowed


def test_refusal_with_a_cookie_of_an_ended_pseudonym_reaches_the_linked_sites(world: World) -> None:
    here, there = worker(world), worker(world, "trailhead")
    accepted, imported = links(here, there)
    # The response is lost, so the browser keeps the cookie, and goes on to the other site before the record arrives.
    answers(here, accepted, "withdraw", away=True)
    world.now += 2
    again = answers(there, imported, "save", tracking=True)
    assert again is not None and again.allowed
    here.deliver()
    world.now += 2
    answers(here, accepted, "reject")
    world.ask()
    assert not there.grants(again.raw)


@pytest.mark.parametrize("leaves", [True, False])
def test_link_brings_back_nothing_from_a_site_that_an_answer_here_has_narrowed(
    world: World, leaves: bool
) -> None:
    here, there = worker(world), worker(world, "trailhead")
    accepted, imported = links(here, there)
    # What is turned off goes off on the other site too; what is turned on later does not go on there.
    less = answers(there, imported, "save", tracking=True, analytical=leaves)
    latest = answers(there, less, "save", social=True, analytical=leaves)
    assert latest is not None
    world.now += 70
    back = world.issue(here, accepted, there)
    assert back is not None
    world.arrive(there, back, latest)
    world.ask()
    assert there.grants(latest.raw) == latest.allowed


def test_what_a_linked_site_took_back_leaves_on_nothing_that_a_cookie_turned_off_before(world: World) -> None:
    here, other, there = worker(world), worker(world), worker(world, "trailhead")
    accepted, imported = links(here, there)
    other.request(accepted.raw)
    less = answers(here, accepted, "change", away=True, tracking=False)
    assert less is not None
    world.now += 2
    answers(there, imported, "save", tracking=True)
    world.now += 70
    other.request(less.raw)
    assert not other.grants(less.raw) & {"tracking", "~adhub"}
