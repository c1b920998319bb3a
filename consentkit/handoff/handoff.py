"""One choice over several domains: a top-level navigation that the visitor caused carries it, signed, once.

The site that wants to know (B) sends the browser with a transaction to the site that knows (A), which sends it back with a token:
a JWT signed with A's own Ed25519 key (RFC 7519, RFC 8037), for B alone, for one minute, for that transaction. What B believes
about the sender follows from its own transaction cookie, never from the token (RFC 9207). Any failure ends on the same
page without a cookie: then the banner asks.
"""

import logging
import re
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from consentkit.consent import Choice, Consent, ConsentStatus, Decision, transitions
from consentkit.errors import LedgerError
from consentkit.handoff.keys import PrivateKey, PublicKey, sign_token, verify_token
from consentkit.handoff.token import HandoffRefusal, claims_of, read_claims
from consentkit.handoff.transaction import Transaction, Transactions
from consentkit.manager import ChoiceContext, ConsentManager, Outcome

__all__ = ["Handoff"]

log = logging.getLogger("consentkit.handoff")

# A pseudonym as the cookie holds one: 128 bits, base64url, in its one form.
_SUBJECT = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]")


class Handoff:
    """Begin, issue and take over hand-offs, for one site of the group.

    Attributes:
        reasons: how often hand-offs ended without a choice, by reason.
        partners: ids of the sites that a choice can be fetched from.
        transactions: what this site remembers of hand-offs that it began.
    """

    def __init__(self, manager: ConsentManager) -> None:
        """Read the keys.

        Raises:
            ConfigurationError: a private key that is none or does not fit the site's public one, or a missing extra.
        """
        policy = manager.policy
        self._manager = manager
        self.transactions = Transactions(manager)
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

    def begin(self, issuer: str, back: str, under_way: Sequence[Transaction] = ()) -> tuple[str, str]:
        """Begin a transaction with another site; returns the address to go to, and the cookie's value.

        Raises:
            HandoffRefusal: that site is not one of the group's, is this one, or has no key.
        """
        if issuer not in self.partners:
            raise HandoffRefusal("issuer")
        transaction = self.transactions.begin(issuer, back)
        query = urlencode({"aud": self._manager.site, "st": transaction.state})
        return f"{self._address(issuer)}/issue?{query}", self.transactions.dumps((transaction, *under_way))

    def answered(self, token: str, under_way: Sequence[Transaction]) -> Transaction:
        """Tell which of a browser's transactions, newest first, a token answers; the newest where it answers none."""
        for transaction in under_way if len(under_way) > 1 else ():
            key = self._public.get(transaction.issuer)
            claims = verify_token(token, key) if key is not None else None
            if claims is not None and claims.get("st") == transaction.state:
                return transaction
        return under_way[0]

    def accept(self, token: str, transaction: Transaction) -> Mapping[str, Any]:
        """Verify a token against a transaction of this browser; returns its claims.

        Raises:
            HandoffRefusal: any of them does not hold.
        """
        if not token:
            raise HandoffRefusal("no choice there")
        # Whose key it is says the transaction, never the token (RFC 9207).
        key = self._public.get(transaction.issuer)
        if key is None:
            raise HandoffRefusal("key")
        names = self._names(transaction.issuer, self._manager.site, transaction.state)
        return read_claims(token, key, names, self._manager.clock())

    def _names(self, issuer: str, audience: str, state: str) -> dict[str, str]:
        return {"iss": issuer, "aud": audience, "grp": self._manager.group, "st": state}

    def take_over(self, before: Consent, claims: Mapping[str, Any], context: ChoiceContext) -> Outcome:
        """Use the token up, merge its choice with the visitor's own here, and record it; blocks.

        Raises:
            HandoffRefusal: it was used before, its grant does not count here, or the ledger cannot record it.
        """
        manager = self._manager
        if manager.ledger is None:
            raise HandoffRefusal("no ledger")
        manager.resolver.load_notices_unless_known(claims["notice"], manager.clock())
        try:
            if not manager.ledger.use_once(f"{claims['iss']}.{claims['jti']}", claims["exp"]):
                raise HandoffRefusal("used before")
            imported = self._decision(claims)
            before = self._rechecked(before)
            if manager.evaluator.grants(imported):
                imported = replace(imported, subject=self._joined(before, claims["sub"]))
            local = before.decision if before.status.decided else None
            if local is not None and not _wins(imported, local):
                return Outcome(consent=before)
            self._refuse_what_was_taken_back(imported)
            return manager.recorder.take_over(before, imported, context)
        except LedgerError:
            raise HandoffRefusal("ledger") from None

    def _joined(self, before: Consent, handle: str) -> str:
        """Give the pseudonym that a grant has here, joined in the ledger to the one it came with."""
        old = (
            before.decision.subject if before.decision and before.status is not ConsentStatus.EXPIRED else ""
        )
        own = old or (handle if _SUBJECT.fullmatch(handle) else secrets.token_urlsafe(16))
        ledger = self._manager.ledger
        if ledger is not None and own != handle and own not in ledger.linked(handle):
            ledger.link(handle, own, int(self._manager.clock()))
        return own

    def _refuse_what_was_taken_back(self, imported: Decision) -> None:
        """Let no token bring back what was narrowed, where it came from, while it was under way."""
        manager, ledger = self._manager, self._manager.ledger
        if ledger is None or not imported.subject:
            return
        for newest in ledger.newest_linked(imported.subject):
            if newest.changed_at < imported.changed_at:
                continue
            known = manager.resolver.decision_of(newest)
            left = transitions.narrower(manager.evaluator, imported, known) if known is not None else None
            if left is None or (left.granted, left.vendors) != (imported.granted, imported.vendors):
                raise HandoffRefusal("taken back since")

    def _decision(self, claims: Mapping[str, Any]) -> Decision:
        """Turn claims into a decision: grants only under a notice that is known and covers this site."""
        evaluator = self._manager.evaluator
        categories, vendors = claims["categories"], claims["vendors"]
        notice = evaluator.notices.get(claims["notice"])
        shown = notice or evaluator.notice
        decision = transitions.replace(
            Choice(categories=categories, vendors=vendors), shown, claims["decided_at"]
        )
        if notice is None and self._may_grant(categories, vendors):
            raise HandoffRefusal("notice")
        if evaluator.grants(decision):
            if not evaluator.covers(shown.digest).site:
                raise HandoffRefusal("site not covered")
            if "sub" not in claims:
                raise HandoffRefusal("sub")
        elif claims.get("status") == ConsentStatus.WITHDRAWN:
            decision = replace(decision, kind="withdrawn")
        if claims.get("partial") is True and decision.kind == "decided":
            decision = replace(decision, kind="partial")
        decision = replace(decision, changed_at=max(claims["decided_at"], claims["changed_at"]))
        if (evaluator.expires(decision) or 0) <= self._manager.clock():
            raise HandoffRefusal("expired")
        return decision

    def _may_grant(self, categories: Mapping[str, bool], vendors: Mapping[str, bool]) -> bool:
        """Say whether an answer under a notice that is not known may grant more than what nobody has to agree to."""
        needing = set(self._manager.evaluator.needing)
        harmless = {category.id for category in self._manager.policy.categories} - needing
        return any(allowed and one not in harmless for one, allowed in categories.items()) or any(
            vendors.values()
        )

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
        manager = self._manager
        if self._private is None:
            raise HandoffRefusal("no private key")
        consent = self._rechecked(consent)
        decision = consent.decision
        if decision is None or not consent.status.decided:
            raise HandoffRefusal("no choice")
        now = int(manager.clock())
        told = manager.evaluator.notices[decision.notice].category_ids
        claims = claims_of(consent, decision, told, self._names(manager.site, audience, state), now)
        if decision.subject and manager.ledger is not None:
            manager.ledger.link(decision.subject, claims["sub"], now)
        return sign_token(claims, self._private)

    def _rechecked(self, consent: Consent) -> Consent:
        """Hold a grant against the ledger's last word on it, which this process may not have heard yet."""
        manager, decision = self._manager, consent.decision
        if decision is None or not decision.subject or not consent.status.decided:
            return consent
        newest = manager.ledger.newest(decision.subject) if manager.ledger is not None else None
        known = manager.resolver.decision_of(newest) if newest is not None else None
        if known is None:
            return manager.evaluator.undecided(gpc=consent.gpc, now=manager.clock())
        if known.changed_at < decision.changed_at:
            known = transitions.narrower(manager.evaluator, decision, known)
            known = known if manager.evaluator.grants(known) else replace(known, subject="")
        elif known.changed_at == decision.changed_at and replace(known, kind=decision.kind) == decision:
            return consent
        return manager.evaluator.evaluate(known, manager.clock(), gpc=consent.gpc)

    def _address(self, site: str) -> str:
        """Build another site's address from the policy's list; no request ever names one."""
        return f"{self._manager.origins[site][0]}{self._manager.prefix}/handoff"


def _wins(imported: Decision, local: Decision) -> bool:
    """Say whether an imported choice is the newer one; of the same second, the narrower (REQUIREMENTS XS-05)."""
    if imported.changed_at != local.changed_at:
        return imported.changed_at > local.changed_at
    return imported.breadth < local.breadth
