"""What a record holds about the moment, and that the record of a refusal leads to no browser."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consentkit import ConsentManager, Policy
from consentkit.consent import Choice, transitions
from consentkit.ledger import Record
from consentkit.manager import recorder
from consentkit.manager.choice import ChoiceContext, Outcome
from tests.conftest import Clock
from tests.support.records import another_process_holds
from tests.support.sites import managing

NOON = 1_788_177_600
NOTHING = Choice(categories={}, vendors={})
SOCIAL = Choice(categories={"social": True}, vendors={})


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    clock.advance(754)
    with managing(policy, ledger=ledger_url, clock=clock) as made:
        yield made


def decide(manager: ConsentManager, choice: Choice, before: Outcome | None = None, **more: Any) -> Outcome:
    consent = before.consent if before is not None else manager.evaluator.undecided()
    return manager.decide(consent, choice, ChoiceContext(**more))


def refuse_social(manager: ConsentManager) -> Outcome:
    """Refuse one category, so that the other questions stay open."""
    refused = Choice(categories={"social": False}, vendors={})
    return manager.decide(manager.evaluator.undecided(), refused, ChoiceContext(), merge=True)


def stored(manager: ConsentManager) -> list[Record]:
    assert manager.ledger is not None
    return list(manager.ledger.records())


# LB-09, RC-01
def test_record_of_a_refusal_has_the_hour_and_its_cookie_the_second(manager: ConsentManager) -> None:
    outcome = decide(manager, NOTHING)
    (record,) = stored(manager)
    assert record == replace(outcome.record, seq=record.seq)  # type: ignore[type-var]
    assert (record.subject, record.at, record.decided_at, record.changed_at) == (None, NOON, NOON, NOON)
    assert record.expires_at == manager.evaluator.end_of(record.notice, NOON)
    decision = outcome.consent.decision
    assert decision is not None and decision.decided_at == decision.changed_at == NOON + 754


def test_refusals_of_one_second_and_hour_have_equal_times(manager: ConsentManager, clock: Clock) -> None:
    decide(manager, NOTHING, refuse_social(manager))
    clock.advance(1800)
    decide(manager, NOTHING)
    times = {
        (found.at, found.decided_at, found.changed_at, found.revision, found.expires_at)
        for found in stored(manager)
    }
    assert len(stored(manager)) == 3 and len(times) == 1


def test_record_that_ends_a_grant_has_its_second(manager: ConsentManager, clock: Clock) -> None:
    granted = decide(manager, SOCIAL)
    clock.advance(10)
    decide(manager, NOTHING, granted)
    given, refused = stored(manager)
    assert refused.subject == given.subject and refused.subject
    assert (given.changed_at, refused.changed_at) == (NOON + 754, NOON + 764)


def test_record_of_content_loaded_once_has_the_hour(manager: ConsentManager) -> None:
    manager.recorder.loaded_once("youtube", ChoiceContext(surface="embed", choice="load_once"))
    (record,) = stored(manager)
    assert (record.at, record.decided_at, record.changed_at) == (NOON, NOON, NOON)


def test_refusal_that_a_hand_off_brought_has_the_hour(manager: ConsentManager, clock: Clock) -> None:
    imported = transitions.replace(NOTHING, manager.notice, int(clock()) - 7300)
    context = ChoiceContext(choice="handoff")
    outcome = manager.recorder.take_over(
        manager.evaluator.undecided(), lambda current: imported, context, None
    )
    (record,) = stored(manager)
    assert (record.at, record.decided_at, record.changed_at) == (NOON - 7200, NOON - 7200, NOON - 7200)
    assert outcome.consent.decision == imported


def test_counted_refusals_have_the_hour(manager: ConsentManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager.recorder, "_anonymous", recorder.TokenBucket(rate=0, burst=0))
    decide(manager, NOTHING)
    manager.recorder.store_counts()
    assert manager.ledger is not None
    assert [row["hour"] for row in manager.ledger.counts()] == [NOON]


def test_refusal_that_waits_on_disk_shows_the_hour_only(policy: Policy, tmp_path: Path, clock: Clock) -> None:
    clock.advance(754)
    url, spool = f"sqlite:///{tmp_path / 'consent.db'}", tmp_path / "spool"
    with managing(policy, ledger=url, clock=clock, spool=spool) as manager:
        decide(manager, SOCIAL)
        with another_process_holds(url):
            assert not decide(manager, NOTHING).stored
            (file,) = spool.glob("*.json")
            record = Record.from_json(file.read_bytes())
            assert (record.at, record.decided_at, record.changed_at) == (NOON, NOON, NOON)
            assert int(file.name.partition("-")[0]) % 3_600_000_000_000 == 0
            assert os.stat(file).st_mtime == NOON


def test_retry_of_a_refusal_adds_nothing_and_gets_a_cookie_with_a_second(
    manager: ConsentManager, clock: Clock
) -> None:
    first = decide(manager, NOTHING, submission="text of the page")
    clock.advance(20)
    retried = decide(manager, NOTHING, submission="text of the page")
    assert len(stored(manager)) == 1 and retried.record is None
    assert retried.consent.status == first.consent.status == "refused" and retried.cookies
    decision = retried.consent.decision
    assert decision is not None and decision.changed_at == decision.decided_at == NOON + 774


# Otherwise a grant of that hour on another site would come back by a hand-off.
def test_retry_of_a_refusal_in_a_later_hour_gets_the_last_second_of_the_record_s_hour(
    manager: ConsentManager, clock: Clock
) -> None:
    decide(manager, NOTHING, submission="text of the page")
    clock.advance(7200)
    decision = decide(manager, NOTHING, submission="text of the page").consent.decision
    assert decision is not None and decision.moment == (NOON + 3599, 0)


def test_retry_of_a_refusal_is_later_than_the_cookie_that_it_replaces(
    manager: ConsentManager, clock: Clock
) -> None:
    before = refuse_social(manager)
    for _ in range(2):
        clock.advance(-60)
        changed = decide(manager, NOTHING, before, submission="text of the page")
        moments = [
            outcome.consent.decision.moment for outcome in (before, changed) if outcome.consent.decision
        ]
        assert moments[0] < moments[1] and len(stored(manager)) == 2


def test_process_with_a_newer_key_gives_a_repeated_submission_the_same_id(
    policy: Policy, tmp_path: Path, clock: Clock
) -> None:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    old, new = "an old key that the tests sign with, say", "a new key that the tests sign with, say"
    # A process that has the new key already gives a retry the same id, and one whose key nobody knows another one.
    for keys, expected in ((old, 1), ([new, old], 1), (new, 2)):
        with managing(policy, ledger=url, clock=clock, secret_key=keys) as manager:
            decide(manager, NOTHING, submission="text of the page")
            assert len(stored(manager)) == expected
