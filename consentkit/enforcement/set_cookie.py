"""The Set-Cookie filter: removes or rewrites the cookies that a response sets without consent.

The cookie gate decides. The filter remembers its verdict on each cookie name for each consent, because an application
sets the same few cookies again and again.
"""

from consentkit._bounded_cache import BoundedCache
from consentkit.consent import Consent
from consentkit.enforcement.cookie_gate import COMMA, CR, LF, NUL, Action, CookieGate, Reason, Verdict
from consentkit.headers import read_attributes

__all__ = ["SetCookieFilter"]

Headers = list[tuple[bytes, bytes]]

_CONSENTS_REMEMBERED = 256
_NAMES_REMEMBERED = 256
_LONGEST_NAME_REMEMBERED = 256

# On Python 3.11 `Action.PASS` takes 0.7 us and a global 0.03 us (timeit); every Set-Cookie line compares with it.
_PASS = Action.PASS
_SILENT = (Reason.GRANTED, Reason.REQUIRED, Reason.OWN, Reason.DELETION)
# Stands for each verdict that passes a cookie whatever the consent and the attributes are.
_PASS_ALWAYS = Verdict(Action.PASS, Reason.REQUIRED, "")


class SetCookieFilter:
    """Apply a consent to the Set-Cookie lines of responses."""

    __slots__ = ("_gate", "_verdicts")

    def __init__(self, gate: CookieGate) -> None:
        self._gate = gate
        # By consent, then by name. Visitors who gave the same answer share a consent.
        self._verdicts: BoundedCache[Consent, BoundedCache[bytes, Verdict]] = BoundedCache(
            _CONSENTS_REMEMBERED
        )

    def filter(
        self, headers: Headers, consent: Consent, now: float, ends: int | None
    ) -> tuple[Headers, bool, tuple[Verdict, ...]]:
        """Filter the headers of a response.

        Args:
            headers: all headers, with the application's cookies.
            consent: only its permissions count, so it may be that of another visitor with the same answer.
            now: seconds since the epoch.
            ends: when this visitor's consent ends, in seconds since the epoch.

        Returns:
            the headers to send; whether another consent may have led to other headers; and the verdicts that are worth a
            line in the log. A name that always passes may be among them only the first time.
        """
        verdicts = self._verdicts.get(consent)
        if verdicts is None:
            verdicts = self._verdicts[consent] = BoundedCache(_NAMES_REMEMBERED)
        kept: Headers = []
        depends = False
        noticed: tuple[Verdict, ...] = ()
        for header in headers:
            name, value = header
            # Servers send names in lower case; the length spares `lower` for most of the other fields.
            if name != b"set-cookie" and (len(name) != 10 or name.lower() != b"set-cookie"):
                kept.append(header)
                continue
            verdict = None if _has_special_byte(value) else verdicts.get(value.partition(b"=")[0])
            if verdict is _PASS_ALWAYS:
                kept.append(header)
                continue
            if verdict is None or not _is_final(verdict, value, now, ends):
                verdict = self._ask_gate(value, consent, verdicts, now, ends)
            depends = depends or verdict.depends
            if verdict.action is _PASS:
                kept.append(header)
            elif verdict.value is not None:
                kept.append((name, verdict.value))
            if verdict.reason not in _SILENT:
                noticed += (verdict,)
        return kept, depends, noticed

    def _ask_gate(
        self, value: bytes, consent: Consent, verdicts: dict[bytes, Verdict], now: float, ends: int | None
    ) -> Verdict:
        """Return the gate's verdict on a line, and remember its verdict on the name, all bytes before the first `=`."""
        name = value.partition(b"=")[0]
        trimmed = name.lstrip(b" \t")
        # Without a name, the value decides (`=_ga=1` comes back as `_ga=1`).
        if trimmed and len(name) <= _LONGEST_NAME_REMEMBERED and name not in verdicts:
            verdict = self._gate.verdict_for_name(trimmed, consent.allows)
            passes_always = verdict.action is _PASS and not verdict.depends
            verdicts[name] = _PASS_ALWAYS if passes_always else verdict
        return self._gate.set_cookie(value, consent.allows, now, ends)


def _has_special_byte(value: bytes) -> bool:
    """Return whether a line may hold several cookies or end its header field, so that its name does not decide."""
    return LF in value or CR in value or NUL in value or COMMA in value


def _is_final(verdict: Verdict, value: bytes, now: float, ends: int | None) -> bool:
    """Return whether Max-Age and Expires of a line leave the verdict on its name as it is."""
    semicolon = value.find(b";")
    life = read_attributes(value[semicolon:]) if semicolon >= 0 else None
    if life is None:
        return True
    if not life.stays:
        return False
    return ends is None or verdict.action is not _PASS or (not life.date and now + life.age <= ends)
