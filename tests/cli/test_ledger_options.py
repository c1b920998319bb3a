import pytest
import typer

from consentkit.cli.ledger_options import open_ledger


def test_a_database_that_is_not_supported_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        open_ledger("mysql://localhost/consent")
    assert ended.value.exit_code == 2
    assert "mysql" in capsys.readouterr().err
