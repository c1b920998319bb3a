"""The three addresses of the hand-off: `start` and `return` on the asking site, `issue` on the issuing site."""

import re
from collections.abc import Mapping, Sequence

from consentkit.handoff import Handoff, HandoffRefusal, StepResult, Transaction, UnderWay
from consentkit.headers import RawHeaders, header_values, is_visit, local_path, own_path
from consentkit.policy import STEP_LIFETIME
from consentkit.ui import Confirmation
from consentkit.web.endpoints.answer import Answer, Methods
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.endpoints.transaction_cookie import TransactionCookie
from consentkit.web.exchange import Exchange
from consentkit.web.query import unique_fields, unrepeated_fields
from consentkit.web.request_head import RequestHead
from consentkit.web.response import Response, redirect
from consentkit.web.services import SiteServices

__all__ = ["HANDOFF_HEADERS", "HandoffEndpoint", "is_navigation", "require_navigation"]

_STATE = re.compile(r"[A-Za-z0-9_-]{43}")
HANDOFF_HEADERS = {"cache-control": "private, no-store", "referrer-policy": "no-referrer"}
CHAIN_CONFIRMATION_SECONDS = STEP_LIFETIME.days * 86_400
"""Seconds in which a page may confirm a step of a chain, because the visitor comes here some other day."""


class HandoffEndpoint:
    """Responds at `start` and `return` as the asking site, and at `issue` as the issuing site."""

    def __init__(self, site: SiteServices, handoff: Handoff) -> None:
        self._site = site
        self._manager = site.manager
        self._handoff = handoff
        self._cookie = TransactionCookie(site, handoff)

    def routes(self) -> dict[str, Methods]:
        """Return the endpoints by their address below the prefix."""
        return {
            "/handoff/start": {"GET": self._start},
            "/handoff/issue": {"GET": self._issue},
            "/handoff/return": {"GET": self._return},
        }

    def _start(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Begin a transaction, and redirect the browser to the issuing site. Another site's page needs the visitor's click."""
        query = unrepeated_fields(exchange.head.query)
        back = self._local(exchange, query.get("next"))
        try:
            if "step" in query:
                return self._start_step(exchange, query)
            if not _is_wanted(exchange.head.headers):
                raise HandoffRefusal("no click")
            return self._begun(exchange, query.get("iss", ""), back)
        except HandoffRefusal as refusal:
            self._handoff.count(f"start: {refusal.reason}")
            return redirect(back, HANDOFF_HEADERS)

    def _start_step(self, exchange: Exchange, query: Mapping[str, str]) -> Response:
        """Begin a step of another site's chain. The click was made there, and that site's signature shows it.

        Raises:
            HandoffRefusal: the token of the step is not for this site, or this is no navigation of a visitor.
        """
        issuer = query.get("iss", "")
        step = self._handoff.read_step(issuer, query["step"])
        if not is_navigation(exchange.head):
            raise HandoffRefusal("no navigation")
        if not step.is_in_time:
            self._handoff.count("start: time")
            home = self._handoff.report_address(issuer, step.nonce, StepResult.REFUSED)
            return redirect(home, HANDOFF_HEADERS)
        return self._begun(exchange, issuer, self._local(exchange, "/"), step.nonce)

    def _begun(self, exchange: Exchange, issuer: str, back: str, nonce: str = "") -> Response:
        address, transaction = self._handoff.begin(issuer, back, nonce)
        response = redirect(address, HANDOFF_HEADERS)
        return self._cookie.added(response, (transaction, *self._cookie.under_way(exchange)))

    def _issue(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return a step that redirects the browser to the asking site with the visitor's choice.

        Raises:
            HTTPProblem: the query is wrong (400), or the request is no navigation of a visitor (403).
        """
        fields = self._issue_fields(exchange.head.query)
        audience, state, nonce = fields["aud"], fields["st"], fields.get("n")
        if not _STATE.fullmatch(state):
            raise HTTPProblem(400, "`st` is not the SHA-256 of a transaction.")
        require_navigation(exchange.head)
        chain = self._cookie.chain(exchange) if nonce is not None else None
        if nonce is not None and (chain is None or not chain.is_at(audience, nonce)):
            return redirect(self._handoff.without_choice(audience, "no such step"), HANDOFF_HEADERS)
        consent = exchange.consent._current()
        return lambda: redirect(self._handoff.issue(consent, audience, state, chain), HANDOFF_HEADERS)

    def _issue_fields(self, query: bytes) -> Mapping[str, str]:
        """Return the audience and the state in a query, and the nonce of a step if there is one.

        Raises:
            HTTPProblem: a field is missing, repeated or unknown, or no other site has this id (400).
        """
        try:
            fields = unique_fields(query)
        except ValueError:
            fields = {}
        others = {site.id for site in self._manager.policy.sites} - {self._manager.site}
        if fields.keys() - {"n"} != {"aud", "st"} or fields["aud"] not in others:
            raise HTTPProblem(
                400, "This address takes `aud`, another site of the group, and `st`, once each."
            )
        return fields

    def _return(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return a step that takes over the choice, and redirects to the page that the visitor wanted."""
        return lambda: self._adopt(exchange)

    def _adopt(self, exchange: Exchange) -> Response:
        handoff, front_page = self._handoff, self._local(exchange, "/")
        under_way = self._cookie.under_way(exchange)
        token = unrepeated_fields(exchange.head.query).get("t", "")
        try:
            transaction = handoff.transaction_of(token, self._cookie.transactions(exchange))
        except HandoffRefusal as refusal:
            return self._refused(exchange, refusal, front_page, under_way)
        others = [entry for entry in under_way if entry != transaction]
        try:
            claims = handoff.accept(token, transaction)
            context = exchange.consent._choice_context(choice="handoff")
            outcome = exchange.consent._apply(lambda before: handoff.take_over(before, claims, context))
            result = handoff.result_of(outcome, claims)
        except HandoffRefusal as refusal:
            if refusal.reason == "st":
                # The token is for another tab that started at the same moment, or for another browser. Transactions of this
                # browser go on.
                return self._refused(exchange, refusal, front_page, under_way)
            back = self._back(exchange, transaction, StepResult.REFUSED)
            response = self._refused(exchange, refusal, back, others)
            return response if transaction.nonce else self._confirm_failure(response, transaction, refusal)
        response = self._finished(exchange, self._back(exchange, transaction, result), others)
        if outcome.record is None:
            return response
        confirmation = Confirmation(event="brought", about=transaction.issuer)
        if transaction.nonce:
            return self._site.confirm(response, confirmation, seconds=CHAIN_CONFIRMATION_SECONDS)
        return self._site.confirm(response, confirmation)

    def _back(self, exchange: Exchange, transaction: Transaction, result: StepResult) -> str:
        """Return where the visitor goes on: the page that was asked for, or the site of the chain."""
        if transaction.nonce:
            return self._handoff.report_address(transaction.issuer, transaction.nonce, result)
        return self._local(exchange, transaction.back)

    def _confirm_failure(
        self, response: Response, transaction: Transaction, refusal: HandoffRefusal
    ) -> Response:
        """Add the cookie from which the next page says that no choice came along."""
        is_absent = refusal.reason == "no choice there"
        return self._site.confirm(
            response, Confirmation(event="absent" if is_absent else "failed", about=transaction.issuer)
        )

    def _refused(
        self, exchange: Exchange, refusal: HandoffRefusal, back: str, others: Sequence[UnderWay]
    ) -> Response:
        self._handoff.count(f"return: {refusal.reason}")
        return self._finished(exchange, back, others)

    def _finished(self, exchange: Exchange, back: str, others: Sequence[UnderWay]) -> Response:
        """Return a redirect, with what other tabs have under way in the cookie."""
        response = redirect(back, HANDOFF_HEADERS)
        return self._cookie.added(response, others) if self._cookie.sent(exchange) else response

    def _local(self, exchange: Exchange, path: str | None) -> str:
        return local_path(path, own_path(exchange.head.root_path, self._manager.prefix))


def _is_wanted(headers: RawHeaders) -> bool:
    """Return whether the visitor asked for a navigation, as far as the browser says so (Fetch Metadata, section 2.4).

    A page of another site must not begin a hand-off by a redirect of its own. A request without Sec-Fetch-Site comes from an
    old browser or from none, and WebKit sends Sec-Fetch-Site but never Sec-Fetch-User: both are served.
    """
    sites = header_values(headers, b"sec-fetch-site")
    if sites in ([], [b"same-origin"], [b"none"]) or header_values(headers, b"sec-fetch-user") == [b"?1"]:
        return True
    agent = b" ".join(header_values(headers, b"user-agent"))
    return b"AppleWebKit/" in agent and b"Chrome/" not in agent


def is_navigation(head: RequestHead) -> bool:
    """Return whether a request is a top-level navigation (Fetch Metadata), neither prefetched nor prerendered."""
    mode = header_values(head.headers, b"sec-fetch-mode")
    return head.method == "GET" and mode in ([], [b"navigate"]) and is_visit(head.headers)


def require_navigation(head: RequestHead) -> None:
    """Check that a request is a navigation.

    Raises:
        HTTPProblem: it is not (403).
    """
    if not is_navigation(head):
        raise HTTPProblem(403, "This address must be visited; it cannot be embedded or fetched.")
