"""The three addresses of the hand-off: `start` and `return` on the asking site, `issue` on the issuing site."""

import re

from consentkit.handoff import TRANSACTION_SECONDS, Handoff, HandoffRefusal, Transaction
from consentkit.headers import RawHeaders, cookie_values, header_values, local_path, own_path
from consentkit.web.endpoints.answer import Answer, Methods
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.endpoints.query import unique_fields, unrepeated_fields
from consentkit.web.exchange import Exchange
from consentkit.web.request_head import RequestHead
from consentkit.web.response import Response, redirect
from consentkit.web.services import SiteServices

__all__ = ["HandoffEndpoint"]

_STATE = re.compile(r"[A-Za-z0-9_-]{43}")
_HEADERS = {"cache-control": "private, no-store", "referrer-policy": "no-referrer"}
ARRIVAL_SECONDS = 120
"""Seconds in which the next page may show from which site the choice came."""


class HandoffEndpoint:
    """Responds at `start` and `return` as the asking site, and at `issue` as the issuing site."""

    def __init__(self, site: SiteServices, handoff: Handoff) -> None:
        self._site = site
        self._manager = site.manager
        self._handoff = handoff
        self._cookie = site.manager.cookie.transaction

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
            if not _is_wanted(exchange.head.headers):
                raise HandoffRefusal("no click")
            address, value = self._handoff.begin(query.get("iss", ""), back, self._under_way(exchange))
        except HandoffRefusal as refusal:
            self._handoff.count(f"start: {refusal.reason}")
            return redirect(back, _HEADERS)
        return self._with_transactions(redirect(address, _HEADERS), value)

    def _issue(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return a step that redirects the browser to the asking site with the visitor's choice.

        Raises:
            HTTPProblem: the query is wrong (400), or the request is no navigation of a visitor (403).
        """
        audience, state = self._issue_fields(exchange.head.query)
        if not _STATE.fullmatch(state):
            raise HTTPProblem(400, "`st` is not the SHA-256 of a transaction.")
        if not _is_navigation(exchange.head):
            raise HTTPProblem(403, "This address must be visited; it cannot be embedded or fetched.")
        consent = exchange.consent._current()
        return lambda: redirect(self._handoff.issue(consent, audience, state), _HEADERS)

    def _issue_fields(self, query: bytes) -> tuple[str, str]:
        """Return the audience and the state in a query.

        Raises:
            HTTPProblem: a field is missing, repeated or unknown, or no other site has this id (400).
        """
        try:
            fields = unique_fields(query)
        except ValueError:
            fields = {}
        others = {site.id for site in self._manager.policy.sites} - {self._manager.site}
        if fields.keys() != {"aud", "st"} or fields["aud"] not in others:
            raise HTTPProblem(
                400, "This address takes `aud`, another site of the group, and `st`, once each."
            )
        return fields["aud"], fields["st"]

    def _return(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return a step that takes over the choice, and redirects to the page that the visitor wanted."""
        return lambda: self._adopt(exchange)

    def _adopt(self, exchange: Exchange) -> Response:
        handoff = self._handoff
        back, others = "/", ""
        under_way: tuple[Transaction, ...] = ()
        try:
            under_way = self._transactions(exchange)
            token = unrepeated_fields(exchange.head.query).get("t", "")
            transaction = handoff.transaction_of(token, under_way)
            back = self._local(exchange, transaction.back)
            others = handoff.transactions.dumps(other for other in under_way if other is not transaction)
            claims = handoff.accept(token, transaction)
            context = exchange.consent._choice_context(choice="handoff")
            outcome = exchange.consent._apply(lambda before: handoff.take_over(before, claims, context))
        except HandoffRefusal as refusal:
            handoff.count(f"return: {refusal.reason}")
            if refusal.reason == "st":
                # The token is for another tab that started at the same moment, or for another browser. Transactions of this
                # browser go on.
                back, others = "/", handoff.transactions.dumps(under_way)
            return self._finished(exchange, back, others)
        response = self._finished(exchange, back, others)
        if outcome.record is not None:
            site = self._site
            arrived_from = f"{site.arrival_cookie}={transaction.issuer}{site.brief_attributes}"
            response.add("set-cookie", f"{arrived_from}; Max-Age={ARRIVAL_SECONDS}")
        return response

    def _finished(self, exchange: Exchange, back: str, others: str) -> Response:
        """Return a redirect to a page, which keeps the transactions of other tabs in the cookie."""
        response = redirect(back, _HEADERS)
        return self._with_transactions(response, others) if self._sent(exchange) else response

    def _with_transactions(self, response: Response, value: str) -> Response:
        """Return the response with the transaction cookie, which an empty value removes."""
        age = TRANSACTION_SECONDS if value else 0
        response.add("set-cookie", f"{self._cookie}={value}{self._site.brief_attributes}; Max-Age={age}")
        return response

    def _sent(self, exchange: Exchange) -> list[bytes]:
        return cookie_values(exchange.head.headers, self._cookie.encode())

    def _transactions(self, exchange: Exchange) -> tuple[Transaction, ...]:
        """Return this browser's transactions, newest first.

        Raises:
            HandoffRefusal: the cookie is missing, repeated or not written by this site, or every transaction has ended.
        """
        sent = self._sent(exchange)
        if len(sent) != 1:
            raise HandoffRefusal("no transaction")
        return self._handoff.transactions.loads(sent[0])

    def _under_way(self, exchange: Exchange) -> tuple[Transaction, ...]:
        try:
            return self._transactions(exchange)
        except HandoffRefusal:
            return ()

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


def _is_navigation(head: RequestHead) -> bool:
    """Return whether a request is a top-level navigation (Fetch Metadata), neither prefetched nor prerendered."""
    headers = head.headers
    destination = header_values(headers, b"sec-fetch-dest")
    mode = header_values(headers, b"sec-fetch-mode")
    prefetch = (
        header_values(headers, b"sec-purpose")
        + header_values(headers, b"purpose")
        + header_values(headers, b"x-moz")
    )
    return (
        head.method == "GET"
        and destination in ([], [b"document"])
        and mode in ([], [b"navigate"])
        and not prefetch
    )
