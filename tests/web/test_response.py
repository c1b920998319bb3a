import pytest

from consentkit.web.response import Response, content, html, json_document, no_content, redirect


def test_a_response_has_its_own_headers_then_those_of_its_body() -> None:
    assert html("<p>\u00e4", 403, {"cache-control": "no-store"}) == Response(
        403,
        [
            (b"cache-control", b"no-store"),
            (b"content-length", b"5"),
            (b"content-type", b"text/html; charset=utf-8"),
        ],
        b"<p>\xc3\xa4",
    )
    assert content(b"a{}", "text/css").headers[-1] == (b"content-type", b"text/css")
    assert no_content() == Response(204)


def test_json_is_written_in_utf8_and_without_what_json_lacks() -> None:
    assert json_document({"a": "\u00e4", "b": [1, None]}).body == b'{"a":"\xc3\xa4","b":[1,null]}'
    with pytest.raises(ValueError):
        json_document(float("nan"))


def test_the_address_of_a_redirect_is_written_in_ascii_and_keeps_what_has_a_meaning() -> None:
    assert redirect("/a b?q=\u00e4&r=%20#end").headers == [
        (b"content-length", b"0"),
        (b"location", b"/a%20b?q=%C3%A4&r=%20#end"),
    ]


def test_headers_that_a_response_has_are_not_added_again() -> None:
    response = Response(200, [(b"x-frame-options", b"SAMEORIGIN")])
    response.add_missing(((b"x-frame-options", b"DENY"), (b"x-content-type-options", b"nosniff")))
    assert response.headers == [(b"x-frame-options", b"SAMEORIGIN"), (b"x-content-type-options", b"nosniff")]
