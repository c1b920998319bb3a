import json
import time
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import sqlalchemy
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from consentkit.ledger import Ledger
from consentkit.notices import Notice
from consentkit.policy import Policy
from consentkit.proof import receipt_id, receipt_schema
from tests.support.records import a_record

SOON = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ledger", "receipt", *arguments])


@pytest.fixture
def url(tmp_path: Path, policy: Policy) -> str:
    url, notice = f"sqlite:///{tmp_path / 'consent.db'}", Notice.of(policy)
    ledger = Ledger(url)
    ledger.store_notice(notice.digest, dict(notice.content or {}))
    given = {"notice": notice.digest, "expires_at": SOON}
    ledger.append(
        a_record(subject="given", **given),
        a_record(subject="expired", notice=notice.digest, expires_at=int(time.time())),
        a_record(subject="withdrawn", **given),
        a_record(subject="withdrawn", event="withdrawn", status="withdrawn", notice=notice.digest),
        a_record(subject="unknown notice", expires_at=SOON),
    )
    ledger.close()
    return url


def test_the_receipt_of_a_reference_is_printed(url: str) -> None:
    result = run("given", "--ledger", url, "--prefix", "/cookies")
    assert result.exit_code == 0
    receipt = json.loads(result.stdout)
    jsonschema.validate(receipt, receipt_schema())
    record = receipt["dpv:hasRecordOfActivity"]
    assert receipt["dct:identifier"] == receipt_id(record["dct:identifier"])
    assert record["dpv:hasConsentControl"]["dpv:isExercisedAt"] == "https://stride.example/cookies"


@pytest.mark.parametrize("content", ['{"sites": []}', "[1]"])
def test_no_receipt_names_a_notice_that_was_changed(url: str, content: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE consentkit_notices SET content = ?", (content,))
    engine.dispose()
    result = run("given", "--ledger", url)
    assert result.exit_code == 1 and result.stdout == ""


@pytest.mark.parametrize("reference", ["nobody", "expired", "withdrawn", "unknown notice"])
def test_without_a_grant_there_is_nothing_to_print(reference: str, url: str) -> None:
    result = run(reference, "--ledger", url)
    assert result.exit_code == 1 and result.stdout == "" and repr(reference) in result.stderr


def test_a_ledger_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "consent.db"
    file.write_bytes(b"no database" * 1000)
    result = run("a", "--ledger", f"sqlite:///{file}")
    assert result.exit_code == 2 and result.stdout == "" and result.stderr
