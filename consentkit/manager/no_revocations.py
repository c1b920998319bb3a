"""Stand-in for the cache of withdrawals where there is no ledger."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from consentkit.ledger import Record

__all__ = ["NoRevocations"]

_NEVER = float("-inf")


class NoRevocations:
    """Stand in for a RevocationCache without a ledger: no record is known, and no look-up is ever due."""

    known: Mapping[str, tuple[Record | None, float]] = MappingProxyType({})
    polled, due_at = _NEVER, float("inf")
    looked_up = 0

    def due(self, subject: str, now: float, *, moment: tuple[int, int] = (0, 0)) -> bool:
        """Return False, because there is nothing to ask."""
        return False

    def refresh(
        self, subject: str, now: float, wait: float | None = None, *, moment: tuple[int, int] = (0, 0)
    ) -> bool:
        """Return True, because there is nothing to wait for."""
        return True

    def run(self, name: str, call: Callable[[], None], wait: float | None = None) -> bool:
        """Return True, because there is nothing to wait for."""
        return True

    def hold(self, record: Record, now: float, *, stored: bool, made_here: bool = False) -> None:
        """Do nothing: without a ledger only the visitor's cookie changes."""

    def newest(self, subject: str, changed_at: int, now: float) -> tuple[Record | None, bool]:
        """Return no record, and True, because there is no ledger with a newer one."""
        return None, True

    def counting(self, subject: str, newest: Record | None) -> Record | None:
        """Return the record as it is."""
        return newest

    def is_settled(self, subject: str) -> bool:
        """Return True, because no record waits."""
        return True

    def lacking(self, subject: str) -> tuple[Record, ...]:
        """Return no records, because none wait."""
        return ()

    def is_unaware(self, subject: str, moment: tuple[int, int]) -> bool:
        """Return False, because no record waits."""
        return False

    def seen(self, subject: str) -> bool:
        """Return False, because no ledger has answered."""
        return False

    def health(self, now: float) -> dict[str, object]:
        """Return the state of a cache that never asks."""
        return {"state": "not asked yet", "last_poll": None, "pending": 0, "held": 0}

    def close(self) -> None:
        """Do nothing."""
