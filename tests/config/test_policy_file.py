import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.config.policy_file import PolicyFile, check_file, load_policy
from consentkit.errors import PolicyError
from consentkit.policy.policy import Policy
from tests.support.policies import TEXT

HERE = Path(__file__).parents[1]
FAULTY = sorted((HERE / "faulty_policies").glob("*.toml"))
TODAY = date(2026, 11, 30)
EXAMPLE = (HERE / "consent.example.toml").read_text("utf-8")


def test_there_are_many_faulty_policies() -> None:
    assert len(FAULTY) >= 140


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_every_problem_of_a_faulty_policy_is_reported_on_its_line(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    expected = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
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
        if problem.line is not None and problem.key:
            assert any(name in lines[problem.line - 1] for name in re.findall(r"[a-z_]+", problem.key))


def test_the_example_loads_with_its_warnings() -> None:
    policy = load_policy(str(HERE / "consent.example.toml"), today=TODAY)
    assert isinstance(policy, PolicyFile) and isinstance(policy, Policy)
    assert policy.path == HERE / "consent.example.toml"
    assert [(warning.key, warning.line) for warning in policy.warnings] == [
        ("controller.privacy_policy", 12),
        ("controller.rights_url", 12),
        ("categories[0].description.en", 40),
        ("categories[0].description.nl", 40),
        ("categories[1].description.en", 45),
        ("categories[1].description.nl", 45),
        ("categories[2].description.en", 52),
        ("categories[2].description.nl", 52),
        ("categories[3].description.en", 60),
        ("categories[3].description.nl", 60),
        ("vendors[0].safeguard", 68),
        ("vendors[1]", 79),
        ("vendors[1].safeguard", 84),
        ("trackers[1].lifetime", 117),
    ]


def test_a_report_has_a_policy_or_its_problems(tmp_path: Path) -> None:
    good = check_file(HERE / "consent.example.toml", today=TODAY)
    assert good.policy is not None and good.problems == () and good.warnings == good.policy.warnings
    missing = check_file(tmp_path / "consent.toml")
    assert missing.policy is None and len(missing.problems) == 1 and missing.warnings == ()
    faulty = tmp_path / "faulty.toml"
    faulty.write_text(EXAMPLE.replace('"P6M"', '"P14M"', 1), "utf-8")
    report = check_file(faulty, today=TODAY)
    assert report.policy is None and len(report.problems) == 1 and len(report.warnings) == 13


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


def test_adequacy_file_replaces_the_shipped_list(tmp_path: Path) -> None:
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
        ("as_of = ", r"consent\.toml:5: adequacy_file = .*cannot be used.*Invalid TOML"),
        (OWN_LIST.replace("2026-11-01", '"2026-11-01"'), r"adequacy\.toml:2: as_of = .*Expected a date"),
        (OWN_LIST.replace("DE", "XX"), r"adequacy\.toml:3: eea\[1\] = \"XX\": .*ISO 3166"),
        (OWN_LIST.replace("country", "land"), r"adequacy\.toml:6: decisions\[0\]\.land.*Did|Expected"),
        (OWN_LIST.replace("2026-12-31", "2021-01-01"), r"ends before it begins"),
        (OWN_LIST.replace("[[decisions]]", "[decisions]"), r"decisions = .*Expected a list"),
        (OWN_LIST + "from = 1\n", r"cannot be used.*Invalid TOML"),
        ("eea = []", r"adequacy\.toml: as_of: Missing key"),
    ],
    ids=range(9),
)
def test_an_unusable_adequacy_file_is_reported_with_its_place(
    tmp_path: Path, text: str | None, message: str
) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        load_policy(policy_with_list(tmp_path, text, "IN"), today=date(2099, 1, 1))
    assert not any("IN" in problem.message for problem in caught.value.problems)


def test_the_problems_of_all_files_are_reported(tmp_path: Path) -> None:
    path = policy_with_list(tmp_path, OWN_LIST.replace("DE", "XX"))
    (tmp_path / "consent.lock").write_text("[", "utf-8")
    path.write_text(path.read_text("utf-8").replace('"P6M"', '"P14M"'), "utf-8")
    files = {Path(problem.file).name for problem in check_file(path, today=TODAY).problems}
    assert files == {"adequacy.toml", "consent.toml", "consent.lock"}


@pytest.mark.parametrize("name", ["3", '""', '"  "'])
def test_an_invalid_adequacy_file_name_is_a_problem(tmp_path: Path, name: str) -> None:
    path = policy_with_list(tmp_path, None)
    path.write_text(path.read_text("utf-8").replace('"adequacy.toml"', name), "utf-8")
    assert [
        problem.key for problem in check_file(path, today=TODAY).problems if "adequacy" in problem.key
    ] == ["adequacy_file"]


def check(folder: Path, content: bytes) -> None:
    """Load a policy file: there is a policy, or an error whose problems have valid lines."""
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
def test_any_bytes_give_a_policy_or_its_problems(folder: Path, content: bytes) -> None:
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
def test_any_mutation_of_the_example_gives_a_policy_or_its_problems(
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
    lambda drawn: "\n".join([table(drawn[0], ""), *(table(*rows) for rows in drawn[1])])
)


@given(document=documents)
def test_any_toml_gives_a_policy_or_its_problems(folder: Path, document: str) -> None:
    check(folder, document.encode())


@given(
    at=st.integers(0, len(LINES) - 1),
    value=st.sampled_from(VALUES),
    second=st.integers(0, len(LINES) - 1),
    drops=st.sets(st.integers(0, len(LINES) - 1), max_size=3),
)
def test_any_value_for_any_key_gives_a_policy_or_its_problems(
    folder: Path, at: int, value: str, second: int, drops: set[int]
) -> None:
    text = EXAMPLE
    for place in drops:
        text = text.replace(LINES[place] + "\n", "", 1)
    for place in (at, second):
        text = text.replace(LINES[place], f"{LINES[place].split(' = ')[0]} = {value}", 1)
    check(folder, text.encode())


def test_every_key_may_be_missing_or_of_another_type(folder: Path) -> None:
    first_lines = {line.split(" = ")[0]: line for line in reversed(LINES)}
    for key, line in first_lines.items():
        for value in (None, '""', "1", "[]", "{}"):
            check(folder, EXAMPLE.replace(line, f"{key} = {value}" if value else "", 1).encode())


@pytest.mark.parametrize(
    "line",
    [
        # IN-01 to IN-05: GDPR 13 asks for each of them
        'name = "Example Media BV"',
        'address = "Voorbeeldkade 1, 1011 AB Amsterdam"',
        'email = "privacy@media.example"',
        'authority = { name = "Autoriteit Persoonsgegevens", url = "https://autoriteitpersoonsgegevens.nl" }',
        'records_kept = "P24M"',
        'description = { en = "To count visits.", nl = "Om bezoeken te tellen." }',
        'name = "Counter"',
        'country = "NL"\nprofiling = false',
        "profiling = false",
        'policy_url = "https://counter.example/privacy"',
        'lifetime = "P30D"',
        'purpose = { en = "Tells visits apart.", nl = "Onderscheidt bezoeken." }',
    ],
)
def test_a_policy_without_what_visitors_must_be_told_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "consent.toml"
    path.write_text(TEXT, "utf-8")
    assert load_policy(path, today=TODAY)
    path.write_text(TEXT.replace(line, "", 1), "utf-8")
    with pytest.raises(PolicyError, match="Missing key"):
        load_policy(path, today=TODAY)


def test_all_problems_of_a_very_faulty_policy_are_reported(folder: Path) -> None:
    rows = "[[trackers]]\nx = 1\n" * 500
    path = folder / "many.toml"
    path.write_text(TEXT + rows, "utf-8")
    assert len(check_file(path, today=TODAY).problems) == 500 * 6
