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
from consentkit.handoff.chain import Chain, ChainPage, StepResult
from consentkit.handoff.keys import PrivateKey, PublicKey, sign_token, verify_token
from consentkit.handoff.token import HandoffRefusal, Step, claims_of, read_claims, read_step, step_claims
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

    def begin(self, issuer: str, back: str, nonce: str = "") -> tuple[str, Transaction]:
        """Begin a transaction with another site, and return its address for the browser and the transaction.

        Args:
            issuer: id of the site that is asked for the choice.
            back: path of the page that the visitor arrives at.
            nonce: of the step, if this is a step of the issuer's chain.

        Raises:
            HandoffRefusal: the issuer is not in the group, is this site, or has no key.
        """
        if issuer not in self.partners:
            raise HandoffRefusal("issuer")
        transaction = self.transactions.begin(issuer, back, nonce)
        fields = {"aud": self._manager.site, "st": transaction.state} | ({"n": nonce} if nonce else {})
        address = f"{self._address(issuer)}/issue?{urlencode(fields)}"
        return address, transaction

    def read_step(self, issuer: str, token: str) -> Step:
        """Verify the token of a step that another site sent the browser here for.

        Raises:
            HandoffRefusal: the issuer is not in the group, is this site, or has no key, or the token is not for this site.
        """
        if issuer not in self.partners:
            raise HandoffRefusal("issuer")
        expected = self._sites(issuer, self._manager.site)
        return read_step(token, self._public[issuer], expected, self._manager.clock())

    def report_address(self, issuer: str, nonce: str, result: StepResult) -> str:
        """Return the address that takes the browser back to the site of a chain, with what became of the choice here."""
        return f"{self._address(issuer)}/done?{urlencode({'n': nonce, 'r': result.value})}"

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
        return {**self._sites(issuer, audience), "st": state}

    def _sites(self, issuer: str, audience: str) -> dict[str, str]:
        return {"iss": issuer, "aud": audience, "grp": self._manager.group}

    def result_of(self, outcome: Outcome, claims: Mapping[str, Any]) -> StepResult:
        """Return what became of a choice that a step of a chain brought."""
        held = outcome.consent.decision
        is_here = (
            held is not None and outcome.consent.status.decided and held.answers_as(self._decision(claims))
        )
        return StepResult.TAKEN if outcome.record is not None or is_here else StepResult.KEPT

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
                    handle=claims["sub"],
                    check=lambda newest, erased: self._refuse_narrowed(imported, newest, erased=erased),
                )
            return manager.recorder.take_over(
                before, lambda current: _winner(imported, current), context, grant
            )
        except LedgerError:
            raise HandoffRefusal("ledger") from None

    def _refuse_narrowed(self, imported: Decision, linked: list[Record], *, erased: bool) -> None:
        """Raise HandoffRefusal if a linked site narrowed the choice while the token was under way, or it was erased.

        `linked` is the newest record of each linked pseudonym.
        """
        if erased:
            raise HandoffRefusal("taken back since")
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

    @property
    def can_issue(self) -> bool:
        """Whether this site can carry a choice to other sites, for which it needs its private key."""
        return self._private is not None

    def begin_chain(self, page: ChainPage, back: str) -> Chain:
        """Return a new chain to all other sites, which the visitor asks for now."""
        manager = self._manager
        others = [site.id for site in manager.policy.sites if site.id != manager.site]
        return Chain.begin(others, page, back, int(manager.clock()))

    def step_address(self, chain: Chain) -> str:
        """Return the address that takes the browser to the site of the chain's step.

        Raises:
            HandoffRefusal: this site has no private key.
        """
        if self._private is None:
            raise HandoffRefusal("no private key")
        manager, audience = self._manager, chain.to_come[0]
        claims = step_claims(self._sites(manager.site, audience), chain.nonce, int(manager.clock()))
        query = urlencode({"iss": manager.site, "step": sign_token(claims, self._private)})
        return f"{self._address(audience)}/start?{query}"

    def issue(self, consent: Consent, audience: str, state: str, chain: Chain | None = None) -> str:
        """Return the address to send the browser back to, with a token if there is a choice; blocks for the ledger.

        The first time that a grant is carried to a site, the ledger gets a link from the visitor's pseudonym here to the one
        for that site, so that a withdrawal reaches both.

        Args:
            consent: the visitor's on this site.
            audience: id of the site that asks.
            state: of that site's transaction.
            chain: the chain with a step to that site, if the visitor asked for the choice to count everywhere.
        """
        target = f"{self._address(audience)}/return"
        try:
            token = self._token(consent, audience, state, chain.asked_at if chain else 0)
            return f"{target}?{urlencode({'t': token})}"
        except (HandoffRefusal, LedgerError) as error:
            return self.without_choice(
                audience, error.reason if isinstance(error, HandoffRefusal) else "ledger"
            )

    def without_choice(self, audience: str, reason: str) -> str:
        """Return the address to send the browser back to without a choice, and count why."""
        self.count(reason)
        return f"{self._address(audience)}/return?t="

    def _token(self, consent: Consent, audience: str, state: str, asked_at: int) -> str:
        manager = self._manager
        if self._private is None:
            raise HandoffRefusal("no private key")
        consent = self._rechecked(consent)
        decision = consent.decision
        if decision is None or not consent.status.decided:
            raise HandoffRefusal("no choice")
        if asked_at > decision.changed_at:
            # The visitor asked at that moment for this choice to count everywhere. Its validity still runs from `decided_at`.
            decision = replace(decision, changed_at=asked_at, revision=0)
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
