"""The rules of the place where a visitor is, through HTTP: what responses depend on, and what hosts read of a request."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from consentkit import ConsentManager, Ledger, Place, trusted_header
from consentkit.asgi import ConsentMiddleware
from consentkit.web import SiteServices
from consentkit.web.places import ServicesByPlace
from consentkit.wsgi import ConsentMiddleware as WsgiMiddleware
from tests.conftest import Clock
from tests.support.django_site import DjangoSite, page
from tests.support.placed_site import placed_policy
from tests.support.policies import add, put
from tests.support.regimes import policy_with_regimes
from tests.support.sites import PAGE, managing, site

ORIGIN, PROXY, STRANGER = "https://stride.example", "10.0.0.1", "203.0.113.7"
POLICY = policy_with_regimes(
    put("vendors", 0, role="processor"),
    add("categories", id="ads"),
    add(
        "vendors",
        id="ad",
        name="Ads",
        category="ads",
        profiling=True,
        origins={"script": ["https://ad.example"]},
    ),
    add("trackers", name="ad", category="ads", vendor="ad"),
    gb=True,
    us="opt_out",
)
CALIFORNIA = {"x-country": "US", "x-region": "CA"}
LOCATION = trusted_header(country="X-Country", region="X-Region", peers=[PROXY])
BANNER = 'id="cookie-consent"'


@pytest.fixture
def manager(clock: Clock, ledger: Ledger) -> Iterator[ConsentManager]:
    with managing(POLICY, ledger=ledger, clock=clock, location=LOCATION, csp="default-src 'self'") as made:
        yield made


def client_of(manager: ConsentManager, peer: str = PROXY) -> TestClient:
    return TestClient(site(manager), base_url=ORIGIN, client=(peer, 1), headers={"origin": ORIGIN})


def on(client: Any, headers: dict[str, str] | None = None, query: str = "") -> set[str]:
    found = client.get(f"/consent/decision{query}", headers=headers).json()["categories"]
    return {category for category, is_on in found.items() if is_on}


def test_a_page_follows_the_place_and_says_what_it_depends_on(manager: ConsentManager) -> None:
    client = client_of(manager)
    here, there = client.get("/"), client.get("/", headers=CALIFORNIA)
    assert BANNER in here.text and BANNER not in there.text
    assert "https://ad.example" in there.headers["content-security-policy"]
    assert "https://ad.example" not in here.headers["content-security-policy"]
    for response in (here, there, client.get("/granted")):
        fields = response.headers["vary"].replace(" ", "").split(",")
        assert {"Cookie", "X-Country", "X-Region"} <= set(fields) and len(fields) == len(set(fields))
        assert response.headers["cache-control"] == "private, no-cache"


def test_a_page_is_not_taken_for_one_of_another_place(manager: ConsentManager) -> None:
    async def tagged(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"etag", b'"1"')]
        sent = dict(scope["headers"]).get(b"if-none-match", b"")
        status = 304 if b'"1"' in sent else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE.encode() if status == 200 else b""})

    client = TestClient(ConsentMiddleware(tagged, manager), base_url=ORIGIN, client=(PROXY, 1))
    here = client.get("/").headers["etag"]
    assert client.get("/", headers={"if-none-match": here}).status_code == 304
    assert client.get("/", headers={"if-none-match": here} | CALIFORNIA).status_code == 200


def test_a_public_page_has_the_strictest_rules_for_everybody(manager: ConsentManager) -> None:
    async def public(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"public, max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE.encode()})

    client = TestClient(ConsentMiddleware(public, manager), base_url=ORIGIN, client=(PROXY, 1))
    pages = [
        client.get("/", headers=headers)
        for headers in ({}, CALIFORNIA, {"x-country": "NL"}, {"x-country": "GB"})
    ]
    assert (
        len({page.text for page in pages}) == 1 and len({tuple(page.headers.items()) for page in pages}) == 1
    )
    assert "vary" not in pages[0].headers and pages[0].headers["cache-control"] == "public, max-age=60"
    assert "data-exempt" not in pages[0].text or "ads" not in pages[0].text.partition("data-exempt")[2][:40]


# The visitor may ask for stricter rules on the library's pages, and never for laxer ones.
def test_the_query_makes_rules_stricter_alone(manager: ConsentManager) -> None:
    client = client_of(manager)
    assert on(client, CALIFORNIA) == {"functional", "analytical", "ads"}
    assert on(client, CALIFORNIA, "?place=NL") == {"functional"}
    assert on(client, CALIFORNIA, "?place=nowhere") == {"functional", "analytical", "ads"}
    assert (
        on(client, {"x-country": "NL"}, "?place=US-CA") == on(client, None, "?place=US-CA") == {"functional"}
    )
    # A repeated field counts for nothing, and other pages have no such field.
    assert on(client, CALIFORNIA, "?place=NL&place=NL") == {"functional", "analytical", "ads"}
    assert BANNER not in client.get("/?place=NL", headers=CALIFORNIA).text


def test_services_are_made_once_for_each_manager(manager: ConsentManager) -> None:
    services = SiteServices(manager)
    places = services.places
    assert places is not None and isinstance(places, ServicesByPlace) and not places._made
    client = client_of(manager)
    for _ in range(2):
        client.get("/", headers=CALIFORNIA)
    strictest = services.shared
    assert services.shared is strictest is places.strictest and strictest.belongs_to(manager)
    assert strictest.places is places and len(places._made) == 1
    alone = SiteServices(strictest.manager, places)
    assert alone.places is places


def starlette(manager: ConsentManager, peer: str) -> httpx2.Client:
    return client_of(manager, peer)


def wsgi(manager: ConsentManager, peer: str) -> httpx2.Client:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [PAGE.encode()]

    transport = httpx2.WSGITransport(WsgiMiddleware(app, manager), remote_addr=peer)
    return httpx2.Client(transport=transport, base_url=ORIGIN)


HOSTS: list[Callable[[ConsentManager, str], Any]] = [starlette, wsgi]
SENT = [
    ({}, PROXY, False),
    (CALIFORNIA, PROXY, True),
    ({"X-Country": "us", "X-Region": "US-CA"}, PROXY, True),
    (CALIFORNIA, STRANGER, False),
    ({"x-country": "US", "x-region": "Y"}, PROXY, True),
    ({"x-country": "NL"}, PROXY, False),
    ({"x-country": "T1"}, PROXY, False),
]


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.__name__)
@pytest.mark.parametrize(("headers", "peer", "opts_out"), SENT)
def test_a_host_reads_the_headers_and_who_sent_them(
    manager: ConsentManager,
    host: Callable[[ConsentManager, str], Any],
    headers: dict[str, str],
    peer: str,
    opts_out: bool,
) -> None:
    client = host(manager, peer)
    assert ("ads" in on(client, headers)) is opts_out
    assert (BANNER in client.get("/", headers=headers).text) is not opts_out


@pytest.mark.parametrize(("headers", "peer", "opts_out"), SENT)
def test_django_reads_the_headers_and_who_sent_them(
    settings: Any, clock: Clock, headers: dict[str, str], peer: str, opts_out: bool
) -> None:
    django = DjangoSite(settings, clock)
    django.configure(policy=POLICY, location=LOCATION)
    response = django.client(page).get("/consent/decision", headers=headers, REMOTE_ADDR=peer)
    assert response.json()["categories"]["ads"] is opts_out
    shown = django.client(page).get("/", headers=headers, REMOTE_ADDR=peer)
    assert (BANNER in shown.content.decode()) is not opts_out and "X-Country" in shown.headers["vary"]


def test_a_repeated_header_is_no_place(manager: ConsentManager) -> None:
    twice: Any = [("x-country", "US"), ("x-country", "US"), ("x-region", "CA")]
    assert on(starlette(manager, PROXY), twice) == {"functional"}
    # A WSGI server joins the two.
    assert on(wsgi(manager, PROXY), CALIFORNIA | {"x-country": "US,US"}) == {"functional"}


# The record says under which rules the visitor answered, and nothing else of the place.
def test_a_record_has_the_regime_alone(manager: ConsentManager, ledger: Ledger) -> None:
    client = client_of(manager)
    client.post("/consent/decision", json={"choice": "reject_all"}, headers=CALIFORNIA | {"sec-gpc": "1"})
    client.cookies.clear()
    client.post("/consent/decision", json={"choice": "accept_all"}, headers={"x-country": "NL"})
    first, second = ledger.records()
    assert (first.jurisdiction, first.gpc, first.event) == ("us-ca", True, "refused")
    assert (second.jurisdiction, second.gpc, second.event) == ("NL", False, "given")
    assert "CA" not in repr(first).replace("us-ca", "") or "US" not in repr(first)


def test_an_answer_crosses_places(manager: ConsentManager) -> None:
    given, refused, left = client_of(manager), client_of(manager), client_of(manager)
    given.post("/consent/decision", json={"choice": "accept_all"}, headers={"x-country": "NL"})
    refused.post("/consent/decision", json={"choice": "reject_all"}, headers=CALIFORNIA)
    left.post("/consent/decision", json={"choice": "accept_all"}, headers=CALIFORNIA)
    everything = {"functional", "analytical", "ads"}
    for headers in ({"x-country": "NL"}, CALIFORNIA, {"x-country": "GB"}, {}, {"x-country": "NL"}):
        assert on(given, headers) == everything
        assert on(refused, headers) == {"functional"}
        assert BANNER not in given.get("/", headers=headers).text + refused.get("/", headers=headers).text
    # What was left on without being asked about is no consent elsewhere.
    assert on(left, CALIFORNIA) == everything and on(left, {"x-country": "NL"}) == {"functional"}
    assert BANNER in left.get("/", headers={"x-country": "NL"}).text


def test_a_location_of_the_owners_own_reads_the_whole_head(clock: Clock) -> None:
    seen: list[Any] = []

    def location(request: Any) -> Place | None:
        seen.append(request)
        return Place("US", "CA")

    with managing(POLICY, ledger="sqlite://", clock=clock, location=location) as manager:
        for host in HOSTS:
            assert "ads" in on(host(manager, STRANGER), {"x-anything": "1"})
    assert {request.peer for request in seen} == {STRANGER}
    assert all((b"x-anything", b"1") in list(request.headers) for request in seen)


def test_what_was_left_on_in_the_us_is_not_called_rejected_in_the_eea(manager: ConsentManager) -> None:
    client = client_of(manager)
    english = {"accept-language": "en"}
    for choice, sentence in (
        ("accept_all", "What we ask for has changed since your choice of"),
        ("reject_all", "You rejected everything that needs your consent on"),
    ):
        client.post("/consent/decision", json={"choice": choice}, headers=CALIFORNIA)
        assert sentence in client.get("/consent", headers=english).text


def test_documents_for_all_visitors_of_a_place_vary_with_its_headers(manager: ConsentManager) -> None:
    client = client_of(manager)
    for path in ("loader.js", "policy.json", "sites.json"):
        here, there = (client.get(f"/consent/{path}", headers=headers) for headers in ({}, CALIFORNIA))
        assert here.headers["vary"] == there.headers["vary"] == "Accept-Language, X-Country, X-Region"
        assert here.text != there.text or path == "sites.json"


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ({"x-country": "GB"}, "This needs no consent, so it is on."),
        (CALIFORNIA, "On until you opt out"),
    ],
)
def test_what_was_turned_off_is_not_called_on(clock: Clock, place: dict[str, str], sentence: str) -> None:
    with managing(placed_policy(), ledger="sqlite://", clock=clock, location=LOCATION) as manager:
        client = client_of(manager)
        client.headers.update({"accept-language": "en", **place})
        assert sentence in client.get("/consent").text
        client.post("/consent/decision", json={"choice": "accept_all"})
        assert sentence in client.get("/consent").text
        client.post("/consent/decision", json={"choice": "reject_all"})
        assert sentence not in client.get("/consent").text


# IN-08
def test_a_cookie_that_is_not_declared_is_reported_once_whatever_the_place(
    manager: ConsentManager, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(manager)
    for place in (CALIFORNIA, {"x-country": "GB"}, {}):
        client.get("/", headers={**place, "cookie": "ajs_anonymous_id=1"})
    assert len([message for message in caplog.messages if "ajs_anonymous_id" in message]) == 1
