"""The records that wait in one process, within bounds that keep room for those that take consent back."""

from dataclasses import dataclass
from typing import Final

from consentkit.ledger.record import Record

__all__ = ["Waiting", "WaitingRecords"]

# The part of the bounds that records without a subject may fill.
SHARE_WITHOUT_SUBJECT: Final = 0.8


@dataclass(slots=True, frozen=True)
class Waiting:
    """A record that waits. If it is in a file, its content is read at the delivery.

    Attributes:
        at: when its event happened, in seconds since the epoch.
        size: bytes of its JSON.
        file: name of its file; None if it waits in memory.
        record: the record itself, if it waits in memory.
    """

    at: int
    size: int
    file: str | None
    record: Record | None


class WaitingRecords:
    """Records by their ids, in the order in which they came. The caller holds a lock."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: dict[str, Waiting] = {}
        # Sizes of the records that are being written to the directory.
        self._arriving: dict[str, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._arriving)

    def __contains__(self, record_id: str) -> bool:
        return record_id in self._waiting or record_id in self._arriving

    @property
    def is_full(self) -> bool:
        """Whether no record of any kind has room."""
        return len(self) >= self._most or self._bytes >= self._most_bytes

    @property
    def oldest(self) -> int | None:
        """When the oldest event happened, in seconds since the epoch; None without records."""
        return min((waiting.at for waiting in self._waiting.values()), default=None)

    def items(self, record_id: str | None = None) -> list[tuple[str, Waiting]]:
        """Return ids and records that can be delivered, or the one with an id.

        Those in memory come first, then those in files by their order.
        """
        if record_id is not None:
            return [(record_id, self._waiting[record_id])] if record_id in self._waiting else []
        return sorted(self._waiting.items(), key=lambda item: item[1].file or "")

    def reserve(self, record: Record, size: int) -> bool:
        """Keep room for a record that is being written, and return whether there is any."""
        share = SHARE_WITHOUT_SUBJECT if record.subject is None else 1
        if len(self) >= share * self._most or self._bytes + size > share * self._most_bytes:
            return False
        self._arriving[record.id] = size
        self._bytes += size
        return True

    def release(self, record_id: str) -> None:
        """Release the room of a record that was being written."""
        self._bytes -= self._arriving.pop(record_id)

    def add(self, record_id: str, waiting: Waiting) -> None:
        """Add a record that can be delivered, even beyond the bounds."""
        self.discard(record_id)
        self._waiting[record_id] = waiting
        self._bytes += waiting.size

    def discard(self, record_id: str) -> bool:
        """Remove a record, and return whether it was there."""
        waiting = self._waiting.pop(record_id, None)
        if waiting is not None:
            self._bytes -= waiting.size
        return waiting is not None

    def discard_those_in_memory(self) -> int:
        """Remove the records that are in no file, and return how many there were."""
        in_memory = [record_id for record_id, waiting in self._waiting.items() if waiting.file is None]
        return sum(map(self.discard, in_memory))
