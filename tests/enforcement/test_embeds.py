from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.enforcement.embeds import figure, is_within
from tests.support.told import tree

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
def test_an_address_of_a_frame_origin_is_taken(address: str) -> None:
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
def test_whatever_could_lead_elsewhere_is_not(address: str) -> None:
    assert not is_within(address, YOUTUBE)


@given(st.text(max_size=60))
def test_what_is_taken_leads_to_the_origin_in_every_reading(rest: str) -> None:
    address = "https://www.youtube-nocookie.com" + rest
    if is_within(address, YOUTUBE):
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc) == ("https", "www.youtube-nocookie.com")
        assert address.isascii() and address.isprintable() and not set(address) & set(" \"'<>\\`")


# LB-10: nothing of the vendor's loads by itself
def test_the_figure_names_what_it_shows_and_loads_only_from_us() -> None:
    url = "https://www.youtube-nocookie.com/embed/a?b=1&c=2"
    html = figure("youtube", url, 'Stretch <b> "well"', base="/app/consent", page="/articles/x?page=2")
    found = tree(html).find("body/figure")
    frame, link = found.find("iframe"), found.find("figcaption/a")
    path, _, query = frame.get("src").partition("?")
    name = found.get("id")
    assert path == "/app/consent/embed/youtube"
    assert parse_qs(query) == {"u": [url], "next": [f"/articles/x?page=2#{name}"]}
    assert (frame.get("title"), link.text, link.get("href")) == (
        'Stretch <b> "well"',
        'Stretch <b> "well"',
        url,
    )
    assert frame.get("loading") == "lazy" and "style" not in frame.attrib and "scrolling" not in frame.attrib
    assert frame.get("allow") == "fullscreen; autoplay; encrypted-media; picture-in-picture"
    (elsewhere,) = tree(
        figure("youtube", url, "x", base="/consent", page=None, link="https://youtu.be/a")
    ).iter("a")
    assert elsewhere.get("href") == "https://youtu.be/a"
    assert "next" not in unescape(figure("youtube", url, "x", base="/consent", page=None))
