"""Whatever is late, repeated, concurrent or on another host: a consent that was taken back stays taken back."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
import sqlalchemy

from consentkit import ConsentManager, Ledger, Policy
from consentkit.consent import Choice, Consent, ConsentStatus
from consentkit.ledger.tables import METADATA
from consentkit.manager.choice import ChoiceContext, Outcome
from consentkit.manager.newest import newest_of
from consentkit.manager.propagation import LinkedLedger
from tests.conftest import Clock
from tests.support.postgres import Server
from tests.support.records import a_record
from tests.support.sites import managing

EVERYTHING = Choice(categories={"analytical": True, "tracking": True, "social": True}, vendors={})
NOTHING = Choice(categories={}, vendors={})
CHANGE = ChoiceContext(choice="change")
Workers = Callable[..., ConsentManager]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, ledger_url: str) -> str:
    if request.param == "sqlite":
        return ledger_url
    server: Server = request.getfixturevalue("postgres")
    return server.address()


@pytest.fixture
def worker(policy: Policy, url: str, clock: Clock) -> Iterator[Workers]:
    """Start another process's manager over the same database, with a ledger of its own."""
    with ExitStack() as running:

        def start(**options: object) -> ConsentManager:
            ledger = Ledger(url)
            running.callback(ledger.close)
            return running.enter_context(managing(policy, ledger=ledger, **{"clock": clock} | options))

        yield start


def accept(manager: ConsentManager, **context: str) -> Outcome:
    return manager.decide(manager.evaluator.undecided(), EVERYTHING, ChoiceContext(**context))


def cookie_of(outcome: Outcome) -> bytes:
    return outcome.cookies[0].split(";")[0].partition("=")[2].encode()


def seen(manager: ConsentManager, cookie: bytes) -> Consent:
    """Return the consent of a browser that sends a cookie, after the ledger was asked."""
    now = manager.clock()
    token = manager.cookie.newest([cookie], now)
    if token is not None and manager.resolver.needs_lookup(token, now):
        manager.revocations.refresh(token.subject, now)
    return manager.resolver.resolve(token, now)[0]


def subject_of(outcome: Outcome) -> str:
    assert outcome.record is not None and outcome.record.subject is not None
    return outcome.record.subject


def only(*categories: str) -> Choice:
    return Choice(categories=dict.fromkeys(categories, True), vendors={})


# Ended for good


def test_narrowing_delivered_after_the_withdrawal_revives_nothing(worker: Workers, clock: Clock) -> None:
    here, there = worker(), worker()
    given = accept(here)
    clock.advance(5)
    assert given.record is not None
    late = replace(
        given.record,
        id="00000000-0000-4000-8000-000000000001",
        event="changed",
        categories={"analytical": True, "tracking": False, "social": False},
        changed_at=int(clock()),
    )
    clock.advance(5)
    here.withdraw(given.consent, None, ChoiceContext())
    assert there.ledger is not None
    LinkedLedger(there.ledger, there.evaluator).append(late)
    assert there.ledger is not None and len(there.ledger.history(subject_of(given))) == 3
    newest = there.newest(subject_of(given))
    assert newest is not None and newest.status == ConsentStatus.WITHDRAWN
    clock.advance(60)
    assert {seen(manager, cookie_of(given)).status for manager in (here, there, worker())} == {"withdrawn"}


def test_pseudonym_that_was_ended_is_not_used_again(worker: Workers, clock: Clock) -> None:
    here, there = worker(), worker()
    given = accept(here)
    there.withdraw(given.consent, None, ChoiceContext())
    clock.advance(1)
    again = here.decide(given.consent, EVERYTHING, ChoiceContext())
    assert again.consent.status == "given" and subject_of(again) != subject_of(given)
    assert seen(there, cookie_of(given)).granted == set()


# Ties and clocks


def test_narrowing_in_the_same_second_counts_on_every_worker(worker: Workers, clock: Clock) -> None:
    here, there = worker(), worker()
    given = accept(here)
    assert seen(there, cookie_of(given)).granted == {"analytical", "tracking", "social"}
    narrowed = there.decide(given.consent, only("social"), ChoiceContext())
    assert narrowed.record is not None and given.record is not None
    assert narrowed.record.moment > given.record.moment
    clock.advance(60)
    for manager in (here, there, worker()):
        assert seen(manager, cookie_of(given)).granted == {"social"}
        assert seen(manager, cookie_of(narrowed)).granted == {"social"}


def test_change_on_a_host_whose_clock_is_behind_comes_after_what_it_changes(
    worker: Workers, clock: Clock
) -> None:
    here = worker()
    behind = worker(clock=lambda: clock() - 50)
    given = accept(here)
    narrowed = behind.decide(given.consent, only("analytical"), CHANGE)
    assert narrowed.record is not None and given.record is not None
    assert narrowed.record.moment > given.record.moment
    clock.advance(60)
    assert seen(here, cookie_of(given)).granted == {"analytical"}


def test_answer_on_a_host_whose_clock_is_behind_comes_after_what_the_host_has_not_heard_of(
    worker: Workers, clock: Clock
) -> None:
    here = worker()
    behind = worker(clock=lambda: clock() - 50)
    given = accept(here)
    assert seen(behind, cookie_of(given)).decision is not None
    clock.advance(10)
    changed = here.decide(given.consent, only("analytical", "social"), ChoiceContext(choice="save"))
    last = behind.decide(given.consent, only("social"), ChoiceContext(choice="save"))
    assert changed.record is not None and last.record is not None
    assert last.record.moment > changed.record.moment
    clock.advance(60)
    for outcome in (given, changed, last):
        assert seen(here, cookie_of(outcome)).granted == {"social"}


@pytest.mark.parametrize("arrival", [(0, 1), (1, 0)])
def test_two_answers_of_one_moment_count_as_what_both_allow(
    worker: Workers, clock: Clock, arrival: tuple[int, int]
) -> None:
    here = worker()
    given = accept(here)
    assert given.record is not None and here.ledger is not None
    moment = {"changed_at": int(clock()) + 5, "event": "changed"}
    both = [
        replace(
            given.record,
            id=f"00000000-0000-4000-8000-00000000000{number}",
            categories={"analytical": number == 0, "tracking": number == 1, "social": True},
            vendors={"youtube": False} if number else {},
            **moment,  # type: ignore[arg-type]
        )
        for number in range(2)
    ]
    for number in arrival:
        here.ledger.append(both[number])
    clock.advance(60)
    consent = seen(worker(), cookie_of(given))
    assert consent.granted == {"social"} and not consent.allows("social", "youtube")
    assert seen(here, cookie_of(given)).granted == {"social"}


def test_newest_record_is_the_same_whatever_the_order_of_arrival(policy: Policy, clock: Clock) -> None:
    with managing(policy, ledger="sqlite://", clock=clock) as manager:
        digest = manager.notice.digest
        records = [
            a_record(notice=digest, changed_at=5),
            a_record(notice=digest, changed_at=5, revision=1, categories={"social": True}),
            a_record(notice=digest, changed_at=5, revision=1, categories={"analytical": True}),
            a_record(notice=digest, changed_at=4, status="withdrawn", categories={}),
        ]
        ended = newest_of(records, manager.evaluator)
        assert ended == records[3] == newest_of(records[::-1], manager.evaluator)
        tied, again = (newest_of(some, manager.evaluator) for some in (records[:3], records[2::-1]))
        assert tied is not None and again is not None and not any(tied.categories.values())
        assert not any(again.categories.values()) and newest_of([], manager.evaluator) is None


# A page never widens a cookie


def test_a_browser_with_a_narrower_cookie_gets_no_broader_one(worker: Workers, clock: Clock) -> None:
    here, there = worker(), worker()
    narrow = here.decide(here.evaluator.undecided(), only("social"), ChoiceContext())
    clock.advance(5)
    there.decide(narrow.consent, only("analytical"), CHANGE, merge=True)
    clock.advance(60)
    token = here.cookie.newest([cookie_of(narrow)], clock())
    assert token is not None
    here.revocations.refresh(token.subject, clock())
    consent, outdated = here.resolver.resolve(token, clock())
    assert consent.granted == {"social", "analytical"} and not outdated


def test_browser_gets_the_cookie_of_what_two_answers_of_one_moment_allow(
    worker: Workers, clock: Clock
) -> None:
    here = worker()
    given = accept(here)
    assert given.record is not None and here.ledger is not None
    social_alone = {"analytical": False, "tracking": False, "social": True}
    other_id = "00000000-0000-4000-8000-000000000001"
    here.ledger.append(replace(given.record, id=other_id, event="changed", categories=social_alone))
    clock.advance(60)
    token = here.cookie.newest([cookie_of(given)], clock())
    assert token is not None
    here.revocations.refresh(token.subject, clock())
    consent, outdated = here.resolver.resolve(token, clock())
    assert consent.granted == {"social"} and outdated


# The signed subject decides, not the clock


def test_refusal_of_an_unknown_future_ends_the_pseudonym_too(worker: Workers, clock: Clock) -> None:
    here = worker()
    behind = worker(clock=lambda: clock() - 90)
    given = accept(here)
    signed = behind.cookie.signed([cookie_of(given)])
    assert signed is not None and behind.cookie.newest([cookie_of(given)], behind.clock()) is None
    before = behind.evaluator.unverifiable(signed)
    behind.decide(before, NOTHING, ChoiceContext(choice="reject_all"))
    clock.advance(60)
    assert seen(here, cookie_of(given)).granted == set()


# Reading and writing are one step


def test_merge_on_a_stale_cookie_brings_back_nothing_that_was_withdrawn(
    worker: Workers, clock: Clock
) -> None:
    here, there = worker(), worker()
    given = accept(here)
    assert seen(there, cookie_of(given)).granted
    here.withdraw(given.consent, None, ChoiceContext())
    clock.advance(5)
    always = Choice(categories={}, vendors={"youtube": True})
    changed = there.decide(given.consent, always, CHANGE, merge=True)
    assert changed.consent.granted == set() and changed.consent.allows("social", "youtube")
    assert subject_of(changed) != subject_of(given)
    partly = Choice(categories={"tracking": False}, vendors={})
    unchanged = there.decide(given.consent, partly, CHANGE, merge=True)
    assert unchanged.consent.status in ("refused", "withdrawn") and not unchanged.consent.granted


def test_partial_withdrawal_on_a_stale_cookie_builds_on_the_newest_record(
    worker: Workers, clock: Clock
) -> None:
    here, there = worker(), worker()
    given = accept(here)
    here.withdraw(given.consent, "tracking", ChoiceContext())
    left = there.withdraw(given.consent, "social", ChoiceContext())
    assert left.consent.granted == {"analytical"} and subject_of(left) == subject_of(given)
    nothing = there.withdraw(given.consent, "social", ChoiceContext())
    assert nothing.record is None and nothing.consent.granted == {"analytical"}


@pytest.mark.parametrize("processes", [1, 2])
def test_change_sent_next_to_a_withdrawal_never_undoes_it(
    worker: Workers, clock: Clock, processes: int
) -> None:
    managers = [worker() for _ in range(processes)]
    barrier = threading.Barrier(2)
    without_tracking = Choice(categories={"tracking": False}, vendors={})

    def at_once(work: Callable[[], Outcome]) -> Outcome:
        barrier.wait(10)
        return work()

    with ThreadPoolExecutor(2) as threads:
        for _ in range(100):
            given = accept(managers[0])
            results = [
                threads.submit(at_once, work)
                for work in (
                    lambda g=given: managers[0].withdraw(g.consent, None, ChoiceContext()),
                    lambda g=given: managers[-1].decide(g.consent, without_tracking, CHANGE, merge=True),
                )
            ]
            cookies = [cookie_of(given)]
            cookies += [cookie_of(result.result()) for result in results if result.result().cookies]
            newest = managers[0].newest(subject_of(given))
            assert newest is not None and newest.status == ConsentStatus.WITHDRAWN
            clock.advance(60)
            for manager in managers:
                assert all(seen(manager, cookie).granted == set() for cookie in cookies)


# The same submission again


@pytest.mark.parametrize("choice", [EVERYTHING, NOTHING])
def test_second_click_adds_no_record_and_gets_the_same_cookie(worker: Workers, choice: Choice) -> None:
    here, there = worker(), worker()
    context = ChoiceContext(choice="save", submission="one rendering")
    first = here.decide(here.evaluator.undecided(), choice, context)
    second = there.decide(there.evaluator.undecided(), choice, context)
    assert second.record is None and second.cookies == first.cookies
    assert here.ledger is not None and len(list(here.ledger.records())) == 1


def test_other_choice_from_the_same_rendering_counts(worker: Workers) -> None:
    here = worker()
    context = ChoiceContext(choice="save", submission="one rendering")
    first = here.decide(here.evaluator.undecided(), EVERYTHING, context)
    second = here.decide(here.evaluator.undecided(), NOTHING, context)
    third = here.decide(first.consent, NOTHING, ChoiceContext(choice="save", submission="another cookie"))
    assert second.record is not None and third.record is not None
    assert third.record.subject == subject_of(first)


def test_submission_that_arrives_again_after_the_withdrawal_grants_nothing(
    worker: Workers, clock: Clock
) -> None:
    here, there = worker(), worker()
    first = accept(here, submission="one rendering")
    clock.advance(5)
    gone = here.withdraw(first.consent, None, ChoiceContext(submission="another"))
    known = here.withdraw(gone.consent, None, ChoiceContext(submission="another"))
    assert known.reference == gone.reference
    again = there.withdraw(first.consent, None, ChoiceContext(submission="another"))
    assert (again.record, again.reference, again.cookies) == (None, gone.reference, gone.cookies)
    retried = accept(there, submission="one rendering")
    assert retried.record is None and not retried.cookies and retried.consent.status == "withdrawn"


def test_partial_answer_that_arrives_twice_still_leaves_the_rest_to_be_asked(worker: Workers) -> None:
    here = worker()
    video = Choice(categories={}, vendors={"youtube": True})
    context = ChoiceContext(choice="change", submission="one rendering")
    first, second = (here.decide(here.evaluator.undecided(), video, context, merge=True) for _ in range(2))
    assert second.cookies == first.cookies and second.consent.needs_asking


# Without the ledger


def test_decision_of_an_outage_builds_on_what_this_process_holds(
    policy: Policy, url: str, clock: Clock
) -> None:
    ledger = Ledger(url)
    with managing(policy, ledger=ledger, clock=clock) as here:
        given = accept(here)
        ledger.close()
        partly = here.withdraw(given.consent, "tracking", ChoiceContext())
        assert not partly.stored and partly.consent.granted == {"analytical", "social"}
        clock.advance(1)
        both = here.withdraw(given.consent, "social", ChoiceContext())
        assert both.consent.granted == {"analytical"}
        assert seen(here, cookie_of(given)).granted == {"analytical"}


# Another database in the place of the first


def test_notices_are_stored_again_in_a_database_that_lost_its_tables(worker: Workers, url: str) -> None:
    here = worker()
    accept(here)
    assert here.ledger is not None
    before = here.ledger.health()["store"]
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        METADATA.drop_all(connection)
    engine.dispose()
    accept(here)
    (record,) = here.ledger.records()
    assert here.ledger.notice(record.notice) == here.notice.content
    assert here.ledger.health()["store"] != before


# A notice that nobody here knows


@pytest.mark.parametrize("away", [False, True])
def test_grant_whose_record_is_under_an_unknown_notice_can_be_withdrawn(
    worker: Workers, clock: Clock, away: bool
) -> None:
    here, there = worker(), worker()
    given = accept(here)
    assert given.record is not None and there.ledger is not None and given.consent.decision is not None
    unknown = replace(
        given.record,
        id="00000000-0000-4000-8000-000000000002",
        event="changed",
        notice="u" * 43,
        changed_at=int(clock()) + 5,
    )
    there.ledger.append(unknown)
    clock.advance(10)
    assert seen(there, cookie_of(given)).granted == set()
    if away:
        there.ledger.close()
    before = there.evaluator.unverifiable(given.consent.decision)
    gone = there.withdraw(before, None, ChoiceContext())
    assert gone.consent.status == "withdrawn" and gone.reference == subject_of(given)
    assert gone.record is not None and gone.record.moment > unknown.moment
    assert gone.stored is not away


def test_customer_service_can_withdraw_a_grant_under_an_unknown_notice(worker: Workers, clock: Clock) -> None:
    here = worker()
    assert here.ledger is not None
    here.ledger.append(a_record(notice="u" * 43, changed_at=int(clock())))
    record = here.withdraw_subject("A" * 22)
    assert record is not None and record.status == "withdrawn"
    newest = here.newest("A" * 22)
    assert newest is not None and newest.id == record.id and here.withdraw_subject("A" * 22) is None
