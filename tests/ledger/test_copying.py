from pathlib import Path

import pytest

from consentkit.errors import LedgerError
from consentkit.ledger import ChainRows, Ledger, SentWords, copy_ledger, snapshot
from consentkit.ledger.tables import METADATA
from consentkit.proof import make_checkpoint, verify
from tests.support.chained import execute, three_writers
from tests.support.postgres import Server
from tests.support.records import NOON, a_record

WORDS = SentWords.of(notice="d", site="s", language="nl", surface="banner", version="1", html="<p>é</p>")


def a_full_ledger(url: str) -> None:
    three_writers(url, 30)
    ledger = Ledger(url, lock_timeout=30)
    ledger.store_notice("d", {"name": "é\n"})
    ledger.store_renderings([WORDS])
    for token in ("b", "a", "é", "Z"):
        ledger.use_once(token, NOON)
    row = {"event": "refused", "site": "s", "notice": "n", "language": "nl", "surface": "b", "choice": "c"}
    ledger.add_counts([{**row, "hour": hour, "count": 3} for hour in range(20)])
    ledger.close()


@pytest.mark.parametrize("way", ["to PostgreSQL", "to SQLite", "to another file"])
def test_the_copy_of_a_ledger_continues_it(
    way: str, tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentkit.ledger.copying._PAGE", 7)
    source = postgres.address() if way == "to SQLite" else f"sqlite:///{tmp_path / 'a.db'}"
    target = postgres.address() if way == "to PostgreSQL" else f"sqlite:///{tmp_path / 'b.db'}"
    a_full_ledger(source)
    with snapshot(source) as connection:
        noted = make_checkpoint("x", ChainRows(connection).streams(), at=NOON)
    done: list[tuple[int, int]] = []
    copied = dict(copy_ledger(source, target, progress=lambda *numbers: done.append(numbers)))
    assert copied["consentkit_records"] == 30 and copied["consentkit_counts"] == 20
    assert set(copied) == set(METADATA.tables) - {"consentkit_schema", "consentkit_store"}
    assert done[-1] == (sum(copied.values()), sum(copied.values()))
    before, after = Ledger(source, lock_timeout=30), Ledger(target, lock_timeout=30)
    assert list(after.records()) == list(before.records())
    assert (after.notices(), after.rendering(WORDS.id)) == ([("d", {"name": "é\n"})], WORDS)
    assert not after.use_once("é", NOON)
    after.append(a_record(subject="new"))
    assert [record.seq for record in after.history("new")] == [31]
    with snapshot(target) as connection:
        result = verify(ChainRows(connection), noted)
    assert result.is_unchanged and result.rows == {"record": 31, "link": 2}
    for ledger in (before, after):
        ledger.close()


def test_a_place_whose_record_was_removed_is_not_used_again(tmp_path: Path, postgres: Server) -> None:
    source, target = f"sqlite:///{tmp_path / 'a.db'}", postgres.address()
    three_writers(source, 9)
    execute(source, "DELETE FROM consentkit_records WHERE seq = 9")
    copy_ledger(source, target)
    ledger = Ledger(target, lock_timeout=30)
    ledger.append(a_record(subject="new"))
    assert [record.seq for record in ledger.history("new")] == [10]
    ledger.close()


def test_a_target_with_rows_is_refused(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path / 'a.db'}", f"sqlite:///{tmp_path / 'b.db'}"
    three_writers(source, 3)
    ledger = Ledger(target, lock_timeout=30)
    ledger.store_notice("d", {})
    ledger.close()
    with pytest.raises(LedgerError, match="rows in consentkit_notices already"):
        copy_ledger(source, target)
    assert execute(target, "SELECT count(*) FROM consentkit_records") == [(0,)]
    assert len(execute(target, "SELECT * FROM consentkit_streams")) == 17


def test_a_copy_that_differs_is_undone(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path / 'a.db'}", f"sqlite:///{tmp_path / 'b.db'}"
    three_writers(source, 3)
    ledger = Ledger(target, lock_timeout=30)
    ledger.counts()
    ledger.close()
    # A database that stores something else.
    execute(
        target,
        "CREATE TRIGGER other AFTER INSERT ON consentkit_records BEGIN "
        "UPDATE consentkit_records SET language = 'xx' WHERE seq = NEW.seq; END",
    )
    with pytest.raises(LedgerError, match="copy of consentkit_records is not what was copied"):
        copy_ledger(source, target)
    assert execute(target, "SELECT count(*) FROM consentkit_records") == [(0,)]
