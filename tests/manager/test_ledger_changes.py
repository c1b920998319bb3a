"""How far a process has read what changes in the ledger."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger, Record
from consentkit.manager.ledger_changes import LedgerChanges
from consentkit.proof import erase
from tests.support.records import NOON, a_record


def test_records_that_were_added_after_the_beginning_are_read(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/consent.db")
    ledger.append(a_record(subject="a" * 32))
    changes = LedgerChanges(ledger, lambda: 1)
    assert (changes.has_begun, list(changes.read())) == (False, [])
    changes.begin()
    ledger.append(a_record(subject="b" * 32))
    changes.begin()
    assert "b" * 32 in [each.subject for each in changes.read()]
    ledger.append(a_record(subject="c" * 32))
    assert "c" * 32 in [each.subject for each in changes.read()]


def test_another_ledger_is_noticed_once_reading_has_begun(tmp_path: Path) -> None:
    epoch = 1
    changes = LedgerChanges(Ledger(f"sqlite:///{tmp_path}/consent.db"), lambda: epoch)
    epoch = 2
    assert not changes.is_other_ledger
    changes.begin()
    epoch = 3
    assert changes.is_other_ledger
    changes.end()
    assert not changes.has_begun


def test_an_erasure_is_new_until_it_is_noted(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/consent.db")
    ledger.append(a_record(subject="a" * 32))
    changes = LedgerChanges(ledger, lambda: 1)
    changes.begin()
    assert changes.new_erasures() is None
    erase(ledger, "a" * 32, now=2_000_000_000)
    erasures = changes.new_erasures()
    assert erasures is not None and changes.new_erasures() == erasures
    changes.note_erasures(erasures)
    assert changes.new_erasures() is None


class FailingLedger(Ledger):
    """A ledger of which some readings fail, counted from the time when they were chosen."""

    fails: tuple[int, ...] = ()

    def changes(self, cursor: int | None) -> tuple[tuple[Record, ...], int]:
        first, self.fails = 0 in self.fails, tuple(number - 1 for number in self.fails if number)
        if first:
            raise LedgerUnavailableError("no answer")
        return super().changes(cursor)


@dataclass
class Restorable:
    """A ledger in a file, with a copy from which it can be restored, and one process that reads its changes."""

    path: Path
    copy: Path
    ledger: FailingLedger = field(init=False)
    changes: LedgerChanges = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = FailingLedger(f"sqlite:///{self.path}")
        self.changes = LedgerChanges(self.ledger, lambda: max(1, self.ledger.epoch))

    def add(self, *letters: str, **changes: Any) -> list[Record]:
        made = [a_record(**({"subject": letter * 32} | changes)) for letter in letters]
        self.ledger.append(*made)
        return made

    def read(self) -> list[str]:
        return [record.id for record in self.changes.read()]

    def back_up(self) -> None:
        self._copy(self.path, self.copy)

    def restore(self) -> None:
        self._copy(self.copy, self.path)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
            read.backup(written)


@pytest.fixture
def restorable(tmp_path: Path) -> Restorable:
    """A ledger with one record, which a process has begun to read, and a copy of it."""
    made = Restorable(tmp_path / "consent.db", tmp_path / "copy.db")
    made.add("a")
    made.changes.begin()
    made.back_up()
    return made


def test_a_reading_that_fails_in_the_middle_skips_nothing(restorable: Restorable) -> None:
    added = restorable.add(*"abcdefghij" * 4)
    restorable.ledger.fails = (1,)
    seen = set()
    with pytest.raises(LedgerUnavailableError):
        for record in restorable.changes.read():
            seen.add(record.id)
    assert seen | set(restorable.read()) == seen | {record.id for record in added}


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_a_restored_ledger_that_is_as_long_as_before_is_noticed(
    restorable: Restorable, caplog: pytest.LogCaptureFixture, is_read: bool, fails: bool
) -> None:
    (lost,) = restorable.add("b")
    if is_read:
        assert lost.id in restorable.read()
    else:
        restorable.changes.expect([lost])
    if fails:
        # As while somebody restores the database.
        restorable.ledger.fails = (0,)
        with pytest.raises(LedgerUnavailableError):
            restorable.read()
    restorable.restore()
    restorable.add("c", "c")
    assert not restorable.changes.is_other_ledger
    assert restorable.read() == [] and restorable.changes.is_other_ledger
    assert caplog.text.count("restored from a backup") == 1
    restorable.changes.end()
    restorable.changes.begin()
    (added,) = restorable.add("d")
    assert added.id in restorable.read() and not restorable.changes.is_other_ledger


def test_a_loss_is_noticed_behind_records_of_nobody(restorable: Restorable) -> None:
    (lost,) = restorable.add("b")
    restorable.add(*"." * 40, subject=None, status="refused", event="refused")
    assert lost.id in restorable.read()
    restorable.restore()
    restorable.add(*"x" * 60)
    assert restorable.read() == [] and restorable.changes.is_other_ledger


def test_a_loss_is_noticed_of_what_was_looked_up_before_the_first_reading(restorable: Restorable) -> None:
    restorable.add("b", *"c" * 40)
    restorable.changes.end()
    restorable.changes.begin()
    restorable.changes.expect(restorable.ledger.newest_of(["b" * 32])["b" * 32])
    restorable.restore()
    restorable.add(*"x" * 60)
    assert restorable.read() == [] and restorable.changes.is_other_ledger


@pytest.mark.parametrize("reason", ["pruning", "erasure"])
def test_a_restore_is_noticed_by_removals_that_are_undone(restorable: Restorable, reason: Any) -> None:
    (old,) = restorable.add("o")
    restorable.back_up()
    restorable.ledger.remove([old.id], reason=reason, at=NOON)
    restorable.read()
    restorable.restore()
    restorable.read()
    assert restorable.changes.is_other_ledger


def test_records_that_were_removed_are_not_lost(restorable: Restorable) -> None:
    erased, pruned = restorable.add("b", "c")
    assert {erased.id, pruned.id} <= set(restorable.read())
    erase(restorable.ledger, "b" * 32, now=2_000_000_000)
    restorable.read()
    restorable.ledger.remove([pruned.id], reason="pruning", at=NOON)
    for _ in range(2):
        restorable.read()
    assert not restorable.changes.is_other_ledger


def test_a_record_that_was_erased_before_reading_began_is_not_lost(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/consent.db")
    changes = LedgerChanges(ledger, lambda: max(1, ledger.epoch))
    record = a_record(subject="a" * 32)
    ledger.append(record)
    changes.expect([record])
    erase(ledger, "a" * 32, now=2_000_000_000)
    changes.begin()
    assert list(changes.read()) == [] and not changes.is_other_ledger


def test_a_copy_that_cannot_be_written_is_behind_and_not_restored(
    restorable: Restorable, monkeypatch: pytest.MonkeyPatch
) -> None:
    restorable.add("b")
    restorable.read()
    restorable.restore()
    monkeypatch.setattr(restorable.ledger, "is_writable", lambda: False)
    restorable.add("c")
    restorable.read()
    assert not restorable.changes.is_other_ledger
