"""What several values of a policy get wrong together, and what is lawful but unwise.

Each check is a generator of findings over a `Draft`, and names the REQUIREMENTS row that it holds.
"""

from datetime import date

from consentkit.checks import categories, cookies, identity, scope, trackers, vendors
from consentkit.checks.cookies import cookie_sizes
from consentkit.checks.draft import Draft, Path
from consentkit.faults import Finding
from consentkit.policy import Policy

__all__ = ["cookie_sizes", "findings"]

_ALL = (
    *identity.CHECKS,
    *scope.CHECKS,
    *categories.CHECKS,
    *vendors.CHECKS,
    *trackers.CHECKS,
    *cookies.CHECKS,
)


def findings(policy: Policy, *, today: date, bad: frozenset[Path] = frozenset()) -> list[Finding]:
    """Run every check; `today` decides which adequacy decisions stand, `bad` names the parts that are fillers."""
    draft = Draft(policy, today, bad)
    return [finding for check in _ALL for finding in check(draft)]
