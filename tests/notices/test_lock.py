import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.config.policy_file import PolicyFile, load_policy
from consentkit.errors import ConfigurationError, PolicyError
from consentkit.notices.changes import coverage
from consentkit.notices.lock import Lock, add_notice_to_lock, read_lock, write_lock
from consentkit.notices.notice import Notice

EXAMPLE = (Path(__file__).parents[1] / "consent.example.toml").read_text()
WORDS, OTHER_WORDS = "Count visits and show", "Count visits, and show"
DAYS = [date(2026, 11, day) for day in range(1, 9)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


def policy(directory: Path, *changes: tuple[str, str]) -> PolicyFile:
    """Load the example with some texts replaced."""
    text = EXAMPLE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = directory / "consent.toml"
    path.write_text(text)
    return load_policy(path)


def covered(before: Notice, after: Notice) -> set[str]:
    return set(coverage(before, after, "stride", "https://stride.example").categories)


# VA-05, IN-06
def test_the_lock_remembers_each_notice_and_what_it_disclosed(directory: Path) -> None:
    first, changes = add_notice_to_lock(policy(directory), Lock(), DAYS[0])
    assert changes == ()
    grown = policy(directory, ('lifetime = "P90D"', 'lifetime = "P180D"'))
    second, changes = add_notice_to_lock(grown, first, DAYS[1])
    assert [(change.category, change.thing, change.field, change.asks) for change in changes] == [
        ("tracking", "tracker", "lifetime", True)
    ]
    write_lock(directory / "consent.lock", second)
    read = read_lock(directory / "consent.lock")
    assert [notice.digest for notice in read.notices] == [
        Notice.of(policy(directory)).digest,
        Notice.of(grown).digest,
    ]
    assert [notice.published for notice in read.notices] == ["2026-11-01", "2026-11-02"]
    assert covered(*read.comparable()) == {"analytical", "social"}


def test_locking_the_same_notice_again_changes_nothing(directory: Path) -> None:
    first, _ = add_notice_to_lock(policy(directory), Lock(), DAYS[0])
    assert add_notice_to_lock(policy(directory), first, DAYS[1]) == (first, ())
    technical = policy(directory, ('origins = { frame = ["https://www.youtube-nocookie.com"] }', ""))
    assert add_notice_to_lock(technical, first, DAYS[1]) == (first, ()), (
        "origins steer the software and tell visitors nothing"
    )


def test_a_notice_that_comes_back_is_locked_as_the_last_one_again(directory: Path) -> None:
    first, _ = add_notice_to_lock(policy(directory), Lock(), DAYS[0])
    second, _ = add_notice_to_lock(policy(directory, (WORDS, OTHER_WORDS)), first, DAYS[1])
    third, changes = add_notice_to_lock(policy(directory), second, DAYS[2])
    assert len(third.notices) == 2 and third.notices[-1].digest == first.notices[0].digest
    assert changes[0].asks


def test_wording_that_is_declared_editorial_counts_as_the_same_text_ever_after(directory: Path) -> None:
    first, _ = add_notice_to_lock(policy(directory), Lock(), DAYS[0])
    comma = policy(directory, (WORDS, OTHER_WORDS))
    second, changes = add_notice_to_lock(comma, first, DAYS[1], editorial="a comma")
    assert changes == () and second.editorial[0].reason == "a comma"
    assert covered(*second.comparable()) == {"analytical", "tracking", "social"}
    third, changes = add_notice_to_lock(
        policy(directory, (WORDS, OTHER_WORDS), ('lifetime = "P90D"', 'lifetime = "P10D"')), second, DAYS[2]
    )
    assert not any(change.asks for change in changes)
    write_lock(directory / "consent.lock", third)
    loaded = policy(directory, (WORDS, OTHER_WORDS), ('lifetime = "P90D"', 'lifetime = "P10D"'))
    assert loaded.locked and covered(loaded.notices[0], loaded.notices[-1]) == {
        "analytical",
        "tracking",
        "social",
    }
    words_back = policy(directory, ('lifetime = "P90D"', 'lifetime = "P10D"'))
    back, changes = add_notice_to_lock(words_back, third, DAYS[3])
    assert not any(change.asks for change in changes), "the text that it was"
    assert len(back.comparable()) == 4
    twice = Lock(back.notices, back.editorial * 2)
    assert [one.facts for one in twice.comparable()] == [one.facts for one in back.comparable()]


@pytest.mark.parametrize(
    "changes",
    [
        [(WORDS, OTHER_WORDS), ('lifetime = "P90D"', 'lifetime = "P180D"')],
        [('name = "Hardlopen Media BV"', 'name = "Another BV"')],
        [('id = "adhub"\nname', 'id = "adhub2"\nname'), ('vendor = "adhub"', 'vendor = "adhub2"')],
        [('role = "processor"', 'role = "controller"')],
    ],
)
def test_more_than_wording_is_never_editorial(directory: Path, changes: list[tuple[str, str]]) -> None:
    first, _ = add_notice_to_lock(policy(directory), Lock(), DAYS[0])
    with pytest.raises(ConfigurationError, match="more than wording"):
        add_notice_to_lock(policy(directory, *changes), first, DAYS[1], editorial="typo")


def test_where_no_text_changed_nothing_is_editorial(directory: Path) -> None:
    with pytest.raises(ConfigurationError, match="No text changed"):
        add_notice_to_lock(policy(directory), Lock(), DAYS[0], editorial="typo")
    first, _ = add_notice_to_lock(policy(directory), Lock(), DAYS[0])
    with pytest.raises(ConfigurationError, match="No text changed"):
        add_notice_to_lock(
            policy(directory, ('records_kept = "P24M"', 'records_kept = "P12M"')),
            first,
            DAYS[1],
            editorial="typo",
        )


def test_a_policy_knows_the_notices_beside_it(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    unlocked = policy(directory)
    assert not unlocked.locked and len(unlocked.notices) == 1
    assert "has no consent.lock" in caplog.text
    first, _ = add_notice_to_lock(unlocked, Lock(), DAYS[0])
    write_lock(directory / "consent.lock", first)
    caplog.clear()
    assert policy(directory).locked and not caplog.records
    moved = policy(directory, (WORDS, OTHER_WORDS))
    assert not moved.locked and len(moved.notices) == 2
    assert "has changed since" in caplog.text


def spoilt(content: dict[str, Any], *path: str | int, value: object) -> str:
    part: Any = content
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    "path",
    [
        ("format",),
        ("notices",),
        ("notices", 0, "digest"),
        ("notices", 0, "published"),
        ("notices", 0, "facts"),
        ("notices", 0, "facts", "validity"),
        ("notices", 0, "facts", "controller"),
        ("notices", 0, "facts", "sites", 0),
        ("notices", 0, "facts", "categories", 0, "required"),
        ("notices", 0, "facts", "categories", 0, "title"),
        ("notices", 0, "facts", "vendors", 0, "name"),
        ("notices", 0, "facts", "trackers", 0, "lifetime"),
        ("editorial",),
    ],
)
def test_a_lock_that_was_edited_by_hand_is_refused(directory: Path, path: tuple[str | int, ...]) -> None:
    first, _ = add_notice_to_lock(policy(directory), Lock(), DAYS[0])
    write_lock(directory / "consent.lock", first)
    content = json.loads((directory / "consent.lock").read_text())
    (directory / "consent.lock").write_text(spoilt(content, *path, value=42))
    with pytest.raises(PolicyError) as error:
        policy(directory)
    assert (
        "consent.lock" in error.value.problems[0].file and "version control" in error.value.problems[0].remedy
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<<<<<<< ours",
        "[]",
        "null",
        '{"format": 2}',
        "[" * 100_000,
        '{"format": 1, "notices": [], "x": 1}',
    ],
)
def test_what_is_no_lock_is_refused_with_the_place(directory: Path, text: str) -> None:
    (directory / "consent.lock").write_text(text)
    with pytest.raises(PolicyError):
        read_lock(directory / "consent.lock")


def test_a_day_that_no_calendar_has_is_refused(directory: Path) -> None:
    first, _ = add_notice_to_lock(policy(directory), Lock(), DAYS[0])
    write_lock(directory / "consent.lock", first)
    text = (directory / "consent.lock").read_text().replace("2026-11-01", "2026-99-99")
    (directory / "consent.lock").write_text(text)
    with pytest.raises(PolicyError, match="a value that no lock has"):
        policy(directory)


def test_a_lock_that_cannot_be_read_or_is_huge_is_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "consent.lock").mkdir()
    with pytest.raises(PolicyError, match="cannot be read"):
        read_lock(directory / "consent.lock")
    monkeypatch.setattr("consentkit.notices.lock.LARGEST", 1)
    (directory / "other.lock").write_text("{}")
    with pytest.raises(PolicyError, match="larger"):
        read_lock(directory / "other.lock")


@given(st.binary(max_size=200))
def test_no_file_raises_anything_but_a_policy_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("lock") / "consent.lock"
    path.write_bytes(content)
    with pytest.raises(PolicyError):
        read_lock(path)


def test_a_file_is_written_as_a_whole_or_not_at_all(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = add_notice_to_lock(policy(directory), Lock(), DAYS[0])
    write_lock(directory / "consent.lock", first)
    before = (directory / "consent.lock").read_bytes()

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fchmod", full)
    with pytest.raises(OSError, match="disk full"):
        write_lock(directory / "consent.lock", Lock())
    assert (directory / "consent.lock").read_bytes() == before
    assert sorted(path.name for path in directory.iterdir()) == ["consent.lock", "consent.toml"]
