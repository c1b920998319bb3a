"""Erasure of everything about a visitor. What is left are numbers that lead to nobody."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from consentkit.ledger import Ledger, Record, Removed

__all__ = ["Erased", "erase", "in_force"]

ROUNDS: Final = 5
"""How often records are looked for again, because the visitor may decide at the same moment."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased.

    Attributes:
        references: the reference and all that were linked with it, sorted.
        withdrawn: records of the withdrawals that were stored first; they were erased too.
        records, links: numbers of rows.
    """

    references: tuple[str, ...]
    withdrawn: tuple[Record, ...]
    records: int
    links: int


def in_force(ledger: Ledger, references: tuple[str, ...], now: int) -> list[Record]:
    """Return the newest record of each reference under which something is granted now."""
    newest = (ledger.newest(reference) for reference in references)
    return [
        record
        for record in newest
        if record is not None
        and record.status == "given"
        and (record.expires_at is None or record.expires_at > now)
    ]


def erase(
    ledger: Ledger,
    reference: str,
    *,
    now: int,
    withdraw: Callable[[Record], tuple[Record, ...]] | None = None,
) -> Erased:
    """Withdraw what a visitor has granted, then remove all records and links of the visitor, on linked sites too.

    Processes that know the visitor notice within `recheck` seconds, and the visitor's cookies grant nothing any more.

    Args:
        ledger: that is changed.
        reference: of the visitor's records.
        now: seconds since the epoch.
        withdraw: records the withdrawal of a grant and tells whoever has to know; by default it is recorded only.

    Raises:
        LedgerUnavailableError: the ledger does not answer. Erase again; what is erased already stays so.
    """
    take_back = withdraw or (lambda grant: _withdraw(ledger, grant, now))
    references, removed = {reference}, Removed()
    withdrawn: list[Record] = []
    for _ in range(ROUNDS):
        linked = tuple(sorted(ledger.linked(reference)))
        references.update(linked)
        for grant in in_force(ledger, linked, now):
            withdrawn += take_back(grant)
        ids = [each for subject in linked for each in ledger.record_ids(subject)]
        if not ids:
            break
        # Withdrawals last: if the removal is interrupted, what is left grants nothing.
        stored = (record for subject in linked for record in ledger.history(subject))
        last = {record.id for record in stored if record.ends_subject}
        ids.sort(key=lambda each: each in last)
        removed += ledger.remove(ids, reason="erasure", at=now)
    removed += ledger.remove_links(tuple(references), reason="erasure", at=now)
    return Erased(tuple(sorted(references)), tuple(withdrawn), removed.records, removed.links)


def _withdraw(ledger: Ledger, grant: Record, now: int) -> tuple[Record, ...]:
    moment = max(now, grant.changed_at)
    record = replace(
        grant,
        id=str(uuid.uuid4()),
        at=moment,
        event="withdrawn",
        status="withdrawn",
        surface="api",
        choice="withdraw",
        rendering="",
        categories=dict.fromkeys(grant.categories, False),
        vendors={},
        began={"categories": [], "vendors": []},
        ended={
            "categories": [category for category, allowed in grant.categories.items() if allowed],
            "vendors": [vendor for vendor, allowed in grant.vendors.items() if allowed],
        },
        decided_at=moment,
        changed_at=moment,
        revision=grant.revision + 1 if moment == grant.changed_at else 0,
        seq=None,
    )
    ledger.append(record)
    return (record,)
