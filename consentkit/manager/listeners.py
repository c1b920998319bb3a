"""Code of the site that is told of every change. What it raises is logged and never the visitor's problem."""

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
    """Call each listener with each record, one after another."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Call this one from now on."""
        self._listeners.append(listener)

    def tell(self, record: Record) -> None:
        """Tell them from a thread without an event loop; async ones get a loop of their own."""
        for listener in self._listeners:
            try:
                result = listener(record)
                if inspect.isawaitable(result):
                    asyncio.run(_finish(result))
            except Exception:
                log.exception("on_change: %r failed for record %s.", listener, record.id)

    async def atell(self, record: Record) -> None:
        """Tell them from an event loop; sync ones in a thread, since they may block."""
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
