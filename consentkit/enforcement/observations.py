"""What the middleware saw of an application's answers, said once each."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from consentkit.enforcement.cookie_gate import Action, Reason, Verdict

__all__ = ["ObservedCookies", "read_sightings"]

log = logging.getLogger("consentkit")

MOST = 1024
"""Cookies, and warnings, that are told apart; what comes after them is not reported."""


class ObservedCookies:
    """Remember what was reported.

    Attributes:
        cookies: by name, why each was noticed.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Take a file that names are added to, for `consentkit check --observed`; never a value."""
        self.cookies: dict[str, Reason] = {}
        self._file = file
        self._warned: set[str] = set()

    def warn_once(self, about: str, message: str, *arguments: object) -> None:
        """Log a warning the first time that this comes up."""
        if about not in self._warned and len(self._warned) < MOST:
            self._warned.add(about)
            log.warning(message, *arguments)

    def report(self, verdict: Verdict) -> None:
        """Log once for each cookie what became of it."""
        if verdict.name in self.cookies or len(self.cookies) >= MOST:
            return
        self.cookies[verdict.name] = verdict.reason
        self._write(verdict)
        if verdict.tracker is not None and verdict.action is not Action.PASS:
            done = "shortened" if verdict.reason is Reason.CLAMPED else "dropped"
            log.warning(
                "Set-Cookie %r %s: %s, category %r.",
                verdict.name,
                done,
                verdict.reason.value,
                verdict.tracker.category,
            )
        elif verdict.reason in (Reason.UNDECLARED, Reason.BROKEN):
            done = "dropped" if verdict.action is Action.DROP else "let through"
            log.warning(
                "Set-Cookie %r %s: %s. Declare it in the policy.", verdict.name, done, verdict.reason.value
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
                "observed", "Cookies that were seen cannot be written to %s: %s", self._file, error
            )


def read_sightings(lines: Iterable[str]) -> dict[str, str]:
    """Read what was written: names of cookies, and why each was noticed, in order, once each. Other lines are passed over."""
    found: dict[str, str] = {}
    for line in lines:
        try:
            seen = json.loads(line)
            found.setdefault(str(seen["cookie"]), str(seen["reason"]))
        except (ValueError, LookupError, TypeError, RecursionError):
            continue
    return found
