"""Cookies and faults observed in an application's requests and responses, each logged once."""

import json
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from consentkit.enforcement.cookie_gate import Action, Reason, Verdict
from consentkit.enforcement.declared_attributes import CookieAttributes, Deviation

__all__ = ["DIFFERS", "SENT", "Observation", "ObservedCookies", "read_observed_cookies"]

log = logging.getLogger("consentkit")

MOST = 1024
"""How many cookies, and how many warnings, are remembered; later ones are not reported."""
MOST_SENT = 100
"""How many undeclared cookies of requests are reported. Anybody can send some, so they have a limit of their own."""
_REPORTED_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")

DIFFERS = "differs"
"""Reason of an observation: a declared cookie was set with another lifetime or place than declared."""
SENT = "sent"
"""Reason of an observation: a browser sent a cookie that is not declared."""


class Observation(NamedTuple):
    """A line of the file that ObservedCookies writes."""

    cookie: str
    """Name of the cookie."""
    reason: str
    """Why it was noticed: a `Reason` of a verdict, `DIFFERS` or `SENT`."""
    attributes: CookieAttributes | None = None
    """With which attributes it was set, for `DIFFERS`."""


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
        self._differing: set[str] = set()
        self._sent: set[str] = set()

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
        self._write(Observation(verdict.name, verdict.reason.value))
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

    def report_deviation(self, name: str, attributes: CookieAttributes, found: Deviation) -> None:
        """Log how a cookie differs from its declaration, unless that was logged for the declaration before."""
        if found.tracker.name in self._differing:
            return
        self._differing.add(found.tracker.name)
        self._write(Observation(name, DIFFERS, attributes))
        log.warning(
            "Set-Cookie %r differs from the policy: %s. Declare what the site sets, or set what is declared: a withdrawal "
            "deletes cookies only where they are declared.",
            name,
            ", ".join(found.differences),
        )

    def is_new_in_requests(self, name: str) -> bool:
        """Return whether an undeclared cookie of this name in a request is worth a report.

        It is not if the application set one of this name, or if the name is none that servers and scripts choose.
        """
        if len(self._sent) >= MOST_SENT or name in self._sent or name in self.cookies:
            return False
        return _REPORTED_NAME.fullmatch(name) is not None

    def report_sent(self, name: str, *, is_hidden: bool) -> None:
        """Log an undeclared cookie of a request whose name `is_new_in_requests`, and whether the application sees it."""
        self._sent.add(name)
        self._write(Observation(name, SENT))
        log.warning(
            "The browser sends the cookie %r, which the policy does not declare%s. Declare it, or find out what sets it.",
            name,
            ", so it is hidden from the application" if is_hidden else "",
        )

    def _write(self, observation: Observation) -> None:
        if self._file is None:
            return
        entry: dict[str, Any] = {"cookie": observation.cookie, "reason": observation.reason}
        if observation.attributes is not None:
            entry["attributes"] = observation.attributes._asdict()
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            self.warn_once(
                "observed",
                "Observed cookies cannot be written to %s, so `consentkit check --observed` will lack them. Check the "
                "path: %s",
                self._file,
                error,
            )


def read_observed_cookies(lines: Iterable[str]) -> list[Observation]:
    """Return the different observations of a file that ObservedCookies wrote; other lines are skipped."""
    found: dict[Observation, None] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            attributes = _attributes(**entry["attributes"]) if "attributes" in entry else None
            found[Observation(str(entry["cookie"]), str(entry["reason"]), attributes)] = None
        except (ValueError, LookupError, TypeError, RecursionError):
            continue
    return list(found)


def _attributes(*, lifetime: Any, path: Any, domain: Any, partitioned: Any) -> CookieAttributes:
    """Return the attributes that JSON has. Raises TypeError for values of other types."""
    if not (
        isinstance(lifetime, int | None) and isinstance(path, str | None) and isinstance(domain, str | None)
    ):
        raise TypeError("Not the attributes of a cookie.")
    return CookieAttributes(lifetime, path, domain, bool(partitioned))
