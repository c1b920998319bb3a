"""Everything that the ledger holds about one visitor, found by a reference of the visitor's records."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from consentkit.ledger import Ledger, Record, SentWords

__all__ = ["VisitorHistory", "history_of"]


@dataclass(frozen=True, slots=True)
class VisitorHistory:
    """What the ledger holds about a visitor. Records of other visitors are never read for it.

    Attributes:
        reference: the one that was asked for.
        references: that one and all that links join to it, sorted.
        records: of all references, in the order in which they were stored.
        links: pairs of pseudonyms of the visitor's on two sites, with the time in seconds since the epoch.
        notices: by digest, the notices that the records refer to.
        renderings: by id, the words that were sent when the visitor decided.
    """

    reference: str
    references: tuple[str, ...]
    records: tuple[Record, ...]
    links: tuple[tuple[str, str, int], ...]
    notices: dict[str, dict[str, Any]]
    renderings: dict[str, SentWords]

    def __bool__(self) -> bool:
        """Return whether the ledger holds anything."""
        return bool(self.records or self.links)


def history_of(ledger: Ledger, reference: str, *, waiting: Iterable[Record] = ()) -> VisitorHistory:
    """Return everything about the visitor with a reference, linked sites included.

    Args:
        ledger: that is read.
        reference: of the visitor's records, as the settings page shows it.
        waiting: records that wait for the ledger in this process; those of other visitors are ignored.

    Raises:
        LedgerUnavailableError: the ledger does not answer.
    """
    references = tuple(sorted(ledger.linked(reference)))
    stored = [record for subject in references for record in ledger.history(subject)]
    stored.sort(key=lambda record: record.seq or 0)
    known = {record.id for record in stored}
    stored += [record for record in waiting if record.subject in references and record.id not in known]
    notices, renderings = {}, {}
    for digest in dict.fromkeys(record.notice for record in stored):
        content = ledger.notice(digest)
        if content is not None:
            notices[digest] = content
    for rendering in dict.fromkeys(record.rendering for record in stored if record.rendering):
        words = ledger.rendering(rendering)
        if words is not None:
            renderings[rendering] = words
    links = tuple(ledger.links_of(references))
    return VisitorHistory(reference, references, tuple(stored), links, notices, renderings)
