"""Threads that wait for the ledger, apart from those of the application's own sync handlers.

Look-ups, which pages wait for, and decisions have threads of their own, so that no page waits behind visitors who decide.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar

from consentkit.errors import LedgerBusyError
from consentkit.manager import revocations

__all__ = ["in_ledger_thread", "look_up_in_time", "runs_an_event_loop"]

T = TypeVar("T")

THREADS = 64
"""At most this many threads of each event loop wait for decisions at once, and as many for look-ups."""
MOST_WAITING = 1000
"""Decisions of each event loop that wait for a thread at most; further ones are refused at once."""

_decisions: RunVar[CapacityLimiter] = RunVar("consentkit-decisions")
_look_ups: RunVar[CapacityLimiter] = RunVar("consentkit-look-ups")


async def in_ledger_thread(call: Callable[[], T]) -> T:
    """Return the result of a call that waits for the ledger, without blocking the event loop.

    Raises:
        LedgerBusyError: too many calls wait already; this one was not made.
    """
    limiter = _limiter(_decisions)
    if limiter.statistics().tasks_waiting >= MOST_WAITING:
        raise LedgerBusyError(
            f"{MOST_WAITING} decisions wait for the ledger already, so nothing was changed: try again later."
        )
    return await to_thread.run_sync(call, limiter=limiter)


async def look_up_in_time(look_up: Callable[[float], bool]) -> None:
    """Run a look-up for a page, which waits at most a quarter of a second, waiting for a thread included.

    `look_up` takes the seconds that it may wait, and returns whether it is complete. With 0 it does not block, and must not be
    repeated if it is complete.
    """
    begun, longest = time.monotonic(), revocations.LONGEST_WAIT
    if look_up(0):
        return
    with move_on_after(longest):
        await to_thread.run_sync(
            lambda: look_up(max(0.0, begun + longest - time.monotonic())), limiter=_limiter(_look_ups)
        )


def runs_an_event_loop() -> bool:
    """Return whether an event loop of asyncio or Trio runs in this thread, which must not be blocked."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        return bool(trio and trio.lowlevel.in_trio_run())
    return True


def _limiter(variable: RunVar[CapacityLimiter]) -> CapacityLimiter:
    """Return this event loop's limiter."""
    try:
        return variable.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        variable.set(limiter)
        return limiter
