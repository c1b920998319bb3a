"""The hand-off: one choice for several domains, carried in a signed token by a navigation that the visitor started.

The asking site (B) sends the browser with a transaction to the issuing site (A). A sends the browser back with a token: a JWT
signed with A's own Ed25519 key (RFC 7519, RFC 8037). The token counts for B alone, for one minute and for that transaction.
B learns who the sender is from its own transaction cookie, never from the token (RFC 9207). If anything fails, the visitor
arrives on the same page without a choice, and the banner asks.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from consentkit.consent import Choice, Consent, ConsentStatus, Decision, signer, transitions
from consentkit.errors import LedgerError
from consentkit.handoff.keys import PrivateKey, PublicKey, sign_token, verify_token
from consentkit.handoff.token import HandoffRefusal, claims_of, read_claims
from consentkit.handoff.transaction import Transaction, Transactions
from consentkit.ledger import Record
from consentkit.manager import ChoiceContext, ConsentManager, ImportedGrant, Outcome

__all__ = ["Handoff"]

log = logging.getLogger("consentkit.handoff")


class Handoff:
    """One site's part in hand-offs: it begins them, issues tokens to other sites, and takes over their visitors' choices.

    Attributes:
        reasons: how many hand-offs ended without a choice, by reason.
        partners: ids of the sites from which a choice can be fetched.
        transactions: writes and reads the cookie with the hand-offs that this site began.
    """

    def __init__(self, manager: ConsentManager) -> None:
        """Read the keys of the group's sites.

        Raises:
            ConfigurationError: a key is malformed, the private key does not fit the site's public key, or an extra is missing.
        """
        policy = manager.policy
        self._manager = manager
        self.transactions = Transactions(manager)
        self._handle_signer = signer(
            manager.cookie.keys_oldest_first, f"consentkit.handle.v1|{manager.group}|{manager.site}"
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

    # On the asking site

    def begin(self, issuer: str, back: str, under_way: Sequence[Transaction] = ()) -> tuple[str, str]:
        """Begin a transaction with another site, and return its address for the browser and the transaction cookie's value.

        Raises:
            HandoffRefusal: the issuer is not in the group, is this site, or has no key.
        """
        if issuer not in self.partners:
            raise HandoffRefusal("issuer")
        transaction = self.transactions.begin(issuer, back)
        query = urlencode({"aud": self._manager.site, "st": transaction.state})
        return f"{self._address(issuer)}/issue?{query}", self.transactions.dumps((transaction, *under_way))

    def transaction_of(self, token: str, under_way: Sequence[Transaction]) -> Transaction:
        """Return the transaction that a token belongs to, or the newest if it belongs to none.

        Args:
            token: as the issuing site sent it.
            under_way: the browser's transactions, newest first.
        """
        for transaction in under_way if len(under_way) > 1 else ():
            key = self._public.get(transaction.issuer)
            claims = verify_token(token, key) if key is not None else None
            if claims is not None and claims.get("st") == transaction.state:
                return transaction
        return under_way[0]

    def accept(self, token: str, transaction: Transaction) -> Mapping[str, Any]:
        """Verify a token against a transaction of this browser, and return its claims.

        Raises:
            HandoffRefusal: the token is empty, or its signature or a claim is wrong.
        """
        if not token:
            raise HandoffRefusal("no choice there")
        # The transaction decides whose key must have signed, never the token (RFC 9207).
        key = self._public.get(transaction.issuer)
        if key is None:
            raise HandoffRefusal("key")
        expected = self._parties(transaction.issuer, self._manager.site, transaction.state)
        return read_claims(token, key, expected, self._manager.clock())

    def _parties(self, issuer: str, audience: str, state: str) -> dict[str, str]:
        """Return the claims that bind a token to two sites, their group and one transaction."""
        return {"iss": issuer, "aud": audience, "grp": self._manager.group, "st": state}

    def take_over(self, before: Consent, claims: Mapping[str, Any], context: ChoiceContext) -> Outcome:
        """Mark the token as used, and record its choice if it is newer than the visitor's own; blocks for the ledger.

        Raises:
            HandoffRefusal: the token was used before, its grant does not count here, or the ledger cannot record it.
        """
        manager = self._manager
        if manager.ledger is None:
            raise HandoffRefusal("no ledger")
        manager.resolver.load_notices_unless_known(claims["notice"], manager.clock())
        try:
            if not manager.ledger.use_once(f"{claims['iss']}.{claims['jti']}", claims["exp"]):
                raise HandoffRefusal("used before")
            imported = self._decision(claims)
            grant = None
            if manager.evaluator.grants(imported):
                grant = ImportedGrant(
                    handle=claims["sub"], check=lambda newest: self._refuse_narrowed(imported, newest)
                )
            return manager.recorder.take_over(
                before, lambda current: _winner(imported, current), context, grant
            )
        except LedgerError:
            raise HandoffRefusal("ledger") from None

    def _refuse_narrowed(self, imported: Decision, linked: list[Record]) -> None:
        """Raise HandoffRefusal if a linked site narrowed the choice while the token was under way.

        `linked` is the newest record of each linked pseudonym.
        """
        manager = self._manager
        for newest in linked:
            if newest.moment < imported.moment:
                continue
            recorded = manager.resolver.decision_of(newest)
            remaining = (
                transitions.narrower(manager.evaluator, imported, recorded) if recorded is not None else None
            )
            if remaining is None or (remaining.granted, remaining.vendors) != (
                imported.granted,
                imported.vendors,
            ):
                raise HandoffRefusal("taken back since")

    def _decision(self, claims: Mapping[str, Any]) -> Decision:
        """Return the decision that claims describe.

        Raises:
            HandoffRefusal: it grants under a notice that is unknown or does not cover this site, has no `sub`, or has expired.
        """
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
        changed_at = max(claims["decided_at"], claims["changed_at"])
        decision = replace(decision, changed_at=changed_at, revision=claims.get("revision", 0))
        if (evaluator.expires(decision) or 0) <= self._manager.clock():
            raise HandoffRefusal("expired")
        return decision

    def _may_grant(self, categories: Mapping[str, bool], vendors: Mapping[str, bool]) -> bool:
        """Return whether an answer under an unknown notice may grant something that needs consent."""
        needing = set(self._manager.evaluator.needing)
        exempt = {category.id for category in self._manager.policy.categories} - needing
        return any(allowed and category not in exempt for category, allowed in categories.items()) or any(
            vendors.values()
        )

    # On the issuing site

    def issue(self, consent: Consent, audience: str, state: str) -> str:
        """Return the address to send the browser back to, with a token if there is a choice; blocks for the ledger.

        The first time that a grant is carried to a site, the ledger gets a link from the visitor's pseudonym here to the one
        for that site, so that a withdrawal reaches both.
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
        disclosed = manager.evaluator.notices[decision.notice].category_ids
        parties = self._parties(manager.site, audience, state)
        claims = claims_of(consent, decision, disclosed, parties, now)
        if manager.ledger is not None and decision.subject and manager.evaluator.grants(decision):
            claims["sub"] = handle = self._handle(decision.subject, audience)
            if handle not in manager.ledger.linked(decision.subject):
                manager.ledger.link(decision.subject, handle, now)
        return sign_token(claims, self._private)

    def _handle(self, subject: str, audience: str) -> str:
        """Return the pseudonym that stands for a visitor in tokens for one site: always the same, and known to nobody else.

        The ledger gets one link for each visitor and site, however often a browser asks.
        """
        return self._handle_signer.get_signature(f"{subject}|{audience}").decode()[:22]

    def _rechecked(self, consent: Consent) -> Consent:
        """Return the consent as the ledger's newest record has it, which this process may not have read yet."""
        manager, decision = self._manager, consent.decision
        if decision is None or not decision.subject or not consent.status.decided:
            return consent
        now = manager.clock()
        newest = manager.newest(decision.subject)
        if newest is None:
            return manager.evaluator.undecided(gpc=consent.gpc, now=now)
        recorded = manager.resolver.decision_of(newest)
        if recorded is not None and replace(recorded, kind=decision.kind) == decision:
            return consent
        rechecked, _ = manager.resolver.reconcile(decision, newest, now, gpc=consent.gpc)
        return rechecked

    def _address(self, site: str) -> str:
        """Return the hand-off address of another site, taken from the policy and never from a request."""
        return f"{self._manager.origins[site][0]}{self._manager.prefix}/handoff"


def _winner(imported: Decision, current: Consent) -> Decision | None:
    """Return an imported choice if it replaces the local one, or None if the local one stays.

    The newer choice wins, or of the same moment the narrower (XS-05).
    """
    local = current.decision if current.status.decided else None
    if local is None or imported.moment > local.moment:
        return imported
    return imported if imported.moment == local.moment and imported.breadth < local.breadth else None
