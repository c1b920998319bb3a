"""The main job from end to end, as a visitor's browser and a program see it, over real servers, a real ledger and a clock."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest
from playwright.sync_api import expect

from consentkit import ConsentManager, Ledger, Policy
from tests.conftest import Clock
from tests.support.records import another_process_holds
from tests.support.servers import free_port, serving
from tests.support.sites import managing, site

if TYPE_CHECKING:
    from playwright.sync_api import Page

BANNER = 'id="cookie-consent"'
LINK = 'class="site-privacy-settings"'


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url, clock=clock) as made:
        yield made


@pytest.fixture
def visitor(manager: ConsentManager, serve: Callable[..., str]) -> Iterator["Visitor"]:
    with Visitor(serve(site(manager))) as browser:
        yield browser


class Visitor(httpx.Client):
    """A client that keeps Secure cookies over loopback, as a browser does behind a proxy that speaks TLS."""

    def __init__(self, base: str) -> None:
        super().__init__(base_url=base, timeout=30)
        self.jar: dict[str, str] = {}
        self.event_hooks = {"request": [self._send], "response": [self._keep]}

    def _send(self, request: httpx.Request) -> None:
        if self.jar:
            request.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def _keep(self, response: httpx.Response) -> None:
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.split(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value

    def granted(self) -> set[str]:
        return set(self.get("/granted").json()["granted"])

    def accept(self) -> httpx.Response:
        return self.post("/consent/decision", json={"choice": "accept_all"})


def events(manager: ConsentManager) -> list[str]:
    assert manager.ledger is not None
    return [record.event for record in manager.ledger.records()]


# LB-01, LB-03, UI-08, VA-01, VA-02, WD-02, WD-03
def test_a_visitor_is_asked_remembered_obeyed_and_forgotten(
    visitor: Visitor, manager: ConsentManager, clock: Clock
) -> None:
    first = visitor.get("/")
    assert BANNER in first.text and LINK in first.text
    assert "set-cookie" not in first.headers and visitor.granted() == set()
    answer = visitor.accept()
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2 and cookies[0].startswith("__Host-consent=1d.7.")
    assert "Max-Age=15638400" in cookies[0], "to noon of 28 February"
    assert events(manager) == ["given"]
    again = visitor.get("/")
    assert BANNER not in again.text and LINK in again.text and "/consent/withdraw" in again.text
    assert "set-cookie" not in again.headers
    assert visitor.get("/consent/decision").json() == {
        "status": "given",
        "categories": {"functional": True, "analytical": True, "tracking": True, "social": True},
        "vendors": {"google-analytics": True, "youtube": True, "adhub": True},
        "decided_at": "2026-08-31T12:00:00Z",
        "expires_at": "2027-02-28T12:00:00Z",
        "notice": manager.notice.digest,
        "gpc": False,
        "needs_asking": False,
        "regime": "nl",
    }
    for _ in range(5):
        clock.advance(days=30)
        assert BANNER not in visitor.get("/").text
    clock.advance(days=34)
    assert visitor.granted() == set() and BANNER in visitor.get("/").text


# WD-01, WD-03, WD-07
@pytest.mark.parametrize("how", ["delete", "form", "handler"])
def test_each_way_of_withdrawing_ends_it_at_once_and_the_old_cookie_is_worth_nothing(
    visitor: Visitor, manager: ConsentManager, clock: Clock, how: str
) -> None:
    visitor.accept()
    old = dict(visitor.jar)
    clock.advance(60)
    if how == "delete":
        answer = visitor.delete("/consent/decision")
        assert answer.json()["status"] == "withdrawn"
        reference = answer.json()["reference"]
    elif how == "form":
        answer = visitor.post("/consent/withdraw", data={"next": "/granted"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/granted")
        reference = None
    else:
        answer = visitor.post("/forget")
        reference = answer.json()["reference"]
    assert answer.headers["cache-control"] == "private, no-store"
    assert "cookies" not in answer.headers["clear-site-data"]
    assert visitor.granted() == set() and BANNER not in visitor.get("/").text
    assert events(manager) == ["given", "withdrawn"]
    assert manager.ledger is not None
    records = list(manager.ledger.records())
    assert reference in (None, records[0].subject)
    visitor.jar = old
    replayed = visitor.get("/")
    assert visitor.granted() == set()
    assert "consent=1w." in replayed.headers["set-cookie"], "a document puts the browser's cookie right"


def test_another_process_sees_a_withdrawal_within_recheck(
    policy: Policy, ledger_url: str, clock: Clock, visitor: Visitor
) -> None:
    with (
        managing(policy, ledger=ledger_url, clock=clock) as other,
        serving(site(other)) as base,
        Visitor(base) as there,
    ):
        visitor.accept()
        there.jar = dict(visitor.jar)
        assert there.granted() == {"analytical", "tracking", "social"}
        visitor.delete("/consent/decision")
        clock.advance(61)
        assert there.granted() == set()


# RC-10: no grant without a record, no withdrawal refused, no 500
def test_while_another_process_holds_the_database(policy: Policy, tmp_path: Path, clock: Clock) -> None:
    database = f"sqlite:///{tmp_path / 'held.db'}"
    ledger = Ledger(database, lock_timeout=1.0)
    with managing(policy, ledger=ledger, clock=clock) as manager, serving(site(manager)) as base:
        with Visitor(base) as granted, Visitor(base) as fresh:
            granted.accept()
            clock.advance(10)
            with another_process_holds(database):
                refused = fresh.accept()
                assert refused.status_code == 503 and refused.headers["retry-after"]
                assert refused.headers["content-type"] == "application/problem+json"
                assert fresh.jar == {} and fresh.granted() == set()
                form = fresh.post("/consent/decision", data={"choice": "accept_all"})
                assert form.status_code == 503 and "text/html" in form.headers["content-type"]
                assert (
                    fresh.post("/consent/decision", json={"choice": "reject_all"}).json()["status"]
                    == "refused"
                )
                assert BANNER not in fresh.get("/").text
                gone = granted.delete("/consent/decision")
                assert gone.status_code == 200 and gone.json()["status"] == "withdrawn"
                assert granted.granted() == set()
                assert events(manager) == ["given"]
        manager.close()
    assert sorted(record.event for record in ledger.records()) == ["given", "refused", "withdrawn"]
    ledger.close()


@pytest.fixture
def shop(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[str]:
    """The same site on http://localhost, for a browser, which has a clock of its own."""
    port = free_port()
    origin = f"http://localhost:{port}"
    clock.set(datetime.now(UTC))
    with (
        managing(policy, ledger=ledger_url, clock=clock, origins={"stride": origin}) as manager,
        serving(site(manager), port=port),
    ):
        yield origin


# UI-01, UI-09, UI-10, WD-01, WD-02, LB-04
@pytest.mark.parametrize("javascript", [True, False])
def test_a_browser_asks_remembers_and_withdraws(
    shop: str, new_page: "Callable[..., Page]", javascript: bool
) -> None:
    page = new_page(javascript=javascript)
    page.goto(shop)
    banner = page.locator("#cookie-consent")
    expect(banner).to_be_visible()
    assert page.context.cookies() == []
    page.keyboard.press("Escape")
    page.reload()
    expect(banner).to_be_visible()
    page.get_by_role("button", name="Reject all").click()
    expect(banner).to_have_count(0)
    assert {cookie["name"] for cookie in page.context.cookies()} == {"consent", "consent-state"}
    page.locator("a.site-privacy-settings").click()
    page.get_by_role("button", name="Accept all").click()
    page.wait_for_url(f"{shop}/")
    page.get_by_role("button", name="Withdraw consent").click()
    expect(page.get_by_role("button", name="Withdraw consent")).to_have_count(0)
    expect(banner).to_have_count(0)
    page.goto(f"{shop}/granted")
    assert '"withdrawn"' in page.content()


def test_each_subset_of_the_purposes_comes_back_as_it_was_chosen(
    shop: str, plain_page: "Page"
) -> None:  # UI-04, UI-10
    for mask in range(8):
        plain_page.goto(f"{shop}/consent")
        chosen = set()
        for place, category in enumerate(("analytical", "tracking", "social")):
            value = "on" if mask >> place & 1 else "off"
            plain_page.locator(f'input[name="category.{category}"][value={value}]').check()
            chosen |= {category} if value == "on" else set()
        plain_page.get_by_role("button", name="Save my choices").click()
        plain_page.goto(f"{shop}/consent/decision")
        shown = plain_page.evaluate("JSON.parse(document.body.innerText)")
        assert {category for category, on in shown["categories"].items() if on} - {"functional"} == chosen
