import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.web import BodyBuffer, RequestHead
from consentkit.web.endpoints.body import FORM, media_type, wants_html

Headers = list[tuple[bytes, bytes]]


def head(headers: Headers, method: str = "POST") -> RequestHead:
    return RequestHead(method, "/", headers)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"content-type", b"application/json")], "application/json"),
        ([(b"content-type", b"Application/JSON ; charset=UTF-8")], "application/json"),
        ([(b"content-type", b'application/json; charset="utf-8"')], "application/json"),
        ([(b"content-type", b"application/json;")], "application/json"),
        ([(b"content-type", b"application/x-www-form-urlencoded;charset=utf8")], FORM),
        ([(b"content-type", b"application/json"), (b"content-encoding", b"identity")], "application/json"),
        ([(b"content-type", b"text/plain")], "text/plain"),
        ([], ""),
        ([(b"content-type", b"application/json; charset=utf-16")], ""),
        ([(b"content-type", b"application/json; charset=utf-8; q=1")], ""),
        ([(b"content-type", b"application/json"), (b"content-type", b"application/json")], ""),
        ([(b"content-type", b"application/json, text/plain")], "application/json, text/plain"),
        ([(b"content-type", b"application/json"), (b"content-encoding", b"gzip")], ""),
        ([(b"content-type", b"application/json"), (b"content-encoding", b"x")], ""),
    ],
)
def test_a_media_type_counts_only_in_utf8_once_and_not_encoded(headers: Headers, expected: str) -> None:
    assert media_type(head(headers)) == expected


@pytest.mark.parametrize(
    ("method", "headers", "html"),
    [
        ("POST", [(b"content-type", FORM.encode())], True),
        ("GET", [(b"accept", b"text/html,*/*;q=0.8")], True),
        ("POST", [(b"accept", b"image/png"), (b"accept", b"text/html")], True),
        ("GET", [(b"accept", b"*/*")], False),
        ("GET", [], False),
        ("DELETE", [(b"accept", b"text/html")], False),
        ("POST", [(b"content-type", b"application/json")], False),
    ],
)
def test_a_refusal_is_a_page_where_a_person_reads_it(method: str, headers: Headers, html: bool) -> None:
    assert wants_html(head(headers, method)) is html


@given(st.binary(), st.binary())
def test_any_header_is_read(content_type: bytes, accept: bytes) -> None:
    asked = head([(b"content-type", content_type), (b"accept", accept)])
    assert media_type(asked) == media_type(asked).strip()
    wants_html(asked)


@pytest.mark.parametrize(
    ("declared", "chunks", "whole"),
    [
        ([], [b"a=", b"1"], b"a=1"),
        ([], [], b""),
        ([b"3"], [b"a=1"], b"a=1"),
        ([b"x"], [b"a=1"], b"a=1"),
        ([b"16385"], [], None),
        ([b"9" * 5000], [], None),
        ([b"1"], [b"x" * 16384], b"x" * 16384),
        ([b"1"], [b"x" * 16384, b"x"], None),
        ([], [b"x" * 20000, b""], None),
    ],
)
def test_a_body_is_kept_up_to_16_kib_whatever_it_declares(
    declared: list[bytes], chunks: list[bytes], whole: bytes | None
) -> None:
    buffer = BodyBuffer([(b"content-length", value) for value in declared])
    for chunk in chunks:
        buffer.add(chunk)
    assert buffer.whole() == whole and buffer.is_too_large is (whole is None)
