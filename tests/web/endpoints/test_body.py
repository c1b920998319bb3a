"""What the endpoints take in: media types and bodies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from consentkit.web.endpoints import body as intake

Headers = list[tuple[bytes, bytes]]


def request(headers: Headers, method: str = "POST") -> Request:
    return Request({"type": "http", "method": method, "path": "/", "headers": headers})


@pytest.mark.parametrize(
    ("headers", "media_type"),
    [
        ([(b"content-type", b"application/json")], "application/json"),
        ([(b"content-type", b"Application/JSON ; charset=UTF-8")], "application/json"),
        ([(b"content-type", b'application/json; charset="utf-8"')], "application/json"),
        ([(b"content-type", b"application/json;")], "application/json"),
        ([(b"content-type", b"application/x-www-form-urlencoded;charset=utf8")], intake.FORM),
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
def test_a_media_type_counts_only_in_utf8_once_and_not_encoded(headers: Headers, media_type: str) -> None:
    assert intake.media_type(request(headers)) == media_type


@pytest.mark.parametrize(
    ("method", "headers", "html"),
    [
        ("POST", [(b"content-type", intake.FORM.encode())], True),
        ("GET", [(b"accept", b"text/html,*/*;q=0.8")], True),
        ("POST", [(b"accept", b"image/png"), (b"accept", b"text/html")], True),
        ("GET", [(b"accept", b"*/*")], False),
        ("GET", [], False),
        ("DELETE", [(b"accept", b"text/html")], False),
        ("POST", [(b"content-type", b"application/json")], False),
    ],
)
def test_a_refusal_is_a_page_where_a_person_reads_it(method: str, headers: Headers, html: bool) -> None:
    assert intake.wants_html(request(headers, method)) is html


@given(st.binary(), st.binary())
def test_any_header_is_read(content_type: bytes, accept: bytes) -> None:
    asked = request([(b"content-type", content_type), (b"accept", accept)])
    assert intake.media_type(asked) == intake.media_type(asked).strip()
    intake.wants_html(asked)
