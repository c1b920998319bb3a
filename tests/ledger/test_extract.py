from pathlib import Path

import pytest
import sqlalchemy

from consentkit.ledger import ExtractRows, Ledger, SentWords, snapshot
from consentkit.ledger import extract as module
from tests.support.postgres import Server
from tests.support.records import NOON, a_record


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


def damage(url: str, at: int) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        statement = "UPDATE consentkit_records SET categories = '?' WHERE at = :at"
        connection.execute(sqlalchemy.text(statement), {"at": at})
    engine.dispose()


def test_records_of_a_period_are_read_page_by_page(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 3)
    ledger = Ledger(url, lock_timeout=30)
    ledger.append(*(a_record(at=NOON + second, site=f"site{second % 2}") for second in range(10)))
    ledger.close()
    damage(url, NOON + 4)
    with snapshot(url) as connection:
        rows = ExtractRows(connection)
        assert [record.at - NOON for record in rows.records(NOON + 2, NOON + 9)] == [2, 3, 5, 6, 7, 8]
        assert rows.unreadable == 1 and rows.last() == 10
        assert [record.at - NOON for record in rows.records(NOON, NOON + 9, "site1")] == [1, 3, 5, 7]


def test_what_belongs_to_a_site_and_a_period_is_read(url: str) -> None:
    kind = {
        "event": "refused",
        "language": "en",
        "surface": "banner",
        "choice": "reject_all",
        "notice": "n" * 43,
    }
    counted = [kind | {"site": site, "hour": hour, "count": 2} for site in "ab" for hour in (0, NOON)]
    values = {"notice": "n" * 43, "language": "en", "surface": "banner", "version": "1", "html": "<p>"}
    sent = [SentWords.of(site=site, **values) for site in "ab"]
    ledger = Ledger(url, lock_timeout=30)
    ledger.store_notice("n" * 43, {"a": 1})
    ledger.store_renderings(sent)
    ledger.add_counts(counted)
    ledger.close()
    with snapshot(url) as connection:
        rows = ExtractRows(connection)
        assert list(rows.records(0, NOON)) == [] and rows.last() == 0
        assert rows.counts(1, NOON + 1, "a") == [counted[1]] and len(rows.counts(0, NOON + 1)) == 4
        assert list(rows.renderings("n" * 43, "b")) == sent[1:] and list(rows.renderings("n" * 43)) == sent
        assert rows.notices() == {"n" * 43: '{"a": 1}'}


def test_entries_of_the_chain_are_counted_by_where_their_rows_are(url: str) -> None:
    ledger = Ledger(url, lock_timeout=30)
    ledger.append(*(a_record(at=NOON + second, site=f"site{second % 2}") for second in range(10)))
    ledger.link("one", "two", NOON)
    ledger.close()
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM consentkit_records WHERE seq = 1"))
    engine.dispose()
    with snapshot(url) as connection:
        rows = ExtractRows(connection)
        around = {"before": 1, "after": 3, "removed": 1}
        assert rows.entries(NOON + 2, NOON + 7) == around | {"in_period": 5, "elsewhere": 0}
        assert rows.entries(NOON + 2, NOON + 7, "site1") == around | {"in_period": 2, "elsewhere": 3}
