"""How far one process has read what changes in the ledger: new records, erasures, and another ledger in its place."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator

from consentkit.ledger import OVERLAP, Ledger, Record

__all__ = ["LedgerChanges"]

_MOST_EXPECTED = 10_000


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
        self._removals: dict[str, int] = {}
        # By id, the number of each record that the next reading has to find; None for one that was stored here since.
        self._expected: dict[str, int | None] = {}

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
        # First the removals: one that comes between the two queries is noticed by the next poll.
        removals = self._ledger.removals()
        _, end = self._ledger.changes(None)
        with self._lock:
            if self._cursor is None:
                self._cursor, self._cursor_epoch = end, epoch
                self._removals, self._erasures = removals, removals.get("erasure", 0)

    def end(self) -> None:
        """Forget the place, because another ledger answers."""
        with self._lock:
            self._cursor, self._expected = None, {}

    def expect(self, records: Iterable[Record]) -> None:
        """Note that the ledger has records, as it was just seen. If a reading does not find them, it has lost them."""
        with self._lock:
            for record in records:
                if record.subject and len(self._expected) < _MOST_EXPECTED:
                    self._expected.setdefault(record.id, record.seq)

    def read(self) -> Iterator[Record]:
        """Yield the records that were added after the place, which moves behind them. Nothing before `begin`.

        A ledger that lacks records which were expected counts as another one from then on, of which no record is yielded. That is
        noticed before the first one, unless more were added than one answer has.

        Raises:
            LedgerUnavailableError: there was no answer. The place is behind the records that were yielded.
        """
        cursor = self._cursor
        if cursor is None:
            return
        missing = self._take_expected(cursor - OVERLAP)
        waiting: tuple[Record, ...] = ()
        while True:
            changed, after = self._ledger.changes(cursor)
            missing.difference_update(record.id for record in changed)
            self.expect(record for record in changed if (record.seq or 0) > after - OVERLAP)
            if after == cursor:
                self._note_losses(missing)
            if self.is_other_ledger:
                return
            yield from waiting
            waiting, self._cursor = changed, after
            # An answer has a limited length.
            if after == cursor:
                yield from waiting
                return
            cursor = after

    def _take_expected(self, after: int) -> set[str]:
        """Return the ids of the expected records that a reading after a number has to find, and expect nothing more."""
        with self._lock:
            expected, self._expected = self._expected, {}
        return {each for each, number in expected.items() if number is None or number > after}

    def _note_losses(self, missing: Collection[str]) -> None:
        """Note which records are missing, unless some were erased or pruned since the last reading."""
        if missing and self._cursor_epoch == self._epoch() and self._ledger.removals() == self._removals:
            self._ledger.note_losses(missing)

    def new_erasures(self) -> int | None:
        """Return a number for `note_erasures` if records of a visitor were erased. What is left does not say whose.

        Raises:
            LedgerUnavailableError: there was no answer.
        """
        self._removals = self._ledger.removals()
        erasures = self._removals.get("erasure", 0)
        return None if erasures == self._erasures else erasures

    def note_erasures(self, erasures: int) -> None:
        """Note that all that followed from erasures has been done."""
        self._erasures = erasures

    def after_fork_in_child(self) -> None:
        """Replace the lock, which a thread of the parent may have held."""
        self._lock = threading.Lock()
