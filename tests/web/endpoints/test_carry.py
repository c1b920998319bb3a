"""“Use this choice on all our sites”, step by step, and the attacks on it."""

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from consentkit import Ledger
from consentkit.handoff.keys import PrivateKey, PublicKey, sign_token
from tests.conftest import Clock
from tests.support.family import (
    IDS,
    ORIGINS,
    PAIRS,
    TOLD,
    TRANSACTION,
    Browser,
    Family,
    a_member,
    a_policy,
)

EVERYTHING = {"analytical": True, "tracking": True, "social": True}
NOTHING = dict.fromkeys(EVERYTHING, False)
NAVIGATION = {"sec_fetch_dest": "document", "sec_fetch_mode": "navigate", "sec_fetch_site": "cross-site"}
BUTTON = "Use this choice on all our sites"


@pytest.fixture
def browser(family: Family) -> Browser:
    return family.browser()


def press(browser: Browser, site: str = "stride", page: str = "", back: str = "/shoes") -> httpx2.Response:
    """Press the button on a page of a site, and go to where that leads."""
    form = {"next": back, "page": page}
    answer = browser.send(
        site, "POST", "/consent/handoff/carry", data=form, headers={"origin": ORIGINS[site]}
    )
    assert answer.status_code == 303
    return browser.get(site, answer.headers["location"], **NAVIGATION)


def onward(page: httpx2.Response, link: str = "") -> str:
    """Return where the page goes by itself, or where a link on it leads."""
    found = (
        re.search(rf'href="([^"]*)">{link}', page.text)
        if link
        else re.search(r'content="0; url=([^"]*)"', page.text)
    )
    assert found is not None, page.text
    return html.unescape(found[1])


def step(browser: Browser, page: httpx2.Response, site: str = "stride") -> list[httpx2.Response]:
    """Go on from the page to another site and back. Return every answer until the browser is home."""
    answers = [browser.get(site, onward(page), **NAVIGATION)]
    while urlsplit(answers[-1].headers["location"]).hostname is not None:
        answers.append(browser.follow(answers[-1], **NAVIGATION))
    return answers


def home(browser: Browser, answer: httpx2.Response, site: str = "stride") -> httpx2.Response:
    return browser.get(site, answer.headers["location"], **NAVIGATION)


def carry(browser: Browser, site: str = "stride", page: str = "") -> httpx2.Response:
    """Press the button, go the whole way, and return the page where it ends."""
    answer = press(browser, site, page)
    while "/handoff/" in str(answer.url):
        answer = home(browser, step(browser, answer, site)[-1], site)
    return answer


def said(page: httpx2.Response) -> str:
    """Return the status line of a page."""
    found = re.search(r'class="consent-carry-state">(.*?)</div>', page.text, re.DOTALL)
    assert found is not None, page.text
    return html.unescape(" ".join(re.sub("<[^>]*>", " ", found[1]).split()))


def place(answer: httpx2.Response) -> str:
    address = urlsplit(answer.headers["location"])
    return f"{address.hostname or ''}{address.path}"


@pytest.mark.parametrize("page", ["", "/sites"])
def test_a_click_takes_the_choice_to_every_site_and_ends_where_it_began(
    browser: Browser, clock: Clock, page: str
) -> None:
    browser.choose("stride", EVERYTHING)
    assert BUTTON in browser.get("stride", f"/consent{page}?next=/shoes").text
    clock.advance(1)
    ended = carry(browser, page=page)
    assert str(ended.url).endswith(f"/consent{page}?next=/shoes")
    assert said(ended) == "Your choice now also counts on Trailhead and Shoelab."
    assert said(browser.get("stride", f"/consent{page}", **NAVIGATION)) == "", "it is said once"
    for site in IDS:
        assert browser.granted(site) == set(EVERYTHING) and TRANSACTION not in browser.jars[site]
    assert "Stride" in browser.get("trailhead").text, "the next visit there says where the choice came from"


def test_each_step_is_a_whole_hand_off_with_its_own_transaction_and_nonce(browser: Browser) -> None:
    browser.choose("stride", EVERYTHING)
    page = press(browser)
    assert [site for site in IDS if TRANSACTION in browser.jars[site]] == ["stride"]
    begun, asked, issued, finished, done = step(browser, page)
    assert [place(answer) for answer in (begun, asked, issued, finished, done)] == [
        "trailhead.example/consent/handoff/start",
        "stride.example/consent/handoff/issue",
        "trailhead.example/consent/handoff/return",
        "stride.example/consent/handoff/done",
        "/consent/handoff/carry",
    ]
    assert "set-cookie" not in issued.headers and TRANSACTION not in browser.jars["trailhead"]
    for answer in (begun, asked, issued, finished, done):
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
    second = step(browser, home(browser, done))
    nonces = [parse_qs(urlsplit(answer.headers["location"]).query)["n"] for answer in (finished, second[3])]
    assert nonces[0] != nonces[1] and place(second[0]) == "shoelab.example/consent/handoff/start"


# XS-03, XS-05
@pytest.mark.parametrize("others", ["before", "after"])
@pytest.mark.parametrize("choice", ["accept", "reject", "withdraw"])
@pytest.mark.parametrize("site", IDS)
def test_the_click_counts_over_what_was_chosen_on_other_sites_before_it(
    browser: Browser, ledger: Ledger, clock: Clock, site: str, choice: str, others: str
) -> None:
    def choose_there() -> None:
        for other in IDS:
            if other != site:
                browser.choose(other, NOTHING if choice == "accept" else EVERYTHING)
                clock.advance(5)

    if others == "before":
        choose_there()
    browser.choose(site, NOTHING if choice == "reject" else EVERYTHING)
    decided_at = int(clock())
    clock.advance(5)
    if choice == "withdraw":
        browser.withdraw(site)
        decided_at = int(clock())
        clock.advance(5)
    if others == "after":
        choose_there()
    subjects = [record.subject for record in ledger.records() if record.subject and record.site != site]
    clicked_at = int(clock())
    assert "also counts" in said(carry(browser, site))
    expected = {"accept": "given", "reject": "refused", "withdraw": "withdrawn"}[choice]
    assert {browser.status(each) for each in IDS} == {expected}
    imported = [record for record in ledger.records() if record.event == "imported"]
    assert {record.site for record in imported} == set(IDS) - {site}
    assert {(record.decided_at, record.changed_at) for record in imported} == {(decided_at, clicked_at)}
    if choice != "accept":
        ended = [ledger.newest(subject) for subject in subjects if subject]
        assert len(ended) == 2 and all(record is not None and record.ends_subject for record in ended)


def test_the_click_does_not_prolong_the_validity(browser: Browser, ledger: Ledger, clock: Clock) -> None:
    browser.choose("stride", EVERYTHING)
    clock.advance(days=100)
    carry(browser)
    given, *imported = ledger.records()
    assert len(imported) == 2 and {record.expires_at for record in imported} == {given.expires_at}


def test_a_choice_that_is_newer_than_the_click_stays(browser: Browser, clock: Clock) -> None:
    browser.choose("stride", EVERYTHING)
    page = press(browser)
    clock.advance(1)
    browser.choose("trailhead", NOTHING)
    page = home(browser, step(browser, page)[-1])
    assert said(page) == "You made a newer choice on Trailhead, which stays as it is."
    assert browser.status("trailhead") == "refused"


def test_a_choice_that_changes_during_the_chain_goes_along_as_it_is_then(
    browser: Browser, clock: Clock
) -> None:
    browser.choose("stride", EVERYTHING)
    page = home(browser, step(browser, press(browser))[-1])
    clock.advance(1)
    browser.withdraw("stride")
    step(browser, page)
    assert browser.status("shoelab") == "withdrawn"


def test_a_second_click_on_the_same_choice_says_the_same(browser: Browser, clock: Clock) -> None:
    browser.choose("stride", EVERYTHING)
    for _ in range(2):
        assert said(carry(browser)) == "Your choice now also counts on Trailhead and Shoelab."
    assert browser.granted("shoelab") == set(EVERYTHING)


# Sites that do not answer


def test_a_chain_that_stopped_can_go_on_with_the_site_or_without_it(browser: Browser, clock: Clock) -> None:
    browser.choose("stride", EVERYTHING)
    page = press(browser)
    browser.get("stride", onward(page), **NAVIGATION)
    clock.advance(90)
    settings = browser.get("stride", "/consent?next=/shoes", **NAVIGATION)
    assert said(settings) == "Trailhead has not answered yet." and BUTTON not in settings.text
    assert settings.headers["cache-control"] == "private, no-store"
    shown = browser.get("stride", str(page.url).removeprefix(ORIGINS["stride"]), **NAVIGATION)
    assert "http-equiv" not in shown.text, "the page goes on by itself only once"
    again = browser.get("stride", onward(settings, "Try Trailhead again"), **NAVIGATION)
    assert place(again) == "trailhead.example/consent/handoff/start"
    without = browser.get("stride", onward(settings, "Go on without Trailhead"), **NAVIGATION)
    assert place(without) == "shoelab.example/consent/handoff/start"
    while urlsplit(without.headers["location"]).hostname is not None:
        without = browser.follow(without, **NAVIGATION)
    assert said(home(browser, without)) == "Your choice now also counts on Shoelab. Trailhead did not answer."
    assert browser.status("trailhead") == "unknown"


def test_sites_that_the_script_found_absent_are_not_visited(browser: Browser) -> None:
    browser.choose("stride", EVERYTHING)
    page = press(browser)
    sites = re.search(r'data-sites="([^"]*)"', page.text)
    assert sites and sites[1] == "trailhead=https://trailhead.example shoelab=https://shoelab.example"
    answer = browser.get("stride", f"{onward(page)}&skip=trailhead,shoelab,nowhere", **NAVIGATION)
    assert place(answer) == "/consent"
    assert said(home(browser, answer)) == "Trailhead and Shoelab did not answer."


def test_only_the_page_that_asks_may_connect_to_the_other_sites(browser: Browser) -> None:
    browser.choose("stride", EVERYTHING)
    assert "trailhead" not in browser.get("stride", "/consent").headers["content-security-policy"]
    page = press(browser)
    policy = page.headers["content-security-policy"]
    assert "connect-src 'self' https://trailhead.example https://shoelab.example;" in policy
    assert (
        page.headers["referrer-policy"] == "same-origin"
        and page.headers["cache-control"] == "private, no-store"
    )


# Where there is nothing to carry


def test_before_a_choice_there_is_no_button_and_nothing_is_visited(browser: Browser) -> None:
    assert BUTTON not in browser.get("stride", "/consent").text
    assert str(press(browser).url).endswith("/consent")
    assert not browser.jars["stride"]


def test_a_site_without_its_private_key_has_no_button(family: Family, ledger: Ledger, clock: Clock) -> None:
    family["stride"].manager.close()
    family.members["stride"] = a_member(a_policy(), "stride", ledger, clock, private_key=None)
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    assert BUTTON not in browser.get("stride", "/consent").text
    assert str(press(browser).url).endswith("/consent") and TRANSACTION not in browser.jars["stride"]


def test_a_chain_whose_site_has_lost_its_private_key_ends_on_the_settings_page(
    family: Family, ledger: Ledger, clock: Clock, browser: Browser
) -> None:
    browser.choose("stride", EVERYTHING)
    page = press(browser)
    family["stride"].manager.close()
    family.members["stride"] = a_member(a_policy(), "stride", ledger, clock, private_key=None)
    assert place(browser.get("stride", onward(page), **NAVIGATION)) == "/consent"


def test_a_choice_that_was_lost_meanwhile_is_reported_as_not_used(browser: Browser) -> None:
    browser.choose("stride", EVERYTHING)
    page = press(browser)
    del browser.jars["stride"]["__Host-consent"]
    answers = step(browser, page)
    assert parse_qs(urlsplit(answers[3].headers["location"]).query)["r"] == ["refused"]
    assert (
        said(home(browser, answers[-1])) == "Trailhead could not use your choice, so nothing changed there."
    )


# Attacks


def signed(site: str, clock: Clock, **changes: Any) -> str:
    """Sign a step as a site of the group."""
    now = int(clock())
    claims = {"typ": "consent-step", "iss": site, "aud": "trailhead", "grp": "hardlopen", "nonce": "n" * 22}
    private, public = PAIRS[site]
    key = PrivateKey.read(private, PublicKey.read(public))
    return sign_token(claims | {"iat": now, "exp": now + 60} | changes, key)


@pytest.mark.parametrize(
    ("iss", "signer", "changes"),
    [
        ("stride", "shoelab", {"iss": "stride"}),
        ("shoelab", "stride", {}),
        ("stride", "stride", {"aud": "shoelab"}),
        ("stride", "stride", {"grp": "other"}),
        ("stride", "stride", {"typ": "consent-handoff"}),
        ("stride", "stride", {"nonce": ""}),
        ("trailhead", "stride", {}),
        ("evil.example", "stride", {}),
        ("", "stride", {}),
    ],
)
def test_no_site_begins_a_step_for_another_one(
    family: Family, browser: Browser, clock: Clock, iss: str, signer: str, changes: dict[str, str]
) -> None:
    browser.choose("stride", EVERYTHING)
    token = signed(signer, clock, **changes)
    answer = browser.get("trailhead", f"/consent/handoff/start?iss={iss}&step={token}", **NAVIGATION)
    assert answer.headers["location"] == "/" and not browser.jars["trailhead"]


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 9000])
def test_a_step_without_a_signature_begins_nothing(browser: Browser, token: str) -> None:
    browser.choose("stride", EVERYTHING)
    answer = browser.get("trailhead", f"/consent/handoff/start?iss=stride&step={token}", **NAVIGATION)
    assert answer.headers["location"] == "/" and not browser.jars["trailhead"]


@pytest.mark.parametrize(
    "headers", [{"sec_fetch_dest": "iframe"}, {"sec_fetch_mode": "cors"}, {"sec_purpose": "prefetch"}]
)
def test_steps_are_visits_and_never_embedded_fetched_or_prefetched(
    browser: Browser, clock: Clock, headers: dict[str, str]
) -> None:
    browser.choose("stride", EVERYTHING)
    begun = browser.get("stride", onward(press(browser)), **NAVIGATION)
    address = urlsplit(begun.headers["location"])
    embedded = browser.get("trailhead", f"{address.path}?{address.query}", **headers)
    assert embedded.headers["location"] == "/" and not browser.jars["trailhead"]
    for path in ("next?c=x", "done?n=x&r=taken"):
        answer = browser.get("stride", f"/consent/handoff/{path}", **headers)
        assert answer.status_code == 403 and "location" not in answer.headers


def test_somebody_elses_step_carries_nothing_in_another_browser(family: Family, clock: Clock) -> None:
    attacker, victim = family.browser(), family.browser()
    for browser in (attacker, victim):
        browser.choose("stride", EVERYTHING)
    clock.advance(1)
    victim.choose("trailhead", NOTHING)
    stolen = attacker.get("stride", onward(press(attacker)), **NAVIGATION)
    answer = victim.follow(stolen, **NAVIGATION)
    while urlsplit(answer.headers["location"]).hostname is not None:
        answer = victim.follow(answer, **NAVIGATION)
    assert place(answer) == "/consent" and victim.status("trailhead") == "refused"
    assert family["stride"].handoff.reasons == {"no such step": 1}
    press(victim)
    answer = victim.follow(stolen, **NAVIGATION)
    while urlsplit(answer.headers["location"]).hostname is not None:
        answer = victim.follow(answer, **NAVIGATION)
    assert place(answer) == "/consent" and victim.status("trailhead") == "refused"


def test_no_other_site_presses_the_button(browser: Browser) -> None:
    browser.choose("stride", EVERYTHING)
    for headers in ({"origin": "https://trailhead.example"}, {"sec-fetch-site": "cross-site"}):
        answer = browser.send("stride", "POST", "/consent/handoff/carry", data={"page": ""}, headers=headers)
        assert answer.status_code == 403 and TRANSACTION not in browser.jars["stride"]


@pytest.mark.parametrize(
    "path", ["carry?c=", "carry", "carry?c=guessed", "next?c=", "next?c=guessed", "done?n=&r=taken"]
)
def test_without_its_secret_no_chain_is_shown_or_moved(browser: Browser, path: str) -> None:
    browser.choose("stride", EVERYTHING)
    press(browser)
    kept = browser.jars["stride"][TRANSACTION]
    answer = browser.get("stride", f"/consent/handoff/{path}", **NAVIGATION)
    assert place(answer) == "/consent" and browser.jars["stride"][TRANSACTION] == kept


def test_a_report_counts_once_and_for_its_own_site_alone(browser: Browser) -> None:
    browser.choose("stride", EVERYTHING)
    answers = step(browser, press(browser))
    report = answers[3]
    page = home(browser, answers[-1])
    for _ in range(3):
        assert place(browser.follow(report, **NAVIGATION)) == "/consent", "the nonce is used up"
    assert said(browser.get("stride", "/consent")) == "Your choice now also counts on Trailhead."
    begun = browser.get("stride", onward(page), **NAVIGATION)
    assert place(browser.follow(report, **NAVIGATION)) == "/consent"
    assert said(browser.get("stride", "/consent")).endswith("Shoelab has not answered yet.")
    assert place(begun) == "shoelab.example/consent/handoff/start"


@pytest.mark.parametrize(
    ("reported", "known"),
    [("taken", "also counts"), ("kept", "newer"), ("silent", "not use"), ("<b>", "not use")],
)
def test_a_lying_site_lies_about_itself_and_ends_nothing(browser: Browser, reported: str, known: str) -> None:
    browser.choose("stride", EVERYTHING)
    page = press(browser)
    begun = browser.get("stride", onward(page), **NAVIGATION)
    asked = browser.follow(begun, **NAVIGATION)
    nonce = parse_qs(urlsplit(asked.headers["location"]).query)["n"][0]
    lied = browser.get(
        "stride", f"/consent/handoff/done?n={nonce}&r={reported}&c=x&next=//evil.example", **NAVIGATION
    )
    assert place(lied) == "/consent/handoff/carry"
    assert known in said(home(browser, lied)) and "Shoelab" in home(browser, lied).text
    assert place(step(browser, home(browser, lied))[0]) == "shoelab.example/consent/handoff/start"


def test_a_step_is_over_after_a_minute_and_the_visitor_comes_home(browser: Browser, clock: Clock) -> None:
    browser.choose("stride", EVERYTHING)
    begun = browser.get("stride", onward(press(browser)), **NAVIGATION)
    clock.advance(91)
    late = browser.follow(begun, **NAVIGATION)
    assert place(late) == "stride.example/consent/handoff/done" and not browser.jars["trailhead"]
    page = home(browser, browser.follow(late, **NAVIGATION))
    assert said(page) == "Trailhead could not use your choice, so nothing changed there."


def test_a_chain_is_over_after_ten_minutes_whatever_is_under_way(browser: Browser, clock: Clock) -> None:
    browser.choose("stride", EVERYTHING)
    page = press(browser)
    clock.advance(601)
    assert place(browser.get("stride", onward(page), **NAVIGATION)) == "/consent"
    assert BUTTON in browser.get("stride", "/consent").text


def test_a_second_click_takes_the_place_of_the_first_and_neither_mixes(
    browser: Browser, clock: Clock
) -> None:
    browser.choose("stride", EVERYTHING)
    first = press(browser)
    begun = browser.get("stride", onward(first), **NAVIGATION)
    second = press(browser)
    answer = browser.follow(begun, **NAVIGATION)
    while urlsplit(answer.headers["location"]).hostname is not None:
        answer = browser.follow(answer, **NAVIGATION)
    assert place(answer) == "/consent" and browser.status("trailhead") == "unknown"
    assert place(browser.get("stride", onward(first), **NAVIGATION)) == "/consent"
    while "/handoff/" in str(second.url):
        second = home(browser, step(browser, second)[-1])
    assert said(second) == "Your choice now also counts on Trailhead and Shoelab."


def test_chains_of_two_sites_do_not_mix(browser: Browser) -> None:
    for site in ("stride", "trailhead"):
        browser.choose(site, EVERYTHING)
    first, second = press(browser), press(browser, "trailhead")
    first = home(browser, step(browser, first)[-1])
    second = home(browser, step(browser, second, "trailhead")[-1], "trailhead")
    assert said(first) == "Your choice now also counts on Trailhead."
    assert said(second) == "Your choice now also counts on Stride."


def test_a_hand_off_of_a_link_leaves_the_chain_alone(browser: Browser) -> None:
    browser.choose("stride", EVERYTHING)
    browser.choose("shoelab", EVERYTHING)
    page = press(browser)
    assert browser.cross("shoelab", "stride").headers["location"] == "/shoes"
    assert place(step(browser, page)[-1]) == "/consent/handoff/carry"


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"page=/policy", 400),
        ("application/x-www-form-urlencoded", b"page=&page=", 400),
        ("application/x-www-form-urlencoded", b"page=&to=https://evil.example", 400),
        ("application/x-www-form-urlencoded", b"page=" + b"x" * 17_000, 413),
        ("application/x-www-form-urlencoded", b"next=https://evil.example", 303),
        ("application/x-www-form-urlencoded", b"", 303),
    ],
)
def test_the_form_takes_two_fields_and_no_other_place(
    browser: Browser, kind: str, body: bytes, status: int
) -> None:
    browser.choose("stride", EVERYTHING)
    headers = {"origin": ORIGINS["stride"], "content-type": kind}
    answer = browser.send("stride", "POST", "/consent/handoff/carry", content=body, headers=headers)
    assert answer.status_code == status
    if status == 303:
        assert 'href="/">Back to Stride' in home(browser, answer).text


def test_under_a_root_path_a_chain_stays_below_it(family: Family, browser: Browser) -> None:
    mounted = Starlette(routes=[Mount("/running", family["stride"].app)])
    client = TestClient(mounted, base_url="https://stride.example", follow_redirects=False)
    assert client.post("/running/consent/decision", json={"choice": "reject_all"}).status_code == 200
    form = {"next": "/running/shoes", "page": "/sites"}
    begun = client.post("/running/consent/handoff/carry", data=form, headers={"origin": ORIGINS["stride"]})
    page = client.get(begun.headers["location"])
    assert page.status_code == 200 and begun.headers["location"].startswith(
        "/running/consent/handoff/carry?c="
    )
    ended = client.get(f"{onward(page)}&skip=trailhead,shoelab")
    assert ended.headers["location"] == "/running/consent/sites?next=/running/shoes"


def test_a_browser_remembers_for_a_month_where_a_choice_came_from(browser: Browser) -> None:
    browser.choose("stride", EVERYTHING)
    answers = step(browser, press(browser))
    (told,) = [line for line in answers[3].headers.get_list("set-cookie") if line.startswith(TOLD)]
    assert told.endswith("Max-Age=2592000")
