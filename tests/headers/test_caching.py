"""What caches are told about an answer that depends on the visitor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.headers import caching
from consentkit.headers.caching import Headers

STATE = b"0123456789abcdef01"
OTHER = b"ffffffffffffffffff"
MINE = b'"v1~ck.%b"' % STATE


def header(name: bytes, value: bytes) -> Headers:
    return [(name, value)]


# HT-01
@pytest.mark.parametrize(
    ("headers", "public"),
    [
        ([], False),
        (header(b"cache-control", b"max-age=60"), False),
        (header(b"cache-control", b"public"), True),
        (header(b"Cache-Control", b"max-age=60, PUBLIC"), True),
        (header(b"cache-control", b"s-maxage=0"), True),
        (header(b"cache-control", b'no-cache="public"'), False),
        (header(b"cache-control", b'x="a\\", public"'), False),
        (header(b"cache-control", b"republic"), False),
        (header(b"cache-control", b"public, private"), False),
        (header(b"cache-control", b'public, private="set-cookie"'), False),
        (header(b"cache-control", b"s-maxage=60, no-store"), False),
        (header(b"cache-control", b"max-age=60") + header(b"cache-control", b"public"), True),
        (header(b"cdn-cache-control", b"max-age=60"), True),
        (header(b"CDN-Cache-Control", b"max-age=60"), True),
        (header(b"surrogate-control", b"max-age=60"), True),
        (header(b"cloudflare-cdn-cache-control", b"max-age=60"), True),
        (header(b"cdn-cache-control", b"no-store"), False),
        (header(b"surrogate-control", b"private"), False),
        (header(b"cache-control", b"private") + header(b"cdn-cache-control", b"max-age=60"), False),
        (header(b"x-accel-expires", b"0"), False),
    ],
)
def test_public_is_what_shared_caches_may_keep(headers: Headers, public: bool) -> None:
    assert caching.is_public(headers) is public


# HT-01
@pytest.mark.parametrize(
    "said",
    [
        b"cache-control",
        b"Cache-Control",
        b"expires",
        b"pragma",
        b"cdn-cache-control",
        b"surrogate-control",
        b"Netlify-CDN-Cache-Control",
        b"x-accel-expires",
        b"edge-control",
    ],
)
def test_whatever_an_application_says_about_caching_is_overruled(said: bytes) -> None:
    headers = [(said, b"public, max-age=60"), (b"x-other", b"kept")]
    assert caching.never_stored(headers) == [(b"x-other", b"kept"), (b"cache-control", b"private, no-store")]
    private, was_public = caching.depends_on_visitor(headers, b"Cookie", lambda: STATE)
    assert was_public is caching.is_public(headers)
    assert private == [
        (b"x-other", b"kept"),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"Cookie"),
    ]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (b"no-store", b"private, no-store"),
        (b"no-transform", b"private, no-cache, no-transform"),
        (b"NO-STORE, no-transform", b"private, no-store, no-transform"),
        (b"max-age=60, must-revalidate", b"private, no-cache"),
    ],
)
def test_a_stricter_word_of_the_application_stays(said: bytes, left: bytes) -> None:
    headers, _ = caching.depends_on_visitor(header(b"cache-control", said), b"Cookie", lambda: STATE)
    assert caching.values(headers, b"cache-control") == [left]


# HT-02
@pytest.mark.parametrize(
    ("sent", "merged"),
    [
        ([], b"Cookie, Sec-GPC"),
        ([b"Accept-Encoding"], b"Accept-Encoding, Cookie, Sec-GPC"),
        ([b"accept-encoding", b"Origin,, cookie"], b"accept-encoding, Origin, cookie, Sec-GPC"),
        ([b"*"], b"*"),
        ([b"Accept, *"], b"*"),
        ([b""], b"Cookie, Sec-GPC"),
    ],
)
def test_vary_is_merged(sent: list[bytes], merged: bytes) -> None:
    headers, _ = caching.depends_on_visitor(
        [(b"Vary", value) for value in sent], b"Cookie, Sec-GPC", lambda: STATE
    )
    assert caching.values(headers, b"vary") == [merged]


@pytest.mark.parametrize(
    ("etag", "left"),
    [
        (b'"v1"', [MINE]),
        (b'W/"v1"', [b"W/" + MINE]),
        (b' "v1" ', [MINE]),
        (b'""', [b'"~ck.%b"' % STATE]),
        (b"v1", []),
        (b'"a"b"', []),
        (b"", []),
    ],
)
def test_an_entity_tag_carries_the_state_and_what_is_none_goes(etag: bytes, left: list[bytes]) -> None:
    headers, _ = caching.depends_on_visitor(
        [(b"ETag", etag), (b"Last-Modified", b"Mon, 31 Aug 2026 12:00:00 GMT")], b"Cookie", lambda: STATE
    )
    assert caching.values(headers, b"etag") == left
    assert caching.values(headers, b"last-modified") == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b'"v1"', b'"v1"'),
        (b"*", b"*"),
        (MINE, b'"v1"'),
        (b"W/" + MINE, b'W/"v1"'),
        (b'"v1~ck.%b"' % OTHER, b""),
        (b'"v1~ck."', b""),
        (b'"v0", W/%b, "v1~ck.%b"' % (MINE, OTHER), b'"v0", W/"v1"'),
        (b'"a~ck.b~ck.%b"' % STATE, b'"a~ck.b"'),
        (b'"v1~ck.' + STATE, b""),
        (b"v1~ck." + STATE, b""),
    ],
)
def test_a_conditional_request_shows_the_tags_of_this_state_alone(sent: bytes, shown: bytes) -> None:
    assert caching.match_state(sent, [STATE]) == shown


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"*", b"*"),
        (b'"v1"', b'"v1"'),
        (MINE, b'"v1"'),
        (b'"v1~ck.%b", W/"v2"' % OTHER, b'"v1", W/"v2"'),
    ],
)
def test_a_write_goes_by_the_tag_that_the_application_gave(sent: bytes, shown: bytes) -> None:
    assert caching.without_state(sent) == shown


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"'), max_size=40))
def test_every_tag_comes_back_in_its_own_state_and_in_no_other(opaque: str) -> None:
    etag = f'"{opaque}"'.encode()
    sent = caching.tagged(etag, STATE)
    assert caching.match_state(sent, [STATE]) == etag
    assert caching.match_state(sent, [OTHER]) == b""


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b'"v1"', b""),
        (b"*", b""),
        (b'"v0", %b' % MINE, b'"v1"'),
        (b'"v1~ck.%b"' % OTHER, b'"v1"'),
        (b"x~ck.", b""),
    ],
)
def test_tags_from_before_the_library_can_be_left_out(sent: bytes, shown: bytes) -> None:
    assert caching.match_state(sent, [STATE, OTHER], keeps_unmarked=False) == shown


@pytest.mark.parametrize(
    ("sent", "first"),
    [
        ([], b""),
        ([b'"v1"', b"*"], b""),
        ([MINE], STATE),
        ([b'"v1~ck.x"', b'"v1~ck.%b", %b' % (OTHER, MINE)], OTHER),
    ],
)
def test_the_state_of_a_kept_page_is_read_from_its_tag(sent: list[bytes], first: bytes) -> None:
    assert caching.first_state(sent, [OTHER, STATE]) == first
    assert caching.has_state(b", ".join(sent)) is (b"~ck." in b"".join(sent))


def test_page_in_shared_caches_is_told_apart_by_its_tag_alone() -> None:
    headers = [
        (b"etag", b'"v1"'),
        (b"x-other", b"kept"),
        (b"Last-Modified", b"x"),
        (b"cache-control", b"public"),
    ]
    assert caching.with_state(headers, STATE) == [headers[1], headers[3], (b"etag", MINE)]
    assert caching.with_state([(b"etag", b"malformed")], STATE) == []


@given(st.binary(max_size=200))
def test_whatever_a_browser_sends_as_a_tag_is_read_without_an_error(value: bytes) -> None:
    caching.without_state(value)
    assert MINE not in caching.match_state(value + b"," + MINE, [STATE])
    assert OTHER not in caching.match_state(value + b'"~ck.%b"' % OTHER, [STATE])


def test_what_describes_other_bytes_goes() -> None:
    described = [
        (b"Content-Length", b"3"),
        (b"accept-ranges", b"bytes"),
        (b"content-md5", b"x"),
        (b"Digest", b"x"),
        (b"content-digest", b"x"),
        (b"repr-digest", b"x"),
    ]
    assert caching.without_body_fields([*described, (b"content-type", b"text/html")]) == [
        (b"content-type", b"text/html")
    ]


# HT-04
def test_policies_with_a_nonce_go_and_others_may_stay() -> None:
    with_nonce = [
        (b"Content-Security-Policy", b"script-src 'Nonce-abc'"),
        (b"content-security-policy-report-only", b"script-src 'nonce-abc'"),
    ]
    without, other = (b"content-security-policy", b"default-src 'self'"), (b"x-note", b"'nonce-abc'")
    headers = [*with_nonce, without, other]
    assert caching.without_policies(headers, with_nonces_alone=True) == [without, other]
    assert caching.without_policies(headers, with_nonces_alone=False) == [other]
