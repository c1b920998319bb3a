"""How far one process has read what changes in the ledger: new records, erasures, and another ledger in its place."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from consentkit.ledger import Ledger, Record

__all__ = ["LedgerChanges"]

_EXPECTED = 64


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
        # Ids of the newest records that were seen in the ledger.
        self._newest: deque[str] = deque(maxlen=_EXPECTED)

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
            self._cursor = None
            self._newest.clear()

    def expect(self, records: Iterable[Record]) -> None:
        """Note that the ledger has records, which were just stored or read. One that is gone later shows that it was restored.

        A restored copy lacks the newest records, so a few of those are enough. Nothing is noted before `begin`, because nobody
        counts what is removed until then.
        """
        with self._lock:
            if self._cursor is None:
                return
            for record in records:
                if not record.subject or record.id in self._newest:
                    continue
                if record.seq is None or record.seq > self._cursor:
                    self._newest.append(record.id)
                elif len(self._newest) < _EXPECTED:
                    self._newest.appendleft(record.id)

    def read(self) -> Iterator[Record]:
        """Yield the records that were added after the place, which moves behind them. Nothing before `begin`.

        If the ledger lacks records that it had, it counts as another one, and none is yielded.

        Raises:
            LedgerUnavailableError: there was no answer. The place is behind the records that were yielded, so that the next
                reading yields the others.
        """
        if self._cursor is not None:
            self._note_losses()
        cursor = self._cursor
        while cursor is not None and not self.is_other_ledger:
            changed, after = self._ledger.changes(cursor)
            self.expect(changed)
            yield from changed
            self._cursor = after
            # An answer has a limited length.
            cursor = after if after != cursor else None

    def _note_losses(self) -> None:
        """Find out whether the ledger lacks records that it had, and nobody has removed since the last time."""
        with self._lock:
            expected = tuple(self._newest)
        # In this order: a removal between the two queries is among those that are counted.
        missing, removals = self._ledger.lacking(expected), self._ledger.removals()
        known, self._removals = self._removals, removals
        went_back = any(removals.get(reason, 0) < times for reason, times in known.items())
        if (went_back or (missing and removals == known)) and self._ledger.is_writable():
            self._ledger.begin_again()
        elif removals != known:
            with self._lock:
                self._newest = deque((each for each in self._newest if each not in missing), _EXPECTED)

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
