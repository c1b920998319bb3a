"""The cookie with the hand-offs and the chain that this site began for a browser, as requests send it and responses set it."""

from collections.abc import Sequence

from consentkit.handoff import (
    CHAIN_SECONDS,
    TRANSACTION_SECONDS,
    Chain,
    Handoff,
    HandoffRefusal,
    Transaction,
    UnderWay,
)
from consentkit.headers import cookie_values
from consentkit.web.exchange import Exchange
from consentkit.web.response import Response
from consentkit.web.services import SiteServices

__all__ = ["TransactionCookie"]


class TransactionCookie:
    """Reads and writes the transaction cookie of one site."""

    def __init__(self, site: SiteServices, handoff: Handoff) -> None:
        self._transactions = handoff.transactions
        self._name = site.manager.cookie.transaction
        self._attributes = site.brief_attributes

    def sent(self, exchange: Exchange) -> list[bytes]:
        """Return the values that the browser sent."""
        return cookie_values(exchange.head.headers, self._name.encode())

    def under_way(self, exchange: Exchange) -> tuple[UnderWay, ...]:
        """Return what this browser has under way here, newest first; nothing for a cookie that cannot be read."""
        try:
            return self._transactions.under_way(self._sent_once(exchange))
        except HandoffRefusal:
            return ()

    def transactions(self, exchange: Exchange) -> tuple[Transaction, ...]:
        """Return this browser's transactions, newest first.

        Raises:
            HandoffRefusal: the cookie is missing, repeated or not written by this site, or every transaction has ended.
        """
        return self._transactions.loads(self._sent_once(exchange))

    def chain(self, exchange: Exchange) -> Chain | None:
        """Return the chain that this browser began here; None if there is none."""
        return next((entry for entry in self.under_way(exchange) if isinstance(entry, Chain)), None)

    def with_chain(self, response: Response, exchange: Exchange, chain: Chain | None) -> Response:
        """Return the response with the chain in the cookie, in place of the one before. Transactions stay."""
        others = [entry for entry in self.under_way(exchange) if isinstance(entry, Transaction)]
        return self.added(response, (*([chain] if chain is not None else []), *others))

    def added(self, response: Response, under_way: Sequence[UnderWay]) -> Response:
        """Return the response with a cookie of what is under way; without anything it removes the cookie."""
        has_chain = any(isinstance(entry, Chain) for entry in under_way)
        seconds = (CHAIN_SECONDS if has_chain else TRANSACTION_SECONDS) if under_way else 0
        value = self._transactions.dumps(under_way)
        response.add("set-cookie", f"{self._name}={value}{self._attributes}; Max-Age={seconds}")
        return response

    def _sent_once(self, exchange: Exchange) -> bytes:
        sent = self.sent(exchange)
        if len(sent) != 1:
            raise HandoffRefusal("no transaction")
        return sent[0]
