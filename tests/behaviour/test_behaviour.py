"""What visitors and their browsers can rely on, in every framework and behind a real server."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2
import pytest

from consentkit import ConsentManager
from tests.behaviour.hosts import HOSTS, starlette
from tests.behaviour.pages import GROUP, VIDEO, Stream
from tests.behaviour.visitor import Tour, Visitor
from tests.support.family import COOKIE, PAIRS, TRANSACTION, a_policy
from tests.support.sites import managing

BANNER = 'id="cookie-consent"'
SETTINGS = "site-privacy-settings"
CONSENT = "__Host-consent"


@dataclass
class Site:
    """The site under test, and another site of its group, which is always the same."""

    manager: ConsentManager
    stream: Stream
    client: httpx2.Client
    sister: httpx2.Client

    def visitor(self, **cookies: str) -> Visitor:
        return Visitor(self.client, **cookies)

    def agreeing(self) -> Visitor:
        """Return a visitor who accepted everything."""
        visitor = self.visitor()
        assert visitor.post("/consent/decision", json={"choice": "accept_all"}).status_code == 200
        return visitor

    def tour(self) -> Tour:
        """Return a visitor of both sites."""
        return Tour({"stride": Visitor(self.client), "trailhead": Visitor(self.sister)})


@pytest.fixture(scope="module", params=list(HOSTS))
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    ledger = f"sqlite:///{tmp_path_factory.mktemp('behaviour') / 'consent.db'}"
    stream, policy, bases = Stream(), a_policy(*GROUP), []
    with ExitStack() as running:
        for name, host in (("stride", HOSTS[request.param]), ("trailhead", starlette)):
            options = {"ledger": ledger, "site": name, "private_key": PAIRS[name][0]}
            manager = running.enter_context(managing(policy, **options))
            bases.append((manager, running.enter_context(host(manager, stream))))
        clients = [running.enter_context(httpx2.Client(base_url=base, timeout=30)) for _, base in bases]
        yield Site(bases[0][0], stream, *clients)


def names_set(answer: httpx2.Response) -> set[str]:
    return {line.partition("=")[0] for line in answer.headers.get_list("set-cookie")}


def test_a_new_visitor_is_asked_and_nothing_is_stored(site: Site) -> None:
    answer = site.visitor().get("/")
    assert answer.status_code == 200 and answer.text.count(BANNER) == 1
    assert answer.text.count("<h1>Run</h1>") == 1 and not names_set(answer)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert int(answer.headers.get("content-length", len(answer.content))) == len(answer.content)


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/broken", 500)])
def test_pages_for_errors_ask_too_and_stay_errors(site: Site, path: str, status: int) -> None:
    answer = site.visitor().get(path)
    assert answer.status_code == status and answer.text.count(BANNER) == 1


def test_a_page_after_a_form_asks_too(site: Site) -> None:
    answer = site.visitor().post("/", data={"name": "Anna"})
    assert BANNER in answer.text


@pytest.mark.parametrize("choice", ["accept_all", "reject_all"])
def test_an_answer_is_remembered_and_recorded(site: Site, choice: str) -> None:
    visitor = site.visitor()
    assert site.manager.ledger is not None
    before = len(list(site.manager.ledger.records()))
    answer = visitor.post("/consent/decision", data={"choice": choice, "next": "/held"})
    assert answer.status_code == 303 and answer.headers["location"] == "/held"
    assert CONSENT in visitor.cookies and "private" in answer.headers["cache-control"]
    page = visitor.get("/held").text
    assert BANNER not in page and SETTINGS in page
    assert len(list(site.manager.ledger.records())) == before + 1
    shown = visitor.get("/consent/decision").json()
    assert shown["categories"]["analytical"] is (choice == "accept_all")


def test_handlers_obey_the_answer(site: Site) -> None:
    assert "not counted" in site.visitor().get("/visits").text
    assert "not counted" not in site.agreeing().get("/visits").text


def test_cookies_that_are_not_allowed_are_neither_set_nor_read(site: Site) -> None:
    visitor = site.visitor(_ga="GA1.1", session="1")
    answer = visitor.get("/cookies")
    assert answer.text == "session" and names_set(answer) == {"session"}
    visitor = site.agreeing()
    visitor.cookies["_ga"] = "GA1.1"
    answer = visitor.get("/cookies")
    assert answer.text == "_ga" and names_set(answer) == {"session", "_ga"}


def test_a_withdrawal_ends_everything_even_a_copy_of_the_cookie(site: Site) -> None:
    visitor = site.agreeing()
    copy = site.visitor(**visitor.cookies)
    answer = visitor.post("/consent/withdraw", data={"next": "/visits"})
    assert answer.status_code == 303 and answer.headers["clear-site-data"]
    assert "not counted" in visitor.get("/visits").text
    assert visitor.get("/consent/decision").json()["status"] == "withdrawn"
    assert "not counted" in copy.get("/visits").text


def test_leftovers_are_expired_in_the_browser(site: Site) -> None:
    visitor = site.agreeing()
    visitor.cookies |= {"_ga": "GA1.1", "unknown": "1"}
    visitor.post("/consent/withdraw", data={"next": "/"})
    visitor.get("/")
    assert "_ga" not in visitor.cookies and "unknown" in visitor.cookies


def test_a_public_page_is_the_same_for_everybody_and_revalidates(site: Site) -> None:
    first, other = site.visitor().get("/shared"), site.agreeing().get("/shared")
    for answer in (first, other):
        assert "public" in answer.headers["cache-control"] and not names_set(answer)
    assert first.content == other.content and first.headers["etag"] == other.headers["etag"]
    again = site.visitor().get("/shared", if_none_match=first.headers["etag"])
    assert again.status_code == 304 and not again.content


def test_a_page_of_one_visitor_is_private(site: Site) -> None:
    for path in ("/", "/visits"):
        answer = site.agreeing().get(path)
        assert "private" in answer.headers["cache-control"], path
        assert "cookie" in answer.headers["vary"].lower(), path


def test_a_streamed_page_arrives_piece_by_piece(site: Site) -> None:
    site.stream.seen.clear()
    with site.visitor().stream("/stream") as body:
        begun = b""
        for piece in body:
            begun += piece
            if b"alpha" in begun:
                break
        assert b"/consent/assets/" in begun and b"omega" not in begun
        site.stream.seen.set()
        whole = begun + b"".join(body)
    assert whole.endswith(b"</html>") and whole.count(BANNER.encode()) == 1


def test_what_waits_for_consent_is_held_back_by_the_script(site: Site) -> None:
    page = site.visitor().get("/held").text
    assert '<script type="text/plain" data-category="analytical">count()</script>' in page
    found = re.search(r'src="(/consent/assets/[^"]+\.js)"', page)
    assert found
    script = site.visitor().get(found[1])
    assert script.status_code == 200 and "immutable" in script.headers["cache-control"]


def test_an_embed_is_a_placeholder_until_it_is_allowed(site: Site) -> None:
    visitor = site.visitor()
    page = visitor.get("/film").text
    found = re.search(r'<iframe[^>]* src="(/consent/embed/youtube\?[^"]+)"', page)
    assert found and VIDEO not in found[0]
    address = found[1].replace("&amp;", "&")
    placeholder = visitor.get(address)
    assert placeholder.status_code == 200 and "<form" in placeholder.text
    shown = site.agreeing().get(address)
    assert shown.headers.get("location", "") == VIDEO or VIDEO in shown.text


@pytest.mark.parametrize("path", ["/comments", "/raising"])
def test_a_handler_that_needs_consent_is_refused(site: Site, path: str) -> None:
    refused = site.visitor().get(path, accept="application/json")
    assert refused.status_code == 403 and refused.headers["content-type"] == "application/problem+json"
    assert (refused.json()["category"], refused.json()["vendor"]) == ("social", "youtube")
    page = site.visitor().get(path)
    assert page.status_code == 403 and page.text.count("<html") == 1 and "YouTube" in page.text


def test_a_handler_that_needs_consent_runs_for_those_who_agreed(site: Site) -> None:
    answer = site.agreeing().get("/comments")
    assert answer.status_code == 200 and "Nice run." in answer.text


def test_other_responses_pass_byte_for_byte(site: Site) -> None:
    answer = site.visitor().get("/data")
    assert answer.content == b'{"plain": true}' and answer.headers["content-type"] == "application/json"
    assert "vary" not in answer.headers and not names_set(answer)


def test_every_page_of_the_library_answers(site: Site) -> None:
    visitor = site.visitor()
    for path in ("/consent", "/consent/policy", "/consent/sites", "/consent/policy.json"):
        answer = visitor.get(path)
        assert answer.status_code == 200 and answer.headers["x-content-type-options"] == "nosniff", path
        head = visitor.head(path)
        assert head.status_code == 200 and not head.content, path
    assert visitor.get("/.well-known/gpc.json").json()["gpc"] in (True, False)
    assert visitor.get("/consent/nowhere").status_code == 404


def test_a_receipt_is_for_the_visitor_who_holds_the_cookie(site: Site) -> None:  # RC-07
    visitor = site.agreeing()
    answer = visitor.get("/consent/receipt")
    assert answer.status_code == 200 and answer.json()["@type"] == "dpv:ConsentReceipt"
    assert answer.headers["content-type"] == "application/ld+json"
    assert answer.headers["cache-control"] == "private, no-store"
    page = visitor.get("/consent/receipt.html")
    assert page.status_code == 200 and answer.json()["dct:identifier"] in page.text
    head = visitor.head("/consent/receipt.html")
    assert head.status_code == 200 and not head.content
    assert site.visitor().get("/consent/receipt").status_code == 404


def test_a_decision_from_another_site_is_refused(site: Site) -> None:
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = site.client.post("/consent/decision", headers=headers, data={"choice": "accept_all"})
    assert answer.status_code == 403 and not names_set(answer)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {"choice": "everything"}}, 400),
        ({"content": b"x" * 20_000, "headers": {"content-type": "application/json"}}, 413),
        ({"content": b"<a/>", "headers": {"content-type": "application/xml"}}, 415),
    ],
)
def test_a_bad_request_changes_nothing(site: Site, options: dict[str, object], status: int) -> None:
    post: Callable[..., httpx2.Response] = site.client.post
    answer = post("/consent/decision", **options)
    assert answer.status_code == status and not names_set(answer)


@pytest.mark.parametrize(("issuer", "audience"), [("stride", "trailhead"), ("trailhead", "stride")])
def test_a_link_within_the_group_takes_the_choice_along(site: Site, issuer: str, audience: str) -> None:
    tour = site.tour()
    tour[issuer].post("/consent/decision", json={"choice": "accept_all"})
    answer, addresses = tour.walk(issuer, tour.link(issuer, audience))
    assert [address.partition("?")[0] for address in addresses] == [
        f"{GROUP[audience]}/consent/handoff/start",
        f"{GROUP[issuer]}/consent/handoff/issue",
        f"{GROUP[audience]}/consent/handoff/return",
        f"{GROUP[audience]}/visits",
    ]
    assert addresses[-1].endswith("/visits?x")
    assert "not counted" not in answer.text and BANNER not in answer.text
    assert COOKIE in tour[audience].cookies and TRANSACTION not in tour[audience].cookies
    assert site.manager.ledger is not None
    *_, newest = site.manager.ledger.records()
    assert (newest.event, newest.site) == ("imported", audience)


def test_a_visitor_without_a_choice_takes_none_along_and_is_asked_there(site: Site) -> None:
    tour = site.tour()
    assert tour.link("stride", "trailhead") == f"{GROUP['trailhead']}/visits?x"
    start = f"{GROUP['stride']}/consent/handoff/start?iss=trailhead&next=%2Fvisits"
    answer, addresses = tour.walk("trailhead", start)
    assert addresses[-1] == f"{GROUP['stride']}/visits" and BANNER in answer.text
    assert not tour["stride"].cookies.keys() & {COOKIE, TRANSACTION}


@pytest.mark.parametrize("cookie", ["", "0{}", "{}0"], ids=["empty", "other content", "other signature"])
def test_a_hand_off_that_this_browser_did_not_begin_is_refused(site: Site, cookie: str) -> None:
    tour = site.tour()
    tour["trailhead"].post("/consent/decision", json={"choice": "accept_all"})
    steps = tour.steps("trailhead", tour.link("trailhead", "stride"))
    for address, _ in steps:
        if "/handoff/issue" in address:
            tour["stride"].cookies[TRANSACTION] = cookie.format(tour["stride"].cookies[TRANSACTION])
        final = address
    assert final == f"{GROUP['stride']}/"
    assert BANNER in tour["stride"].get("/").text
    assert COOKIE not in tour["stride"].cookies


def test_the_address_with_the_token_is_worth_nothing_in_another_browser(site: Site) -> None:
    tour = site.tour()
    tour["trailhead"].post("/consent/decision", json={"choice": "accept_all"})
    _, (*_, arrival, _) = tour.walk("trailhead", tour.link("trailhead", "stride"))
    other = Tour({"stride": site.visitor()})
    answer, addresses = other.walk("trailhead", arrival)
    assert addresses == [arrival, f"{GROUP['stride']}/"] and BANNER in answer.text


def test_a_hand_off_into_a_frame_is_refused(site: Site) -> None:
    visitor = site.agreeing()
    answer = visitor.get(
        f"/consent/handoff/issue?aud=trailhead&st={'A' * 43}",
        sec_fetch_site="cross-site",
        sec_fetch_mode="navigate",
        sec_fetch_dest="iframe",
    )
    assert answer.status_code == 403 and "location" not in answer.headers
