import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.config.policy_file import PolicyFile, check_file, load_policy
from consentkit.config.toml_document import TomlDocument
from consentkit.errors import PolicyError
from consentkit.policy.policy import Policy
from tests.support.policies import TEXT

HERE = Path(__file__).parents[1]
FAULTY = sorted((HERE / "faulty_policies").glob("*.toml"))
TODAY = date(2026, 11, 22)
EXAMPLE = (HERE / "consent.example.toml").read_text("utf-8")


def test_there_are_plenty_of_faulty_policies() -> None:
    assert len(FAULTY) >= 60


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_a_faulty_policy_is_told_exactly_what_is_wrong(path: Path) -> None:
    expected = [
        line.removeprefix("# expect: ")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("# expect: ")
    ]
    with pytest.raises(PolicyError) as caught:
        load_policy(path, today=TODAY)
    problems = caught.value.problems
    assert [
        f"{problem.line or '-'}: {problem.key + ': ' if problem.key else ''}{problem.message}"
        for problem in problems
    ] == expected
    for problem in problems:
        assert problem.file == str(path)
        assert problem.remedy.endswith((".", "?"))
        assert str(problem) in str(caught.value)


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_a_line_that_is_named_holds_the_key_or_its_table(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    for problem in check_file(path, today=TODAY).problems:
        if problem.line is not None and problem.key:
            names = re.findall(r"[a-z_]+", problem.key)
            assert any(name in lines[problem.line - 1] for name in names)


def test_the_example_is_a_policy() -> None:
    policy = load_policy(str(HERE / "consent.example.toml"), today=TODAY)
    assert isinstance(policy, PolicyFile) and isinstance(policy, Policy)
    assert policy.path == HERE / "consent.example.toml"
    assert [(warning.key, warning.line) for warning in policy.warnings] == [
        ("vendors[0].safeguard", 68),
        ("vendors[1]", 79),
        ("vendors[1].safeguard", 84),
        ("trackers[1].lifetime", 117),
    ]


def test_without_a_date_the_day_in_utc_counts() -> None:
    assert (
        load_policy(HERE / "consent.example.toml").validity
        == load_policy(HERE / "consent.example.toml", today=TODAY).validity
    )


def test_a_report_holds_a_policy_or_its_problems(tmp_path: Path) -> None:
    good = check_file(HERE / "consent.example.toml", today=TODAY)
    assert good.policy is not None and good.problems == () and good.warnings == good.policy.warnings
    missing = check_file(tmp_path / "consent.toml")
    assert missing.policy is None and len(missing.problems) == 1 and missing.warnings == ()
    faulty = tmp_path / "faulty.toml"
    faulty.write_text(EXAMPLE.replace('"P6M"', '"P14M"', 1), "utf-8")
    report = check_file(faulty, today=TODAY)
    assert report.policy is None and len(report.problems) == 1 and len(report.warnings) == 3


OWN_LIST = """
as_of = 2026-11-01
eea = ["NL", "DE"]

[[decisions]]
country = "GB"
from = 2021-06-28
until = 2026-12-31
"""


def policy_with_list(folder: Path, text: str | None, country: str = "GB") -> Path:
    if text is not None:
        (folder / "adequacy.toml").write_text(text, "utf-8")
    path = folder / "consent.toml"
    changed = TEXT.replace("records_kept", 'adequacy_file = "adequacy.toml"\nrecords_kept')
    path.write_text(
        changed.replace('country = "NL"\nprof', f'country = "{country}"\nsafeguard = "adequacy"\nprof'),
        "utf-8",
    )
    return path


def test_a_list_of_ones_own_replaces_the_shipped_one(tmp_path: Path) -> None:
    # TR-07
    policy = load_policy(policy_with_list(tmp_path, OWN_LIST), today=TODAY)
    assert policy.transfer_data.as_of == date(2026, 11, 1)
    assert policy.adequacy_lapses(policy.vendor("counter")) == date(2026, 12, 31)
    assert [warning.key for warning in policy.warnings] == ["vendors[0].safeguard"]
    with pytest.raises(PolicyError, match="no adequacy decision for CH"):
        load_policy(policy_with_list(tmp_path, OWN_LIST, "CH"), today=TODAY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"consent\.toml:5: adequacy_file = .*does not exist"),
        ("as_of = ", r"consent\.toml:5: adequacy_file = .*cannot be used.*not TOML"),
        (OWN_LIST.replace("2026-11-01", '"2026-11-01"'), r"adequacy\.toml:2: as_of = .*a date is wanted"),
        (OWN_LIST.replace("DE", "XX"), r"adequacy\.toml:3: eea\[1\] = \"XX\": .*ISO 3166"),
        (OWN_LIST.replace("country", "land"), r"adequacy\.toml:6: decisions\[0\]\.land.*Did|Known"),
        (OWN_LIST.replace("2026-12-31", "2021-01-01"), r"ends before it begins"),
        (OWN_LIST.replace("[[decisions]]", "[decisions]"), r"decisions = .*a list is wanted"),
        (OWN_LIST + "from = 1\n", r"cannot be used.*not TOML"),
        ("eea = []", r"adequacy\.toml: as_of: The key is missing"),
    ],
    ids=range(9),
)
def test_a_list_that_cannot_be_used_says_where(tmp_path: Path, text: str | None, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        load_policy(policy_with_list(tmp_path, text, "IN"), today=date(2099, 1, 1))
    assert not any("IN" in problem.message for problem in caught.value.problems)


def test_problems_of_all_files_are_reported(tmp_path: Path) -> None:
    path = policy_with_list(tmp_path, OWN_LIST.replace("DE", "XX"))
    (tmp_path / "consent.lock").write_text("[", "utf-8")
    path.write_text(path.read_text("utf-8").replace('"P6M"', '"P14M"'), "utf-8")
    files = {Path(problem.file).name for problem in check_file(path, today=TODAY).problems}
    assert files == {"adequacy.toml", "consent.toml", "consent.lock"}


@pytest.mark.parametrize("name", ["3", '""', '"  "'])
def test_an_odd_name_of_a_list_is_a_problem(tmp_path: Path, name: str) -> None:
    path = policy_with_list(tmp_path, None)
    path.write_text(path.read_text("utf-8").replace('"adequacy.toml"', name), "utf-8")
    assert [
        problem.key for problem in check_file(path, today=TODAY).problems if "adequacy" in problem.key
    ] == ["adequacy_file"]


def check(folder: Path, content: bytes) -> None:
    """Load whatever a file holds: a policy, or an error that says where."""
    path = folder / "consent.toml"
    path.write_bytes(content)
    try:
        load_policy(path, today=TODAY)
    except PolicyError as error:
        assert error.problems
        lines = [problem.line or 0 for problem in error.problems if problem.file == str(path)]
        assert lines == sorted(lines)
        assert all(line <= content.count(b"\n") + 1 for line in lines)
        assert all(problem.message and problem.remedy for problem in error.problems)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies")


@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_no_bytes_make_anything_else_raise(folder: Path, content: bytes) -> None:
    check(folder, content)


SNIPPETS = [*"\"'[]{}=#.,-1\né\0", '""', "[[", "true", "nan", "1979-05-27"]
mutations = st.lists(
    st.tuples(
        st.integers(0, len(EXAMPLE)),
        st.integers(0, 40),
        st.sampled_from(SNIPPETS) | st.text(max_size=5, alphabet=st.characters(exclude_categories=["Cs"])),
    ),
    min_size=1,
    max_size=4,
)


@given(mutations=mutations)
def test_no_mutation_of_the_example_makes_anything_else_raise(
    folder: Path, mutations: list[tuple[int, int, str]]
) -> None:
    text = EXAMPLE
    for at, length, new in mutations:
        text = text[:at] + new + text[at + length :]
    check(folder, text.encode())


WRITTEN = """
"" "x" "P6M" 0 1 -1 1.5 nan inf true [] {} [[]] ["en"] {en="x"} {x={y=1}} 2026-11-22 07:32:00 2026-11-22T07:32:00Z
[{id="a"}] [1,2] "*" "adequacy" "functional" "US" 99999999999999999999
"""
VALUES = WRITTEN.split()
LINES = [line for line in EXAMPLE.splitlines() if " = " in line and not line.startswith("#")]
KEYS = [*sorted({line.split(" = ")[0] for line in LINES}), "legal_basis", "exempt", "unknown", '"a b"', "a.b"]
HEADINGS = [
    *sorted({line.split("#")[0].strip() for line in EXAMPLE.splitlines() if line[:1] == "["}),
    "[sites]",
    "[x]",
]


def table(pairs: dict[str, str], heading: str) -> str:
    return "\n".join([heading, *(f"{key} = {value}" for key, value in pairs.items())])


pairs = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=8)
documents = st.tuples(pairs, st.lists(st.tuples(pairs, st.sampled_from(HEADINGS)), max_size=6)).map(
    lambda drawn: "\n".join([table(drawn[0], ""), *(table(*one) for one in drawn[1])])
)


@given(document=documents)
def test_no_toml_makes_anything_else_raise(folder: Path, document: str) -> None:
    check(folder, document.encode())


@given(
    at=st.integers(0, len(LINES) - 1),
    value=st.sampled_from(VALUES),
    second=st.integers(0, len(LINES) - 1),
    drops=st.sets(st.integers(0, len(LINES) - 1), max_size=3),
)
def test_no_value_in_the_place_of_another_makes_anything_else_raise(
    folder: Path, at: int, value: str, second: int, drops: set[int]
) -> None:
    text = EXAMPLE
    for place in drops:
        text = text.replace(LINES[place] + "\n", "", 1)
    for place in (at, second):
        text = text.replace(LINES[place], f"{LINES[place].split(' = ')[0]} = {value}", 1)
    check(folder, text.encode())


def test_every_key_of_the_policy_may_be_missing_or_of_any_type(folder: Path) -> None:
    for line in LINES:
        for value in (None, '""', "1", "true", "[]", "{}", "2026-11-22"):
            new = "" if value is None else f"{line.split(' = ')[0]} = {value}"
            check(folder, EXAMPLE.replace(line, new, 1).encode())


@pytest.mark.parametrize(
    "line",
    [
        # IN-01 to IN-05: GDPR 13 asks for each of them
        'name = "Example Media BV"',
        'address = "Voorbeeldkade 1, 1011 AB Amsterdam"',
        'email = "privacy@media.example"',
        'authority = { name = "Autoriteit Persoonsgegevens", url = "https://autoriteitpersoonsgegevens.nl" }',
        'records_kept = "P24M"',
        'description = { en = "Count visits.", nl = "Tellen bezoeken." }',
        'name = "Counter"',
        'country = "NL"\nprofiling = false',
        "profiling = false",
        'policy_url = "https://counter.example/privacy"',
        'lifetime = "P30D"',
        'purpose = { en = "Tells visits apart.", nl = "Onderscheidt bezoeken." }',
    ],
)
def test_a_policy_that_leaves_out_what_visitors_are_owed_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "consent.toml"
    path.write_text(TEXT, "utf-8")
    assert load_policy(path, today=TODAY)
    path.write_text(TEXT.replace(line, "", 1), "utf-8")
    with pytest.raises(PolicyError, match="The key is missing"):
        load_policy(path, today=TODAY)


def test_a_policy_of_a_megabyte_of_mistakes_is_reported_all_the_same(folder: Path) -> None:
    rows = "[[trackers]]\nx = 1\n" * 2000
    path = folder / "many.toml"
    path.write_text(TEXT + rows, "utf-8")
    assert len(check_file(path, today=TODAY).problems) == 2000 * 6


def test_the_data_is_that_of_the_file() -> None:
    source: dict[str, Any] = TomlDocument.read(HERE / "consent.example.toml").data
    assert source["schema"] == 1
