import copy

from django.http import HttpResponse
from django.test import Client

from consentkit.django.response_headers import SetCookieLine, raw_headers, write_headers

LINE = "_ga=; Domain=.stride.example; Path=/; Max-Age=0; Partitioned; Secure"


def written(*headers: tuple[bytes, bytes], response: HttpResponse | None = None) -> HttpResponse:
    response = response or HttpResponse(headers={"ETag": '"a"'})
    write_headers(response, list(headers))
    return response


def test_names_keep_their_spelling_and_what_is_left_out_goes() -> None:
    response = written((b"etag", b'"b"'), (b"content-security-policy", b"default-src 'self'"))
    assert dict(response.headers) == {"ETag": '"b"', "Content-Security-Policy": "default-src 'self'"}


def test_several_values_of_one_name_become_a_list() -> None:
    assert written((b"vary", b"Cookie"), (b"vary", b"Accept"))["Vary"] == "Cookie, Accept"


def test_every_line_of_one_cookie_is_sent_as_it_is() -> None:
    other = LINE.replace("Path=/", "Path=/videos")
    response = written((b"set-cookie", LINE.encode()), (b"set-cookie", other.encode()))
    lines = [cookie.output(header="").strip() for cookie in response.cookies.values()]
    assert lines == [LINE, other]
    assert (response.cookies["_ga"]["max-age"], response.cookies["_ga"]["secure"]) == ("0", True)


def test_cookies_of_the_view_stay_the_objects_that_they_are() -> None:
    response = HttpResponse()
    response.set_cookie("lang", "en", samesite="Lax")
    before = response.cookies["lang"]
    written(*raw_headers(response), (b"set-cookie", LINE.encode()), response=response)
    assert response.cookies["lang"] is before
    assert list(response.cookies) == ["lang", "_ga"]


def test_djangos_test_client_sends_the_cookie() -> None:
    client = Client()
    client.cookies.update(written((b"set-cookie", b"consent=a.b-c; Path=/")).cookies)
    assert client.cookies["consent"].value == "a.b-c"


def test_line_survives_a_cache() -> None:
    kept = copy.copy(SetCookieLine(LINE))
    assert kept.OutputString() == LINE
