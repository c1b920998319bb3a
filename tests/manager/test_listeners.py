import asyncio
import logging
import threading

import pytest

from consentkit.ledger import Record
from consentkit.manager.listeners import Listeners
from tests.support.records import a_record


def test_listeners_are_called_in_order_and_a_failing_one_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    called: list[tuple[str, str]] = []
    listeners = Listeners()

    def first(record: Record) -> None:
        called.append(("first", record.id))

    def faulty(record: Record) -> None:
        raise ValueError("their fault")

    async def last(record: Record) -> None:
        called.append(("last", record.id))

    async def faulty_later(record: Record) -> None:
        raise ValueError("their fault, later")

    for listener in (first, faulty, faulty_later, last):
        listeners.add(listener)
    record = a_record()
    with caplog.at_level(logging.ERROR):
        listeners.notify(record)
        asyncio.run(listeners.anotify(record))
    assert called == [("first", record.id), ("last", record.id)] * 2
    assert len(caplog.records) == 4


def test_sync_listener_runs_in_another_thread_than_the_event_loop() -> None:
    where: list[threading.Thread] = []
    listeners = Listeners()
    listeners.add(lambda record: where.append(threading.current_thread()))
    asyncio.run(listeners.anotify(a_record()))
    assert where and where[0] is not threading.current_thread()


def test_awaitable_returned_by_a_sync_listener_is_awaited() -> None:
    called: list[str] = []

    async def later(record: Record) -> None:
        called.append(record.id)

    listeners = Listeners()
    listeners.add(lambda record: later(record))
    record = a_record()
    asyncio.run(listeners.anotify(record))
    assert called == [record.id]
