"""Lines for the log about an outage: few, however many decisions it meets."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from consentkit.ledger.fork_hooks import ForkHooks

__all__ = ["OutageLog"]

INTERVAL: Final = 60.0


class OutageLog:
    """Count what an outage causes, and return a line for the log when one is due.

    One line is due when the outage begins, one with counters at most every minute while it lasts, and one when it ends.
    An outage that begins within a minute of the last one's end is counted, but adds no lines until the minute is over.
    """

    def __init__(
        self,
        began: str,
        lasts: str,
        ended: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        interval: float = INTERVAL,
    ) -> None:
        """Start without an outage. The three sentences begin the lines; the clock returns seconds."""
        self._sentences = (began, lasts, ended)
        self._clock = clock
        self._interval = interval
        self.restart()
        _FORK_HOOKS.add(self)

    def restart(self) -> None:
        """Start again without an outage, as in a forked child: the parent reports what it has counted."""
        self._lock = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._is_outage = False
        # Whether the log has a line about the beginning of this outage.
        self._is_announced = False
        self._next_line = self._clock()

    def add(self, **numbers: int) -> None:
        """Add to counters, or take away from them, whether there is an outage or not.

        Counters are named as in the line, with underscores for spaces.
        """
        with self._lock:
            self._counters.update(numbers)

    def count(self, **numbers: int) -> str | None:
        """Add to counters, which begins an outage if there is none. Return the line that is due, or None."""
        began, lasts, _ = self._sentences
        with self._lock:
            self._is_outage = True
            self._counters.update(numbers)
            now = self._clock()
            if now < self._next_line:
                return None
            self._next_line = now + self._interval
            if not self._is_announced:
                self._is_announced = True
                return began
            return lasts + self._counted()

    def end(self) -> str | None:
        """End the outage. Return the line that is due; None if no line said that it began."""
        with self._lock:
            if not self._is_outage:
                self._counters.clear()
                return None
            self._is_outage = False
            if not self._is_announced:
                return None
            line = self._sentences[2] + self._counted()
            self._is_announced = False
            self._counters.clear()
            self._next_line = self._clock() + self._interval
            return line

    def _counted(self) -> str:
        counted = ", ".join(
            f"{name.replace('_', ' ')}: {number}" for name, number in self._counters.items() if number
        )
        return f" ({counted})" if counted else ""


_FORK_HOOKS: Final = ForkHooks(after_in_child=OutageLog.restart)
