from datetime import date, datetime, time
from pathlib import Path

import pytest

from consentkit.config.toml_document import LARGEST, TomlDocument, format_path, format_value
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
        (b"a = 1\nb =\n", 2, "Invalid TOML"),
        (b"a = 1\na = 2\n", 2, "Invalid TOML"),
        (b'a = "', 1, "Invalid TOML"),
        (b"a = 1\n[b", 2, "Invalid TOML"),
        (b"\x00", 1, "Invalid TOML at column 1: invalid statement"),
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
        (b"a = 2026-02-31\n", 1, "Invalid TOML"),
        (b"a = " + b"9" * 5000, None, "Invalid TOML"),
    ],
    ids=range(17),
)
def test_content_that_is_no_toml_is_refused_with_its_line(
    content: bytes, line: int | None, message: str
) -> None:
    problem = refusal(content)
    assert message in problem.message
    assert problem.line == line


def test_a_file_of_the_largest_size_is_read() -> None:
    assert TomlDocument("consent.toml", b"#" * LARGEST).data == {}


def test_dots_in_a_text_are_no_long_key() -> None:
    dots = "and so on. " * 200 + "x.y.z " * 5
    assert TomlDocument("consent.toml", f'a = "{dots}"'.encode()).data == {"a": dots}


@pytest.mark.parametrize("name", ["", ".", "missing.toml", "no/such/folder/consent.toml", "x" * 300, "a\0b"])
def test_a_path_without_a_file_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PolicyError) as caught:
        TomlDocument.read(Path(name))
    (problem,) = caught.value.problems
    assert problem.line is None and problem.key == "" and problem.remedy


def test_a_device_is_refused_without_waiting() -> None:
    with pytest.raises(PolicyError, match="not a regular file"):
        TomlDocument.read(Path("/dev/zero"))


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").symlink_to(tmp_path / "consent.toml")
    with pytest.raises(PolicyError, match=r"consent\.toml"):
        TomlDocument.read(tmp_path / "consent.toml")


def test_problems_come_in_the_order_of_the_file() -> None:
    document = TomlDocument("consent.toml", b'a = "x"\n[b]\nc = [1]\n')
    findings = [
        Finding(("b", "c", 0), "Third.", "Fix it."),
        Finding(("a",), "Second.", "Fix it."),
        Finding(("missing",), "First.", "Fix it."),
        Finding(("b", "missing"), "In between.", "Fix it."),
    ]
    assert [str(problem) for problem in document.problems(findings)] == [
        "consent.toml: missing: First. Fix it.",
        'consent.toml:1: a = "x": Second. Fix it.',
        "consent.toml:2: b.missing: In between. Fix it.",
        "consent.toml:3: b.c[0] = 1: Third. Fix it.",
    ]
    assert (
        str(document.problems([Finding((), "All of it.", "Fix it.")])[0])
        == "consent.toml: All of it. Fix it."
    )


@pytest.mark.parametrize(
    ("toml", "path", "subject"),
    [
        ('[[vendors]]\nid = "yt"\nname = "You\\tTube"\n', ("vendors", 0, "country"), "You\\u0009Tube (yt)"),
        ('[[sites]]\nid = "stride"\nname = "Stride"\n', ("sites", 0), "Stride (stride)"),
        ('[[sites]]\nid = "stride"\nname = "Stride"\n', ("sites",), ""),
        ('[[sites]]\nid = "stride"\n', ("sites", 0, "name"), ""),
        ('[[sites]]\nid = 3\nname = "Stride"\n', ("sites", 0, "id"), ""),
        ("sites = [1]\n", ("sites", 0), ""),
        ('[[trackers]]\nname = "_ga"\nid = "x"\n', ("trackers", 0, "kind"), ""),
    ],
)
def test_a_problem_names_its_vendor_or_site_with_the_id(
    toml: str, path: tuple[str | int, ...], subject: str
) -> None:
    (problem,) = TomlDocument("consent.toml", toml.encode()).problems([Finding(path, "Wrong.", "Fix it.")])
    assert problem.subject == subject


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("vendors", 2, "country"), "vendors[2].country"),
        (("a b", "c"), '"a b".c'),
        (("\x1b[31m",), '"\\u001B[31m"'),
        (("x" * 100,), '"' + "x" * 60 + '…"'),
    ],
)
def test_a_path_is_shown_as_toml_writes_it(path: tuple[str | int, ...], shown: str) -> None:
    assert format_path(path) == shown


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
def test_a_value_is_shown_shortened_and_escaped(value: object, shown: str) -> None:
    assert format_value(value) == shown
