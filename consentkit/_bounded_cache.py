"""A dictionary with a limit, for what a stranger's requests add to a process's memory."""

from typing import TypeVar

__all__ = ["BoundedCache"]

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(dict[K, V]):
    """A dictionary that drops the older half of its entries before it grows past a limit.

    Reading is plain `dict` reading. Several threads may write: an entry that two of them drop is dropped once.
    """

    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self.limit and key not in self:
            # A list, because an iterator fails when another thread writes meanwhile.
            for oldest in list(self)[: (self.limit + 1) // 2]:
                self.pop(oldest, None)
        super().__setitem__(key, value)
