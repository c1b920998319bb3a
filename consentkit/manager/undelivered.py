"""Records that take consent back and that the ledger lacks: they wait to be delivered, or a restored copy has lost them.

Whoever answers elsewhere meanwhile does not know of them. A later change keeps what it does not mention, so by itself it would
bring back what such a record took back. Only what both allow counts, until the ledger has the record or the visitor gives a
full answer later.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from consentkit._bounded_cache import BoundedCache
from consentkit.ledger import Record
from consentkit.manager.newest import is_echo, is_full_answer, same_answer

__all__ = ["UndeliveredRecords"]

_MOST_FOR_ONE = 8


class UndeliveredRecords:
    """By pseudonym, the records that the ledger lacks. Reads need no lock; the caller orders the writes.

    Args:
        fold: returns what counts among records of one pseudonym, whatever their order.
        size: number of pseudonyms that are remembered.

    Attributes:
        replaced: by pseudonym, what counted in the ledger before it was replaced. A copy that was restored may lack it.
    """

    def __init__(self, fold: Callable[[Iterable[Record]], Record | None], size: int) -> None:
        self._fold = fold
        self._waiting: BoundedCache[str, tuple[Record, ...]] = BoundedCache(size)
        self._lost: BoundedCache[str, tuple[Record, ...]] = BoundedCache(size)
        self.replaced: BoundedCache[str, Record] = BoundedCache(size)
        # By id, the subjects of the records that wait in other processes, and of those that did and do no more.
        self._elsewhere: dict[str, str] = {}
        self._gone: dict[str, str] = {}

    def __contains__(self, subject: str) -> bool:
        return subject in self._waiting or subject in self._lost

    def subjects(self) -> list[str]:
        """Return the pseudonyms with records that wait."""
        return list(self._waiting)

    def waiting(self, subject: str) -> tuple[Record, ...]:
        """Return the records of a pseudonym that wait."""
        return self._waiting.get(subject, ())

    def changed_at(self, subject: str) -> int:
        """Return the time of the latest record that waits, in seconds since the epoch; 0 without one."""
        return max((record.changed_at for record in self._waiting.get(subject, ())), default=0)

    def is_unaware(self, subject: str, moment: tuple[int, int], newest: Record | None) -> bool:
        """Return whether a change waits that is later than a cookie, and may have been made without its answer.

        `moment` is the cookie's, and `newest` what is known to be in the ledger: a change is made on that, or on a cookie that
        it then leaves less of. A full answer needs to know of no other.
        """
        if newest is not None and newest.moment >= moment:
            return False
        waiting = self._waiting.get(subject, ())
        return any(record.moment > moment and not is_full_answer(record) for record in waiting)

    # Records that wait

    def wait_here(self, record: Record) -> None:
        """Add a record that this process has to deliver."""
        for ids in (self._elsewhere, self._gone):
            ids.pop(record.id, None)
        _add(self._waiting, record)

    def wait_elsewhere(self, records: Sequence[Record]) -> None:
        """Add all records that wait in other processes. Those that did before and do no more are gone."""
        known = self._gone | self._elsewhere
        self._elsewhere = {record.id: record.subject or "" for record in records}
        self._gone = {
            record_id: subject for record_id, subject in known.items() if record_id not in self._elsewhere
        }
        for record in records:
            _add(self._waiting, record)

    def discard_gone(self) -> None:
        """Forget the records that are gone, because the ledger was read since: whoever delivered them did so before."""
        for record_id, subject in self._gone.items():
            self.discard(subject, [record_id])
        self._gone = {}

    def discard(self, subject: str, record_ids: Collection[str]) -> None:
        """Forget records of a pseudonym, because the ledger has them."""
        for records in (self._waiting, self._lost):
            if known := records.get(subject):
                left = tuple(record for record in known if record.id not in record_ids)
                if left:
                    records[subject] = left
                else:
                    del records[subject]

    def release(self, subject: str, newest: Record | None) -> None:
        """Forget records of a pseudonym that take nothing from its newest record in the ledger, whatever comes later."""
        if newest is not None and subject in self:
            known = (*self._waiting.get(subject, ()), *self._lost.get(subject, ()))
            self.discard(subject, {record.id for record in known if _replaces(newest, record)})

    # Records that a restored copy has lost

    def find_lost(self, subject: str, stored: Iterable[Record], held: Record | None = None) -> None:
        """Compare what counted before the ledger was replaced with all that it holds of a pseudonym now.

        If it was not replaced as far as polls know, compare with what this process stored there itself and still holds.
        """
        before = self.replaced.pop(subject, held)
        if before is not None and not self._is_among(before, tuple(stored)):
            _add(self._lost, before)

    def _is_among(self, before: Record, stored: Sequence[Record]) -> bool:
        """Return whether the ledger has a record, or all the records of one moment that it was made of."""
        if any(record.id == before.id for record in stored):
            return True
        tied = self._fold(record for record in stored if record.moment <= before.moment)
        return tied is not None and same_answer(tied, before)

    def find_behind(self, before: Record | None, newest: Record | None) -> bool:
        """Return whether the newest record in the ledger is older than what counted there before, which is lost then.

        So it was restored from a backup, which polls may not have noticed yet.
        """
        if before is None or before.ends_subject:
            return False
        is_behind = newest is None or newest.precedence < before.precedence
        if is_behind:
            _add(self._lost, before)
        return is_behind

    def forget_lost(self, subject: str) -> None:
        """Forget the lost records of a pseudonym, because a record that was made with knowledge of them replaces them."""
        self.replaced.pop(subject, None)
        self._lost.pop(subject, None)

    # What counts

    def counting(
        self, subject: str, newest: Record | None, old: Record | None, held: Record | None
    ) -> Record | None:
        """Return what counts of the newest record in the ledger, which was perhaps restored from a backup.

        Less counts if this process knows of a record that the ledger lacks. A grant without a record never counts.

        `old` is what this process knows to have counted there, and `held` what it holds besides.
        """
        if old is not None and old is not newest:
            if old.ends_subject:
                newest = old if newest is None else self._fold((newest, old))
            elif newest is not None and old.precedence >= newest.precedence:
                moved = replace(newest, changed_at=old.changed_at, revision=old.revision)
                newest = self._fold((old, moved))
        return self.limited(subject, newest, held)

    def limited(
        self, subject: str, newest: Record | None, held: Record | None = None, *, is_looked_up: bool = True
    ) -> Record | None:
        """Return what counts of the newest record in the ledger, given what this process holds and what the ledger lacks.

        A record that waits is based on a grant that was in force. If a look-up found no record of that grant, as after an
        erasure, nothing of it is left. One that was lost proves nothing by itself.
        """
        if newest is None and is_looked_up:
            return held if held is not None and held.ends_subject else None
        if held is not None:
            newest = held if newest is None else self._fold((newest, held)) or held
        for waiting in self._waiting.get(subject, ()):
            newest = waiting if newest is None else self._allowed_by_both(newest, waiting)
        for lost in self._lost.get(subject, ()):
            newest = None if newest is None else self._allowed_by_both(newest, lost)
        return newest

    def _allowed_by_both(self, newest: Record, missing: Record) -> Record:
        if newest.ends_subject or _replaces(newest, missing):
            return newest
        changed_at, revision = max(newest.moment, missing.moment)
        tied = (replace(each, changed_at=changed_at, revision=revision) for each in (newest, missing))
        joint = self._fold(tied) or newest
        # No answer either, so that a cookie which is older than what a linked site took back still limits it.
        return replace(joint, event=newest.event, choice=newest.choice) if is_echo(newest) else joint


def _add(records: BoundedCache[str, tuple[Record, ...]], record: Record) -> None:
    known = records.get(record.subject or "", ())
    if not record.ends_subject and record.id not in {each.id for each in known}:
        records[record.subject or ""] = (*known, record)[-_MOST_FOR_ONE:]


def _replaces(newest: Record, missing: Record) -> bool:
    """Return whether a record in the ledger is another one, or a later full answer."""
    return newest.id == missing.id or (newest.moment > missing.moment and is_full_answer(newest))
