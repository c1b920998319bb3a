"""The claims of a hand-off token: written by the issuing site, checked by the asking site. `keys` has the signature.

A token is a JWT (RFC 7519) with `typ iss aud grp st jti iat exp decided_at changed_at notice status categories vendors`. A grant
has `sub` too, a pseudonym of the visitor for these two sites. `revision` counts changes within one second, if there were any.
An answer that leaves the banner something to ask has `partial`.

A step of a chain has a token of its own with `typ iss aud grp nonce iat exp`. It carries no choice and no pseudonym. It lets a
site begin a hand-off without a click there.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consentkit.consent import SKEW, Consent, Decision
from consentkit.handoff.keys import PublicKey, verify_token

__all__ = ["HandoffRefusal", "Step", "claims_of", "read_claims", "read_step", "step_claims"]

TOKEN_SECONDS = 60
CLOCK_SKEW = 30
TYPE = "consent-handoff"
STEP_TYPE = "consent-step"
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
    claims = _verified(token, key, {"typ": TYPE, **expected})
    if not _well_formed(claims):
        raise HandoffRefusal("claims")
    issued, ends = claims["iat"], claims["exp"]
    if ends - issued > TOKEN_SECONDS or not issued - CLOCK_SKEW <= now <= ends + CLOCK_SKEW:
        raise HandoffRefusal("time")
    if max(claims["decided_at"], claims["changed_at"]) > now + SKEW:
        raise HandoffRefusal("time")
    return claims


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chain, as the site where the visitor clicked signed it.

    Attributes:
        nonce: of the step, which goes back with its result.
        is_in_time: whether the step may still be made.
    """

    nonce: str
    is_in_time: bool


def step_claims(parties: Mapping[str, str], nonce: str, now: int) -> dict[str, Any]:
    """Return the claims of a new step of a chain; `parties` are the claims iss, aud and grp."""
    return {"typ": STEP_TYPE, **parties, "nonce": nonce, "iat": now, "exp": now + TOKEN_SECONDS}


def read_step(token: str, key: PublicKey, expected: Mapping[str, str], now: float) -> Step:
    """Verify the token of a step.

    Args:
        token: as the issuing site sent it.
        key: of the issuing site.
        expected: what the claims iss, aud and grp must be.
        now: seconds since the epoch.

    Raises:
        HandoffRefusal: the signature or a claim is wrong. A token that is only too old is returned.
    """
    claims = _verified(token, key, {"typ": STEP_TYPE, **expected})
    nonce, issued, ends = claims.get("nonce"), claims.get("iat"), claims.get("exp")
    if (
        not isinstance(nonce, str)
        or not _TEXT.fullmatch(nonce)
        or type(issued) is not int
        or type(ends) is not int
    ):
        raise HandoffRefusal("claims")
    is_short = ends - issued <= TOKEN_SECONDS
    return Step(nonce, is_short and issued - CLOCK_SKEW <= now <= ends + CLOCK_SKEW)


def _verified(token: str, key: PublicKey, expected: Mapping[str, str]) -> dict[str, Any]:
    """Return the claims of a token that this key signed and that has all the expected claims.

    Raises:
        HandoffRefusal: the signature or a claim is wrong.
    """
    claims = verify_token(token, key)
    if claims is None:
        raise HandoffRefusal("signature")
    for name, value in expected.items():
        if claims.get(name) != value:
            raise HandoffRefusal(name)
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
