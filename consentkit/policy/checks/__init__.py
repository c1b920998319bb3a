"""What several values of a policy get wrong together, and what is lawful but unwise.

Each check is a generator of findings over a `Draft`, and names the REQUIREMENTS row that it holds.
"""

from datetime import date

from consentkit.policy.checks import categories, trackers, vendors
from consentkit.policy.checks import cookie_size as cookies
from consentkit.policy.checks import references as identity
from consentkit.policy.checks import sites as scope
from consentkit.policy.checks.context import CheckContext, Path
from consentkit.policy.findings import Finding
from consentkit.policy.policy import Policy

__all__ = ["findings"]

_ALL = (
    *identity.CHECKS,
    *scope.CHECKS,
    *categories.CHECKS,
    *vendors.CHECKS,
    *trackers.CHECKS,
    *cookies.CHECKS,
)


def findings(
    policy: Policy, *, today: date, placeholder_paths: frozenset[Path] = frozenset()
) -> list[Finding]:
    """Run every check; `today` decides which adequacy decisions stand, `bad` names the parts that are fillers."""
    context = CheckContext(policy, today, placeholder_paths)
    return [finding for check in _ALL for finding in check(context)]
