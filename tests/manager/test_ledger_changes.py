"""How far a process has read what changes in the ledger."""

from pathlib import Path

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
