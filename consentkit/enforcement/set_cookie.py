"""The Set-Cookie filter, which removes or rewrites the cookies that a response sets without consent.

The cookie gate decides. The filter remembers its verdict on each cookie name for each consent, because an application
sets the same few cookies again and again.
"""

from consentkit._bounded_cache import BoundedCache
from consentkit.consent import Consent
from consentkit.enforcement.cookie_gate import COMMA, CR, LF, NUL, Action, CookieGate, Reason, Verdict
from consentkit.enforcement.declared_attributes import attributes_of, deviation
from consentkit.enforcement.observations import ObservedCookies
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
    """Apply a consent to the Set-Cookie lines of responses, and report cookies that differ from their declarations."""

    __slots__ = ("_gate", "_observed", "_verdicts")

    def __init__(self, gate: CookieGate, observed: ObservedCookies) -> None:
        self._gate = gate
        self._observed = observed
        # By consent, then by name. Visitors who gave the same answer share a consent.
        self._verdicts: BoundedCache[Consent, BoundedCache[bytes, Verdict]] = BoundedCache(
            _CONSENTS_REMEMBERED
        )

    def filter(
        self, headers: Headers, consent: Consent, now: float, ends: int | None
    ) -> tuple[Headers, bool, tuple[Verdict, ...]]:
        """Return the headers to send, whether another consent may have led to others, and verdicts for the log.

        `consent` may be that of another visitor with the same answer, of which only the permissions count. `now`, and the end of
        this visitor's consent, are in seconds since the epoch. A name that always passes may be in the log only once.
        """
        verdicts = self._verdicts.get(consent)
        if verdicts is None:
            verdicts = self._verdicts[consent] = BoundedCache(_NAMES_REMEMBERED)
        kept: Headers = []
        depends = False
        noticed_verdicts: tuple[Verdict, ...] = ()
        for header in headers:
            name, value = header
            # Servers send names in lower case; the length spares `lower` for most of the other fields.
            if name != b"set-cookie" and (len(name) != 10 or name.lower() != b"set-cookie"):
                kept.append(header)
                continue
            verdict = verdicts.get(value.partition(b"=")[0])
            if verdict is None or LF in value or CR in value or NUL in value or COMMA in value:
                # The name does not decide about a line that may hold several cookies or end its header field.
                verdict = self._ask_gate(value, consent, verdicts, now, ends)
            elif verdict is _PASS_ALWAYS:
                kept.append(header)
                continue
            elif (semicolon := value.find(b";")) >= 0:
                life = read_attributes(value[semicolon:])
                is_harmless = ends is None or verdict.action is not _PASS
                # A deletion, and a cookie that outlives the consent, are not decided by the name alone.
                fits = is_harmless or (life and not life.date and now + life.age <= (ends or 0))
                if life and not (life.stays and fits):
                    verdict = self._ask_gate(value, consent, verdicts, now, ends)
            depends = depends or verdict.depends
            if verdict.action is _PASS:
                kept.append(header)
            elif verdict.value is not None:
                kept.append((name, verdict.value))
            if verdict.reason not in _SILENT:
                noticed_verdicts += (verdict,)
        return kept, depends, noticed_verdicts

    def _ask_gate(
        self, value: bytes, consent: Consent, verdicts: dict[bytes, Verdict], now: float, ends: int | None
    ) -> Verdict:
        """Return the gate's verdict on a line, and remember its verdict on the name, all bytes before the first `=`."""
        verdict = self._gate.set_cookie(value, consent.allows, now, ends)
        name = value.partition(b"=")[0]
        trimmed = name.lstrip(b" \t")
        # Without a name, the value decides (`=_ga=1` comes back as `_ga=1`).
        if not trimmed or len(name) > _LONGEST_NAME_REMEMBERED or name in verdicts:
            return verdict
        attributes = attributes_of(value, now)
        # The name of a deletion is not remembered, so that the first line that stores the cookie comes here too.
        if attributes is not None:
            if verdict.action is _PASS or verdict.reason is Reason.CLAMPED:
                found = deviation(attributes, self._gate.declarations(trimmed))
                if found is not None:
                    self._observed.report_deviation(verdict.name, attributes, found)
            by_name = self._gate.verdict_for_name(trimmed, consent.allows)
            passes_always = by_name.action is _PASS and not by_name.depends
            verdicts[name] = _PASS_ALWAYS if passes_always else by_name
        return verdict
