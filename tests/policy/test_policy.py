import copy
import json
import pickle
import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from consentkit.errors import UnknownCategoryError, UnknownSiteError, UnknownVendorError
from consentkit.policy.policy import Policy, Texts, Tracker, Vendor, json_schema
from consentkit.policy.transfers import TransferData
from tests.support.policies import add, data, policy, put

HERE = Path(__file__).parents[1]
EXAMPLE = tomllib.loads((HERE / "consent.example.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def example() -> Policy:
    return Policy.model_validate(EXAMPLE)


def test_look_ups_find_what_is_declared(example: Policy) -> None:
    assert example.category("social").title["nl"] == "Sociaal"
    assert example.vendor("youtube").name == "YouTube"
    assert example.site("trailhead").origin == "https://trailhead.example"
    assert [one.id for one in example.vendors_of("tracking")] == ["adhub"]
    assert example.vendors_of("functional") == ()
    assert [one.name for one in example.trackers_of("social")] == ["reading-list"]
    assert [one.name for one in example.trackers_of_vendor("google-analytics")] == ["_ga*"]
    assert example.trackers_of_vendor("youtube") == ()


def test_unknown_ids_raise_and_name_the_known_ones(example: Policy) -> None:
    for look_up in (example.category, example.vendors_of, example.trackers_of, example.honours_gpc):
        with pytest.raises(UnknownCategoryError, match="functional, analytical, tracking, social"):
            look_up("sociall")
    for look_up_vendor in (example.vendor, example.trackers_of_vendor):
        with pytest.raises(UnknownVendorError, match="adhub"):
            look_up_vendor("tiktok")
    with pytest.raises(UnknownSiteError, match="stride, trailhead"):
        example.site("pace")


def test_required_categories_are_not_optional(example: Policy) -> None:
    assert [one.id for one in example.optional] == ["analytical", "tracking", "social"]
    assert example.consent_needed == example.optional


def test_exempt_categories_are_optional_but_need_no_consent() -> None:
    exempt = policy(put("categories", 1, exempt=True))
    assert [one.id for one in exempt.optional] == ["analytical"]
    assert exempt.consent_needed == ()


@pytest.mark.parametrize(
    ("profiling", "explicit", "honoured"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_gpc_is_honoured_where_a_vendor_profiles_unless_said_otherwise(
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
def test_texts_fall_back_to_the_plain_language_and_then_to_the_first(language: str, text: str) -> None:
    languages = ["en", "nl", "zh-Hant-TW"]
    texts = Texts({"en": "Measure", "nl": "Meten", "zh-Hant-TW": "測量"})
    assert policy(put(languages=languages)).text(texts, language) == text


def test_a_text_in_no_language_of_the_policy_is_still_shown(example: Policy) -> None:
    assert example.text(Texts({"de": "Messen"}), "fr") == "Messen"


def test_nothing_can_be_changed(example: Policy) -> None:
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


def test_texts_are_equal_to_the_table_they_were_made_of() -> None:
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
def test_a_tracker_matches_its_name_or_what_begins_with_it(pattern: str, name: str, matches: bool) -> None:
    tracker = Tracker.model_validate(data()["trackers"][1] | {"name": pattern})
    assert tracker.matches(name) is matches


def vendor(**values: Any) -> Vendor:
    return Vendor.model_validate(data()["vendors"][0] | values)


@pytest.mark.parametrize(
    ("values", "on", "covered", "lapses"),
    [
        # TR-01 to TR-04, TR-06
        ({"country": "NL"}, date(2026, 11, 22), True, None),
        ({"country": "EL"}, date(2026, 11, 22), True, None),
        ({"country": "US"}, date(2026, 11, 22), False, None),
        ({"country": "CH", "safeguard": "none_required"}, date(2026, 11, 22), False, None),
        ({"country": "CH", "safeguard": "art49_explicit_consent"}, date(2026, 11, 22), False, None),
        ({"country": "CH", "safeguard": "adequacy"}, date(2026, 11, 22), True, None),
        ({"country": "SG", "safeguard": "scc"}, date(2099, 1, 1), True, None),
        ({"country": "SG", "safeguard": "adequacy"}, date(2026, 11, 22), False, None),
        ({"country": "US", "safeguard": "adequacy"}, date(2026, 11, 22), False, None),
        ({"country": "US", "safeguard": "adequacy", "dpf_certified": True}, date(2026, 11, 22), True, None),
        ({"country": "GB", "safeguard": "adequacy"}, date(2031, 12, 27), True, date(2031, 12, 27)),
        ({"country": "UK", "safeguard": "adequacy"}, date(2031, 12, 28), False, date(2031, 12, 27)),
        ({"country": "NL", "safeguard": "adequacy"}, date(2026, 11, 22), True, None),
    ],
)
def test_a_transfer_is_covered_while_its_safeguard_stands(
    values: dict[str, Any], on: date, covered: bool, lapses: date | None
) -> None:
    row = vendor(**values)
    assert policy().transfer_covered(row, on) is covered
    assert policy().adequacy_lapses(row) == lapses


def test_a_list_of_ones_own_decides_instead_of_the_shipped_one() -> None:
    # TR-07
    own = policy()
    own._transfer_data = TransferData.model_validate(
        {
            "as_of": date(2026, 1, 1),
            "eea": ["NL"],
            "decisions": [
                {"country": "GB", "from": date(2021, 1, 1), "until": date(2027, 1, 1)},
                {"country": "GB", "from": date(2027, 1, 1), "until": date(2028, 1, 1)},
            ],
        }
    )
    british = vendor(country="GB", safeguard="adequacy")
    assert own.outside_eea(vendor(country="DE"))
    assert own.adequacy_lapses(british) == date(2028, 1, 1)
    assert own.transfer_covered(british, date(2028, 1, 1))


def test_what_browsers_are_told_about_personal_data_changes_no_gate() -> None:
    # LB-02
    kinds = "cookie local_storage session_storage indexed_db cache_storage pixel url_decoration fingerprint script"
    for kind in kinds.split():
        for personal in (True, False):
            changed = policy(add("trackers", name="more", kind=kind, personal_data=personal))
            assert changed.trackers_of("analytical")[-1].kind == kind
            assert [one.id for one in changed.consent_needed] == ["analytical"]


def test_the_shipped_schema_is_the_generated_one() -> None:
    shipped = files("consentkit.policy").joinpath("data/policy.schema.json").read_text("utf-8")
    assert shipped == json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", ["consent.example.toml", "security_policy.toml"])
def test_the_schema_accepts_the_examples(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(tomllib.loads((HERE / name).read_text("utf-8")), json_schema())


@pytest.mark.parametrize(
    "change",
    [
        put(more=1),
        put("vendors", 0, more=1),
        put(validity="six months"),
        put("trackers", 0, kind="coockie"),
        put("trackers", 0, lifetime="long"),
        put("sites", 0, origin="stride.example"),
        put("categories", 0, title={}),
        put("categories", 0, title={"e n": "x"}),
        put("vendors", 0, country="Netherlands"),
    ],
)
def test_the_schema_refuses_what_the_models_refuse(change: Any) -> None:
    jsonschema.validate(data(), json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data(change), json_schema())
    with pytest.raises(ValidationError):
        policy(change)
