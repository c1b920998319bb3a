import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.config.toml_positions import key_lines, line_of
from consentkit.policy.findings import KeyPath

HERE = Path(__file__).parents[1]

TRICKY = (HERE / "tricky.toml").read_text("utf-8")


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from paths(inner, (*path, key))


@pytest.mark.parametrize("text", [TRICKY, TRICKY.replace("\n", "\r\n")])
def test_every_key_and_item_has_a_line(text: str) -> None:
    lines = key_lines(text)
    assert set(paths(tomllib.loads(text))) <= set(lines)


@pytest.mark.parametrize("name", ["consent.example.toml", "security_policy.toml"])
def test_the_keys_of_the_examples_have_the_right_lines(name: str) -> None:
    text = (HERE / name).read_text("utf-8")
    lines = key_lines(text)
    rows = text.split("\n")
    for path in paths(tomllib.loads(text)):
        assert path in lines
        if isinstance(path[-1], str):
            assert path[-1] in rows[lines[path] - 1] or len(path) == 1


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        (("plain",), "plain"),
        (("quoted key",), '"quoted key"'),
        (('literal "key"',), "'literal"),
        (("escAped",), '"esc'),
        (("dotted", "key", "with dot.inside"), "dotted"),
        (("raw",), "raw"),
        (("list", 1), "    1, 2,"),
        (("list", 2, 0), "    [3,"),
        (("list", 2, 1, "er", 0), "     { deep"),
        (("list", 3), '    "last"'),
        (("inline", "b", "c", 1), "inline"),
        (("number",), "number"),
        (("table",), "[table]"),
        (("table", "inner", "key"), "  key = 2"),
        (("rows", 0), "[[rows]]"),
        (("rows", 0, "more"), "[rows.more]"),
        (("rows", 0, "parts", 1, "name"), 'name = "y"'),
        (("rows", 1, "id"), 'id = "b"'),
        (("rows", 1, "parts", 0, "name"), 'name = "z"'),
        (("quoted", "table", "key"), "key = 1"),
    ],
)
def test_each_kind_of_key_has_the_right_line(path: KeyPath, begins: str) -> None:
    line = line_of(key_lines(TRICKY), path)
    assert line is not None
    assert TRICKY.split("\n")[line - 1].startswith(begins)


def test_a_missing_key_has_the_line_of_its_table() -> None:
    lines = key_lines("[a]\nb = 1\n")
    assert line_of(lines, ("a", "missing")) == 1
    assert line_of(lines, ("a", "b", 3, "c")) == 2
    assert line_of(lines, ("missing",)) is None
    assert line_of(lines, ()) is None


@given(st.text(st.sampled_from("ab.=[]{}\"'#\n\r\t ,1\\-"), max_size=60) | st.text(max_size=60))
def test_any_text_is_scanned_without_an_error(text: str) -> None:
    key_lines(text)


@given(st.text(st.sampled_from("ab.=[]{}\"'#\n ,1\\"), max_size=25))
def test_every_key_of_any_toml_has_a_line(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except ValueError:
        return
    assert set(paths(data)) <= set(key_lines(text))


def test_deep_nesting_is_scanned_without_an_error() -> None:
    assert key_lines("a = " + "[" * 100_000)[("a",)] == 1
