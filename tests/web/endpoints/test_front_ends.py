import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from consentkit.errors import ConfigurationError
from tests.conftest import Clock
from tests.support.embeds import embed_path
from tests.support.front import COOKIE, EVERYTHING, KEY, Front, fronting, set_cookies

VIDEO = "https://www.youtube-nocookie.com/embed/abc"
APP = "https://app.stride.example"
FROM_APP = {"origin": APP, "sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}
SCRIPTED = ("", "/decision", "/banner", "/settings", "/policy.json", "/loader.js")
# Addresses of the library that no script of another origin needs.
CLOSED = ("/policy", "/sites", "/sites.json", "/receipt", "/embed/youtube", "/nowhere", "/withdraw")
# What looks like the front end, or like no origin at all.
FOREIGN = (
    *(
        "null",
        "*",
        "",
        "https://evil.example",
        "http://app.stride.example",
        "https://app.stride.example:8443",
    ),
    *(
        "https://app.stride.example.evil.example",
        "https://evilapp.stride.example",
        "https://stride.example.evil.example",
    ),
    *(
        "https://app.stride.example/",
        "https://APP.stride.example",
        "https://app.stride.example, https://evil.example",
    ),
    *("https://user@app.stride.example", "https://app.stride.example\\@evil.example", "app.stride.example"),
    *(
        "https://app.stride.exampl",
        "https://app.stride.example%00.evil.example",
        "file://",
        "https://app_stride.example",
    ),
)


@pytest.fixture(scope="module")
def seen() -> Iterator[Front]:
    """A site at which nothing is decided but by its own pages."""
    with fronting(
        Clock(datetime(2026, 8, 31, 12, tzinfo=UTC)), frontends=[APP, "https://m.stride.example"]
    ) as front:
        yield front


@pytest.fixture(scope="module")
def reading(seen: Front) -> TestClient:
    client = seen.client()
    client.cookies.set(COOKIE, seen.cookie(client, **EVERYTHING))
    return client


@pytest.fixture
def front(clock: Clock) -> Iterator[Front]:
    with fronting(clock, frontends=[APP, "https://m.stride.example"]) as front:
        yield front


@pytest.fixture
def client(front: Front) -> TestClient:
    return front.client()


def permissions(response: httpx2.Response) -> dict[str, str]:
    return {
        name.removeprefix("access-control-"): value
        for name, value in response.headers.items()
        if name.startswith("access-control-")
    }


READABLE = {
    "allow-origin": APP,
    "allow-credentials": "true",
    "expose-headers": "Consent-State, Consent-Outcome",
}


@pytest.mark.parametrize("path", SCRIPTED)
def test_front_end_reads_what_the_script_needs(reading: TestClient, path: str) -> None:
    response = reading.get(f"/consent{path}", headers=FROM_APP)
    assert response.is_success
    assert permissions(response) == READABLE
    assert "Origin" in response.headers["vary"].split(", ")


def test_front_end_reads_the_shipped_files(reading: TestClient, seen: Front) -> None:
    response = reading.get(seen.shared.pages.asset_url("consent.js"), headers=FROM_APP)
    assert permissions(response) == READABLE and response.headers["vary"] == "Origin"


def test_front_end_decides_changes_and_withdraws(client: TestClient, front: Front) -> None:
    given = client.post("/consent/decision", json={"categories": EVERYTHING}, headers=FROM_APP)
    assert given.status_code == 200 and permissions(given) == READABLE
    assert client.get("/consent/decision", headers=FROM_APP).json()["status"] == "given"
    changed = client.patch("/consent/decision", json={"categories": {"social": False}}, headers=FROM_APP)
    assert changed.json()["categories"]["social"] is False
    withdrawn = client.delete("/consent/decision", headers=FROM_APP)
    assert withdrawn.json()["status"] == "withdrawn" and permissions(withdrawn) == READABLE
    assert [record.event for record in front.records()] == ["given", "withdrawn", "withdrawn"]


def test_front_end_reads_why_its_request_was_refused(client: TestClient) -> None:
    refused = client.post("/consent/decision", json={"categories": {"nonsense": True}}, headers=FROM_APP)
    assert refused.status_code == 400 and permissions(refused) == READABLE


def test_forms_of_a_front_end_work_without_its_script(client: TestClient) -> None:
    answered = client.post("/consent/decision", data={"choice": "accept_all"}, headers=FROM_APP)
    assert answered.status_code == 303 and client.cookies[COOKIE]
    assert client.post("/consent/withdraw", headers=FROM_APP, data={"next": "/"}).status_code == 303


def test_browsers_without_fetch_metadata_are_known_by_their_origin(client: TestClient) -> None:
    old = {"origin": APP}
    assert permissions(client.get("/consent/decision", headers=old)) == READABLE
    assert client.post("/consent/decision", json={"categories": EVERYTHING}, headers=old).status_code == 200


@pytest.mark.parametrize("path", ["/decision", ""])
def test_preflight_allows_the_methods_of_the_address_for_ten_minutes(reading: TestClient, path: str) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    response = reading.options(f"/consent{path}", headers=FROM_APP | asked)
    assert response.status_code == 204 and response.text == ""
    methods = "GET, POST, PATCH, DELETE" if path else "GET"
    assert permissions(response) == READABLE | {
        "allow-methods": methods,
        "allow-headers": "Content-Type",
        "max-age": "600",
    }
    assert response.headers["cache-control"] == "private, no-store" and response.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_other_origin_reads_or_decides(reading: TestClient, seen: Front, origin: str) -> None:
    for more in ({}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "cross-site"}):
        headers = {"origin": origin} | more
        for path in SCRIPTED:
            response = reading.get(f"/consent{path}", headers=headers)
            assert permissions(response) == {} and "Origin" in response.headers["vary"]
        asked = {"access-control-request-method": "DELETE"}
        preflight = reading.options("/consent/decision", headers=headers | asked)
        assert preflight.status_code == 405 and permissions(preflight) == {}
        for method in ("POST", "PATCH", "DELETE"):
            refused = reading.request(method, "/consent/decision", headers=headers, json={})
            assert refused.status_code == 403 and permissions(refused) == {} and not set_cookies(refused)
    assert len(seen.records()) == 1


def test_two_origins_are_none(reading: TestClient) -> None:
    for second in (APP, "https://evil.example"):
        response = reading.get("/consent/decision", headers=[("origin", APP), ("origin", second)])
        assert permissions(response) == {}


@pytest.mark.parametrize(
    "site", ["same-origin", "none", "cross-site", "Same-Site", "same-site, same-site", ""]
)
def test_front_end_must_be_on_the_same_site_for_the_browser_too(reading: TestClient, site: str) -> None:
    headers = {"origin": APP, "sec-fetch-site": site}
    assert permissions(reading.get("/consent/decision", headers=headers)) == {}
    assert (
        reading.post("/consent/decision", json={"choice": "accept_all"}, headers=headers).status_code == 403
    )


def test_front_end_that_the_browser_takes_for_another_site_is_logged_once(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            client.get("/consent/decision", headers=FROM_APP | {"sec-fetch-site": "cross-site"})
    (logged,) = [message for message in caplog.messages if "another site" in message]
    assert APP in logged and "https://stride.example" in logged


@pytest.mark.parametrize("path", CLOSED)
def test_other_addresses_stay_closed_to_front_ends(reading: TestClient, path: str) -> None:
    asked = {"access-control-request-method": "POST"}
    for response in (
        reading.get(f"/consent{path}", headers=FROM_APP),
        reading.options(f"/consent{path}", headers=FROM_APP | asked),
    ):
        assert permissions(response) == {}
        assert response.status_code != 204
    assert permissions(reading.get("/", headers=FROM_APP)) == {}


def test_own_pages_are_served_as_before(client: TestClient) -> None:
    own = {"origin": "https://stride.example", "sec-fetch-site": "same-origin"}
    response = client.post("/consent/decision", json={"categories": EVERYTHING}, headers=own)
    assert response.status_code == 200 and permissions(response) == {}


def test_without_front_ends_nothing_is_said_about_origins(clock: Clock) -> None:
    with fronting(clock) as front:
        client = front.client()
        for method, path in [
            ("GET", "/consent/decision"),
            ("OPTIONS", "/consent/decision"),
            ("GET", "/consent"),
        ]:
            response = client.request(method, path, headers=FROM_APP)
            assert permissions(response) == {} and "Origin" not in response.headers.get("vary", "")
        assert client.post("/consent/decision", json={}, headers=FROM_APP).status_code == 403


def test_front_ends_are_checked_when_the_manager_is_made(clock: Clock) -> None:
    wrong: list[Any] = ["https://shop.example", ["http://app.stride.example"], "null"]
    for frontends in wrong:
        with pytest.raises(ConfigurationError, match="frontends"), fronting(clock, frontends=frontends):
            pass


FRAMED = {"sec-fetch-dest": "iframe", "sec-fetch-mode": "navigate"}


@pytest.mark.parametrize("path", ["?u=x", f"?{embed_path('youtube', VIDEO, key=KEY).partition('?')[2]}"])
def test_front_end_may_frame_embeds_and_nobody_else_may(reading: TestClient, path: str) -> None:
    headers = reading.get(f"/consent/embed/youtube{path}", headers=FRAMED).headers
    policy = headers["content-security-policy"]
    assert f"frame-ancestors 'self' {APP} https://m.stride.example" in policy
    assert "x-frame-options" not in headers


@pytest.mark.parametrize(
    ("site", "is_shown"), [("same-site", True), ("same-origin", True), ("cross-site", False), ("none", False)]
)
def test_vendors_frame_shows_in_frames_on_the_same_site_alone(
    client: TestClient, site: str, is_shown: bool
) -> None:
    client.post("/consent/decision", json={"choice": "accept_all"}, headers=FROM_APP)
    address = f"/consent{embed_path('youtube', VIDEO, key=KEY)}"
    page = client.get(address, headers={**FRAMED, "sec-fetch-site": site})
    assert (f'src="{VIDEO}"' in page.text) is is_shown
    assert (f'data-origins="{APP} ' in page.text) is is_shown


def test_without_front_ends_a_frame_on_the_same_site_shows_the_placeholder(clock: Clock) -> None:
    with fronting(clock) as front:
        client = front.client()
        front.cookie(client, social=True)
        address = f"/consent{embed_path('youtube', VIDEO, key=KEY)}"
        page = client.get(address, headers={**FRAMED, "sec-fetch-site": "same-site"})
        assert VIDEO not in page.text.partition("<main")[0] and "<script" not in page.text
