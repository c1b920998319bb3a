from datetime import UTC, date, datetime
from typing import Any

import pytest

from consentkit import Place, Policy
from consentkit.consent import Choice, Evaluator, transitions
from consentkit.notices import Notice
from consentkit.policy import STRICTEST, RegimePolicies
from tests.support.policies import data
from tests.support.regime_table import CATEGORIES, Cell, cells, policy_of, regimes

TODAY = date(2026, 11, 30)
NOW = int(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp())
ANSWERS = {
    "yes": dict.fromkeys(CATEGORIES.values(), True),
    "no": dict.fromkeys(CATEGORIES.values(), False),
    "all_but_sale": dict.fromkeys(CATEGORIES.values(), True) | {"ads": False},
}


def place(code: str) -> Place | None:
    return Place.parse(code)


def evaluator(policies: RegimePolicies, code: str, *, gpc: bool) -> Evaluator:
    policy = policies.at(place(code), TODAY)
    denied = [row.id for row in policy.optional if gpc and policy.denies_by_gpc(row.id)]
    notices = [Notice.of(other) for other in policies.by_id.values()]
    return Evaluator(policy, "stride", notices, denied)


def what_is_on(policies: RegimePolicies, cell: Cell) -> set[str]:
    decision = None
    if cell.answer != "none":
        there = evaluator(policies, cell.answered_at, gpc=cell.gpc)
        optional = {row.id: ANSWERS[cell.answer][row.id] for row in there.policy.optional}
        decision = transitions.replace(Choice(categories=optional, vendors={}), there.notice, NOW)
    consent = evaluator(policies, cell.place, gpc=cell.gpc).evaluate(decision, NOW, gpc=cell.gpc)
    return {category for category, is_on in consent.categories.items() if is_on}


@pytest.mark.parametrize(
    "block", regimes(), ids=lambda block: f"{block['regime']}-{block['place']}-{block.get('mode', '')}"
)
def test_what_is_on_under_a_regime_is_what_the_table_says(block: dict[str, Any]) -> None:
    policies = RegimePolicies(policy_of(block))
    wrong = {cell: on for cell in cells(block) if (on := what_is_on(policies, cell)) != cell.expected}
    assert not wrong


def declared(**regimes: bool | str) -> RegimePolicies:
    return RegimePolicies(Policy.from_data(data() | ({"regimes": regimes} if regimes else {})))


def test_without_regimes_a_policy_is_itself_everywhere() -> None:
    policies = declared()
    assert [policies.at(where, TODAY) for where in (None, Place("GB"), Place("US", "CA"), Place("DE"))] == [
        policies.home
    ] * 4
    assert list(policies.by_id) == ["nl"] and policies.home.is_home
    assert "regime" not in Notice.of(policies.home).facts


def test_the_own_notice_of_a_policy_stays_the_same_if_it_gets_rules_for_other_places() -> None:
    assert Notice.of(declared(gb=True, us="opt_out").home).digest == Notice.of(declared().home).digest


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("NL", "nl"),
        ("FR", "fr"),
        ("DE", "eea"),
        ("GB", "gb"),
        ("US-CA", "us-ca"),
        ("US-CO", "us-signal"),
        ("US-VA", "us-opt-out"),
        ("US-NY", "us-signal"),  # no law, but the owner applies opt-out everywhere
        ("US", "us-ca"),  # an unknown state may be California
        ("CA-ON", STRICTEST),
        ("JP", STRICTEST),
    ],
)
def test_a_place_has_the_regime_of_its_law(code: str, expected: str) -> None:
    policies = declared(eea=True, gb=True, us="opt_out", ca=True)
    assert policies.at(place(code), TODAY).regime.id == expected


def test_a_place_without_a_rule_in_the_policy_has_that_of_the_policy_in_the_eea_and_else_the_strictest() -> (
    None
):
    policies = declared(us=True)
    assert policies.at(Place("DE"), TODAY) is policies.home
    assert policies.at(Place("GB"), TODAY) is policies.strictest is policies.at(None, TODAY)
    assert policies.at(Place("US", "NY"), TODAY) is policies.strictest


def test_a_law_counts_from_its_first_day() -> None:
    policies = declared(us=True)
    assert policies.at(Place("US", "OK"), date(2026, 12, 31)) is policies.strictest
    assert policies.at(Place("US", "OK"), date(2027, 1, 1)).regime.family == "us"


def test_an_opt_out_is_remembered_for_twelve_months_and_a_choice_elsewhere_as_long_as_the_policy_says() -> (
    None
):  # SG-07
    policies = declared(us=True, gb=True)
    lengths = {regime: str(policy.validity) for regime, policy in policies.by_id.items()}
    assert lengths["us-ca"] in ("P12M", "P1Y") and lengths["gb"] == lengths["nl"] == "P6M"


def test_nobody_in_the_us_is_asked_again_within_twelve_months_where_consent_is_asked_first() -> None:  # SG-07
    policies = declared(us="opt_in", gb=True)
    assert [str(policies.by_id[regime].validity) for regime in ("us-ca", "gb")] == ["P1Y", "P6M"]


def test_of_two_rules_the_stricter_counts_category_by_category() -> None:
    block = next(row for row in regimes() if row["regime"] == "gb")
    policies = RegimePolicies(policy_of(block))
    gb, germany, california = (policies.by_id[regime] for regime in ("gb", "eea", "us-ca"))
    assert policies.stricter(gb, germany) is germany is policies.stricter(germany, gb)
    assert policies.stricter(gb, gb) is gb
    # Great Britain asks about more, and California's signal counts for more.
    both = policies.stricter(gb, california)
    assert both is policies.strictest and both.denies_by_gpc("ads") and not both.category("ads").exempt


def test_rules_that_are_stricter_in_different_categories_give_way_to_the_strictest_of_all() -> None:
    block = next(row for row in regimes() if row["regime"] == "gb")
    policies = RegimePolicies(policy_of(block))
    # Only NL exempts the audience, and only GB the appearance.
    both = policies.stricter(policies.by_id["nl"], policies.by_id["gb"])
    assert not any(row.exempt for row in both.categories if row.id in ("appearance", "statistics"))
