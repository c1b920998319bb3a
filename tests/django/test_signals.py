import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.utils import ConnectionHandler
from django.test import AsyncClient

from consentkit.django import consent_changed
from tests.support.django_site import DjangoSite

DOCUMENT = {"categories": {"social": True}}


@pytest.fixture
def connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> Iterator[ConnectionHandler]:
    """Connections of every thread to a database in a file."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "db.sqlite3"}
    handler = ConnectionHandler({"default": database})
    monkeypatch.setattr("consentkit.django.signals.connections", handler)
    with django_db_blocker.unblock():
        yield handler


@pytest.fixture
def used(connections: ConnectionHandler) -> Any:
    """The connections that a receiver of the signal has used."""
    used: list[Any] = []

    def receive(**_: Any) -> None:
        connections["default"].connect()
        used.append(connections["default"])

    consent_changed.connect(receive)
    yield used
    consent_changed.disconnect(receive)


async def decide(client: AsyncClient) -> int:
    answer = await client.post("/consent/decision", DOCUMENT, "application/json")
    return int(answer.status_code)


def test_receiver_over_asgi_leaves_no_connection_open_in_its_thread(
    site: DjangoSite, used: list[Any]
) -> None:
    assert asyncio.run(decide(site.aclient())) == 200
    assert [each.connection for each in used] == [None]


def test_connection_of_the_view_stays_open(
    site: DjangoSite, connections: ConnectionHandler, used: list[Any]
) -> None:
    connections["default"].connect()
    site.client().post("/consent/decision", DOCUMENT, "application/json")
    assert used == [connections["default"]]
    assert connections["default"].connection is not None
    connections["default"].close()
