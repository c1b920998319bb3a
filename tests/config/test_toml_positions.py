import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.config.toml_positions import KeyPath, line_of, scan

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
    lines = scan(text)
    assert set(paths(tomllib.loads(text))) <= set(lines)


@pytest.mark.parametrize("name", ["consent.example.toml", "security_policy.toml"])
def test_every_key_of_the_examples_stands_on_its_line(name: str) -> None:
    text = (HERE / name).read_text("utf-8")
    lines = scan(text)
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
def test_lines_are_the_right_ones(path: KeyPath, begins: str) -> None:
    line = line_of(scan(TRICKY), path)
    assert line is not None
    assert TRICKY.split("\n")[line - 1].startswith(begins)


def test_what_has_no_line_takes_that_of_what_holds_it() -> None:
    lines = scan("[a]\nb = 1\n")
    assert line_of(lines, ("a", "missing")) == 1
    assert line_of(lines, ("a", "b", 3, "c")) == 2
    assert line_of(lines, ("missing",)) is None
    assert line_of(lines, ()) is None


@given(st.text(st.sampled_from("ab.=[]{}\"'#\n\r\t ,1\\-"), max_size=60) | st.text(max_size=60))
def test_no_text_makes_it_raise(text: str) -> None:
    scan(text)


@given(st.text(st.sampled_from("ab.=[]{}\"'#\n ,1\\"), max_size=25))
def test_whatever_is_toml_is_found_whole(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except ValueError:
        return
    assert set(paths(data)) <= set(scan(text))


def test_depth_does_not_make_it_raise() -> None:
    assert scan("a = " + "[" * 100_000)[("a",)] == 1
