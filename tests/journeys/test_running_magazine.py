"""The example site: banner, permissions, withdrawal, comments, and that a refusal hides no text."""

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import html5lib
import httpx2
import pytest
from starlette.testclient import TestClient

from consentkit import ConsentManager, load_policy
from consentkit.ui import inline_style
from examples.running_magazine.app import create_app
from examples.running_magazine.comments import KEPT_PER_ARTICLE, CommentBook
from examples.running_magazine.content import read_shelf
from examples.running_magazine.development import SITES, build, origins_from, read_key
from examples.running_magazine.magazine import HERE
from examples.running_magazine.page_views import PageView
from tests.conftest import Clock
from tests.support.servers import free_port, running

if TYPE_CHECKING:
    from playwright.sync_api import Page

ORIGIN = "http://localhost:8000"
SHELF = read_shelf(HERE / "content" / "stride", "en")
ARTICLES = [piece.path for piece in SHELF.sections["articles"]]
PAGES = [
    "/",
    "/articles",
    "/shoes",
    "/about",
    "/your-data",
    *(piece.path for piece in SHELF.all if piece.section != "pages"),
]
HAMSTRINGS = "/articles/hamstrings"
COMMENTS = f"{HAMSTRINGS}/comments"
PLAYER = "https://www.youtube-nocookie.com/embed/"
LOADING = ("script", "img", "iframe", "link")
EVERYTHING = {"analytical": True, "tracking": True, "social": True}


@dataclass
class Site:
    client: TestClient
    manager: ConsentManager
    views: list[PageView] = field(default_factory=list)

    def answer(self, **categories: bool) -> None:
        answer = self.client.post("/consent/decision", json={"categories": categories})
        assert answer.status_code == 200, answer.text

    def post(self, path: str, **fields: str) -> "httpx2.Response":
        return self.client.post(path, data=fields)


@pytest.fixture
def make_manager(ledger_url: str) -> Iterator[Callable[..., ConsentManager]]:
    """`make_manager(origin, ...)` prepares the magazine's consent for a site that is served there."""
    with ExitStack() as managers:

        def make(origin: str, **options: Any) -> ConsentManager:
            manager = ConsentManager(
                load_policy(HERE / "consent.toml"),
                secret_key="a key that the tests of the magazine sign with",
                ledger=ledger_url,
                site="stride",
                origins={"stride": origin},
                **options,
            )
            managers.callback(manager.close)
            return manager

        yield make


@pytest.fixture
def site(make_manager: Callable[..., ConsentManager], clock: Clock) -> Iterator[Site]:
    manager = make_manager(ORIGIN, clock=clock)
    views: list[PageView] = []

    async def keep(view: PageView) -> None:
        views.append(view)

    app = create_app(manager, ORIGIN, reporter=keep, comments=CommentBook(clock))
    with TestClient(app, base_url=ORIGIN, headers={"Origin": ORIGIN}, follow_redirects=False) as client:
        yield Site(client, manager, views)


def _elements(site: Site, path: str) -> list[ElementTree.Element]:
    tree = html5lib.parse(site.client.get(path).text, namespaceHTMLElements=False)
    return [element for element in tree.iter() if isinstance(element.tag, str)]


def _films(site: Site) -> list[bool]:
    """Tell of each film on one page whether it plays: its frame is ours, and holds the player or a placeholder."""
    frames = [element.get("src") or "" for element in _elements(site, HAMSTRINGS) if element.tag == "iframe"]
    assert all(address.startswith("/consent/embed/youtube?u=") for address in frames)
    return [f'<iframe src="{PLAYER}' in site.client.get(address).text for address in frames]


def _texts(site: Site) -> dict[str, bytes]:
    """Collect the main part of every page, without what third parties or scripts would add to it."""
    return {path: _main(_elements(site, path)) for path in PAGES}


def _main(elements: list[ElementTree.Element]) -> bytes:
    (main,) = (element for element in elements if element.tag == "main")
    for parent in list(main.iter()):
        for child in [child for child in parent if "data-gated" in child.attrib]:
            parent.remove(child)
        parent.attrib.pop("nonce", None)
    return b"".join(ElementTree.tostring(main).split())


# LB-01, UI-01, WD-02
def test_every_page_has_banner_and_settings_link_and_sets_no_cookie(site: Site) -> None:
    for path in PAGES:
        page = site.client.get(path)
        assert page.status_code == 200, path
        assert "set-cookie" not in page.headers, path
        assert "cookie-consent-accept-all" in page.text, path
        assert "cookie-consent-reject-all" in page.text, path
        assert page.text.count('class="site-privacy-settings"') == 1, path


# LB-01, LB-10
def test_no_page_loads_from_another_origin_before_the_answer(site: Site) -> None:
    for path in PAGES:
        loading = [element for element in _elements(site, path) if element.tag in LOADING]
        addresses = [
            element.get("src") or element.get("href") or ""
            for element in loading
            if element.get("type") != "text/plain"
        ]
        assert [address for address in addresses if not address.startswith("/")] == [ORIGIN + path]


# The site is to stand under a strict policy for contents.
def test_no_page_has_an_inline_script_or_a_style_but_ours(site: Site) -> None:
    site.answer(**EVERYTHING)
    for path in PAGES:
        elements = _elements(site, path)
        styles = [element for element in elements if element.tag == "style"]
        assert all(style.text == inline_style()[0] for style in styles)
        scripts = [element for element in elements if element.tag == "script"]
        assert all(script.get("src") or script.get("data-src") for script in scripts)
        attributes = {str(name) for element in elements for name in element.attrib}
        assert [name for name in attributes if name == "style" or name.startswith("on")] == []


# UI-07, WD-01
def test_every_text_is_the_same_in_every_consent_state(site: Site) -> None:
    undecided = _texts(site)
    site.answer()
    refused = _texts(site)
    site.answer(**EVERYTHING)
    granted = _texts(site)
    site.client.delete("/consent/decision")
    withdrawn = _texts(site)
    assert undecided == refused == granted == withdrawn


# LB-03, LB-10
def test_videos_are_placeholders_until_social_is_granted(site: Site) -> None:
    before = site.client.get(HAMSTRINGS).text
    assert before.count("https://www.youtube.com/watch?v=") == 2
    assert _films(site) == [False, False]
    site.answer(social=True)
    assert _films(site) == [True, True]
    site.client.delete("/consent/decision")
    assert _films(site) == [False, False]


# LB-10, TR-05
def test_a_placeholder_names_the_vendor_and_can_grant_it_alone(site: Site) -> None:
    page = site.client.get(HAMSTRINGS).text
    assert "<strong>Disqus</strong> (United States)" in page
    assert "build a profile of you. It loads only if you want it to.</p>" in page
    answer = site.post(
        "/consent/decision",
        **{"choice": "change", "vendor.youtube": "on", "surface": "embed", "next": HAMSTRINGS},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, HAMSTRINGS)
    assert _films(site) == [True, True]
    assert 'id="comment-text"' not in site.client.get(HAMSTRINGS).text


# LB-10
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_comments_are_refused_without_consent(site: Site, method: str) -> None:
    site.answer(analytical=True, tracking=True)
    answer = site.client.request(
        method, COMMENTS, data={"name": "A reader", "text": "Thanks"} if method == "POST" else None
    )
    assert answer.status_code == 403
    site.answer(social=True)
    assert "Thanks" not in site.client.get(HAMSTRINGS).text


def test_comments_are_escaped(site: Site) -> None:
    site.answer(social=True)
    answer = site.post(COMMENTS, name='<i>A "reader"</i>', text="Helped <script>alert(1)</script>\r\na lot")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HAMSTRINGS}#comments")
    for path in (HAMSTRINGS, COMMENTS):
        page = site.client.get(path).text
        assert "Helped &lt;script&gt;alert(1)&lt;/script&gt;\na lot" in page
        assert "&lt;i&gt;A &#34;reader&#34;&lt;/i&gt;" in page
        assert "31 August 2026" in page


@pytest.mark.parametrize(
    ("name", "text"), [("", "Text"), ("A reader", " \n "), ("n" * 61, "Text"), ("A reader", "t" * 2001)]
)
def test_an_invalid_comment_is_refused_with_a_message(site: Site, name: str, text: str) -> None:
    site.answer(social=True)
    answer = site.post(COMMENTS, name=name, text=text)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "Nobody has said anything yet." in answer.text


def test_the_oldest_comments_are_dropped() -> None:
    book = CommentBook()
    for number in range(KEPT_PER_ARTICLE + 1):
        assert book.add("plan", {"name": "A reader", "text": str(number)}) is None
    assert [comment.text for comment in book.under("plan")][:: KEPT_PER_ARTICLE - 1] == [
        "1",
        str(KEPT_PER_ARTICLE),
    ]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Origin": "https://elsewhere.example"}, "name=a&text=b", 403),
        ({"Sec-Fetch-Site": "cross-site"}, "name=a&text=b", 403),
        ({"Sec-Fetch-Site": "same-site"}, "name=a&text=b", 403),
        ({"Content-Type": "text/plain"}, "name=a&text=b", 415),
        ({}, "name=a&text=" + "b" * 8_192, 413),
        ({}, "name=%ff&text=b", 400),
        ({}, "&".join(f"f{number}=1" for number in range(21)), 400),
        ({"Sec-Fetch-Site": "same-origin"}, "name=a&text=b", 303),
    ],
)
def test_forms_from_other_origins_or_too_large_are_refused(
    site: Site, headers: dict[str, str], body: str, status: int
) -> None:
    site.answer(social=True)
    headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    assert site.client.post(COMMENTS, content=body, headers=headers).status_code == status


# LB-06
def test_the_text_size_cookie_needs_no_consent(site: Site) -> None:
    answer = site.post(f"{HAMSTRINGS}/text-size", size="large")
    assert answer.status_code == 303
    assert answer.headers["set-cookie"].startswith("reading-size=large; ")
    assert "piece-large" in site.client.get(HAMSTRINGS).text
    assert site.post(f"{HAMSTRINGS}/text-size", size="huge").status_code == 400


# LB-01, LB-03
def test_the_entry_page_cookie_is_set_only_while_analytical_is_granted(site: Site) -> None:
    site.answer(social=True, tracking=True)
    assert "set-cookie" not in site.client.get(HAMSTRINGS).headers
    site.answer(analytical=True)
    assert "stride-entry" in site.client.get(HAMSTRINGS).headers["set-cookie"]
    assert "set-cookie" not in site.client.get(ARTICLES[1]).headers


# LB-02
def test_page_views_are_reported_by_the_server_only_while_analytical_is_granted(site: Site) -> None:
    site.client.get(HAMSTRINGS)
    site.answer(social=True, tracking=True)
    site.client.get(HAMSTRINGS)
    assert site.views == []
    site.answer(analytical=True)
    site.client.get(HAMSTRINGS)
    site.client.get("/about")
    assert [view.url for view in site.views] == [ORIGIN + HAMSTRINGS, ORIGIN + "/about"]
    site.client.delete("/consent/decision")
    site.client.get(HAMSTRINGS)
    assert len(site.views) == 2


# LB-02
def test_the_partner_link_has_a_click_id_only_while_tracking_is_granted(site: Site) -> None:
    plain = site.client.get("/courses/easy-speed/book")
    assert (plain.status_code, plain.headers["location"]) == (
        303,
        "https://loopschool-noord.example/easy-speed",
    )
    assert "set-cookie" not in plain.headers
    site.answer(tracking=True)
    marked = site.client.get("/courses/easy-speed/book")
    assert "?zgclick=" in marked.headers["location"]
    assert "partner-click=" in marked.headers["set-cookie"]


# WD-03, WD-05
def test_a_handler_can_withdraw_and_delete_cookies(site: Site) -> None:
    site.answer(**EVERYTHING)
    site.client.get(HAMSTRINGS)
    assert "stride-entry" in site.client.cookies
    answer = site.post("/account/forget", sure="yes")
    assert (answer.status_code, answer.headers["location"]) == (303, "/your-data?forgotten")
    assert "stride-entry" not in site.client.cookies
    assert site.client.get("/consent/decision").json()["status"] == "withdrawn"
    assert 'role="status"' in site.client.get("/your-data?forgotten").text
    assert _films(site) == [False, False]


# UI-08, VA-01, VA-02
def test_consent_expires_after_six_months_and_the_banner_returns(site: Site, clock: Clock) -> None:
    site.answer(**EVERYTHING)
    clock.advance(days=184)
    page = site.client.get(HAMSTRINGS)
    assert _films(site) == [False, False]
    assert "cookie-consent-accept-all" in page.text


@pytest.mark.parametrize("path", ["/nowhere", "/articles/nothing", "/shoes/nothing", "/courses/nothing"])
def test_an_unknown_path_gets_the_magazines_404_page(site: Site, path: str) -> None:
    answer = site.client.get(path)
    assert answer.status_code == 404
    assert "This page has run off." in answer.text


def test_a_wrong_method_gets_405_with_allow(site: Site) -> None:
    answer = site.client.get("/account/forget")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


# IN-03, TR-01, XS-01
def test_the_policy_has_vendors_inside_and_outside_the_eea_and_three_sites(site: Site) -> None:
    policy = site.manager.policy
    outside = [vendor.id for vendor in policy.vendors if policy.outside_eea(vendor)]
    assert len(outside) == 7
    assert len(policy.vendors) == 10
    assert [found.id for found in policy.sites] == ["stride", "trailhead", "shoelab"]
    assert policy.languages == ("en", "nl")


def test_every_article_has_400_to_900_words() -> None:
    words = {
        piece.path: len(piece.body.split()) for piece in SHELF.all if piece.section in ("articles", "shoes")
    }
    assert len(words) == 7
    assert {path: count for path, count in words.items() if not 400 <= count <= 900} == {}


def test_the_key_is_created_once_readable_by_the_owner_only(tmp_path: Path) -> None:
    place = tmp_path / "secret-key"
    assert read_key(place, "first") == "first"
    assert read_key(place, "second") == "first"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


# RC-01
def test_the_command_serves_and_answers_survive_a_restart(tmp_path: Path) -> None:
    port = free_port(3)
    command = ["-m", "examples.running_magazine", "--port", str(port), "--data", tmp_path / "data"]
    with httpx2.Client(headers={"Origin": f"http://localhost:{port}"}) as client:
        with running(command, port=port, cwd=HERE.parent.parent) as base:
            assert "set-cookie" not in client.get(base).headers
            answer = client.post(f"{base}/consent/decision", json={"choice": "accept_all"})
            assert answer.json()["status"] == "given"
        with running(command, port=port, cwd=HERE.parent.parent) as base:
            assert client.get(f"{base}/consent/decision").json()["status"] == "given"
            assert "site-privacy-withdraw" in client.get(base + HAMSTRINGS).text
    assert (tmp_path / "data" / "consent.db").exists()


@pytest.fixture
def magazine(make_manager: Callable[..., ConsentManager], serve: Callable[..., str]) -> str:
    port = free_port()
    origin = f"http://localhost:{port}"
    serve(create_app(make_manager(origin), origin), port=port)
    return origin


# LB-02
def test_likes_are_stored_only_while_social_is_granted(magazine: str, page: "Page") -> None:
    page.route(lambda url: not url.startswith(magazine), lambda route: route.abort())
    page.goto(magazine + HAMSTRINGS)
    assert page.locator("button[data-like]").count() == 0
    assert page.evaluate("localStorage.length") == 0
    page.locator(".cookie-consent-accept-all").click()
    page.locator("button[data-like]").click()
    assert page.locator("button[data-like]").get_attribute("aria-pressed") == "true"
    page.goto(magazine)
    assert page.locator("[data-reading-list] li").all_inner_texts() == [
        "How to stretch your hamstrings properly"
    ]


def test_the_first_start_logs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    apps = build(tmp_path / "data", free_port(3))
    assert tuple(apps) == SITES
    assert caplog.messages == []


# LB-01, XS-03
def test_the_command_serves_three_sites_that_hand_a_choice_over(tmp_path: Path) -> None:
    port = free_port(3)
    origins = origins_from(port)
    command = ["-m", "examples.running_magazine", "--port", str(port), "--data", tmp_path]
    with running(command, port=port, cwd=HERE.parent.parent), httpx2.Client() as client:
        jars: dict[str, dict[str, str]] = {site: {} for site in SITES}

        def get(address: str) -> "httpx2.Response":
            """Go to a name that only browsers know to be this machine, with that site's cookies."""
            url = httpx2.URL(address)
            site = url.host.removesuffix(".localhost")
            cookies = "; ".join(f"{name}={value}" for name, value in jars[site].items())
            response = client.request(
                "GET",
                url.copy_with(host="127.0.0.1"),
                headers={"Host": url.netloc.decode(), "Cookie": cookies},
            )
            for line in response.headers.get_list("set-cookie"):
                name, _, value = line.split(";")[0].partition("=")
                jars[site][name] = value
            return response

        for site in SITES:
            page = get(f"{origins[site][0]}/")
            assert page.status_code == 200 and "cookie-consent-accept-all" in page.text and not jars[site]
            assert all(f'href="{origins[other][0]}/"' in page.text for other in SITES if other != site)
            assert get(f"{origins[site][0]}/nowhere").status_code == 404
        answer = client.post(
            f"http://127.0.0.1:{port}/consent/decision",
            json={"choice": "accept_all"},
            headers={"Host": f"stride.localhost:{port}", "Origin": origins["stride"][0]},
        )
        jars["stride"]["consent"] = answer.headers["set-cookie"].split(";")[0].partition("=")[2]
        way = origins["trailhead"][0] + "/consent/handoff/start?iss=stride&next=%2Farticles%2Fheath-at-dawn"
        assert (
            way.replace("%2Farticles%2Fheath-at-dawn", "%2F").replace("&", "&amp;")
            in get(origins["stride"][0]).text
        )
        for _ in range(3):
            way = get(way).headers["location"]
        page = get(origins["trailhead"][0] + way)
        assert (
            PLAYER in page.text and "You accepted everything on Stride; we’ve applied that here." in page.text
        )
        assert get(origins["shoelab"][0] + "/articles/grip-on-wet-paint").status_code == 200
    assert stat.S_IMODE((tmp_path / "trailhead-private-key").stat().st_mode) == 0o600
