"""Bounds on what visitors who show no grant can make a process write.

Nobody has to log in to refuse, to accept, or to load an embed once, and each of these adds a row to the ledger. Past the
bounds, refusals and single loads are counted instead of recorded one by one: a count for each hour, notice and surface is
proof enough of decisions that lead to nobody. Decisions that need a record of their own get 503 past theirs.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable

from consentkit.ledger import Record

__all__ = ["DecisionCounts", "TokenBucket"]

_LONGEST_PAUSE = 1.0
_MOST_KINDS = 1000


class TokenBucket:
    """A bound on events: `burst` at once, and `rate` a second in the long run. Thread-safe."""

    def __init__(self, *, rate: float, burst: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._monotonic = rate, burst, monotonic
        self._tokens, self._at = burst, monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Return whether another event is within the bound, and count it if it is."""
        with self._lock:
            now = self._monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class DecisionCounts:
    """Counts of anonymous decisions that were not recorded one by one, until the ledger has stored them. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str | int, ...]] = Counter()
        self._taken_at = monotonic()

    def add(self, record: Record) -> None:
        """Count a decision by its hour and kind. Past a bound of kinds, which no policy reaches, it is not counted."""
        hour = record.at - record.at % 3600
        kind = (
            hour,
            record.event,
            record.site,
            record.notice,
            record.language,
            record.surface,
            record.choice,
        )
        with self._lock:
            if kind in self._counts or len(self._counts) < _MOST_KINDS:
                self._counts[kind] += 1

    @property
    def is_due(self) -> bool:
        """Whether counts have waited for a second."""
        return bool(self._counts) and self._monotonic() - self._taken_at >= _LONGEST_PAUSE

    def take(self) -> list[dict[str, str | int]]:
        """Return what was counted as rows for `Ledger.add_counts`, and start at zero."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            self._taken_at = self._monotonic()
        names = ("hour", "event", "site", "notice", "language", "surface", "choice")
        return [dict(zip(names, kind, strict=True)) | {"count": count} for kind, count in counts.items()]

    def put_back(self, rows: list[dict[str, str | int]]) -> None:
        """Count rows again that the ledger did not take."""
        with self._lock:
            for row in rows:
                *kind, count = row.values()
                self._counts[tuple(kind)] += int(count)
