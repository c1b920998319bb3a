"""The claims of a hand-off token: written by the issuing site, checked by the asking site. `keys` has the signature.

A token is a JWT (RFC 7519) with `typ iss aud grp st jti iat exp decided_at changed_at notice status categories vendors`. A grant
has `sub` too, a pseudonym of the visitor for these two sites. `revision` counts changes within one second, if there were any.
An answer that leaves the banner something to ask has `partial`.
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
# Visible ASCII, which the ledger and addresses take without escaping.
_TEXT = re.compile(r"[!-~]{1,64}")
_LAST_SECOND = 10**11
_MOST_REVISIONS = 10**6


class HandoffRefusal(Exception):
    """Raised to end a hand-off without a choice, for a reason that is counted."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def claims_of(
    consent: Consent, decision: Decision, disclosed: tuple[str, ...], parties: Mapping[str, str], now: int
) -> dict[str, Any]:
    """Return the claims of a new token.

    Args:
        consent: the visitor's on this site.
        decision: the decision that the consent follows from.
        disclosed: ids of the categories in the notice that was answered.
        parties: the claims iss, aud, grp and st.
        now: seconds since the epoch.
    """
    claims: dict[str, Any] = {
        "typ": TYPE,
        **parties,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "decided_at": decision.decided_at,
        "changed_at": decision.changed_at,
        "notice": decision.notice,
        "status": consent.status.value,
        "categories": {category: category in decision.granted for category in disclosed},
        "vendors": dict(decision.vendors),
    }
    if decision.kind == "partial":
        claims["partial"] = True
    if decision.revision:
        claims["revision"] = decision.revision
    return claims


def read_claims(token: str, key: PublicKey, expected: Mapping[str, str], now: float) -> dict[str, Any]:
    """Verify a token and return its claims.

    Args:
        token: as the issuing site sent it.
        key: of the issuing site.
        expected: what the claims iss, aud, grp and st must be.
        now: seconds since the epoch.

    Raises:
        HandoffRefusal: the signature or a claim is wrong.
    """
    claims = verify_token(token, key)
    if claims is None:
        raise HandoffRefusal("signature")
    for name, value in {"typ": TYPE, **expected}.items():
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
        and type(claims.get("revision", 0)) is int
        and 0 <= claims.get("revision", 0) < _MOST_REVISIONS
        and all(
            isinstance(answer, dict) and all(type(value) is bool for value in answer.values())
            for answer in answers
        )
    )
