"""The script in a real browser: gates, decisions without a reload, leftovers, public pages, tabs and history."""

import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit import ConsentManager, Policy
from consentkit.asgi import ConsentMiddleware, get_consent
from tests.support.browser import until
from tests.support.embeds import embed_path
from tests.support.front import KEY
from tests.support.servers import free_port, serving
from tests.support.told import EXAMPLE

if TYPE_CHECKING:
    from playwright.sync_api import Page

NewPage = Callable[..., "Page"]

STORED = [
    {"name": "reading-list", "kind": "local_storage", "category": "social"},
    {"name": "app*", "kind": "local_storage", "category": "tracking"},
    {"name": "app-settings", "kind": "local_storage", "category": "functional", "necessity": "session"},
    {"name": "seen", "kind": "session_storage", "category": "analytical"},
    {"name": "profiles", "kind": "indexed_db", "category": "tracking"},
    {"name": "adverts", "kind": "cache_storage", "category": "tracking"},
    {"name": "kept", "kind": "indexed_db", "category": "functional", "necessity": "session"},
    {"name": "_ga*", "kind": "cookie", "category": "analytical", "vendor": "google-analytics"},
    {"name": "visits", "kind": "cookie", "category": "analytical", "path": "/deep"},
]
COMMON = {"lifetime": "P1M", "purpose": {"en": "Is tested.", "nl": "Wordt getest."}}
POLICY = Policy.model_validate(
    EXAMPLE
    | {
        "trackers": [
            *(row for row in EXAMPLE["trackers"] if row["name"] not in ("_ga*", "reading-list")),
            *(COMMON | row for row in STORED),
        ]
    }
)
CSP = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
GATED = """
<script>window.log = []; new PerformanceObserver(list => list.getEntries().forEach(entry => {
  if (entry.hadRecentInput) return;
  window[entry.entryType] = (window[entry.entryType] || 0) + (entry.value || 0);
})).observe({entryTypes: ["layout-shift"]});</script>
"""


@dataclass
class Site:
    """A running site to which every test adds pages of its own."""

    base: str
    manager: ConsentManager
    pages: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)

    def put(self, body: str, *, head: str = "", **headers: str) -> str:
        """Add a page and return its address."""
        path = f"/page-{len(self.pages)}"
        html = f"<!doctype html><html lang=en><head><title>Run</title>{head}</head>"
        html += f"<body><main><h1>Run</h1>{body}</main></body></html>"
        self.pages[path] = (html, {name.replace("_", "-"): value for name, value in headers.items()})
        return self.base + path


def _app(site: Site) -> Starlette:
    async def page(request: Request) -> Response:
        site.methods.append(request.method)
        html, headers = site.pages.get(request.url.path) or ("<!doctype html><title>-</title>", {})
        if "reads" in headers:
            get_consent(request).allows("social")
        if request.url.path == "/release":
            site.held.set()
        if "held" in headers:
            await run_in_threadpool(site.held.wait, 60)
        nonce = request.state.consent.nonce if "{nonce}" in html else ""
        return HTMLResponse(html.replace("{nonce}", nonce), headers=headers)

    async def script(request: Request) -> Response:
        name = request.path_params["name"]
        if name == "slow":
            import anyio

            await anyio.sleep(0.3)
        body = f"window.log = (window.log || []).concat({json.dumps(name)});"
        return Response(body, media_type="text/javascript")

    return Starlette(
        routes=[Route("/js/{name}", script), Route("/{path:path}", page, methods=["GET", "POST"])]
    )


@pytest.fixture(scope="module")
def make_site() -> Iterator[Callable[..., Site]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made: dict[str, Site] = {}

        def make(policy: Policy = POLICY, **options: Any) -> Site:
            key = repr((id(policy), options))
            if key in made:
                return made[key]
            port = free_port()
            origin = f"http://stride.localhost:{port}"
            manager = ConsentManager(
                policy,
                secret_key=KEY,
                ledger=f"sqlite:///{folder / f'{port}.db'}",
                site="stride",
                origins={"stride": origin},
                **options,
            )
            stack.callback(manager.close)
            site = made[key] = Site(origin, manager)
            stack.enter_context(serving(ConsentMiddleware(_app(site), manager), port=port))
            return site

        yield make


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


def gate(category: str = "analytical", **attributes: str) -> str:
    written = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<script type="text/plain" data-category="{category}"{written}>'


def state(page: "Page") -> str:
    return str(page.evaluate("consentkit.state")).partition("._")[0]


def log(page: "Page") -> list[str]:
    return list(page.evaluate("window.log || []"))


def accept(page: "Page") -> None:
    page.click("#cookie-consent-accept-all")
    expect(page.locator("#cookie-consent")).to_have_count(0)


# LB-01, GC-01
def test_gated_scripts_and_templates_load_only_after_consent_and_in_order(site: Site, page: "Page") -> None:
    address = site.put(
        GATED
        + gate(data_src="/js/slow", crossorigin="anonymous", data_mine="1", id="first")
        + "</script>"
        + gate()
        + "log.push('inline')</script>"
        + gate(data_src="/js/second")
        + "</script>"
        + gate(data_type="module")
        + "log.push('module ' + import.meta.url.length)</script>"
        + gate("tracking", data_vendor="adhub", data_src="/js/tracking")
        + "</script>"
        + '<template data-category="social" data-vendor="youtube"><p id="clone">Video</p><script src="/js/cloned"></script>'
        "<script>log.push('after the clone')</script></template>"
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.evaluate("consentkit.ready")
    assert log(page) == [] and page.locator("#clone").count() == 0
    assert not any("/js/" in url for url in asked)
    page.evaluate("window.mark = 1")
    accept(page)
    until(page, "log.length == 7")
    assert log(page)[:3] == ["slow", "inline", "second"]
    assert log(page)[-2:] == ["cloned", "after the clone"]
    first = page.locator("#first")
    assert first.get_attribute("crossorigin") == "anonymous"
    assert first.get_attribute("data-mine") == "1"
    assert page.locator("#clone").count() == 1
    assert page.evaluate("window.mark") == 1, "the page was reloaded"


# LB-09
def test_answer_for_a_vendor_overrides_that_for_its_category(site: Site, page: "Page") -> None:
    address = site.put(
        gate(data_vendor="google-analytics", data_src="/js/ga")
        + "</script>"
        + gate(data_src="/js/ours")
        + "</script>"
        + gate("social", data_vendor="youtube", data_src="/js/youtube")
        + "</script>"
    )
    page.goto(address)
    page.evaluate(
        "consentkit.decide({categories: {analytical: true}, vendors: {'google-analytics': false, youtube: true}})"
    )
    until(page, "window.log?.length == 2")
    assert log(page) == ["ours", "youtube"]
    assert state(page) == "analytical.~google-analytics.~youtube"
    asked = page.evaluate(
        "[['analytical'], ['analytical', 'google-analytics'], ['social'], ['social', 'youtube'], ['functional'], ['nothing']]"
        ".map(one => consentkit.allows(...one))"
    )
    assert asked == [True, False, False, True, True, False]


def test_async_and_failing_scripts_do_not_delay_later_ones(site: Site, page: "Page") -> None:
    address = site.put(
        gate(data_src="/js/slow", **{"async": ""})
        + "</script>"
        + gate(data_src="http://127.0.0.1:9/never")
        + "</script>"
        + gate(data_src="/js/last")
        + "</script>"
    )
    page.goto(address)
    accept(page)
    until(page, "window.log?.length == 2")
    assert log(page) == ["last", "slow"]


def test_gate_that_the_policy_does_not_list_stays_shut_and_is_reported_once(site: Site, page: "Page") -> None:
    unlisted = {
        "analytical:google-analytic": gate(data_vendor="google-analytic", data_src="/js/misspelt"),
        "analytical:youtube": gate(data_vendor="youtube", data_src="/js/other-category"),
        "analytical:": gate(data_vendor="", data_src="/js/empty"),
        "analytic": gate("analytic", data_src="/js/category"),
    }
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(
        site.put("</script>".join([*unlisted.values(), *unlisted.values(), gate(data_src="/js/listed"), ""]))
    )
    accept(page)
    until(page, "window.log?.length == 1")
    assert log(page) == ["listed"]
    assert sorted(said) == sorted(
        f"consentkit: not in the policy, so not allowed: {name}" for name in unlisted
    )
    assert page.evaluate("consentkit.allows('analytical', 'google-analytic')") is False


def test_script_that_waits_may_have_src_and_attributes_with_or_without_data(site: Site, page: "Page") -> None:
    held = {"data_async": "", "data_crossorigin": "anonymous", "data_referrerpolicy": "origin"}
    plain = {"async": "", "crossorigin": "anonymous", "referrerpolicy": "origin"}
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(
        site.put(
            gate(src="/js/plain", id="plain", **plain)
            + "</script>"
            + gate(data_src="/js/held", id="held", **held)
            + "</script>"
        )
    )
    page.evaluate("consentkit.ready")
    assert not any("/js/" in address for address in asked)
    accept(page)
    until(page, "window.log?.length == 2")
    assert sorted(log(page)) == ["held", "plain"]
    seen = "one => [one.async, one.crossOrigin, one.referrerPolicy]"
    for script in ("#plain", "#held"):
        assert page.locator(script).evaluate(seen) == [True, "anonymous", "origin"]


def test_gated_scripts_added_later_wait_for_consent_too(site: Site, page: "Page") -> None:
    page.goto(site.put(""))
    late = gate(data_src="/js/late") + "</script>"
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", late)
    page.evaluate("consentkit.decide({categories: {tracking: true}})")
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", late)
    assert log(page) == []
    page.evaluate("consentkit.change({categories: {analytical: true}})")
    until(page, "window.log?.length == 2")
    assert state(page) == "analytical.tracking"


@pytest.mark.parametrize("headers", [{}, {"cache_control": "public, max-age=600"}], ids=["private", "public"])
def test_banner_causes_no_layout_shift(site: Site, page: "Page", headers: dict[str, str]) -> None:
    page.goto(site.put(GATED + "<p>Stretch.</p>" * 80, **headers))
    expect(page.locator("#cookie-consent")).to_be_visible()
    page.click("#cookie-consent-reject-all")
    expect(page.locator("#cookie-consent")).to_have_count(0)
    assert page.evaluate("window['layout-shift'] || 0") == 0


def test_banner_that_arrives_in_parts_is_shown_once_it_is_whole(site: Site, page: "Page") -> None:
    page.goto(site.put(""))
    banner = page.locator("#cookie-consent")
    expect(banner).to_be_visible()
    # The parser has not closed an element that nothing follows.
    page.evaluate("document.body.append(document.querySelector('#cookie-consent'))")
    expect(banner).to_be_hidden()
    page.evaluate("document.body.append(document.createElement('main'))")
    expect(banner).to_be_visible()


# Between two gated scripts the browser can answer the visitor, however slow the scripts are.
def test_script_yields_to_the_browser_before_each_gated_script(site: Site, page: "Page") -> None:
    watch = """<script>window.log = []; const pause = scheduler.yield.bind(scheduler);
scheduler.yield = () => (log.push("turn"), pause());</script>"""
    page.goto(site.put(watch + (gate() + "log.push('script')</script>") * 10))
    accept(page)
    until(page, "log.length >= 20")
    assert log(page) == ["turn", "script"] * 10


# GC-02, GC-03, GC-05, GC-06
def test_google_consent_mode_gets_the_default_first_and_then_every_update(site: Site, page: "Page") -> None:
    page.goto(
        site.put(
            "",
            head="<script>window.dataLayer = window.dataLayer || []; dataLayer.push({event: 'theirs'})</script>",
        )
    )
    page.evaluate("consentkit.decide({categories: {analytical: true}})")
    entries = page.evaluate(
        "dataLayer.map(one => Object.prototype.toString.call(one) == '[object Arguments]' ? [...one] : one)"
    )
    assert [one[:2] for one in entries[:3]] == [
        ["consent", "default"],
        ["set", "ads_data_redaction"],
        ["set", "url_passthrough"],
    ]
    assert entries[3] == {"event": "theirs"}
    assert entries[4][:2] == ["consent", "update"]
    assert set(entries[0][2]) == set(entries[4][2]) and len(entries[0][2]) == 7
    assert {name for name, value in entries[4][2].items() if value == "granted"} == {
        *("analytics_storage", "functionality_storage", "security_storage")
    }
    assert entries[1][2] is True and entries[2][2] is False


def test_decision_is_returned_and_dispatched_as_an_event(site: Site, page: "Page") -> None:
    page.goto(site.put(""))
    page.evaluate("document.addEventListener('consentchange', event => window.told = event.detail)")
    given = page.evaluate("consentkit.decide('accept_all')")
    assert given["status"] == "given" == page.evaluate("told.status")
    assert page.locator(".site-privacy-withdraw").count() == 1
    withdrawn = page.evaluate("consentkit.withdraw('tracking')")
    assert withdrawn["status"] == "given" and withdrawn["categories"]["tracking"] is False
    assert page.evaluate("consentkit.withdraw()")["reference"]
    assert page.locator(".site-privacy-withdraw").count() == 0
    refused = page.evaluate("consentkit.change({categories: {nonsense: true}}).catch(error => error.message)")
    assert refused == "consentkit: 400"
    assert [record.surface for record in site.manager.ledger.records()][-3:] == ["api"] * 3  # type: ignore[union-attr]


# AX-01, AX-02, LB-04
def test_preference_centre_is_a_modal_dialog_and_decides_nothing_until_saved(
    site: Site, page: "Page"
) -> None:
    address = site.put("")
    page.goto(address)
    posted: list[str] = []
    page.on("request", lambda request: request.method != "GET" and posted.append(request.url))
    opener = page.locator("a.site-privacy-settings")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    expect(dialog).to_be_visible()
    assert dialog.get_attribute("aria-labelledby") == dialog.locator("h1").get_attribute("id")
    assert page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
    assert dialog.evaluate("one => one.matches(':modal')")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    for close in (
        lambda: page.keyboard.press("Escape"),
        lambda: dialog.get_by_role("button", name="Close").click(),
    ):
        close()
        expect(dialog).to_have_count(0)
        assert opener.evaluate("one => one == document.activeElement")
        assert posted == [] and state(page) == "-.~"
        page.keyboard.press("Enter")
        expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.click(".cookie-consent-manage")
    page.check('#category-social input[name="category.social"][value="on"]')
    page.locator("#category-analytical summary").click()
    page.check('input[name="vendor.google-analytics"][value="on"]')
    assert posted == []
    page.click('dialog button[value="save"]')
    expect(dialog).to_have_count(0)
    assert state(page) == "social.~google-analytics"
    assert page.url == address and page.locator("#cookie-consent").count() == 0


STORE = """async () => {
  for (const name of ["reading-list", "app", "app-theme", "app-settings", "unknown"]) localStorage.setItem(name, 1);
  sessionStorage.setItem("seen", 1);
  await Promise.all(["profiles", "kept"].map(name => new Promise(go => {
    const request = indexedDB.open(name);
    request.onsuccess = () => (request.result.close(), go());
  })));
  await caches.open("adverts");
  document.cookie = "_ga=1; Path=/";
  document.cookie = "_ga_X=1; Path=/; Domain=stride.localhost";
  document.cookie = "mine=1; Path=/";
}"""
STORED_NOW = """async () => [
  Object.keys(localStorage).sort(), Object.keys(sessionStorage), (await indexedDB.databases()).map(one => one.name).sort(),
  await caches.keys(), document.cookie.split("; ").map(one => one.split("=")[0]).filter(one => !one.startsWith("consent")).sort(),
]"""
EVERYTHING = [
    *(
        ["app", "app-settings", "app-theme", "reading-list", "unknown"],
        ["seen"],
        ["kept", "profiles"],
        ["adverts"],
    ),
    ["_ga", "_ga_X", "mine"],
]
FUNCTIONAL = [["app-settings", "unknown"], [], ["kept"], [], ["mine"]]


# LB-02, WD-03, WD-05, WD-06
@pytest.mark.parametrize("how", ["withdraws", "expires"])
def test_stored_items_are_deleted_with_their_consent_and_others_kept(
    site: Site, page: "Page", how: str
) -> None:
    address = site.put(gate(data_src="/js/tag") + "</script>")
    page.goto(address)
    accept(page)
    until(page, "window.log?.length == 1")
    page.evaluate(STORE)
    page.reload()
    until(page, "window.log?.length == 1")
    assert page.evaluate(STORED_NOW) == EVERYTHING
    if how == "withdraws":
        with page.expect_navigation():
            page.locator(".site-privacy-withdraw button").dispatch_event("click")
        assert log(page) == []
    else:
        page.context.clear_cookies(name="consent")
        page.context.clear_cookies(name="consent-state")
        page.reload()
    until(
        page,
        "(async () => !localStorage['app'] && !(await caches.keys()).length && (await indexedDB.databases()).length == 1)()",
    )
    left = page.evaluate(STORED_NOW)
    assert left[:4] == FUNCTIONAL[:4]
    assert left[4] == FUNCTIONAL[4] or (how == "expires" and "_ga" not in left[4])


def test_page_that_reads_the_consent_reloads_after_a_grant_but_not_after_a_refusal(
    site: Site, page: "Page"
) -> None:
    page.goto(site.put("", reads="1"))
    page.evaluate("window.mark = 1")
    page.click("#cookie-consent-reject-all")
    expect(page.locator("#cookie-consent")).to_have_count(0)
    assert page.evaluate("window.mark") == 1
    with page.expect_navigation():
        page.evaluate("void consentkit.change({categories: {social: true}})")
    assert page.evaluate("window.mark") is None and state(page) == "social"


@pytest.mark.parametrize("reads", [{}, {"reads": "1"}], ids=["unread", "read"])
@pytest.mark.parametrize("csp", [None, "default-src 'self'"], ids=["no policy", "policy"])
def test_each_gate_runs_once_after_one_accept(
    make_site: Callable[..., Site], page: "Page", csp: str | None, reads: dict[str, str]
) -> None:
    site = make_site(csp=csp)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(site.base)))
    page.on("console", lambda message: said.append(message.text))
    address = site.put(
        gate(data_src="/js/first")
        + "</script>"
        + gate("tracking", data_vendor="adhub", data_src="/js/second")
        + "</script><template data-category=social><script src='/js/third'></script></template>",
        **reads,
    )
    page.goto(address)
    page.evaluate("window.mark = 1")
    if csp or reads:
        with page.expect_navigation():
            page.click("#cookie-consent-accept-all")
    else:
        page.click("#cookie-consent-accept-all")
    until(page, "window.log?.length == 3")
    page.wait_for_load_state("networkidle")
    assert (page.evaluate("window.mark") is None) == bool(csp or reads)
    assert sorted(one for one in asked if one.startswith("/js/")) == [
        "/js/first",
        "/js/second",
        "/js/third",
    ]
    assert said == []


def test_grant_that_the_policy_of_the_page_does_not_block_needs_no_reload(
    make_site: Callable[..., Site], page: "Page"
) -> None:
    site = make_site(csp="default-src 'self'")
    page.goto(site.put(gate("social", data_src="/js/ours") + "</script>"))
    page.evaluate("window.mark = 1")
    page.evaluate("consentkit.decide({categories: {social: true}, vendors: {youtube: false}})")
    until(page, "window.log?.length == 1")
    assert page.evaluate("window.mark") == 1
    with page.expect_navigation():
        page.evaluate("void consentkit.change({vendors: {youtube: true}})")
    until(page, "window.log?.length == 1")
    page.evaluate("window.mark = 1")
    # The policy of the page stays wide enough, so that only what has run makes a reload necessary.
    page.evaluate("consentkit.change({vendors: {youtube: false}})")
    page.evaluate("consentkit.change({vendors: {youtube: true}})")
    assert page.evaluate("window.mark") == 1


def test_page_that_answers_a_form_is_requested_again_without_the_form(site: Site, page: "Page") -> None:
    page.goto(site.put('<form method="post"><button>Send</button></form>', reads="1"))
    with page.expect_navigation():
        page.click("main button")
    with page.expect_navigation():
        page.click("#cookie-consent-accept-all")
    expect(page.locator("#cookie-consent")).to_have_count(0)
    assert [method for method in site.methods if method == "POST"] == ["POST"]


def test_reload_after_a_decision_does_not_call_back_a_visitor_who_is_leaving(
    site: Site, page: "Page"
) -> None:
    following = site.put("<p>Arrived</p>", held="1")
    # However long the decision takes on a busy machine, the visitor has left only just now.
    page.clock.set_fixed_time(datetime.now(UTC))
    page.goto(site.put(f'<a href="{following}">Next</a>', reads="1"))
    site.held.clear()
    page.evaluate(
        """() => {
            document.querySelector("main a").click();
            // Timers run in their order: a reload would have begun before the following page is released.
            consentkit.decide({categories: {social: true}}).then(() => setTimeout(() => fetch("/release")));
        }"""
    )
    page.wait_for_url(following)
    # The page was requested before the decision, so that its script asks the server for the new state.
    page.evaluate("consentkit.ready")
    assert state(page) == "social"


def test_form_is_submitted_by_the_browser_if_the_script_cannot_send_it(site: Site, page: "Page") -> None:
    address = site.put("")
    page.goto(address)
    page.route(
        "**/decision",
        lambda route: route.abort() if route.request.resource_type == "fetch" else route.continue_(),
    )
    with page.expect_navigation():
        page.click("#cookie-consent-reject-all")
    assert page.url == address and state(page) == "-"
    assert page.locator("#cookie-consent").count() == 0


# Public pages


def test_public_page_is_the_same_for_all_and_follows_the_companion_cookie(
    site: Site, new_page: NewPage
) -> None:
    address = site.put(gate(data_src="/js/tag") + "</script>", cache_control="public, max-age=600")
    decided, undecided = new_page(), new_page()
    decided.goto(site.put(""))
    accept(decided)
    raw = [one.goto(address) for one in (decided, new_page())]
    texts = [answer.text() for answer in raw if answer is not None]
    assert texts[0] == texts[1] and "data-state" not in texts[0]
    decided.goto(address)
    until(decided, "window.log?.length == 1")
    assert decided.locator("#cookie-consent").count() == 0
    asked: list[str] = []
    undecided.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    undecided.goto(address)
    expect(undecided.locator("#cookie-consent")).to_be_visible()
    assert undecided.evaluate("document.body.firstElementChild.id") == "cookie-consent"
    assert len([one for one in asked if one.startswith("banner")]) == 1 and log(undecided) == []
    accept(undecided)
    until(undecided, "window.log?.length == 1")
    undecided.reload()
    until(undecided, "window.log?.length == 1")
    assert len([one for one in asked if one.startswith("banner")]) == 1


# IN-06
def test_grant_under_another_notice_runs_nothing_on_a_public_page(site: Site, page: "Page") -> None:
    address = site.put(gate(data_src="/js/tag") + "</script>", cache_control="public, max-age=600")
    page.context.add_cookies(
        [{"name": "consent-state", "value": "analytical._AAAAAAAAAAA", "url": site.base}]
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    expect(page.locator("#cookie-consent")).to_be_visible()
    assert log(page) == [] and any(url.endswith("/consent/decision") for url in asked)
    page.click("#cookie-consent-reject-all")
    expect(page.locator("#cookie-consent")).to_have_count(0)
    page.reload()
    page.evaluate("consentkit.ready")
    assert log(page) == [] and state(page) == "-"


# SG-01: on a public page no header can be read, so that the browser's own property counts.
def test_public_page_honours_global_privacy_control(make_site: Callable[..., Site], page: "Page") -> None:
    exempt = [
        row | ({"exempt": True, "honours_gpc": True, "retention": "P6M"} if row["id"] == "analytical" else {})
        for row in EXAMPLE["categories"]
    ]
    rows = [row | {"profiling": False, "signal": None} for row in EXAMPLE["vendors"]]
    policy = Policy.model_validate(EXAMPLE | {"categories": exempt, "vendors": rows})
    site = make_site(policy)
    address = site.put("", cache_control="public, max-age=600")
    page.goto(address)
    assert state(page).startswith("analytical")
    page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})"
    )
    page.goto(address + "?again")
    assert state(page).startswith("-")


# Global Privacy Control changes the state without a cookie, and the page has that state already.
def test_page_rendered_for_the_current_state_requests_no_decision(
    make_site: Callable[..., Site], page: "Page"
) -> None:
    honouring = [row if row.get("required") else row | {"honours_gpc": True} for row in EXAMPLE["categories"]]
    site = make_site(Policy.model_validate(EXAMPLE | {"categories": honouring}))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    address = site.put("")
    for headers in ({}, {"Sec-GPC": "1"}):
        page.set_extra_http_headers(headers)
        page.goto(address)
        page.evaluate("consentkit.ready")
        assert page.evaluate("consentkit.state") == ("-" if headers else "-.~")
    assert not any("/decision" in url for url in asked)


# Tabs and history


def test_other_tabs_follow_a_decision(site: Site, page: "Page") -> None:
    address = site.put(gate(data_src="/js/tag") + "</script>")
    page.goto(address)
    other = page.context.new_page()
    other.goto(address)
    accept(page)
    expect(other.locator("#cookie-consent")).to_have_count(0)
    until(other, "window.log?.length == 1")
    with other.expect_navigation():
        page.locator(".site-privacy-withdraw button").dispatch_event("click")
    until(other, "consentkit.state == '-'")
    assert log(other) == []


def test_back_button_shows_no_page_in_which_a_withdrawn_script_runs(site: Site, page: "Page") -> None:
    first = site.put(gate(data_src="/js/tag") + "</script>")
    second = site.put("")
    page.goto(first)
    accept(page)
    until(page, "window.log?.length == 1")
    page.goto(second)
    page.evaluate("consentkit.withdraw()")
    page.go_back()
    page.wait_for_url(first)
    until(page, "window.consentkit?.state == '-'")
    until(page, "!window.log")


# Content-Security-Policy and Trusted Types


def test_strict_csp_lets_gated_scripts_run_and_no_scripts_without_the_nonce(
    make_site: Callable[..., Site], page: "Page"
) -> None:
    site = make_site(csp=CSP)
    address = site.put(
        '<script nonce="{nonce}">window.log = ["own"]</script>'
        '<script>window.log.push("without a nonce")</script>'
        + gate(data_src="/js/tag", nonce="{nonce}")
        + "</script>"
        + gate(nonce="{nonce}")
        + "log.push('inline')</script>"
        + '<template data-category="social"><b id="clone"></b>'
        '<script nonce="{nonce}">log.push("cloned")</script></template>'
    )
    page.goto(address)
    with page.expect_navigation():
        page.click("#cookie-consent-accept-all")
    until(page, "window.log?.length == 4")
    assert log(page) == ["own", "tag", "inline", "cloned"]
    page.locator("a.site-privacy-settings").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    with page.expect_navigation():
        page.locator("dialog form[action$=withdraw] button").click()
    until(page, "window.consentkit?.state == '-'")
    assert log(page) == ["own"]


INJECTED = {
    "inline": gate("functional") + "log.push('attack')</script>",
    "external": gate("functional", data_src="/js/attack") + "</script>",
    "module": gate("functional", data_type="module", data_src="/js/attack") + "</script>",
    "guessed nonce": gate("functional", nonce="AAAAAAAAAAAAAAAAAAAAAA") + "log.push('attack')</script>",
    "inline in a template": '<template data-category="functional"><script>log.push("attack")</script></template>',
    "external in a template": '<template data-category="functional"><script src="/js/attack"></script></template>',
    "gate in a template": '<template data-category="functional">'
    + gate("functional", data_src="/js/attack")
    + "</script></template>",
    "template in a template": '<template data-category="functional"><template data-category="functional">'
    '<script src="/js/attack"></script></template></template>',
    "drawn": '<template data-category="functional"><svg><script href="/js/attack"></script></svg></template>',
    # An attribute without its end swallows the beginning of the page's next tag, and so takes its nonce.
    "swallowing a script": gate("functional", data_src="/js/attack")[:-1] + " data-rest=",
    "swallowing text": gate("functional", data_src="/js/attack")[:-1] + " data-rest='",
}


@pytest.mark.parametrize("markup", INJECTED.values(), ids=INJECTED)
def test_injected_gate_without_the_nonce_does_not_run_under_a_strict_csp(
    make_site: Callable[..., Site], page: "Page", markup: str
) -> None:
    site = make_site(csp=CSP)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    own = "<script nonce={nonce} data-note='1'>window.log = (window.log || []).concat('own')</script>"
    page.goto(
        site.put(
            '<script nonce="{nonce}">window.log = []</script>'
            f"<p>{markup}{own}</p><p>'></p>"
            + gate("functional", nonce="{nonce}")
            + "log.push('page')</script><template data-category=functional nonce={nonce}>"
            "<script>log.push('cloned')</script></template>"
        )
    )
    page.evaluate("consentkit.ready")
    until(page, "log.includes('cloned')")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('template'), { id: 'late' }));"
        "document.querySelector('#late').dataset.category = 'functional'"
    )
    expect(page.locator("#late")).to_have_count(0)
    assert [name for name in log(page) if name != "own"] == ["page", "cloned"]
    assert not any("/js/attack" in address for address in asked)
    assert len([line for line in said if "lacks the page's nonce" in line]) == 1


def test_injected_script_without_the_nonce_runs_where_the_page_has_none(site: Site, page: "Page") -> None:
    page.goto(site.put(GATED + INJECTED["inline"] + INJECTED["external in a template"]))
    until(page, "log.length == 2")
    assert log(page) == ["attack", "attack"]


def test_template_passes_its_nonce_on(make_site: Callable[..., Site], page: "Page") -> None:
    site = make_site(csp=CSP)
    page.goto(
        site.put(
            '<script nonce="{nonce}">window.log = []</script>'
            '<template data-category="functional" nonce="{nonce}"><b id="clone"></b><script src="/js/first"></script>'
            + gate("functional")
            + "log.push('gate')</script>"
            '<template data-category="functional"><script>log.push("inner")</script></template></template>'
            '<template data-category="functional"><b id="shown"></b><script nonce="{nonce}">log.push("own")</script>'
            "</template>"
        )
    )
    until(page, "log.length == 4")
    assert sorted(log(page)) == ["first", "gate", "inner", "own"]
    assert page.locator("#clone").count() == page.locator("#shown").count() == 1


@pytest.mark.parametrize("javascript", [True, False])
def test_policy_that_allows_nothing_is_opened_for_our_parts_and_no_other_file_of_the_site(
    make_site: Callable[..., Site], new_page: Callable[..., "Page"], javascript: bool
) -> None:
    site = make_site(csp="default-src 'none'; form-action 'none'")
    embed = embed_path("youtube", "https://www.youtube-nocookie.com/embed/x", key=KEY)
    frame = f'<iframe src="/consent{escape(embed)}"></iframe>'
    address = site.put(f'<script src="/js/tag"></script><iframe src="/other" id="other"></iframe>{frame}')
    page = new_page(javascript=javascript)
    page.goto(address)
    assert page.evaluate("window.log") is None
    expect(page.locator("#cookie-consent")).to_have_css("position", "fixed")
    expect(page.frame_locator("iframe[src*=embed]").get_by_role("button").first).to_be_visible()
    assert not [frame for frame in page.frames if frame.url.endswith("/other")]
    with page.expect_navigation(url=address):
        page.click("#cookie-consent-accept-all")
    expect(page.locator("#cookie-consent")).to_have_count(0)
    page.click("a.site-privacy-settings")
    expect(page.locator("dialog" if javascript else ".consent-page main")).to_be_visible()


def test_dropped_cookie_is_shown_in_the_console_in_debug_mode(
    make_site: Callable[..., Site], page: "Page"
) -> None:
    site = make_site(debug=True)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(site.put("", set_cookie="_ga=1; Path=/"))
    assert any("_ga: refused (analytical)" in one for one in said)


def test_console_says_why_a_frame_and_a_fetched_part_have_no_banner_in_debug_mode(
    make_site: Callable[..., Site], page: "Page"
) -> None:
    site = make_site(debug=True)
    site.pages["/part"] = ("<p>part</p>", {})
    framed = "no banner: it is shown in a frame"
    fetched = "no banner: it begins with neither a doctype nor <html>"
    with (
        page.expect_console_message(lambda said: framed in said.text and "/framed" in said.text),
        page.expect_console_message(lambda said: fetched in said.text and "/part" in said.text),
    ):
        page.goto(site.put('<iframe src="/framed" title="x"></iframe><script>fetch("/part")</script>'))
    expect(page.frame_locator("iframe").locator("#cookie-consent")).to_have_count(0)
