"""Cookies and faults observed in an application's responses, each logged once."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from consentkit.enforcement.cookie_gate import Action, Reason, Verdict

__all__ = ["ObservedCookies", "read_observed_cookies"]

log = logging.getLogger("consentkit")

MOST = 1024
"""How many cookies, and how many warnings, are remembered; later ones are not reported."""


class ObservedCookies:
    """Log observed cookies and warnings once each.

    Attributes:
        cookies: reason of the first verdict on each observed cookie, by name.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Add names of observed cookies, never values, to a file if one is given, for `consentkit check --observed`."""
        self.cookies: dict[str, Reason] = {}
        self._file = file
        self._logged: set[str] = set()

    def warn_once(self, about: str, message: str, *arguments: object) -> None:
        """Log a warning, unless one about the same subject was logged before."""
        self.log_once(logging.WARNING, about, message, *arguments)

    def log_once(self, level: int, about: str, message: str, *arguments: object) -> None:
        """Log a message, unless one about the same subject was logged before."""
        if about not in self._logged and len(self._logged) < MOST:
            self._logged.add(about)
            log.log(level, message, *arguments)

    def report(self, verdict: Verdict) -> None:
        """Log a verdict, unless one on a cookie of the same name was logged before."""
        if verdict.name in self.cookies or len(self.cookies) >= MOST:
            return
        self.cookies[verdict.name] = verdict.reason
        self._write(verdict)
        if verdict.tracker is not None and verdict.action is not Action.PASS:
            outcome = "shortened" if verdict.reason is Reason.CLAMPED else "dropped"
            log.warning(
                "Set-Cookie %r %s: %s, category %r.",
                verdict.name,
                outcome,
                verdict.reason.value,
                verdict.tracker.category,
            )
        elif verdict.reason in (Reason.UNDECLARED, Reason.BROKEN):
            outcome = "dropped" if verdict.action is Action.DROP else "let through"
            log.warning(
                "Set-Cookie %r %s: %s. Declare it in the policy.", verdict.name, outcome, verdict.reason.value
            )

    def _write(self, verdict: Verdict) -> None:
        if self._file is None:
            return
        line = json.dumps({"cookie": verdict.name, "reason": verdict.reason.value})
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            self.warn_once(
                "observed",
                "Observed cookies cannot be written to %s, so `consentkit check --observed` will lack them. Check the "
                "path: %s",
                self._file,
                error,
            )


def read_observed_cookies(lines: Iterable[str]) -> dict[str, str]:
    """Return the reason for each cookie of a file that ObservedCookies wrote, by name; other lines are skipped."""
    reasons: dict[str, str] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            reasons.setdefault(str(entry["cookie"]), str(entry["reason"]))
        except (ValueError, LookupError, TypeError, RecursionError):
            continue
    return reasons
