"""The cookies that this library sets itself: their names, and how large they can become."""

from collections.abc import Collection
from typing import Literal, NamedTuple

__all__ = [
    "ALL_COOKIE_NAMES",
    "LARGEST_COOKIE",
    "CookieNames",
    "CookiePrefix",
    "cookie_names",
    "cookie_sizes",
]

CookiePrefix = Literal["__Host-", "__Secure-", ""]
"""`__Host-` on https, `__Secure-` with a Domain, nothing for development on plain http (RFC 6265bis section 4.1.3)."""

LARGEST_COOKIE = 4096
"""Octets of name and value together; browsers ignore a larger cookie as a whole (RFC 6265bis section 5.7)."""

_NOTICE, _SUBJECT, _SIGNATURE = 11, 22, 43
_LONGEST_CHANGE = "99999999~999999"
_TOKEN_DOTS = 7


class CookieNames(NamedTuple):
    """The names of all cookies that the library may set on one site."""

    consent: str
    """The signed decision."""
    companion: str
    """What the decision allows, for scripts."""
    transaction: str
    """A hand-off that is under way."""
    confirmation: str
    """A code of what the visitor just did, until a page has confirmed it; it holds no identifier."""


def cookie_names(prefix: CookiePrefix) -> CookieNames:
    """Return the names of the library's cookies, by the prefix of the consent cookie.

    The cookies of a hand-off never have a Domain. On https they begin with `__Host-`, so that no sub-domain can set them.
    """
    name, brief = f"{prefix}consent", f"{'__Host-' if prefix else ''}consent"
    return CookieNames(name, f"{name}-state", f"{brief}-tx", f"{brief}-from")


ALL_COOKIE_NAMES = tuple(
    prefix + name for prefix in ("", "__Host-", "__Secure-") for name in cookie_names("")
)
"""The names under all prefixes, because one policy serves development and production."""


def cookie_sizes(
    names: CookieNames, category_ids: Collection[str], vendor_ids: Collection[str]
) -> tuple[int, int]:
    """Return the largest size of the signed cookie and of its companion, in octets of name and value together.

    Args:
        names: the names of the cookies, which count towards the sizes.
        category_ids: the categories that visitors can answer about.
        vendor_ids: the vendors of those categories.
    """
    # The signed token: kind, times, notice and subject, then both masks in hexadecimal.
    fields = len("1d") + len("9999999999") + len(_LONGEST_CHANGE) + _NOTICE + _SUBJECT
    masks = (len(category_ids) + 3) // 4 + (len(vendor_ids) + 3) // 4
    # The companion: every category, and every vendor with a `~`, each followed by a dot; then `_`, notice and `.~`.
    items = sum(len(category) + 1 for category in category_ids) + sum(
        len(vendor) + 2 for vendor in vendor_ids
    )
    return (
        len(names.consent) + fields + masks + _TOKEN_DOTS + _SIGNATURE,
        len(names.companion) + items + len("_") + _NOTICE + len(".~"),
    )
