"""What a hand-off token says (DESIGN contract of the hand-off), and which of them are believed; `keys` holds the signature.

The claims are those of a JWT (RFC 7519): `typ iss aud grp st jti iat exp decided_at changed_at notice categories vendors`,
`sub` where something is granted, and two that say what the others leave open: `status`, and `partial` where the banner
still asks.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from consentkit.consent import SKEW, Consent, Decision
from consentkit.handoff.keys import PublicKey, verify_token

__all__ = ["HandoffRefusal", "claims_of", "read_claims"]

TOKEN_SECONDS = 60
CLOCK_SKEW = 30
TYPE = "consent-handoff"
# What the ledger and an address hold as it is: visible ASCII.
_TEXT = re.compile(r"[!-~]{1,64}")
_LAST_SECOND = 10**11


class HandoffRefusal(Exception):
    """End a hand-off for a reason that is counted."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def claims_of(
    consent: Consent, decision: Decision, told: tuple[str, ...], names: Mapping[str, str], now: int
) -> dict[str, Any]:
    """Say what a visitor chose; `told` are the categories of the notice, `names` the claims iss, aud, grp and st."""
    claims: dict[str, Any] = {
        "typ": TYPE,
        **names,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "decided_at": decision.decided_at,
        "changed_at": decision.changed_at,
        "notice": decision.notice,
        "status": consent.status.value,
        "categories": {category: category in decision.granted for category in told},
        "vendors": dict(decision.vendors),
    }
    if decision.kind == "partial":
        claims["partial"] = True
    if decision.subject:
        claims["sub"] = secrets.token_urlsafe(16)
    return claims


def read_claims(token: str, key: PublicKey, names: Mapping[str, str], now: float) -> dict[str, Any]:
    """Verify a token and give its claims; `names` are what iss, aud, grp and st have to be.

    Raises:
        HandoffRefusal: any of them does not hold.
    """
    claims = verify_token(token, key)
    if claims is None:
        raise HandoffRefusal("signature")
    for name, value in {"typ": TYPE, **names}.items():
        if claims.get(name) != value:
            raise HandoffRefusal(name)
    if not _well_formed(claims):
        raise HandoffRefusal("claims")
    issued, ends = claims["iat"], claims["exp"]
    if ends - issued > TOKEN_SECONDS or not issued - CLOCK_SKEW <= now <= ends + CLOCK_SKEW:
        raise HandoffRefusal("time")
    if max(claims["decided_at"], claims["changed_at"]) > now + SKEW:
        raise HandoffRefusal("time")
    return claims


def _well_formed(claims: Mapping[str, Any]) -> bool:
    texts = [claims.get(name) for name in ("jti", "notice", *(("sub",) if "sub" in claims else ()))]
    times = [claims.get(name) for name in ("iat", "exp", "decided_at", "changed_at")]
    answers = [claims.get(name) for name in ("categories", "vendors")]
    return (
        all(isinstance(text, str) and _TEXT.fullmatch(text) for text in texts)
        and all(type(time) is int and 0 < time < _LAST_SECOND for time in times)
        and all(
            isinstance(answer, dict) and all(type(value) is bool for value in answer.values())
            for answer in answers
        )
    )
