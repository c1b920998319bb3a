"""What the page says after a choice, and where the focus is then, in a real browser."""

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.support.browser import until
from tests.support.embeds import embed_path
from tests.support.front import KEY
from tests.ui.test_script import NewPage, Site, gate, make_site, site

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

__all__ = ["make_site", "site"]
ACCEPTED = "You accepted everything that needs your consent."
REJECTED = "You rejected everything that needs your consent."
WITHDRAWN = "You withdrew your consent."


def line(page: "Page") -> "Locator":
    return page.locator(".site-privacy-status[role=status] dialog")


def focused(page: "Page") -> str:
    """Return which of our elements has the focus, by its first class, or the name of its tag."""
    return str(page.evaluate("document.activeElement.classList[0] || document.activeElement.localName"))


def press(page: "Page", selector: str) -> None:
    page.locator(selector).focus()
    page.keyboard.press("Enter")


# AX-08
@pytest.mark.parametrize(("choice", "text"), [("accept", ACCEPTED), ("reject", REJECTED)])
@pytest.mark.parametrize("headers", [{}, {"cache_control": "public, max-age=600"}], ids=["private", "public"])
def test_choice_is_announced_without_a_reload_and_the_focus_stays_in_the_page(
    site: Site, page: "Page", headers: dict[str, str], choice: str, text: str
) -> None:
    address = site.put("", **headers)
    page.goto(address)
    page.evaluate("consentkit.ready")
    page.evaluate("window.before = document.querySelector('[role=status]')")
    assert page.evaluate("before.textContent") == ""
    press(page, f"#cookie-consent-{choice}-all")
    expect(line(page)).to_contain_text(text)
    assert page.evaluate("before == document.querySelector('.site-privacy-status')")
    until(page, "document.activeElement.className == 'site-privacy-status'")
    assert Axe().run(page).response["violations"] == []
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(line(page)).to_be_hidden()
    until(page, "document.activeElement.className == 'site-privacy-status'")
    assert {one["name"] for one in page.context.cookies()} == {"consent", "consent-state"}
    page.goto(address)
    page.evaluate("consentkit.ready")
    expect(line(page)).to_have_count(0)
    assert focused(page) == "body"


def test_choice_that_reloads_the_page_is_confirmed_in_the_new_one_once(site: Site, page: "Page") -> None:
    page.goto(site.put("", reads="1"))
    with page.expect_navigation():
        press(page, "#cookie-consent-accept-all")
    expect(line(page)).to_contain_text(ACCEPTED)
    until(page, "document.activeElement.className == 'site-privacy-status'")
    assert {one["name"] for one in page.context.cookies()} == {"consent", "consent-state"}
    page.reload()
    expect(line(page)).to_have_count(0)


def test_withdrawal_that_reloads_a_public_page_is_confirmed_in_the_new_one(site: Site, page: "Page") -> None:
    page.goto(site.put(gate(data_src="/js/tag") + "</script>", cache_control="public, max-age=600"))
    page.click("#cookie-consent-accept-all")
    until(page, "window.log?.length == 1")
    with page.expect_navigation():
        page.evaluate("void consentkit.withdraw()")
    expect(line(page)).to_contain_text(WITHDRAWN)
    until(page, "cookieStore.get('consent-from').then(found => !found)")


# WD-01, AX-08
def test_without_javascript_the_next_page_confirms_each_choice_once(site: Site, plain_page: "Page") -> None:
    page, address = plain_page, site.put("")
    page.goto(address)
    page.click("#cookie-consent-accept-all")
    expect(line(page)).to_contain_text(ACCEPTED)
    expect(page.locator("#cookie-consent")).to_have_count(0)
    line(page).get_by_role("button").click()
    expect(line(page)).to_be_hidden()
    page.goto(address)
    expect(line(page)).to_have_count(0)
    page.locator("form[action$=withdraw] button").click()
    expect(line(page)).to_contain_text(WITHDRAWN)
    expect(line(page)).to_contain_text("AdHub Exchange")
    line(page).get_by_text("How to delete them").click()
    expect(page.locator("#remaining + p + details")).to_contain_text("AdHub")


# A conditional request for an unchanged page would otherwise be answered with the page that the browser kept.
def test_confirmation_shows_on_a_page_that_did_not_change(site: Site, plain_page: "Page") -> None:
    page, address = plain_page, site.put("", etag='"one"')
    page.goto(address)
    page.click("#cookie-consent-reject-all")
    page.goto(address)
    expect(line(page)).to_have_count(0)
    page.context.add_cookies([{"name": "consent-from", "value": "rejected", "url": site.base}])
    page.goto(address)
    expect(line(page)).to_contain_text(REJECTED)


@pytest.mark.parametrize("opener", ["a[href='/consent']", "a.cookie-consent-manage"])
def test_saved_settings_return_the_focus_to_what_opened_them(site: Site, page: "Page", opener: str) -> None:
    page.goto(site.put(""))
    page.evaluate("document.querySelector('nav a').dataset.opener = 1")
    press(page, opener)
    page.check('#category-social input[name="category.social"][value="on"]')
    press(page, 'dialog.consent-page button[value="save"]')
    expect(line(page)).to_contain_text("Your choices are saved. Accepted: Social.")
    expect(page.locator("dialog.consent-page")).to_have_count(0)
    # The banner is gone then, and its link with it.
    stayed = page.evaluate("document.activeElement.getAttribute('href')") == "/consent"
    assert stayed if "manage" not in opener else focused(page) == "site-privacy-status"


def test_withdrawal_at_the_end_of_a_page_leaves_the_focus_on_the_settings_link(
    site: Site, page: "Page"
) -> None:
    page.goto(site.put(""))
    page.evaluate("consentkit.decide('accept_all')")
    press(page, "form[action$=withdraw] button")
    expect(line(page)).to_contain_text(WITHDRAWN)
    until(page, "document.activeElement.getAttribute('href') == '/consent'")


def test_choice_of_a_script_takes_no_focus(site: Site, page: "Page") -> None:
    page.goto(site.put("<input id=search>"))
    page.focus("#search")
    page.evaluate("consentkit.decide('accept_all')")
    expect(line(page)).to_contain_text(ACCEPTED)
    assert page.evaluate("document.activeElement.id") == "search"


def test_choice_in_another_tab_is_confirmed_there_alone(site: Site, page: "Page") -> None:
    address = site.put("")
    page.goto(address)
    # Playwright lets every page believe that it has the focus.
    page.context.new_cdp_session(page).send("Emulation.setFocusEmulationEnabled", {"enabled": False})
    other = page.context.new_page()
    other.goto(address)
    other.bring_to_front()
    other.evaluate("consentkit.ready")
    press(other, "#cookie-consent-accept-all")
    expect(line(other)).to_contain_text(ACCEPTED)
    expect(page.locator("#cookie-consent")).to_have_count(0)
    expect(line(page)).to_have_count(0)


def test_always_in_a_frame_is_confirmed_in_the_page_around_it(
    site: Site, page: "Page", new_page: NewPage
) -> None:
    embed = embed_path("youtube", "https://www.youtube-nocookie.com/embed/x", key=KEY)
    page.route("https://www.youtube-nocookie.com/**", lambda route: route.fulfill(body="A film"))
    page.goto(site.put(f'<iframe src="/consent{embed}"></iframe>'.replace("&", "&amp;")))
    page.frame_locator("iframe").locator("summary").first.click()
    button = page.frame_locator("iframe").locator("form[target=_top] button")
    button.press("Enter")
    expect(line(page)).to_contain_text("Content from YouTube now loads without asking.")
    expect(page.frame_locator("iframe").locator("iframe")).to_have_count(1)
    assert {one["name"] for one in page.context.cookies()} == {"consent", "consent-state"}
