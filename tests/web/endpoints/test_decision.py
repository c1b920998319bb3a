"""The form in which a decision is told; the addresses are tested with the endpoints."""

from datetime import UTC, datetime

import pytest

from consentkit import Policy
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Choice
from consentkit.consent.transitions import replace
from consentkit.web.endpoints.decision import decision_json

MOMENT = int(datetime(2026, 8, 31, 12, 30, 5, tzinfo=UTC).timestamp())


@pytest.fixture
def evaluator(policy: Policy) -> Evaluator:
    return Evaluator(policy, "stride")


def test_whoever_has_not_answered_is_told_all_categories_and_vendors(evaluator: Evaluator) -> None:
    assert decision_json(evaluator.undecided(gpc=True), "nl") == {
        "status": "unknown",
        "categories": {"functional": True, "analytical": False, "tracking": False, "social": False},
        "vendors": {"google-analytics": False, "youtube": False, "adhub": False},
        "decided_at": None,
        "expires_at": None,
        "notice": None,
        "gpc": True,
        "needs_asking": False,
        "regime": "nl",
    }


# VA-01: times in RFC 3339, UTC
def test_a_decision_is_told_as_it_is_in_effect(evaluator: Evaluator) -> None:
    choice = Choice(categories={"analytical": True}, vendors={"youtube": True, "google-analytics": False})
    told = decision_json(evaluator.evaluate(replace(choice, evaluator.notice, MOMENT), MOMENT), "nl")
    assert told["status"] == "given" and told["categories"]["analytical"]
    assert told["vendors"] == {"google-analytics": False, "youtube": True, "adhub": False}
    assert (told["decided_at"], told["expires_at"]) == ("2026-08-31T12:30:05Z", "2027-02-28T12:30:05Z")
    assert told["notice"] == evaluator.notice.digest and not told["needs_asking"]
