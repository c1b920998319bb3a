"""Checks of a whole policy: values that contradict each other, and choices that are lawful but unwise.

A check is a generator that yields findings about a `CheckContext`. Its docstring states the rule that it checks, after
the REQUIREMENTS row that the rule comes from, if any.
"""

from datetime import date

from consentkit.policy.checks import (
    categories,
    cookie_size,
    exemptions,
    information,
    periods,
    references,
    regimes,
    sites,
    trackers,
    vendors,
)
from consentkit.policy.checks.context import CheckContext
from consentkit.policy.findings import Finding, KeyPath
from consentkit.policy.policy import Policy

__all__ = ["run_checks"]

_CHECKS = (
    *references.CHECKS,
    *periods.CHECKS,
    *sites.CHECKS,
    *categories.CHECKS,
    *exemptions.CHECKS,
    *regimes.CHECKS,
    *vendors.CHECKS,
    *information.CHECKS,
    *trackers.CHECKS,
    *cookie_size.CHECKS,
)


def run_checks(
    policy: Policy, *, today: date, placeholder_paths: frozenset[KeyPath] = frozenset()
) -> list[Finding]:
    """Run every check, and return the findings.

    Args:
        policy: the policy, in which placeholders may stand for invalid values.
        today: the day on which adequacy decisions have to be in force.
        placeholder_paths: where the placeholders are; no check reads them.
    """
    context = CheckContext(policy, today, placeholder_paths)
    return [finding for check in _CHECKS for finding in check(context)]
