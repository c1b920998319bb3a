"""Whether every possible decision fits the cookies that carry it (REQUIREMENTS CK-01)."""

from collections.abc import Iterator

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.findings import Finding
from consentkit.policy.own_cookies import LARGEST_COOKIE, cookie_names, cookie_sizes

__all__ = ["CHECKS"]


def decisions_fit_their_cookies(context: CheckContext) -> Iterator[Finding]:
    """CK-01: a decision that fits no cookie would be lost, and the visitor asked again on every page."""
    policy = context.policy
    optional = [category.id for category in policy.optional]
    vendors = [vendor.id for category in optional for vendor in policy.vendors_of(category)]
    size = max(cookie_sizes(cookie_names("__Secure-"), optional, vendors))
    if size > LARGEST_COOKIE:
        section = "vendors" if policy.vendors else "categories"
        message = f"A decision may take a cookie of {size} octets; browsers accept at most {LARGEST_COOKIE}."
        yield Finding((section,), message, "Choose shorter ids, or declare fewer.")


CHECKS = (decisions_fit_their_cookies,)
