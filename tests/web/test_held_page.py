import zlib

import pytest

from consentkit.html import Inserter
from consentkit.web.held_page import LONGEST_DOUBT, HeldPage
from consentkit.web.recoding import Recoder

HTML = (b"content-type", b"text/html")


def held(*headers: tuple[bytes, bytes]) -> HeldPage:
    return HeldPage(200, [HTML, *headers], Inserter(b"<HEAD>", b"<FIRST>", b"<LAST>"), confirmation=b"")


def test_a_page_waits_until_its_first_bytes_tell_whether_it_is_a_document() -> None:
    page = held()
    assert page.feed(b"<!-- a comment", True) is None
    assert page.feed(b" --> \n<!doc", True) is None
    out = page.feed(b"type html><title>a</title><p>b", True)
    assert out == b"<!-- a comment --> \n<!doctype html><HEAD><title>a</title><FIRST><p>b"
    assert page.is_document
    assert page.feed_after(b"</p>", False) == b"</p><LAST>"


def test_a_fragment_is_no_document_and_passes_whole() -> None:
    page = held()
    assert page.feed(b"<p>a</p>", False) == b"<p>a</p>"
    assert not page.is_document


def test_page_waits_for_16_kib_at_most() -> None:
    page = held()
    assert page.feed(b"<!--", True) is None
    out = page.feed(b"x" * LONGEST_DOUBT, True)
    assert out is not None and len(out) == LONGEST_DOUBT + 4


def test_the_headers_of_a_page_with_markup_describe_the_new_body() -> None:
    page = held((b"Content-Length", b"3"), (b"content-md5", b"x"))
    assert page.headers_with_markup(9) == [HTML, (b"content-length", b"9")]
    assert page.headers_with_markup(None) == [HTML]
    chunked = held((b"transfer-encoding", b"chunked"))
    assert chunked.headers_with_markup(9) == [HTML, (b"transfer-encoding", b"chunked")]


def test_a_page_whose_compression_breaks_off_after_its_beginning_is_an_error() -> None:
    recoder = Recoder.of([b"gzip"], [])
    page = HeldPage(200, [HTML], Inserter(b"<HEAD>", b"", b""), confirmation=b"", recoder=recoder)
    compressor = zlib.compressobj(wbits=31)
    begun = compressor.compress(b"<!doctype html><p>") + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert page.feed(begun, True) is not None and page.is_document
    with pytest.raises(ValueError, match="Content-Encoding"):
        page.feed_after(b"\xff" * 40, False)
