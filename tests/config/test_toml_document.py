from datetime import date, datetime, time
from pathlib import Path

import pytest

from consentkit.config.toml_document import LARGEST, TomlDocument, shown_path, shown_value
from consentkit.errors import PolicyError, PolicyProblem
from consentkit.policy.findings import Finding


def refusal(content: bytes) -> PolicyProblem:
    with pytest.raises(PolicyError) as caught:
        TomlDocument("consent.toml", content)
    (problem,) = caught.value.problems
    assert problem.file == "consent.toml" and problem.remedy
    return problem


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"a = 1\nb =\n", 2, "not TOML"),
        (b"a = 1\na = 2\n", 2, "not TOML"),
        (b'a = "', 1, "not TOML"),
        (b"a = 1\n[b", 2, "not TOML"),
        (b"\x00", 1, "not TOML: Invalid statement"),
        (b'a = 1\nb = "\xff"\n', 2, "not UTF-8"),
        (b"\xef\xbb\xbfa = 1\n", 1, "byte order mark"),
        ("a = 1\n".encode("utf-16"), 1, "UTF-16"),
        (b"\x89PNG\r\n\x1a\n", 1, "not UTF-8"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, None, "nested too deep"),
        (b"a = " + b"{a=" * 5000 + b"1" + b"}" * 5000, None, "nested too deep"),
        (b"x = 1\n" + b"a." * 5000 + b"a = 1", 2, "more than 30 parts"),
        (b"x = 1\n[" + b'"a" . ' * 5000 + b"a]", 2, "more than 30 parts"),
        (b"x = {" + b"'a'." * 5000 + b"a = 1}", 1, "more than 30 parts"),
        (b"#" * (LARGEST + 1), None, "larger than 1 MiB"),
        (b"a = 2026-02-31\n", 1, "not TOML"),
        (b"a = " + b"9" * 5000, None, "not TOML"),
    ],
    ids=range(17),
)
def test_what_is_no_policy_is_refused_with_its_line(content: bytes, line: int | None, message: str) -> None:
    problem = refusal(content)
    assert message in problem.message
    assert problem.line == line


def test_the_largest_file_is_read() -> None:
    assert TomlDocument("consent.toml", b"#" * LARGEST).data == {}


def test_dots_in_texts_are_no_key() -> None:
    dots = "and so on. " * 200 + "x.y.z " * 5
    assert TomlDocument("consent.toml", f'a = "{dots}"'.encode()).data == {"a": dots}


@pytest.mark.parametrize("name", ["", ".", "missing.toml", "no/such/folder/consent.toml", "x" * 300, "a\0b"])
def test_what_is_no_file_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PolicyError) as caught:
        TomlDocument.read(Path(name))
    (problem,) = caught.value.problems
    assert problem.line is None and problem.key == "" and problem.remedy


def test_a_device_or_pipe_is_not_waited_for() -> None:
    with pytest.raises(PolicyError, match="not a file"):
        TomlDocument.read(Path("/dev/zero"))


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").symlink_to(tmp_path / "consent.toml")
    with pytest.raises(PolicyError, match=r"consent\.toml"):
        TomlDocument.read(tmp_path / "consent.toml")


def test_findings_are_placed_in_the_order_of_the_file() -> None:
    source = TomlDocument("consent.toml", b'a = "x"\n[b]\nc = [1]\n')
    findings = [
        Finding(("b", "c", 0), "Third.", "Mend it."),
        Finding(("a",), "Second.", "Mend it."),
        Finding(("missing",), "First.", "Mend it."),
        Finding(("b", "missing"), "In between.", "Mend it."),
    ]
    assert [str(problem) for problem in source.problems(findings)] == [
        "consent.toml: missing: First. Mend it.",
        'consent.toml:1: a = "x": Second. Mend it.',
        "consent.toml:2: b.missing: In between. Mend it.",
        "consent.toml:3: b.c[0] = 1: Third. Mend it.",
    ]
    assert (
        str(source.problems([Finding((), "All of it.", "Mend it.")])[0])
        == "consent.toml: All of it. Mend it."
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("vendors", 2, "country"), "vendors[2].country"),
        (("a b", "c"), '"a b".c'),
        (("\x1b[31m",), '"\\u001B[31m"'),
        (("x" * 100,), '"' + "x" * 60 + '…"'),
    ],
)
def test_paths_are_shown_as_toml_writes_them(path: tuple[str | int, ...], shown: str) -> None:
    assert shown_path(path) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (-1.5, "-1.5"),
        (10**100, "a number of many digits"),
        ('a"b\\', '"a\\"b\\\\"'),
        ("a\nb\x1b\u202e", '"a\\nb\\u001B\\u202E"'),
        ([], "[]"),
        ([1], "[…]"),
        ({}, "{}"),
        ({"a": 1}, "{…}"),
        (date(2026, 11, 22), "2026-11-22"),
        (datetime(2026, 11, 22, 1, 2), "2026-11-22T01:02:00"),
        (time(1, 2), "01:02:00"),
    ],
)
def test_values_are_shown_short_and_harmless(value: object, shown: str) -> None:
    assert shown_value(value) == shown
