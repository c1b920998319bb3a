import logging
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from consentkit import Ledger
from consentkit.errors import ConfigurationError
from consentkit.handoff.keys import new_pair
from tests.conftest import Clock
from tests.support.family import (
    COOKIE,
    IDS,
    ORIGINS,
    PAIRS,
    TOLD,
    TRANSACTION,
    Family,
    a_family,
    a_member,
    a_policy,
    token_of,
)
from tests.support.records import another_process_holds

EVERYTHING = {"analytical": True, "tracking": True, "social": True}
BANNER = 'id="cookie-consent"'
LINE = 'role="status"'


# XS-08
def test_the_first_page_after_an_import_says_where_the_choice_came_from_and_the_next_does_not(
    family: Family,
) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    arrived = browser.cross("stride", "trailhead")
    assert arrived.headers["location"] == "/shoes" and TOLD in browser.jars["trailhead"]
    first = browser.get("trailhead", "/shoes")
    assert LINE in first.text and "Stride" in first.text and BANNER not in first.text
    assert first.headers["cache-control"] == "private, no-store"
    assert TOLD not in browser.jars["trailhead"] and TRANSACTION not in browser.jars["trailhead"]
    assert LINE not in browser.get("trailhead", "/shoes").text


@pytest.mark.parametrize(
    "said",
    [
        "brought.nowhere",
        "brought.trailhead",
        "brought",
        "",
        "<script>",
        "stride",
        "brought.stride.shoelab",
        "absent.trailhead",
    ],
)
def test_a_site_that_no_choice_can_come_from_is_never_named(family: Family, said: str) -> None:
    browser = family.browser()
    browser.choose("trailhead", EVERYTHING)
    browser.jars["trailhead"][TOLD] = said
    page = browser.get("trailhead")
    assert LINE not in page.text and "set-cookie" not in page.headers


def test_origin_of_a_choice_is_not_shown_without_a_decision_or_on_a_shared_page(family: Family) -> None:
    browser = family.browser()
    browser.jars["trailhead"] |= {TOLD: "brought.stride"}
    assert LINE not in browser.get("trailhead").text
    browser.jars["trailhead"] |= {COOKIE: "forged"}
    assert LINE not in browser.get("trailhead").text
    browser.choose("trailhead", EVERYTHING)
    public = browser.get("trailhead", "/?cached=yes")
    assert LINE not in public.text and "set-cookie" not in public.headers
    assert TOLD in browser.jars["trailhead"], "it waits for a page that can say it"
    assert LINE in browser.get("trailhead").text


# The three addresses

STATE = "s" * 43


# XS-06, HO-16
def test_a_choice_goes_over_in_three_redirects_that_nobody_may_keep_or_refer_from(family: Family) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    start = browser.start("stride", "trailhead", "/shoes?size=42")
    assert [name for name in browser.jars["trailhead"]] == [TRANSACTION]
    issue = browser.follow(start, **NAVIGATION)
    assert "set-cookie" not in issue.headers
    finish = browser.follow(issue, **NAVIGATION)
    assert finish.headers["location"] == "/shoes?size=42"
    for step in (start, issue, finish):
        assert step.status_code == 303 and step.headers["referrer-policy"] == "no-referrer"
        assert step.headers["cache-control"] == "private, no-store"
    assert set(browser.jars["trailhead"]) == {COOKIE, f"{COOKIE}-state", TOLD}
    assert browser.granted("trailhead") == set(EVERYTHING)
    secret = [line for line in start.headers.get_list("set-cookie") if TRANSACTION in line]
    assert len(secret) == 1 and secret[0].endswith("; Path=/; SameSite=Lax; HttpOnly; Secure; Max-Age=120")


NAVIGATION = {"sec_fetch_dest": "document", "sec_fetch_mode": "navigate", "sec_fetch_site": "cross-site"}


# XS-03
@pytest.mark.parametrize("answers", [EVERYTHING, {"social": True}, {}])
def test_a_refusal_reaches_as_far_as_a_grant(family: Family, answers: dict[str, bool]) -> None:
    browser = family.browser()
    browser.choose("stride", answers)
    browser.cross("stride", "trailhead")
    browser.cross("trailhead", "shoelab")
    for site in ("trailhead", "shoelab"):
        assert browser.granted(site) == set(answers)
        assert BANNER not in browser.get(site).text
    cookies = [set(browser.jars[site][COOKIE].split(".")) for site in browser.jars]
    assert not any(len(field) >= 16 for field in cookies[0] & cookies[1] | cookies[1] & cookies[2])


# XS-03, WD-05
def test_a_withdrawal_anywhere_holds_everywhere_within_recheck(family: Family, clock: Clock) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    browser.cross("stride", "trailhead")
    browser.cross("trailhead", "shoelab")
    assert all(browser.granted(site) for site in browser.jars)
    clock.advance(1)
    browser.withdraw("trailhead")
    assert browser.granted("trailhead") == set()
    clock.advance(60)
    for site in ("stride", "shoelab"):
        assert browser.granted(site) == set() and browser.status(site) == "withdrawn"
        assert BANNER not in browser.get(site).text


# LB-01
def test_before_an_answer_no_site_sets_a_cookie_or_names_a_sister_outside_the_banners_links(
    family: Family,
) -> None:
    browser = family.browser()
    for site in ("stride", "trailhead"):
        page = browser.get(site, "/shoes")
        assert "set-cookie" not in page.headers and not browser.jars[site]
        for other in {"stride", "trailhead", "shoelab"} - {site}:
            assert f'"https://{other}.example' not in page.text, "nothing that a browser follows"
            assert f'href="/consent/handoff/start?iss={other}&amp;next=/shoes"' in page.text


def test_hand_off_without_a_choice_returns_to_the_page_with_the_banner(
    family: Family, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "consentkit.handoff")
    browser = family.browser()
    finish = browser.cross("stride", "trailhead")
    assert finish.status_code == 303 and finish.headers["location"] == "/shoes"
    assert browser.jars["trailhead"] == {TOLD: "absent.stride"}
    page = browser.get("trailhead").text
    assert BANNER in page and "We found no choice of yours on Stride to use here." in page
    assert not browser.jars["trailhead"] and LINE not in browser.get("trailhead").text
    assert [record.getMessage() for record in caplog.records if record.name == "consentkit.handoff"] == [
        "Hand-off on stride ended without a choice: no choice (1 times).",
        "Hand-off on trailhead ended without a choice: return: no choice there (1 times).",
    ]


CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15"
CHROME_ON_IOS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 "
    "Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("begins", "headers"),
    [
        (False, {"sec_fetch_site": "cross-site"}),
        (False, {"sec_fetch_site": "same-site"}),
        (False, {"sec_fetch_site": "cross-site", "user_agent": CHROME}),
        (False, {"sec_fetch_site": "cross-site", "user_agent": FIREFOX}),
        (False, {"sec_fetch_site": "cross-site", "sec_fetch_user": "?0"}),
        (False, {"sec_fetch_site": "none, cross-site"}),
        (True, {"sec_fetch_site": "cross-site", "sec_fetch_user": "?1", "user_agent": CHROME}),
        (True, {"sec_fetch_site": "same-site", "sec_fetch_user": "?1", "user_agent": FIREFOX}),
        (True, {"sec_fetch_site": "same-origin"}),
        (True, {"sec_fetch_site": "none"}),
        (True, {"sec_fetch_site": "cross-site", "user_agent": SAFARI}),
        (True, {"sec_fetch_site": "cross-site", "user_agent": CHROME_ON_IOS}),
        (True, {"user_agent": CHROME}),
        (True, {}),
    ],
)
def test_another_site_begins_no_hand_off_without_a_click(
    family: Family, begins: bool, headers: dict[str, str]
) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    answer = browser.get("trailhead", "/consent/handoff/start?iss=stride&next=/shoes", **headers)
    assert answer.status_code == 303
    assert ("set-cookie" in answer.headers) is begins
    if begins:
        assert answer.headers["location"].startswith("https://stride.example/consent/handoff/issue?")
    else:
        assert answer.headers["location"] == "/shoes"
        assert family["trailhead"].handoff.reasons == {"start: no click": 1}


def test_a_visit_that_did_not_begin_at_start_ends_without_a_choice(family: Family) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    issued = browser.get("stride", f"/consent/handoff/issue?aud=trailhead&st={STATE}", **NAVIGATION)
    finished = browser.follow(issued, **NAVIGATION)
    assert finished.headers["location"] == "/" and not browser.jars["trailhead"]


# CK-05
def test_a_sub_domain_cannot_plant_a_transaction_where_sites_share_a_cookie_domain(
    family: Family, ledger: Ledger, clock: Clock
) -> None:
    family["trailhead"].manager.close()
    family.members["trailhead"] = a_member(
        a_policy(), "trailhead", ledger, clock, cookie_domain="trailhead.example"
    )
    attacker, victim = family.browser(), family.browser()
    attacker.choose("stride", EVERYTHING)
    issued = attacker.follow(attacker.start("stride", "trailhead"))
    (begun,) = attacker.jars["trailhead"].values()
    # What a sub-domain may set for the whole domain: every name but those with `__Host-`.
    victim.jars["trailhead"] = {
        "__Secure-consent-tx": begun,
        "consent-tx": begun,
        "__Secure-consent-from": "brought.stride",
    }
    finished = victim.follow(issued)
    assert "set-cookie" not in finished.headers
    assert victim.status("trailhead") == "unknown" and LINE not in victim.get("trailhead").text
    victim.jars["trailhead"].clear()
    victim.choose("stride", {"social": True})
    start = victim.start("stride", "trailhead")
    (line,) = start.headers.get_list("set-cookie")
    assert line.startswith(f"{TRANSACTION}=") and "Domain" not in line and "; Secure" in line
    victim.follow(victim.follow(start))
    assert set(victim.jars["trailhead"]) == {"__Secure-consent", "__Secure-consent-state", TOLD}
    assert victim.granted("trailhead") == {"social"}


# HO-05
@pytest.mark.parametrize(
    "query",
    [
        "",
        "iss=",
        "iss=trailhead",
        "iss=evil.example",
        "iss=https%3A%2F%2Fevil.example",
        "iss=stride&iss=stride",
        "iss=stride%00",
        "iss=Stride",
        "next=/",
    ],
)
def test_start_goes_to_no_site_that_the_policy_does_not_list(family: Family, query: str) -> None:
    browser = family.browser()
    answer = browser.get("trailhead", f"/consent/handoff/start?{query}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert not browser.jars["trailhead"]


BACK = [
    ("/shoes?a=1&b=2", "/shoes?a=1&b=2"),
    ("/shoes?next=//evil.example", "/shoes?next=//evil.example"),
    ("//evil.example", "/"),
    ("/\\evil.example", "/"),
    ("https://evil.example", "/"),
    ("javascript:alert(1)", "/"),
    ("/consent/handoff/start?iss=stride", "/"),
    ("/consent", "/"),
    ("/é", "/"),
    ("/a\r\nset-cookie: x=1", "/"),
    ("/" + "a" * 1024, "/"),
    ("", "/"),
]


@pytest.mark.parametrize(("asked", "led"), BACK)
def test_the_way_back_stays_on_the_site(family: Family, asked: str, led: str) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    assert browser.cross("stride", "trailhead", asked).headers["location"] == led
    failed = browser.send("trailhead", "GET", "/consent/handoff/start", params={"iss": "no", "next": asked})
    assert failed.headers["location"] == led


def test_under_a_root_path_the_way_back_is_not_into_the_prefix(family: Family, clock: Clock) -> None:
    browser = family.browser()
    mounted = Starlette(routes=[Mount("/running", family["trailhead"].app)])
    client = TestClient(mounted, base_url="https://trailhead.example", follow_redirects=False)
    start = "/running/consent/handoff/start?iss=stride&next="
    for asked, led in (("/running/shoes", "/running/shoes"), ("/running/consent/policy", "/")):
        begun = client.get(start + asked)
        issued = browser.follow(begun)
        address = urlsplit(issued.headers["location"])
        finished = client.get(f"/running{address.path}?{address.query}")
        assert finished.headers["location"] == led
        assert "Max-Age=0" in finished.headers["set-cookie"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "aud=trailhead",
        f"st={STATE}",
        f"aud=trailhead&st={STATE}&next=/",
        f"aud=trailhead&aud=trailhead&st={STATE}",
        f"aud=trailhead&aud=shoelab&st={STATE}",
        f"aud=trailhead&st={STATE}&st={STATE}",
        f"aud=stride&st={STATE}",
        f"aud=nowhere&st={STATE}",
        f"aud=https://evil.example&st={STATE}",
        "aud=trailhead&st=short",
        f"aud=trailhead&st={STATE}%0A",
        f"aud=trailhead&st={'%C3%A9' * 43}",
    ],
)
def test_issue_takes_exactly_what_the_contract_names(family: Family, query: str) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    answer = browser.get("stride", f"/consent/handoff/issue?{query}", **NAVIGATION)
    assert answer.status_code == 400 and "location" not in answer.headers


# HO-07
@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_dest": "iframe", "sec_fetch_mode": "navigate"},
        {"sec_fetch_dest": "frame"},
        {"sec_fetch_dest": "fencedframe"},
        {"sec_fetch_dest": "embed"},
        {"sec_fetch_dest": "object"},
        {"sec_fetch_dest": "image", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_dest": "empty", "sec_fetch_mode": "cors"},
        {"sec_fetch_dest": "document", "sec_fetch_mode": "cors"},
        {"sec_fetch_dest": "document, document"},
        {"sec_fetch_dest": ""},
        {"sec_fetch_mode": "no-cors"},
        NAVIGATION | {"sec_purpose": "prefetch"},
        NAVIGATION | {"sec_purpose": "prefetch;prerender"},
        NAVIGATION | {"purpose": "prefetch"},
        NAVIGATION | {"x_moz": "prefetch"},
    ],
)
def test_issue_speaks_to_visits_alone(family: Family, ledger: Ledger, headers: dict[str, str]) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    answer = browser.get("stride", f"/consent/handoff/issue?aud=trailhead&st={STATE}", **headers)
    assert answer.status_code == 403 and "location" not in answer.headers
    assert "cross-origin" not in answer.headers.get("access-control-allow-origin", "")
    subject = browser.jars["stride"][COOKIE].split(".")[6]
    assert ledger.linked(subject) == {subject}


def test_head_request_to_issue_is_refused(family: Family) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    answer = browser.send("stride", "HEAD", f"/consent/handoff/issue?aud=trailhead&st={STATE}")
    assert answer.status_code == 403 and "location" not in answer.headers


def test_a_browser_that_sends_no_fetch_metadata_is_served(family: Family) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    assert token_of(browser.issue("stride", "trailhead"))


# HO-03
def test_a_token_counts_in_the_browser_that_asked_for_it_alone(family: Family) -> None:
    attacker, victim = family.browser(), family.browser()
    attacker.choose("stride", EVERYTHING)
    stolen = attacker.issue("stride", "trailhead")
    for transactions in range(3):
        finish = victim.follow(stolen)
        assert finish.headers["location"] == "/" and COOKIE not in victim.jars["trailhead"]
        assert (TRANSACTION in victim.jars["trailhead"]) is (transactions > 0), "what it began is not touched"
        victim.start("stride", "trailhead")
    attacker.follow(stolen)
    assert attacker.granted("trailhead") == set(EVERYTHING)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_each_of_several_tabs_returns_to_its_own_page(family: Family, order: tuple[int, ...]) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    pages = ("/", "/shoes", "/shoes?size=42")
    tabs = [browser.issue("stride", "trailhead", page) for page in pages]
    for arrived, tab in enumerate(order):
        assert TRANSACTION in browser.jars["trailhead"]
        assert browser.follow(tabs[tab]).headers["location"] == pages[tab]
        assert browser.granted("trailhead") == set(EVERYTHING), arrived
    assert TRANSACTION not in browser.jars["trailhead"]


def test_a_tab_that_was_overtaken_leaves_the_other_one_alone(family: Family) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    overtaken = browser.issue("stride", "trailhead", "/shoes?a")
    browser.jars["trailhead"].clear()
    other = browser.issue("stride", "trailhead", "/shoes?b")
    assert browser.follow(overtaken).headers["location"] == "/" and not browser.granted("trailhead")
    assert browser.follow(other).headers["location"] == "/shoes?b"
    assert browser.granted("trailhead") == set(EVERYTHING) and TRANSACTION not in browser.jars["trailhead"]


def test_what_ends_in_one_tab_without_a_choice_leaves_the_others_alone(family: Family, clock: Clock) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    first = browser.issue("stride", "trailhead", "/shoes?a")
    vain = browser.issue("shoelab", "trailhead", "/shoes?b")
    assert browser.follow(vain).headers["location"] == "/shoes?b" and not browser.granted("trailhead")
    again = browser.issue("stride", "trailhead", "/shoes?c")
    assert browser.follow(again).headers["location"] == "/shoes?c"
    assert browser.follow(first).headers["location"] == "/shoes?a"
    assert family["trailhead"].handoff.reasons == {"return: no choice there": 1}
    assert browser.granted("trailhead") == set(EVERYTHING) and TRANSACTION not in browser.jars["trailhead"]


def test_a_second_visit_to_the_same_return_changes_nothing(family: Family, ledger: Ledger) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    issued = browser.issue("stride", "trailhead")
    transaction = browser.jars["trailhead"][TRANSACTION]
    browser.follow(issued)
    before = len(list(ledger.records()))
    browser.jars["trailhead"] = {TRANSACTION: transaction}
    again = browser.follow(issued)
    assert again.headers["location"] == "/shoes"
    assert browser.jars["trailhead"] == {TOLD: "failed.stride"}
    assert len(list(ledger.records())) == before
    assert family["trailhead"].handoff.reasons == {"return: used before": 1}


def test_hand_off_with_two_transaction_cookies_is_refused(family: Family) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    issued = browser.issue("stride", "trailhead")
    address = urlsplit(issued.headers["location"])
    value = browser.jars["trailhead"].pop(TRANSACTION)
    answer = browser.get(
        "trailhead",
        f"{address.path}?{address.query}",
        cookie=f"{TRANSACTION}={value}; {TRANSACTION}=forged",
    )
    assert answer.headers["location"] == "/" and "Max-Age=0" in answer.headers["set-cookie"]
    assert COOKIE not in browser.jars["trailhead"]


def test_repeated_token_in_the_query_is_ignored(family: Family) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    address = urlsplit(browser.issue("stride", "trailhead").headers["location"])
    browser.get("trailhead", f"{address.path}?{address.query}&{address.query}")
    assert browser.granted("trailhead") == set()


# XS-05
def test_an_older_choice_leaves_the_newer_one_alone_and_says_nothing(family: Family, clock: Clock) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    clock.advance(5)
    browser.choose("trailhead", {"social": True})
    mine = browser.jars["trailhead"][COOKIE]
    browser.cross("stride", "trailhead")
    assert browser.jars["trailhead"][COOKIE] == mine and TOLD not in browser.jars["trailhead"]
    assert LINE not in browser.get("trailhead").text and browser.granted("trailhead") == {"social"}


# XS-05
def test_older_choice_on_a_third_site_does_not_narrow_a_newer_grant(family: Family, clock: Clock) -> None:
    browser = family.browser()
    browser.choose("stride", {"social": True})
    browser.cross("stride", "shoelab")
    clock.advance(5)
    browser.choose("stride", EVERYTHING)
    browser.cross("stride", "trailhead")
    assert browser.granted("trailhead") == set(EVERYTHING) and browser.granted("shoelab") == {"social"}
    browser.cross("trailhead", "shoelab")
    assert browser.granted("shoelab") == set(EVERYTHING)


# XS-03: as many hand-offs as a reader collects who goes from site to site every day
def test_a_withdrawal_reaches_a_site_that_was_visited_after_a_thousand_others(
    family: Family, ledger: Ledger, clock: Clock
) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    own = browser.jars["stride"][COOKIE].split(".")[6]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: ledger.link(own, f"unused-{number}", int(clock())), range(1000)))
    browser.cross("stride", "trailhead")
    browser.cross("trailhead", "shoelab")
    clock.advance(1)
    browser.withdraw("stride")
    clock.advance(60)
    assert browser.granted("trailhead") == browser.granted("shoelab") == set()


# HO-04
def test_a_token_opened_ten_minutes_later_ends_softly(family: Family, clock: Clock) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    issued = browser.issue("stride", "trailhead")
    clock.advance(600)
    finish = browser.follow(issued)
    assert finish.headers["location"] == "/" and not browser.jars["trailhead"]
    assert BANNER in browser.get("trailhead").text


# HO-14
def test_while_the_ledger_is_away_a_trip_ends_softly_at_whichever_step(
    family: Family, ledger: Ledger, ledger_url: str
) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    with another_process_holds(ledger_url):
        vain = browser.issue("stride", "trailhead")
        assert vain.status_code == 303 and token_of(vain) == ""
        assert browser.follow(vain).headers["location"] == "/shoes"
    issued = browser.issue("stride", "trailhead")
    with another_process_holds(ledger_url):
        finish = browser.follow(issued)
    assert finish.headers["location"] == "/shoes"
    assert browser.jars["trailhead"] == {TOLD: "failed.stride"}
    page = browser.get("trailhead").text
    assert BANNER in page and "We couldn’t use your choice from Stride here." in page
    assert family["trailhead"].handoff.reasons["return: ledger"] == 1


# HO-14
def test_a_grant_that_was_handed_over_stands_for_max_stale_without_the_ledger_and_nobody_is_asked_anew(
    family: Family, ledger_url: str, clock: Clock
) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    browser.cross("stride", "trailhead")
    assert browser.granted("trailhead") == set(EVERYTHING)
    family.ledger.close()
    clock.advance(61)
    assert browser.granted("trailhead") == set(EVERYTHING)
    clock.advance(3600)
    assert browser.granted("trailhead") == set()
    assert BANNER not in browser.get("trailhead").text


# HO-14
def test_a_withdrawal_while_the_ledger_is_away_holds_here_at_once_and_there_once_it_is_back(
    family: Family, ledger_url: str, clock: Clock
) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    browser.cross("stride", "trailhead")
    clock.advance(1)
    with another_process_holds(ledger_url):
        assert browser.withdraw("trailhead").status_code == 200
        assert browser.granted("trailhead") == set()
    family["trailhead"].manager.close()
    clock.advance(61)
    assert browser.granted("stride") == set()


# WD-05
@pytest.mark.parametrize("how", [{"choice": "reject_all"}, {"categories": {"social": True}}])
def test_a_narrowing_on_a_linked_site_narrows_the_first(
    family: Family, clock: Clock, how: dict[str, object]
) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    browser.cross("stride", "trailhead")
    clock.advance(5)
    browser.choose("trailhead", **how)
    clock.advance(60)
    assert browser.granted("stride") == browser.granted("trailhead")


# XS-06
def test_a_pair_of_keys_is_replaced_in_two_steps_and_no_answer_is_lost(
    family: Family, ledger: Ledger, clock: Clock
) -> None:
    private, public = new_pair()
    keys = {site: PAIRS[site][1] for site in IDS} | {"stride": public}
    rows = [
        {"id": site, "name": site.title(), "origin": ORIGINS[site], "public_key": key}
        for site, key in keys.items()
    ]
    newer = a_policy(sites=rows)
    browser = family.browser()
    browser.choose("stride", EVERYTHING)

    def restart(site: str, **options: str) -> None:
        family[site].manager.close()
        family.members[site] = a_member(newer, site, ledger, clock, **options)

    restart("trailhead")
    assert browser.cross("stride", "trailhead").headers["location"] == "/shoes"
    assert family["trailhead"].handoff.reasons == {"return: signature": 1}
    assert BANNER in browser.get("trailhead").text and browser.granted("stride") == set(EVERYTHING)
    restart("stride")
    with pytest.raises(ConfigurationError, match="private_key belongs to"):
        browser.get("stride")
    restart("stride", private_key=private)
    assert browser.granted("stride") == set(EVERYTHING), "the keys are no part of the notice"
    browser.cross("stride", "trailhead")
    assert browser.granted("trailhead") == set(EVERYTHING)


def test_without_keys_there_is_no_hand_off(ledger: Ledger, clock: Clock) -> None:
    rows = [{"id": site, "name": site, "origin": f"https://{site}.example"} for site in ("stride", "shoelab")]
    with a_family(ledger, clock, a_policy(sites=rows), private_key=None) as family:
        browser = family.browser()
        assert browser.get("stride", "/consent/handoff/start?iss=shoelab").status_code == 404
        assert "/handoff/" not in browser.get("stride").text
