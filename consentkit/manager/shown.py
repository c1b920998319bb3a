"""Counts of how often a site's notices were shown: how many banners and pages were sent, and nothing about who received them."""

import threading
import time
from collections.abc import Callable
from typing import Final, Literal

from consentkit.errors import LedgerError
from consentkit.ledger import ForkHooks, Ledger
from consentkit.manager.no_revocations import NoRevocations
from consentkit.manager.revocations import RevocationCache

__all__ = ["ShownCounts", "ShownSurface"]

ShownSurface = Literal["banner", "asked_again", "preferences", "policy", "embed", "signal"]
"""Where the notice was shown: the first banner, a banner that asks again, the settings page, the cookie policy, a placeholder.

A `signal` is a page of the site that was sent to a browser with Global Privacy Control.
"""

DAY: Final = 86_400
_LONGEST_PAUSE: Final = 60.0
# A policy with 24 languages has 144 kinds a day, so that an outage of a week loses no count.
_MOST_KINDS: Final = 1000

_Kind = tuple[int, str, str, str]


class ShownCounts:
    """How often one site's notices were shown, until the ledger has stored it. Thread-safe."""

    def __init__(
        self,
        ledger: Ledger | None,
        threads: RevocationCache | NoRevocations,
        site: str,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without counts. Without a ledger nothing is counted.

        Args:
            ledger: stores the counts.
            threads: runs what asks the ledger, so that no request waits for it.
            site: id of the site.
            clock: returns seconds since the epoch.
            monotonic: returns seconds that only grow.
        """
        self._ledger, self._threads, self._site = ledger, threads, site
        self._clock, self._monotonic = clock, monotonic
        self.restart()
        _FORK_HOOKS.add(self)

    def restart(self) -> None:
        """Start without counts, as in a forked child, whose parent stores what was counted before."""
        self._lock = threading.Lock()
        self._counts: dict[_Kind, int] = {}
        self._stored_at = self._monotonic()

    def add(self, surface: ShownSurface, language: str, notice: str) -> None:
        """Count a notice as shown in a language of the policy. Never waits for the ledger, and never raises."""
        if self._ledger is None:
            return
        kind = (int(self._clock()) // DAY * DAY, language, surface, notice)
        with self._lock:
            self._count(kind, 1)
            is_due = self._monotonic() - self._stored_at >= _LONGEST_PAUSE
            if is_due:
                self._stored_at = self._monotonic()
        if is_due:
            self._threads.run("shown", self.store, 0.0)

    def store(self) -> None:
        """Store what was counted. Counts that the ledger does not take are kept. Blocks; never raises."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if self._ledger is None or not counts:
            return
        try:
            self._ledger.add_shown(
                [
                    {
                        "day": day,
                        "site": self._site,
                        "notice": notice,
                        "language": language,
                        "surface": surface,
                        "count": count,
                    }
                    for (day, language, surface, notice), count in counts.items()
                ]
            )
        except LedgerError:
            with self._lock:
                for kind, count in counts.items():
                    self._count(kind, count)

    def _count(self, kind: _Kind, count: int) -> None:
        """Add to a count. Past a bound of kinds, which only a long outage reaches, further kinds are not counted."""
        known = self._counts.get(kind)
        if known is not None or len(self._counts) < _MOST_KINDS:
            self._counts[kind] = (known or 0) + count


_FORK_HOOKS: Final = ForkHooks(after_in_child=ShownCounts.restart)
