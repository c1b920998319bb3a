"""The middleware for Django: a thin host of `consentkit.web`, in sync and in async form.

Under WSGI it waits for the ledger in the thread of the request. Under ASGI it runs on the event loop, and waits in threads.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from consentkit.django.middleware_order import middleware_order
from consentkit.django.refusals import busy_response, refusal_response
from consentkit.django.request_head import KEY, head_of_request, hide, show_again, whole_body
from consentkit.django.responder import Responder
from consentkit.django.response_headers import http_response
from consentkit.django.site import get_site
from consentkit.errors import ConsentRequiredError, LedgerBusyError
from consentkit.web import (
    Answer,
    Exchange,
    Response,
    in_ledger_thread,
    look_up_in_time,
)

__all__ = ["ConsentMiddleware"]

GetResponse = Callable[[HttpRequest], HttpResponseBase]
AsyncGetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class ConsentMiddleware:
    """Asks visitors of a Django site for consent, records their decisions, and applies them to every response.

    In `MIDDLEWARE` it stands behind what compresses or caches responses, and before what sets cookies or a
    Content-Security-Policy. The system checks tell if it does not.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse | AsyncGetResponse) -> None:
        self.get_response = get_response
        self.manager, self._site, self._endpoints = get_site()
        order = middleware_order()
        self._compresses_inside = order is not None and bool(order.compresses_inside)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Serve one request; in async form the result is awaited."""
        if self._is_async:
            return self._aserve(request)
        exchange = self._begin(request)
        if exchange is None:
            return self._get_response(request)
        if exchange.needs_ledger:
            exchange.ask_ledger()
        response = self._own(exchange, request) if exchange.is_own else self._page(exchange, request)
        exchange.is_over = True
        return response

    async def _aserve(self, request: HttpRequest) -> HttpResponseBase:
        exchange = self._begin(request)
        if exchange is None:
            return await self._aget_response(request)
        if exchange.needs_ledger:
            await look_up_in_time(exchange.ask_ledger)
        if exchange.is_own:
            response: HttpResponseBase = await self._aown(exchange, request)
        else:
            response = await self._apage(exchange, request)
        exchange.is_over = True
        return response

    def _begin(self, request: HttpRequest) -> Exchange | None:
        """Return the exchange of a request; None if middleware of the same manager runs around Django, and does the work."""
        outer = request.META.get(KEY) or getattr(request, "scope", {}).get("consentkit")
        if isinstance(outer, Exchange) and not outer.is_over and outer.site.belongs_to(self.manager):
            exchange, is_ours = outer, False
        else:
            head = head_of_request(request, every_field=self._site.places is not None)
            exchange, is_ours = Exchange(self._site, head), True
        request.META[KEY] = exchange
        cast(Any, request).consent = exchange.consent
        return exchange if is_ours else None

    def _get_response(self, request: HttpRequest) -> HttpResponseBase:
        return cast(GetResponse, self.get_response)(request)

    def _aget_response(self, request: HttpRequest) -> Awaitable[HttpResponseBase]:
        return cast(AsyncGetResponse, self.get_response)(request)

    # Pages of the application

    def shows_banner(self, request: HttpRequest) -> bool:
        """Return whether the page of a request is for visitors, so that banner and script belong into it.

        A subclass decides otherwise for the pages of editors. Called after the view.
        """
        return True

    def _hide(self, exchange: Exchange, request: HttpRequest) -> dict[str, str]:
        # Nothing can be inserted into a page that is compressed already, also by the decorator gzip_page.
        compression = self._compresses_inside or "text/html" in request.META.get("HTTP_ACCEPT", "")
        return hide(request, exchange, compression=compression)

    def _page(self, exchange: Exchange, request: HttpRequest) -> HttpResponseBase:
        hidden = self._hide(exchange, request)
        response = self._get_response(request)
        try:
            Responder(exchange, response, banner=self.shows_banner(request)).pass_on()
        except ConsentRequiredError as missing:
            response = refusal_response(request, missing)
            Responder(exchange, response).pass_on()
        show_again(request, hidden)
        return response

    async def _apage(self, exchange: Exchange, request: HttpRequest) -> HttpResponseBase:
        hidden = self._hide(exchange, request)
        response = await self._aget_response(request)
        try:
            await Responder(exchange, response, banner=self.shows_banner(request)).apass_on()
        except ConsentRequiredError as missing:
            response = refusal_response(request, missing)
            await Responder(exchange, response).apass_on()
        show_again(request, hidden)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the response to a view whose consent is missing (403), or that decided while too many wait (503)."""
        if isinstance(exception, ConsentRequiredError):
            return refusal_response(request, exception)
        if isinstance(exception, LedgerBusyError):
            return busy_response(request, self._endpoints)
        return None

    # The library's own addresses

    def _own(self, exchange: Exchange, request: HttpRequest) -> HttpResponse:
        answer = self._answer(exchange, request)
        if not isinstance(answer, Response):
            answer = answer()
            exchange.announce()
        return _sent(exchange, answer)

    async def _aown(self, exchange: Exchange, request: HttpRequest) -> HttpResponse:
        answer = self._answer(exchange, request)
        if not isinstance(answer, Response):
            try:
                answer = await in_ledger_thread(answer)
            except LedgerBusyError:
                answer = self._endpoints.busy(exchange)
            await exchange.aannounce()
        return _sent(exchange, answer)

    def _answer(self, exchange: Exchange, request: HttpRequest) -> Answer:
        body: bytes | None = b""
        if exchange.head.method not in ("GET", "HEAD"):
            body, is_complete = whole_body(request, exchange.head)
            if not is_complete:
                return self._endpoints.incomplete(exchange)
        return self._endpoints.respond(exchange, body)


def _sent(exchange: Exchange, response: Response) -> HttpResponse:
    headers = exchange.start(response.status, response.headers) or []
    return http_response(response, headers, has_body=exchange.head.method != "HEAD")
