from collections.abc import Iterator
from contextlib import closing

import pytest

from consentkit import ConsentManager, Ledger, Policy
from consentkit.consent import Choice
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger.waiting_records import WaitingRecords
from consentkit.manager.choice import ChoiceContext
from consentkit.manager.limits import DecisionCounts, TokenBucket
from tests.conftest import Clock
from tests.support.records import a_record, another_process_holds
from tests.support.sites import managing

NOTHING = Choice(categories={}, vendors={})
EVERYTHING = Choice(categories={"analytical": True, "tracking": True, "social": True}, vendors={})
REFUSING = ChoiceContext(choice="reject_all", surface="banner", language="en")


class Stopwatch:
    """Seconds of a monotonic clock that move only when told."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url, clock=clock) as manager:
        yield manager


def test_bucket_admits_a_burst_and_then_its_rate() -> None:
    stopwatch = Stopwatch()
    bucket = TokenBucket(rate=2, burst=3, monotonic=stopwatch)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    stopwatch.seconds += 1
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    stopwatch.seconds += 1000
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_counts_wait_for_a_second_and_are_put_back_when_the_ledger_is_away() -> None:
    stopwatch = Stopwatch()
    counts = DecisionCounts(stopwatch)
    for _ in range(3):
        counts.add(a_record(subject=None, event="refused", at=7205))
    assert not counts.is_due
    stopwatch.seconds += 1
    assert counts.is_due
    rows = counts.take()
    assert [(row["hour"], row["count"]) for row in rows] == [(7200, 3)]
    assert not counts.take()
    counts.put_back(rows)
    assert counts.take() == rows


def test_kinds_of_counts_are_bounded() -> None:
    counts = DecisionCounts()
    for number in range(1010):
        counts.add(a_record(subject=None, notice=f"{number}"))
    assert len(counts.take()) == 1000


def flood(manager: ConsentManager, number: int) -> None:
    for _ in range(number):
        outcome = manager.decide(manager.evaluator.undecided(), NOTHING, REFUSING)
        assert outcome.consent.status == "refused" and outcome.cookies


# RC-01
def test_refusals_past_the_bound_take_effect_and_are_counted(manager: ConsentManager, clock: Clock) -> None:
    manager.recorder._anonymous = TokenBucket(rate=0, burst=5)
    flood(manager, 30)
    for _ in range(2):
        manager.recorder.loaded_once("youtube", ChoiceContext(choice="load_once", surface="embed"))
    assert manager.ledger is not None and len(list(manager.ledger.records())) == 5
    manager.recorder.store_counts()
    flood(manager, 10)
    manager.recorder.store_counts()
    counted = {(row["event"], row["count"]) for row in manager.ledger.counts()}
    assert counted == {("refused", 35), ("loaded_once", 2)}
    hour = int(clock()) - int(clock()) % 3600
    assert {row["hour"] for row in manager.ledger.counts()} == {hour}


def test_counts_outlive_an_outage(policy: Policy, ledger_url: str, clock: Clock) -> None:
    with managing(policy, ledger=ledger_url, clock=clock) as manager:
        manager.decide(manager.evaluator.undecided(), EVERYTHING, ChoiceContext())
        manager.recorder._anonymous = TokenBucket(rate=0, burst=0)
        flood(manager, 3)
        with another_process_holds(ledger_url):
            manager.recorder.store_counts()
        manager.recorder.store_counts()
        assert manager.ledger is not None and [row["count"] for row in manager.ledger.counts()] == [3]


def test_grants_past_the_bound_are_refused_and_withdrawals_are_not(manager: ConsentManager) -> None:
    given = manager.decide(manager.evaluator.undecided(), EVERYTHING, ChoiceContext())
    manager.recorder._decisions = TokenBucket(rate=0, burst=0)
    with pytest.raises(LedgerUnavailableError, match="too many"):
        manager.decide(manager.evaluator.undecided(), EVERYTHING, ChoiceContext())
    assert manager.withdraw(given.consent, None, ChoiceContext()).consent.status == "withdrawn"


def test_without_room_in_the_spool_refusals_are_counted_and_withdrawals_raise(
    policy: Policy, ledger_url: str, clock: Clock
) -> None:
    with (
        closing(Ledger(ledger_url, lock_timeout=0.1)) as ledger,
        managing(policy, ledger=ledger, clock=clock) as manager,
    ):
        given = manager.decide(manager.evaluator.undecided(), EVERYTHING, ChoiceContext())
        delivery = manager._parts.delivery
        assert delivery is not None and delivery._spool is not None
        delivery._spool._waiting = WaitingRecords(0, 0)
        with another_process_holds(ledger_url):
            refused = manager.decide(manager.evaluator.undecided(), NOTHING, REFUSING)
            assert refused.consent.status == "refused" and refused.cookies and refused.record is None
            with pytest.raises(LedgerUnavailableError):
                manager.withdraw(given.consent, None, ChoiceContext())
        assert manager.health()["refused"] == 2
        manager.recorder.store_counts()
        assert [row["count"] for row in ledger.counts()] == [1]
