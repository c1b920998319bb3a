"""The HTTP contract: what is answered under the prefix."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from consentkit import Ledger, load_policy
from consentkit.errors import ConfigurationError
from consentkit.notices.notice import Notice
from consentkit.ui.assets import shipped_assets
from consentkit.web.endpoints.choice import MOST_FIELDS
from tests.conftest import HERE, Clock
from tests.support.embeds import embed_path
from tests.support.front import (
    CLEARED,
    COMPANION,
    COOKIE,
    EVERYTHING,
    KEY,
    ORIGIN,
    Front,
    a_policy,
    answers,
    ask,
    fronting,
    set_cookies,
    without_submissions,
)
from tests.support.records import another_process_holds
from tests.support.told import rows, tree, words

MakeFront = Callable[..., Front]
NOTICE = Notice.of(a_policy())
DECISION = "/consent/decision"
CONFIRMATION, BRIEF = "__Host-consent-from", "; Path=/; SameSite=Lax; Secure; Max-Age=120"
WITHDRAW = "/consent/withdraw"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
VENDORS = {"google-analytics": "analytical", "youtube": "social", "adhub": "tracking"}
PATHS = (
    "/consent",
    "/consent/policy",
    "/consent/policy.json",
    "/consent/sites",
    "/consent/sites.json",
    "/consent/banner",
    "/consent/settings",
    "/consent/decision",
    f"/consent/notices/{NOTICE.digest}",
    "/.well-known/gpc.json",
    "/.well-known/consent.json",
)
RECEIPTS = ("/consent/receipt", "/consent/receipt.html")
ACCEPT = {"choice": "accept_all"}
NOBODY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def client(front: Front) -> TestClient:
    return front.client()


@pytest.fixture(scope="module")
def quiet() -> Iterator[Front]:
    """A site at which nothing is decided by the tests that use it."""
    with fronting(Clock(datetime(2026, 8, 31, 12, tzinfo=UTC))) as front:
        yield front


@pytest.fixture(scope="module")
def visitor(quiet: Front) -> TestClient:
    """A visitor of that site who granted one thing."""
    client = quiet.client()
    quiet.cookie(client, social=True)
    return client


@pytest.fixture(scope="module")
def passer_by() -> Iterator[TestClient]:
    """A visitor of another site, of whom nothing is expected."""
    with fronting(Clock(datetime(2026, 8, 31, 12, tzinfo=UTC))) as front:
        yield front.client()


def shown(
    *granted: str,
    status: str = "given",
    decided: str | None = "2026-08-31T12:00:00Z",
    expires: str | None = "2027-02-28T12:00:00Z",
    notice: str | None = NOTICE.digest,
    gpc: bool = False,
    asking: bool = False,
    **vendors: bool,
) -> dict[str, Any]:
    """Write what the decision address shows, vendors that differ by their id with dashes as underscores."""
    differing = {vendor.replace("_", "-"): allowed for vendor, allowed in vendors.items()}
    return {
        "status": status,
        "categories": {"functional": True} | {one: one in granted for one in EVERYTHING},
        "vendors": {vendor: category in granted for vendor, category in VENDORS.items()} | differing,
        "decided_at": decided,
        "expires_at": expires,
        "notice": notice,
        "gpc": gpc,
        "needs_asking": asking,
        "regime": "nl",
    }


UNKNOWN = shown(status="unknown", decided=None, expires=None, notice=None, asking=True)
WITHDRAWN = shown(status="withdrawn")


def said(response: httpx2.Response) -> Any:
    """Read JSON that no cache keeps."""
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "private, no-store"
    return response.json()


# What is in force


def test_the_decision_is_told_to_the_last_key(front: Front, client: TestClient) -> None:
    assert said(client.get(DECISION)) == UNKNOWN
    decided = client.post(
        DECISION, json={"categories": {"functional": True, "social": True}, "vendors": {"adhub": True}}
    )
    assert said(decided) == shown("social", adhub=True)
    assert said(client.get(DECISION)) == shown("social", adhub=True)
    front.clock.set(datetime(2027, 2, 28, 12, tzinfo=UTC))
    assert said(client.get(DECISION)) == shown(status="expired", asking=True)


# SG-01, SG-05
def test_gpc_is_told_of_this_request_and_kept_with_the_decision(front: Front, client: TestClient) -> None:
    refused = UNKNOWN | {"gpc": True, "needs_asking": False}
    assert said(client.get(DECISION, headers={"Sec-GPC": "1"})) == refused
    assert said(client.get(DECISION)) == UNKNOWN
    assert front.records() == []
    client.post(DECISION, json=ACCEPT, headers={"Sec-GPC": "1"})
    assert front.records()[0].gpc
    assert said(client.get(DECISION, headers={"Sec-GPC": "1"})) == shown(*EVERYTHING, gpc=True)


# Deciding by JSON


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"choice": "accept_all"}, shown(*EVERYTHING)),
        ({"choice": "reject_all"}, shown(status="refused")),
        ({"categories": EVERYTHING}, shown(*EVERYTHING)),
        ({"categories": {"tracking": True}}, shown("tracking")),
        ({"categories": {"tracking": True, "social": False}}, shown("tracking")),
        ({"categories": {}}, shown(status="refused")),
        ({"vendors": {"youtube": True}}, shown(youtube=True)),
        ({"vendors": {"youtube": False}}, shown(status="refused")),
        ({"categories": {"social": True}, "vendors": {"youtube": False}}, shown("social", youtube=False)),
        ({"categories": {"social": True}, "vendors": {"youtube": True}}, shown("social")),
    ],
    ids=json.dumps,
)
def test_post_replaces_the_decision(client: TestClient, body: dict[str, Any], told: dict[str, Any]) -> None:
    client.post(DECISION, json={"categories": {"analytical": True}, "vendors": {"adhub": True}})
    answer = client.post(DECISION, json=body)
    assert answer.status_code == 200
    assert said(answer) == told
    assert said(client.get(DECISION)) == told


# RC-01
def test_a_decision_is_recorded_as_it_came_about(front: Front, client: TestClient) -> None:
    sent = {"notice": NOTICE.digest, "language": "nl", "surface": "banner"}
    client.post(DECISION, json=ACCEPT | sent)
    client.post(DECISION, json={"choice": "reject_all"})
    client.post(DECISION, json={"choice": "reject_all", "language": "tlh"}, headers={"Accept-Language": "nl"})
    given, refused = front.records()
    assert (given.event, given.status, given.choice, given.surface) == (
        "given",
        "given",
        "accept_all",
        "banner",
    )
    assert (given.language, given.notice, given.site) == ("nl", NOTICE.digest, "stride")
    assert (refused.event, refused.choice, refused.surface, refused.language) == (
        "withdrawn",
        "reject_all",
        "api",
        "en",
    )


# WD-05, CK-02, CK-04, CK-05, CK-06
def test_a_decision_sets_the_cookie_and_its_companion(client: TestClient) -> None:
    ours, companion = set_cookies(client.post(DECISION, json=ACCEPT))
    age = "Max-Age=15638400"
    assert re.fullmatch(rf"{COOKIE}=1d\.7\.[\w.-]+; Path=/; SameSite=Lax; Secure; HttpOnly; {age}", ours), (
        ours
    )
    assert re.fullmatch(
        rf"{COMPANION}=analytical\.tracking\.social\._[\w-]{{11}}; Path=/; SameSite=Lax; Secure; {age}",
        companion,
    )


def test_patch_changes_what_it_names_and_nothing_else(front: Front, client: TestClient) -> None:
    client.post(DECISION, json={"categories": {"analytical": True}})
    front.clock.advance(days=30)
    answer = client.patch(DECISION, json={"vendors": {"youtube": True}})
    assert said(answer) == shown("analytical", youtube=True)
    answer = client.patch(DECISION, json={"categories": {"social": True, "analytical": False}})
    assert said(answer) == shown("social")
    assert [record.event for record in front.records()] == ["given", "changed", "changed"]


def test_a_first_answer_about_a_part_leaves_the_rest_open(client: TestClient) -> None:
    assert said(client.patch(DECISION, json={"vendors": {"youtube": True}})) == shown(
        youtube=True, asking=True
    )


@pytest.mark.parametrize("body", [{"categories": {}}, {"vendors": {}, "categories": {}}])
def test_a_change_of_nothing_changes_nothing(front: Front, client: TestClient, body: dict[str, Any]) -> None:
    answer = client.patch(DECISION, json=body)
    assert (answer.status_code, said(answer), set_cookies(answer)) == (200, UNKNOWN, [])
    unknown = client.patch(DECISION, json=body | {"notice": "n" * 43})
    assert unknown.status_code == 409
    assert client.post(DECISION, data={"choice": "change"}).status_code == 303
    assert front.records() == []


# Deciding by a form


# UI-04, UI-09, UI-10
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"choice": "accept_all"}, shown(*EVERYTHING)),
        ({"choice": "reject_all"}, shown(status="refused")),
        ({"choice": "save"}, shown(status="refused")),
        ({"choice": "save", "category.social": "on"}, shown("social")),
        ({"choice": "save", "category.functional": "on", "vendor.youtube": "on"}, shown(youtube=True)),
        (
            {"choice": "save", "category.social": "on", "vendor.youtube": "off", "category.tracking": "off"},
            shown("social", youtube=False),
        ),
        ({"choice": "change", "category.social": "on"}, shown("analytical", "social", adhub=True)),
        ({"choice": "change", "vendor.adhub": "off"}, shown("analytical")),
    ],
    ids=lambda sent: "&".join(sent) if "status" not in sent else "",
)
def test_a_form_decides_and_leads_back(client: TestClient, fields: dict[str, str], told: Any) -> None:
    client.post(DECISION, json={"categories": {"analytical": True}, "vendors": {"adhub": True}})
    answer = client.post(DECISION, data=fields | {"next": "/videos?page=2"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/videos?page=2")
    assert answer.headers["cache-control"] == "private, no-store"
    assert said(client.get(DECISION)) == told


# HT-06
@pytest.mark.parametrize(
    ("sent", "led_to"),
    [
        (None, "/"),
        ("", "/"),
        ("/", "/"),
        ("/a/b?c=d&e=/f#g", "/a/b?c=d&e=/f#g"),
        ("/" + "a" * 1023, "/" + "a" * 1023),
        ("/" + "a" * 1024, "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("https:/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("%2f%2fevil.example", "/"),
        (" /a", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("/a\tb", "/"),
        ("/\t/evil.example", "/"),
        ("/a b", "/"),
        ("/ä", "/"),
        ("/a\x00", "/"),
        ("/a\\b", "/"),
        ("/consent", "/"),
        ("/consent?next=/", "/"),
        ("/consent/withdraw", "/"),
        ("/%63onsent/decision", "/"),
        ("/x/../consent", "/"),
        ("/consenting", "/consenting"),
    ],
)
def test_next_leads_to_a_path_of_this_site(client: TestClient, sent: str | None, led_to: str) -> None:
    fields = {"choice": "reject_all"} | ({"next": sent} if sent is not None else {})
    assert client.post(DECISION, data=fields).headers["location"] == led_to
    assert client.post(WITHDRAW, data={"next": sent or ""}).headers["location"] == led_to
    page = client.get("/consent", params={"next": sent or ""})
    assert tree(page.text).find(".//header/a").get("href") == led_to


def test_addresses_ignore_host_and_forwarded_headers(client: TestClient) -> None:
    lies = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "host=evil.example",
        "X-Original-URL": "https://evil.example/",
        "Referer": f"{ORIGIN}/evil",
    }
    assert client.post(DECISION, data=ACCEPT, headers=lies).headers["location"] == "/"
    for path in ("/", *PATHS, *RECEIPTS, "/consent/nowhere"):
        assert "evil" not in client.get(path, headers=lies | BROWSER).text


# Withdrawing


# WD-01, WD-03, WD-05, WD-06, WD-07
def test_delete_withdraws_everything_and_says_where_the_records_are(front: Front, client: TestClient) -> None:
    client.post(DECISION, json=ACCEPT)
    given = front.records()[0]
    for name in ("_ga", "_ga_X", "watched", "seen_ads", "session", "other"):
        client.cookies.set(name, "1", domain="stride.example")
    front.clock.advance(60)
    answer = client.delete(DECISION)
    assert said(answer) == WITHDRAWN | {"reference": given.subject, "decided_at": "2026-08-31T12:01:00Z"} | {
        "expires_at": "2027-02-28T12:01:00Z"
    }
    gone = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    ours, companion, *expired = set_cookies(answer)
    assert ours.startswith(f"{COOKIE}=1w.")
    assert companion.startswith(f"{COMPANION}=-;")
    assert expired == [
        f"_ga=; {gone}; Path=/; SameSite=Lax",
        f"_ga_X=; {gone}; Path=/; SameSite=Lax",
        f"watched=; {gone}; Path=/videos; Domain=.stride.example; SameSite=Lax",
        f"seen_ads=; {gone}; Path=/; Secure; SameSite=Lax; Partitioned",
    ]
    assert answer.headers["clear-site-data"] == CLEARED
    assert front.records()[0] == given
    assert [record.event for record in front.ledger.history(str(given.subject))] == ["given", "withdrawn"]


# WD-03
def test_delete_withdraws_one_category(front: Front, client: TestClient) -> None:
    client.post(DECISION, json={"categories": EVERYTHING, "vendors": {"adhub": False}})
    answer = client.delete(DECISION, params={"category": "social"})
    told = said(answer)
    assert told == shown("analytical", "tracking", adhub=False) | {"reference": front.records()[0].subject}
    assert answer.headers["clear-site-data"] == CLEARED
    assert said(client.delete(f"{DECISION}?category=tracking"))["status"] == "given"
    last = said(client.delete(f"{DECISION}?category=analytical&surface=preferences&language=nl"))
    assert (last["status"], last["reference"]) == ("withdrawn", told["reference"])
    record = front.records()[-1]
    assert (record.event, record.choice, record.surface, record.language) == (
        "withdrawn",
        "withdraw",
        "preferences",
        "nl",
    )


# WD-03
@pytest.mark.parametrize("before", [None, {"choice": "reject_all"}, {"categories": {"social": True}}])
def test_where_nothing_is_granted_a_withdrawal_changes_nothing(
    front: Front, client: TestClient, before: dict[str, Any] | None
) -> None:
    if before:
        client.post(DECISION, json=before)
    told, records = said(client.get(DECISION)), front.records()
    client.cookies.set("_ga", "1", domain="stride.example")
    answer = client.delete(DECISION, params={"category": "tracking"})
    assert said(answer) == told | {"reference": None}
    if before != {"categories": {"social": True}}:
        assert said(client.delete(DECISION)) == told | {"reference": None}
    form = client.post(WITHDRAW, data={"category": "tracking", "next": "/a"})
    assert (form.status_code, form.headers["location"]) == (303, "/a")
    assert set_cookies(answer) == [] and set_cookies(form) == [f"{CONFIRMATION}=unchanged{BRIEF}"]
    assert "clear-site-data" not in answer.headers
    assert front.records() == records
    assert said(client.get(DECISION)) == told


# WD-03
@pytest.mark.parametrize("token", ["x", "1d.7.1.1.a.b.c.d", "é", "1w......."])
def test_withdrawal_with_a_forged_cookie_changes_and_records_nothing(
    front: Front, client: TestClient, token: str
) -> None:
    answer = client.delete(DECISION, headers=[("Cookie", f"{COOKIE}={token}".encode())])
    assert said(answer) == UNKNOWN | {"reference": None}
    assert (set_cookies(answer), front.records()) == ([], [])


# WD-01
def test_a_form_withdraws_at_one_click(front: Front, client: TestClient) -> None:
    client.post(DECISION, json=ACCEPT)
    answer = client.post(WITHDRAW)
    assert answer.status_code == 415
    answer = client.post(WITHDRAW, headers=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["clear-site-data"] == CLEARED
    assert said(client.get(DECISION)) == WITHDRAWN
    client.post(DECISION, json=ACCEPT)
    client.post(WITHDRAW, data={"category": "social", "notice": NOTICE.digest, "surface": "policy"})
    assert said(client.get(DECISION)) == shown("analytical", "tracking")
    assert front.records()[-1].surface == "policy"


# WD-03, CK-08
def test_a_granted_cookie_is_worth_nothing_once_it_was_withdrawn(front: Front, client: TestClient) -> None:
    token = front.cookie(client, **EVERYTHING)
    client.delete(DECISION)
    replayed = client.get(DECISION, headers={"Cookie": f"{COOKIE}={token}"})
    assert said(replayed) == WITHDRAWN
    assert said(client.delete(DECISION, headers={"Cookie": f"{COOKIE}={token}"}))["reference"] is None


# Notices


def an_older_policy() -> Any:
    """Make the policy as it was when it had no YouTube and a category more."""
    partner = {
        "id": "partner",
        "title": {"en": "Partner", "nl": "Partner"},
        "description": {"en": "Be partners.", "nl": "Partners zijn."},
    }
    vendors = [vendor for vendor in rows("vendors") if vendor["id"] != "youtube"]
    return a_policy(categories=[*rows("categories"), partner], vendors=vendors)


@pytest.fixture
def renewed(make_front: MakeFront, ledger_url: str) -> Front:
    """A site whose ledger knows an older notice, and where visitors have old pages open."""
    make_front(an_older_policy(), ledger=ledger_url).client().post(DECISION, json=ACCEPT)
    return make_front(ledger=ledger_url)


# IN-06, VA-05
@pytest.mark.parametrize("choice", ["accept_all", "reject_all"])
def test_an_answer_counts_for_what_the_page_that_was_shown_disclosed(renewed: Front, choice: str) -> None:
    older = Notice.of(an_older_policy()).digest
    with renewed.client() as client:
        answer = client.post(DECISION, json={"choice": choice, "notice": older, "surface": "banner"})
        assert answer.status_code == 200, answer.text
        told = said(answer)
    assert told["notice"] == renewed.records()[-1].notice == older
    assert not told["vendors"]["youtube"]
    assert told["categories"]["analytical"] is (choice == "accept_all")
    assert "partner" not in told["categories"]


# IN-06
@pytest.mark.parametrize("notice", ["n" * 43, NOTICE.short, "../x", "\u2028"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_answer_to_an_unknown_notice_is_refused(
    front: Front, client: TestClient, notice: str, method: str
) -> None:
    told = said(client.post(DECISION, json={"categories": {"social": True}}))
    answer = client.request(method, DECISION, json={"categories": {"tracking": True}, "notice": notice})
    assert (answer.status_code, answer.json()["status"]) == (409, 409)
    page = client.post(DECISION, data=ACCEPT | {"notice": notice})
    assert (page.status_code, page.headers["content-type"]) == (409, "text/html; charset=utf-8")
    assert len(front.records()) == 1
    assert said(client.get(DECISION)) == told


# IN-06
def test_every_notice_that_was_published_can_be_read(renewed: Front) -> None:
    older = Notice.of(an_older_policy())
    with renewed.client() as client:
        for notice in (NOTICE, older):
            answer = client.get(f"/consent/notices/{notice.digest}")
            assert answer.json() == notice.content
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        for digest in ("n" * 43, older.short, "", f"{older.digest}/", f"x/{older.digest}", "%00"):
            assert client.get(f"/consent/notices/{digest}").status_code == 404


def test_without_a_ledger_the_present_notice_alone_can_be_read(make_front: MakeFront) -> None:
    with pytest.warns(UserWarning, match="no ledger"):
        front = make_front(ledger=None)
    with front.client() as client:
        assert client.get(f"/consent/notices/{NOTICE.digest}").status_code == 200
        assert client.get("/consent/notices/unknown").status_code == 404


# What is said again


# VA-04, UI-08, RC-01
@pytest.mark.parametrize("choice", ["accept_all", "reject_all"])
def test_same_choice_within_an_hour_is_not_recorded_again(
    front: Front, client: TestClient, choice: str
) -> None:
    told = said(client.post(DECISION, json={"choice": choice}))
    front.clock.advance(3599)
    again = client.post(DECISION, json={"choice": choice})
    assert (said(again), set_cookies(again)) == (told, [])
    form = client.post(DECISION, data={"choice": choice})
    event = "accepted" if choice == "accept_all" else "rejected"
    assert (form.status_code, set_cookies(form)) == (303, [f"{CONFIRMATION}={event}{BRIEF}"])
    assert form.headers["cache-control"] == "private, no-store"
    assert len(front.records()) == 1


# VA-01
def test_same_choice_after_an_hour_renews_the_decision(front: Front, client: TestClient) -> None:
    client.post(DECISION, json=ACCEPT)
    front.clock.advance(3600)
    again = client.post(DECISION, json=ACCEPT)
    assert said(again) == shown(*EVERYTHING, decided="2026-08-31T13:00:00Z", expires="2027-02-28T13:00:00Z")
    assert len(set_cookies(again)) == 2
    first, second = front.records()
    assert (first.event, second.event) == ("given", "renewed")
    assert first.subject == second.subject


def test_repeated_change_is_never_recorded(front: Front, client: TestClient) -> None:
    client.post(DECISION, json={"vendors": {"youtube": True}})
    front.clock.advance(days=30)
    assert set_cookies(client.patch(DECISION, json={"vendors": {"youtube": True}})) == []
    assert len(front.records()) == 1


# Refusals


def problem(answer: httpx2.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "private, no-store"
    body = answer.json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert set(body) <= {"type", "title", "status", "detail"}
    return body


REFUSED: list[tuple[int, str, str, dict[str, str], bytes]] = [
    (400, "POST", DECISION, JSON, b"{"),
    (400, "POST", DECISION, JSON, b'{"categories":{"functional":false}}'),
    (400, "POST", DECISION, JSON, b'{"categories":{"unheard":true}}'),
    (400, "POST", DECISION, JSON, b'{"vendors":{"unheard":true}}'),
    (400, "POST", DECISION, JSON, b'{"categories":{"social":true,"social":true}}'),
    (400, "POST", DECISION, JSON, b'{"categories":{"social":"true"}}'),
    (400, "POST", DECISION, JSON, b"[" * 10_000),
    (400, "PATCH", DECISION, JSON, b'{"choice":"accept_all"}'),
    (400, "PATCH", DECISION, JSON, b'{"categories":{"functional":false}}'),
    (400, "POST", DECISION, FORM, b"choice=save&category.functional=off"),
    (400, "POST", DECISION, FORM, b"choice=save&category.unheard=on"),
    (400, "POST", DECISION, FORM, b"choice=save&choice=accept_all"),
    (400, "POST", DECISION, FORM, b"choice=save" + b"&a=b" * MOST_FIELDS),
    (400, "POST", WITHDRAW, FORM, b"category=unheard"),
    (400, "POST", WITHDRAW, FORM, b"category=functional"),
    (400, "POST", WITHDRAW, FORM, b"category="),
    (400, "DELETE", f"{DECISION}?category=unheard", {}, b""),
    (400, "DELETE", f"{DECISION}?category=functional", {}, b""),
    (400, "DELETE", f"{DECISION}?category=", {}, b""),
    (400, "DELETE", f"{DECISION}?categories=social", {}, b""),
    (400, "DELETE", f"{DECISION}?category=social&category=tracking", {}, b""),
    (413, "POST", DECISION, JSON, b" " * 16_385),
    (413, "POST", DECISION, JSON | {"Content-Length": "16385"}, b'{"choice":"accept_all"}'),
    (413, "POST", DECISION, JSON | {"Content-Length": "9" * 400}, b'{"choice":"accept_all"}'),
    (413, "PATCH", DECISION, JSON, b" " * 100_000),
    (413, "POST", WITHDRAW, FORM, b"a" * 16_385),
    (415, "POST", DECISION, {}, b'{"choice":"accept_all"}'),
    (415, "POST", DECISION, {"Content-Type": "text/plain"}, b'{"choice":"accept_all"}'),
    (
        415,
        "POST",
        DECISION,
        {"Content-Type": "application/json; charset=latin-1"},
        b'{"choice":"accept_all"}',
    ),
    (415, "POST", DECISION, {"Content-Type": "multipart/form-data; boundary=x"}, b"--x--"),
    (415, "POST", DECISION, JSON | {"Content-Encoding": "gzip"}, b'{"choice":"accept_all"}'),
    (415, "PATCH", DECISION, FORM, b"choice=accept_all"),
    (415, "POST", WITHDRAW, JSON, b"{}"),
    (405, "PUT", DECISION, JSON, b'{"choice":"accept_all"}'),
    (405, "OPTIONS", DECISION, {}, b""),
    (405, "PROPFIND", DECISION, {}, b""),
    (405, "POST", "/consent", FORM, b"choice=accept_all"),
    (405, "DELETE", "/consent", {}, b""),
    (405, "GET", WITHDRAW, {}, b""),
    (405, "HEAD", WITHDRAW, {}, b""),
    (405, "POST", "/.well-known/gpc.json", {}, b""),
    (405, "POST", "/.well-known/consent.json", {}, b""),
    (404, "GET", "/consent/", {}, b""),
    (404, "POST", "/consent/nowhere", FORM, b"choice=accept_all"),
    (404, "GET", "/consent/assets/consent.css", {}, b""),
    (404, "GET", "/consent/assets/%2e%2e/decision", {}, b""),
]


# HT-06, WD-08
@pytest.mark.parametrize(
    ("status", "method", "path", "headers", "body"),
    REFUSED,
    ids=[f"{status} {method} {path} {body[:40]!r}" for status, method, path, _, body in REFUSED],
)
def test_malformed_choice_is_refused_and_changes_nothing(
    quiet: Front,
    visitor: TestClient,
    status: int,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
) -> None:
    answer = visitor.request(method, path, headers=headers, content=body)
    if headers.get("Content-Type") == FORM["Content-Type"]:
        assert answer.status_code == status
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "private, no-store"
        assert str(status) in words(answer.text)
    elif method != "HEAD":
        problem(answer, status)
    assert answer.status_code == status
    assert set_cookies(answer) == []
    assert len(quiet.records()) == 1
    assert said(visitor.get(DECISION)) == shown("social")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/consent", {"GET", "HEAD"}),
        (DECISION, {"GET", "HEAD", "POST", "PATCH", "DELETE"}),
        (WITHDRAW, {"POST"}),
        (f"/consent/notices/{NOTICE.digest}", {"GET", "HEAD"}),
        ("/.well-known/gpc.json", {"GET", "HEAD"}),
        ("/.well-known/consent.json", {"GET", "HEAD"}),
    ],
)
def test_wrong_method_is_refused_with_the_allowed_methods(
    visitor: TestClient, path: str, allowed: set[str]
) -> None:
    answer = visitor.put(path)
    problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_a_refusal_is_a_page_for_a_browser_and_in_its_language(client: TestClient) -> None:
    answer = client.get("/consent/nowhere", headers=BROWSER | {"Accept-Language": "nl"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert tree(answer.text).get("lang") == "nl"


# WD-08
@pytest.mark.parametrize(
    ("headers", "served"),
    [
        ([], True),
        ([("Origin", ORIGIN)], True),
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", ORIGIN)], True),
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", "null")], True),
        ([("Sec-Fetch-Site", "none")], True),
        ([("Referer", f"{ORIGIN}/a")], True),
        ([("Origin", "null")], False),
        ([("Origin", "https://evil.example")], False),
        ([("Origin", "http://stride.example")], False),
        ([("Origin", "https://trailhead.example")], False),
        ([("Origin", ORIGIN), ("Origin", ORIGIN)], False),
        ([("Origin", f"{ORIGIN}, {ORIGIN}")], False),
        ([("Sec-Fetch-Site", "same-site"), ("Origin", ORIGIN)], False),
        ([("Sec-Fetch-Site", "cross-site"), ("Origin", ORIGIN)], False),
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example")], False),
        ([("Referer", "https://evil.example/https://stride.example")], False),
        ([("Referer", f"{ORIGIN}.evil.example/")], False),
    ],
)
def test_choice_from_another_origin_is_refused(
    front: Front, client: TestClient, headers: list[tuple[str, str]], served: bool
) -> None:
    requests = [
        client.post(DECISION, json=ACCEPT, headers=headers),
        client.patch(DECISION, json={"categories": {"social": False}}, headers=headers),
        client.delete(DECISION, headers=headers),
        client.post(DECISION, data={"choice": "save"}, headers=headers),
        client.post(WITHDRAW, data={}, headers=[*headers, ("Content-Type", FORM["Content-Type"])]),
    ]
    assert [answer.status_code < 400 for answer in requests] == [served] * 5
    assert served or {answer.status_code for answer in requests} == {403}
    assert served or (front.records(), dict(client.cookies)) == ([], {})


# WD-08
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_and_head_change_nothing(front: Front, client: TestClient, method: str) -> None:
    token = front.cookie(client, social=True)
    query = "choice=accept_all&category=social&category.social=off&_method=DELETE"
    override = {"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE"}
    for path in (*PATHS, *RECEIPTS, WITHDRAW, "/consent/nowhere"):
        answer = client.request(method, f"{path}?{query}", headers=override, content=b"choice=accept_all")
        assert set_cookies(answer) == []
        assert answer.status_code in (200, 204, 404, 405)
    assert client.cookies[COOKIE] == token
    assert len(front.records()) == 1


# WD-08
def test_method_override_headers_and_fields_are_ignored(client: TestClient) -> None:
    client.post(DECISION, json={"categories": {"social": True}})
    client.post(
        DECISION, json={"categories": {"tracking": True}}, headers={"X-HTTP-Method-Override": "PATCH"}
    )
    assert said(client.get(DECISION)) == shown("tracking")
    assert client.post(DECISION, data={"choice": "save", "_method": "DELETE"}).status_code == 400
    assert said(client.get(DECISION)) == shown("tracking")


# Every answer


# HT-04
@pytest.mark.parametrize(
    ("method", "path"),
    [*(("GET", path) for path in PATHS), *((method, path) for _, method, path, _, _ in REFUSED)],
)
@pytest.mark.parametrize("browser", [{}, BROWSER])
def test_every_answer_carries_what_protects_it(
    passer_by: TestClient, method: str, path: str, browser: dict[str, str]
) -> None:
    protected(passer_by.request(method, path, headers=browser | FORM))


def protected(answer: httpx2.Response) -> None:
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("referrer-policy") == ["same-origin"]
    assert answer.headers.get_list("x-frame-options") == ["DENY"]
    (policy,) = answer.headers.get_list("content-security-policy")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["base-uri"] == "'none'"
    assert "unsafe" not in policy and "*" not in policy


def test_redirects_assets_and_foreign_requests_are_protected_too(client: TestClient) -> None:
    stylesheet = tree(client.get("/consent").text).find(".//link[@rel='stylesheet']").get("href")
    protected(client.post(DECISION, data=ACCEPT))
    protected(client.post(DECISION, json=ACCEPT, headers={"Origin": "https://evil.example"}))
    protected(client.get(stylesheet))


VIDEO = "https://www.youtube-nocookie.com/embed/x"
EMBED = f"/consent{embed_path('youtube', VIDEO, key=KEY)}"


# LB-10, HT-04
@pytest.mark.parametrize(
    ("path", "status"),
    [
        (EMBED, 200),
        (EMBED.partition("&s=")[0], 400),
        ("/consent/embed/youtube?u=https%3A%2F%2Fevil.example", 400),
        ("/consent/embed/nobody", 404),
        ("/consent/embed/youtube/x", 404),
    ],
)
def test_an_embed_may_be_framed_by_this_site_alone(passer_by: TestClient, path: str, status: int) -> None:
    answer = passer_by.get(path)
    assert answer.status_code == status
    assert answer.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    (policy,) = answer.headers.get_list("content-security-policy")
    assert "frame-ancestors 'self'" in policy and "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["cache-control"] == "private, no-store"


# LB-10
def test_a_granted_embed_frames_its_vendor_and_nobody_else(front: Front, client: TestClient) -> None:
    front.cookie(client, social=True)
    answer = client.get(EMBED)
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy.endswith("; frame-src https://www.youtube-nocookie.com")
    assert tree(answer.text).find(".//iframe").get("src") == VIDEO


# CK-01
def test_an_answer_that_sets_our_cookie_is_kept_by_nobody(front: Front) -> None:
    async def decides(scope: Any) -> None:
        await scope["state"]["consent"].adecide(EVERYTHING)

    said_before = [
        (b"cache-control", b"public, max-age=60"),
        (b"CDN-Cache-Control", b"max-age=60"),
        (b"expires", b"x"),
    ]
    app = front.around(*())
    app.mount("/decides", answers(headers=said_before, do=decides))
    answer = front.client(app=app).get("/decides/")
    assert len(set_cookies(answer)) == 2
    assert answer.headers.get_list("cache-control") == ["private, no-store"]
    assert "cdn-cache-control" not in answer.headers and "expires" not in answer.headers


# Pages


# SG-02
def test_the_gpc_resource_says_the_same_to_everybody(front: Front, client: TestClient) -> None:
    plain = client.get("/.well-known/gpc.json")
    assert plain.json() == {"gpc": True, "lastUpdate": "2026-08-31"}
    assert plain.headers["content-type"] == "application/json"
    assert plain.headers["cache-control"] == "public, max-age=3600"
    front.cookie(client, **EVERYTHING)
    front.clock.advance(days=3)
    assert client.get("/.well-known/gpc.json", headers={"Sec-GPC": "1"}).content == plain.content


# SG-02
def test_gpc_is_honoured_only_where_every_profiling_category_honours_it(make_front: MakeFront) -> None:
    for categories, honoured in (
        (rows("categories", tracking={"honours_gpc": False}), False),
        (rows("categories", functional={}), True),
    ):
        front = make_front(a_policy(categories=categories))
        with front.client() as client:
            assert client.get("/.well-known/gpc.json").json()["gpc"] is honoured


# SG-02
def test_the_gpc_resource_is_as_old_as_the_notice(make_front: MakeFront, tmp_path: Path) -> None:
    text = (HERE / "consent.example.toml").read_text("utf-8")
    (tmp_path / "consent.toml").write_text(text)
    policy = load_policy(tmp_path / "consent.toml")
    current = Notice.of(policy)
    known = Notice(current.digest, current.facts, published="2026-02-03")
    policy._notices = (known,)  # type: ignore[attr-defined]  # as a lock with that date has them
    with make_front(policy).client() as client:
        assert date.fromisoformat(client.get("/.well-known/gpc.json").json()["lastUpdate"]) == date(
            2026, 2, 3
        )


def test_the_banner_can_be_had_alone(front: Front, client: TestClient) -> None:
    answer = client.get("/consent/banner", params={"next": "/videos?page=2"})
    assert answer.headers["cache-control"] == "private, no-store"
    banner = tree(answer.text).find(".//section[@id='cookie-consent']")
    assert {field.get("value") for field in banner.findall(".//input[@name='next']")} == {"/videos?page=2"}
    front.cookie(client, social=False)
    answer = client.get("/consent/banner")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["cache-control"] == "private, no-store"


# WD-02
def test_the_settings_link_can_be_had_alone(front: Front, client: TestClient) -> None:
    for granted in (False, True):
        answer = client.get("/consent/settings", params={"next": "/videos"})
        assert answer.headers["cache-control"] == "private, no-store"
        settings = tree(answer.text)
        assert settings.find(".//a[@class='site-privacy-settings']").get("href") == "/consent"
        assert {field.get("value") for field in settings.findall(".//input[@name='next']")} == (
            {"/videos"} if granted else set()
        )
        front.cookie(client, social=True)


# IN-08, XS-01
@pytest.mark.parametrize("name", ["policy", "sites"])
@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_json_is_in_the_language_of_the_page(client: TestClient, name: str, language: str) -> None:
    headers = {"Accept-Language": f"{language};q=0.9, tlh"}
    page = client.get(f"/consent/{name}", headers=headers)
    overview = client.get(f"/consent/{name}.json", headers=headers)
    assert tree(page.text).get("lang") == language == overview.headers["content-language"]
    assert overview.headers["vary"] == "Accept-Language"
    assert overview.headers["cache-control"] == "no-cache"
    texts = words(page.text)
    for site in overview.json()["sites"]:
        assert site["origin"] in page.text and site["name"] in texts


# IN-07, HT-01, HT-02
@pytest.mark.parametrize("path", ["/consent", "/consent/policy", "/consent/sites"])
def test_a_page_is_the_visitors_own(front: Front, client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Accept-Language": "nl-BE"})
    assert tree(answer.text).get("lang") == "nl"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Cookie, Sec-GPC, Accept-Language"
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    front.cookie(client, **EVERYTHING)
    assert "/consent/withdraw" in client.get(path).text


def test_assets_never_change_under_their_name(client: TestClient) -> None:
    address = tree(client.get("/consent").text).find(".//link[@rel='stylesheet']").get("href")
    answer = client.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert set_cookies(answer) == [] and "vary" not in answer.headers
    assert client.get(address.replace(".css", "x.css")).status_code == 404
    assert client.get(address.replace("/assets/", "/assets/x/")).status_code == 404


@pytest.mark.parametrize("name", ["consent.css", "consent.js", "policy.js"])
def test_assets_of_other_versions_are_those_of_today_and_not_kept(client: TestClient, name: str) -> None:
    stem, suffix = name.split(".")
    old = client.get(f"/consent/assets/{stem}.0123456789ab.{suffix}")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
    assert old.content == shipped_assets()[name].content
    for unknown in (
        f"other.0123456789ab.{suffix}",
        f"{stem}.0123456789AB.{suffix}",
        f"{stem}.0123456789a.{suffix}",
    ):
        assert client.get(f"/consent/assets/{unknown}").status_code == 404


# XS-02, HT-05
HOSTILE = (
    "javascript:alert(1)",
    "\"' onmouseover=alert(1) x= </script><script>alert(1)</script></title></textarea><svg onload=alert(1)> "
    "{{ 7 * 7 }} <!--<script>",
)


def bones(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """List the elements of a page with the names of their attributes."""
    return [(node.tag, tuple(node.keys())) for node in tree(html).iter() if isinstance(node.tag, str)]


# HT-05
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_of_the_policy_change_no_page(make_front: MakeFront, text: str) -> None:
    def of(words: str) -> Any:
        texts = {"en": words, "nl": words}
        return a_policy(
            controller=EXAMPLE_CONTROLLER | {"name": words, "address": words},
            group={"id": "hardlopen", "name": texts},
            sites=[site | {"name": words} for site in rows("sites")],
            categories=[category | {"title": texts, "description": texts} for category in rows("categories")],
            vendors=[
                vendor | {"name": f"{words} {vendor['id']}", "legal_entity": words}
                for vendor in rows("vendors")
            ],
        )

    pages: list[list[str]] = []
    for policy in (of("Plain words"), of(text)):
        with make_front(policy).client() as client:
            texts = [client.get(path, headers=BROWSER).text for path in ("/", *PATHS[:7], "/consent/nowhere")]
            client.post(DECISION, json=ACCEPT)
            texts += [client.get(path, headers=BROWSER).text for path in ("/", *PATHS[:5])]
            pages.append(texts)
    for plain, hostile in zip(*pages, strict=True):
        assert bones(plain) == bones(hostile) if plain.startswith("<") else json.loads(hostile)
        assert not re.search(r"(href|src|action)=[\"']?\s*javascript:", hostile, re.IGNORECASE)


EXAMPLE_CONTROLLER = a_policy().controller.model_dump(mode="json", exclude_none=True)


# The records are nobody else's


# RC-01
def test_reference_of_a_withdrawal_gives_no_access_to_records(front: Front, client: TestClient) -> None:
    client.post(DECISION, json=ACCEPT)
    reference = said(client.delete(DECISION))["reference"]
    assert re.fullmatch(r"[\w-]{22}", reference)
    with front.client() as stranger:
        for path in (
            f"/consent/receipt?reference={reference}",
            f"/consent/receipt/{reference}",
            f"/consent/decision/{reference}",
            f"/consent/records/{reference}",
            f"/consent/notices/{reference}",
        ):
            assert stranger.get(path).status_code == 404
        assert said(stranger.get(f"/consent/decision?reference={reference}")) == UNKNOWN


# While the ledger is away


@pytest.fixture
def impatient(make_front: MakeFront, ledger_url: str) -> Iterator[Front]:
    """A site that waits a moment for its ledger, which others fill."""
    ledger = Ledger(ledger_url, lock_timeout=0.2)
    yield make_front(ledger=ledger)
    ledger.close()


# RC-10, WD-03
def test_without_the_ledger_nothing_is_granted_and_everything_withdrawn(
    make_front: MakeFront, impatient: Front, ledger_url: str
) -> None:
    patient = make_front(ledger=ledger_url)
    token = patient.cookie(patient.client(), **EVERYTHING)
    with impatient.client() as client, impatient.client() as stranger:
        for name, value in ((COOKIE, token), ("_ga", "1")):
            client.cookies.set(name, value, domain="stride.example")
        assert said(client.get(DECISION)) == shown(*EVERYTHING)
        with another_process_holds(ledger_url):
            refused = stranger.post(DECISION, json=ACCEPT)
            problem(refused, 503)
            assert refused.headers["retry-after"] == "5"
            page = stranger.post(DECISION, data=ACCEPT)
            assert (page.status_code, set_cookies(page)) == (503, [])
            assert "503" in words(page.text)
            problem(stranger.patch(DECISION, json={"vendors": {"youtube": True}}), 503)
            assert said(stranger.get(DECISION)) == UNKNOWN
            refusing = stranger.post(DECISION, json={"choice": "reject_all"})
            assert said(refusing) == shown(status="refused")

            narrowed = client.patch(DECISION, json={"categories": {"social": False}})
            assert said(narrowed) == shown("analytical", "tracking")
            withdrawn = client.delete(DECISION)
            assert said(withdrawn)["status"] == "withdrawn"
            assert [line.partition("=")[0] for line in set_cookies(withdrawn)] == [COOKIE, COMPANION, "_ga"]
            replayed = client.get(DECISION, headers={"Cookie": f"{COOKIE}={token}"})
            assert said(replayed)["status"] == "withdrawn"
        while len(records := patient.records()) < 4:
            pass
    assert [record.event for record in records] == ["given", "refused", "withdrawn", "withdrawn"]


def test_pages_are_served_while_the_ledger_is_away(impatient: Front, ledger_url: str) -> None:
    with impatient.client() as client:
        front_page = without_submissions(client.get("/").content)
        with another_process_holds(ledger_url):
            assert without_submissions(client.get("/").content) == front_page
            assert [client.get(path).status_code for path in PATHS] == [200] * len(PATHS)


# Whatever a client can send

header_names = st.sampled_from(
    [
        *(b"accept", b"accept-language", b"content-type", b"content-length", b"content-encoding", b"cookie"),
        *(
            b"sec-gpc",
            b"if-none-match",
            b"if-match",
            b"hx-request",
            b"referer",
            b"range",
            b"x-forwarded-host",
        ),
    ]
)
header_values = st.one_of(
    st.binary(max_size=40).filter(lambda value: not re.search(rb"[\0\r\n]", value)),
    st.sampled_from([b"text/html", b"application/json", FORM["Content-Type"].encode(), b"1", b"nl"]),
    st.just(f"{COOKIE}=1d.7.1.1.a.b.c.d; _ga=1; {COMPANION}=social".encode()),
)
bodies = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b'{"choice":"x"}', b"choice=save&category.x=on", b'{"categories":{"x":true}}']),
)
paths = st.one_of(
    st.sampled_from([*PATHS, *RECEIPTS, WITHDRAW, "/", "/consent/assets/x", "/consent/handoff/start"]),
    st.text(max_size=30).map(lambda text: f"/consent/{text}"),
    st.text(max_size=30).map(lambda text: f"{DECISION}?{quote(text)}"),
)


# CK-08, HT-06
@NOBODY
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "x"]),
    path=paths,
    headers=st.lists(st.tuples(header_names, header_values), max_size=6),
    body=bodies,
)
@example("POST", DECISION, [(b"content-type", b"application/json")], b'{"categories":{"x":true}}')
@example("DELETE", f"{DECISION}?%ff=%00", [], b"")
@example("GET", "/consent?next=%ff%00", [(b"accept", b"text/html")], b"")
def test_no_request_is_an_error_of_ours_or_grants_anything(
    front: Front, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    answer = ask(
        front.around(),
        path,
        method=method,
        headers=headers,
        body=[{"type": "http.request", "body": body, "more_body": False}],
    )
    assert answer.status < 500
    for line in answer.values(b"set-cookie"):
        assert not line.startswith(COOKIE.encode() + b"=1d") or b"=1d.." in line
    assert all(record.status in ("refused", "withdrawn") for record in front.records())


json_values = st.one_of(st.booleans(), st.none(), st.integers(0, 1), st.sampled_from(["on", "true"]))
ids = st.sampled_from(["functional", *EVERYTHING, *VENDORS, "x"])
choices = st.fixed_dictionaries(
    {},
    optional={
        "categories": st.dictionaries(ids, json_values),
        "vendors": st.dictionaries(ids, json_values),
        "choice": st.sampled_from(["accept_all", "reject_all", "save", None]),
        "notice": st.sampled_from([NOTICE.digest, "x", None]),
    },
)


# UI-04, LB-03
@NOBODY
@given(method=st.sampled_from(["POST", "PATCH"]), body=choices)
def test_only_requested_categories_and_vendors_are_granted(
    front: Front, method: str, body: dict[str, Any]
) -> None:
    sent = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    headers = [(b"content-type", b"application/json")]
    answer = ask(front.around(), DECISION, method=method, headers=headers, body=sent)
    assert answer.status in (200, 400, 409)
    if answer.status != 200:
        assert answer.values(b"set-cookie") == []
        return
    told = json.loads(answer.body)
    categories, vendors = body.get("categories") or {}, body.get("vendors") or {}
    everything = body.get("choice") == "accept_all"
    for category, allowed in told["categories"].items():
        assert allowed is (category == "functional" or everything or categories.get(category, False))
    for vendor, allowed in told["vendors"].items():
        assert allowed is vendors.get(vendor, told["categories"][VENDORS[vendor]])


def test_disconnect_while_the_body_is_sent_ends_the_request(front: Front) -> None:
    answer = ask(
        front.around(),
        DECISION,
        method="POST",
        headers=[(b"content-type", b"application/json")],
        body=[{"type": "http.request", "body": b"{", "more_body": True}],
    )
    assert (answer.messages, front.records()) == ([], [])


def test_the_body_is_counted_as_it_arrives(front: Front) -> None:
    chunks = [{"type": "http.request", "body": b" " * 10_000, "more_body": True}] * 1000
    answer = ask(
        front.around(),
        DECISION,
        method="POST",
        headers=[(b"content-type", b"application/json"), (b"content-length", b"2")],
        body=chunks,
    )
    assert answer.status == 413


def test_websocket_below_the_prefix_is_closed(front: Front) -> None:
    answer = ask(front.around(), "/consent/decision", type="websocket")
    assert answer.messages == [{"type": "websocket.close", "code": 1008}]


def test_expiry_follows_the_managers_clock(front: Front, clock: Clock) -> None:
    with front.client() as client:
        clock.set(datetime(2027, 8, 31, 12, tzinfo=UTC))
        assert said(client.post(DECISION, json=ACCEPT))["expires_at"] == "2028-02-29T12:00:00Z"


LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@pytest.mark.parametrize("name", LOOPBACK)
@pytest.mark.parametrize("given", LOOPBACK[:1])
def test_names_of_this_machine_on_one_port_are_one_site(
    make_front: Callable[..., Front], given: str, name: str
) -> None:
    front = make_front(origins={"stride": f"http://{given}:8000"})
    client = front.client(base_url=f"http://{name}:8000")
    sent = {"origin": f"http://{name}:8000", "sec-fetch-site": "same-origin"}
    assert client.post(DECISION, json=ACCEPT, headers=sent).status_code == 200
    for other in (f"http://{name}:8001", f"http://{name}.evil.example:8000", f"https://{name}:8000"):
        assert client.post(DECISION, json=ACCEPT, headers=sent | {"origin": other}).status_code == 403


def test_refused_origin_is_logged_once_with_the_remedy(
    front: Front, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    for origin in ("http://192.168.0.7:8000", "https://other.example"):
        refused = client.post(DECISION, json=ACCEPT, headers={"origin": origin})
        assert refused.status_code == 403
    (line,) = [record.getMessage() for record in caplog.records if "was refused" in record.getMessage()]
    assert line == (
        "A choice from 'http://192.168.0.7:8000' was refused, because this site is at https://stride.example. If visitors "
        "reach the site there too, add that origin to ConsentManager(origins=...). Over plain http only this machine can be "
        "added, as http://localhost:PORT."
    )


# What the log advises is what the manager accepts.
@pytest.mark.parametrize(
    ("refused", "added"),
    [
        ("https://192.168.0.7", "https://192.168.0.7"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000", "http://localhost:8000"),
        ("http://192.168.0.7:8000", ""),
    ],
)
def test_refused_origin_is_accepted_once_it_was_added(
    make_front: Callable[..., Front], refused: str, added: str
) -> None:
    sent = {"origin": refused}
    assert make_front().client().post(DECISION, json=ACCEPT, headers=sent).status_code == 403
    if added != refused:
        with pytest.raises(ConfigurationError, match="not https"):
            make_front(origins={"stride": refused})
    if added:
        front = make_front(origins={"stride": ["https://stride.example", added]})
        assert front.client().post(DECISION, json=ACCEPT, headers=sent).status_code == 200


def test_our_pages_name_an_icon_that_their_policy_allows(client: TestClient) -> None:
    for path in ("/consent", "/consent/policy", "/consent/sites", "/consent/nothing"):
        page = client.get(path, headers={"accept": "text/html"})
        assert '<link rel="icon" href="data:,">' in page.text
        assert "img-src 'self' data:;" in page.headers["content-security-policy"]
