import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine

from consentkit.errors import ConfigurationError, LedgerUnavailableError
from consentkit.ledger import ChainRows, Ledger, snapshot, upgrade, upgrade_ledger
from consentkit.ledger.tables import METADATA, SCHEMA_VERSION
from consentkit.proof import Verification, verify
from tests.support.old_ledgers import fill, make_tables
from tests.support.records import NOON, a_record

GIVEN = a_record(subject="a", began={"categories": ["social"], "vendors": []})
WITHDRAWN = a_record(
    subject="a", event="withdrawn", status="withdrawn", changed_at=NOON + 5, expires_at=None, gpc=True
)
REFUSED = a_record(subject=None, event="refused", status="refused", changed_at=-3)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    address: str = request.getfixturevalue("postgres").address()
    return address


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = sqlalchemy.create_engine(
        url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    yield engine
    engine.dispose()


def an_old_ledger(engine: Engine, version: int) -> None:
    with engine.connect() as connection:
        make_tables(connection, version)
        fill(connection, GIVEN, WITHDRAWN, REFUSED)


def columns_of(url: str) -> dict[str, list[tuple[Any, ...]]]:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    inspector = sqlalchemy.inspect(engine)
    found = {
        table: sorted(
            (column["name"], str(column["type"]), column["nullable"])
            for column in inspector.get_columns(table)
        )
        + sorted(("index", *index["column_names"]) for index in inspector.get_indexes(table))
        for table in METADATA.tables
    }
    engine.dispose()
    return found


def verification(url: str) -> Verification:
    with snapshot(url) as connection:
        return verify(ChainRows(connection))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_ledger_of_an_older_version_has_its_records_after_the_upgrade(
    url: str, engine: Engine, version: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    an_old_ledger(engine, version)
    ledger = Ledger(url, lock_timeout=30)
    with pytest.raises(LedgerUnavailableError, match="Run `consentkit ledger upgrade`"):
        ledger.newest("a")
    steps: list[int] = []
    rows: list[tuple[int, int]] = []
    done = upgrade_ledger(
        url, on_step=lambda step: steps.append(step.version), on_rows=lambda *numbers: rows.append(numbers)
    )
    assert steps == [step.version for step in done.steps] == list(range(version + 1, SCHEMA_VERSION + 1))
    assert (done.version, done.unchained, rows[-1]) == (version, 4, (4, 4))
    stored = list(ledger.records())
    assert [record.id for record in stored] == [GIVEN.id, WITHDRAWN.id, REFUSED.id]
    assert stored[0].categories == GIVEN.categories and stored[1].gpc is True
    if version < 3:
        assert stored[0].began == {"categories": [], "vendors": []}
    newest = ledger.newest("a")
    assert newest is not None and newest.id == WITHDRAWN.id
    assert list(ledger.links()) == [("a", "b", 3)]
    assert ledger.notice("nnn") == {"a": 1}
    ledger.append(a_record())
    result = verification(url)
    assert result.is_unchanged and (result.adopted, result.unchained) == (4, {"record": 0, "link": 0})
    ledger.close()
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    if engine.dialect.name == "postgresql":
        fresh = request.getfixturevalue("postgres").address()
    other = Ledger(fresh, lock_timeout=30)
    other.records()
    other.append(a_record())
    other.close()
    assert columns_of(url) == columns_of(fresh)
    with engine.connect() as connection:
        words = "SELECT count(*) FROM consentkit_renderings_of_version_1"
        if version < 3:
            assert connection.exec_driver_sql(words).scalar_one() == 1


def test_precedence_is_worked_out_as_for_new_records(url: str, engine: Engine) -> None:
    an_old_ledger(engine, 1)
    with engine.connect() as connection:
        far = a_record(changed_at=2**40)
        fill(connection, far)
    upgrade_ledger(url)
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT precedence FROM consentkit_records ORDER BY seq")
        assert [row[0] for row in found] == [record.precedence for record in (GIVEN, WITHDRAWN, REFUSED, far)]


def test_a_dry_run_changes_nothing(url: str, engine: Engine) -> None:
    an_old_ledger(engine, 1)
    tables = sqlalchemy.inspect(engine).get_table_names()
    done = upgrade_ledger(url, dry_run=True)
    assert [step.version for step in done.steps] == [2, 3, 4] and done.unchained == 4
    assert done.steps[-1].adds == "A hash chain over records and links"
    assert sqlalchemy.inspect(engine).get_table_names() == tables


def test_an_upgrade_that_was_interrupted_continues(
    url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade, "_BATCH", 2)
    an_old_ledger(engine, 3)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrade_ledger(url, on_rows=stop)
    result = verification(url)
    assert result.is_unchanged and sum(result.unchained.values()) == 2
    assert upgrade_ledger(url).unchained == 2
    result = verification(url)
    assert result.is_unchanged and sum(result.unchained.values()) == 0
    assert upgrade_ledger(url) == upgrade.Upgrade(SCHEMA_VERSION, (), 0)


def test_a_step_that_fails_leaves_the_version_before(url: str, engine: Engine) -> None:
    an_old_ledger(engine, 2)
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE consentkit_links ADD COLUMN salt TEXT")
    with pytest.raises(sqlalchemy.exc.SQLAlchemyError):
        upgrade_ledger(url)
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT max(version) FROM consentkit_schema")
        assert found.scalar_one() == 3
        assert not connection.dialect.has_table(connection, "consentkit_chain")
        connection.exec_driver_sql("ALTER TABLE consentkit_links DROP COLUMN salt")
    assert upgrade_ledger(url).version == 3
    assert verification(url).is_unchanged


def test_rows_that_an_older_library_stores_during_a_deployment_are_chained_by_the_next_upgrade(
    url: str, engine: Engine
) -> None:
    an_old_ledger(engine, 3)
    upgrade_ledger(url)
    with engine.connect() as connection:
        fill(connection, a_record())
    assert [finding.what for finding in verification(url).findings] == ["inserted"]
    assert upgrade_ledger(url).unchained == 1
    assert verification(url).is_unchanged


def test_processes_write_at_once_after_those_of_an_older_version_have_ended(url: str, engine: Engine) -> None:
    an_old_ledger(engine, 3)
    upgrade_ledger(url)
    ledger = Ledger(url, lock_timeout=30)
    for _ in range(2):
        ledger.append(a_record())
        assert not ledger._database.allows_several_writers
        upgrade_ledger(url, dry_run=True, all_restarted=True)
    upgrade_ledger(url, all_restarted=True)
    ledger.append(a_record())
    assert ledger._database.allows_several_writers == url.startswith("postgresql")
    ledger.close()


def test_a_row_that_is_damaged_stays_outside_of_the_chain(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    an_old_ledger(engine, 3)
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE consentkit_records SET site = x'ff' WHERE seq = 1")
    upgrade_ledger(url)
    assert verification(url).unchained == {"record": 1, "link": 0}
    engine.dispose()


def test_a_newer_library_may_let_this_one_write(url: str, engine: Engine) -> None:
    ledger = Ledger(url, lock_timeout=30)
    ledger.append(a_record())
    with engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO consentkit_schema VALUES (5, 4)")
    other = Ledger(url, lock_timeout=30)
    other.append(a_record())
    assert len(list(other.records())) == 2
    assert upgrade_ledger(url) == upgrade.Upgrade(SCHEMA_VERSION, (), 0)
    with engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO consentkit_schema VALUES (6, 5)")
    third = Ledger(url, lock_timeout=30)
    with pytest.raises(LedgerUnavailableError, match="The tables are newer"):
        third.append(a_record())
    with pytest.raises(LedgerUnavailableError, match="newer"):
        upgrade_ledger(url)
    for each in (ledger, other, third):
        each.close()


def test_a_database_without_a_ledger_is_reported(url: str, engine: Engine, tmp_path: Path) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE other (x INTEGER)")
    with pytest.raises(LedgerUnavailableError, match="no ledger in this database"):
        upgrade_ledger(url)
    with pytest.raises(LedgerUnavailableError, match="no ledger in this database"), snapshot(url):
        pass
    with pytest.raises(LedgerUnavailableError, match="no ledger at"):
        upgrade_ledger(f"sqlite:///{tmp_path / 'other.db'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE consentkit_schema (version INTEGER)")
    with pytest.raises(LedgerUnavailableError, match="no version"):
        upgrade_ledger(url)


def test_the_upgrade_names_the_extra_that_it_needs(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(url, lock_timeout=30)
    ledger.append(a_record())
    ledger.close()
    monkeypatch.setitem(sys.modules, "alembic.script", None)
    with pytest.raises(ConfigurationError, match=r"consentkit\[cli\]"):
        upgrade_ledger(url)
