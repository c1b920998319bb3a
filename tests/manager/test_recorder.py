"""Notices stored with records, imported decisions, content loaded once. Choices are tested with the manager."""

from collections.abc import Iterator

import pytest

from consentkit import ConsentManager, Policy
from consentkit.consent import transitions
from consentkit.consent.model import Choice
from consentkit.manager.choice import ChoiceContext
from consentkit.notices.notice import Notice
from tests.conftest import Clock
from tests.support.sites import managing

EVERYTHING = Choice(categories={"analytical": True, "social": True}, vendors={})


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url, clock=clock) as made:
        yield made


def accept(manager: ConsentManager, **context: str) -> None:
    choice = Choice(categories={"social": True}, vendors={})
    manager.decide(manager.evaluator.undecided(), choice, ChoiceContext(**context))  # type: ignore[arg-type]


# IN-06
def test_first_record_stores_the_notice(manager: ConsentManager) -> None:
    assert manager.ledger is not None and manager.ledger.notices() == []
    for language in ("en", "nl", "en"):
        accept(manager, language=language)
    assert manager.ledger.notices() == [(manager.notice.digest, manager.notice.content)]


def test_notice_without_its_text_is_not_stored(manager: ConsentManager) -> None:
    older = Notice("o" * 43, manager.notice.facts)
    manager.evaluator.add_notice(older)
    accept(manager, notice=older.digest)
    assert manager.ledger is not None and manager.ledger.notices() == []
    (record,) = manager.ledger.records()
    assert record.notice == older.digest


def test_older_notice_is_stored_with_the_first_record_under_it(manager: ConsentManager) -> None:
    older = Notice.from_content({**(manager.notice.content or {}), "records_kept": "P1Y"})
    manager.evaluator.add_notice(older)
    accept(manager, notice=older.digest)
    assert manager.ledger is not None and manager.ledger.notice(older.digest) == older.content


# XS-06
def test_decision_of_another_site_is_recorded_as_imported(manager: ConsentManager, clock: Clock) -> None:
    before = manager.evaluator.undecided()
    brought = transitions.replace(EVERYTHING, manager.notice, int(clock()))
    outcome = manager.recorder.take_over(
        before, lambda current: brought, ChoiceContext(choice="handoff"), None
    )
    assert outcome.record is not None and outcome.consent.granted == {"analytical", "social"}
    assert (outcome.record.event, outcome.record.choice) == ("imported", "handoff")
    assert outcome.reference is None


# LB-09
def test_content_loaded_once_is_recorded_without_a_subject_and_grants_nothing(
    manager: ConsentManager,
) -> None:
    record = manager.recorder.loaded_once("youtube", ChoiceContext(surface="embed", choice="load_once"))
    assert manager.ledger is not None
    assert [each.id for each in manager.ledger.records()] == [record.id]
    assert (record.event, record.status, record.subject) == ("loaded_once", "unknown", None)
    assert record.vendors == {"youtube": True} and not any(record.categories.values())
    assert record.expires_at is None
