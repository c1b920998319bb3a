"""Embeds and links to the group in pages of another origin, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from consentkit import ConsentManager
from consentkit.asgi import ConsentMiddleware
from consentkit.ui import figure
from consentkit.web import EmbedSigner
from tests.support.browser import until
from tests.support.family import PAIRS, a_policy
from tests.support.front import KEY
from tests.support.front_ends import GATED, FrontEnd, on_two_origins, static
from tests.support.servers import free_port, serving

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Page

HOSTS = ("www.stride.localhost", "api.stride.localhost")
VIDEO = "https://www.youtube-nocookie.com/embed/abc"
BANNER = "#cookie-consent"


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    with on_two_origins(tmp_path_factory.mktemp("ledgers"), *HOSTS) as front_end:
        yield front_end


@pytest.fixture
def film(page: "Page") -> "FrameLocator":
    """The frame of the embed, with a film that YouTube would send."""
    page.route("https://www.youtube-nocookie.com/**", lambda route: route.fulfill(body="A film"))
    return page.frame_locator(".cookie-consent-embed iframe")


def page_with_film(site: FrontEnd) -> str:
    signature = EmbedSigner(site.manager).sign("youtube", VIDEO, title="Stretch")
    base = site.loader.removesuffix("/loader.js")
    markup = figure("youtube", VIDEO, "Stretch", signature=signature, base=base, page=None, kind="video")
    return site.page(body=f"{markup}{GATED}")


def expect_film(film: "FrameLocator") -> None:
    expect(film.frame_locator("iframe").locator("body")).to_have_text("A film")


def test_page_follows_what_is_decided_in_the_frame(
    front_end: FrontEnd, page: "Page", film: "FrameLocator"
) -> None:
    page.goto(page_with_film(front_end))
    expect(page.locator(BANNER)).to_be_visible()
    page.evaluate("window.mark = 1")
    film.locator("summary").click()
    film.locator("form[target=_top] button").click()
    expect_film(film)
    expect(page.locator("#video")).to_have_count(1)
    assert page.evaluate("[window.mark, typeof counted]") == [1, "undefined"]
    expect(page.locator(".site-privacy-withdraw")).to_have_count(1)


def test_frame_follows_what_is_decided_in_the_page(
    front_end: FrontEnd, page: "Page", film: "FrameLocator"
) -> None:
    page.goto(page_with_film(front_end))
    expect(film.locator("form.cookie-consent-once")).to_be_visible()
    page.click("#cookie-consent-accept-all")
    expect_film(film)
    page.click(".site-privacy-withdraw button")
    expect(film.locator("form.cookie-consent-once")).to_be_visible()


def test_content_is_loaded_once_in_the_frame(front_end: FrontEnd, page: "Page", film: "FrameLocator") -> None:
    before = len(front_end.events())
    page.goto(page_with_film(front_end))
    film.locator("form.cookie-consent-once button").click()
    expect_film(film)
    expect(page.locator(BANNER)).to_be_visible()
    assert front_end.events()[before:] == ["loaded_once"]


def test_an_origin_that_is_not_listed_shows_no_frame(tmp_path: Path, page: "Page") -> None:
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    with on_two_origins(tmp_path, *HOSTS, listed=False) as stranger:
        page.goto(page_with_film(stranger))
        page.locator(".cookie-consent-embed").scroll_into_view_if_needed()
        while not any("frame" in line.lower() for line in refused):
            page.wait_for_event("console")
        assert page.frames[-1].url.startswith("chrome-error:")


def test_link_takes_the_choice_to_another_site_of_the_group(tmp_path: Path, page: "Page") -> None:
    port = free_port()
    there = f"http://trailhead.localhost:{port}"
    policy, ledger = a_policy("stride", "trailhead"), f"sqlite:///{tmp_path / 'group.db'}"
    keys = {site: private for site, (private, _) in PAIRS.items()}
    options = {"policy": policy, "ledger": ledger, "private_key": keys["stride"]}
    with on_two_origins(tmp_path, *HOSTS, origins={"trailhead": there}, **options) as stride:
        origins = {site: list(listed) for site, listed in stride.manager.origins.items()}
        manager = ConsentManager(
            policy,
            secret_key=KEY,
            ledger=ledger,
            site="trailhead",
            origins=origins,
            private_key=keys["trailhead"],
        )
        shoes = "<!doctype html><html lang=en><title>Shoes</title><h1>Shoes</h1></html>"
        app = ConsentMiddleware(static({"/shoes": (shoes, {})}), manager)
        with serving(app, port=port):
            page.goto(stride.page(body=f'<a id=shoes href="{there}/shoes?size=42#top">Shoes</a>'))
            expect(page.locator(BANNER)).to_be_visible()
            page.click("#shoes")
            page.wait_for_url(f"{there}/shoes?size=42#top")
            expect(page.locator(BANNER)).to_be_visible()
            page.go_back()
            page.click("#cookie-consent-accept-all")
            expect(page.locator(BANNER)).to_have_count(0)
            page.click("#shoes")
            page.wait_for_url(f"{there}/shoes?size=42#top")
            until(page, "window.consentkit?.allows('analytical')")
            assert page.locator(BANNER).count() == 0
        manager.close()
        assert stride.events() == ["given", "imported"]
