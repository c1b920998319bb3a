"""Retention: records go once the validity, and the period for which the policy keeps records, have passed.

That period has to have passed for everything that is recorded about a visitor, on all linked sites. So no record goes that
proves a consent in force, or that a later record builds on. A record without a pseudonym goes by its own time.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from consentkit.ledger import Ending, Ledger, Pruning, Removed
from consentkit.policy import Duration

__all__ = ["Pruned", "Retention", "last_end"]

RECORDS_AT_ONCE: Final = 500
_DAY: Final = 86_400
_MONTH: Final = 31 * _DAY


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a pruning has removed so far, or would remove.

    Attributes:
        records, links, counts: numbers of rows.
        elsewhere: records of sites that were not asked for; they stay.
        position: place in the ledger up to which records were looked at.
        done: whether the pruning came to its end.
    """

    records: int = 0
    links: int = 0
    counts: int = 0
    elsewhere: int = 0
    position: int = 0
    done: bool = False

    def __add__(self, removed: Removed) -> "Pruned":
        return replace(self, records=self.records + removed.records, links=self.links + removed.links)


def last_end(records_kept: Duration, now: int) -> int:
    """Return a time for which, and for all times before it, the period has passed, in seconds since the epoch."""
    # By halves, because a period in months has no fixed length.
    low, high = 0, max(now, 0)
    while low < high:
        middle = (low + high + 1) // 2
        if _over_at(records_kept, middle) <= now:
            low = middle
        else:
            high = middle - 1
    return low


def _over_at(records_kept: Duration, end: int) -> int:
    """Return when the period has passed for an end and for all before it."""
    # From 29, 30 and 31 January, a month leads to 28 February: a later end may be over sooner, by the time of day.
    midnight = end // _DAY * _DAY
    return max(
        records_kept.seconds_from(each) for each in (end, *(midnight - days * _DAY - 1 for days in range(3)))
    )


class Retention:
    """The period for which the records of some sites are kept, and the removal of those that are older."""

    def __init__(self, ledger: Ledger, records_kept: Duration, sites: Sequence[str]) -> None:
        """Prepare the removal.

        Args:
            ledger: that is pruned.
            records_kept: the period after the end of the validity.
            sites: ids of the sites whose records may go.
        """
        self._ledger = ledger
        self._records_kept = records_kept
        self._sites = tuple(dict.fromkeys(sites))

    def prune(
        self,
        now: int,
        *,
        dry_run: bool = False,
        batch: int = RECORDS_AT_ONCE,
        in_order: bool = False,
    ) -> Iterator[Pruned]:
        """Remove what is old, a batch at a time, and yield after each batch what was removed so far.

        Args:
            now: seconds since the epoch.
            dry_run: count only.
            batch: how many records are removed before the next result.
            in_order: stop at the first batch that is newer than all that can be old. A ledger into which somebody else copied
                records in another order needs a complete run.

        Raises:
            LedgerUnavailableError: the ledger does not answer. What was removed stays removed; begin again later.
        """
        ending = Ending(last_end(self._records_kept, now), self._sites)
        pruned = yield from self._prune_records(ending, now, dry_run=dry_run, batch=batch, in_order=in_order)
        pruned = yield from self._prune_links(ending, now, pruned, dry_run=dry_run)
        counts = self._ledger.upkeep.remove_counts(ending, dry_run=dry_run)
        if not dry_run:
            kept = Pruning(now, str(self._records_kept))
            self._ledger.upkeep.note_pruning(self._sites, kept)
        yield replace(pruned, counts=counts, done=True)

    def _prune_records(
        self, ending: Ending, now: int, *, dry_run: bool, batch: int, in_order: bool
    ) -> Generator[Pruned, None, Pruned]:
        upkeep, pruned = self._ledger.upkeep, Pruned()
        while page := upkeep.page(pruned.position, RECORDS_AT_ONCE):
            # A record that waited for the ledger has its place among later ones.
            if in_order and min(record.at for record in page) > ending.by + _MONTH:
                break
            old = [record for record in page if record.ends_at <= ending.by and record.site in ending.sites]
            subjects = {record.subject for record in old if record.subject is not None}
            found = upkeep.linked_records(subjects, ending.sites)
            ids = [
                record.id
                for record in old
                if record.subject is None or found[record.subject].ends_at <= ending.by
            ]
            if dry_run:
                pruned += Removed(records=len(ids))
                ids = []
            for first in range(0, len(ids), batch):
                yield pruned
                chunk = ids[first : first + batch]
                pruned += self._ledger.remove(chunk, reason="pruning", at=now, ending=ending)
            others = sum(record.site not in ending.sites for record in page)
            pruned = replace(pruned, position=page[-1].seq, elsewhere=pruned.elsewhere + others)
            yield pruned
        return pruned

    def _prune_links(
        self, ending: Ending, now: int, pruned: Pruned, *, dry_run: bool
    ) -> Generator[Pruned, None, Pruned]:
        """Remove old links between pseudonyms about which nothing is recorded; those of removed records are gone already."""
        upkeep, position = self._ledger.upkeep, 0
        while page := upkeep.links(position, RECORDS_AT_ONCE):
            position = page[-1][0]
            old = {subject for _, subject, at in page if at <= ending.by}
            found = upkeep.linked_records(old, ending.sites)
            empty = [subject for subject, linked in found.items() if not linked.count]
            if empty and not dry_run:
                pruned += upkeep.remove_links(empty, reason="pruning", at=now, ending=ending)
            yield pruned
        return pruned
