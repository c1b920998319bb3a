"""The receipt of the grant in force: who gets it, what it comes from, and the page with it."""

from datetime import UTC, datetime

import httpx2
import jsonschema
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from consentkit import Ledger
from consentkit.proof import receipt_id, receipt_schema
from consentkit.web import Endpoints, Exchange, RequestHead
from tests.conftest import Clock
from tests.support.front import COOKIE, EVERYTHING, ORIGIN, Front, a_policy, fronting
from tests.support.receipts import states
from tests.support.told import tree, words

RECEIPT, PAGE = "/consent/receipt", "/consent/receipt.html"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ACCEPT = {"choice": "accept_all"}


@pytest.fixture
def client(front: Front) -> TestClient:
    return front.client()


def problem(answer: httpx2.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.json()["status"] == status


# RC-07
def test_a_visitor_gets_a_receipt_that_names_the_record(front: Front, client: TestClient) -> None:
    client.post("/consent/decision", json=ACCEPT)
    answer = client.get(RECEIPT)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/ld+json"
    assert answer.headers["cache-control"] == "private, no-store"
    name = f'attachment; filename="consent-receipt-{answer.json()["dct:identifier"]}.jsonld"'
    assert answer.headers["content-disposition"] == name
    assert "Cookie" in answer.headers["vary"] and not answer.headers.get("etag")
    receipt, (record,) = answer.json(), front.records()
    jsonschema.validate(receipt, receipt_schema())
    assert receipt["@type"] == "dpv:ConsentReceipt"
    assert receipt["dct:conformsTo"][0] == "https://w3id.org/dpv/schema/dpv-27560#receipt"
    assert receipt["dct:identifier"] == receipt_id(record.id) != record.id
    kept = receipt["dpv:hasRecordOfActivity"]
    assert kept["dct:identifier"] == record.id
    assert kept["dpv:hasDataSubject"]["dct:identifier"] == record.subject
    assert kept["dpv:hasNotice"]["@id"] == f"{ORIGIN}/consent/notices/{record.notice}"
    assert kept["dpv:hasConsentControl"]["dpv:isExercisedAt"] == f"{ORIGIN}/consent"
    assert kept["dpv:hasJurisdiction"] == f"loc:{record.jurisdiction}"
    assert front.manager.receipt(front.manager.cookie.read(cookie_of(client))) == receipt


def cookie_of(client: TestClient) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", f"{COOKIE}={client.cookies[COOKIE]}".encode())]


# RC-07
@pytest.mark.parametrize("path", [RECEIPT, PAGE])
def test_nobody_else_gets_one(path: str, front: Front, client: TestClient) -> None:
    token = front.cookie(client, **EVERYTHING)
    assert client.get(path).status_code == 200
    other = front.client()
    for cookie in ("", token[:-1] + ("A" if token[-1] != "A" else "B"), "nonsense", token.split(".")[-2]):
        problem(other.get(path, headers={"Cookie": f"{COOKIE}={cookie}"}), 404)
    client.delete("/consent/decision")
    problem(client.get(path), 404)
    # A copy of the cookie from before the withdrawal is worth nothing.
    problem(other.get(path, headers={"Cookie": f"{COOKIE}={token}"}), 404)
    problem(front.client().get(path), 404)


# CK-06
@pytest.mark.parametrize("path", [RECEIPT, PAGE])
def test_scripts_and_frames_of_a_page_do_not_learn_the_pseudonym(path: str, client: TestClient) -> None:
    client.post("/consent/decision", json=ACCEPT)
    for fetched in ({"Sec-Fetch-Dest": "empty"}, {"Sec-Fetch-Dest": "iframe"}, {"Sec-Purpose": "prefetch"}):
        problem(client.get(path, headers=fetched), 403)
    assert client.get(path, headers={"Sec-Fetch-Dest": "document"}).status_code == 200


@pytest.mark.parametrize("answer", [{"choice": "reject_all"}, {"categories": {"analytical": False}}])
def test_who_granted_nothing_has_none(answer: object, client: TestClient) -> None:
    assert client.post("/consent/decision", json=answer).status_code == 200
    problem(client.get(RECEIPT), 404)


def test_a_receipt_ends_with_the_consent(front: Front, client: TestClient) -> None:
    client.post("/consent/decision", json=ACCEPT)
    front.clock.set(datetime(2027, 2, 28, 11, 59, 59, tzinfo=UTC))
    assert client.get(RECEIPT).status_code == 200
    front.clock.advance(1)
    problem(client.get(RECEIPT), 404)


def test_a_change_is_in_the_receipt_with_its_time(front: Front, client: TestClient) -> None:
    front.cookie(client, analytical=True)
    front.clock.advance(days=1)
    client.patch("/consent/decision", json={"categories": {"social": True}, "vendors": {"youtube": False}})
    assert states(client.get(RECEIPT).json()) == [
        ("analytical", ("google-analytics",), "ConsentGiven", "2026-08-31T12:00:00Z"),
        ("tracking", ("adhub",), "ConsentRefused", "2026-08-31T12:00:00Z"),
        ("social", (), "ConsentGiven", "2026-09-01T12:00:00Z"),
        ("social", ("youtube",), "ConsentRefused", "2026-08-31T12:00:00Z"),
    ]


def test_head_has_the_headers_of_get_and_other_methods_are_refused(client: TestClient) -> None:
    client.post("/consent/decision", json=ACCEPT)
    for path in (RECEIPT, PAGE):
        got, head = client.get(path), client.head(path)
        assert head.status_code == 200 and not head.content
        assert head.headers["content-length"] == got.headers["content-length"]
        refused = client.post(path, json={})
        assert refused.status_code == 405 and refused.headers["allow"] == "GET, HEAD"


def test_a_receipt_is_of_the_notice_that_was_answered(ledger: Ledger, clock: Clock) -> None:
    with fronting(clock, ledger=ledger) as before:
        client = before.client()
        before.cookie(client, analytical=True, social=True)
        told = client.get(RECEIPT).json()
    vendors = [
        {**row.model_dump(exclude_none=True, mode="json"), **change}
        for row in a_policy().vendors
        for change in ({"name": "Renamed", "profiling": True} if row.id == "youtube" else {},)
        if row.id != "google-analytics"
    ]
    trackers = [row for row in a_policy().trackers if row.vendor != "google-analytics"]
    changed = a_policy(vendors=vendors, trackers=[row.model_dump(exclude_none=True) for row in trackers])
    with fronting(clock, changed, ledger=ledger) as after:
        later = after.client()
        later.cookies.set(COOKIE, client.cookies[COOKIE])
        receipt = later.get(RECEIPT).json()
    notice = told["dpv:hasRecordOfActivity"]["dpv:hasNotice"]
    assert receipt["dpv:hasRecordOfActivity"]["dpv:hasNotice"] == notice
    youtube = receipt["dpv:hasRecordOfActivity"]["dpv:hasProcess"][-1]["dpv:hasRecipientThirdParty"]
    assert [row["dct:title"] for row in youtube] == ["YouTube"]
    # A third party that the site no longer has is in the receipt, and does not count.
    assert ("analytical", ("google-analytics",), "ConsentInvalidated") in [row[:3] for row in states(receipt)]


def test_without_the_ledger_there_is_none_for_now(front: Front, client: TestClient) -> None:
    client.post("/consent/decision", json=ACCEPT)
    assert client.get(RECEIPT).status_code == 200
    front.ledger.close()
    answer = client.get(RECEIPT)
    problem(answer, 503)
    assert answer.headers["retry-after"] == "5"
    page = client.get(PAGE, headers=BROWSER)
    assert page.status_code == 503 and "We can’t show your receipt right now" in page.text


def test_while_too_many_wait_there_is_none_for_now(front: Front) -> None:
    for path, detail in (
        (PAGE, "We can’t show your receipt right now"),
        ("/consent/withdraw", "save your choice"),
    ):
        head = RequestHead("GET", path, ((b"accept", b"text/html"),))
        answer = Endpoints(front.shared).busy(Exchange(front.shared, head))
        assert answer.status == 503 and detail in answer.body.decode()


def test_addresses_begin_where_the_application_is_mounted(front: Front) -> None:
    app = Starlette(routes=[Mount("/shop", front.around())])
    client = front.client(app=app)
    client.post("/shop/consent/decision", json=ACCEPT)
    record = client.get("/shop/consent/receipt").json()["dpv:hasRecordOfActivity"]
    assert record["dpv:hasConsentControl"]["dpv:isExercisedAt"] == f"{ORIGIN}/shop/consent"
    assert 'href="/shop/consent/receipt"' in client.get("/shop/consent/receipt.html").text


def test_a_site_without_a_ledger_has_no_receipts_and_no_link(clock: Clock) -> None:
    with pytest.warns(UserWarning, match="no ledger"), fronting(clock, ledger=None) as front:
        client = front.client()
        front.cookie(client, **EVERYTHING)
        problem(client.get(RECEIPT), 404)
        assert PAGE not in client.get("/consent").text


# The page


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_page_says_what_the_document_says(language: str, front: Front, client: TestClient) -> None:
    client.post("/consent/decision", json={"categories": {"analytical": True}, "vendors": {"adhub": True}})
    receipt = client.get(RECEIPT).json()
    answer = client.get(PAGE, headers={"Accept-Language": language})
    assert answer.headers["cache-control"] == "private, no-store"
    assert "Accept-Language" in answer.headers["vary"]
    root = tree(answer.text)
    assert root.get("lang") == language
    text = words(answer.text)
    record = receipt["dpv:hasRecordOfActivity"]
    for known in (
        receipt["dct:identifier"],
        record["dct:identifier"],
        record["dpv:hasDataSubject"]["dct:identifier"],
        record["dpv:hasNotice"]["dct:identifier"],
        record["dpv:hasDataController"][0]["dpv:hasName"],
        record["dpv:hasAuthority"][0]["dpv:hasName"],
        "Google Analytics",
        "AdHub Exchange",
    ):
        assert known in text, known
    assert [time.get("datetime") for time in root.iter("time")][:2] == [
        "2026-08-31T12:00:00Z",
        "2027-02-28T12:00:00Z",
    ]
    assert RECEIPT in [link.get("href") for link in root.iter("a")]
    assert not list(root.iter("script"))
    rest = {
        "en": "Tracking, apart from the third parties above",
        "nl": "Tracking, behalve voor de derde partijen",
    }
    assert rest[language] in text


def test_the_page_says_since_when_and_what_no_longer_counts(ledger: Ledger, clock: Clock) -> None:
    with fronting(clock, ledger=ledger) as before:
        client = before.client()
        before.cookie(client, analytical=True)
        clock.advance(days=1)
        client.patch(
            "/consent/decision", json={"categories": {"social": True}, "vendors": {"youtube": False}}
        )
        text = words(client.get(PAGE).text)
        assert "Allowed since1 September 2026, 12:00 UTC" in text and "Social: YouTube" in text
    more = {"google-analytics": {"profiling": True, "retention": "P5Y"}}
    grown = [
        row.model_dump(exclude_none=True, mode="json") | more.get(row.id, {}) for row in a_policy().vendors
    ]
    with fronting(clock, a_policy(vendors=grown), ledger=ledger) as after:
        later = after.client()
        later.cookies.set(COOKIE, client.cookies[COOKIE])
        text = words(later.get(PAGE).text)
        assert "What no longer counts" in text and "It is off until you allow it again." in text


def test_a_page_without_a_grant_says_so(client: TestClient) -> None:
    for language, title in (("en", "There is no receipt"), ("nl", "Er is geen bewijs")):
        answer = client.get(PAGE, headers=BROWSER | {"Accept-Language": language})
        assert answer.status_code == 404 and f"<h1>{title}</h1>" in answer.text
    assert "There is no page at this address." in client.get("/consent/nowhere", headers=BROWSER).text


def test_the_settings_page_leads_to_the_receipt_while_something_is_granted(client: TestClient) -> None:
    assert PAGE not in client.get("/consent").text
    client.post("/consent/decision", json=ACCEPT)
    page = client.get("/consent?next=/shoes").text
    assert f'href="{PAGE}?next=/shoes"' in page
    assert 'href="/shoes"' in client.get(f"{PAGE}?next=/shoes").text
    client.delete("/consent/decision")
    assert PAGE not in client.get("/consent").text
