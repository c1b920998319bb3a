import re
import string
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from starlette.testclient import TestClient

from tests.conftest import Clock
from tests.support.embeds import embed_path, embed_signature
from tests.support.front import KEY, ORIGIN, Front, set_cookies, without_submissions
from tests.support.told import tree, words

VIDEO = "https://www.youtube-nocookie.com/embed/abc?start=3"
ADVERT = "https://frames.adhub.example/x"
EMBED = "/consent/embed/youtube"
SIGNATURE = embed_signature("youtube", VIDEO, key=KEY)
BARE = f"/consent{embed_path('youtube', VIDEO, key=KEY)}"
ADDRESS = f"{BARE}&next=%2Farticles%2Fx%23here"
SAME = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
FRAMED = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}


LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


@pytest.fixture
def client(front: Front) -> TestClient:
    return front.client()


def frames(html: str) -> list[str]:
    return [frame.get("src") for frame in tree(html).iter("iframe")]


# LB-10, DP: a placeholder that names the vendor, with no address of it that loads by itself
def test_before_the_answer_there_is_a_placeholder_that_says_who_where_and_what(client: TestClient) -> None:
    answer = client.get(ADDRESS)
    assert answer.status_code == 200 and frames(answer.text) == []
    text = words(answer.text)
    assert "YouTube" in text and "outside the European Economic Area" in text
    assert "store cookies" in text and "build a profile of you" in text and "Google Ireland Ltd" in text
    page = tree(answer.text)
    attributes = [(e.tag, str(n), v) for e in page.iter() for n, v in e.attrib.items()]
    assert [
        (tag, name) for tag, name, value in attributes if "youtube-nocookie" in value and tag != "form"
    ] == [("a", "href")]
    once, always = page.iter("form")
    fields = {field.get("name"): field.get("value") for field in always.iter("input")}
    assert once.get("action") == f"{ADDRESS}&r={fields['rendering']}" and once.get("method") == "post"
    assert (
        always.get("target") == "_top"
        and fields.items() >= {"vendor.youtube": "on", "surface": "embed"}.items()
    )
    assert fields["next"] == "/articles/x#here"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("&kind=video", "Play this video"), ("", "Show this content"), ("&kind=%3Cb%3E", "Show this content")],
)
def test_the_button_of_the_placeholder_fits_the_content(client: TestClient, kind: str, said: str) -> None:
    page = tree(client.get(ADDRESS + kind).text)
    once = next(page.iter("form"))
    assert "".join(once.itertext()).strip() == said
    assert once.get("action").partition("&r=")[0] == ADDRESS + kind


def test_its_headers_let_only_our_own_pages_frame_it_and_nobody_keep_it(client: TestClient) -> None:
    headers = client.get(ADDRESS).headers
    assert headers["cache-control"] == "private, no-store"
    assert headers["x-frame-options"] == "SAMEORIGIN" and headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy and "default-src 'none'" in policy
    assert "frame-src" not in policy and "unsafe" not in policy


def test_once_allowed_it_is_the_vendors_frame_under_a_policy_for_that_alone(client: TestClient) -> None:
    client.post("/consent/decision", json={"vendors": {"youtube": True}})
    answer = client.get(ADDRESS)
    assert frames(answer.text) == [VIDEO]
    (frame,) = tree(answer.text).iter("iframe")
    assert frame.get("referrerpolicy") == "strict-origin-when-cross-origin"
    assert frame.get("allow") == "fullscreen; autoplay; encrypted-media; picture-in-picture"
    assert answer.headers["content-security-policy"].endswith("; frame-src https://www.youtube-nocookie.com")
    assert answer.headers["cache-control"] == "private, no-store"
    client.delete("/consent/decision")
    assert frames(client.get(ADDRESS).text) == []


def test_loading_once_shows_it_for_a_minute_changes_nothing_and_leads_to_nobody(
    front: Front, client: TestClient, clock: Clock
) -> None:
    answer = client.post(ADDRESS, headers=SAME)
    assert answer.status_code == 303 and set_cookies(answer) == []
    place = answer.headers["location"]
    assert place.startswith(ADDRESS + "&t=")
    assert frames(client.get(place).text) == [VIDEO]
    assert client.get("/consent/decision").json()["status"] == "unknown"
    (record,) = front.records()
    assert (record.event, record.status, record.subject) == ("loaded_once", "unknown", None)
    assert (record.surface, record.choice, dict(record.vendors)) == ("embed", "load_once", {"youtube": True})
    assert not any(record.categories.values()) and record.expires_at is None
    assert frames(client.get(ADDRESS).text) == []
    clock.advance(60)
    assert frames(client.get(place).text) == [VIDEO]
    clock.advance(1)
    assert frames(client.get(place).text) == []
    clock.advance(-62)
    assert frames(client.get(place).text) == []


@pytest.mark.parametrize("change", ["vendor", "address", "time", "signature", "spelling", "garbage", "empty"])
def test_a_token_is_for_one_vendor_one_address_and_one_time(client: TestClient, change: str) -> None:
    place = client.post(ADDRESS, headers=SAME).headers["location"]
    token = parse_qs(urlsplit(place).query)["t"][0]
    another = "https://www.youtube-nocookie.com/embed/abc?start=4"
    other = {
        "vendor": f"/consent{embed_path('adhub', ADVERT, key=KEY, t=token)}",
        "address": f"/consent{embed_path('youtube', another, key=KEY, t=token)}",
        "time": place.replace(token, re.sub(r"^\d+", lambda found: str(int(found[0]) + 1), token)),
        "signature": place[:-4] + ("AAAA" if place[-4:] != "AAAA" else "BBBB"),
        "spelling": place[:-1] + LETTERS[LETTERS.index(place[-1]) ^ 1],
        "garbage": place.replace(token, "%FF"),
        "empty": place.replace(token, ""),
    }[change]
    answer = client.get(other)
    assert answer.status_code == (400 if change == "garbage" else 200) and frames(answer.text) == []
    assert frames(client.get(place).text) == [VIDEO]


def test_load_once_adds_no_record_where_the_vendor_is_allowed(front: Front, client: TestClient) -> None:
    client.post("/consent/decision", json={"vendors": {"youtube": True}})
    before = front.records()
    answer = client.post(ADDRESS, headers=SAME)
    assert (answer.status_code, answer.headers["location"]) == (303, ADDRESS)
    assert front.records() == before


# RC-10: what cannot be recorded is not loaded
def test_nothing_is_loaded_while_the_ledger_is_away(make_front: Callable[..., Front], tmp_path: Path) -> None:
    (tmp_path / "taken.db").mkdir()
    away = make_front(ledger=f"sqlite:///{tmp_path / 'taken.db'}")
    answer = away.client().post(ADDRESS, headers=SAME)
    assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/consent/embed/nobody?u=" + quote(VIDEO), 404),
        ("/consent/embed/google-analytics?u=" + quote(VIDEO), 404),
        ("/consent/embed/youtube/more?u=" + quote(VIDEO), 404),
        ("/consent/embed/", 404),
        (EMBED, 400),
        (EMBED + "?u=", 400),
        (EMBED + "?u=https%3A%2F%2Fevil.example%2F", 400),
        (f"{EMBED}?u={quote(VIDEO)}&u={quote(VIDEO)}", 400),
        (EMBED + "?u=%ff", 400),
        (EMBED + "?" + "&".join(f"a{n}=1" for n in range(20)), 400),
        (EMBED + "?u=https%3A%2F%2Fwww.youtube-nocookie.com%40evil.example%2F", 400),
        (f"{EMBED}?u={quote(VIDEO, safe='')}", 400),
        (f"{EMBED}?u={quote(VIDEO, safe='')}&s=", 400),
        (f"{EMBED}?u={quote(VIDEO, safe='')}&s=%C3%A9", 400),
        (f"{EMBED}?u={quote(VIDEO + '4', safe='')}&s={SIGNATURE}", 400),
        (f"{EMBED}?u={quote(VIDEO, safe='')}&s={embed_signature('adhub', VIDEO, key=KEY)}", 400),
        (f"{EMBED}?u={quote(VIDEO, safe='')}&s={embed_signature('youtube', VIDEO, key=KEY[::-1])}", 400),
        (
            f"{EMBED}?u={quote(VIDEO, safe='')}&s="
            + embed_signature("youtube", VIDEO, key=KEY, site="trailhead"),
            400,
        ),
        (
            f"{EMBED}?u={quote(VIDEO, safe='')}&s={SIGNATURE[:-1]}{LETTERS[LETTERS.index(SIGNATURE[-1]) ^ 1]}",
            400,
        ),
        (f"{BARE}&s={SIGNATURE}", 400),
    ],
)
def test_other_addresses_are_refused(client: TestClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status
    assert client.post(path, headers=SAME).status_code == status


ELSEWHERE = [
    {"sec-fetch-dest": "document", "sec-fetch-site": "none"},
    {"sec-fetch-dest": "document", "sec-fetch-site": "same-origin"},
    {"sec-fetch-dest": "document", "sec-fetch-site": "cross-site"},
    {"sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site"},
    {"sec-fetch-dest": "iframe", "sec-fetch-site": "same-site"},
    {"sec-fetch-dest": "iframe", "sec-fetch-site": "none"},
    {"sec-fetch-dest": "object", "sec-fetch-site": "same-origin"},
    {"sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-dest": "document"},
    {"sec-fetch-dest": "iframe, document", "sec-fetch-site": "same-origin"},
]


# A window or frame of another site must not learn what was allowed, nor show content that was loaded once.
@pytest.mark.parametrize("headers", ELSEWHERE)
def test_outside_a_frame_of_this_site_everybody_gets_the_same_placeholder(
    front: Front, client: TestClient, headers: dict[str, str]
) -> None:
    place = client.post(ADDRESS, headers=SAME).headers["location"]
    assert frames(client.get(place, headers=FRAMED).text) == [VIDEO]
    assert frames(client.get(place).text) == [VIDEO], "a browser without fetch metadata"
    stranger = front.client().get(ADDRESS, headers=headers)
    assert (
        frames(stranger.text) == []
        and "<script" not in stranger.text
        and "Show this content" not in stranger.text
    )
    assert frames(client.get(place, headers=headers).text) == []
    client.post("/consent/decision", json={"vendors": {"youtube": True}})
    assert frames(client.get(ADDRESS, headers=FRAMED).text) == [VIDEO]
    allowed = client.get(ADDRESS, headers=headers)
    assert without_submissions(allowed.content) == without_submissions(stranger.content)
    assert allowed.headers == stranger.headers


def test_the_placeholder_in_a_window_of_its_own_still_offers_the_vendor_and_its_site(
    client: TestClient,
) -> None:
    page = tree(client.get(ADDRESS, headers=ELSEWHERE[0]).text)
    assert [form.get("action") for form in page.iter("form")] == ["/consent/decision"]
    assert VIDEO in [link.get("href") for link in page.iter("a")]


def test_no_other_sites_window_holds_on_to_an_embed(client: TestClient) -> None:
    for path in (ADDRESS, EMBED):
        assert client.get(path).headers["cross-origin-opener-policy"] == "same-origin"


# HT-06
@pytest.mark.parametrize("headers", [{}, {"referer": f"{ORIGIN}/articles/x"}, {"user-agent": "curl/8"}])
def test_nothing_but_a_browser_loads_once(front: Front, client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post(ADDRESS, headers=headers)
    assert answer.status_code == 403 and "location" not in answer.headers and front.records() == []


@pytest.mark.parametrize("headers", [{"origin": ORIGIN}, {"sec-fetch-site": "same-origin"}])
def test_a_browser_that_sends_one_of_the_two_headers_loads_once(
    client: TestClient, headers: dict[str, str]
) -> None:
    assert client.post(ADDRESS, headers=headers).status_code == 303


def test_an_address_outlives_its_key_until_the_key_is_removed(make_front: Callable[..., Front]) -> None:
    newer = "a newer key than the one that pages in a cache are signed with"
    assert make_front(secret_key=[newer, KEY]).client().get(ADDRESS).status_code == 200
    assert make_front(secret_key=newer).client().get(ADDRESS).status_code == 400


# HT-06, WD-08
def test_a_post_has_to_come_from_a_page_of_ours_with_a_form(front: Front, client: TestClient) -> None:
    assert client.post(ADDRESS, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post(ADDRESS, headers={"origin": "https://evil.example"}).status_code == 403
    assert client.post(ADDRESS, headers=SAME, json={}).status_code == 415
    assert client.post(ADDRESS, headers=SAME, data={"a": "x" * 20_000}).status_code == 413
    assert client.put(ADDRESS, headers=SAME).status_code == 405
    assert front.records() == []
    assert client.post(ADDRESS, headers=SAME, data={"x": "1"}).status_code == 303


def test_the_way_back_stays_on_this_site(client: TestClient) -> None:
    assert client.post(BARE, headers=SAME).headers["location"].startswith(f"{BARE}&t=")
    answer = client.get(f"{BARE}&next=https%3A%2F%2Fevil.example")
    (field,) = (one for one in tree(answer.text).iter("input") if one.get("name") == "next")
    assert field.get("value") == "/" and "evil.example" not in answer.text
