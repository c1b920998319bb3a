"""Find the declarations of a cookie by its name: the exact name comes first, then the longest pattern."""

from collections.abc import Callable, Iterable

from consentkit.policy import Tracker

__all__ = ["NameIndex", "beginnings_of", "matches"]


class NameIndex:
    """Trackers by exact name, and by the prefix of a pattern such as `_ga*`."""

    __slots__ = ("_by_name", "_by_prefix")

    def __init__(self, trackers: Iterable[Tracker], *, fold: Callable[[str], str] = str) -> None:
        """Index trackers by their names, each as `fold` returns it."""
        self._by_name: dict[str, tuple[Tracker, ...]] = {}
        by_prefix: dict[str, tuple[Tracker, ...]] = {}
        for tracker in trackers:
            name = fold(tracker.name)
            index, key = (by_prefix, name[:-1]) if name.endswith("*") else (self._by_name, name)
            index[key] = (*index.get(key, ()), tracker)
        # The longest prefix first.
        self._by_prefix = sorted(by_prefix.items(), key=lambda item: -len(item[0]))

    def most_specific(self, name: str) -> tuple[Tracker, ...]:
        """Return all declarations that match a name equally well, of those that match it best."""
        exact = self._by_name.get(name)
        if exact:
            return exact
        for prefix, trackers in self._by_prefix:
            if name.startswith(prefix):
                return trackers
        return ()


def beginnings_of(trackers: Iterable[Tracker]) -> tuple[str, ...]:
    """Return how names begin that trackers declare, in lower case."""
    return tuple({tracker.name.removesuffix("*").lower(): None for tracker in trackers})


def matches(tracker: Tracker, name: str) -> bool:
    """Return whether a tracker declares a cookie of this name, in any letter case."""
    pattern, lower = tracker.name.lower(), name.lower()
    return lower.startswith(pattern[:-1]) if pattern.endswith("*") else lower == pattern
