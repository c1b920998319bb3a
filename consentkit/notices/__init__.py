"""What visitors were told, version by version: notices, what changed between them, `consent.lock`."""

from consentkit.notices.changes import Change, Coverage, compare, coverage
from consentkit.notices.notice import Notice

__all__ = ["Change", "Coverage", "Notice", "compare", "coverage"]
