"""Notices, which disclose to visitors what the policy declares; the changes between them; the lock that holds them."""

from consentkit.notices.changes import Change, Coverage, compare, coverage
from consentkit.notices.lock import (
    EditorialChange,
    Lock,
    add_notices_to_lock,
    changes_of_regimes,
    notices_of_regimes,
)
from consentkit.notices.notice import SHORT, Notice

__all__ = [
    "SHORT",
    "Change",
    "Coverage",
    "EditorialChange",
    "Lock",
    "Notice",
    "add_notices_to_lock",
    "changes_of_regimes",
    "compare",
    "coverage",
    "notices_of_regimes",
]
