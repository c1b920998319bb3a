"""A policy under inspection, some parts of which may be fillers for what could not be read."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TypeVar

from consentkit.policy.findings import KeyPath as Path
from consentkit.policy.policy import Category, Policy, Site, Tracker, Vendor

__all__ = ["CheckContext", "Path"]

_Row = TypeVar("_Row")


class CheckContext:
    """Hand out the parts of a policy that are sound, each with its path.

    Callers name the fields that they read: a row in which one of them is a filler is left out.
    """

    def __init__(self, policy: Policy, today: date, placeholder_paths: frozenset[Path] = frozenset()) -> None:
        self.policy = policy
        self.today = today
        self._bad = placeholder_paths
        self._categories = {row.id: path for path, row in self.categories("id")}
        self._vendors = {row.id: path for path, row in self.vendors("id")}

    def sound(self, *path: str | int) -> bool:
        """Say whether neither a part nor what holds it is a filler."""
        return not self._bad or all(path[: length + 1] not in self._bad for length in range(len(path)))

    def sites(self, *needs: str) -> Iterator[tuple[Path, Site]]:
        """Give the sites that are sound in these fields."""
        return self._rows("sites", self.policy.sites, needs)

    def categories(self, *needs: str) -> Iterator[tuple[Path, Category]]:
        """Give the categories that are sound in these fields."""
        return self._rows("categories", self.policy.categories, needs)

    def vendors(self, *needs: str) -> Iterator[tuple[Path, Vendor]]:
        """Give the vendors that are sound in these fields."""
        return self._rows("vendors", self.policy.vendors, needs)

    def trackers(self, *needs: str) -> Iterator[tuple[Path, Tracker]]:
        """Give the trackers that are sound in these fields."""
        return self._rows("trackers", self.policy.trackers, needs)

    def category(self, category_id: str, *needs: str) -> Category | None:
        """Look a category up; None where it is unknown or not sound in these fields."""
        path = self._categories.get(category_id)
        known = path is not None and all(self.sound(*path, need) for need in needs)
        return self.policy.category(category_id) if known else None

    def vendor(self, vendor_id: str, *needs: str) -> Vendor | None:
        """Look a vendor up; None where it is unknown or not sound in these fields."""
        path = self._vendors.get(vendor_id)
        known = path is not None and all(self.sound(*path, need) for need in needs)
        return self.policy.vendor(vendor_id) if known else None

    def _rows(self, section: str, rows: Sequence[_Row], needs: Sequence[str]) -> Iterator[tuple[Path, _Row]]:
        for index, row in enumerate(rows):
            if self.sound(section, index) and all(self.sound(section, index, need) for need in needs):
                yield (section, index), row
