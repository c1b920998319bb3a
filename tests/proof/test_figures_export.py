import csv
import io
import json
from typing import Any

import pytest

from consentkit import Policy
from consentkit.proof import figures_as_csv, figures_as_data, figures_as_json
from consentkit.proof.figures import VisitorFigures
from tests.support.figures import some_figures


@pytest.fixture
def data(policy: Policy) -> dict[str, Any]:
    return figures_as_data(some_figures(), policy)


def numbers(value: Any) -> list[int]:
    """Return all numbers of people, wherever they are."""
    if isinstance(value, dict):
        plain = {
            key: each
            for key, each in value.items()
            if not key.endswith(("_seconds", "per_cent", "schema", "_whole"))
        }
        return [number for each in plain.values() for number in numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in numbers(each)]
    return [value] if isinstance(value, int) else []


def test_all_numbers_are_multiples_of_five_and_add_up(data: dict[str, Any]) -> None:
    assert len(numbers(data)) > 100 and not [number for number in numbers(data) if number % 5]
    for kind in ("accepted", "partly", "rejected", "withdrawn"):
        total = data[kind] if kind == "withdrawn" else data["answers"][kind]["number"]
        for rows in (data["by_day"], data["by_site"]):
            assert sum(row[kind] for row in rows) == total > 0
    assert data["answered"] == sum(row["number"] for row in data["answers"].values())
    banners = data["shown"]["banner"] + data["shown"]["asked_again"]
    assert sum(row["shown"] for row in data["by_day"]) == banners
    assert data["not_answered_on_banner"] == banners - data["answered_on_banner"]


def test_everything_of_the_policy_is_there_and_what_no_longer_is(data: dict[str, Any]) -> None:
    categories = {row["id"]: row for row in data["categories"]}
    assert categories["analytical"]["name"] == "Analytical" and categories["gone"]["name"] == "gone"
    assert {"youtube", "google-analytics"} <= {row["id"] for row in data["vendors"]}
    assert categories["analytical"]["per_cent"] == 67 and categories["analytical"]["per_cent_of"] == "grants"
    assert categories["social"]["number"] == 0


def test_json_and_csv_hold_the_same_numbers(data: dict[str, Any]) -> None:
    assert json.loads(figures_as_json(data)) == data
    rows = list(csv.DictReader(io.StringIO(figures_as_csv(data))))
    of_csv = sorted(int(row["number"]) for row in rows if row["number"])
    of_json = sorted(numbers({key: each for key, each in data.items() if key != "multiple_of"}))
    assert of_csv == of_json
    assert [row["id"] for row in rows if row["figure"] == "median"] == ["86400-604800"]


def test_percentages_have_their_base_and_there_is_none_of_few(policy: Policy) -> None:
    few = some_figures(4)
    data = figures_as_data(few, policy)
    assert 0 < data["grants"] < data["least_whole"] == 200
    parts = [*data["answers"].values(), data["gpc"], *data["categories"], *data["vendors"]]
    assert data["categories"][0]["number"] > 0 and {row["per_cent"] for row in parts} == {None}
    assert {row["per_cent_of"] for row in parts} == {"answered", "answered_and_opt_outs", "grants"}
    assert f"category,analytical,Analytical,,{data['categories'][0]['number']},,grants" in figures_as_csv(
        data
    )
    cells = {"accepted": 100, "rejected": 100, "opted_out": 200, "gpc": 200}
    days = {"stride": {(kind, ""): [number] for kind, number in cells.items()}}
    data = figures_as_data(VisitorFigures(few.first, few.first, ("stride",), days), policy)
    assert (data["answers"]["accepted"]["per_cent"], data["gpc"]["per_cent"]) == (50, 50)


def test_without_records_there_are_figures_all_the_same(policy: Policy) -> None:
    whole = some_figures()
    data = figures_as_data(VisitorFigures(whole.first, whole.last, whole.sites, {}), policy)
    assert data["quartiles"] is None and data["not_answered_on_banner"] is None
    assert set(numbers({key: each for key, each in data.items() if key != "multiple_of"})) == {0}
    assert {row["per_cent"] for row in data["answers"].values()} == {None}
    assert "not_answered_on_banner,,,,,,\r\n" in figures_as_csv(data)
