from datetime import date
from typing import Any

import pytest
from babel import Locale
from pydantic import ValidationError

from consentkit.policy.transfers import (
    COUNTRIES,
    EU_TERRITORIES,
    SAFEGUARDS,
    TransferData,
    normalize_country,
    shipped_transfer_data,
)

EEA = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
NOT_COUNTRIES = "EU UN EZ QO ZZ XA XB XK AC CP CQ DG EA IC TA"
ADEQUATE = "AD AR BR CA CH FO GB GG IL IM JE JP KR NZ US UY"
NOT_ADEQUATE = "IN CN RU ZA SG AU MX TR UA XX NL"
TODAY = date(2026, 11, 22)


def data(**changes: Any) -> TransferData:
    return TransferData.model_validate({"as_of": TODAY, "eea": ["NL"], "decisions": []} | changes)


def test_there_are_249_country_codes_of_iso_3166() -> None:
    known = {code for code in Locale("en").territories if len(code) == 2 and code.isalpha()}
    assert known - set(NOT_COUNTRIES.split()) == COUNTRIES
    assert len(COUNTRIES) == 249


def test_exactly_thirty_countries_are_in_the_eea() -> None:
    # TR-01
    assert {code for code in COUNTRIES if shipped_transfer_data().in_eea(code)} == set(EEA.split())
    assert len(EEA.split()) == 30


@pytest.mark.parametrize(
    ("country", "in_eea"),
    [
        ("CH", False),
        ("GB", False),
        ("UK", False),
        ("US", False),
        ("IS", True),
        ("LI", True),
        ("NO", True),
        ("GR", True),
        ("EL", True),
    ],
)
def test_neighbours_and_aliases_are_inside_or_outside_the_eea(country: str, in_eea: bool) -> None:
    # TR-01
    assert shipped_transfer_data().in_eea(country) is in_eea


def test_territories_of_the_union_are_in_the_eea_only_if_a_list_says_so() -> None:
    assert not any(shipped_transfer_data().in_eea(code) for code in EU_TERRITORIES)
    assert data(eea=["NL", "RE"]).in_eea("RE")


def test_el_and_uk_count_as_gr_and_gb() -> None:
    assert [normalize_country(code) for code in ("EL", "UK", "NL")] == ["GR", "GB", "NL"]


@pytest.mark.parametrize("country", ADEQUATE.split())
def test_sixteen_adequacy_decisions_are_in_force(country: str) -> None:
    # TR-03, appendix A2
    assert shipped_transfer_data().decision(country, TODAY) is not None


@pytest.mark.parametrize("country", NOT_ADEQUATE.split())
def test_no_other_country_has_an_adequacy_decision(country: str) -> None:
    # TR-03
    assert shipped_transfer_data().decision(country, TODAY) is None
    assert shipped_transfer_data().decisions_for(country) == ()


@pytest.mark.parametrize(
    ("country", "on", "in_force"),
    [
        ("BR", date(2026, 1, 25), False),
        ("BR", date(2026, 1, 26), True),
        ("GB", date(2021, 6, 27), False),
        ("GB", date(2031, 12, 27), True),
        ("GB", date(2031, 12, 28), False),
        ("UK", date(2031, 12, 27), True),
        ("US", date(2023, 7, 9), False),
        ("US", date(2023, 7, 10), True),
        ("KR", date(2021, 12, 16), False),
        ("JP", date(2019, 1, 22), False),
    ],
)
def test_an_adequacy_decision_is_in_force_from_its_first_to_its_last_day(
    country: str, on: date, in_force: bool
) -> None:
    # TR-03
    assert (shipped_transfer_data().decision(country, on) is not None) is in_force


@pytest.mark.parametrize(
    ("country", "condition"), [("US", "dpf_certified"), ("CA", "commercial_org"), ("JP", None)]
)
def test_a_partial_adequacy_decision_has_a_condition(country: str, condition: str | None) -> None:
    # TR-04
    decision = shipped_transfer_data().decision(country, TODAY)
    assert decision is not None
    assert decision.condition == condition


def test_the_shipped_list_has_a_date() -> None:
    # TR-07
    assert shipped_transfer_data().as_of == date(2026, 11, 22)
    assert shipped_transfer_data().in_eea("NL")


@pytest.mark.parametrize(
    ("name", "article", "term", "needs_copy"),
    [
        # TR-02, appendix A3
        ("none_required", (), None, False),
        ("adequacy", ("45(3)",), "A45-3", False),
        ("scc", ("46(2)(c)",), "A46-2-c", True),
        ("scc_authority", ("46(2)(d)",), "A46-2-d", True),
        ("bcr", ("46(2)(b)", "47"), "A46-2-b", True),
        ("code_of_conduct", ("46(2)(e)",), "A46-2-e", True),
        ("certification", ("46(2)(f)",), "A46-2-f", True),
        ("ad_hoc_clauses", ("46(3)(a)",), "A46-3-a", True),
        ("art49_explicit_consent", ("49(1)(a)",), "A49-1-a", False),
    ],
)
def test_each_safeguard_has_its_article_and_its_term(
    name: str, article: tuple[str, ...], term: str | None, needs_copy: bool
) -> None:
    safeguard = SAFEGUARDS[name]
    assert safeguard.articles == article
    assert safeguard.iri == (term and f"https://w3id.org/dpv/legal/eu/gdpr#{term}")
    assert safeguard.needs_copy is needs_copy
    assert safeguard.label


def test_there_are_nine_safeguards() -> None:
    assert len(SAFEGUARDS) == 9
    assert all(name == row.name for name, row in SAFEGUARDS.items())


def test_another_list_decides_where_data_may_go() -> None:
    own = data(decisions=[{"country": "UK", "from": date(2020, 1, 1), "until": date(2020, 12, 31)}])
    assert own.decision("GB", date(2020, 12, 31)) is not None
    assert own.decision("GB", date(2021, 1, 1)) is None
    assert own.in_eea("NL") and not own.in_eea("DE")


@pytest.mark.parametrize(
    "changes",
    [
        {"as_of": "2026-11-22"},
        {"eea": []},
        {"eea": ["XX"]},
        {"eea": "NL"},
        {"more": 1},
        {"decisions": [{"country": "GB"}]},
        {"decisions": [{"country": "GB", "from": date(2020, 1, 2), "until": date(2020, 1, 1)}]},
        {"decisions": [{"country": "GB", "from": date(2020, 1, 1), "condition": "other"}]},
    ],
)
def test_an_invalid_list_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        data(**changes)
