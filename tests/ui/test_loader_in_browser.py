"""The loader in a real browser: pages of the same host, of another port, and of another host of the same site."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from consentkit.asgi import ConsentMiddleware
from tests.support.browser import until
from tests.support.front_ends import FrontEnd, behind_one_host, document, on_two_origins, static
from tests.support.servers import free_port, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

BANNER = "#cookie-consent"
SETTINGS = "a.site-privacy-settings"


PLACES: dict[str, Callable[[Path], Any]] = {
    "same host": behind_one_host,
    "another port": lambda folder: on_two_origins(folder, "localhost", "localhost"),
    "another host": lambda folder: on_two_origins(folder, "www.stride.localhost", "api.stride.localhost"),
}


@pytest.fixture(scope="module", params=PLACES)
def front_end(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    with PLACES[request.param](tmp_path_factory.mktemp("ledgers")) as front_end:
        yield front_end


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    with PLACES["another host"](tmp_path_factory.mktemp("ledgers")) as front_end:
        yield front_end


def state(page: "Page") -> str:
    return str(page.evaluate("consentkit.state")).partition("._")[0]


def accept(page: "Page") -> None:
    page.click("#cookie-consent-accept-all")
    expect(page.locator(BANNER)).to_have_count(0)


def test_one_line_brings_banner_style_settings_and_api(front_end: FrontEnd, page: "Page") -> None:
    failed: list[str] = []
    page.on("console", lambda message: failed.append(message.text))
    page.add_init_script("document.addEventListener('consentready', () => window.heard = typeof consentkit)")
    page.goto(front_end.page())
    expect(page.locator(BANNER)).to_be_visible()
    assert page.locator(BANNER).evaluate("one => getComputedStyle(one).position") == "fixed"
    assert page.evaluate("[window.heard, typeof counted, consentkit.allows('analytical')]") == [
        *("object", "undefined", False)
    ]
    page.evaluate("window.mark = 1")
    accept(page)
    until(page, "window.counted == 1 && document.querySelector('#video')")
    assert page.evaluate("window.mark") == 1, "the page was reloaded"
    expect(page.locator(".site-privacy-withdraw")).to_have_count(1)
    page.reload()
    until(page, "window.counted == 1")
    assert page.locator(BANNER).count() == 0 and page.locator(SETTINGS).count() == 1
    assert failed == []


def test_settings_open_in_a_dialog_and_lead_to_the_consent_pages(front_end: FrontEnd, page: "Page") -> None:
    page.goto(front_end.page())
    expect(page.locator(BANNER)).to_be_visible()
    origin = front_end.manager.origins["stride"][0]
    for link in page.locator(f"{SETTINGS}, {BANNER} a").all():
        assert str(link.evaluate("link => link.href")).startswith(f"{origin}/consent")
    page.click(SETTINGS)
    dialog = page.locator("dialog")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("one => one.querySelector('link').sheet != null")
    page.check('#category-social input[name="category.social"][value="on"]')
    page.click('dialog button[value="save"]')
    expect(page.locator(BANNER)).to_have_count(0)
    assert state(page) == "social"


def test_withdrawal_in_the_page_ends_what_runs(front_end: FrontEnd, page: "Page") -> None:
    page.goto(front_end.page())
    accept(page)
    until(page, "window.counted == 1")
    with page.expect_navigation():
        page.click(".site-privacy-withdraw button")
    page.wait_for_function("window.consentkit && consentkit.ready.then(() => true)")
    assert state(page) == "-" and page.evaluate("typeof counted") == "undefined"
    expect(page.locator(".site-privacy-status")).not_to_be_empty()
    assert front_end.events()[-2:] == ["given", "withdrawn"]


def test_other_tab_of_the_front_end_follows(front_end: FrontEnd, page: "Page") -> None:
    address = front_end.page()
    page.goto(address)
    expect(page.locator(BANNER)).to_be_visible()
    other = page.context.new_page()
    other.goto(address)
    accept(other)
    until(page, "window.counted == 1")
    expect(page.locator(BANNER)).to_have_count(0)


def test_page_of_another_host_follows_what_was_decided_on_the_consent_pages(
    elsewhere: FrontEnd, page: "Page"
) -> None:
    page.goto(elsewhere.page())
    expect(page.locator(BANNER)).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    other = page.context.new_page()
    other.goto(elsewhere.manager.origins["stride"][0] + "/consent")
    other.click('button[value="accept_all"]')
    other.wait_for_load_state()
    # Headless browsers hide no tab, so the event of the visitor's return is made.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(page, "window.counted == 1")


def test_form_is_sent_to_the_consent_pages_if_the_request_of_the_script_fails(
    elsewhere: FrontEnd, page: "Page"
) -> None:
    page.goto(elsewhere.page())
    expect(page.locator(BANNER)).to_be_visible()
    before = len(elsewhere.events())
    page.route(
        "**/decision",
        lambda route: route.abort() if route.request.resource_type == "fetch" else route.continue_(),
    )
    with page.expect_navigation():
        page.click("#cookie-consent-accept-all")
    assert page.url.startswith(elsewhere.manager.origins["stride"][0])
    assert elsewhere.events()[before:] == ["given"]


def test_pages_of_an_origin_that_is_not_listed_get_nothing(tmp_path: Path, page: "Page") -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    with on_two_origins(tmp_path, "www.stride.localhost", "api.stride.localhost", listed=False) as stranger:
        page.goto(stranger.page())
        page.wait_for_function("window.consentkit && consentkit.ready.then(() => true)")
        assert page.locator(BANNER).count() == 0 and not page.evaluate("consentkit.allows('analytical')")
        refused = page.evaluate("consentkit.decide('accept_all').catch(error => error.message)")
        assert refused == f"consentkit: no answer. Is {stranger.base} in frontends?"
        assert any(refused in line for line in told) and stranger.events() == []


def test_loader_works_under_a_strict_content_security_policy(elsewhere: FrontEnd, page: "Page") -> None:
    api = elsewhere.manager.origins["stride"][0]
    broken: list[str] = []
    page.on("console", lambda message: broken.append(message.text))
    policy = (
        f"default-src 'none'; script-src 'nonce-abc' {api}; style-src 'nonce-abc' {api}; connect-src {api}; "
        f"img-src data:; form-action {api}; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types consentkit consentkit-loader"
    )
    html = document(elsewhere.loader).replace("<script ", '<script nonce="abc" ')
    page.goto(elsewhere.put(html, content_security_policy=policy))
    accept(page)
    until(page, "window.counted == 1")
    page.click(SETTINGS)
    expect(page.locator("dialog.consent-page")).to_be_visible()
    assert broken == []


def test_style_sheet_is_loaded_where_rules_inside_the_page_are_forbidden(
    elsewhere: FrontEnd, page: "Page"
) -> None:
    api = elsewhere.manager.origins["stride"][0]
    page.goto(elsewhere.put(document(elsewhere.loader), content_security_policy=f"style-src {api}"))
    banner = page.locator(BANNER)
    expect(banner).to_be_visible()
    until(page, "getComputedStyle(document.querySelector('#cookie-consent')).position == 'fixed'")


def test_a_second_loader_and_a_link_of_the_page_change_nothing(elsewhere: FrontEnd, page: "Page") -> None:
    twice = f'<script src="{elsewhere.loader}" async></script>'
    link = f'<a class="site-privacy-settings" href="{elsewhere.loader.replace("/loader.js", "")}">Cookies</a>'
    page.goto(elsewhere.page(head=twice, body=link))
    expect(page.locator(BANNER)).to_be_visible()
    assert page.locator(SETTINGS).count() == 1 and page.locator("script[data-notice]").count() == 1
    page.goto(elsewhere.put(document(elsewhere.loader).replace(" async", " data-no-settings-link async")))
    expect(page.locator(BANNER)).to_be_visible()
    assert page.locator(SETTINGS).count() == 0


# As frameworks do, after the page has been parsed.
def test_loader_that_a_script_adds_works_too(elsewhere: FrontEnd, page: "Page") -> None:
    page.goto(elsewhere.put("<!doctype html><title>Run</title><div id=root></div>"))
    page.evaluate(
        "src => document.body.append(Object.assign(document.createElement('script'), {src}))",
        elsewhere.loader,
    )
    expect(page.locator(BANNER)).to_be_visible()
    assert page.locator(SETTINGS).count() == 1


def test_page_that_the_middleware_sent_ignores_the_loader(tmp_path: Path, page: "Page") -> None:
    with behind_one_host(tmp_path) as site:
        html = document(site.loader)
        app = ConsentMiddleware(static({"/": (html, {})}), site.manager)
        with serving(app, port=(port := free_port())):
            page.goto(f"http://stride.localhost:{port}/")
            expect(page.locator(BANNER)).to_be_visible()
            page.wait_for_load_state("networkidle")
            assert page.locator("script[data-notice]").count() == 1
            assert page.locator(SETTINGS).count() == 1
