import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import make_url

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Ledger, sqlite_file
from consentkit.ledger.connections import Database
from tests.conftest import Clock
from tests.support.postgres import Server
from tests.support.records import a_record, eventually
from tests.support.statements import before_statements, watchable_engine

PATIENT = 30


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, lock_timeout=PATIENT)
    yield ledger
    ledger.close()


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements in another session and return the rows of the last one."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for statement in statements:
            result = connection.execute(sqlalchemy.text(statement))
        rows = [tuple(row) for row in result.all()] if result.returns_rows else []
    engine.dispose()
    return rows


def drop_tables(url: str) -> None:
    names = ("records", "notices", "renderings", "links", "tokens", "schema", "store")
    execute(url, *(f"DROP TABLE consentkit_{name}" for name in names))


class TestTheStore:
    def test_has_an_id_that_every_process_reads(self, url: str, ledger: Ledger) -> None:
        database = ledger._database
        assert (database.store_id, database.epoch) == (None, 0)
        assert database.health() == {"state": "unused", "store": None}
        ledger.append(a_record())
        assert re.fullmatch("[0-9a-f]{32}", database.store_id or "")
        assert database.health() == {"state": "ok", "store": database.store_id}
        other = Ledger(url, lock_timeout=PATIENT)
        assert other.notices() == []
        assert other._database.store_id == database.store_id
        assert execute(url, "SELECT id FROM consentkit_store") == [(database.store_id,)]
        other.close()

    def test_keeps_its_epoch_while_it_is_the_same(self, ledger: Ledger) -> None:
        ledger._database.check()
        assert ledger._database.health()["state"] == "unused", "an unused database is not connected to"
        for _ in range(3):
            ledger.append(a_record())
            ledger._database.check()
        assert ledger._database.epoch == 1
        ledger._database.begin_epoch()
        assert ledger._database.epoch == 2

    @pytest.mark.parametrize("use", ["append", "newest", "check", "link"])
    def test_that_was_emptied_gets_its_tables_again(
        self, url: str, ledger: Ledger, use: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger.append(a_record())
        before = ledger._database.store_id
        drop_tables(url)
        if use == "append":
            ledger.append(a_record(subject="new"))
        elif use == "newest":
            assert ledger.newest("A" * 22) is None
        elif use == "link":
            ledger.link("a", "b", 1)
        else:
            ledger._database.check()
        ledger.append(a_record(subject="new"))
        assert ledger.newest("new") is not None
        assert ledger.history("A" * 22) == []
        assert ledger._database.store_id != before
        assert ledger._database.epoch == 2
        assert caplog.text.count("The ledger's tables were missing and have been created again") == 1

    def test_that_lost_one_table_gets_it_again(self, url: str, ledger: Ledger) -> None:
        ledger.append(a_record())
        before = ledger._database.store_id
        execute(url, "DROP TABLE consentkit_notices")
        assert ledger.notices() == []
        assert (ledger._database.store_id == before, ledger._database.epoch) == (True, 2)
        execute(url, "DROP TABLE consentkit_records")
        with pytest.raises(LedgerUnavailableError):
            ledger.append(a_record())
        ledger.append(a_record())
        assert ledger._database.epoch == 3

    @pytest.mark.parametrize("use", ["append", "check"])
    def test_that_is_another_one_begins_an_epoch(
        self, url: str, ledger: Ledger, use: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger.append(a_record())
        execute(url, "UPDATE consentkit_store SET id = 'another'")
        if use == "append":
            ledger.append(a_record())
        else:
            ledger._database.check()
        assert (ledger._database.store_id, ledger._database.epoch) == ("another", 2)
        assert "database is another one than before" in caplog.text

    def test_that_lost_its_id_gets_another(self, url: str, ledger: Ledger) -> None:
        ledger.append(a_record())
        before = ledger._database.store_id
        execute(url, "DELETE FROM consentkit_store")
        ledger._database.check()
        assert ledger._database.store_id not in (before, None)
        assert execute(url, "SELECT id FROM consentkit_store") == [(ledger._database.store_id,)]

    @pytest.mark.parametrize(
        ("change", "remedy"),
        [
            (
                "UPDATE consentkit_schema SET version = 99, compatible_from = 5",
                "have version 99.*newer. Upgrade consentkit.",
            ),
            (
                "UPDATE consentkit_schema SET version = 0",
                "have version 0.*older. Run `consentkit ledger upgrade`",
            ),
        ],
    )
    def test_with_tables_of_another_version_raises_with_the_remedy(
        self, url: str, ledger: Ledger, change: str, remedy: str
    ) -> None:
        ledger.append(a_record())
        execute(url, change)
        other = Ledger(url, lock_timeout=PATIENT)
        with pytest.raises(LedgerUnavailableError, match=remedy):
            other.append(a_record())
        other.close()

    def test_whose_id_cannot_be_read_stores_nothing(self, tmp_path: Path) -> None:
        engine = watchable_engine(f"sqlite:///{tmp_path / 'consent.db'}")
        ledger = Ledger(engine)
        ledger.append(a_record())
        refusals = [sqlite3.OperationalError("disk I/O error")]

        def refuse(_connection: object, statement: str) -> None:
            if statement.startswith("SELECT consentkit_store") and refusals:
                raise refusals.pop()

        before_statements(engine, refuse)
        with pytest.raises(LedgerUnavailableError, match="disk I/O error"):
            ledger.append(a_record())
        assert len(list(ledger.records())) == 1
        ledger.close()
        engine.dispose()

    def test_without_a_version_gets_it_again(self, url: str, ledger: Ledger) -> None:
        ledger.append(a_record())
        execute(url, "DELETE FROM consentkit_schema", "DROP TABLE consentkit_tokens")
        other = Ledger(url, lock_timeout=PATIENT)
        assert other.use_once("a", 1)
        other.close()


def test_a_postgresql_server_that_is_replaced_by_an_empty_one_is_used_without_a_restart(
    postgres: Server,
) -> None:
    url = postgres.address()
    name = make_url(url).query["options"]
    assert isinstance(name, str)
    schema = name.partition("=")[2]
    ledger = Ledger(url, lock_timeout=PATIENT)
    ledger.append(a_record())
    ledger.store_notice("d", {})
    postgres.execute(f"ALTER SCHEMA {schema} RENAME TO {schema}_before")
    postgres.execute(f"CREATE SCHEMA {schema}")
    postgres.restart()
    ledger.append(a_record(subject="after"))
    assert (ledger.history("A" * 22), ledger.notices()) == ([], [])
    assert ledger._database.epoch == 2
    ledger.close()


def test_an_error_of_the_server_is_passed_on_without_the_row_that_it_refused(postgres: Server) -> None:
    url = postgres.address()
    ledger = Ledger(url, lock_timeout=PATIENT)
    ledger.append(a_record())
    execute(url, "ALTER TABLE consentkit_records ADD CONSTRAINT no_site CHECK (site <> 'bad')")
    with pytest.raises(LedgerUnavailableError, match="no_site") as refused:
        ledger.append(a_record(subject="thevisitor", site="bad"))
    assert "thevisitor" not in str(refused.value)
    ledger.close()


def test_a_server_that_is_down_is_unreachable(postgres: Server) -> None:
    ledger = Ledger(postgres.address(), lock_timeout=PATIENT)
    ledger.append(a_record())
    postgres.stop()
    try:
        with pytest.raises(LedgerUnavailableError):
            ledger._database.check()
        assert ledger._database.health()["state"] == "unreachable"
    finally:
        postgres.start()
    ledger._database.check()
    assert ledger._database.health()["state"] == "ok"
    ledger.close()


class TestADatabaseThatCannotBeWritten:
    def test_is_read_only_for_a_role(self, postgres: Server) -> None:
        url = postgres.address()
        ledger = Ledger(url, lock_timeout=PATIENT)
        ledger.append(a_record())
        assert ledger._database.is_writable()
        ledger.close()
        reader = Ledger(f"{url}%20-cdefault_transaction_read_only%3Don", lock_timeout=PATIENT)
        assert not reader._database.is_writable()
        assert reader.newest("A" * 22) is not None
        with pytest.raises(LedgerUnavailableError):
            reader.append(a_record())
        reader.close()

    def test_is_a_file_opened_for_reading(self, tmp_path: Path) -> None:
        path = tmp_path / "consent.db"
        for address, writable in {
            "sqlite://": True,
            f"sqlite:///{path}": True,
            f"sqlite:///file:{path}?uri=true": True,
            f"sqlite:///file:{path}?mode=ro&uri=true": False,
            f"sqlite:///file:{path}?immutable=1&uri=true": False,
        }.items():
            database = Database(address, lock_timeout=PATIENT)
            assert database.is_writable() is writable, address
            database.close()

    def test_is_a_file_that_the_user_may_only_read(self, tmp_path: Path) -> None:
        program = """
import os, sys, tempfile
from pathlib import Path
from consentkit.ledger.connections import Database
directory = Path(tempfile.mkdtemp())
directory.chmod(0o777)
path = directory / "consent.db"
path.touch(0o666)
path.chmod(0o666)
database = Database(f"sqlite:///{path}", lock_timeout=1)
found = []
user = os.geteuid()
for file_mode, directory_mode in ((0o666, 0o777), (0o444, 0o777), (0o666, 0o555)):
    path.chmod(file_mode)
    directory.chmod(directory_mode)
    if user == 0:
        os.seteuid(65534)
    found.append(database.is_writable())
    os.seteuid(user)
directory.chmod(0o700)
path.unlink()
directory.rmdir()
assert found == [True, False, False], found
"""
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def follow(ledger: Ledger, clock: Callable[[], float]) -> None:
    """Let the checks of a ledger's file go by the test's clock, as if there had been none yet."""
    ledger._database._file_check = sqlite_file.FileCheck(ledger._database._engine, clock=clock)


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "consent.db"

    @pytest.fixture
    def ledger(self, path: Path) -> Iterator[Ledger]:
        ledger = Ledger(f"sqlite:///{path}", lock_timeout=PATIENT)
        ledger.append(*(a_record(subject=f"{n}") for n in range(2000)))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("VACUUM INTO ?", (f"{path}.backup",))
        yield ledger
        ledger.close()

    @staticmethod
    def overwrite_the_middle(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 8)
            file.write(os.urandom(path.stat().st_size // 2))

    @staticmethod
    def truncate(path: Path) -> None:
        os.truncate(path, path.stat().st_size // 2)

    @staticmethod
    def empty(path: Path) -> None:
        os.truncate(path, 0)

    @staticmethod
    def overwrite(path: Path) -> None:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.write(b"no database" * (size // 11))

    @pytest.mark.parametrize("how", ["overwrite_the_middle", "truncate", "empty", "overwrite"])
    def test_while_running_is_noticed_until_the_backup_is_restored(
        self, ledger: Ledger, path: Path, how: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        database = ledger._database
        follow(ledger, lambda: 0.0)
        database.check()
        getattr(self, how)(path)
        for _ in range(3):
            with pytest.raises(LedgerUnavailableError, match="Restore it from your backup"):
                database.check()
            with pytest.raises(LedgerUnavailableError, match="Restore it from your backup"):
                ledger.append(a_record(subject="lost"))
            with pytest.raises(LedgerUnavailableError, match="Restore it from your backup"):
                ledger.newest("7")
        assert database.health()["state"] == "damaged"
        assert [record.message for record in caplog.records if "is damaged" in record.message] == [
            record.message for record in caplog.records
        ]
        assert len(caplog.records) == 1
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        os.replace(f"{path}.backup", path)
        epoch = database.epoch
        assert ledger.newest("7") is not None
        ledger.append(a_record(subject="kept"))
        database.check()
        assert len(list(ledger.records())) == 2001
        assert database.health()["state"] == "ok"
        assert database.epoch == epoch + 1, "what was stored after the backup is stored again"
        assert caplog.text.count("is no longer damaged") == 1

    def test_that_shortens_the_file_is_noticed_although_no_whole_check_is_due(
        self, ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_file, "LARGEST_CHECKED", 1000)
        ledger._database.check()
        self.truncate(path)
        with pytest.raises(LedgerUnavailableError, match="a part of it is missing"):
            ledger._database.check()

    def test_is_not_a_backup_that_was_restored_but_that_begins_an_epoch(
        self, ledger: Ledger, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        database = ledger._database
        store, epoch = database.store_id, database.epoch
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        os.replace(f"{path}.backup", path)
        database.check()
        database.check()
        assert (database.store_id, database.epoch) == (store, epoch + 1)
        assert [
            record.message for record in caplog.records if "replaced while in use" not in record.message
        ] == []

    def test_is_noticed_at_the_first_use_in_a_process(
        self, ledger: Ledger, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger.close()
        self.overwrite_the_middle(path)
        other = Ledger(f"sqlite:///{path}", lock_timeout=PATIENT)
        with pytest.raises(LedgerUnavailableError, match="damaged"):
            other.append(a_record())
        with pytest.raises(LedgerUnavailableError, match="damaged"):
            other.notices()
        assert caplog.text.count("is damaged") == 1
        other.close()

    def test_that_a_query_meets_is_noticed(self, ledger: Ledger, path: Path) -> None:
        self.overwrite(path)
        ledger._database._disconnect()
        with pytest.raises(LedgerUnavailableError):
            ledger.newest("7")
        assert ledger._database.health()["state"] == "damaged"

    def test_that_was_restored_in_place_is_looked_at_when_a_check_is_due(
        self, ledger: Ledger, path: Path, clock: Clock
    ) -> None:
        database = ledger._database
        follow(ledger, clock)
        self.overwrite_the_middle(path)

        with pytest.raises(LedgerUnavailableError):
            database.check()
        database._file_check._next_whole_check = clock() + 198
        shutil.copyfile(f"{path}.backup", path)
        with pytest.raises(LedgerUnavailableError):
            ledger.newest("7")
        clock.advance(198)
        assert ledger.newest("7") is not None

    def test_that_ends_with_the_file_leads_to_a_new_one(
        self, ledger: Ledger, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.overwrite(path)
        with pytest.raises(LedgerUnavailableError):
            ledger._database.check()
        for file in path.parent.glob("consent.db*"):
            file.unlink()
        ledger.append(a_record(subject="new"))
        assert len(list(ledger.records())) == 1
        assert "tables were missing" in caplog.text

    def test_is_looked_for_in_the_whole_file_under_one_percent_of_the_time(
        self, ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        statements: list[str] = []

        @sqlalchemy.event.listens_for(ledger._database._engine, "connect")
        def trace(connection: Any, _entry: object) -> None:
            def note(statement: str) -> None:
                statements.append(statement)
                if "quick_check" in statement:
                    clock.advance(2)

            connection.set_trace_callback(note)

        follow(ledger, clock)

        def whole_checks() -> int:
            ledger._database.check()
            return sum("quick_check" in statement for statement in statements)

        assert [whole_checks(), whole_checks()] == [1, 1]
        clock.advance(197)
        assert whole_checks() == 1
        clock.advance(1)
        assert whole_checks() == 2
        clock.advance(1000)
        monkeypatch.setattr(sqlite_file, "LARGEST_CHECKED", 1000)
        assert whole_checks() == 2

    def test_is_not_what_the_log_has_not_moved_into_the_file_yet(self, path: Path) -> None:
        ledger = Ledger(f"sqlite:///{path}", lock_timeout=PATIENT)
        for n in range(20):
            ledger.append(*(a_record(subject=f"{n} {m}") for m in range(50)))
            ledger._database.check()
        assert ledger._database.health()["state"] == "ok"
        ledger.close()

    def test_cannot_be_looked_for_while_the_file_is_locked(self, path: Path) -> None:
        ledger = Ledger(f"sqlite:///{path}", lock_timeout=0.1)
        record = a_record()
        eventually(lambda: ledger.append(record))
        ledger._database._disconnect()
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("BEGIN EXCLUSIVE")
            with pytest.raises(LedgerUnavailableError, match="locked"):
                ledger._database.check()
        assert ledger._database.health()["state"] == "unreachable"
        ledger.close()
