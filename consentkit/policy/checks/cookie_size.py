"""Whether every possible decision fits the cookies that carry it (REQUIREMENTS CK-01)."""

from collections.abc import Iterator

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.findings import Finding
from consentkit.policy.policy import Policy

__all__ = ["CHECKS", "LARGEST", "cookie_sizes"]

LARGEST = 4096
"""Octets of name and value together; browsers ignore a larger cookie whole (RFC 6265bis)."""
_FIXED = len("__Secure-consent=" + "1d" + "9999999999" + "99999999") + 11 + 22 + 43 + len(".......")
_COMPANION = len("__Secure-consent-state=" + "!") + 11 + len(".~")


def cookie_sizes(policy: Policy) -> tuple[int, int]:
    """Give the most octets that the signed cookie and its companion can have, name and value together."""
    optional = [category.id for category in policy.optional]
    vendors = [vendor.id for category in policy.optional for vendor in policy.vendors_of(category.id)]
    masks = (len(optional) + 3) // 4 + (len(vendors) + 3) // 4
    return _FIXED + masks, _COMPANION + sum(len(one) + 1 for one in optional) + sum(
        len(one) + 2 for one in vendors
    )


def decisions_fit_their_cookies(context: CheckContext) -> Iterator[Finding]:
    """Or no choice could be kept for some visitors."""
    signed, companion = cookie_sizes(context.policy)
    if max(signed, companion) > LARGEST:
        section = "vendors" if context.policy.vendors else "categories"
        message = f"A choice may take a cookie of {max(signed, companion)} octets; browsers keep {LARGEST} at the most."
        yield Finding((section,), message, "Choose shorter ids, or declare fewer.")


CHECKS = (decisions_fit_their_cookies,)
