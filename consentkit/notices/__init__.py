"""What visitors were told, version by version: notices, what changed between them, `consent.lock`."""

from consentkit.notices.changes import Change, Coverage, compare, coverage
from consentkit.notices.lock import Lock, add_notice_to_lock, read_lock, write_lock
from consentkit.notices.notice import SHORT, Notice

__all__ = [
    "SHORT",
    "Change",
    "Coverage",
    "Lock",
    "Notice",
    "add_notice_to_lock",
    "compare",
    "coverage",
    "read_lock",
    "write_lock",
]
