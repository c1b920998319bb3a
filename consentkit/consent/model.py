"""What a visitor chose, and what that is worth now.

A `Decision` is the choice as it was made; a `Consent` is a decision as it stands at one moment, on one site, under the
policy of today. Both are values: nothing here reads a clock, a cookie or a store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from consentkit.errors import UnknownCategoryError, UnknownVendorError
from consentkit.notices import Change

__all__ = ["Choice", "Consent", "ConsentStatus", "Decision", "Kind"]

Kind = Literal["decided", "partial", "withdrawn"]


class ConsentStatus(StrEnum):
    """What became of the question, in the words of the W3C Data Privacy Vocabulary (dpv:ConsentStatus)."""

    UNKNOWN = "unknown"
    """Never answered, or no answer that we can read."""
    GIVEN = "given"
    """Something is granted."""
    REFUSED = "refused"
    """Answered, and nothing granted."""
    WITHDRAWN = "withdrawn"
    """Granted once, and taken back."""
    EXPIRED = "expired"
    """Answered longer ago than an answer is valid."""
    INVALIDATED = "invalidated"
    """Granted, but the notice has grown past all of it that is left."""

    @property
    def decided(self) -> bool:
        """Whether the visitor has answered, so that nobody need ask."""
        return self in (ConsentStatus.GIVEN, ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a visitor asks for: an answer by category id, and vendors that are to differ from their category."""

    categories: Mapping[str, bool]
    vendors: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A choice with its time and the notice that it was made under.

    Attributes:
        kind: whether all was asked, only a part, or everything taken back.
        granted: ids of the categories that were granted.
        vendors: only those whose answer differs from their category's.
        decided_at: whole seconds since the epoch; validity counts from here.
        changed_at: the same, of the last partial change; the newest of two decisions is the one that changed last.
        notice: the whole digest of the notice.
        subject: 128 random bits as 22 base64url characters, empty where nothing is granted.
    """

    kind: Kind = "decided"
    granted: frozenset[str]
    vendors: Mapping[str, bool]
    decided_at: int
    changed_at: int
    notice: str
    subject: str = ""

    def answers_as(self, other: "Decision") -> bool:
        """Say whether both give the same answer under the same notice, whenever they were made."""
        return (self.kind, self.granted, self.vendors, self.notice) == (
            other.kind,
            other.granted,
            other.vendors,
            other.notice,
        )

    @property
    def breadth(self) -> tuple[int, int]:
        """How much it allows, to tell the narrower of two decisions of the same second: first by categories, then by vendors."""
        return len(self.granted), sum(1 if allowed else -1 for allowed in self.vendors.values())


class Consent:
    """What a visitor's decision allows at one moment.

    Attributes:
        status: where the visitor stands.
        granted: ids of the categories that the visitor granted and that are covered; required ones are not granted, but on.
        categories: every category of the policy and whether it is on.
        vendors: every vendor of the policy and whether it is on.
        asking: ids of the categories that the banner asks about now.
        changes: what grew since the answer, for the categories that are asked again.
        notice: whole digest of the notice that was answered, or None.
        gpc: whether the browser sends Global Privacy Control.
        decision: what all this follows from, or None.
        until: seconds since the epoch at which it has to be judged again.
    """

    __slots__ = (
        "_expires",
        "asking",
        "categories",
        "changes",
        "decision",
        "gpc",
        "granted",
        "notice",
        "status",
        "until",
        "vendor_category",
        "vendors",
    )

    def __init__(
        self,
        *,
        status: ConsentStatus,
        granted: frozenset[str],
        categories: Mapping[str, bool],
        vendors: Mapping[str, bool],
        vendor_category: Mapping[str, str],
        asking: tuple[str, ...],
        gpc: bool,
        decision: Decision | None = None,
        expires: int | None = None,
        changes: tuple[Change, ...] = (),
        until: float = float("inf"),
    ) -> None:
        self.status = status
        self.granted = granted
        # Read-only, because one consent may be shared by the requests of many visitors.
        self.categories = MappingProxyType(dict(categories))
        self.vendors = MappingProxyType(dict(vendors))
        self.vendor_category = vendor_category
        self.asking = asking
        self.gpc = gpc
        self.decision = decision
        self.notice = decision.notice if decision else None
        self._expires = expires
        self.changes = changes
        self.until = until

    def allows(self, category: str, vendor: str | None = None) -> bool:
        """Say whether a category, or one vendor of it, may store and read.

        Raises:
            UnknownCategoryError: the policy has no such category.
            UnknownVendorError: the policy has no such vendor in that category.
        """
        if category not in self.categories:
            raise UnknownCategoryError(category, tuple(self.categories))
        if vendor is None:
            return self.categories[category]
        if self.vendor_category.get(vendor) != category:
            raise UnknownVendorError(
                vendor, tuple(v for v, c in self.vendor_category.items() if c == category)
            )
        return self.vendors[vendor]

    @property
    def needs_asking(self) -> bool:
        """Whether the banner has something to ask."""
        return bool(self.asking)

    @property
    def decided_at(self) -> datetime | None:
        """When the decision was made, in UTC."""
        return datetime.fromtimestamp(self.decision.decided_at, UTC) if self.decision else None

    @property
    def expires_at(self) -> datetime | None:
        """When the decision ends, in UTC."""
        return datetime.fromtimestamp(self._expires, UTC) if self._expires is not None else None

    @property
    def expires(self) -> int | None:
        """When the decision ends, in whole seconds since the epoch."""
        return self._expires

    def __repr__(self) -> str:
        return f"<Consent {self.status.value}: {', '.join(sorted(self.granted)) or 'nothing granted'}>"
