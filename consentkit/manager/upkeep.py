"""The period for which records are kept: pruning a little at a time, and whether visitors may be told of the period.

All of it happens after polls, in a thread that no request waits for.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import ForkHooks, Ledger
from consentkit.policy import Duration, Policy
from consentkit.proof import Pruned, Retention

__all__ = ["RecordUpkeep"]

log = logging.getLogger("consentkit")

LONGEST_STEP = 0.005
"""Seconds of the database's time that a process takes in a minute."""
BATCH = 50
DAY = 86_400
TOLD_FOR = 35 * DAY
"""How long after a pruning visitors are told how long records are kept: so long that a monthly one is enough."""


class RecordUpkeep:
    """Prune the ledger for one manager, and know whether somebody does."""

    def __init__(
        self, ledger: Ledger, policy: Policy, site: str, *, prunes: bool, clock: Callable[[], float]
    ) -> None:
        """Start without asking the ledger. `prunes` is whether this process prunes."""
        self._ledger, self._clock, self._prunes = ledger, clock, prunes
        self._site, self._records_kept = site, policy.records_kept
        self._retention = Retention(ledger, policy.records_kept, [each.id for each in policy.sites])
        self._run: Iterator[Pruned] | None = None
        self._next_step = self._next_look = float("-inf")
        self._told_until = float("-inf")
        self._is_closed = False
        self.restart()
        _FORK_HOOKS.add(self)

    def restart(self) -> None:
        """Replace the lock, as in a forked child, which has none of the parent's threads."""
        self._lock = threading.Lock()

    @property
    def is_enforced(self) -> bool:
        """Whether records are really removed after the policy's period, as far as this process knows."""
        return self._prunes or self._clock() < self._told_until

    def __call__(self) -> None:
        """Do what is due. Never raises LedgerUnavailableError: what could not be done is due again."""
        with self._lock:
            if not self._is_closed:
                self._do_what_is_due(self._clock())

    def close(self) -> None:
        """Do nothing more, once what is being done has ended, so that no connection is left in use."""
        with self._lock:
            self._is_closed = True

    def _do_what_is_due(self, now: float) -> None:
        try:
            if not self._next_look - 3600 <= now < self._next_look:
                self._look(now)
                self._next_look = now + 3600
            if self._prunes and not self._next_step - 60 <= now < self._next_step:
                self._next_step = now + 60
                self._prune()
        except LedgerUnavailableError as error:
            log.debug("The ledger could not be pruned now: %s", error)

    def _look(self, now: float) -> None:
        """Read when the ledger was last pruned."""
        last = self._ledger.upkeep.last_pruning(self._site)
        keeps = last is not None and Duration.parse(last.records_kept) == self._records_kept
        self._told_until = last.at + TOLD_FOR if last is not None and keeps else float("-inf")
        # One process is enough, and once a day.
        is_due = last is None or not keeps or not 0 <= now - last.at < DAY
        if self._prunes and self._run is None and is_due:
            self._run = self._retention.prune(int(now), batch=BATCH, in_order=True)

    def _prune(self) -> None:
        began = time.monotonic()
        # An error ends a run, and another one begins after the next look.
        run, self._run = self._run, None
        while run is not None and not next(run).done:
            if time.monotonic() - began >= LONGEST_STEP:
                self._run = run
                return


_FORK_HOOKS: Final = ForkHooks(after_in_child=RecordUpkeep.restart)
