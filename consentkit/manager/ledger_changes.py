"""How far one process has read what changes in the ledger: new records, erasures, and another ledger in its place."""

import threading
from collections.abc import Callable, Iterator

from consentkit.ledger import Ledger, Record

__all__ = ["LedgerChanges"]


class LedgerChanges:
    """The place in a ledger up to which its changes have been read. Threads may share it.

    Args:
        ledger: whose changes are read.
        epoch: returns a number that changes when another ledger takes the place of this one.
    """

    def __init__(self, ledger: Ledger, epoch: Callable[[], int]) -> None:
        self._ledger, self._epoch = ledger, epoch
        self._lock = threading.Lock()
        self._cursor: int | None = None
        self._cursor_epoch = self._erasures = 0

    @property
    def has_begun(self) -> bool:
        """Return whether there is a place. Changes up to the first one are never read."""
        return self._cursor is not None

    @property
    def is_other_ledger(self) -> bool:
        """Return whether another ledger has taken the place of the one that was read."""
        return self._cursor is not None and self._epoch() != self._cursor_epoch

    def begin(self) -> None:
        """Begin at the present end of the ledger, unless reading has begun.

        Raises:
            LedgerUnavailableError: there was no answer.
        """
        if self._cursor is not None:
            return
        epoch = self._epoch()
        # First the erasures: one that comes between the two queries is noticed by the next poll.
        erasures = self._ledger.erasures()
        _, end = self._ledger.changes(None)
        with self._lock:
            if self._cursor is None:
                self._cursor, self._cursor_epoch, self._erasures = end, epoch, erasures

    def end(self) -> None:
        """Forget the place, because another ledger answers."""
        self._cursor = None

    def read(self) -> Iterator[Record]:
        """Yield the records that were added after the place, which moves behind them. Nothing before `begin`.

        Raises:
            LedgerUnavailableError: there was no answer. The place is behind the records that were yielded.
        """
        cursor = self._cursor
        while cursor is not None:
            changed, after = self._ledger.changes(cursor)
            yield from changed
            self._cursor = after
            # An answer has a limited length.
            cursor = after if after != cursor else None

    def new_erasures(self) -> int | None:
        """Return a number for `note_erasures` if records of a visitor were erased. What is left does not say whose.

        Raises:
            LedgerUnavailableError: there was no answer.
        """
        erasures = self._ledger.erasures()
        return None if erasures == self._erasures else erasures

    def note_erasures(self, erasures: int) -> None:
        """Note that all that followed from erasures has been done."""
        self._erasures = erasures

    def after_fork_in_child(self) -> None:
        """Replace the lock, which a thread of the parent may have held."""
        self._lock = threading.Lock()
