from pathlib import Path

import pytest
import sqlalchemy
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from tests.support.chained import execute, three_writers
from tests.support.old_ledgers import fill, make_tables
from tests.support.records import a_record


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ledger", *arguments])


@pytest.fixture
def old(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        make_tables(connection, 2)
        fill(connection, a_record(), a_record())
    engine.dispose()
    return url


def test_a_dry_run_says_what_would_be_done(old: str) -> None:
    done = run("upgrade", "--ledger", old, "--dry-run")
    assert done.exit_code == 0
    assert "Version 4: A hash chain over records and links." in done.output
    assert "3 records and links would be taken into the chain." in done.output
    assert run("verify", "--ledger", old).exit_code == 2


def test_an_upgrade_says_what_it_did(old: str) -> None:
    done = run("upgrade", "--ledger", old)
    assert done.exit_code == 0 and "Version 3: " in done.output
    assert "3 records and links were taken into the chain." in done.output and "up to date" in done.output
    assert "run it again with --all-restarted" in done.output
    done = run("upgrade", "--ledger", old, "--all-restarted")
    assert "there is nothing to do" in done.output and "run it again" not in done.output
    assert run("verify", "--ledger", old).exit_code == 0


def test_a_ledger_is_copied(tmp_path: Path) -> None:
    source, target = (f"sqlite:///{tmp_path / name}" for name in ("a.db", "b.db"))
    three_writers(source, 9)
    done = run("copy", source, target)
    assert done.exit_code == 0 and "consentkit_records: 9 rows" in done.output
    assert "chain is unbroken" in done.output
    done = run("copy", source, target)
    assert done.exit_code == 2 and "nothing was copied" in done.output


def test_a_chain_that_was_broken_before_is_reported(tmp_path: Path) -> None:
    source, target = (f"sqlite:///{tmp_path / name}" for name in ("a.db", "b.db"))
    three_writers(source, 9)
    execute(source, "DELETE FROM consentkit_records WHERE seq = 2")
    done = run("copy", source, target)
    assert done.exit_code == 1 and "Everything was copied, but" in done.output


def test_what_is_no_ledger_is_reported(tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'no.db'}"
    for arguments in (("upgrade", "--ledger", missing), ("copy", missing, f"sqlite:///{tmp_path / 'b.db'}")):
        done = run(*arguments)
        assert done.exit_code == 2 and "no ledger at" in done.output
