"""The three addresses of the hand-off, and the line that tells a visitor where a choice came from."""

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from consentkit.handoff import TRANSACTION_SECONDS, Handoff, HandoffRefusal, Transaction
from consentkit.headers import cookie_values, header_values, local_path
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.exchange import SiteServices, exchange_of
from consentkit.web.threads import in_ledger_thread

__all__ = ["HandoffEndpoint"]

Handler = Callable[[Request], Awaitable[Response]]

_STATE = re.compile(r"[A-Za-z0-9_-]{43}")
_HEADERS = {"cache-control": "private, no-store", "referrer-policy": "no-referrer"}
STATUS_SECONDS = 120


class HandoffEndpoint:
    """Answer `start` and `return` on the site that wants to know, `issue` on the one that knows."""

    def __init__(self, shared: SiteServices, handoff: Handoff) -> None:
        self._shared = shared
        self._manager = shared.manager
        self._handoff = handoff
        self._transaction = f"{shared.manager.cookie.name}-tx"

    def routes(self) -> dict[str, Mapping[str, Handler]]:
        """Give the addresses below the prefix."""
        return {
            "/handoff/start": {"GET": self._start},
            "/handoff/issue": {"GET": self._issue},
            "/handoff/return": {"GET": self._return},
        }

    async def _start(self, request: Request) -> Response:
        """Begin: remember a transaction and send the browser to the site that knows."""
        query = _query(request)
        back = self._local(request, query.get("next"))
        try:
            address, value = self._handoff.begin(query.get("iss", ""), back, self._under_way(request))
        except HandoffRefusal as refusal:
            self._handoff.count(f"start: {refusal.reason}")
            return _redirect(back)
        return self._remembering(_redirect(address), value)

    async def _issue(self, request: Request) -> Response:
        """Say what the visitor chose here, to one other site, for one transaction of this browser."""
        fields = parse_qsl(request.scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        query = dict(fields)
        audience = query.get("aud", "")
        others = {site.id for site in self._manager.policy.sites} - {self._manager.site}
        if sorted(name for name, _ in fields) != ["aud", "st"] or audience not in others:
            raise HTTPProblem(
                400, "This address takes `aud`, another site of the group, and `st`, once each."
            )
        if not _STATE.fullmatch(query["st"]):
            raise HTTPProblem(400, "`st` is not the SHA-256 of a transaction.")
        if not _is_visit(request):
            raise HTTPProblem(403, "This address is for a visit, not to be embedded or fetched.")
        consent = exchange_of(request.scope).peek()
        return _redirect(await in_ledger_thread(lambda: self._handoff.issue(consent, audience, query["st"])))

    async def _return(self, request: Request) -> Response:
        """Take the choice over, and go where the visitor was going."""
        exchange = exchange_of(request.scope)
        back, others = "/", ""
        under_way: tuple[Transaction, ...] = ()
        try:
            under_way = self._transactions(request)
            token = _query(request).get("t", "")
            transaction = self._handoff.answered(token, under_way)
            back = self._local(request, transaction.back)
            others = self._handoff.transactions.dumps(one for one in under_way if one is not transaction)
            claims = self._handoff.accept(token, transaction)
            context = exchange.context(choice="handoff")
            outcome = await exchange.aapply(lambda before: self._handoff.take_over(before, claims, context))
        except HandoffRefusal as refusal:
            self._handoff.count(f"return: {refusal.reason}")
            if refusal.reason == "st":
                # Of a tab that set out in the same moment, or of another browser: it ends nothing that is under way here.
                back, others = "/", self._handoff.transactions.dumps(under_way)
            return self._finished(request, back, others)
        response = self._finished(request, back, others)
        if outcome.record is not None:
            cookie = (
                f"{self._shared.told_name}={transaction.issuer}{self._shared.brief}; Max-Age={STATUS_SECONDS}"
            )
            response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
        return response

    def _finished(self, request: Request, back: str, others: str) -> Response:
        """Go back to a page; what other tabs have under way stays."""
        response = _redirect(back)
        return self._remembering(response, others) if self._sent(request) else response

    def _remembering(self, response: Response, value: str) -> Response:
        age = TRANSACTION_SECONDS if value else 0
        cookie = f"{self._transaction}={value}{self._shared.brief}; Max-Age={age}"
        response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
        return response

    def _sent(self, request: Request) -> list[bytes]:
        return cookie_values(request.scope["headers"], self._transaction.encode())

    def _transactions(self, request: Request) -> tuple[Transaction, ...]:
        """Read what this browser has under way.

        Raises:
            HandoffRefusal: nothing that we wrote, or nothing any more.
        """
        sent = self._sent(request)
        if len(sent) != 1:
            raise HandoffRefusal("no transaction")
        return self._handoff.transactions.loads(sent[0])

    def _under_way(self, request: Request) -> tuple[Transaction, ...]:
        try:
            return self._transactions(request)
        except HandoffRefusal:
            return ()

    def _local(self, request: Request, path: str | None) -> str:
        root_path: str = request.scope.get("root_path", "")
        return local_path(path, root_path + self._manager.prefix)


def _query(request: Request) -> dict[str, str]:
    """Read the query; a field that comes twice says nothing."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(
        request.scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True
    ):
        found[name] = "" if name in found else value
    return found


def _is_visit(request: Request) -> bool:
    """Say whether the request is a top-level navigation (Fetch Metadata), neither prefetched nor prerendered."""
    headers = request.scope["headers"]
    destination = header_values(headers, b"sec-fetch-dest")
    mode = header_values(headers, b"sec-fetch-mode")
    early = (
        header_values(headers, b"sec-purpose")
        + header_values(headers, b"purpose")
        + header_values(headers, b"x-moz")
    )
    return (
        request.method == "GET"
        and destination in ([], [b"document"])
        and mode in ([], [b"navigate"])
        and not early
    )


def _redirect(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers=_HEADERS)
