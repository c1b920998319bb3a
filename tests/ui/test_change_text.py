from typing import Any

import pytest

from consentkit.notices.changes import Change, compare
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from consentkit.ui.change_text import change_sentences
from consentkit.ui.rendering import Renderings
from tests.support.told import policy_of, rows


def sentences(old: Policy, new: Policy, language: str = "en") -> list[str]:
    notice = Notice.of(new)
    return list(change_sentences(compare(Notice.of(old), notice), Renderings(new, notice)[language]))


def without(key: str, name: str) -> list[dict[str, Any]]:
    return [row for row in rows(key) if name not in (row.get("id"), row.get("vendor"))]


def test_a_new_vendor_is_one_sentence_that_covers_its_trackers() -> None:  # VA-05
    old = policy_of(vendors=without("vendors", "adhub"), trackers=without("trackers", "adhub"))
    assert sentences(old, policy_of()) == ["A new third party for Tracking: AdHub Exchange, Singapore."]
    assert sentences(old, policy_of(), "nl") == [
        "Een nieuwe derde partij voor Tracking: AdHub Exchange, Singapore."
    ]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"vendors": {"adhub": {"country": "IN"}}}, "AdHub Exchange is now in: India."),
        ({"vendors": {"adhub": {"name": "AdHub"}}}, "A third party has another name: AdHub."),
        ({"vendors": {"adhub": {"legal_entity": "X"}}}, "AdHub Exchange now belongs to another company."),
        ({"vendors": {"adhub": {"role": "processor"}}}, "AdHub Exchange now has another role."),
        ({"vendors": {"google_analytics": {"retention": "P2Y"}}}, "Google Analytics now keeps data longer."),
        ({"vendors": {"adhub": {"data": ["Age"]}}}, "AdHub Exchange now receives other kinds of data."),
        ({"trackers": {"_ga*": {"lifetime": "P2Y"}}}, "_ga* now stays longer on your device."),
        ({"trackers": {"reading_list": {"third_party": True}}}, "reading-list now belongs to a third party."),
        ({"trackers": {"reading_list": {"personal_data": True}}}, "reading-list now holds personal data."),
        ({"trackers": {"_ga*": {"purpose": {"en": "x", "nl": "y"}}}}, "_ga* now has another purpose."),
        ({"categories": {"social": {"title": {"en": "Fun", "nl": "y"}}}}, "A purpose has another name: Fun."),
        (
            {"categories": {"social": {"description": {"en": "x", "nl": "y"}}}},
            "The purpose Social is described in other words.",
        ),
        (
            {"categories": {"social": {"combines_across_sites": True}}},
            "Data from all our sites is now combined for Social.",
        ),
    ],
)
def test_every_incompatible_change_has_a_sentence(changed: dict[str, Any], sentence: str) -> None:  # VA-05
    changes = {key: rows(key, **values) for key, values in changed.items()}
    assert sentences(policy_of(), policy_of(**changes)) == [sentence]


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("profiling", "AdHub Exchange may now build a profile of you."),
        ("safeguard", "The data that AdHub Exchange receives outside Europe is protected in another way."),
    ],
)
def test_new_profiling_and_another_safeguard_have_sentences(field: str, sentence: str) -> None:  # VA-05
    less = {"profiling": False} if field == "profiling" else {"safeguard": "adequacy"}
    assert sentences(policy_of(vendors=rows("vendors", adhub=less)), policy_of()) == [sentence]


def test_another_controller_has_sentences() -> None:  # VA-05
    controller = policy_of().controller.model_dump(mode="json", exclude_none=True)
    new = policy_of(controller=controller | {"name": "Other BV", "country": "BE"})
    assert sentences(policy_of(), new) == [
        "The controller is now Other BV.",
        "The controller Other BV is now in another country.",
    ]


def test_a_new_purpose_is_named_and_a_removed_one_is_not_mentioned() -> None:  # VA-05
    old = policy_of(
        categories=without("categories", "social"),
        vendors=without("vendors", "youtube"),
        trackers=[row for row in rows("trackers") if row["category"] != "social"],
    )
    assert "A new purpose: Social." in sentences(old, policy_of())
    assert sentences(policy_of(), old) == []


def test_other_changes_have_a_general_sentence() -> None:
    policy = policy_of()
    changes = [
        Change(None, None, "group", "group", "changed", "id", "a", "b", True),
        Change("gone", None, "category", "gone", "changed", "required", True, False, True),
        Change("gone", "gone", "vendor", "gone", "changed", "country", "NL", "US", True),
    ]
    assert list(change_sentences(changes, Renderings(policy, Notice.of(policy))["en"])) == [
        "The group of our sites has changed.",
        "The purpose gone is described in other words.",
        "gone is now in: US.",
    ]
