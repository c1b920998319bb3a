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
def test_a_category_or_one_vendor_of_it_is_allowed_or_not(
    category: str, vendor: str | None, allowed: bool
) -> None:
    assert consent().allows(category, vendor=vendor) is allowed


def test_a_category_that_the_policy_lacks_is_the_developers_mistake() -> None:
    for category in ("", "Social", "marketing"):
        with pytest.raises(UnknownCategoryError, match="functional, analytical, social"):
            consent().allows(category)
        with pytest.raises(UnknownCategoryError):
            consent().allows(category, vendor="youtube")


def test_a_vendor_that_the_category_lacks_is_the_developers_mistake() -> None:
    for vendor in ("", "YouTube", "tiktok", "matomo"):
        with pytest.raises(UnknownVendorError, match="youtube, disqus"):
            consent().allows("social", vendor=vendor)


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
def test_a_status_says_whether_the_visitor_has_answered(status: str, decided: bool) -> None:
    assert ConsentStatus(status).decided is decided


def test_there_are_six_statuses() -> None:
    assert len(ConsentStatus) == 6


def test_times_are_told_in_utc() -> None:
    told = consent()
    assert told.decided_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert told.expires_at == datetime(2026, 11, 22, 10, 1, tzinfo=UTC)
    assert told.expires == MOMENT + 60
    assert told.notice == "n" * 43


def test_who_has_not_answered_has_neither_time_nor_notice() -> None:
    told = consent(decision=None, expires=None, status=ConsentStatus.UNKNOWN)
    assert (told.decided_at, told.expires_at, told.expires, told.notice) == (None, None, None, None)


def test_the_banner_has_something_to_ask_where_categories_are_open() -> None:
    assert consent(asking=("social",)).needs_asking
    assert not consent().needs_asking


def test_a_consent_says_what_it_is_without_the_pseudonym() -> None:
    assert repr(consent()) == "<Consent given: social>"
    assert (
        repr(consent(granted=frozenset(), status=ConsentStatus.REFUSED))
        == "<Consent refused: nothing granted>"
    )
    assert "s" * 22 not in repr(consent())


def test_a_decision_cannot_be_changed() -> None:
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
def test_two_decisions_answer_alike_whenever_they_were_made(change: dict[str, Any], same: bool) -> None:
    assert DECISION.answers_as(replace(DECISION, **change)) is same


def test_refusing_a_category_is_narrower_than_refusing_all_its_vendors() -> None:  # XS-05
    refusal = replace(DECISION, granted=frozenset(), vendors={})
    exceptions = replace(DECISION, vendors={"youtube": False, "disqus": False, "vimeo": False})
    assert refusal.breadth < exceptions.breadth < DECISION.breadth


@settings(max_examples=40)
@given(policies.map(Notice.of), st.data())
def test_what_allows_less_is_narrower(notice: Notice, more: st.DataObject) -> None:  # XS-05
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


@settings(max_examples=40)
@given(policies, st.data())
def test_vendors_follow_their_category_but_for_what_was_said_about_them(  # LB-03
    policy: Policy, more: st.DataObject
) -> None:
    decision = more.draw(decisions_under(Notice.of(policy)))
    told = Evaluator(policy, "stride").evaluate(decision, MOMENT + 60)
    for vendor in policy.vendors:
        follows = told.categories[vendor.category]
        assert told.allows(vendor.category, vendor.id) is decision.vendors.get(vendor.id, follows)
    for category in policy.categories:
        on = category.required or category.id in decision.granted
        assert told.allows(category.id) is on
    assert told.granted == decision.granted & {one.id for one in policy.consent_needed}
