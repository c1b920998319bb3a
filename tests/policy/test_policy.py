import copy
import json
import pickle
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from consentkit.errors import UnknownCategoryError, UnknownSiteError, UnknownVendorError
from consentkit.policy.field_types import Texts
from consentkit.policy.models import Tracker, Vendor
from consentkit.policy.policy import Policy
from consentkit.policy.transfers import TransferData
from tests.support.policies import add, data, policy, put

HERE = Path(__file__).parents[1]
EXAMPLE = tomllib.loads((HERE / "consent.example.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def example() -> Policy:
    return Policy.model_validate(EXAMPLE)


def test_rows_are_found_by_id(example: Policy) -> None:
    assert example.category("social").title["nl"] == "Sociaal"
    assert example.vendor("youtube").name == "YouTube"
    assert example.site("trailhead").origin == "https://trailhead.example"
    assert [row.id for row in example.vendors_of("tracking")] == ["adhub"]
    assert example.vendors_of("functional") == ()
    assert [one.name for one in example.trackers_of("social")] == ["reading-list"]
    assert [one.name for one in example.trackers_of_vendor("google-analytics")] == ["_ga*"]
    assert example.trackers_of_vendor("youtube") == ()


def test_an_unknown_id_raises_and_the_declared_ids_are_listed(example: Policy) -> None:
    for look_up in (example.category, example.vendors_of, example.trackers_of, example.honours_gpc):
        with pytest.raises(UnknownCategoryError, match="functional, analytical, tracking, social"):
            look_up("sociall")
    for look_up_vendor in (example.vendor, example.trackers_of_vendor):
        with pytest.raises(UnknownVendorError, match="adhub"):
            look_up_vendor("tiktok")
    with pytest.raises(UnknownSiteError, match="stride, trailhead"):
        example.site("pace")


def test_a_required_category_is_not_optional(example: Policy) -> None:
    assert [row.id for row in example.optional] == ["analytical", "tracking", "social"]
    assert example.consent_needed == example.optional


def test_an_exempt_category_is_optional_but_needs_no_consent() -> None:
    exempt = policy(put("categories", 1, exempt=True))
    assert [row.id for row in exempt.optional] == ["analytical"]
    assert exempt.consent_needed == ()


@pytest.mark.parametrize(
    ("profiling", "explicit", "honoured"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_gpc_is_honoured_by_default_if_a_vendor_builds_profiles(
    profiling: bool, explicit: bool | None, honoured: bool
) -> None:
    # SG-02
    values = {} if explicit is None else {"honours_gpc": explicit}
    changed = policy(put("vendors", 0, profiling=profiling), put("categories", 1, **values))
    assert changed.honours_gpc("analytical") is honoured
    assert changed.honours_gpc("functional") is False


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("nl", "Meten"),
        ("NL", "Meten"),
        ("nl-BE", "Meten"),
        ("zh-hant-tw", "測量"),
        ("zh-TW", "Measure"),
        ("de", "Measure"),
        ("", "Measure"),
        ("*", "Measure"),
        ("x" * 5000, "Measure"),
    ],
)
def test_a_text_falls_back_to_the_primary_language_and_then_to_the_first(language: str, text: str) -> None:
    languages = ["en", "nl", "zh-Hant-TW"]
    texts = Texts({"en": "Measure", "nl": "Meten", "zh-Hant-TW": "測量"})
    assert policy(put(languages=languages)).text(texts, language) == text


def test_a_text_without_a_language_of_the_policy_is_still_returned(example: Policy) -> None:
    assert example.text(Texts({"de": "Messen"}), "fr") == "Messen"


def test_a_policy_cannot_be_changed(example: Policy) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        example.validity = example.records_kept  # type: ignore[misc]  # the point
    with pytest.raises(AttributeError, match="cannot be changed"):
        example.category("social").title._by_language = {}
    with pytest.raises(TypeError):
        example.category("social").title["nl"] = "x"  # type: ignore[index]  # the point


def test_a_policy_survives_dumping_copying_and_pickling(example: Policy) -> None:
    dumped = example.model_dump(mode="json", by_alias=True)
    assert dumped["schema"] == 1
    assert Policy.model_validate(json.loads(json.dumps(dumped))) == example
    assert pickle.loads(pickle.dumps(example)) == example  # noqa: S301  # our own bytes
    assert copy.deepcopy(example) == example


def test_texts_equal_the_table_they_were_made_of() -> None:
    texts = Texts({"en": "Measure"})
    assert texts == {"en": "Measure"} and len(texts) == 1
    assert len({texts, Texts({"en": "Measure"}), Texts({"en": "Count"})}) == 2
    assert repr(texts) == "Texts({'en': 'Measure'})"


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("_ga", "_ga", True),
        ("_ga", "_ga_X1", False),
        ("_ga", "_GA", False),
        ("_ga*", "_ga", True),
        ("_ga*", "_ga_X1", True),
        ("_ga*", "x_ga", False),
    ],
)
def test_a_tracker_matches_its_name_or_its_pattern(pattern: str, name: str, matches: bool) -> None:
    tracker = Tracker.model_validate(data()["trackers"][1] | {"name": pattern})
    assert tracker.matches(name) is matches


def vendor(**values: Any) -> Vendor:
    return Vendor.model_validate(data()["vendors"][0] | values)


@pytest.mark.parametrize(
    ("values", "last_day"),
    [
        # TR-01, TR-03
        ({"country": "NL", "safeguard": "adequacy"}, None),
        ({"country": "CH", "safeguard": "adequacy"}, None),
        ({"country": "SG", "safeguard": "adequacy"}, None),
        ({"country": "GB", "safeguard": "scc"}, None),
        ({"country": "GB", "safeguard": "adequacy"}, date(2031, 12, 27)),
        ({"country": "UK", "safeguard": "adequacy"}, date(2031, 12, 27)),
    ],
)
def test_a_vendor_relies_on_an_adequacy_decision_until_its_last_day(
    values: dict[str, Any], last_day: date | None
) -> None:
    assert policy().adequacy_lapses(vendor(**values)) == last_day


def test_another_list_replaces_the_shipped_one() -> None:
    # TR-07
    transfer_data = TransferData.model_validate(
        {
            "as_of": date(2026, 1, 1),
            "eea": ["NL"],
            "decisions": [
                {"country": "GB", "from": date(2021, 1, 1), "until": date(2027, 1, 1)},
                {"country": "GB", "from": date(2027, 1, 1), "until": date(2028, 1, 1)},
            ],
        }
    )
    declared = Policy.from_data(data(), transfer_data=transfer_data)
    assert declared.transfer_data is transfer_data
    assert declared.outside_eea(vendor(country="DE"))
    assert declared.adequacy_lapses(vendor(country="GB", safeguard="adequacy")) == date(2028, 1, 1)


def test_personal_data_makes_no_difference_to_consent() -> None:
    # LB-02
    kinds = "cookie local_storage session_storage indexed_db cache_storage pixel url_decoration fingerprint script"
    for kind in kinds.split():
        for personal in (True, False):
            changed = policy(add("trackers", name="more", kind=kind, personal_data=personal))
            assert changed.trackers_of("analytical")[-1].kind == kind
            assert [row.id for row in changed.consent_needed] == ["analytical"]
