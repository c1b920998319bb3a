import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.headers.content import is_complete_html, is_encoded

HTML = (b"content-type", b"text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("method", "status", "complete"),
    [
        ("GET", 200, True),
        ("HEAD", 200, True),
        ("POST", 200, False),
        ("", 200, False),
        ("GET", 206, False),
        ("GET", 404, False),
    ],
)
def test_only_a_successful_get_or_head_of_html_counts_as_a_complete_page(
    method: str, status: int, complete: bool
) -> None:
    assert is_complete_html(method, status, [HTML]) is complete


@pytest.mark.parametrize(
    ("content_type", "complete"),
    [
        (b"text/html", True),
        (b"Text/HTML ; Charset=UTF-8", True),
        (b'text/html; charset="utf8"', True),
        (b"text/html; level=1; charset=utf-8", True),
        (b"text/html; charset=iso-8859-1", False),
        (b"text/html; charset=utf-16; charset=utf-8", False),
        (b"text/html; charset=", False),
        (b"text/html-sandboxed", False),
        (b"text/htmlx", False),
        (b"application/xhtml+xml", False),
    ],
)
def test_only_html_in_utf8_counts_as_a_complete_page(content_type: bytes, complete: bool) -> None:
    assert is_complete_html("GET", 200, [(b"Content-Type", content_type)]) is complete


@pytest.mark.parametrize(
    ("name", "value", "complete"),
    [
        (b"Content-Range", b"bytes 0-1/2", False),
        (b"content-disposition", b"Attachment; filename=x.html", False),
        (b"content-disposition", b" attachment", False),
        (b"content-disposition", b"inline; filename=attachment.html", True),
        (b"x-other", b"attachment", True),
    ],
)
def test_a_range_and_an_attachment_are_no_complete_page(name: bytes, value: bytes, complete: bool) -> None:
    assert is_complete_html("GET", 200, [HTML, (name, value)]) is complete


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [(b"gzip", True), (b"br", True), (b"identity", False), (b" Identity ", False), (b"", False)],
)
def test_a_compressed_body_is_encoded(encoding: bytes, encoded: bool) -> None:
    assert is_encoded([HTML, (b"Content-Encoding", encoding)]) is encoded
    assert not is_encoded([HTML])


@given(
    st.lists(
        st.tuples(st.sampled_from([b"content-type", b"content-disposition", b"x"]), st.binary(max_size=40))
    )
)
def test_any_header_bytes_are_read_without_raising(headers: list[tuple[bytes, bytes]]) -> None:
    is_complete_html("GET", 200, headers)
    is_encoded(headers)
