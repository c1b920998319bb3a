"""A circuit breaker for decisions: while the ledger does not answer, one decision at a time finds out whether it does again."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import ForkHooks, OutageLog

__all__ = ["Breaker"]

log = logging.getLogger("consentkit")


class Breaker:
    """Refuses decisions at once that would wait in vain, so that a flood of them holds up nobody.

    After a failure one decision at a time is let through. The first that succeeds lets all others through again. The log gets
    a line when the ledger stops taking decisions, one a minute with counters, and one when it takes them again.
    """

    def __init__(self) -> None:
        self._outage = OutageLog(
            "The ledger takes no decisions at the moment. Those that allow more are answered with 503.",
            "The ledger still takes no decisions.",
            "The ledger takes decisions again.",
        )
        self.restart()
        _FORK_HOOKS.add(self)

    def restart(self) -> None:
        """Close the breaker, as in a forked child, whose parent keeps the decisions under way."""
        self._lock = threading.Lock()
        self._is_open = self._is_probing = False

    @property
    def is_open(self) -> bool:
        """Whether decisions are refused, but for one at a time."""
        return self._is_open

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run a block that stores a decision.

        Raises:
            LedgerUnavailableError: the block raised it, or another decision is finding out whether the ledger answers again.
        """
        with self._lock:
            if self._is_open and self._is_probing:
                self._log(self._outage.count(decisions_without_the_ledger=1))
                raise LedgerUnavailableError("The ledger does not answer at the moment.")
            is_probe = self._is_probing = self._is_open
        try:
            yield
        except LedgerUnavailableError as error:
            self._finish(is_probe, is_open=True)
            line = self._outage.count(decisions_without_the_ledger=1)
            self._log(f"{line} {error}" if line else None)
            raise
        except BaseException:
            self._finish(is_probe, is_open=False)
            raise
        self._finish(is_probe, is_open=False)
        line = self._outage.end()
        if line is not None:
            log.info(line)

    def _finish(self, is_probe: bool, *, is_open: bool) -> None:
        with self._lock:
            self._is_open = is_open
            if is_probe:
                self._is_probing = False

    @staticmethod
    def _log(line: str | None) -> None:
        if line is not None:
            log.error(line)


_FORK_HOOKS: Final = ForkHooks(after_in_child=Breaker.restart)
