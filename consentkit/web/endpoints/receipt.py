"""The receipt of the grant in force, for the visitor whose browser sends the signed cookie: JSON-LD, and a page."""

from collections.abc import Callable

from consentkit.consent import ConsentStatus
from consentkit.errors import LedgerUnavailableError
from consentkit.headers import is_visit
from consentkit.proof import Grant
from consentkit.web.endpoints.answer import Answer, Methods
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.exchange import Exchange
from consentkit.web.query import unrepeated_fields
from consentkit.web.response import Response, html, json_document
from consentkit.web.services import SiteServices

__all__ = ["ReceiptEndpoint"]

_JSON_LD = "application/ld+json"
_NOT_STORED = {"cache-control": "private, no-store"}


class ReceiptEndpoint:
    """Responds at `receipt` and `receipt.html`. Without a grant that a record proves, the response is 404."""

    def __init__(self, site: SiteServices) -> None:
        self._manager = site.manager
        self._pages = site.pages

    def routes(self) -> dict[str, Methods]:
        """Return the endpoints by their address below the prefix."""
        return {"/receipt": {"GET": self._document}, "/receipt.html": {"GET": self._page}}

    def _document(self, exchange: Exchange, body: bytes | None) -> Answer:
        root_path = exchange.head.root_path

        def show(grant: Grant) -> Response:
            receipt = self._manager.receipt_of(grant, root_path=root_path)
            name = f"consent-receipt-{receipt['dct:identifier']}.jsonld"
            headers = {**_NOT_STORED, "content-disposition": f'attachment; filename="{name}"'}
            return json_document(receipt, headers=headers, media_type=_JSON_LD)

        return self._shown(exchange, show)

    def _page(self, exchange: Exchange, body: bytes | None) -> Answer:
        view = exchange.view(back=unrepeated_fields(exchange.head.query).get("next") or "/")
        return self._shown(
            exchange, lambda grant: html(self._pages.receipt(view, grant), headers=_NOT_STORED)
        )

    def _shown(self, exchange: Exchange, show: Callable[[Grant], Response]) -> Answer:
        """Return a step that reads the grant from the ledger and shows it.

        A receipt has the pseudonym that the cookie keeps from scripts, so scripts of the page do not get it either.

        Raises:
            HTTPProblem: a script or frame asks (403), or nothing is granted (404).
        """
        consent = exchange.consent.consent
        if not is_visit(exchange.head.headers):
            raise HTTPProblem(403, "Browsers get a receipt in a window alone, not for a script or a frame.")
        if consent.status is not ConsentStatus.GIVEN:
            raise self._nothing()

        def read() -> Response:
            try:
                grant = self._manager.grant(consent)
            except LedgerUnavailableError:
                raise self.unavailable() from None
            if grant is None:
                raise self._nothing()
            return show(grant)

        return read

    @staticmethod
    def unavailable() -> HTTPProblem:
        """Return the refusal of a request that the ledger cannot answer now."""
        detail = "The ledger does not answer, so the receipt cannot be shown. Please try again later."
        return HTTPProblem(503, detail, headers={"retry-after": "5"}, about="receipt")

    def _nothing(self) -> HTTPProblem:
        return HTTPProblem(404, "Nothing is granted here that a record proves.", about="receipt")
