from pathlib import Path

import pytest
import sqlalchemy
import typer

from consentkit.cli.ledger_options import open_ledger


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
