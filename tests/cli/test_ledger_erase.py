import json
import time
from pathlib import Path

import pytest
import sqlalchemy
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from consentkit.ledger import Ledger
from tests.support.records import a_record, another_process_holds


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    ledger = Ledger(url)
    in_force = {"expires_at": int(time.time()) + 86_400}
    ledger.append(
        a_record(subject="a", **in_force), a_record(subject="b", expires_at=0), a_record(subject="c")
    )
    ledger.link("a", "h", 0)
    ledger.close()
    return url


def run(url: str, *arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["ledger", "erase", "--ledger", url, *arguments], input=answer)


def left(url: str) -> list[str | None]:
    ledger = Ledger(url)
    records = [record.subject for record in ledger.records()]
    ledger.close()
    return records


def test_a_visitor_is_erased_once_the_question_is_answered(url: str) -> None:  # RC-09
    assert run(url, "a", answer="n\n").exit_code == 1
    assert left(url) == ["a", "b", "c"]
    done = run(url, "h", answer="y\n")
    assert done.exit_code == 0 and "1 record of stride will be gone for good" in done.stderr
    assert "Erased 2 records and 1 link." in done.stdout and "Listeners were not called" in done.stdout
    assert left(url) == ["b", "c"]
    ended = run(url, "b", "--yes")
    assert ended.exit_code == 0 and "Listeners" not in ended.stdout
    assert json.loads(run(url, "c", "--yes", "--json").stdout)["records"] > 0
    assert left(url) == []


def test_what_cannot_be_erased_is_reported(url: str) -> None:
    unknown = run(url, "nobody", "--yes")
    assert unknown.exit_code == 1 and "Nothing is recorded under nobody" in unknown.stderr
    with another_process_holds(url, "IMMEDIATE"):
        busy = run(url, "a", "--yes")
    assert busy.exit_code == 2 and "Run it again" in busy.stderr
    assert left(url) == ["a", "b", "c"]


def test_records_that_cannot_be_read_are_erased_too(url: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE consentkit_records SET vendors = 'none' WHERE subject IN ('a', 'b')"
        )
    assert "1 record of no site will be gone" in run(url, "b", answer="n\n").stderr
    assert "Erased 1 record and 0 links." in run(url, "b", "--yes").stdout
    assert "Erased 1 record and 1 link." in run(url, "a", "--yes").stdout
    with engine.connect() as connection:
        left = connection.exec_driver_sql("SELECT subject FROM consentkit_records").scalars().all()
    engine.dispose()
    assert left == ["c"]
