"""Three sites that a browser takes for three, with third-party cookies blocked: the hand-off as a visitor meets it."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from jinja2 import Environment
from playwright.sync_api import Playwright, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from consentkit import ConsentManager, Ledger
from consentkit.asgi import ConsentMiddleware, get_consent
from consentkit.jinja import group_link
from tests.conftest import Clock
from tests.support.browser import ARGUMENTS, installed
from tests.support.family import IDS, KEY, PAIRS, a_policy
from tests.support.servers import free_port, serving

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page
    from playwright.sync_api import Route as Intercepted

TEMPLATES = Environment(autoescape=True)
TEMPLATES.filters["group_link"] = group_link
PAGE = TEMPLATES.from_string("""<!doctype html><html lang="en"><head><title>{{ name }}</title>
<link rel="icon" href="data:,"></head><body><main><h1>{{ name }}</h1>
{% for other in others %}<a id="{{ other }}" href="{{ (origins[other] ~ "/shoes?size=42#size")|group_link }}">{{ other }}</a>
{% endfor %}</main></body></html>""")
ALL = "analytical social tracking"
STATUS = ".site-privacy-status dialog"


@dataclass
class Group:
    """Where the sites are, the clock they share, and which requests reached them."""

    origins: dict[str, str]
    clock: Clock
    reached: list[str]


@pytest.fixture
def group(ledger_url: str, clock: Clock) -> Iterator[Group]:
    port = free_port(3)
    origins = {site: f"http://{site}.localhost:{port + place}" for place, site in enumerate(IDS)}
    reached: list[str] = []
    with ExitStack() as running:
        ledger = Ledger(ledger_url)
        running.callback(ledger.close)
        for place, site in enumerate(IDS):
            manager = ConsentManager(
                a_policy(),
                secret_key=KEY,
                ledger=ledger,
                site=site,
                origins=origins,
                clock=clock,
                private_key=PAIRS[site][0],
            )
            running.callback(manager.close)
            running.enter_context(serving(an_app(manager, origins, reached), port=port + place))
        yield Group(origins, clock, reached)


def an_app(manager: ConsentManager, origins: dict[str, str], reached: list[str]) -> Starlette:
    """Serve pages that link to the other sites, what is granted, and a probe of third-party cookies."""

    async def page(request: Request) -> Response:
        reached.append(manager.site)
        others = [site for site in origins if site != manager.site]
        return HTMLResponse(PAGE.render(request=request, name=manager.site, others=others, origins=origins))

    async def granted(request: Request) -> Response:
        return PlainTextResponse(" ".join(sorted(get_consent(request).granted)))

    async def probe(request: Request) -> Response:
        return HTMLResponse(f'<!doctype html><iframe src="{origins["trailhead"]}/probed"></iframe>')

    async def probed(request: Request) -> Response:
        response = PlainTextResponse("sent" if "probe" in request.cookies else "none")
        response.set_cookie("probe", "1", samesite="none", secure=True)
        return response

    async def cached(request: Request) -> Response:
        links = (
            f'<a id="{site}" href="{origin}/shoes?size=42#size">{site}</a>'
            for site, origin in origins.items()
        )
        html = (
            f"<!doctype html><html lang=en><head><title>x</title></head><body>{''.join(links)}</body></html>"
        )
        return HTMLResponse(html, headers={"cache-control": "public, max-age=60"})

    app = Starlette(routes=[Route("/", page), Route("/shoes", page)])
    for handler in (granted, probe, probed, cached):
        app.add_route(f"/{handler.__name__}", handler)
    app.add_middleware(ConsentMiddleware, manager=manager)
    return app


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture
def browse(playwright: Playwright, tmp_path: Path) -> Iterator[Callable[..., "Page"]]:
    """`browse(javascript=…)` opens a page in a browser that blocks third-party cookies, unless told not to."""
    with ExitStack() as opened:

        def browse(*, javascript: bool = True, third_party_cookies: bool = False) -> "Page":
            profile = tmp_path / f"profile-{javascript}-{third_party_cookies}"
            (profile / "Default").mkdir(parents=True)
            blocking = {
                "block_third_party_cookies": not third_party_cookies,
                "cookie_controls_mode": 0 if third_party_cookies else 1,
            }
            (profile / "Default" / "Preferences").write_text(json.dumps({"profile": blocking}))
            context = playwright.chromium.launch_persistent_context(
                profile,
                executable_path=installed(),
                args=list(ARGUMENTS),
                headless=True,
                java_script_enabled=javascript,
            )
            opened.callback(context.close)
            context.set_default_timeout(15_000)
            return context.pages[0]

        yield browse


def cookies(context: "BrowserContext", group: Group, site: str) -> dict[str, str]:
    host = urlsplit(group.origins[site]).hostname
    jar: list[Any] = context.cookies()
    return {cookie["name"]: cookie["value"] for cookie in jar if cookie["domain"].lstrip(".") == host}


def granted(page: "Page", group: Group, site: str) -> str:
    """Ask a site for what is granted, in a tab of its own."""
    tab = page.context.new_page()
    tab.goto(f"{group.origins[site]}/granted")
    text = tab.locator("body").inner_text()
    tab.close()
    return text


# XS-07
def test_the_browsers_of_these_tests_block_what_they_are_said_to_block(
    browse: Callable[..., "Page"], group: Group
) -> None:
    for third_party_cookies, seen in ((False, "none"), (True, "sent")):
        page = browse(third_party_cookies=third_party_cookies)
        for _ in range(2):
            page.goto(f"{group.origins['stride']}/probe")
            told = page.frames[1].locator("body").inner_text()
        assert told == seen


SCRIPTS = pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])


# XS-03, XS-05, XS-07, XS-08, WD-05
@SCRIPTS
@pytest.mark.parametrize("answer", ["accept", "reject"])
def test_an_answer_goes_along_with_a_link_and_a_withdrawal_reaches_back(
    browse: Callable[..., "Page"], group: Group, javascript: bool, answer: str
) -> None:
    page = browse(javascript=javascript)
    page.goto(f"{group.origins['stride']}/")
    page.locator(f".cookie-consent-{answer}-all").click()
    expect(page.locator("#cookie-consent")).to_have_count(0)
    page.locator("#trailhead").click()
    expect(page).to_have_url(f"{group.origins['trailhead']}/shoes?size=42#size")
    expect(page.locator("#cookie-consent")).to_have_count(0)
    chosen = "accepted" if answer == "accept" else "rejected"
    expect(page.locator(STATUS)).to_contain_text(
        f"You {chosen} everything on Stride; we’ve applied that here."
    )
    expected = ALL if answer == "accept" else ""
    assert granted(page, group, "trailhead") == granted(page, group, "stride") == expected
    here, there = (cookies(page.context, group, site) for site in ("stride", "trailhead"))
    assert set(here) == set(there) == {"consent", "consent-state"}
    fields = set(here["consent"].split(".")) & set(there["consent"].split("."))
    assert all(len(field) < 16 for field in fields) and not cookies(page.context, group, "shoelab")
    page.locator(STATUS).get_by_role("button").click()
    expect(page.locator(STATUS)).to_be_hidden()
    page.reload()
    expect(page.locator(STATUS)).to_have_count(0)
    if answer == "accept":
        group.clock.advance(1)
        page.locator("form[action$='/withdraw'] button").click()
        expect(page.locator("form[action$='/withdraw']")).to_have_count(0)
        assert granted(page, group, "trailhead") == ""
        group.clock.advance(60)
        assert granted(page, group, "stride") == ""
        page.goto(f"{group.origins['stride']}/")
        expect(page.locator("#cookie-consent")).to_have_count(0)


# XS-08
@SCRIPTS
def test_who_has_chosen_elsewhere_says_so_in_the_banner_and_comes_back_to_the_page(
    browse: Callable[..., "Page"], group: Group, javascript: bool
) -> None:
    page = browse(javascript=javascript)
    page.goto(f"{group.origins['stride']}/")
    page.locator(".cookie-consent-accept-all").click()
    expect(page.locator("#cookie-consent")).to_have_count(0)
    page.goto(f"{group.origins['shoelab']}/shoes")
    page.get_by_text("Use my choice from Trailhead").click()
    expect(page).to_have_url(f"{group.origins['shoelab']}/shoes")
    expect(page.locator("#cookie-consent")).to_be_visible()
    assert not cookies(page.context, group, "shoelab") and not cookies(page.context, group, "trailhead")
    page.get_by_text("Use my choice from Stride").click()
    expect(page).to_have_url(f"{group.origins['shoelab']}/shoes")
    expect(page.locator(STATUS)).to_be_visible()
    expect(page.locator("#cookie-consent")).to_have_count(0)
    assert granted(page, group, "shoelab") == ALL


# LB-01, XS-07
@SCRIPTS
def test_no_sister_site_hears_of_a_visitor_who_has_not_gone_there(
    browse: Callable[..., "Page"], group: Group, javascript: bool
) -> None:
    page = browse(javascript=javascript)
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
    own = urlsplit(group.origins["stride"]).netloc
    page.goto(f"{group.origins['stride']}/")
    page.locator("#shoelab").hover()
    page.wait_for_load_state("networkidle")
    assert not page.context.cookies() and page.locator("iframe").count() == 0
    page.locator(".cookie-consent-accept-all").click()
    expect(page.locator("#cookie-consent")).to_have_count(0)
    page.locator("#shoelab").hover()
    page.wait_for_load_state("networkidle")
    assert set(asked) == {own} and set(group.reached) == {"stride"}
    assert set(cookies(page.context, group, "stride")) == {"consent", "consent-state"}
    assert len(page.context.cookies()) == 2


# LB-01
def test_a_plain_link_carries_nothing(browse: Callable[..., "Page"], group: Group) -> None:
    page = browse()
    page.goto(f"{group.origins['stride']}/")
    page.locator("#trailhead").click()
    expect(page).to_have_url(f"{group.origins['trailhead']}/shoes?size=42#size")
    expect(page.locator("#cookie-consent")).to_be_visible()
    assert not page.context.cookies()


# XS-06
@SCRIPTS
def test_another_site_sends_its_visitors_through_no_hand_off_unless_they_click(
    browse: Callable[..., "Page"], group: Group, javascript: bool
) -> None:
    page = browse(javascript=javascript)
    page.goto(f"{group.origins['stride']}/")
    page.locator(".cookie-consent-accept-all").click()
    expect(page.locator("#cookie-consent")).to_have_count(0)
    start = f"{group.origins['trailhead']}/consent/handoff/start?iss=stride&next=/shoes"
    link = f'<!doctype html><title>x</title><a id="link" href="{start}">Prizes</a>'
    forced = f'{link}<meta http-equiv="refresh" content="0;url={start}">'
    pages = {"/forced": forced, "/clicked": link}

    def elsewhere(route: "Intercepted") -> None:
        route.fulfill(body=pages[urlsplit(route.request.url).path], content_type="text/html")

    page.route("http://elsewhere.example/*", elsewhere)
    page.goto("http://elsewhere.example/forced")
    expect(page).to_have_url(f"{group.origins['trailhead']}/shoes")
    expect(page.locator("#cookie-consent")).to_be_visible()
    assert not cookies(page.context, group, "trailhead")
    page.goto("http://elsewhere.example/clicked")
    page.locator("#link").click()
    expect(page).to_have_url(f"{group.origins['trailhead']}/shoes")
    expect(page.locator(STATUS)).to_be_visible()
    assert granted(page, group, "trailhead") == ALL


# XS-03
@pytest.mark.parametrize("button", ["left", "middle"])
def test_on_a_page_that_everybody_shares_the_script_leads_links_once_there_is_an_answer(
    browse: Callable[..., "Page"], group: Group, button: Any
) -> None:
    page = browse()
    page.goto(f"{group.origins['stride']}/cached")
    page.locator("#trailhead").click()
    expect(page).to_have_url(f"{group.origins['trailhead']}/shoes?size=42#size")
    expect(page.locator("#cookie-consent")).to_be_visible()
    page.goto(f"{group.origins['stride']}/cached")
    page.locator(".cookie-consent-reject-all").click()
    expect(page.locator("#cookie-consent")).to_have_count(0)
    page.locator("#stride").click()
    expect(page).to_have_url(f"{group.origins['stride']}/shoes?size=42#size")
    page.goto(f"{group.origins['stride']}/cached")
    if button == "middle":
        with page.context.expect_page() as opened:
            page.locator("#trailhead").click(button="middle")
        page = opened.value
    else:
        page.locator("#trailhead").click()
    expect(page).to_have_url(f"{group.origins['trailhead']}/shoes?size=42#size")
    expect(page.locator(STATUS)).to_be_visible()
    assert cookies(page.context, group, "trailhead")["consent-state"].startswith("-")
