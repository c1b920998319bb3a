"""Threads that wait for the ledger, apart from those of the application's own sync handlers."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

__all__ = ["in_ledger_thread"]

T = TypeVar("T")

THREADS = 64
"""At most this many threads of each event loop wait for the ledger at once."""

_limiter: RunVar[CapacityLimiter] = RunVar("consentkit-ledger")


async def in_ledger_thread(call: Callable[[], T]) -> T:
    """Return the result of a call that waits for the ledger, without blocking the event loop."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _limiter.set(limiter)
    return await to_thread.run_sync(call, limiter=limiter)
