"""What a visitor chose, and what the choice allows now.

A `Decision` is a choice as it was made. A `Consent` is what a decision allows at one moment, on one site, under the
current policy. Both are values: nothing here reads a clock, a cookie or the ledger.
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
    """The status of a visitor's consent, in the words of the W3C Data Privacy Vocabulary (dpv:ConsentStatus)."""

    UNKNOWN = "unknown"
    """The visitor has not answered, or the answer cannot be read."""
    GIVEN = "given"
    """Something is granted."""
    REFUSED = "refused"
    """The visitor answered and granted nothing."""
    WITHDRAWN = "withdrawn"
    """The visitor granted something and took all of it back."""
    EXPIRED = "expired"
    """The validity of the answer has ended."""
    INVALIDATED = "invalidated"
    """The visitor granted something, but the current notice discloses more about everything that was granted."""

    @property
    def decided(self) -> bool:
        """Whether the visitor has given an answer that counts, a refusal or withdrawal included."""
        return self in (ConsentStatus.GIVEN, ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a visitor asks for.

    Attributes:
        categories: True or False by category id.
        vendors: True or False by vendor id, for vendors whose answer differs from their category's.
    """

    categories: Mapping[str, bool]
    vendors: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A choice with its time and the notice that it was made under.

    Attributes:
        kind: `decided` for a full answer, `partial` while a question is open, `withdrawn` after a withdrawal of everything.
        granted: ids of the categories that were granted.
        vendors: only those whose answer differs from their category's.
        decided_at: whole seconds since the epoch; validity counts from this time.
        changed_at: whole seconds since the epoch of the last change; of two decisions the one that changed later counts.
        revision: how many changes of the same second came before, so that a change always comes after the one that it
            rests on, also on a host whose clock is behind (a hybrid logical clock: Kulkarni et al., OPODIS 2014).
        notice: whole digest of the notice.
        subject: 128 random bits as 22 base64url characters; empty if nothing is granted.
    """

    kind: Kind = "decided"
    granted: frozenset[str]
    vendors: Mapping[str, bool]
    decided_at: int
    changed_at: int
    notice: str
    subject: str = ""
    revision: int = 0

    @property
    def moment(self) -> tuple[int, int]:
        """When the decision last changed: seconds, then the revision within the second. Of two decisions the later counts."""
        return self.changed_at, self.revision

    def answers_as(self, other: "Decision") -> bool:
        """Return whether both decisions give the same answer under the same notice, whenever they were made."""
        return (self.kind, self.granted, self.vendors, self.notice) == (
            other.kind,
            other.granted,
            other.vendors,
            other.notice,
        )

    @property
    def breadth(self) -> tuple[int, int]:
        """How much the decision allows: first by categories, then by vendors. Of two decisions, the lower one allows less."""
        return len(self.granted), sum(1 if allowed else -1 for allowed in self.vendors.values())


class Consent:
    """What a visitor's decision allows at one moment.

    Attributes:
        status: the status of the consent.
        granted: ids of the categories that the visitor granted and the current notice still covers. Required categories are
            on without being granted.
        vendor_category: the category of every vendor of the policy.
        asking: ids of the categories that the banner asks about now.
        changes: what the notice added since the answer, for the categories that are asked about again.
        notice: whole digest of the notice that was answered, or None.
        gpc: whether the browser sends Global Privacy Control.
        decision: the decision that was evaluated, or None.
        until: seconds since the epoch from which the decision has to be evaluated again.
    """

    __slots__ = (
        "_categories",
        "_expires",
        "_vendors",
        "asking",
        "changes",
        "decision",
        "gpc",
        "granted",
        "notice",
        "status",
        "until",
        "vendor_category",
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
        self._categories = dict(categories)
        self._vendors = dict(vendors)
        self.vendor_category = vendor_category
        self.asking = asking
        self.gpc = gpc
        self.decision = decision
        self.notice = decision.notice if decision else None
        self._expires = expires
        self.changes = changes
        self.until = until

    def allows(self, category: str, vendor: str | None = None) -> bool:
        """Return whether a category, or one vendor of the category, may store and read.

        Raises:
            UnknownCategoryError: the policy has no such category.
            UnknownVendorError: the policy has no such vendor in that category.
        """
        try:
            allowed = self._categories[category]
        except KeyError:
            raise UnknownCategoryError(category, tuple(self._categories)) from None
        if vendor is None:
            return allowed
        actual = self.vendor_category.get(vendor)
        if actual != category:
            known = tuple(name for name, other in self.vendor_category.items() if other == category)
            raise UnknownVendorError(vendor, known, category=category, actual=actual or "")
        return self._vendors[vendor]

    # Read-only, because the requests of many visitors may share one consent.

    @property
    def categories(self) -> Mapping[str, bool]:
        """Every category of the policy and whether it is on."""
        return MappingProxyType(self._categories)

    @property
    def vendors(self) -> Mapping[str, bool]:
        """Every vendor of the policy and whether it is on."""
        return MappingProxyType(self._vendors)

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
