from collections.abc import Callable
from pathlib import Path

import pytest

from consentkit.errors import LedgerUnavailableError
from tests.conftest import Clock
from tests.support.front import EVERYTHING, Front
from tests.support.postgres import Server
from tests.support.records import a_record, another_process_holds


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.address()


@pytest.fixture
def here(make_front: Callable[..., Front], url: str) -> Front:
    return make_front(ledger=url)


def test_without_a_ledger_there_is_nothing_to_erase_or_to_hand_over(make_front: Callable[..., Front]) -> None:
    with pytest.warns(UserWarning, match="no ledger"):
        manager = make_front(ledger=None).manager
    for call in (manager.erase, manager.export_for):
        with pytest.raises(LedgerUnavailableError):
            call(["r"])
    assert not manager.keeps_promise


def test_the_application_gets_everything_about_its_visitors(here: Front, url: str, clock: Clock) -> None:
    here.cookie(here.client(), **EVERYTHING)
    (record,) = here.records()
    reference = record.subject or ""
    waiting = a_record(subject=reference, at=int(clock()) + 1, categories={"analytical": True})
    delivery = here.manager._parts.delivery
    assert delivery is not None
    with another_process_holds(url, "IMMEDIATE"):
        assert delivery.put(waiting)
        told, nothing = here.manager.export_for([reference, "nobody"])
    assert [each["id"] for each in told["records"]] == [record.id, waiting.id]
    assert told["notices"][record.notice] == here.manager.notice.content
    assert nothing["records"] == [] and nothing["references"] == ["nobody"]
