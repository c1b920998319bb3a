"""What the middleware saw of an application's answers, said once each."""

import logging

from consentkit.gate import Action, Reason, Verdict

__all__ = ["Sightings"]

log = logging.getLogger("consentkit")

MOST = 1024
"""Cookies, and warnings, that are told apart; what comes after them is not reported."""


class Sightings:
    """Remember what was reported.

    Attributes:
        cookies: by name, why each was noticed, for `consentkit check --observed`.
    """

    def __init__(self) -> None:
        self.cookies: dict[str, Reason] = {}
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
