"""What this library itself stores on a visitor's device: its cookies, which every notice discloses (REQUIREMENTS LB-09).

The script sets one of them: the code of a choice, until the next page confirms it. Otherwise it only reads the companion
cookie, and deletes declared items that are no longer allowed.
"""

from dataclasses import dataclass

from consentkit.policy.duration import Duration
from consentkit.policy.models import Necessity, TrackerKind
from consentkit.policy.own_cookies import CookieNames, cookie_names
from consentkit.policy.policy import Policy

__all__ = [
    "CONFIRMATION_LIFETIME",
    "STEP_LIFETIME",
    "TRANSACTION_LIFETIME",
    "OwnCookies",
    "OwnItem",
    "own_storage",
]

CONFIRMATION_LIFETIME = Duration(seconds=120)
"""How long the cookie is kept from which the next page confirms what a visitor did."""
STEP_LIFETIME = Duration(days=30)
"""The same after a choice was used on all sites, because the visitor comes to the other sites some other day."""
TRANSACTION_LIFETIME = Duration(seconds=600)
"""How long the cookie of hand-offs is kept at most: as long as a choice may take to all sites."""

_HOLDS = {
    "consent": ("choice", "time", "notice", "pseudonym", "signature"),
    "companion": ("choice", "notice"),
    "transaction": ("random_number", "site", "path", "time", "signature"),
    "confirmation": ("event",),
}


@dataclass(frozen=True, slots=True)
class OwnItem:
    """An item that the library stores.

    Attributes:
        use: what the item is for, as the field of `CookieNames`.
        category: id of the required category that it is disclosed under; None if the policy has none.
        holds: what it holds, in one word each.
    """

    use: str
    category: str | None
    lifetime: Duration
    holds: tuple[str, ...]
    kind: TrackerKind = "cookie"
    necessity: Necessity = "consent_choice"

    @property
    def name(self) -> str:
        """The name without the prefix, which is another one in development and on a shared domain."""
        return str(getattr(cookie_names(""), self.use))


@dataclass(frozen=True, slots=True)
class OwnCookies:
    """Under which names and on which domain one site sets the library's cookies.

    Attributes:
        names: the names with their prefix.
        domain: the domain whose sub-domains share the decision, without a leading dot; None if each host has its own.
    """

    names: CookieNames
    domain: str | None = None

    def domain_of(self, item: OwnItem) -> str | None:
        """Return the Domain of an item. Short-lived cookies never have one."""
        return self.domain if item.use in ("consent", "companion") else None


def own_storage(policy: Policy) -> tuple[OwnItem, ...]:
    """Return what the library stores for a policy. The cookie of hand-offs is listed if one is possible."""
    lifetimes = {"consent": policy.validity, "companion": policy.validity}
    if policy.hands_off:
        lifetimes["transaction"] = TRANSACTION_LIFETIME
    lifetimes["confirmation"] = STEP_LIFETIME if policy.hands_off else CONFIRMATION_LIFETIME
    category = next((category.id for category in policy.categories if category.required), None)
    return tuple(OwnItem(use, category, lifetime, _HOLDS[use]) for use, lifetime in lifetimes.items())
