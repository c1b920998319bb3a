from collections.abc import Iterable

import pytest

from consentkit import Policy
from consentkit.consent import Evaluator
from consentkit.ledger import Record
from consentkit.manager.newest import newest_of
from consentkit.manager.undelivered import UndeliveredRecords
from tests.support.records import NOON, a_record

ALL = {"analytical": True, "tracking": True, "social": True}
SUBJECT = "s" * 22


def given(at: int, *, choice: str = "change", **answers: bool) -> Record:
    return a_record(
        subject=SUBJECT, changed_at=NOON + at, choice=choice, event="changed", categories=ALL | answers
    )


@pytest.fixture
def undelivered(policy: Policy) -> UndeliveredRecords:
    evaluator = Evaluator(policy, "stride")

    def fold(records: Iterable[Record]) -> Record | None:
        return newest_of(records, evaluator)

    return UndeliveredRecords(fold, 10)


def allowed(record: Record | None) -> set[str]:
    assert record is not None
    return {category for category, on in record.categories.items() if on}


@pytest.mark.parametrize("at", [-5, 5])
def test_a_change_counts_as_far_as_what_waits_allows_it(undelivered: UndeliveredRecords, at: int) -> None:
    undelivered.wait_here(given(0, tracking=False))
    limited = undelivered.limited(SUBJECT, given(at, social=False))
    assert allowed(limited) == {"analytical"}
    assert limited is not None and limited.changed_at == NOON + max(at, 0)


def test_a_full_answer_replaces_what_waits_only_if_it_is_later(undelivered: UndeliveredRecords) -> None:
    undelivered.wait_here(given(0, tracking=False))
    later, earlier = given(5, choice="accept_all"), given(-5, choice="accept_all")
    assert undelivered.limited(SUBJECT, later) is later
    assert allowed(undelivered.limited(SUBJECT, earlier)) == {"analytical", "social"}


def test_what_ends_a_pseudonym_stays(undelivered: UndeliveredRecords) -> None:
    undelivered.wait_here(given(0, tracking=False))
    ended = a_record(subject=SUBJECT, status="withdrawn", event="withdrawn", changed_at=NOON - 50)
    assert undelivered.limited(SUBJECT, ended) is ended
    undelivered.discard(SUBJECT, [record.id for record in undelivered._waiting[SUBJECT]])
    undelivered.wait_here(ended)
    assert SUBJECT not in undelivered, "it counts whatever else is known, so it is no limit"


def test_only_what_waits_proves_a_grant_that_the_ledger_lacks(undelivered: UndeliveredRecords) -> None:
    waiting = given(0, tracking=False)
    undelivered.wait_here(waiting)
    assert undelivered.limited(SUBJECT, None, is_looked_up=False) is waiting
    assert undelivered.limited(SUBJECT, None) is None
    undelivered.discard(SUBJECT, [waiting.id])
    undelivered.replaced[SUBJECT] = waiting
    undelivered.find_lost(SUBJECT, [])
    assert SUBJECT in undelivered and undelivered.limited(SUBJECT, None) is None
    assert allowed(undelivered.limited(SUBJECT, given(5))) == {"analytical", "social"}


def test_a_record_that_the_new_ledger_has_is_not_lost(undelivered: UndeliveredRecords) -> None:
    record = given(0, tracking=False)
    undelivered.replaced[SUBJECT] = record
    undelivered.find_lost(SUBJECT, [given(-5), record])
    assert SUBJECT not in undelivered and not undelivered.replaced
    undelivered.find_lost(SUBJECT, [])
    assert SUBJECT not in undelivered


def test_a_lost_record_is_forgotten_once_a_later_one_builds_on_it(undelivered: UndeliveredRecords) -> None:
    undelivered.replaced[SUBJECT] = given(0, tracking=False)
    undelivered.find_lost(SUBJECT, [])
    undelivered.forget_lost(SUBJECT)
    assert SUBJECT not in undelivered


def test_what_no_longer_waits_elsewhere_counts_until_the_ledger_was_read(
    undelivered: UndeliveredRecords,
) -> None:
    here, there = given(0, tracking=False), given(1, social=False)
    undelivered.wait_elsewhere([here, there])
    undelivered.wait_here(here)
    # The ledger may not answer after any of these.
    undelivered.wait_elsewhere([])
    undelivered.wait_elsewhere([])
    assert allowed(undelivered.limited(SUBJECT, given(5))) == {"analytical"}
    undelivered.discard_gone()
    assert allowed(undelivered.limited(SUBJECT, given(5))) == {"analytical", "social"}
    undelivered.discard(SUBJECT, [here.id])
    assert SUBJECT not in undelivered


def test_one_pseudonym_keeps_a_few_records_only(undelivered: UndeliveredRecords) -> None:
    records = [given(at, tracking=False) for at in range(50)]
    for record in (*records, records[-1]):
        undelivered.wait_here(record)
    assert undelivered._waiting[SUBJECT] == tuple(records[-8:])
