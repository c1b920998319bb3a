"""Responses of Django on their way through an exchange: status and headers, then each piece of the body."""

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import chain, islice
from typing import cast

from asgiref.sync import sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from consentkit.django.response_headers import raw_headers, write_headers
from consentkit.headers import html_and_cookies
from consentkit.web import Exchange

__all__ = ["Responder"]


class Responder:
    """Passes one response through its exchange, and changes the response in place.

    The first piece of a streamed page is made before the headers are final, as on every host. Until then the view may still read
    the consent or refuse. Later pieces are passed on one by one.
    """

    __slots__ = ("_banner", "_exchange", "_left", "_response")

    def __init__(self, exchange: Exchange, response: HttpResponseBase, *, banner: bool = True) -> None:
        """Prepare the way of one response; `banner` is whether a page gets the library's markup."""
        self._exchange = exchange
        self._banner = banner
        self._response = response
        length = response.headers.get("Content-Length", "")
        # Bytes of the body that are still to come, if the response says how many.
        self._left = int(length) if length.isascii() and length.isdigit() else None

    def pass_on(self) -> None:
        """Pass the response on, in sync code.

        Raises:
            ConsentRequiredError: the beginning of the body needs consent. The response has not started.
        """
        response = self._response
        if not isinstance(response, StreamingHttpResponse):
            self._pass_whole()
            return
        pieces: Iterable[bytes] = ()
        if not _is_file(response):
            pieces = _begun(iter(response))
        self._start()
        if not _is_file(response):
            response.streaming_content = _begun(self._stream(pieces))
        elif not self._exchange.passes:
            # Django sends what is no file any more piece by piece.
            response.streaming_content = _begun(self._stream(iter(response)))

    async def apass_on(self) -> None:
        """Pass the response on, in async code.

        Raises:
            ConsentRequiredError: the beginning of a page needs consent. The response has not started.
        """
        response = self._response
        if not isinstance(response, StreamingHttpResponse):
            self._pass_whole()
            return
        is_html, _ = html_and_cookies(raw_headers(response))
        if not is_html:
            # An event stream's headers must not wait for its first event.
            self._start()
            return
        pieces = await _abegun(_pieces(response))
        self._start()
        response.streaming_content = await _abegun(self._astream(pieces))

    def _pass_whole(self) -> None:
        self._start()
        if not self._exchange.passes:
            response = cast(HttpResponse, self._response)
            response.content = self._feed(response.content, more=False)

    def _start(self) -> None:
        headers = self._exchange.start(self._response.status_code, raw_headers(self._response))
        if headers is None and not self._banner:
            headers = self._exchange.body_elsewhere()
        self._write(headers)

    def _write(self, headers: list[tuple[bytes, bytes]] | None) -> None:
        if headers is not None:
            write_headers(self._response, headers)

    def _feed(self, chunk: bytes, *, more: bool) -> bytes:
        headers, out = self._exchange.body(chunk, more)
        self._write(headers)
        return out

    def _feed_next(self, chunk: bytes) -> bytes:
        """Return what to send for a piece of a streamed body, which may be its last."""
        if self._left is None:
            return self._feed(chunk, more=True)
        self._left -= len(chunk)
        return self._feed(chunk, more=self._left > 0)

    @property
    def _is_complete(self) -> bool:
        return self._exchange.passes or (self._left is not None and self._left <= 0)

    def _stream(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            out = self._feed_next(piece)
            if out:
                yield out
        if not self._is_complete:
            yield self._feed(b"", more=False)

    async def _astream(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            out = self._feed_next(piece)
            if out:
                yield out
        if not self._is_complete:
            yield self._feed(b"", more=False)


def _is_file(response: StreamingHttpResponse) -> bool:
    """Return whether the server may send a file by itself (`wsgi.file_wrapper`)."""
    return getattr(response, "file_to_stream", None) is not None


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the same pieces, after the first has been made."""
    return chain(_next(pieces), pieces)


async def _abegun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return the same pieces, after the first has been made."""
    first = [piece async for piece in _first_of(pieces)]

    async def whole() -> AsyncIterator[bytes]:
        for piece in first:
            yield piece
        async for piece in pieces:
            yield piece

    return whole()


async def _first_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    piece = await anext(pieces, None)
    if piece is not None:
        yield piece


async def _pieces(response: StreamingHttpResponse) -> AsyncIterator[bytes]:
    """Yield the pieces of a body. A sync iterator runs in Django's thread for sync code, piece by piece."""
    content = response.streaming_content
    if isinstance(content, AsyncIterator):
        async for piece in content:
            yield piece
        return
    while made := await sync_to_async(_next)(content):
        yield made[0]


def _next(pieces: Iterator[bytes]) -> list[bytes]:
    """Return the next piece in a list, which is empty at the end."""
    return list(islice(pieces, 1))
