"""One choice over several domains: a top-level navigation that the visitor caused carries it, signed, once.

The site that wants to know (B) sends the browser with a transaction to the site that knows (A), which sends it back with a token:
a JWT signed with A's own Ed25519 key (RFC 7519, RFC 8037), for B alone, for one minute, for that transaction. What B believes
about the sender follows from its own transaction cookie, never from the token (RFC 9207). Any failure ends on the same
page without a cookie: then the banner asks.
"""

import base64
import hashlib
import json
import logging
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from itsdangerous import BadSignature, Signer

from consentkit import decisions
from consentkit.consent import Choice, Consent, ConsentStatus, Decision
from consentkit.cookie import SKEW
from consentkit.errors import LedgerError
from consentkit.keys import PrivateKey, PublicKey, sign_token, verify_token
from consentkit.manager import ConsentManager
from consentkit.occasion import Occasion, Outcome

__all__ = ["Handoff", "HandoffRefusal", "Transaction"]

log = logging.getLogger("consentkit.handoff")

TRANSACTION_SECONDS = 120
TOKEN_SECONDS = 60
CLOCK_SKEW = 30
TYPE = "consent-handoff"
_LONGEST_TOKEN = 8192


class HandoffRefusal(Exception):
    """End a hand-off for a reason that is counted."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Transaction:
    """What the asking site remembers of a hand-off that it began, in a signed cookie.

    Attributes:
        secret: 128 random bits; only its SHA-256 leaves the site.
        issuer: id of the site that is asked.
        back: path to return to.
        until: seconds since the epoch.
    """

    secret: str
    issuer: str
    back: str
    until: int

    @property
    def state(self) -> str:
        """The SHA-256 of the secret, base64url, by which the answer is known to be for this browser."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.secret.encode()).digest()).rstrip(b"=").decode()


class Handoff:
    """Begin, issue and take over hand-offs, for one site of the group.

    Attributes:
        reasons: how often hand-offs ended without a choice, by reason.
        partners: ids of the sites that a choice can be fetched from.
    """

    def __init__(self, manager: ConsentManager) -> None:
        """Read the keys.

        Raises:
            ConfigurationError: a private key that is none or does not fit the site's public one, or a missing extra.
        """
        policy = manager.policy
        self._manager = manager
        self._signer = Signer(
            manager.cookie.keys_oldest_first,
            f"consentkit.handoff.v1|{manager.group}|{manager.site}",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )
        self._public: dict[str, PublicKey] = {
            site.id: PublicKey.read(site.public_key) for site in policy.sites if site.public_key
        }
        self._private = (
            PrivateKey.read(manager.private_key, self._public.get(manager.site))
            if manager.private_key
            else None
        )
        self.partners = tuple(site for site in self._public if site != manager.site)
        self.reasons: Counter[str] = Counter()

    def count(self, reason: str) -> None:
        """Count and log why a hand-off ended without a choice."""
        self.reasons[reason] += 1
        log.info(
            "Hand-off on %s ended without a choice: %s (%d times).",
            self._manager.site,
            reason,
            self.reasons[reason],
        )

    # On the site that wants to know

    def begin(self, issuer: str, back: str) -> tuple[str, str]:
        """Begin a transaction with another site; returns the address to go to, and the cookie's value.

        Raises:
            HandoffRefusal: that site is not one of the group's, is this one, or has no key.
        """
        if issuer not in self.partners:
            raise HandoffRefusal("issuer")
        until = int(self._manager.clock()) + TRANSACTION_SECONDS
        transaction = Transaction(secrets.token_urlsafe(16), issuer, back, until)
        fields = [transaction.secret, transaction.issuer, transaction.back, transaction.until]
        packed = base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=")
        query = urlencode({"aud": self._manager.site, "st": transaction.state})
        return f"{self._address(issuer)}/issue?{query}", self._signer.sign(packed).decode()

    def transaction(self, value: bytes) -> Transaction:
        """Read a transaction cookie.

        Raises:
            HandoffRefusal: it is not ours, or over.
        """
        try:
            packed = self._signer.unsign(value)
            secret, issuer, back, until = json.loads(
                base64.urlsafe_b64decode(packed + b"=" * (-len(packed) % 4))
            )
        except (BadSignature, ValueError, TypeError):
            raise HandoffRefusal("transaction") from None
        if not 0 <= until - self._manager.clock() <= TRANSACTION_SECONDS:
            raise HandoffRefusal("transaction over")
        return Transaction(secret, issuer, back, until)

    def accept(self, token: str, transaction: Transaction) -> Mapping[str, Any]:
        """Verify a token against a transaction of this browser; returns its claims.

        Raises:
            HandoffRefusal: any of them does not hold.
        """
        if not token:
            raise HandoffRefusal("no choice there")
        key = self._public.get(transaction.issuer)
        if key is None or len(token) > _LONGEST_TOKEN:
            raise HandoffRefusal("key")
        claims = verify_token(token, key)
        if claims is None:
            raise HandoffRefusal("signature")
        now = self._manager.clock()
        expected = {
            "typ": TYPE,
            "iss": transaction.issuer,
            "aud": self._manager.site,
            "grp": self._manager.group,
            "st": transaction.state,
        }
        for name, value in expected.items():
            if claims.get(name) != value:
                raise HandoffRefusal(name)
        _check_shapes(claims)
        if not claims["iat"] - CLOCK_SKEW <= now <= claims["exp"] + CLOCK_SKEW:
            raise HandoffRefusal("time")
        if (
            claims["exp"] - claims["iat"] > TOKEN_SECONDS
            or max(claims["decided_at"], claims["changed_at"]) > now + SKEW
        ):
            raise HandoffRefusal("time")
        return claims

    def take_over(self, before: Consent, claims: Mapping[str, Any], occasion: Occasion) -> Outcome:
        """Use the token up, merge its choice with the visitor's own here, and record it; blocks.

        Raises:
            HandoffRefusal: it was used before, its grant does not count here, or the ledger cannot record it.
        """
        manager = self._manager
        if manager.ledger is None:
            raise HandoffRefusal("no ledger")
        manager.standing.learn_if_unknown(claims["notice"], manager.clock())
        try:
            if not manager.ledger.use_once(f"{claims['iss']}.{claims['jti']}", claims["exp"]):
                raise HandoffRefusal("used before")
            imported = self._decision(claims)
            local = before.decision if before.status.decided else None
            subject = claims.get("sub", "")
            if subject and local is not None and local.subject:
                manager.ledger.link(subject, local.subject, int(manager.clock()))
            if local is not None and not _wins(imported, local):
                return Outcome(consent=before)
            kept = local.subject if local is not None and local.subject else subject
            return manager.registrar.take_over(before, replace(imported, subject=kept), occasion)
        except LedgerError:
            raise HandoffRefusal("ledger") from None

    def _decision(self, claims: Mapping[str, Any]) -> Decision:
        """Turn claims into a decision: grants only under a notice that is known and covers this site."""
        terms = self._manager.terms
        granted = frozenset(category for category, allowed in claims["categories"].items() if allowed)
        vendors = {vendor: allowed for vendor, allowed in claims["vendors"].items()}
        notice = terms.notices.get(claims["notice"])
        if granted or any(vendors.values()):
            if notice is None:
                raise HandoffRefusal("notice")
            if not terms.covers(notice.digest).site:
                raise HandoffRefusal("site not covered")
        shown = notice or terms.notice
        decision = decisions.replace(
            Choice(categories=dict.fromkeys(granted, True), vendors=vendors), shown, claims["decided_at"]
        )
        kind = (
            "withdrawn"
            if claims.get("status") == ConsentStatus.WITHDRAWN and not terms.grants(decision)
            else decision.kind
        )
        decision = replace(decision, kind=kind, changed_at=max(claims["decided_at"], claims["changed_at"]))
        if (terms.expires(decision) or 0) <= self._manager.clock():
            raise HandoffRefusal("expired")
        return decision

    # On the site that knows

    def issue(self, consent: Consent, audience: str, state: str) -> str:
        """Return the address to send the browser back to, with a token where there is a choice; blocks.

        The ledger gets one row: this site's pseudonym and a fresh one for the other site, so that a withdrawal reaches both.
        """
        target = f"{self._address(audience)}/return"
        try:
            return f"{target}?{urlencode({'t': self._token(consent, audience, state)})}"
        except (HandoffRefusal, LedgerError) as error:
            self.count(error.reason if isinstance(error, HandoffRefusal) else "ledger")
            return f"{target}?t="

    def _token(self, consent: Consent, audience: str, state: str) -> str:
        manager, decision = self._manager, consent.decision
        if self._private is None:
            raise HandoffRefusal("no private key")
        if decision is None or not consent.status.decided:
            raise HandoffRefusal("no choice")
        now = int(manager.clock())
        claims: dict[str, Any] = {
            "typ": TYPE,
            "iss": manager.site,
            "aud": audience,
            "grp": manager.group,
            "st": state,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "decided_at": decision.decided_at,
            "changed_at": decision.changed_at,
            "notice": decision.notice,
            "status": consent.status.value,
            "categories": {
                c: c in decision.granted for c in manager.terms.notices[decision.notice].category_ids
            },
            "vendors": dict(decision.vendors),
        }
        if decision.subject and manager.ledger is not None:
            claims["sub"] = secrets.token_urlsafe(16)
            manager.ledger.link(decision.subject, claims["sub"], now)
        return sign_token(claims, self._private)

    def _address(self, site: str) -> str:
        """Build another site's address from the policy's list; no request ever names one."""
        return f"{self._manager.origins[site][0]}{self._manager.prefix}/handoff"


def _check_shapes(claims: Mapping[str, Any]) -> None:
    times = all(
        type(claims.get(name)) is int and 0 < claims[name] < 10**11
        for name in ("iat", "exp", "decided_at", "changed_at")
    )
    texts = all(
        isinstance(claims.get(name), str) and 0 < len(claims[name]) <= 64 for name in ("jti", "notice")
    )
    subject = claims.get("sub", "")
    answers = all(
        isinstance(claims.get(name), dict) and all(type(value) is bool for value in claims[name].values())
        for name in ("categories", "vendors")
    )
    if not (times and texts and answers and isinstance(subject, str) and len(subject) in (0, 22)):
        raise HandoffRefusal("claims")


def _wins(imported: Decision, local: Decision) -> bool:
    """Say whether an imported choice is the newer one; of the same second, the narrower (REQUIREMENTS XS-05)."""
    if imported.changed_at != local.changed_at:
        return imported.changed_at > local.changed_at
    return imported.breadth < local.breadth
