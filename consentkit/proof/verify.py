"""Verification: whether the ledger is what was stored, and which record is the first that is not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from consentkit.ledger import EMPTY_HEAD, LOG, ROW_KINDS, STREAMS, ChainEntry, StoredRow, StreamEnd
from consentkit.proof.checkpoint import Checkpoint
from consentkit.proof.entries import ChainLog, Finding, What, check_entry, reordered_with

__all__ = ["Finding", "Rows", "Verification", "verify"]

MOST_FINDINGS: Final = 100
# To find out what was exchanged for what takes long, and the first findings tell it.
_MOST_EXPLAINED: Final = 3


class Rows(Protocol):
    """What is verified. `consentkit.ledger.ChainRows` reads it from a database."""

    def streams(self) -> list[StreamEnd]:
        """Return all streams."""

    def entries(self, stream: str, after: int) -> list[ChainEntry]:
        """Return the next entries of a stream in their order; none at its end."""

    def names(self) -> set[str]:
        """Return the names of all streams that entries are in."""

    def rows(self, kind: str, refs: list[int]) -> dict[int, StoredRow]:
        """Return records or links by their `seq`."""

    def last(self, kind: str) -> int:
        """Return the highest `seq` of a kind."""

    def strangers(self, kind: str, before: int) -> list[int]:
        """Return `seq` of the first rows behind a place that are not in the chain."""

    def count_unchained(self, kind: str, before: int) -> int:
        """Return how many rows up to a place are not in the chain."""


@dataclass(slots=True)
class Verification:
    """The result of a verification.

    Attributes:
        entries: how many entries of the chain were checked.
        rows: how many records and links were found as they were stored, by kind.
        removed: how many were erased and how many pruned, with a note in the chain.
        adopted: how many records and links an upgrade took into the chain, some time after they had been stored.
        unchained: how many records and links were stored before the chain began, and are not in it, by kind.
        against: the checkpoint with which the chain was compared, if any.
        findings: what is not as it was stored, at most a hundred; what is farthest ahead in the ledger comes first.
    """

    entries: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROW_KINDS, 0))
    removed: dict[str, int] = field(default_factory=dict)
    adopted: int = 0
    unchained: dict[str, int] = field(default_factory=dict)
    against: Checkpoint | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def add(self, finding: Finding) -> None:
        """Add a finding, as long as there is room."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)


def verify(
    rows: Rows,
    checkpoint: Checkpoint | None = None,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verification:
    """Verify a ledger, and compare it with a checkpoint.

    Args:
        rows: the ledger, at one moment.
        checkpoint: what somebody kept, after its signature was verified.
        progress: called with the entries that were checked, and with all that there are.
    """
    result = Verification(against=checkpoint)
    _Walk(rows, result, progress).walk()
    result.findings.sort(key=lambda finding: (finding.seq is None, _number(finding.seq), _number(finding.n)))
    return result


class _Walk:
    """One walk through all streams: first the log, because it tells which rows may be missing."""

    def __init__(self, rows: Rows, result: Verification, progress: Callable[[int, int], None]) -> None:
        self._rows = rows
        self._result = result
        self._progress = progress
        self._log = ChainLog()
        self._ends = {end.stream: end for end in rows.streams()}
        self._total = sum(_number(end.n) - _number(end.base_n) for end in self._ends.values())
        checkpoint = result.against
        self._noted = dict(checkpoint.heads) if checkpoint is not None else {}

    def walk(self) -> None:
        """Check everything."""
        for streams, words in (
            (set(STREAMS) - self._ends.keys(), "It is missing in the table of streams."),
            (self._ends.keys() - set(STREAMS), "It does not belong into the table of streams."),
            (self._rows.names() - self._ends.keys(), "It has entries, but is not in the table of streams."),
            (self._noted.keys() - self._ends.keys(), "The checkpoint has it, the table of streams has not."),
        ):
            for stream in sorted(streams, key=str):
                self._result.add(Finding("changed", stream, None, None, None, f"Stream {stream}: {words}"))
        for stream in sorted(self._ends, key=lambda stream: (stream != LOG, str(stream))):
            self._walk_stream(self._ends[stream])
            if stream == LOG:
                self._log.merge()
        self._look_for_strangers()
        self._result.adopted = self._log.adopted
        self._result.removed = dict(self._log.count)

    def _walk_stream(self, end: StreamEnd) -> None:
        if (end.base_n, end.base_head) != (0, EMPTY_HEAD):
            self._add(end, "cut off", end.base_n, "Entries were cut off its beginning.")
        n, head = end.base_n, end.base_head
        while page := self._rows.entries(end.stream, n):
            n, head = self._check_page(end, page, n, head)
            self._progress(self._result.entries, self._total)
            if type(n) is not int:
                # Another program stored something else. What comes after it cannot be found.
                break
        if n != end.n:
            what: What = "cut off" if _number(n) < _number(end.n) else "inserted"
            self._add(end, what, end.n, f"It has {n} entries, but had {end.n}.")
        elif head != end.head:
            self._add(end, "changed", n, "Its last head is not as it was.")
        noted = self._noted.get(end.stream)
        if noted is not None and noted[0] > _number(n):
            self._add(end, "cut off", noted[0], f"The checkpoint has {noted[0]} entries; it has {n} now.")

    def _add(self, end: StreamEnd, what: What, n: int, words: str) -> None:
        self._result.add(Finding(what, end.stream, n, None, None, f"Stream {end.stream}: {words}"))

    def _check_page(self, end: StreamEnd, page: list[ChainEntry], n: int, head: str) -> tuple[int, str]:
        found = {
            kind: self._rows.rows(
                kind, [entry.ref for entry in page if entry.kind == kind and entry.ref is not None]
            )
            for kind in ROW_KINDS
        }
        for entry in page:
            row = (
                found[entry.kind].get(entry.ref)
                if entry.kind in ROW_KINDS and entry.ref is not None
                else None
            )
            is_removed = self._log.names(entry.stream, entry.n)
            finding = check_entry(head, n + 1, entry, row, is_removed=is_removed)
            if finding is not None:
                if len(self._result.findings) < _MOST_EXPLAINED:
                    finding = _explained(finding, head, entry, row, page)
                self._result.add(finding)
            elif row is not None:
                self._result.rows[entry.kind] += 1
            elif entry.stream == LOG and not self._log.add(entry):
                self._add(end, "changed", entry.n, f"ChainEntry {entry.n} cannot be read.")
            n, head = entry.n, entry.head
            self._result.entries += 1
            self._compare(end, n, head)
        return n, head

    def _compare(self, end: StreamEnd, n: int, head: str) -> None:
        """Compare the head after an entry with the checkpoint."""
        noted = self._noted.get(end.stream)
        if noted is not None and noted[0] == n and noted[1] != head:
            self._add(end, "rewritten", n, f"What the checkpoint covers, up to entry {n}, was rewritten.")

    def _look_for_strangers(self) -> None:
        for kind in ROW_KINDS:
            before = self._log.before.get(kind, 0)
            self._result.unchained[kind] = self._rows.count_unchained(kind, before)
            for seq in self._rows.strangers(kind, before):
                words = f"The {kind} {seq} is not in the chain. It was inserted, or its entry was cut off."
                self._result.add(Finding("inserted", None, None, kind, seq, words))


def _number(value: object) -> int:
    """Return a number as it is, and 0 for what another program stored in its place."""
    return value if isinstance(value, int) else 0


def _explained(
    finding: Finding, before: str, entry: ChainEntry, row: StoredRow | None, page: list[ChainEntry]
) -> Finding:
    """Return a finding, which may turn out to be a change of the order."""
    if finding.what != "changed" or finding.n is None:
        return finding
    other = reordered_with(before, finding.n, entry, row, page)
    if other is None:
        return finding
    words = f"Entries {finding.n} and {other} of stream {entry.stream}, or their rows, were exchanged."
    return Finding("reordered", finding.stream, finding.n, finding.kind, finding.seq, words)
