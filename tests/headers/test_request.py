from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consentkit.headers.request import (
    CANDIDATES,
    COOKIE_BYTES_READ,
    RETURN_PATH_LENGTH,
    RawHeaders,
    cookie_values,
    first_cookies,
    header_values,
    is_framed,
    is_navigation,
    local_path,
    may_be_page,
    own_path,
    preferred_language,
    proves_same_origin,
    sends_gpc,
    sent_cookie_names,
)

NAME = b"__Host-consent"


def cookies(*fields: bytes) -> RawHeaders:
    return [(b"host", b"stride.example"), *((b"cookie", field) for field in fields)]


def test_the_values_of_a_repeated_field_are_in_order() -> None:
    headers = [(b"via", b"1"), (b"cookie", b"a=1"), (b"via", b"2")]
    assert header_values(headers, b"via") == [b"1", b"2"]
    assert header_values(headers, b"origin") == []


# CK-05, CK-08
@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ((), []),
        ((b"",), []),
        ((b"__Host-consent=x",), [b"x"]),
        ((b"a=1; __Host-consent=x; b=2",), [b"x"]),
        ((b"a=1;__Host-consent=x;b=2",), [b"x"]),
        ((b"; ;;__Host-consent=x;",), [b"x"]),
        ((b"\t __Host-consent \t=\t x \t; b=2",), [b"x"]),
        ((b"__Host-consent=x=y",), [b"x=y"]),
        ((b"__Host-consent=",), [b""]),
        ((b"__Host-consent=a; __Host-consent=b",), [b"a", b"b"]),
        ((b"__Host-consent=a", b"b=1; __Host-consent=b"), [b"a", b"b"]),
        ((b'__Host-consent="x"',), [b'"x"']),
        ((b"__Host-consent=%78",), [b"%78"]),
        ((b"__Host-consent=\xff\x00",), [b"\xff\x00"]),
        ((b"__Host-consent",), []),
        ((b"__host-consent=x",), []),
        ((b"__HOST-CONSENT=x",), []),
        ((b"__Host-consent-state=x",), []),
        ((b"%5F_Host-consent=x",), []),
        ((b'"__Host-consent"=x',), []),
        ((b"a=b, __Host-consent=x",), []),
        ((b"a=b\x0b__Host-consent=x",), []),
        ((b"=__Host-consent=x",), []),
        ((b"\xa0__Host-consent=x",), []),
        ((b"\x85__Host-consent=x",), []),
        ((b"\r__Host-consent=x",), []),
        ((b"\x00__Host-consent=x",), []),
        ((b"\xe2\x80\x80__Host-consent=x",), []),
        ((b"\xe3\x80\x80__Host-consent=x",), []),
        ((b"\xef\xbb\xbf__Host-consent=x",), []),
        ((b"$Version=1; __Host-consent=x; $Path=/",), [b"x"]),
        ((b'a="b; __Host-consent=x; c="',), [b"x"]),
    ],
)
def test_a_cookie_is_found_only_by_its_exact_name(fields: tuple[bytes, ...], found: list[bytes]) -> None:
    assert cookie_values(cookies(*fields), NAME) == found


def test_at_most_eight_values_are_read() -> None:
    field = b"; ".join(b"__Host-consent=%d" % number for number in range(20))
    assert cookie_values(cookies(field), NAME) == [b"%d" % number for number in range(CANDIDATES)]


# CK-08
@pytest.mark.parametrize("before", [COOKIE_BYTES_READ - 20, COOKIE_BYTES_READ, COOKIE_BYTES_READ * 4])
def test_cookies_are_read_up_to_sixteen_kibibytes(before: int) -> None:
    padding = b"a" * (before - 3) + b"=1;"
    read = before < COOKIE_BYTES_READ
    assert cookie_values(cookies(padding + b"__Host-consent=x"), NAME) == ([b"x"] if read else [])
    assert cookie_values(cookies(padding, b"__Host-consent=x"), NAME) == ([b"x"] if read else [])


@pytest.mark.parametrize(
    ("bytes_left", "first"),
    [
        (11, b"a=1; bc=22;"),
        (10, b"a=1; bc=22"),
        (9, b"a=1"),
        (4, b"a=1"),
        (3, b"a=1"),
        (2, b""),
        (0, b""),
        (-5, b""),
    ],
)
def test_first_cookies_are_whole(bytes_left: int, first: bytes) -> None:
    field = b"a=1; bc=22;"
    assert first_cookies(field, bytes_left) == first
    assert (first_cookies(field, bytes_left) is field) == (bytes_left >= len(field))


def test_names_of_sent_cookies_are_distinct() -> None:
    headers = cookies(b"_ga=1; sid=2", b"_ga=3; nameless; caf\xe9=4; =5")
    assert sent_cookie_names(headers) == ["_ga", "sid", "café", ""]
    assert sent_cookie_names([]) == []


@given(st.lists(st.tuples(st.sampled_from([b"cookie", b"x"]), st.binary(max_size=200)), max_size=5))
@example([(b"cookie", b"\xff" * 70_000), (b"cookie", b"=;=;=")])
def test_any_cookie_bytes_are_read_without_raising(headers: RawHeaders) -> None:  # CK-08
    for name in sent_cookie_names(headers):
        assert len(cookie_values(headers, name.encode("latin-1"))) in range(1, CANDIDATES + 1)


# SG-01
@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ([], False),
        ([b"1"], True),
        ([b" 1\t"], True),
        ([b"0"], False),
        ([b""], False),
        ([b"true"], False),
        ([b"01"], False),
        ([b'"1"'], False),
        ([b"?1"], False),
        ([b"1;q=1"], False),
        ([b"11"], False),
        ([b"1 1"], False),
        ([b"\xc2\xb9"], False),
        ([b"\xb9"], False),
        ([b"1\xa0"], False),
        ([b"0", b"1"], True),
        ([b"0", b"2"], False),
        ([b"1, 1"], True),
        ([b"0,1"], True),
        ([b"0, 2"], False),
        ([b",,1"], True),
        ([b","], False),
    ],
)
def test_gpc_is_sent_only_by_the_value_1(fields: list[bytes], counts: bool) -> None:
    assert sends_gpc([(b"sec-gpc", field) for field in fields]) is counts


def test_do_not_track_is_not_gpc() -> None:  # SG-08
    assert not sends_gpc([(b"dnt", b"1")])


OURS = frozenset({b"https://stride.example", b"http://localhost:8000"})
SITES = {b"same-origin": True, b"none": True, b"same-site": False, b"cross-site": False, b"": False}
ORIGINS = {
    b"https://stride.example": True,
    b"http://localhost:8000": True,
    b"null": None,
    b"": False,
    b"https://stride.example/": False,
    b"https://stride.example:443": False,
    b"http://stride.example": False,
    b"https://STRIDE.example": False,
    b"https://stride.example.": False,
    b"https://stride.example.evil.example": False,
    b"https://evil-stride.example": False,
    b"https://www.stride.example": False,
    b"https://stride.example@evil.example": False,
    b"https://stride.example, https://stride.example": False,
    b"https://stride.example https://evil.example": False,
    b"https://evil.example": False,
    b"http://localhost": False,
    b"http://localhost:80000": False,
    b"http://localhost:8000\x00": False,
    b"NULL": False,
    b"file://": False,
    b"\xff": False,
}
"""Whether an Origin is ours; None for `null`, which passes only with a Sec-Fetch-Site that does."""
REFERERS = {
    b"https://stride.example/shoes?x=1#y": True,
    b"https://stride.example": True,
    b"https://stride.example?x": True,
    b"http://localhost:8000/": True,
    b"https://evil.example/https://stride.example/": False,
    b"https://evil.example/": False,
    b"https://stride.example.evil.example/": False,
    b"https://stride.example:8443/": False,
    b"https://stride.example@evil.example/": False,
    b"https://stride.example\\@evil.example/": False,
    b"https:/stride.example/": False,
    b"//stride.example/": False,
    b"stride.example": False,
    b"about:blank": False,
    b"": False,
}


def request(
    sites: tuple[bytes, ...] = (), origins: tuple[bytes, ...] = (), referers: tuple[bytes, ...] = ()
) -> RawHeaders:
    return [
        (b"host", b"evil.example"),
        *((b"sec-fetch-site", site) for site in sites),
        *((b"origin", origin) for origin in origins),
        *((b"referer", referer) for referer in referers),
    ]


# WD-08
@pytest.mark.parametrize("site", SITES)
def test_sec_fetch_site_decides_together_with_an_origin(site: bytes) -> None:
    for origin, referer in product([None, *ORIGINS], [(), (b"https://evil.example/",)]):
        passes = SITES[site] and (origin is None or ORIGINS[origin] is not False)
        headers = request((site,), () if origin is None else (origin,), referer)
        assert proves_same_origin(headers, OURS) is passes, (origin, referer)


@pytest.mark.parametrize("origin", ORIGINS)
def test_without_sec_fetch_site_the_origin_must_be_ours(origin: bytes) -> None:  # WD-08
    for referer in ((), (b"https://evil.example/",), (b"https://stride.example/",)):
        assert proves_same_origin(request((), (origin,), referer), OURS) is (ORIGINS[origin] is True)


@pytest.mark.parametrize("referer", REFERERS)
def test_without_either_the_origin_of_the_referer_must_be_ours(referer: bytes) -> None:  # WD-08
    assert proves_same_origin(request((), (), (referer,)), OURS) is REFERERS[referer]


def test_a_request_with_none_of_the_three_comes_from_no_browser_and_passes() -> None:  # WD-08
    assert proves_same_origin(request(), OURS)
    assert proves_same_origin([(b"x-origin", b"https://evil.example")], OURS)


@pytest.mark.parametrize(
    ("sites", "origins", "referers"),
    [
        ((b"same-origin", b"same-origin"), (), ()),
        ((b"same-origin", b"cross-site"), (), ()),
        ((b"same-origin, same-origin",), (), ()),
        ((b"Same-Origin",), (), ()),
        ((b" same-origin",), (), ()),
        ((b"same-origin",), (b"https://stride.example", b"https://stride.example"), ()),
        ((b"same-origin",), (b"https://stride.example", b"https://evil.example"), ()),
        ((), (b"https://stride.example", b"https://stride.example"), ()),
        ((), (b"null", b"https://stride.example"), ()),
        ((), (), (b"https://stride.example/", b"https://stride.example/")),
        ((), (), (b"https://stride.example/", b"https://evil.example/")),
    ],
)
def test_repeated_fields_and_lists_prove_nothing(  # WD-08
    sites: tuple[bytes, ...], origins: tuple[bytes, ...], referers: tuple[bytes, ...]
) -> None:
    assert not proves_same_origin(request(sites, origins, referers), OURS)


@given(
    st.lists(
        st.tuples(st.sampled_from([b"sec-fetch-site", b"origin", b"referer"]), st.binary(max_size=40)),
        min_size=1,
        max_size=4,
    )
)
def test_no_other_bytes_prove_our_origin(headers: list[tuple[bytes, bytes]]) -> None:  # WD-08
    if not any(part in value for _, value in headers for part in (b"none", b"same-origin", *OURS)):
        assert not proves_same_origin(headers, OURS)


@pytest.mark.parametrize(
    ("root_path", "path"), [("", "/consent"), ("/app", "/app/consent"), ("/app/", "/app/consent")]
)
def test_own_path_is_below_the_root_path(root_path: str, path: str) -> None:
    assert own_path(root_path, "/consent") == path


# HT-06
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/shoes",
        "/shoes/?a=b&c=%2F#top",
        "/consenting",
        "/consent.html",
        "/shoes?next=/consent",
        "/shoes#/consent",
        "/a//b",
        "/a;b=c",
        "/@evil.example",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "/:80/",
        "/./shoes",
        "/" + "a" * (RETURN_PATH_LENGTH - 1),
    ],
)
def test_a_path_of_this_site_is_returned_unchanged(path: str) -> None:
    assert local_path(path, "/consent") == path


# HT-06
@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "shoes",
        "?x",
        "#x",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/shoes\\x",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "%2f%2fevil.example",
        "%2fshoes",
        " /shoes",
        "/shoes ",
        "/sho es",
        "/\t/evil.example",
        "\t//evil.example",
        "/shoes\r\nSet-Cookie: a=b",
        "/shoes\n",
        "/shoes\x00",
        "/shoes\x7f",
        "/café",
        "/\u2215evil.example",
        "/\ud800",
        "\u3000/shoes",
        "/" + "a" * RETURN_PATH_LENGTH,
    ],
)
def test_anything_else_becomes_the_front_page(value: str | None) -> None:
    assert local_path(value, "/consent") == "/"


# HT-06
@pytest.mark.parametrize(
    "path",
    [
        "/consent",
        "/consent/",
        "/consent?x",
        "/consent#x",
        "/consent/handoff/start?iss=b",
        "/%63onsent/withdraw",
        "/consen%74",
        "/./consent",
        "/shoes/../consent/policy",
        "/shoes/%2e%2e/consent",
        "/%2E/consent",
        "/../consent",
        "/shoes/..//consent",
        "/consent%2Fpolicy",
    ],
)
def test_a_path_below_the_prefix_becomes_the_front_page_in_any_spelling(path: str) -> None:
    assert local_path(path, "/consent") == "/"
    assert local_path(path, "/privacy") == path


@given(
    st.text(max_size=40).map(lambda text: f"/{text}") | st.text(max_size=20),
    st.sampled_from(["/consent", "/a/b"]),
)
def test_any_text_becomes_a_path_of_this_site(value: str, prefix: str) -> None:  # HT-06
    path = local_path(value, prefix)
    assert path in ("/", value)
    assert path.startswith("/") and not path.startswith(("//", "/\\"))
    assert path.isascii() and path.isprintable() and " " not in path and "\\" not in path


# IN-07
@pytest.mark.parametrize(
    ("accepted", "languages", "chosen"),
    [
        ([], ["en", "nl"], "en"),
        ([b""], ["en", "nl"], "en"),
        ([b"nl"], ["en", "nl"], "nl"),
        ([b"NL"], ["en", "nl"], "nl"),
        ([b"nl-BE"], ["en", "nl"], "nl"),
        ([b"nl-Latn-BE-x-a"], ["en", "nl"], "nl"),
        ([b"fr"], ["en", "nl"], "en"),
        ([b"fr, nl;q=0.1"], ["en", "nl"], "nl"),
        ([b"en;q=0.5, nl;q=0.8"], ["en", "nl"], "nl"),
        ([b"en;q=0.5,nl;q=0.5"], ["nl", "en"], "en"),
        ([b"nl;q=0.9, en"], ["nl", "en"], "en"),
        ([b"nl ; Q = 0.9,\ten"], ["nl", "en"], "en"),
        ([b"en;q=0.1", b"nl"], ["en", "nl"], "nl"),
        ([b"pt"], ["en", "pt-BR"], "pt-BR"),
        ([b"pt-PT"], ["en", "pt-BR"], "pt-BR"),
        ([b"zh"], ["zh-Hant", "zh"], "zh"),
        ([b"zh-hant-tw"], ["zh", "zh-Hant"], "zh-Hant"),
        ([b"zh-TW"], ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ([b"zh-TW"], ["zh-Hant", "zh-TW"], "zh-TW"),
        ([b"zh-Hant-HK"], ["zh-CN", "zh-TW"], "zh-TW"),
        ([b"zh-SG"], ["en", "zh-Hant", "zh-Hans"], "zh-Hans"),
        ([b"zh-Hant"], ["en", "zh"], "zh"),
        ([b"sr-Latn-RS"], ["en", "sr", "sr-Latn"], "sr-Latn"),
        ([b"sr-Latn"], ["en", "sr"], "sr"),
        ([b"sr"], ["en", "sr-Cyrl", "sr-Latn"], "sr-Cyrl"),
        ([b"pt-BR, en;q=0.9"], ["en", "pt"], "pt"),
        ([b"no-NO"], ["en", "nb"], "nb"),
        ([b"nb-NO, en;q=0.8"], ["en", "no"], "no"),
        ([b"nn"], ["en", "nb"], "nb"),
        ([b"nn"], ["en", "nb", "nn"], "nn"),
        ([b"nb"], ["nn", "no", "nb"], "nb"),
        ([b"iw-IL"], ["en", "he"], "he"),
        ([b"da"], ["en", "nb"], "en"),
        ([b"de-CH-1996"], ["de", "de-CH"], "de-CH"),
        ([b"n"], ["en", "nl"], "en"),
        ([b"nlx"], ["en", "nl"], "en"),
        ([b"*"], ["en", "nl"], "en"),
        ([b"fr, *;q=0.5"], ["en", "nl"], "en"),
        ([b"*;q=0.5, nl"], ["en", "nl"], "nl"),
        ([b"*, nl"], ["en", "nl"], "nl"),
        ([b"*,nl;q=0.1"], ["en", "nl"], "nl"),
        ([b"*, fr"], ["en", "nl"], "en"),
        ([b"*, fr, en;q=0"], ["en", "nl"], "nl"),
        ([b"en;q=0.1, *;q=0.5"], ["nl", "en"], "en"),
        ([b"en;q=0, *"], ["en", "nl"], "nl"),
        ([b"en;q=0.5, *"], ["en"], "en"),
        ([b"en;q=0, nl;q=0.000"], ["en", "nl"], "en"),
        ([b"nl;q=0"], ["en", "nl"], "en"),
        ([b"nl;q=1.000"], ["en", "nl"], "nl"),
        ([b"nl;q=1.5"], ["en", "nl"], "en"),
        ([b"nl;q=0.1234"], ["en", "nl"], "en"),
        ([b"nl;q=nan"], ["en", "nl"], "en"),
        ([b"nl;q=-1"], ["en", "nl"], "en"),
        ([b"nl;q="], ["en", "nl"], "en"),
        ([b"nl;level=1"], ["en", "nl"], "en"),
        ([b"nl_BE"], ["en", "nl"], "en"),
        ([b"*-NL"], ["en", "nl"], "en"),
        ([b"\xff, nl"], ["en", "nl"], "nl"),
        ([b"x" * 1024 + b", nl"], ["en", "nl"], "en"),
        ([b"fr," * 400, b"nl"], ["en", "nl"], "en"),
    ],
)
def test_the_preferred_language_follows_accept_language(
    accepted: list[bytes], languages: list[str], chosen: str
) -> None:
    assert preferred_language([(b"accept-language", value) for value in accepted], languages) == chosen


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"nl-BE;q=0.8", b"*", b"de, *;q=0"]), max_size=4))
@example([b"a" + b" " * 1022 + b"b"] * 60)
def test_any_accept_language_bytes_give_one_of_the_languages(accepted: list[bytes]) -> None:
    headers = [(b"accept-language", value) for value in accepted]
    assert preferred_language(headers, ("en", "nl", "pt-BR")) in ("en", "nl", "pt-BR")


@pytest.mark.parametrize(
    ("sent", "framed", "navigation", "page"),
    [
        ([], False, False, False),
        ([(b"sec-fetch-dest", b"document")], False, True, True),
        ([(b"sec-fetch-dest", b"iframe")], True, False, True),
        ([(b"sec-fetch-dest", b"frame")], False, False, True),
        (
            [(b"sec-fetch-dest", b"empty"), (b"accept", b"text/html, application/xhtml+xml")],
            False,
            False,
            True,
        ),
        ([(b"sec-fetch-dest", b"empty"), (b"accept", b"*/*")], False, False, False),
        ([(b"sec-fetch-dest", b"empty"), (b"hx-boosted", b"true"), (b"accept", b"*/*")], False, False, True),
        ([(b"sec-fetch-dest", b"image"), (b"accept", b"image/avif,*/*;q=0.8")], False, False, False),
        ([(b"sec-fetch-dest", b"document"), (b"sec-fetch-dest", b"document")], False, False, True),
    ],
)
def test_where_a_response_is_shown_follows_from_fetch_metadata(
    sent: list[tuple[bytes, bytes]], framed: bool, navigation: bool, page: bool
) -> None:
    assert (is_framed(sent), is_navigation(sent), may_be_page(sent)) == (framed, navigation, page)
