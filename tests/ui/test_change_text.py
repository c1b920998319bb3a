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
    assert sentences(old, policy_of()) == [
        "There is a new third party for the purpose “Tracking”: AdHub Exchange (Singapore)."
    ]
    assert sentences(old, policy_of(), "nl") == [
        "Er is een nieuwe derde partij voor het doel “Tracking”: AdHub Exchange (Singapore)."
    ]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"vendors": {"adhub": {"country": "IN"}}},
            "AdHub Exchange has moved to another country: India (before: Singapore).",
        ),
        ({"vendors": {"adhub": {"name": "AdHub"}}}, "A third party has a new name: AdHub."),
        (
            {"vendors": {"adhub": {"legal_entity": "X"}}},
            "AdHub Exchange now belongs to another company: X (before: AdHub Pte Ltd).",
        ),
        (
            {"vendors": {"adhub": {"role": "processor"}}},
            "AdHub Exchange now has another role in how your data is used.",
        ),
        (
            {"vendors": {"google_analytics": {"retention": "P15M"}}},
            "Google Analytics now keeps data for 15 months (it was 14).",
        ),
        (
            {"vendors": {"google_analytics": {"retention": "P2Y"}}},
            "Google Analytics now keeps data longer: 2 years (before: 14 months).",
        ),
        (
            {"vendors": {"google_analytics": {"retention": None}}},
            "Google Analytics no longer states how long it keeps data.",
        ),
        ({"vendors": {"adhub": {"data": ["Age"]}}}, "AdHub Exchange now receives more kinds of data."),
        (
            {"trackers": {"_ga*": {"lifetime": "P14M"}}},
            "The cookie “_ga*” is now kept for 14 months (it was 13).",
        ),
        (
            {"trackers": {"_ga*": {"lifetime": "P2Y"}}},
            "“_ga*” is now kept longer: 2 years (before: 13 months).",
        ),
        (
            {"trackers": {"reading_list": {"third_party": True}}},
            "“reading-list” now belongs to a third party.",
        ),
        (
            {"trackers": {"reading_list": {"personal_data": True}}},
            "“reading-list” now contains personal data.",
        ),
        (
            {"trackers": {"_ga*": {"purpose": {"en": "x", "nl": "y"}}}},
            "“_ga*” is now used for something else.",
        ),
        (
            {"categories": {"social": {"title": {"en": "Fun", "nl": "y"}}}},
            "A purpose has a new name: Fun.",
        ),
        (
            {"categories": {"social": {"description": {"en": "x", "nl": "y"}}}},
            "The purpose “Social” is now described differently.",
        ),
        (
            {"categories": {"social": {"combines_across_sites": True}}},
            "For the purpose “Social” we now combine your data from all our sites.",
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
        (
            "safeguard",
            "The data that AdHub Exchange receives outside the European Economic Area is now protected in another way.",
        ),
    ],
)
def test_new_profiling_and_another_safeguard_have_sentences(field: str, sentence: str) -> None:  # VA-05
    less = {"profiling": False} if field == "profiling" else {"safeguard": "adequacy"}
    assert sentences(policy_of(vendors=rows("vendors", adhub=less)), policy_of()) == [sentence]


def test_another_controller_has_sentences() -> None:  # VA-05
    controller = policy_of().controller.model_dump(mode="json", exclude_none=True)
    new = policy_of(controller=controller | {"name": "Other BV", "country": "BE"})
    assert sentences(policy_of(), new) == [
        "Other BV is now responsible for this site (before: Hardlopen Media BV).",
        "Other BV has moved to another country: Belgium (before: Netherlands).",
    ]


def test_a_new_purpose_is_named_and_a_removed_one_is_not_mentioned() -> None:  # VA-05
    old = policy_of(
        categories=without("categories", "social"),
        vendors=without("vendors", "youtube"),
        trackers=[row for row in rows("trackers") if row["category"] != "social"],
    )
    assert "There is a new purpose: Social." in sentences(old, policy_of())
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
        "The purpose “gone” is now described differently.",
        "gone has moved to another country: United States (before: Netherlands).",
    ]


@pytest.mark.parametrize(
    ("kind", "old", "new", "english", "dutch"),
    [
        (
            "cookie",
            "P1Y",
            "P2Y",
            "The cookie “visits” is now kept for 2 years (it was 1).",
            "De cookie “visits” wordt nu 2 jaar bewaard (dat was 1).",
        ),
        (
            "cookie",
            "P12D",
            "P13D",
            "The cookie “visits” is now kept for 13 days (it was 12).",
            "De cookie “visits” wordt nu 13 dagen bewaard (dat was 12).",
        ),
        (
            "local_storage",
            "P12M",
            "P13M",
            "“visits” is now kept longer: 13 months (before: 1 year).",
            "“visits” wordt nu langer bewaard: 13 maanden (eerst: 1 jaar).",
        ),
        (
            "cookie",
            "P1M",
            "P1M2D",
            "“visits” is now kept longer: 1 month, 2 days (before: 1 month).",
            "“visits” wordt nu langer bewaard: 1 maand en 2 dagen (eerst: 1 maand).",
        ),
        (
            "cookie",
            "session",
            "P1D",
            "“visits” now stays after you close the browser: 1 day.",
            "“visits” blijft nu staan nadat je de browser sluit: 1 dag.",
        ),
    ],
)
def test_a_longer_lifetime_is_told_with_both_lengths(
    kind: str, old: str, new: str, english: str, dutch: str
) -> None:  # VA-05
    before, after = (
        policy_of(
            trackers=rows("trackers", **{"_ga*": {"name": "visits", "kind": kind, "lifetime": lifetime}})
        )
        for lifetime in (old, new)
    )
    assert sentences(before, after) == [english]
    assert sentences(before, after, "nl") == [dutch]
