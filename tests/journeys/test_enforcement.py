"""The example in a real browser, with requests to all other hosts recorded: what each answer permits, and nothing else."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from consentkit import ConsentManager, Policy, load_policy
from examples.running_magazine.app import create_app
from examples.running_magazine.magazine import CSP, HERE
from tests.support.browser import launched, until
from tests.support.front import KEY
from tests.support.recorder import Recorder, recording
from tests.support.servers import free_port, serving
from tests.support.walking import violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NewPage = Callable[..., "Page"]
HAMSTRINGS = "/articles/hamstrings"
PAGES = ("/", HAMSTRINGS, "/shoes")
OPTIONAL = ("analytical", "tracking", "social")
# The vendors that templates of the example have tags for. The others work on the server only.
CALLED = {
    *("google-analytics", "matomo", "ab-tasty", "google-ad-manager", "criteo", "adhub"),
    *("youtube", "facebook"),
}
OWN = {"consent", "consent-state"}
STORED = """async () => ({
  local_storage: Object.keys(localStorage),
  session_storage: Object.keys(sessionStorage),
  indexed_db: (await indexedDB.databases()).map(one => one.name),
  cache_storage: await caches.keys(),
})"""


@dataclass
class World:
    base: str
    policy: Policy
    recorder: Recorder
    browser: "Browser"

    def vendors(self, hosts: set[str]) -> set[str]:
        """Return the ids of the vendors that the hosts belong to, and the hosts that belong to none."""
        found = set()
        for host in hosts:
            owners = {
                vendor.id
                for vendor in self.policy.vendors
                for _, origins in vendor.origins
                if any(fnmatchcase(f"https://{host}", origin) for origin in origins)
            }
            found |= owners or {host}
        return found

    def allowed(self, categories: Mapping[str, bool], vendors: Mapping[str, bool]) -> set[str]:
        return {
            vendor.id
            for vendor in self.policy.vendors
            if vendors.get(vendor.id, categories.get(vendor.category, False))
        }


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        recorder = stack.enter_context(recording(folder))
        port = free_port()
        origin = f"http://stride.localhost:{port}"
        manager = ConsentManager(
            load_policy(HERE / "consent.toml"),
            secret_key=KEY,
            ledger=f"sqlite:///{folder / 'consent.db'}",
            site="stride",
            origins={"stride": origin},
            csp=CSP,
        )
        stack.callback(manager.close)
        stack.enter_context(serving(create_app(manager, origin), port=port))
        browser = stack.enter_context(launched(*recorder.arguments))
        yield World(origin, manager.policy, recorder, browser)


@pytest.fixture
def open_page(world: World) -> Iterator[NewPage]:
    with ExitStack() as contexts:

        def new(*, javascript: bool = True, **options: Any) -> "Page":
            context = world.browser.new_context(
                java_script_enabled=javascript, ignore_https_errors=True, **options
            )
            contexts.callback(context.close)
            context.set_default_timeout(60_000)
            return context.new_page()

        yield new


def _visit(world: World, page: "Page") -> set[str]:
    """Load the pages, and return the vendors whose hosts were asked."""
    world.recorder.taken()
    for path in PAGES:
        page.goto(world.base + path, wait_until="load")
        for frame in page.locator("iframe").all():
            frame.scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
    return world.vendors(world.recorder.taken())


def _decide(page: "Page", categories: Mapping[str, bool], vendors: Mapping[str, bool]) -> None:
    """Answer as a script of the site might, and wait for the reload that a grant causes."""
    answer = """async body => { await fetch("/consent/decision",
        { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }) }"""
    body = {"categories": dict(categories), "vendors": dict(vendors)}
    if not {**categories, **vendors}:
        page.evaluate(answer, body)
        return
    with page.expect_navigation():
        page.evaluate(f"body => void ({answer})(body)", body)


def _undeclared(world: World, page: "Page", allowed: set[str], categories: Mapping[str, bool]) -> list[str]:
    """Return the stored items that are not the library's own, not functional and not allowed."""
    stored = page.evaluate(STORED) | {
        "cookie": [one["name"] for one in page.context.cookies(world.base) if one["name"] not in OWN]
    }

    def is_allowed(kind: str, name: str) -> bool:
        matching = [one for one in world.policy.trackers if one.kind == kind and one.matches(name)]
        return bool(matching) and all(
            world.policy.category(one.category).required
            or (one.vendor in allowed if one.vendor else categories.get(one.category, False))
            for one in matching
        )

    return [
        f"{kind} {name}" for kind, names in stored.items() for name in names if not is_allowed(kind, name)
    ]


STATES: dict[str, tuple[dict[str, bool], dict[str, bool]]] = {
    "refused": ({}, {}),
    **{category: ({category: True}, {}) for category in OPTIONAL},
    "one vendor": ({}, {"criteo": True}),
    "all but one": (dict.fromkeys(OPTIONAL, True), {"adhub": False}),
    "accepted": (dict.fromkeys(OPTIONAL, True), {}),
}
COOKIES = {
    "analytical": {"_ga", "_ga_STRIDE", "_pk_id.1", "_pk_ses.1", "ABTasty", "ABTastySession", "stride-entry"},
    "tracking": {"__gads", "cto_bundle"},
    "social": set[str](),
    "one vendor": {"cto_bundle"},
    "refused": set[str](),
}
COOKIES["all but one"] = COOKIES["accepted"] = COOKIES["analytical"] | COOKIES["tracking"]


# LB-01, LB-02, LB-10
def test_before_the_answer_no_vendor_is_asked_and_nothing_is_stored(world: World, open_page: NewPage) -> None:
    page = open_page()
    assert _visit(world, page) == set()
    assert _undeclared(world, page, set(), {}) == []
    assert page.context.cookies() == []


# LB-01, LB-02, LB-09, LB-10, GC-01, WD-03, WD-05
@pytest.mark.parametrize("state", STATES)
def test_each_answer_permits_its_vendors_and_storage_until_it_is_withdrawn(
    world: World, open_page: NewPage, state: str
) -> None:
    categories, vendors = STATES[state]
    page = open_page()
    page.goto(world.base + HAMSTRINGS)
    _decide(page, categories, vendors)
    allowed = world.allowed(categories, vendors)
    assert _visit(world, page) == allowed & CALLED
    page.goto(world.base + HAMSTRINGS)
    page.wait_for_load_state("networkidle")
    if "social" in categories:
        page.locator("button[data-like]").click()
        assert page.evaluate("localStorage.length") == 1
    assert {one["name"] for one in page.context.cookies(world.base)} - OWN == COOKIES[state]
    assert _undeclared(world, page, allowed, categories) == []
    if not allowed:
        assert page.locator(".site-privacy-withdraw").count() == 0
        return
    button = page.locator(".site-privacy-withdraw button")
    button.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")
    until(page, "indexedDB.databases().then(all => !all.length)")
    assert _undeclared(world, page, set(), {}) == []
    assert _visit(world, page) == set()
    assert {one["name"] for one in page.context.cookies(world.base)} <= OWN


# LB-01, LB-10, WD-01
def test_without_javascript_placeholders_load_only_the_chosen_embed(world: World, open_page: NewPage) -> None:
    page = open_page(javascript=False)
    assert _visit(world, page) == set()
    page.goto(world.base + "/")
    page.click("#cookie-consent-reject-all")
    assert _visit(world, page) == set()
    page.goto(world.base + HAMSTRINGS)
    frame = page.frame_locator("iframe").first
    frame.locator(".cookie-consent-once button").press("Enter")
    expect(frame.locator("iframe")).to_have_count(1)
    page.wait_for_load_state("networkidle")
    assert world.vendors(world.recorder.taken()) == {"youtube"}
    assert _visit(world, page) == set()
    page.goto(world.base + HAMSTRINGS)
    page.frame_locator("iframe").first.locator("summary").press("Enter")
    page.frame_locator("iframe").first.locator("form[target=_top] button").press("Enter")
    page.wait_for_url("**/articles/hamstrings#consent-embed-*")
    assert _visit(world, page) == {"youtube"}
    page.locator(".site-privacy-withdraw button").press("Enter")
    page.wait_for_load_state("networkidle")
    assert _visit(world, page) == set()


# LB-10
def test_away_from_its_page_an_embed_is_the_placeholder_whatever_was_answered(
    world: World, open_page: NewPage
) -> None:
    page = open_page()
    page.goto(world.base + HAMSTRINGS)
    address = f"{world.base}{page.locator('iframe').first.get_attribute('src')}"
    html = f'<!doctype html><title>x</title><a href="{escape(address)}">Prizes</a>'
    page.route("http://elsewhere.example/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.locator("#cookie-consent-accept-all").click()
    expect(page.locator("#cookie-consent")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    page.goto(world.base + HAMSTRINGS)
    expect(page.frame_locator("iframe").first.locator("iframe")).to_have_count(1)
    page.goto("http://elsewhere.example/")
    for leads in (lambda: page.locator("a").click(), lambda: page.goto(address)):
        leads()
        expect(page.locator("button.cookie-consent-button")).to_have_text("Always allow YouTube")
        assert len(page.frames) == 1


# The server's policy holds where a template forgot to ask
def test_the_csp_blocks_a_vendors_script_that_a_template_forgot_to_gate(
    world: World, open_page: NewPage
) -> None:
    page = open_page()
    page.goto(world.base + "/")
    world.recorder.taken()
    page.evaluate(
        """() => new Promise(done => {
            const srcdoc = '<script src="https://cdn.adhub.example/tag.js"></' + 'script>';
            const frame = Object.assign(document.createElement("iframe"), { srcdoc, onload: done });
            document.body.append(frame);
        })"""
    )
    assert world.recorder.taken() == set()


# UI-02, UI-08, AX-02
def test_reject_is_within_three_tab_stops_of_the_front_page(world: World, open_page: NewPage) -> None:
    page = open_page()
    page.goto(world.base + "/")
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "cookie-consent-reject-all":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#cookie-consent")).to_have_count(0)
    assert page.evaluate("consentkit.state") == "-"


# AX-01, AX-04, AX-05, AX-06
@pytest.mark.parametrize(
    "look",
    [
        {"viewport": {"width": 1280, "height": 800}},
        {"viewport": {"width": 320, "height": 700}, "color_scheme": "dark"},
        {"viewport": {"width": 768, "height": 800}, "forced_colors": "active"},
    ],
    ids=["wide", "narrow and dark", "forced colours"],
)
def test_pages_with_embeds_are_accessible_in_every_state(
    world: World, open_page: NewPage, look: dict[str, Any]
) -> None:
    page = open_page(**look)
    # axe-core measures the colours of the style sheet, not those that the system forces.
    without = ("color-contrast",) if "forced_colors" in look else ()
    page.goto(world.base + HAMSTRINGS)
    page.locator("iframe").first.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert violations(page, without=without) == [], "banner and placeholder"
    page.locator("a.site-privacy-settings").press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    assert violations(page, without=without) == [], "dialog"
    with page.expect_navigation():
        page.locator("dialog button[value=accept_all]").press("Enter")
    page.wait_for_load_state("networkidle")
    assert violations(page, without=without) == [], "after the answer"
    page.goto(world.base + "/consent/policy")
    assert violations(page, without=without) == [], "policy"
