"""The site's own functions that are called with the record of every change."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

from anyio import to_thread

from consentkit.ledger import Record

__all__ = ["Listener", "Listeners"]

log = logging.getLogger("consentkit")

Listener = Callable[[Record], Awaitable[None] | None]


class Listeners:
    """Call each listener with each record, one after another.

    What a listener raises is logged, so that it neither fails the visitor's request nor keeps others from being called.
    """

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Add a listener, which is called with every later record."""
        self._listeners.append(listener)

    def notify(self, record: Record) -> None:
        """Call the listeners from a thread without an event loop. Async listeners run in a loop of their own."""
        for listener in self._listeners:
            try:
                result = listener(record)
                if inspect.isawaitable(result):
                    asyncio.run(_finish(result))
            except Exception:
                log.exception("on_change: %r failed for record %s.", listener, record.id)

    async def anotify(self, record: Record) -> None:
        """Call the listeners from an event loop. Sync listeners run in a thread, because they may block."""
        for listener in self._listeners:
            try:
                if inspect.iscoroutinefunction(listener):
                    await listener(record)
                    continue
                result = await to_thread.run_sync(listener, record)
                if inspect.isawaitable(result):
                    await result
            except Exception:
                log.exception("on_change: %r failed for record %s.", listener, record.id)


async def _finish(awaitable: Awaitable[None]) -> None:
    await awaitable
