from pathlib import Path

import sqlalchemy

from consentkit.ledger import Ledger, Pruning
from tests.support.postgres import Server
from tests.support.records import NOON, a_record


def test_the_last_pruning_of_each_site_is_known(ledger: Ledger) -> None:
    assert ledger.upkeep.last_pruning("stride") is None
    ledger.upkeep.note_pruning(["stride", "shoelab"], Pruning(NOON, "P2Y"))
    ledger.upkeep.note_pruning(["stride"], Pruning(NOON + 9, "P1Y"))
    assert ledger.upkeep.last_pruning("stride") == Pruning(NOON + 9, "P1Y")
    assert ledger.upkeep.last_pruning("shoelab") == Pruning(NOON, "P2Y")


def test_a_file_that_cannot_shrink_can_be_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "consent.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE older (id INTEGER)")
    engine.dispose()
    ledger = Ledger(f"sqlite:///{path}", lock_timeout=30)
    records = [a_record(subject=f"{n}") for n in range(500)]
    ledger.append(*records)
    assert not ledger.upkeep.gives_space_back()
    ledger.remove([record.id for record in records], reason="pruning", at=NOON)
    before = ledger.upkeep.pages()
    assert not ledger.upkeep.give_space_back()
    ledger.upkeep.rewrite()
    assert ledger.upkeep.gives_space_back() and ledger.upkeep.pages() < before
    ledger.close()


def test_a_server_looks_after_its_own_space(postgres: Server) -> None:
    ledger = Ledger(postgres.address(), lock_timeout=30)
    assert ledger.upkeep.gives_space_back() and not ledger.upkeep.give_space_back()
    ledger.upkeep.rewrite()
    assert ledger.upkeep.pages() == 0
    ledger.close()
