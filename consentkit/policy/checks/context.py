"""What a check reads: the policy without the placeholders that stand for its invalid values."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cached_property
from typing import TypeVar

from consentkit.policy.findings import KeyPath
from consentkit.policy.models import Category, Site, Tracker, Vendor
from consentkit.policy.policy import Policy
from consentkit.policy.regime_policies import applied_regimes
from consentkit.policy.regimes import Regime

__all__ = ["CheckContext"]

_Row = TypeVar("_Row")


class CheckContext:
    """The valid parts of a policy, each with its path.

    Callers list the fields that they read: a row with a placeholder in one of these fields is left out.
    """

    def __init__(
        self, policy: Policy, today: date, placeholder_paths: frozenset[KeyPath] = frozenset()
    ) -> None:
        self.policy = policy
        self.today = today
        self._placeholder_paths = placeholder_paths
        self._category_paths = {category.id: path for path, category in self.categories("id")}
        self._vendor_paths = {vendor.id: path for path, vendor in self.vendors("id")}

    def is_valid(self, *path: str | int) -> bool:
        """Return whether neither a value nor what contains it is a placeholder."""
        return not self._placeholder_paths or all(
            path[: length + 1] not in self._placeholder_paths for length in range(len(path))
        )

    @cached_property
    def regimes(self) -> tuple[Regime, ...]:
        """The regimes of the policy; none as long as the values that they follow from are not valid."""
        keys = ("jurisdiction", "regimes", "regimes_file")
        return applied_regimes(self.policy) if all(map(self.is_valid, keys)) else ()

    def sites(self, *fields: str) -> Iterator[tuple[KeyPath, Site]]:
        """Yield the sites whose listed fields are valid."""
        return self._rows("sites", self.policy.sites, fields)

    def categories(self, *fields: str) -> Iterator[tuple[KeyPath, Category]]:
        """Yield the categories whose listed fields are valid."""
        return self._rows("categories", self.policy.categories, fields)

    def vendors(self, *fields: str) -> Iterator[tuple[KeyPath, Vendor]]:
        """Yield the vendors whose listed fields are valid."""
        return self._rows("vendors", self.policy.vendors, fields)

    def trackers(self, *fields: str) -> Iterator[tuple[KeyPath, Tracker]]:
        """Yield the trackers whose listed fields are valid."""
        return self._rows("trackers", self.policy.trackers, fields)

    def row_name(self, path: KeyPath) -> str:
        """Return the name of a row in messages: `YouTube (youtube)` for a vendor or a site, else `trackers[2]`."""
        section, index = path
        if section in ("sites", "vendors") and self.is_valid(*path, "name") and self.is_valid(*path, "id"):
            row: Site | Vendor = getattr(self.policy, str(section))[index]
            return f"{row.name} ({row.id})"
        return f"{section}[{index}]"

    def category(self, category_id: str, *fields: str) -> Category | None:
        """Return a category, or None if it is unknown or one of these fields is invalid."""
        path = self._category_paths.get(category_id)
        usable = path is not None and all(self.is_valid(*path, field) for field in fields)
        return self.policy.category(category_id) if usable else None

    def vendor(self, vendor_id: str, *fields: str) -> Vendor | None:
        """Return a vendor, or None if it is unknown or one of these fields is invalid."""
        path = self._vendor_paths.get(vendor_id)
        usable = path is not None and all(self.is_valid(*path, field) for field in fields)
        return self.policy.vendor(vendor_id) if usable else None

    def _rows(
        self, section: str, rows: Sequence[_Row], fields: Sequence[str]
    ) -> Iterator[tuple[KeyPath, _Row]]:
        for index, row in enumerate(rows):
            if self.is_valid(section, index) and all(
                self.is_valid(section, index, field) for field in fields
            ):
                yield (section, index), row
