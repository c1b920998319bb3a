"""Responses of every kind on their way through Django: whole, streamed, from files, sync and async."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from consentkit.django import get_consent
from consentkit.errors import ConsentRequiredError
from tests.support.django_site import DjangoSite
from tests.support.front import COOKIE, DOCUMENT, EVERYTHING

PAGE = DOCUMENT.encode()
PIECES = (b"<!doctype html><html><body>", b"<p>one", b"<p>two</body></html>")
BANNER = b'id="cookie-consent"'
LINK = b"site-privacy-settings"
TEXT = "text/plain"

made: list[int] = []


def pieces() -> Iterator[bytes]:
    for place, piece in enumerate(PIECES):
        made.append(place)
        yield piece


async def apieces() -> AsyncIterator[bytes]:
    for piece in pieces():
        yield piece


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(pieces())


async def astreamed(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(apieces())


def fragment(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"<p>", b"part", b""]))


def text(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(pieces(), content_type=TEXT)


async def atext(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(apieces(), content_type=TEXT)


def empty(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter(()))


def counted(request: HttpRequest) -> StreamingHttpResponse:
    length = {"Content-Length": str(sum(map(len, PIECES)))}
    return StreamingHttpResponse(pieces(), headers=length)


def decides(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[bytes]:
        get_consent(request).decide(EVERYTHING)
        yield b"decided"

    return StreamingHttpResponse(body(), content_type=TEXT)


def refuses(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[bytes]:
        if not get_consent(request).allows("social"):
            raise ConsentRequiredError("social")
        yield PAGE

    return StreamingHttpResponse(body())


async def arefuses(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[bytes]:
        for piece in refuses(request).streaming_content:
            yield piece

    return StreamingHttpResponse(body())


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


async def abody_of(response: Any) -> bytes:
    return b"".join([piece async for piece in response.streaming_content])


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    made.clear()


def test_page_streams_piece_by_piece(site: DjangoSite) -> None:
    response = site.client(streamed).get("/streamed")
    assert made == [0]
    assert "Content-Length" not in response
    assert response["Cache-Control"] == "private, no-cache"
    stream = response.streaming_content
    assert PIECES[0][:15] in next(stream)
    assert b"<p>one" in next(stream)
    assert made == [0, 1]
    rest = b"".join(stream)
    assert LINK in rest and rest.endswith(b"</html>")


@pytest.mark.parametrize("view", [streamed, astreamed])
def test_page_streams_piece_by_piece_over_asgi(site: DjangoSite, view: Any) -> None:
    async def visit() -> None:
        response = await site.aclient(view).get(f"/{view.__name__}")
        assert made == [0]
        stream = response.streaming_content
        assert PIECES[0][:15] in await anext(stream)
        assert made == [0]
        rest = b"".join([piece async for piece in stream])
        assert b"<p>one" in rest and LINK in rest

    asyncio.run(visit())


def test_async_iterator_under_wsgi_is_collected_as_django_does(site: DjangoSite) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        body = body_of(site.client(astreamed).get("/astreamed"))
    assert BANNER in body and b"<p>one" in body
    assert "must consume asynchronous iterators" in str(caught[0].message)


@pytest.mark.parametrize("view", [streamed, counted, text, fragment, empty])
def test_every_byte_of_a_stream_arrives(site: DjangoSite, view: Any) -> None:
    plain = b"".join(view(RequestFactory().get("/")).streaming_content)
    body = body_of(site.client(view).get(f"/{view.__name__}"))
    abody = asyncio.run(_stream(site, view))
    for sent in (body, abody) if view is not text else (body,):
        assert (BANNER in sent) == (view in (streamed, counted))
        assert sent.endswith(b"</html>") == plain.endswith(b"</html>")
        assert BANNER in sent or sent == plain


async def _stream(site: DjangoSite, view: Any) -> bytes:
    response = await site.aclient(view).get(f"/{view.__name__}")
    return await abody_of(response) if response.is_async else body_of(response)


def test_length_of_a_stream_that_declares_it_ends_the_page(site: DjangoSite) -> None:
    response = site.client(counted).get("/counted")
    body = body_of(response)
    assert BANNER in body and body.count(b"</html>") == 1


def test_event_stream_over_asgi_starts_before_its_first_event(site: DjangoSite) -> None:
    async def visit() -> None:
        response = await site.aclient(atext).get("/atext")
        assert made == []
        assert await abody_of(response) == b"".join(PIECES)

    asyncio.run(visit())


def test_generator_decides_before_its_first_piece(site: DjangoSite) -> None:
    response = site.client(decides).get("/decides")
    assert response.cookies[COOKIE].value
    assert body_of(response) == b"decided"


def test_generator_refuses_before_its_first_piece(site: DjangoSite) -> None:
    response = site.client(refuses).get("/refuses", headers={"accept": "text/html"})
    assert response.status_code == 403 and BANNER in response.content
    aresponse = asyncio.run(site.aclient(arefuses).get("/arefuses"))
    assert (aresponse.status_code, aresponse["Content-Type"]) == (403, "application/problem+json")


def send_file(path: Path, **options: Any) -> Any:
    def sent(request: HttpRequest) -> FileResponse:
        return FileResponse(path.open("rb"), **options)

    return sent


@pytest.fixture
def served(site: DjangoSite) -> Any:
    """Send a request as a server with `wsgi.file_wrapper` does, and return the headers and what the server got."""

    def ask(view: Any) -> tuple[dict[str, str], Any]:
        site.client(view)
        started: list[Any] = []
        environ = RequestFactory().get("/sent").environ
        environ["wsgi.file_wrapper"] = lambda file, size: ("file", file)
        body = WSGIHandler()(environ, lambda *arguments: started.append(arguments))
        return dict(started[0][1]), body

    return ask


def test_picture_is_sent_by_the_server_itself(served: Any, tmp_path: Path, db: None) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG")
    headers, (kind, file) = served(send_file(path))
    assert (kind, headers["Content-Length"], file.tell()) == ("file", "4", 0)
    file.close()


def test_page_in_a_file_gets_the_banner(served: Any, tmp_path: Path, db: None) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(PAGE)
    headers, response = served(send_file(path))
    body = b"".join(response)
    assert BANNER in body and headers["Content-Length"] == str(len(body))
    response.close()


def test_page_to_download_stays_a_file(served: Any, tmp_path: Path, db: None) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(PAGE)
    headers, (kind, file) = served(send_file(path, as_attachment=True))
    assert (kind, file.read(), headers["Content-Length"]) == ("file", PAGE, str(len(PAGE)))
    file.close()


def test_file_over_asgi_gets_the_banner(site: DjangoSite, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(PAGE)
    assert BANNER in asyncio.run(_stream(site, send_file(path)))


def test_response_that_is_no_page_passes_byte_for_byte(site: DjangoSite) -> None:
    def raw(request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"\x00raw", content_type="application/octet-stream", headers={"ETag": '"a"'})

    response = site.client(raw).get("/raw")
    assert response.content == b"\x00raw"
    assert dict(response.headers) == {"ETag": '"a"', "Content-Type": "application/octet-stream"}
