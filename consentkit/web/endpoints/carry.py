"""The button “Use this choice on all our sites”: a chain of hand-offs from the site where the visitor clicked.

`carry` begins a chain and shows how far it is. `next` sends the browser to the next site, and `done` is where it comes back.
Only this browser knows the id of its chain, so no other site can begin a step or go on with one.
"""

from urllib.parse import urlencode

from consentkit.handoff import Chain, ChainPage, Handoff, HandoffRefusal, StepResult
from consentkit.headers import local_path, own_path
from consentkit.ui import CarriedChoice
from consentkit.web.endpoints.answer import Answer, Methods
from consentkit.web.endpoints.body import FORM, media_type, required_body
from consentkit.web.endpoints.handoff import HANDOFF_HEADERS, is_navigation, require_navigation
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.endpoints.transaction_cookie import TransactionCookie
from consentkit.web.exchange import Exchange
from consentkit.web.query import unique_fields, unrepeated_fields
from consentkit.web.response import Response, html, redirect
from consentkit.web.services import SiteServices

__all__ = ["CarryEndpoint"]

_REPORTS = {result.value: result for result in (StepResult.TAKEN, StepResult.KEPT)}
_CONNECT = "connect-src 'self'"


class CarryEndpoint:
    """Responds at the addresses of chains that begin on this site."""

    def __init__(self, site: SiteServices, handoff: Handoff, security_policy: str) -> None:
        """Prepare the Content-Security-Policy of the page that asks the other sites whether they are there."""
        self._site = site
        self._manager = manager = site.manager
        self._pages = site.pages
        self._handoff = handoff
        self._cookie = TransactionCookie(site, handoff)
        others = " ".join(origins[0] for other, origins in manager.origins.items() if other != manager.site)
        opened = security_policy.replace(_CONNECT, f"{_CONNECT} {others}")
        self._headers = {"cache-control": "private, no-store", "content-security-policy": opened}

    def routes(self) -> dict[str, Methods]:
        """Return the endpoints by their address below the prefix."""
        return {
            "/handoff/carry": {"GET": self._show, "POST": self._begin},
            "/handoff/next": {"GET": self._next},
            "/handoff/done": {"GET": self._done},
        }

    def state(self, exchange: Exchange) -> CarriedChoice | None:
        """Return how far this browser's chain is; None if it has none."""
        chain = self._cookie.chain(exchange)
        return self._state(exchange, chain) if chain is not None else None

    def forget_if_over(self, response: Response, exchange: Exchange) -> Response:
        """Return the response to a page that shows the state. What became of a chain that is over is shown once."""
        chain = self._cookie.chain(exchange)
        if chain is not None and chain.is_over and is_navigation(exchange.head):
            return self._cookie.with_chain(response, exchange, None)
        return response

    def _begin(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Begin a chain, in place of the one that this browser had, and redirect to the page that shows it."""
        if media_type(exchange.head) != FORM:
            raise HTTPProblem(415, f"The body must be {FORM}.")
        page, back = self._begin_fields(exchange, required_body(body))
        if not (self._handoff.can_issue and exchange.consent._current().status.decided):
            return redirect(self._own(exchange, page), HANDOFF_HEADERS)
        chain = self._handoff.begin_chain(page, back)
        response = redirect(self._address(exchange, "carry", chain), HANDOFF_HEADERS)
        return self._cookie.with_chain(response, exchange, chain)

    def _begin_fields(self, exchange: Exchange, body: bytes) -> tuple[ChainPage, str]:
        """Return the page of ours that the form was on, and the path that this page leads back to.

        Raises:
            HTTPProblem: the form has another field, repeats one, or was on no such page (400).
        """
        try:
            fields = unique_fields(body, strict=True)
            page = ChainPage(fields.pop("page", ""))
        except ValueError:
            raise HTTPProblem(400, "The form takes `page`, which is empty or `/sites`, and `next`.") from None
        back = fields.pop("next", "/")
        if fields:
            raise HTTPProblem(400, "The form has a field that does not belong there.")
        return page, local_path(back, self._own(exchange, ""))

    def _show(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return the page that shows how far the chain is, and that goes on by itself unless a site has not answered."""
        chain = self._chain(exchange)
        if chain is None or chain.is_over:
            return self._home(exchange, chain)
        view = exchange.view(back=chain.back)
        return html(self._pages.carry(view, self._state(exchange, chain)), headers=self._headers)

    def _next(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Redirect the browser to the next site, without those in `skip`, which did not answer."""
        require_navigation(exchange.head)
        chain = self._chain(exchange)
        if chain is None:
            return self._home(exchange, None)
        chain = chain.without(unrepeated_fields(exchange.head.query).get("skip", "").split(","))
        if chain.is_over:
            return self._cookie.with_chain(self._home(exchange, chain), exchange, chain)
        chain = chain.step()
        try:
            address = self._handoff.step_address(chain)
        except HandoffRefusal:
            return self._home(exchange, None)
        return self._cookie.with_chain(redirect(address, HANDOFF_HEADERS), exchange, chain)

    def _done(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Note what a site reports about its own step, and redirect to the page that goes on."""
        require_navigation(exchange.head)
        query = unrepeated_fields(exchange.head.query)
        chain = self._cookie.chain(exchange)
        if chain is None or not chain.nonce or chain.nonce != query.get("n"):
            return self._home(exchange, None)
        chain = chain.with_result(_REPORTS.get(query.get("r", ""), StepResult.REFUSED))
        response = (
            self._home(exchange, chain)
            if chain.is_over
            else redirect(self._address(exchange, "carry", chain), HANDOFF_HEADERS)
        )
        return self._cookie.with_chain(response, exchange, chain)

    def _chain(self, exchange: Exchange) -> Chain | None:
        """Return the browser's chain if the query has its id."""
        chain = self._cookie.chain(exchange)
        sent = unrepeated_fields(exchange.head.query).get("c", "")
        return chain if chain is not None and chain.id == sent else None

    def _state(self, exchange: Exchange, chain: Chain) -> CarriedChoice:
        return CarriedChoice(
            results={site: result.value for site, result in chain.results.items()},
            to_come=chain.to_come,
            is_under_way=bool(chain.nonce),
            go_on=self._address(exchange, "next", chain),
        )

    def _home(self, exchange: Exchange, chain: Chain | None) -> Response:
        """Return a redirect to the page where the visitor clicked; without a chain to the settings page."""
        if chain is None:
            return redirect(self._own(exchange, ""), HANDOFF_HEADERS)
        query = f"?{urlencode({'next': chain.back}, safe='/')}" if chain.back != "/" else ""
        return redirect(f"{self._own(exchange, chain.page)}{query}", HANDOFF_HEADERS)

    def _address(self, exchange: Exchange, name: str, chain: Chain) -> str:
        return f"{self._own(exchange, f'/handoff/{name}')}?{urlencode({'c': chain.id})}"

    def _own(self, exchange: Exchange, path: str) -> str:
        return own_path(exchange.head.root_path, self._manager.prefix + path)
