"""What a grant says about each purpose: the answer, since when, and whether it still counts."""

import pytest

from consentkit import Policy
from consentkit.ledger import Record
from consentkit.notices import Notice
from consentkit.proof import grant_of, receipt_of
from tests.support.receipts import ADDRESS, states
from tests.support.receipts import NOON as CREATED
from tests.support.records import NOON, a_record

DAY = 86_400
NOTHING = {"categories": [], "vendors": []}
FIRST, SECOND, THIRD = "2026-08-31T12:00:00Z", "2026-09-01T12:00:00Z", "2026-09-02T12:00:00Z"


@pytest.fixture(scope="module")
def content(policy: Policy) -> dict:
    return dict(Notice.of(policy).content or {})


def event(
    name: str, day: int, *granted: str, decided: int = 0, began=(), ended=(), **vendors: bool
) -> Record:
    """Make a record of a day, with the categories that are granted after it."""
    return a_record(
        event=name,
        at=NOON + day * DAY,
        changed_at=NOON + day * DAY,
        decided_at=NOON + decided * DAY,
        categories={one: one in granted for one in ("analytical", "tracking", "social")},
        vendors=vendors,
        began={"categories": list(began), "vendors": []},
        ended={"categories": list(ended), "vendors": []},
    )


def told(content: dict, *history: Record, in_force: set[str] | None = None):
    grant = grant_of(history[-1], content, history=history, in_force=in_force)
    return states(receipt_of(grant, address=ADDRESS, at=CREATED))


def test_each_purpose_has_its_answer_and_its_third_parties(content: dict) -> None:
    assert told(content, event("given", 0, "analytical")) == [
        ("analytical", ("google-analytics",), "ConsentGiven", FIRST),
        ("tracking", ("adhub",), "ConsentRefused", FIRST),
        ("social", ("youtube",), "ConsentRefused", FIRST),
    ]


def test_a_third_party_with_an_answer_of_its_own_is_apart(content: dict) -> None:
    assert told(content, event("given", 0, "social", youtube=False, adhub=True)) == [
        ("analytical", ("google-analytics",), "ConsentRefused", FIRST),
        ("tracking", ("adhub",), "ConsentGiven", FIRST),
        ("tracking", (), "ConsentRefused", FIRST),
        ("social", (), "ConsentGiven", FIRST),
        ("social", ("youtube",), "ConsentRefused", FIRST),
    ]


def test_every_answer_has_the_time_at_which_it_was_given(content: dict) -> None:
    history = (
        event("given", 0, "analytical", "social", began=("analytical", "social")),
        event("changed", 1, "analytical", "social", "tracking", began=("tracking",)),
        event("withdrawn", 2, "analytical", "tracking", ended=("social",)),
    )
    assert told(content, *history) == [
        ("analytical", ("google-analytics",), "ConsentGiven", FIRST),
        ("tracking", ("adhub",), "ConsentGiven", SECOND),
        ("social", ("youtube",), "ConsentWithdrawn", THIRD),
    ]


def test_a_renewal_renews_what_was_given_and_a_new_refusal_is_a_refusal(content: dict) -> None:
    history = (
        event("given", 0, "analytical", "social", began=("analytical", "social")),
        event("withdrawn", 1, "analytical", ended=("social",)),
        event("renewed", 2, "analytical", decided=2),
    )
    assert told(content, *history) == [
        ("analytical", ("google-analytics",), "RenewedConsentGiven", THIRD),
        ("tracking", ("adhub",), "ConsentRefused", THIRD),
        ("social", ("youtube",), "ConsentRefused", THIRD),
    ]


def test_what_the_notice_outgrew_is_invalidated_and_not_by_the_visitor(content: dict) -> None:
    record = event("given", 0, "analytical", "social")
    grant = grant_of(record, content, in_force={"analytical", "~google-analytics", "social"})
    receipt = receipt_of(grant, address=ADDRESS, at=CREATED)
    assert [row[:3] for row in states(receipt)] == [
        ("analytical", ("google-analytics",), "ConsentGiven"),
        ("tracking", ("adhub",), "ConsentRefused"),
        ("social", (), "ConsentGiven"),
        ("social", ("youtube",), "ConsentInvalidated"),
    ]
    status = receipt["dpv:hasRecordOfActivity"]["dpv:hasProcess"][-1]["dpv:hasConsentStatus"]
    assert status["dpv:isIndicatedBy"]["@id"].endswith("#controller")
    assert "dpv:hasIndicationMethod" not in status


def test_an_imported_choice_is_as_old_as_on_the_first_site(content: dict) -> None:
    imported = event("imported", 2, "analytical", decided=0)
    assert told(content, imported)[1] == ("tracking", ("adhub",), "ConsentRefused", THIRD)
