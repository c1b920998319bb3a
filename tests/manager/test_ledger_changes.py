"""How far a process has read what changes in the ledger."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consentkit.ledger import Ledger
from consentkit.manager.ledger_changes import LedgerChanges
from consentkit.proof import erase
from tests.support.records import a_record


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


def copy_content(source: Path, target: Path) -> None:
    """Copy a ledger into another file, or back into the same, as a backup and a restore do."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


@pytest.mark.parametrize("is_read", [True, False])
def test_a_restored_ledger_that_is_as_long_as_before_is_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_read: bool
) -> None:
    path, copy = tmp_path / "consent.db", tmp_path / "copy.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.append(a_record(subject="a" * 32))
    changes = LedgerChanges(ledger, lambda: ledger.epoch)
    changes.begin()
    copy_content(path, copy)
    lost = a_record(subject="b" * 32)
    ledger.append(lost)
    if is_read:
        assert [each.id for each in changes.read()][-1] == lost.id
    else:
        changes.expect([lost])
    copy_content(copy, path)
    ledger.append(a_record(subject="c" * 32))
    assert not changes.is_other_ledger
    assert list(changes.read()) == [] and changes.is_other_ledger
    assert "lacks 1 records that it had before" in caplog.text
    changes.end()
    changes.begin()
    ledger.append(a_record(subject="d" * 32))
    assert "d" * 32 in [each.subject for each in changes.read()] and not changes.is_other_ledger


def test_records_that_were_erased_or_are_there_are_not_lost(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/consent.db")
    ledger.append(a_record(subject="a" * 32))
    changes = LedgerChanges(ledger, lambda: ledger.epoch)
    changes.begin()
    early = [a_record(subject="b" * 32) for number in range(50)]
    ledger.append(*early)
    list(changes.read())
    # Its place is so far back that reading does not come past it again.
    changes.expect([early[0]])
    assert early[0].id not in [each.id for each in changes.read()] and not changes.is_other_ledger
    erased = a_record(subject="e" * 32)
    ledger.append(erased)
    list(changes.read())
    erase(ledger, "e" * 32, now=2_000_000_000)
    list(changes.read())
    assert not changes.is_other_ledger
