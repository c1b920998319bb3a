import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.headers.content import Obstacle, content_codings, is_for_people, obstacle_in

HTML = (b"content-type", b"text/html; charset=utf-8")


PAGES = [
    ("GET", 200),
    ("HEAD", 200),
    ("POST", 200),
    ("POST", 422),
    ("GET", 201),
    ("GET", 403),
    ("GET", 404),
    ("GET", 500),
]
OTHERS = [
    ("", 200),
    ("PUT", 200),
    ("OPTIONS", 200),
    ("GET", 204),
    ("GET", 205),
    ("GET", 206),
    ("GET", 302),
    ("GET", 304),
]


@pytest.mark.parametrize(
    ("method", "status", "complete"),
    [*((*page, True) for page in PAGES), *((*other, False) for other in OTHERS)],
)
def test_what_people_look_at_counts_as_a_page_whatever_its_status(
    method: str, status: int, complete: bool
) -> None:
    assert is_for_people(method, status) is complete


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
    assert obstacle_in([(b"Content-Type", content_type)]) is (None if complete else Obstacle.CHARSET)


@pytest.mark.parametrize(
    ("name", "value", "obstacle"),
    [
        (b"Content-Range", b"bytes 0-1/2", Obstacle.PART),
        (b"content-disposition", b"Attachment; filename=x.html", Obstacle.ATTACHMENT),
        (b"content-disposition", b" attachment", Obstacle.ATTACHMENT),
        (b"content-disposition", b"inline; filename=attachment.html", None),
        (b"x-other", b"attachment", None),
    ],
)
def test_a_range_and_an_attachment_are_no_complete_page(
    name: bytes, value: bytes, obstacle: Obstacle | None
) -> None:
    assert obstacle_in([HTML, (name, value)]) is obstacle


@pytest.mark.parametrize(
    ("values", "codings"),
    [
        ([], []),
        ([b"gzip"], [b"gzip"]),
        ([b"BR"], [b"br"]),
        ([b" Identity "], []),
        ([b""], []),
        ([b"gzip, br"], [b"gzip", b"br"]),
        ([b"gzip", b"identity", b"zstd"], [b"gzip", b"zstd"]),
    ],
)
def test_compressions_are_listed_in_their_order(values: list[bytes], codings: list[bytes]) -> None:
    assert content_codings([HTML, *((b"Content-Encoding", value) for value in values)]) == codings


@given(
    st.lists(
        st.tuples(st.sampled_from([b"content-type", b"content-disposition", b"x"]), st.binary(max_size=40))
    )
)
def test_any_header_bytes_are_read_without_raising(headers: list[tuple[bytes, bytes]]) -> None:
    obstacle_in(headers)
    content_codings(headers)
