"""The cookies that an application sets, line by line: which of them leave.

The gate judges; here is what is remembered of its verdicts, so that most lines need no closer look.
"""

from consentkit._bounded_cache import BoundedCache
from consentkit.consent import Consent
from consentkit.enforcement.cookie_gate import COMMA, CR, LF, NUL, Action, CookieGate, Reason, Verdict
from consentkit.headers import read_attributes

__all__ = ["SetCookieFilter"]

Headers = list[tuple[bytes, bytes]]

# An Enum's members are slow to reach.
_PASS, _DROP = Action.PASS, Action.DROP
_EXPECTED = (Reason.GRANTED, Reason.REQUIRED, Reason.OWN, Reason.DELETION)
_CONSENTS_REMEMBERED = 256
_NAMES_REMEMBERED = 256
_LONGEST_NAME = 256
_ALWAYS = Verdict(Action.PASS, Reason.REQUIRED, "")
"""Stands for every verdict that no lifetime and no consent changes."""


class SetCookieFilter:
    """Hold Set-Cookie lines against a consent."""

    __slots__ = ("_gate", "_verdicts")

    def __init__(self, gate: CookieGate) -> None:
        self._gate = gate
        # By consent, then by name. Most visitors share a consent with all who gave the same answer.
        self._verdicts: BoundedCache[Consent, BoundedCache[bytes, Verdict]] = BoundedCache(
            _CONSENTS_REMEMBERED
        )

    def filter(
        self, headers: Headers, consent: Consent, now: float, ends: int | None
    ) -> tuple[Headers, bool, tuple[Verdict, ...]]:
        """Filter a response's headers.

        Args:
            headers: with the application's cookies.
            consent: of which only counts what it allows.
            now: in seconds since the epoch.
            ends: when the consent ends, in seconds since the epoch.

        Returns:
            the headers that leave; whether another consent would have let others leave; and verdicts that are worth a line in the
            log, some of the cookies that always leave only once.
        """
        usual = self._verdicts.get(consent)
        if usual is None:
            usual = self._verdicts[consent] = BoundedCache(_NAMES_REMEMBERED)
        kept: Headers = []
        depends = False
        noticed: tuple[Verdict, ...] = ()
        for header in headers:
            name, value = header
            if name != b"set-cookie" and (len(name) != 10 or name.lower() != b"set-cookie"):
                kept.append(header)
                continue
            verdict = usual.get(value.partition(b"=")[0])
            if verdict is None or LF in value or CR in value or NUL in value or COMMA in value:
                verdict = self._look(value, consent, usual, now, ends)
            elif verdict is _ALWAYS:
                kept.append(header)
                continue
            elif (at := value.find(b";")) >= 0 and (life := read_attributes(value[at:])) is not None:
                fits = ends is None or (not life.date and now + life.age <= ends) or verdict.action is _DROP
                if not (life.stays and fits):
                    verdict = self._look(value, consent, usual, now, ends)
            depends = depends or verdict.depends
            if verdict.action is _PASS:
                kept.append(header)
            elif verdict.value is not None:
                kept.append((name, verdict.value))
            if verdict.reason not in _EXPECTED:
                noticed += (verdict,)
        return kept, depends, noticed

    def _look(
        self, value: bytes, consent: Consent, usual: dict[bytes, Verdict], now: float, ends: int | None
    ) -> Verdict:
        """Judge a line, and remember the verdict on its name, that is on all that stands before the first `=`."""
        name = value.partition(b"=")[0]
        plain = name.lstrip(b" \t")
        if plain and len(name) <= _LONGEST_NAME and name not in usual:
            verdict = self._gate.usual(plain, consent.allows)
            always = verdict.action is _PASS and not verdict.depends
            usual[name] = _ALWAYS if always else verdict
        return self._gate.set_cookie(value, consent.allows, now, ends)
