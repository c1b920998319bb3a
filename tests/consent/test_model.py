from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, ConsentStatus, Decision
from consentkit.errors import UnknownCategoryError, UnknownVendorError
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from tests.support.drawn import MOMENT, decisions_under, policies

DECISION = Decision(
    granted=frozenset({"social"}),
    vendors={"youtube": False},
    decided_at=MOMENT,
    changed_at=MOMENT + 5,
    notice="n" * 43,
    subject="s" * 22,
)


def consent(**changes: Any) -> Consent:
    values: dict[str, Any] = {
        "status": ConsentStatus.GIVEN,
        "granted": frozenset({"social"}),
        "categories": {"functional": True, "analytical": False, "social": True},
        "vendors": {"youtube": False, "disqus": True, "matomo": False, "login": True},
        "vendor_category": {
            "youtube": "social",
            "disqus": "social",
            "matomo": "analytical",
            "login": "functional",
        },
        "asking": (),
        "gpc": False,
        "decision": DECISION,
        "expires": MOMENT + 60,
    }
    return Consent(**values | changes)


# LB-03
@pytest.mark.parametrize(
    ("category", "vendor", "allowed"),
    [
        ("functional", None, True),
        ("functional", "login", True),
        ("analytical", None, False),
        ("analytical", "matomo", False),
        ("social", None, True),
        ("social", "youtube", False),
        ("social", "disqus", True),
    ],
)
def test_allows_answers_for_categories_and_vendors(category: str, vendor: str | None, allowed: bool) -> None:
    assert consent().allows(category, vendor=vendor) is allowed


def test_allows_raises_for_an_unknown_category() -> None:
    for category in ("", "Social", "marketing"):
        with pytest.raises(UnknownCategoryError, match="functional, analytical, social"):
            consent().allows(category)
        with pytest.raises(UnknownCategoryError):
            consent().allows(category, vendor="youtube")


def test_allows_raises_for_a_vendor_outside_the_category() -> None:
    for vendor in ("", "YouTube", "tiktok"):
        with pytest.raises(UnknownVendorError, match="youtube, disqus"):
            consent().allows("social", vendor=vendor)
    with pytest.raises(
        UnknownVendorError, match=r"'matomo' belongs to category 'analytical', not to 'social'"
    ):
        consent().allows("social", vendor="matomo")


@pytest.mark.parametrize(
    ("status", "decided"),
    [
        ("unknown", False),
        ("given", True),
        ("refused", True),
        ("withdrawn", True),
        ("expired", False),
        ("invalidated", False),
    ],
)
def test_status_is_decided_after_a_valid_answer(status: str, decided: bool) -> None:
    assert ConsentStatus(status).decided is decided


def test_there_are_six_statuses() -> None:
    assert len(ConsentStatus) == 6


def test_times_are_in_utc() -> None:
    result = consent()
    assert result.decided_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert result.expires_at == datetime(2026, 11, 22, 10, 1, tzinfo=UTC)
    assert result.expires == MOMENT + 60
    assert result.notice == "n" * 43


def test_consent_without_a_decision_has_no_times_and_no_notice() -> None:
    result = consent(decision=None, expires=None, status=ConsentStatus.UNKNOWN)
    assert (result.decided_at, result.expires_at, result.expires, result.notice) == (None, None, None, None)


def test_needs_asking_while_categories_are_open() -> None:
    assert consent(asking=("social",)).needs_asking
    assert not consent().needs_asking


def test_repr_shows_status_and_grants_without_the_subject() -> None:
    assert repr(consent()) == "<Consent given: social>"
    assert (
        repr(consent(granted=frozenset(), status=ConsentStatus.REFUSED))
        == "<Consent refused: nothing granted>"
    )
    assert "s" * 22 not in repr(consent())


def test_decision_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        DECISION.subject = ""  # type: ignore[misc]  # what the test is about


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"decided_at": 1, "changed_at": 2, "subject": ""}, True),
        ({"granted": frozenset()}, False),
        ({"vendors": {}}, False),
        ({"notice": "o" * 43}, False),
        ({"kind": "partial"}, False),
    ],
)
def test_answers_as_ignores_times_and_subject(change: dict[str, Any], same: bool) -> None:
    assert DECISION.answers_as(replace(DECISION, **change)) is same


def test_refusing_a_category_is_narrower_than_refusing_its_vendors() -> None:  # XS-05
    refusal = replace(DECISION, granted=frozenset(), vendors={})
    exceptions = replace(DECISION, vendors={"youtube": False, "disqus": False, "vimeo": False})
    assert refusal.breadth < exceptions.breadth < DECISION.breadth


@settings(max_examples=25)
@given(policies.map(Notice.of), st.data())
def test_decision_that_allows_less_has_lower_breadth(notice: Notice, more: st.DataObject) -> None:  # XS-05
    one, other = more.draw(decisions_under(notice)), more.draw(decisions_under(notice))
    if allowed(one, notice) < allowed(other, notice):
        assert one.breadth < other.breadth


def allowed(decision: Decision, notice: Notice) -> set[str]:
    vendors = {
        f"~{one}"
        for one in notice.vendor_ids
        if decision.vendors.get(one, notice.vendor_category[one] in decision.granted)
    }
    return set(decision.granted) | vendors


@settings(max_examples=25)
@given(policies, st.data())
def test_vendors_follow_their_category_unless_answered_separately(  # LB-03
    policy: Policy, more: st.DataObject
) -> None:
    decision = more.draw(decisions_under(Notice.of(policy)))
    result = Evaluator(policy, "stride").evaluate(decision, MOMENT + 60)
    for vendor in policy.vendors:
        follows = result.categories[vendor.category]
        assert result.allows(vendor.category, vendor.id) is decision.vendors.get(vendor.id, follows)
    for category in policy.categories:
        on = category.required or category.id in decision.granted
        assert result.allows(category.id) is on
    assert result.granted == decision.granted & {one.id for one in policy.consent_needed}
