from pathlib import Path

import pytest
import sqlalchemy
import typer

from consentkit.cli.ledger_options import open_ledger
from consentkit.ledger import Ledger
from tests.support.records import a_record


def test_a_database_that_is_not_supported_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        open_ledger("mysql://localhost/consent")
    assert ended.value.exit_code == 2
    assert "mysql" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["sqlite:///{}/typo.db", "sqlite://"])
def test_a_file_that_is_not_there_is_reported_and_not_created(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        open_ledger(url.format(tmp_path))
    assert ended.value.exit_code == 2 and "there is no file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_file_is_found_by_a_uri_too(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'consent.db'}")
    ledger.append(a_record())
    ledger.close()
    found = open_ledger(f"sqlite:///file:{tmp_path / 'consent.db'}?mode=ro&uri=true")
    assert len(found.history("A" * 22)) == 1
    found.close()


def test_a_path_that_no_file_can_have_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        open_ledger("sqlite:////tmp/" + "a" * 300)
    assert ended.value.exit_code == 2 and "too long" in capsys.readouterr().err


def test_a_database_of_something_else_is_reported_and_gets_no_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER)")
    with pytest.raises(typer.Exit) as ended:
        open_ledger(str(engine.url))
    assert ended.value.exit_code == 2 and "there is no ledger in this database" in capsys.readouterr().err
    assert sqlalchemy.inspect(engine).get_table_names() == ["orders"]
    engine.dispose()
