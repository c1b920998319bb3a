import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.config.lock_file import read_lock, write_lock
from consentkit.config.policy_file import PolicyFile, load_policy
from consentkit.errors import PolicyError
from consentkit.notices.lock import EditorialChange, Lock, add_notices_to_lock
from consentkit.notices.notice import Notice

EXAMPLE = (Path(__file__).parents[1] / "consent.example.toml").read_text()
DAY = date(2026, 11, 1)


def policy(directory: Path, text: str = EXAMPLE) -> PolicyFile:
    (directory / "consent.toml").write_text(text)
    return load_policy(directory / "consent.toml")


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    """The path of a lock with the notice of the example, in the folder of its policy."""
    lock, _ = add_notices_to_lock(policy(tmp_path), Lock(), DAY)
    write_lock(tmp_path / "consent.lock", lock)
    return tmp_path / "consent.lock"


# IN-06
def test_a_lock_is_read_as_it_was_written(lock_file: Path) -> None:
    lock = read_lock(lock_file)
    assert [(notice.digest, notice.published) for notice in lock.notices] == [
        (Notice.of(policy(lock_file.parent)).digest, "2026-11-01")
    ]
    changed = Lock(lock.notices, (EditorialChange("2026-11-02", "a comma", (("a" * 16, "b" * 16),)),))
    write_lock(lock_file, changed)
    assert read_lock(lock_file).editorial == changed.editorial


def test_a_policy_has_the_notices_of_its_lock_and_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unlocked = policy(tmp_path)
    assert not unlocked.locked and len(unlocked.notices) == 1
    assert "has no consent.lock" in caplog.text
    lock, _ = add_notices_to_lock(unlocked, Lock(), DAY)
    write_lock(tmp_path / "consent.lock", lock)
    caplog.clear()
    assert policy(tmp_path).locked and not caplog.records
    changed = policy(tmp_path, EXAMPLE.replace("Count visits and show", "Count visits, and show"))
    assert not changed.locked and len(changed.notices) == 2
    assert "has changed since" in caplog.text


def with_value(content: dict[str, Any], *path: str | int, value: object) -> str:
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
def test_a_lock_with_an_invalid_value_is_refused(lock_file: Path, path: tuple[str | int, ...]) -> None:
    content = json.loads(lock_file.read_text())
    lock_file.write_text(with_value(content, *path, value=42))
    with pytest.raises(PolicyError) as error:
        policy(lock_file.parent)
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
def test_a_file_that_is_no_lock_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "consent.lock").write_text(text)
    with pytest.raises(PolicyError, match=r"consent\.lock"):
        read_lock(tmp_path / "consent.lock")


def test_a_date_that_does_not_exist_is_refused(lock_file: Path) -> None:
    lock_file.write_text(lock_file.read_text().replace("2026-11-01", "2026-99-99"))
    with pytest.raises(PolicyError, match="a value that no lock can have"):
        read_lock(lock_file)


def test_an_unreadable_or_huge_lock_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "consent.lock").mkdir()
    with pytest.raises(PolicyError, match="cannot be read"):
        read_lock(tmp_path / "consent.lock")
    monkeypatch.setattr("consentkit.config.lock_file._LARGEST", 1)
    (tmp_path / "other.lock").write_text("{}")
    with pytest.raises(PolicyError, match="larger"):
        read_lock(tmp_path / "other.lock")


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_as_a_policy_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("lock") / "consent.lock"
    path.write_bytes(content)
    with pytest.raises(PolicyError):
        read_lock(path)


def test_a_lock_is_written_as_a_whole_or_not_at_all(lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = lock_file.read_bytes()

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fchmod", full)
    with pytest.raises(OSError, match="disk full"):
        write_lock(lock_file, Lock())
    assert lock_file.read_bytes() == before
    assert sorted(path.name for path in lock_file.parent.iterdir()) == ["consent.lock", "consent.toml"]
