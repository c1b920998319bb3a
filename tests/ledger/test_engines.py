from pathlib import Path

import pytest
import sqlalchemy

from consentkit.errors import ConfigurationError
from consentkit.ledger import Ledger
from consentkit.ledger.connections import Database
from consentkit.ledger.engines import default_spool, make_engine
from tests.support.postgres import Server
from tests.support.records import a_record


@pytest.mark.parametrize(
    ("target", "directory"),
    [
        ("sqlite:////var/lib/stride/consent.db", "/var/lib/stride/consent.db.spool"),
        ("sqlite+pysqlite:////var/lib/consent", "/var/lib/consent.spool"),
        ("sqlite:///file:/var/lib/a%2520file.db?uri=true", "/var/lib/a file.db.spool"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///file:consent?mode=memory&uri=true", None),
        ("sqlite:///file:?uri=true", None),
        ("postgresql://localhost/consent", None),
        ("no address", None),
        ("postgresql://host:port/consent", None),
    ],
)
def test_records_wait_next_to_the_file_of_a_ledger(target: str, directory: str | None) -> None:
    assert default_spool(target) == (None if directory is None else Path(directory))


def test_the_place_is_that_of_the_file_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = sqlalchemy.create_engine("sqlite:///consent.db")
    databases = [Database(target, lock_timeout=1) for target in ("sqlite:///consent.db", engine)]
    assert default_spool("sqlite:///consent.db") == default_spool(engine)
    monkeypatch.chdir("/")
    assert [database.default_spool for database in databases] == [tmp_path / "consent.db.spool"] * 2
    assert not list(tmp_path.iterdir())
    for database in databases:
        database.close()


def test_no_statement_is_prepared_because_a_pooler_may_change_the_server(postgres: Server) -> None:
    engine = make_engine(postgres.address(), 30)
    ledger = Ledger(engine, lock_timeout=30)
    for _ in range(12):
        ledger.append(a_record())
        ledger.newest("A" * 22)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one() == 0
    ledger.close()
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["postgresql://me:hidden@host:port/consent", "postgresql://me:one@hidden@host/consent"]
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make_engine(url, 2.0)
    assert "hidden" not in str(refused.value)
