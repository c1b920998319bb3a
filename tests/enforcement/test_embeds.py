from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.enforcement.embeds import is_within

YOUTUBE = ("https://www.youtube-nocookie.com", "https://*.safeframe.example", "https://video.example:8443")


@pytest.mark.parametrize(
    "address",
    [
        "https://www.youtube-nocookie.com",
        "https://www.youtube-nocookie.com/embed/a-b_c?start=3&rel=0#t=1",
        "https://one.safeframe.example/x",
        "https://one.two.safeframe.example/",
        "https://video.example:8443/?q=[1]%20;",
    ],
)
def test_an_address_with_a_declared_origin_is_within(address: str) -> None:
    assert is_within(address, YOUTUBE)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://www.youtube-nocookie.com/embed/a",
        "HTTPS://www.youtube-nocookie.com/",
        "//www.youtube-nocookie.com/",
        "https:/www.youtube-nocookie.com/",
        "https:\\\\www.youtube-nocookie.com/",
        "https://www.youtube-nocookie.com.evil.example/",
        "https://www.youtube-nocookie.com@evil.example/",
        "https://evil.example\\@www.youtube-nocookie.com/",
        "https://user:pw@www.youtube-nocookie.com/",
        "https://www.youtube-nocookie.com:443/",
        "https://www.youtube-nocookie.com:8443/",
        "https://WWW.youtube-nocookie.com/",
        "https://www.youtube-nocookie.com./",
        "https://www.youtube-nocookie.com/\n",
        "\thttps://www.youtube-nocookie.com/",
        "https://www.youtube-nocookie.com/ onload",
        'https://www.youtube-nocookie.com/"><script>',
        "https://www.youtube-nocookie.com/é",
        "https://www.youtube-nocookie.com/\\evil",
        "https://safeframe.example/",
        "https://.safeframe.example/",
        "https://evilsafeframe.example/",
        "https://video.example/",
        "javascript:alert(1)//https://www.youtube-nocookie.com/",
        "https://www.youtube-nocookie.com/" + "a" * 2048,
    ],
)
def test_an_address_that_could_lead_elsewhere_is_not_within(address: str) -> None:
    assert not is_within(address, YOUTUBE)


@given(st.text(max_size=60))
def test_an_address_within_leads_to_the_origin_for_every_parser(rest: str) -> None:
    address = "https://www.youtube-nocookie.com" + rest
    if is_within(address, YOUTUBE):
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc) == ("https", "www.youtube-nocookie.com")
        assert address.isascii() and address.isprintable() and not set(address) & set(" \"'<>\\`")


PATHS = ("https://video.example/embed/", "https://*.maps.example/one")


@pytest.mark.parametrize(
    ("address", "within"),
    [
        ("https://video.example/embed/", True),
        ("https://video.example/embed/a/b?start=1#t", True),
        ("https://a.maps.example/one?x", True),
        ("https://a.maps.example/one", True),
        ("https://video.example", False),
        ("https://video.example/embed", False),
        ("https://video.example/watch", False),
        ("https://video.example/?/embed/", False),
        ("https://video.example/embed/../watch", False),
        ("https://video.example/embed/%2E./watch", False),
        ("https://video.example/embed/..", False),
        ("https://a.maps.example/one/two", False),
        ("https://maps.example/one", False),
    ],
)
def test_a_declared_path_limits_what_is_within(address: str, within: bool) -> None:
    assert is_within(address, PATHS) is within
