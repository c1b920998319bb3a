"""The shipped rules by place are complete and agree with themselves, and the table that the code is tested against is whole."""

import tomllib
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from consentkit.policy.duration import Duration

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "consentkit/policy/data/regimes.toml"
DATA: dict[str, Any] = tomllib.loads(SHIPPED.read_text("utf-8"))
TABLE: dict[str, Any] = tomllib.loads((HERE / "regime_table.toml").read_text("utf-8"))

EEA = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
STATES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC "
    "SD TN TX UT VT VA WA WV WI WY DC"
)
PLACES = {*EEA.split(), "GB", "CH", "BR", "CA-QC", *(f"US-{state}" for state in STATES.split())}
FAMILY = {
    "eea": "eea",
    "fr": "eea",
    "nl": "eea",
    "gb": "gb",
    "ch": "ch",
    "us-ca": "us",
    "us-signal": "us",
    "us-opt-out": "us",
    "ca-qc": "ca",
    "br": "br",
}
MODES = {"opt_in", "opt_out", "notice"}
KEYS = "id family name mode modes exempts gpc gpc_over_choice links status evidence_needed review_by laws"
DURATIONS = {"validity_at_most", "validity_at_least", "ask_again_after", "retention_at_most"}
LAW_KEYS = {"place", "name", "article", "from", "source", "evidence", "as_of"}

# The states whose law is in force at the date of the file, and those signed for later, as the sources count them.
OPT_OUT_LAWS = "CA VA CO CT UT TX OR MT DE IA NE NH NJ TN MN MD IN KY RI"
BINDING_SIGNALS = "CA CO CT DE MD MN MT NE NH NJ OR TX"
SIGNED = {
    "US-OK": date(2027, 1, 1),
    "US-LA": date(2027, 1, 1),
    "US-AL": date(2027, 5, 1),
    "US-VT": date(2028, 1, 1),
}

REGIMES: list[dict[str, Any]] = DATA["regimes"]
LAWS = [(regime, law) for regime in REGIMES for law in regime["laws"]]


def first_days() -> dict[str, dict[str, date]]:
    """Return the first day of each place in each regime that it belongs to."""
    days: dict[str, dict[str, date]] = defaultdict(dict)
    for regime, law in LAWS:
        held = days[law["place"]]
        held[regime["id"]] = min(law["from"], held.get(regime["id"], date.max))
    return days


def regimes_on(place: str, day: date) -> set[str]:
    return {
        regime["id"]
        for regime, law in LAWS
        if law["place"] == place and law["from"] <= day <= law.get("until", date.max)
    }


def days_of_change() -> Iterator[date]:
    """Yield the days from 2023 to 2028 on which anything begins or ends, with the days around them."""
    changes = {day for _, law in LAWS for day in (law["from"], law.get("until")) if day is not None}
    near = {day + timedelta(offset) for day in changes for offset in (-1, 0, 1)}
    yield from sorted(
        day for day in near | {date(2023, 1, 1), date(2028, 12, 31)} if 2023 <= day.year <= 2028
    )


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime["id"])
def test_regime_has_its_keys_and_values_from_the_closed_sets(regime: dict[str, Any]) -> None:
    assert regime.keys() >= set(KEYS.split())
    assert regime.keys() <= {*KEYS.split(), *DURATIONS, "age"}
    assert regime["family"] == FAMILY[regime["id"]]
    assert regime["mode"] in regime["modes"]
    assert set(regime["modes"]) <= MODES
    assert set(regime["exempts"]) <= {"audience", "statistics", "appearance"}
    assert regime["gpc"] in {"refusal", "opt_out", "none"}
    assert set(regime["links"]) <= {"privacy_choices", "limit_sensitive"}
    assert set(regime["status"]) <= {"opt_out_honored"}
    assert all(type(regime[key]) is bool for key in ("gpc_over_choice", "evidence_needed"))
    assert 13 <= regime.get("age", 13) <= 18
    assert regime["laws"]


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime["id"])
def test_durations_of_a_regime_can_be_met_together(regime: dict[str, Any]) -> None:
    # VA-06, SG-07
    lengths = {key: Duration.parse(regime[key]) for key in DURATIONS & regime.keys()}
    if regime["mode"] == "opt_in":
        assert not lengths["validity_at_most"].longer_than(Duration(months=13))
        assert "validity_at_least" not in lengths
    else:
        assert "validity_at_most" not in lengths
        assert lengths["ask_again_after"] == lengths["validity_at_least"] == Duration(months=12)


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime["id"])
def test_regime_is_to_be_reviewed_after_it_was_looked_up(regime: dict[str, Any]) -> None:
    assert DATA["as_of"] < regime["review_by"] <= DATA["as_of"] + timedelta(366)
    assert max(law["as_of"] for law in regime["laws"]) < regime["review_by"]


@pytest.mark.parametrize(("regime", "law"), LAWS, ids=lambda value: value.get("place") or value["id"])
def test_law_has_name_article_source_evidence_and_date(regime: dict[str, Any], law: dict[str, Any]) -> None:
    assert law.keys() >= LAW_KEYS
    assert law.keys() <= LAW_KEYS | {"until", "note"}
    assert law["place"] in PLACES
    assert law["name"].strip() and law["article"].strip()
    assert law["source"].startswith("https://")
    assert law["evidence"] in {"V", "V2", "M", "E"}
    assert law["as_of"] <= DATA["as_of"]
    assert law["from"] < law.get("until", date.max)


def test_what_begins_after_the_file_was_made_was_seen_somewhere() -> None:
    assert all(law["evidence"] in {"V", "V2"} for _, law in LAWS if law["from"] > DATA["as_of"])


def test_every_regime_of_the_design_is_there_once() -> None:
    assert [regime["id"] for regime in REGIMES] == list(FAMILY)


def test_places_of_a_regime_are_of_its_part_of_the_world() -> None:
    inside = {"eea": EEA.split(), "gb": ["GB"], "ch": ["CH"], "ca": ["CA-QC"], "br": ["BR"]}
    for regime, law in LAWS:
        if regime["family"] == "us":
            assert law["place"].startswith("US-")
        else:
            assert law["place"] in inside[regime["family"]]


def test_no_place_is_in_two_regimes_on_any_day() -> None:
    for place in first_days():
        for day in days_of_change():
            assert len(regimes_on(place, day)) <= 1, (place, day)
    # However `until` is read: a place stays where its first law put it.
    assert all(len(regimes) == 1 for regimes in first_days().values())


def test_every_state_of_the_eea_has_rules_from_today_on() -> None:
    for place in EEA.split():
        for day in (DATA["as_of"], date(2028, 12, 31)):
            assert len(regimes_on(place, day)) == 1, place
            assert regimes_on(place, day) <= {"eea", "fr", "nl"}


def test_states_with_an_opt_out_law_in_force_are_listed_and_no_others() -> None:
    in_force = {
        place.removeprefix("US-")
        for place in first_days()
        if place.startswith("US-") and regimes_on(place, DATA["as_of"])
    }
    assert in_force == set(OPT_OUT_LAWS.split())


def test_states_that_bind_sites_to_signals_are_apart_from_those_that_do_not() -> None:
    states = OPT_OUT_LAWS.split()
    binding = {state for state in states if regimes_on(f"US-{state}", DATA["as_of"]) != {"us-opt-out"}}
    assert binding == set(BINDING_SIGNALS.split())


@pytest.mark.parametrize(("place", "day"), SIGNED.items(), ids=list(SIGNED))
def test_signed_law_begins_on_its_day(place: str, day: date) -> None:
    assert not regimes_on(place, day - timedelta(1))
    assert regimes_on(place, day)


def test_great_britains_exceptions_begin_with_the_act() -> None:
    # JU-02
    (gb,) = (regime for regime in REGIMES if regime["id"] == "gb")
    assert set(gb["exempts"]) >= {"statistics", "appearance"}
    assert first_days()["GB"]["gb"] == date(2026, 2, 5)


def test_only_opt_out_laws_let_a_signal_win_over_a_yes() -> None:
    # SG-03, SG-05
    for regime in REGIMES:
        assert not regime["gpc_over_choice"] or regime["gpc"] == "opt_out"
        assert (regime["gpc"] == "opt_out") == (regime["family"] == "us")


# The table


def test_table_has_a_block_for_every_regime() -> None:
    assert {block["regime"] for block in TABLE["blocks"]} == {*FAMILY, "strictest", "none"}


@pytest.mark.parametrize("block", TABLE["blocks"], ids=lambda block: f"{block['regime']}-{block['place']}")
def test_block_of_the_table_is_whole_and_keeps_the_principles(block: dict[str, Any]) -> None:
    rows = {
        key: dict(zip(TABLE["columns"], map(set, block[key]), strict=True)) for key in ("gpc_off", "gpc_on")
    }
    for answers in rows.values():
        for cell in answers.values():
            assert {"F"} <= cell <= set("FASPDE")
        # A no stands everywhere, an opt-out of sale too, and a yes is never worth less than silence.
        assert answers["no here"] == answers["no eea"] == {"F"}
        assert "D" not in answers["all_but_sale here"] | answers["all_but_sale eea"]
        assert answers["none"] <= answers["yes here"]
    for answer in TABLE["columns"]:
        # SG-05: a signal never turns anything on, and pure analytics are none of its business.
        assert rows["gpc_on"][answer] <= rows["gpc_off"][answer]
        assert rows["gpc_off"][answer] - rows["gpc_on"][answer] <= {"D", "E"}


@pytest.mark.parametrize("block", TABLE["blocks"], ids=lambda block: f"{block['regime']}-{block['place']}")
def test_block_of_the_table_agrees_with_the_shipped_file(block: dict[str, Any]) -> None:
    found = [regime for regime in REGIMES if regime["id"] == block["regime"]]
    if not found:
        assert block["regime"] in {"strictest", "none"}
        return
    regime = found[0]
    mode = block.get("mode", regime["mode"])
    assert mode in regime["modes"]
    exempt = {{"audience": "A", "statistics": "S", "appearance": "P"}[name] for name in regime["exempts"]}
    off, on = (set(block[key][0]) for key in ("gpc_off", "gpc_on"))
    assert off == ({"F"} | exempt if mode == "opt_in" else set("FASPDE"))
    # As an opt-out the signal is about sale, as a refusal about whatever builds profiles.
    assert on == off - ({"D"} if regime["gpc"] == "opt_out" else {"D", "E"})
    assert ("D" in set(block["gpc_on"][1])) is not regime["gpc_over_choice"]
