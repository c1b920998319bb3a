from typing import Any

import pytest
from jinja2 import Environment
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from consentkit import ConsentManager, Ledger
from consentkit.asgi import ConsentMiddleware
from consentkit.errors import MissingMiddlewareError
from consentkit.handoff.links import handoff_address
from consentkit.jinja import group_link
from consentkit.web import RequestConsent, RequestHead
from tests.conftest import Clock
from tests.support.family import KEY, ORIGINS, PAIRS, Family, a_family, a_policy
from tests.support.sites import managing

START = "https://trailhead.example/consent/handoff/start?iss=stride&next="


@pytest.mark.parametrize(
    ("address", "led"),
    [
        ("https://trailhead.example", START + "%2F"),
        ("https://trailhead.example/", START + "%2F"),
        ("https://trailhead.example/routes?by=km&up=1", START + "%2Froutes%3Fby%3Dkm%26up%3D1"),
        ("https://trailhead.example?q=1", START + "%2F%3Fq%3D1"),
        ("https://trailhead.example/routes#map", START + "%2Froutes#map"),
        ("https://trailhead.example#map", START + "%2F#map"),
        ("http://localhost:8001/routes", START + "%2Froutes"),
        ("https://stride.example/", None),
        ("https://trailhead.example.evil.example/", None),
        ("https://trailhead.example:8443/", None),
        ("https://trailhead.example@evil.example/", None),
        ("https://trailhead.example\\@evil.example/", None),
        ("http://trailhead.example/", None),
        ("//trailhead.example/", None),
        ("/routes", None),
        ("", None),
        ("https://elsewhere.example/", None),
        ("https://trailhead.example/consent", None),
        ("https://trailhead.example/consent/handoff/start?iss=stride&next=/", None),
        ("https://trailhead.example//evil.example", None),
        ("https://trailhead.example/é", None),
        ("https://trailhead.example/" + "a" * 1024, None),
    ],
)
def test_only_a_page_of_another_site_is_reached_by_way_of_the_hand_off(address: str, led: str | None) -> None:
    origins = {
        "stride": ("https://stride.example",),
        "trailhead": ("https://trailhead.example", "http://localhost:8001"),
    }
    found = handoff_address(address, site="stride", origins=origins, prefix="/consent")
    assert found == (led or address)


TEMPLATES = Environment(autoescape=True)
TEMPLATES.filters["group_link"] = group_link
BODY = '<!doctype html><html><head></head><body><a href="{{ url|group_link }}">Go</a></body></html>'


def client(manager: ConsentManager, url: str = "https://trailhead.example/routes?a=1&b=2") -> TestClient:
    """Serve a page with one link, which its template makes with nothing but the request."""

    async def page(request: Request) -> Response:
        return HTMLResponse(TEMPLATES.from_string(BODY).render(request=request, url=url))

    app = Starlette(routes=[Route("/", page)])
    app.add_middleware(ConsentMiddleware, manager=manager)
    return TestClient(app, base_url=ORIGINS["stride"])


# LB-01, XS-03
def test_links_take_a_choice_along_where_there_is_one_whatever_it_is(family: Family) -> None:
    with client(family["stride"].manager) as browser:
        plain = '<a href="https://trailhead.example/routes?a=1&amp;b=2">'
        assert plain in browser.get("/").text
        led = '<a href="https://trailhead.example/consent/handoff/start?iss=stride&amp;next=%2Froutes%3Fa%3D1%26b%3D2">'
        for choice in ("accept_all", "reject_all"):
            browser.post("/consent/decision", json={"choice": choice})
            page = browser.get("/")
            assert led in page.text
            assert page.headers["cache-control"] == "private, no-cache" and "Cookie" in page.headers["vary"]


def test_a_link_to_elsewhere_makes_no_page_personal(family: Family) -> None:
    manager = family["stride"].manager
    manager.show_banner = False
    for url in ("https://elsewhere.example/", "/shoes"):
        response = rendered(manager, url=url)
        assert response == url


def rendered(manager: ConsentManager, **context: Any) -> str:
    """Render a link for who has not answered, and hold that the consent was not asked for."""
    consent = RequestConsent(manager, RequestHead("GET", "/", []))
    text = TEMPLATES.from_string("{{ url|group_link }}").render(consent=consent, **context)
    assert not consent._accessed
    return text


def test_a_site_without_a_key_of_its_own_links_plainly(ledger: Ledger, clock: Clock) -> None:
    with managing(a_policy(), ledger=ledger, clock=clock, secret_key=KEY) as manager:
        assert rendered(manager, url="https://trailhead.example/") == "https://trailhead.example/"


def test_an_address_that_is_escaped_already_is_escaped_once(family: Family) -> None:
    url = Markup("https://elsewhere.example/?a=1&amp;b=2")
    assert rendered(family["stride"].manager, url=url) == "https://elsewhere.example/?a=1&amp;b=2"


@pytest.mark.parametrize("context", [{}, {"request": object()}, {"consent": "yes"}])
def test_without_a_request_it_is_said_what_the_template_needs(context: dict[str, object]) -> None:
    with pytest.raises(MissingMiddlewareError, match=r"neither a `request` .* nor `consent`"):
        TEMPLATES.from_string("{{ '/'|group_link }}").render(**context)


# XS-01
@pytest.mark.parametrize("path", ["/consent/sites", "/consent/policy"])
def test_the_overview_lists_each_site_with_a_link_that_takes_a_choice_along(
    family: Family, path: str
) -> None:
    browser = family.browser()
    before = browser.get("stride", path).text
    for site in ("trailhead", "shoelab"):
        assert f'<a href="https://{site}.example" rel="noopener noreferrer">{site.title()}</a>' in before
    browser.choose("stride", {})
    after = browser.get("stride", path).text
    for site in ("trailhead", "shoelab"):
        assert f'href="https://{site}.example/consent/handoff/start?iss=stride&amp;next=%2F"' in after
        assert f"<small>https://{site}.example</small>" in after
    assert 'href="https://stride.example"' in after


def test_a_site_that_can_only_fetch_a_choice_links_plainly(ledger: Ledger, clock: Clock) -> None:
    rows = [
        {"id": site, "name": site, "origin": ORIGINS[site]}
        | ({"public_key": PAIRS[site][1]} if site == "shoelab" else {})
        for site in ("stride", "shoelab")
    ]
    with a_family(ledger, clock, a_policy(sites=rows), private_key=None) as family:
        browser = family.browser()
        browser.choose("stride", {})
        assert "/handoff/" not in browser.get("stride", "/consent/sites").text
