"""Visitors at four places in a real browser: what fires, what they see, and what one click does."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.browser import until
from tests.support.placed_site import serving_places
from tests.support.walking import check_accessibility, check_layout

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

NewPage = Callable[..., "Page"]
STATISTICS, ADVERTISING = "https://www.googletagmanager.com/a.js", "https://cdn.adhub.example/tag.js"
CALIFORNIA = {"CF-IPCountry": "US", "CF-Region-Code": "CA"}
SIGNAL = {"Sec-GPC": "1"}
HONORED = "Opt-out preference signal honored"


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving_places() as origin:
        yield origin


@pytest.fixture
def visit(new_page: NewPage) -> Callable[..., tuple["Page", list[str]]]:
    """`visit(origin, headers)` opens the front page from a place, and returns it with the scripts of others that it loads."""

    def open_from(
        origin: str, headers: dict[str, str], *, javascript: bool = True
    ) -> tuple["Page", list[str]]:
        page = new_page(javascript=javascript, extra_http_headers=headers)
        fired: list[str] = []

        def answer(route: "Route") -> None:
            if route.request.url.startswith(origin):
                route.continue_()
                return
            fired.append(route.request.url)
            route.fulfill(content_type="text/javascript", body="")

        page.route("**/*", answer)
        page.goto(origin, wait_until="networkidle")
        return page, fired

    return open_from


# SG-03, SG-06, JU-02
def test_in_california_all_is_on_until_one_click_without_javascript(
    site: str, visit: Callable[..., tuple["Page", list[str]]]
) -> None:  # SG-06
    page, fired = visit(site, CALIFORNIA)
    assert sorted(fired) == [ADVERTISING, STATISTICS]
    assert page.locator("#cookie-consent").count() == 0
    check_accessibility(page, "California")

    plain, _ = visit(site, CALIFORNIA, javascript=False)
    plain.get_by_role("link", name="Your Privacy Choices").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Your Privacy Choices")
    plain.get_by_role("button", name="Opt out of sale and sharing").click()
    # Back on the page, which confirms it.
    expect(
        plain.locator("[role=status] dialog", has_text="You opted out of the sale and sharing")
    ).to_be_visible()
    plain.locator(".site-privacy-settings").click()
    expect(plain.get_by_role("button", name="Opt out of sale and sharing")).to_have_count(0)
    expect(plain.locator(".consent-state")).to_contain_text("On: Analytical and Social. Off: Tracking.")
    assert plain.locator("input[name='category.analytical'][value=on]").is_checked()
    assert plain.locator("input[name='category.tracking'][value=off]").is_checked()
    for european in ("With your permission", "Reject", "withdraw your consent", "needs your consent"):
        assert european.lower() not in plain.inner_text("body").lower()


# SG-04, SG-07
def test_in_california_the_signal_stops_what_sells_and_nothing_else(
    site: str, visit: Callable[..., tuple["Page", list[str]]]
) -> None:  # SG-03, SG-04
    page, fired = visit(site, CALIFORNIA)
    page.evaluate("consentkit.decide('accept_all')")
    page.context.set_extra_http_headers(CALIFORNIA | SIGNAL)
    fired.clear()
    page.goto(site, wait_until="networkidle")
    assert fired == [STATISTICS]
    expect(page.get_by_role("status").filter(has_text=HONORED)).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run, counted")

    page.goto(f"{site}/consent")
    expect(page.get_by_role("status").filter(has_text=HONORED)).to_be_visible()
    tracking = page.locator("#category-tracking")
    expect(tracking).to_contain_text("Your browser’s signal says otherwise, and we follow the signal.")
    expect(tracking).to_contain_text("Opted out")
    assert tracking.get_by_role("radio").count() == 0
    check_accessibility(page, "choices with the signal")
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 720})
        check_layout(page, f"choices at {width}")
    # Saving the rest keeps what was chosen for the time without the signal.
    page.locator("label", has=page.locator("input[name='category.analytical'][value=off]")).click()
    page.get_by_role("button", name="Save my choices").click()
    until(page, "document.querySelector('h1')?.textContent == 'Run, not counted'")
    page.context.set_extra_http_headers(CALIFORNIA)
    fired.clear()
    page.goto(site, wait_until="networkidle")
    assert fired == [ADVERTISING]


# LB-05
@pytest.mark.parametrize("javascript", [True, False])
def test_in_great_britain_statistics_are_on_and_one_click_objects(
    site: str, visit: Callable[..., tuple["Page", list[str]]], javascript: bool
) -> None:  # JU-02
    page, fired = visit(site, {"CF-IPCountry": "GB"}, javascript=javascript)
    assert fired == ([STATISTICS] if javascript else [])
    expect(page.get_by_role("heading", level=1)).to_have_text("Run, counted")
    banner = page.locator("#cookie-consent")
    expect(banner).to_contain_text("Tracking:")
    expect(banner).to_contain_text(
        "Without asking, as UK law allows: “Analytical” and “Social”. You can object."
    )
    banner.get_by_role("button", name="Object").click()
    expect(
        page.locator("[role=status] dialog", has_text="You objected to “Analytical” and “Social”.")
    ).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run, not counted")
    # The rest is still open.
    expect(banner).to_contain_text("Tracking:")
    expect(banner).not_to_contain_text("Without asking")
    if javascript:
        check_accessibility(page, "Great Britain")


@pytest.mark.parametrize("place", [{"CF-IPCountry": "DE"}, {}, {"CF-IPCountry": "T1"}])
def test_elsewhere_and_nowhere_nothing_fires_before_consent(
    site: str, visit: Callable[..., tuple["Page", list[str]]], place: dict[str, str]
) -> None:
    page, fired = visit(site, place)
    assert fired == []
    expect(page.locator("#cookie-consent")).to_contain_text("With your permission")
    expect(page.get_by_role("link", name="Cookie settings")).to_be_visible()


def test_a_place_that_no_proxy_vouches_for_opens_nothing(
    visit: Callable[..., tuple["Page", list[str]]],
) -> None:  # JU-01
    with serving_places(peer="10.0.0.1") as origin:
        page, fired = visit(origin, CALIFORNIA)
        assert fired == []
        expect(page.locator("#cookie-consent")).to_be_visible()


def test_a_visitor_can_see_the_stricter_rules_of_another_place(
    site: str, visit: Callable[..., tuple["Page", list[str]]]
) -> None:
    page, _ = visit(site, {"CF-IPCountry": "GB"}, javascript=False)
    page.goto(f"{site}/consent")
    expect(page.locator("main")).to_contain_text("You see the rules for “United Kingdom”.")
    for asked, shown in (
        ("United States: California", "You see the strictest of the rules that this site follows."),
        ("Netherlands", "You see the rules for “Netherlands”."),
    ):
        page.get_by_label("Show me the rules for").select_option(asked)
        page.get_by_role("button", name="Show").click()
        expect(page.locator("main")).to_contain_text(shown)
    page.get_by_role("link", name="Cookie policy").click()
    expect(page.locator("main")).to_contain_text("You see the rules for “Netherlands”.")
    page.get_by_role("link", name="Cookie settings").first.click()
    page.get_by_role("button", name="Reject all").click()
    # The choice was made under the stricter rules, and counts here too.
    expect(page.get_by_role("heading", level=1)).to_have_text("Run, not counted")
