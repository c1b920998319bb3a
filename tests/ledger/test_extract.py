import pytest

from consentkit.ledger import ExtractRows, Ledger, snapshot
from consentkit.ledger import extract as module
from tests.support.chained import execute
from tests.support.records import NOON, a_record


def test_records_of_a_period_are_read_page_by_page(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 3)
    ledger = Ledger(ledger_url)
    ledger.append(*(a_record(at=NOON + second, site=f"site{second % 2}") for second in range(10)))
    ledger.close()
    execute(ledger_url, "UPDATE consentkit_records SET categories = '?' WHERE at = ?", NOON + 4)
    with snapshot(ledger_url) as connection:
        rows = ExtractRows(connection)
        assert [record.at - NOON for record in rows.records(NOON + 2, NOON + 9)] == [2, 3, 5, 6, 7, 8]
        assert rows.unreadable == 1 and rows.last() == 10
        assert [record.at - NOON for record in rows.records(NOON, NOON + 9, "site1")] == [1, 3, 5, 7]


def test_an_empty_ledger_has_nothing(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    ledger.store_notice("n" * 43, {"a": 1})
    ledger.close()
    with snapshot(ledger_url) as connection:
        rows = ExtractRows(connection)
        assert list(rows.records(0, NOON)) == [] and rows.last() == 0
        assert rows.counts(0, NOON, "stride") == [] and list(rows.renderings("n" * 43, "stride")) == []
        assert rows.notices() == {"n" * 43: '{"a": 1}'}
