"""Rows that another program wrote, or that are damaged: they stop nobody's pages."""

import logging

import pytest
import sqlalchemy
from starlette.testclient import TestClient

from consentkit import Ledger, Policy
from consentkit.ledger import SentWords
from consentkit.ledger.tables import records
from tests.conftest import Clock
from tests.support.front import COOKIE, EVERYTHING, ORIGIN, Front, fronting
from tests.support.postgres import Server
from tests.support.records import a_record

DAMAGE = {
    "an id that is no UUID": {"id": "nobody"},
    "categories that are not JSON": {"categories": "none"},
    "categories of another type": {"categories": "[1]"},
    "deep JSON": {"vendors": "[" * 5000},
    "a text of 300 characters": {"language": "x" * 300},
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, ledger_url: str) -> str:
    if request.param == "sqlite":
        return ledger_url
    server: Server = request.getfixturevalue("postgres")
    return server.address()


def damage(url: str, change: dict[str, str]) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        last = sqlalchemy.select(sqlalchemy.func.max(records.c.seq)).scalar_subquery()
        connection.execute(records.update().where(records.c.seq == last).values(change))
    engine.dispose()


def visitor(front: Front) -> TestClient:
    return front.client(base_url=ORIGIN)


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_one_unreadable_row_stops_nobody(
    url: str, clock: Clock, change: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with fronting(clock, ledger=Ledger(url)) as front:
        with visitor(front) as other, visitor(front) as mine:
            theirs = front.cookie(other, **EVERYTHING)
            token = front.cookie(mine, **EVERYTHING)
        damage(url, change)
    caplog.clear()
    with fronting(clock, ledger=Ledger(url)) as front, visitor(front) as client:
        for cookie, granted in ((theirs, True), (token, False)):
            headers = {"Cookie": f"{COOKIE}={cookie}"}
            assert client.get("/", headers=headers).status_code == 200
            assert client.get("/consent", headers=headers).status_code == 200
            said = client.get("/consent/decision", headers=headers).json()
            assert said["categories"]["social"] is granted
        clock.advance(60)
        assert client.get("/", headers=headers).status_code == 200
        gone = client.delete("/consent/decision", headers=headers)
        assert gone.status_code == 200 and gone.json()["status"] == "withdrawn"
        errors = [line for line in caplog.records if line.levelno >= logging.ERROR]
        assert len(errors) == 1, "logged once, and not for each request"
        assert token.split(".")[6] not in caplog.text
        clock.advance(60)
        readable = [record.status for record in front.ledger.history(token.split(".")[6])]
        assert readable == ["withdrawn"] and len(front.records()) == 2
        client.cookies.clear()
        again = client.get("/consent/decision", headers=headers).json()
        assert again["categories"]["social"] is False


def test_unreadable_notice_is_skipped(url: str, policy: Policy) -> None:
    ledger = Ledger(url)
    ledger.store_notice("d" * 43, {"languages": ["en"]})
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE consentkit_notices SET content = 'torn'")
    engine.dispose()
    assert ledger.notice("d" * 43) is None
    assert ledger.notices() == [("d" * 43, None)]
    ledger.close()


def test_text_that_is_not_utf_8_stops_nobody(ledger_url: str, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(ledger_url)
    words = SentWords.of(notice="n", site="stride", language="nl", surface="banner", version="1", html="<p>")
    ledger.append(a_record(subject="a"), a_record(subject="b"))
    ledger.store_renderings([words])
    engine = sqlalchemy.create_engine(ledger_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE consentkit_records SET language = CAST(x'ff41' AS TEXT) WHERE subject = 'a'"
        )
        connection.exec_driver_sql("UPDATE consentkit_renderings SET html = CAST(x'ff41' AS TEXT)")
    engine.dispose()
    assert ledger.newest("a") is None and ledger.history("a") == []
    assert [record.subject for record in ledger.changes(0)[0]] == ["b"]
    assert ledger.rendering(words.id) is None and ledger.renderings("n") == []
    assert "not a record and is skipped" in caplog.text
    ledger.close()
