"""The grant that a record proves, in both databases."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy

from consentkit import ConsentManager, Ledger, Policy
from consentkit.consent import Choice, Consent
from consentkit.errors import LedgerUnavailableError
from consentkit.manager import ChoiceContext
from tests.conftest import Clock
from tests.support.postgres import Server
from tests.support.sites import managing

CHOICE = Choice(categories={"analytical": True, "social": True}, vendors={"youtube": False})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


@pytest.fixture
def manager(policy: Policy, url: str, clock: Clock) -> Iterator[ConsentManager]:
    ledger = Ledger(url, lock_timeout=30)
    with managing(policy, ledger=ledger, clock=clock) as made:
        yield made
    ledger.close()


@pytest.fixture
def consent(manager: ConsentManager) -> Consent:
    return manager.decide(manager.evaluator.undecided(), CHOICE, ChoiceContext()).consent


def ledger_of(manager: ConsentManager) -> Ledger:
    assert manager.ledger is not None
    return manager.ledger


def execute(url: str, statement: str, **values: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(statement), values)
    engine.dispose()


def test_the_newest_record_proves_the_grant(manager: ConsentManager, consent: Consent, clock: Clock) -> None:
    first = manager.grant(consent)
    assert first is not None and first.record == next(iter(ledger_of(manager).records()))
    clock.advance(60)
    choice = Choice(categories={"tracking": True}, vendors={})
    after = manager.decide(consent, choice, ChoiceContext(), merge=True).consent
    grant = manager.grant(after)
    assert grant is not None and grant.record.event == "changed"
    given = [part.category["id"] for part in grant.parts if part.is_given]
    assert given == ["analytical", "tracking", "social"]
    # What another process knows from an older cookie is the same grant.
    assert manager.grant(consent) == grant


def test_a_withdrawal_that_this_process_has_not_heard_of_counts(
    manager: ConsentManager, consent: Consent, policy: Policy, url: str, clock: Clock
) -> None:
    assert consent.decision is not None
    clock.advance(60)
    with managing(policy, ledger=url, clock=clock) as other:
        other.withdraw_subject(consent.decision.subject)
    assert manager.grant(consent) is None and manager.receipt(consent) is None


def test_a_grant_without_a_record_is_not_proved(manager: ConsentManager, consent: Consent, url: str) -> None:
    execute(url, "DELETE FROM consentkit_records")
    assert manager.grant(consent) is None


def test_two_answers_of_one_moment_prove_neither(manager: ConsentManager, consent: Consent) -> None:
    (record,) = ledger_of(manager).records()
    ledger_of(manager).append(
        replace(
            record,
            id="00000000-0000-4000-8000-000000000000",
            categories={"analytical": False, "tracking": True, "social": True},
            seq=None,
        )
    )
    assert manager.grant(consent) is None


def test_a_decision_whose_record_is_on_its_way_has_no_receipt_yet(
    manager: ConsentManager, consent: Consent, url: str, clock: Clock
) -> None:
    clock.advance(60)
    choice = Choice(categories={"tracking": True}, vendors={})
    after = manager.decide(consent, choice, ChoiceContext(), merge=True).consent
    execute(url, "DELETE FROM consentkit_records WHERE event = 'changed'")
    with pytest.raises(LedgerUnavailableError, match="not reached the ledger"):
        manager.grant(after)


@pytest.mark.parametrize(
    "content",
    ["{}", "null", "no JSON", '{"categories": [], "vendors": [], "trackers": []}'],
)
def test_a_notice_that_is_not_what_visitors_were_told_proves_nothing(
    content: str, manager: ConsentManager, consent: Consent, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    execute(url, "UPDATE consentkit_notices SET content = :content", content=content)
    with caplog.at_level(logging.ERROR, "consentkit"):
        assert manager.grant(consent) is None
    assert "missing or damaged" in caplog.text


def test_a_notice_that_no_site_knows_proves_nothing(
    manager: ConsentManager, consent: Consent, url: str
) -> None:
    execute(url, "UPDATE consentkit_records SET notice = 'unknown'")
    assert manager.grant(consent) is None


def test_a_ledger_that_is_gone_is_an_error(manager: ConsentManager, consent: Consent) -> None:
    ledger_of(manager).close()
    with pytest.raises(LedgerUnavailableError):
        manager.grant(consent)


def test_a_consent_to_nothing_has_no_grant(manager: ConsentManager) -> None:
    assert manager.grant(manager.evaluator.undecided()) is None


def test_expired_in_the_meantime(manager: ConsentManager, consent: Consent, clock: Clock) -> None:
    clock.advance(days=200)
    assert manager.grant(consent) is None
