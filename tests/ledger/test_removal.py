import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentkit.ledger import Ending, Ledger, queries
from consentkit.ledger.removal import NEVER, Remover
from tests.support.postgres import Server
from tests.support.records import NOON, a_record


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'consent.db'}"
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.address()
    ledger = Ledger(url, lock_timeout=30)
    yield ledger
    ledger.close()


def test_a_link_stays_as_long_as_one_of_its_pseudonyms_has_a_record(ledger: Ledger) -> None:
    first, second, third = (a_record(subject=subject) for subject in "abc")
    ledger.append(first, second, third)
    for pair in (("a", "h"), ("h", "b"), ("x", "y")):
        ledger.link(*pair, NOON)
    assert ledger.remove([first.id, "unknown"], reason="pruning", at=NOON).links == 0
    removed = ledger.remove([second.id, third.id], reason="pruning", at=NOON)
    assert (removed.records, removed.links) == (2, 2)
    assert [pair[:2] for pair in ledger.links()] == [("x", "y")]
    assert ledger.remove([first.id], reason="pruning", at=NOON).records == 0
    assert ledger.remove_links(["y"], reason="erasure", at=NOON).links == 1
    assert ledger.remove_links(["y"], reason="erasure", at=NOON).links == 0


def test_many_records_go_in_batches_between_which_others_write(ledger: Ledger) -> None:
    records = [a_record(subject=f"{n}", at=NOON + n) for n in range(1500)]
    ledger.append(*records)
    others = [a_record(subject=f"other {n}") for n in range(40)]
    writer = threading.Thread(target=lambda: [ledger.append(record) for record in others])
    writer.start()
    removed = ledger.remove([record.id for record in records], reason="erasure", at=NOON)
    writer.join()
    assert removed.records == 1500
    assert [record.id for record in ledger.records()] == [record.id for record in others]
    assert ledger.erasures() > 1, "more than one transaction"


def test_too_many_linked_pseudonyms_never_end(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MOST_LINKED", 5)
    records = [a_record(subject=f"{n}") for n in range(8)]
    ledger.append(*records, a_record(subject="alone"))
    for n in range(7):
        ledger.link(f"{n}", f"{n + 1}", NOON)
    found = ledger.upkeep.linked_records(["0", "alone"], ["stride"])
    assert found["0"].ends_at == NEVER
    assert found["alone"].count == 1 and found["alone"].ends_at == records[0].expires_at
    everything = Ending(NEVER - 1, ("stride",))
    assert ledger.remove([records[0].id], reason="pruning", at=NOON, ending=everything).records == 0


def test_batches_follow_the_time_that_a_transaction_takes(ledger: Ledger) -> None:
    pace = Remover(ledger._database)._pace
    for seconds, size in ((0.001, 40), (0.001, 80), (0.015, 80), (0.05, 40), (0.05, 20), (0.05, 20)):
        pace.adapt(seconds)
        assert pace.size == size
    for _ in range(9):
        pace.adapt(0.001)
    assert pace.size == 400
