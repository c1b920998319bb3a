from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consentkit.config import schema_errors as shape
from consentkit.policy.findings import Finding
from consentkit.policy.policy import Policy
from tests.support.policies import Change, data, drop, policy, put


def findings(whole: dict[str, Any]) -> list[Finding]:
    try:
        Policy.model_validate(whole)
    except ValidationError as error:
        return shape.findings(error)
    return []


@pytest.mark.parametrize(
    ("change", "path", "message", "remedy"),
    [
        (drop("validity"), ("validity",), "The key is missing.", "Add it: How long a decision holds"),
        (
            drop("vendors", 0, "profiling"),
            ("vendors", 0, "profiling"),
            "The key is missing.",
            "profiling = true if",
        ),
        (
            drop("controller", "authority", "url"),
            ("controller", "authority", "url"),
            "missing",
            "Its address on the web",
        ),
        (put("vendors", 0, countri="NL"), ("vendors", 0, "countri"), "not known", 'Did you mean "country"?'),
        (
            put("vendors", 0, origins={"skript": []}),
            ("vendors", 0, "origins", "skript"),
            "not known",
            '"script"',
        ),
        (
            put("controller", **{"@": 1}),
            ("controller", "@"),
            "not known",
            "Known here: name, address, country",
        ),
        (put(profiling=True), ("profiling",), "not known", "It belongs under [[vendors]]"),
        (
            put("trackers", 0, basis="legitimate interest"),
            ("trackers", 0, "basis"),
            "Legitimate interest is no",
            "Leave",
        ),
        (
            put("trackers", 0, basis="consent"),
            ("trackers", 0, "basis"),
            "not for the policy to choose",
            "Leave",
        ),
        (
            put(refusal_validity="P1M"),
            ("refusal_validity",),
            "remembered as long",
            "`validity` holds for both",
        ),
        (put(schema=1.5), ("schema",), "a number; a whole number is wanted", "without a point"),
        (put(vendors={}), ("vendors",), "a table; a list is wanted", "[[vendors]]"),
        (put(vendors=[3]), ("vendors", 0), "a whole number; a table is wanted", "heading"),
        (put("sites", 0, name=["x"]), ("sites", 0, "name"), "a list; a text is wanted", "quotes"),
        (
            put("categories", 0, required=1),
            ("categories", 0, "required"),
            "true or false is wanted",
            "without quotes",
        ),
        (
            put("trackers", 0, kind="cooky"),
            ("trackers", 0, "kind"),
            "word is not known",
            'Did you mean "cookie"?',
        ),
        (
            put("trackers", 0, kind=3),
            ("trackers", 0, "kind"),
            "word is not known",
            "Known here: cookie, local_storage",
        ),
        (put(sites=[]), ("sites",), "The list is empty", "at least one"),
    ],
)
def test_what_is_wrong_is_said_in_the_owners_words(
    change: Change, path: tuple[str | int, ...], message: str, remedy: str
) -> None:
    (finding,) = findings(data(change))
    assert finding.path == path
    assert message in finding.message
    assert remedy in finding.remedy
    assert finding.warning is False


def test_a_list_whose_only_row_is_wrong_is_not_called_empty() -> None:
    assert [one.path for one in findings(data(drop("sites", 0, "id")))] == [("sites", 0, "id")]


ODD = st.sampled_from([None, "", "x", 0, 1.5, True, [], {}, [[]], [{}], {"en": "x"}, {"x": {}}, ["x"], "P6M"])


@given(
    keys=st.lists(st.tuples(st.sampled_from(sorted(data())), ODD), max_size=3),
    cells=st.lists(
        st.tuples(
            st.sampled_from(["sites", "categories", "vendors", "trackers"]),
            st.sampled_from(
                ["id", "name", "title", "category", "kind", "country", "origins", "lifetime", "unknown"]
            ),
            ODD,
        ),
        max_size=4,
    ),
)
def test_what_is_mended_is_always_a_policy(
    keys: list[tuple[str, Any]], cells: list[tuple[str, str, Any]]
) -> None:
    whole = data(
        *(put(section, 0, **{key: value}) for section, key, value in cells), *(put(**{k: v}) for k, v in keys)
    )
    found = findings(whole)
    with_placeholders, bad = shape.with_placeholders(whole, found)
    assert Policy.model_validate(with_placeholders)
    assert bool(bad) <= bool(found)


def test_mending_leaves_what_is_right_and_the_original_alone() -> None:
    whole = data(put("vendors", 0, country="XX", more=1), drop("validity"), put("controller", email="x"))
    before = repr(whole)
    with_placeholders, bad = shape.with_placeholders(whole, findings(whole))
    assert repr(whole) == before
    assert bad == {("vendors", 0, "country"), ("validity",), ("controller",)}
    assert with_placeholders["vendors"][0]["name"] == "Counter"
    assert with_placeholders["sites"] == policy().model_dump(mode="json", exclude_none=True)["sites"]
