"""The check of one entry of the chain against the row that it stands for."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from consentkit.ledger import LOG, ROW_KINDS, ChainEntry, StoredRow, canonical, digest_of, head_of

__all__ = ["ChainLog", "Finding", "What", "check_entry", "reordered_with"]

_LOG_KINDS: Final = ("start", "adoption", "erasure", "pruning")

What = Literal["changed", "removed", "inserted", "reordered", "cut off", "rewritten"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was stored.

    Attributes:
        what: changed, removed, inserted, reordered, cut off or rewritten.
        stream: the stream of the chain; None for a row that is in no stream.
        n: the number of the entry in its stream; None if the stream as a whole is meant.
        kind: record, link, or the kind of an entry without a row.
        seq: `seq` of the record or link; None if it is not known.
        message: what was found, in words.
    """

    what: What
    stream: str | None
    n: int | None
    kind: str | None
    seq: int | None
    message: str


def check_entry(
    before: str, n: int, entry: ChainEntry, row: StoredRow | None, *, is_removed: bool
) -> Finding | None:
    """Return what is wrong with an entry, or with its row; None if both are as they were stored.

    Args:
        before: the head before the entry.
        n: the number that the entry must have.
        entry: the entry.
        row: the record or link that it refers to; None if there is none.
        is_removed: whether the log says that the row was removed.
    """
    place = f"entry {n} of stream {entry.stream}"
    if type(entry.n) is not int or entry.n != n:
        return Finding("removed", entry.stream, n, None, None, f"{place} is missing.".capitalize())
    if head_of(before, entry.stream, n, entry.kind, entry.ref, entry.digest) != entry.head:
        seq = entry.ref if entry.kind in ROW_KINDS else None
        words = f"{place}, or an entry before it, was changed, removed, inserted or reordered in the chain."
        return Finding("changed", entry.stream, n, entry.kind, seq, words.capitalize())
    if (entry.stream == LOG) is (entry.kind in ROW_KINDS) or entry.kind not in (
        *ROW_KINDS,
        *_LOG_KINDS,
    ):
        words = f"{place} is of the kind {entry.kind}, which does not belong there."
        return Finding("inserted", entry.stream, n, entry.kind, None, words.capitalize())
    if entry.kind in ROW_KINDS:
        return _check_row(entry, row, is_removed=is_removed)
    if not isinstance(entry.payload, str) or digest_of("", entry.payload) != entry.digest:
        words = f"the payload of {place} was changed."
        return Finding("changed", entry.stream, n, entry.kind, None, words.capitalize())
    return None


def _check_row(entry: ChainEntry, row: StoredRow | None, *, is_removed: bool) -> Finding | None:
    place = f"(entry {entry.n} of stream {entry.stream})"

    def found(what: What, words: str) -> Finding:
        return Finding(
            what, entry.stream, entry.n, entry.kind, entry.ref, f"The {entry.kind} {words} {place}."
        )

    if entry.payload is not None:
        return found("changed", f"{entry.ref} has a payload in the chain that was not there")
    if row is None:
        return None if is_removed else found("removed", f"{entry.ref} was removed without a note")
    name = f"{entry.ref}{_id(row)}"
    if is_removed:
        return found("inserted", f"{name} was removed, and is there again")
    if digest_of_row(row) != entry.digest:
        return found("changed", f"{name} was changed")
    return None


def _id(row: StoredRow) -> str:
    return f" with the id {row.values['id']!r}" if "id" in row.values else ""


def digest_of_row(row: StoredRow) -> str | None:
    """Return the digest of a row as it is stored; None if no digest can be."""
    if not isinstance(row.salt, str):
        return None
    try:
        return digest_of(row.salt, canonical(row.values))
    except (TypeError, ValueError):
        # Another program stored bytes there.
        return None


def reordered_with(
    before: str, n: int, entry: ChainEntry, row: StoredRow | None, page: Sequence[ChainEntry]
) -> int | None:
    """Return the number of the entry of the same page whose place an entry or its row has, or None."""
    heads = {other.head for other in page}
    digest = None if row is None else digest_of_row(row)
    for other in page:
        if other.n == entry.n:
            continue
        is_moved = head_of(before, entry.stream, n, other.kind, other.ref, other.digest) in heads
        if is_moved or other.digest == digest:
            return other.n
    return None


@dataclass(slots=True)
class ChainLog:
    """What the log says.

    Attributes:
        before: the highest `seq` of each kind that was stored before the chain began.
        adopted: how many rows an upgrade took into the chain after they had been stored.
        count: how many rows were removed, by the kind of the entry.
    """

    before: dict[str, int] = field(default_factory=dict)
    adopted: int = 0
    count: dict[str, int] = field(default_factory=lambda: {"erasure": 0, "pruning": 0})
    _ranges: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def add(self, entry: ChainEntry) -> bool:
        """Take an entry into account. Return whether it could be read."""
        try:
            value = json.loads(entry.payload or "")
            if entry.kind == "start":
                if entry.n != 1:
                    return False
                self.before = {kind: value["before"][f"{kind}s"] for kind in ROW_KINDS}
                return True
            if entry.kind == "adoption":
                self.adopted += value.get("records", 0) + value.get("links", 0)
            elif "cut" in value:
                # Entries are never cut off, so that nobody can say it of those that somebody removed.
                return False
            else:
                self._add(entry.kind, value)
        except (ValueError, TypeError, KeyError, AttributeError):
            return False
        return True

    def _add(self, kind: str, value: Any) -> None:
        for stream, first, last in value["removed"]:
            self._ranges.setdefault(stream, []).append((first, last))
            self.count[kind] += last - first + 1

    def merge(self) -> None:
        """Sort what was added, for `names`."""
        for stream, ranges in self._ranges.items():
            merged: list[tuple[int, int]] = []
            for first, last in sorted(ranges):
                if merged and first <= merged[-1][1] + 1:
                    merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
                else:
                    merged.append((first, last))
            self._ranges[stream] = merged

    def names(self, stream: str, n: int) -> bool:
        """Return whether the row of an entry was removed."""
        ranges = self._ranges.get(stream, [])
        at = bisect_right(ranges, (n, float("inf"))) - 1
        return at >= 0 and n <= ranges[at][1]
