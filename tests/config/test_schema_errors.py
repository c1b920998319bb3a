from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consentkit.config.schema_errors import explain_errors, with_placeholders
from consentkit.policy.findings import Finding
from consentkit.policy.policy import Policy
from tests.support.policies import Change, data, drop, policy, put


def findings(content: dict[str, Any]) -> list[Finding]:
    try:
        Policy.model_validate(content)
    except ValidationError as error:
        return explain_errors(error)
    return []


@pytest.mark.parametrize(
    ("change", "path", "message", "remedy"),
    [
        (
            drop("validity"),
            ("validity",),
            "Missing key `validity`.",
            'Write how long a decision is valid, such as "P6M".',
        ),
        (
            drop("vendors", 0, "profiling"),
            ("vendors", 0, "profiling"),
            "Missing key `profiling`.",
            "profiling = true if",
        ),
        (
            drop("controller", "authority", "url"),
            ("controller", "authority", "url"),
            "Missing key `url`.",
            "Add it: address of its web site.",
        ),
        (
            put("vendors", 0, countri="NL"),
            ("vendors", 0, "countri"),
            "Unknown key",
            'Did you mean "country"?',
        ),
        (
            put("vendors", 0, origins={"skript": []}),
            ("vendors", 0, "origins", "skript"),
            "Unknown key",
            '"script"',
        ),
        (
            put("controller", **{"@": 1}),
            ("controller", "@"),
            "Unknown key",
            "Expected one of: name, address, country",
        ),
        (put(profiling=True), ("profiling",), "Unknown key", "Move it below [[vendors]]"),
        (
            put("trackers", 0, basis="legitimate interest"),
            ("trackers", 0, "basis"),
            "Legitimate interest is not",
            "Remove the key",
        ),
        (
            put("trackers", 0, basis="consent"),
            ("trackers", 0, "basis"),
            "cannot choose the legal basis",
            "Remove the key",
        ),
        (
            put(refusal_validity="P1M"),
            ("refusal_validity",),
            "valid for as long",
            "`validity` applies to both",
        ),
        (
            put(schema=1.5),
            ("schema",),
            "Expected a whole number, found a decimal number",
            "without a decimal point",
        ),
        (put(vendors={}), ("vendors",), "Expected a list, found a table", "[[vendors]]"),
        (put(vendors=[3]), ("vendors", 0), "Expected a table, found a whole number", "heading"),
        (put("sites", 0, name=["x"]), ("sites", 0, "name"), "Expected text, found a list", "quotes"),
        (
            put("categories", 0, required=1),
            ("categories", 0, "required"),
            "Expected true or false, found a whole number.",
            "Write true or false, without quotes.",
        ),
        (
            put("trackers", 0, kind="cooky"),
            ("trackers", 0, "kind"),
            "Unknown value",
            'Did you mean "cookie"?',
        ),
        (
            put("trackers", 0, kind=3),
            ("trackers", 0, "kind"),
            "Unknown value",
            "Expected one of: cookie, local_storage",
        ),
        (put(sites=[]), ("sites",), "The list is empty", "at least one"),
    ],
)
def test_each_error_says_what_was_found_and_what_to_do(
    change: Change, path: tuple[str | int, ...], message: str, remedy: str
) -> None:
    (finding,) = findings(data(change))
    assert finding.path == path
    assert message in finding.message
    assert remedy in finding.remedy
    assert finding.warning is False


def test_a_list_whose_only_row_is_invalid_is_not_called_empty() -> None:
    assert [finding.path for finding in findings(data(drop("sites", 0, "id")))] == [("sites", 0, "id")]


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
def test_data_with_placeholders_is_always_a_policy(
    keys: list[tuple[str, Any]], cells: list[tuple[str, str, Any]]
) -> None:
    content = data(
        *(put(section, 0, **{key: value}) for section, key, value in cells), *(put(**{k: v}) for k, v in keys)
    )
    found = findings(content)
    filled, placeholder_paths = with_placeholders(content, found)
    assert Policy.model_validate(filled)
    assert bool(placeholder_paths) <= bool(found)


def test_placeholders_replace_only_invalid_values_of_a_copy() -> None:
    content = data(put("vendors", 0, country="XX", more=1), drop("validity"), put("controller", email="x"))
    before = repr(content)
    filled, placeholder_paths = with_placeholders(content, findings(content))
    assert repr(content) == before
    assert placeholder_paths == {("vendors", 0, "country"), ("validity",), ("controller",)}
    assert filled["vendors"][0]["name"] == "Counter"
    assert filled["sites"] == policy().model_dump(mode="json", exclude_none=True)["sites"]
