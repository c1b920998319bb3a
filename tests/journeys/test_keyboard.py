"""The example by keyboard, in forced colours, with reduced motion and zoomed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.walking import (
    LANGUAGES,
    SCHEMES,
    ZOOMED,
    check_layout,
    go_to,
    open_as_visitor,
    resize,
    take_picture,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

NewPage = Callable[..., "Page"]


# AX-05
@pytest.mark.parametrize("scheme", SCHEMES)
def test_buttons_have_borders_in_forced_colours(
    sites: dict[str, str], new_page: NewPage, scheme: str
) -> None:
    page = open_as_visitor(
        new_page, sites["stride"], "nl", "granted", forced_colors="active", color_scheme=scheme
    )
    for path in ("/", "/articles/hamstrings", "/courses/easy-speed", "/consent"):
        go_to(page, sites["stride"] + path, "nl")
        check_layout(page, path)
        bare = page.evaluate(
            """() => [...document.querySelectorAll("button, .button, .cookie-consent-button")].filter(one =>
                one.checkVisibility() && (style => style.borderTopStyle === "none" || style.borderTopWidth === "0px")(
                    getComputedStyle(one))).map(one => one.outerHTML)"""
        )
        assert bare == [], path
        take_picture(page, "forced", path, scheme)
    page = open_as_visitor(
        new_page, sites["stride"], "en", "undecided", forced_colors="active", color_scheme=scheme
    )
    go_to(page, sites["stride"] + "/", "en")
    take_picture(page, "forced", "banner", scheme)


# AX-05
def test_nothing_is_animated_with_reduced_motion(sites: dict[str, str], new_page: NewPage) -> None:
    page = open_as_visitor(new_page, sites["stride"], "en", "undecided", reduced_motion="reduce")
    for path in ("/", "/consent"):
        go_to(page, sites["stride"] + path, "en")
        moving = page.evaluate(
            """() => [...document.querySelectorAll("*")].filter(one => {
                const style = getComputedStyle(one);
                return style.scrollBehavior === "smooth" || style.animationName !== "none" ||
                    style.transitionDuration.split(", ").some(time => parseFloat(time) > 0);
            }).map(one => one.outerHTML.slice(0, 200))"""
        )
        assert moving == [], path


# AX-06
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_control_of_the_banner_is_covered_at_400_percent_zoom(
    sites: dict[str, str], new_page: NewPage, language: str
) -> None:
    page = open_as_visitor(new_page, sites["stride"], language, "undecided")
    resize(page, *ZOOMED)
    go_to(page, sites["stride"], language)
    take_picture(page, "zoomed", language)
    for control in page.locator("#cookie-consent :is(a, button)").all():
        control.click(trial=True)  # nothing lies over it
    page.locator(".cookie-consent-reject-all").click()
    page.wait_for_selector("#cookie-consent", state="detached")


def _focused(page: "Page") -> dict[str, Any]:
    """Describe the focused element, and whether its focus is visible."""
    told = page.evaluate(
        """() => {
            const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
            const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
            const above = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return { id: one.id, name: one.name, value: one.value, html: one.outerHTML.slice(0, 160), outline,
                inside: box.bottom > 0 && box.top < innerHeight, body: one === document.body };
        }"""
    )
    return dict(told)


# AX-01, AX-03, UI-02
@pytest.mark.parametrize(("width", "height"), [(320, 640), (1280, 800)])
@pytest.mark.parametrize("path", ["/", "/articles/hamstrings", "/shoes"])
def test_reject_is_within_three_tab_stops_and_works_with_enter(
    sites: dict[str, str], new_page: NewPage, path: str, width: int, height: int
) -> None:
    page = open_as_visitor(new_page, sites["stride"], "nl", "undecided")
    resize(page, width, height)
    go_to(page, sites["stride"] + path, "nl")
    for _ in range(3):
        page.keyboard.press("Tab")
        if _focused(page)["id"] == "cookie-consent-reject-all":
            break
    assert _focused(page)["id"] == "cookie-consent-reject-all"
    assert _focused(page)["outline"]
    page.keyboard.press("Enter")
    page.wait_for_selector("#cookie-consent", state="detached")
    assert page.url == sites["stride"] + path
    assert page.evaluate("fetch('/consent/decision').then(r => r.json()).then(d => d.status)") == "refused"


# AX-03
@pytest.mark.parametrize(
    "path", ["/", "/articles/hamstrings", "/courses/easy-speed", "/consent", "/consent/policy"]
)
def test_the_focus_is_visible_at_every_tab_stop(sites: dict[str, str], new_page: NewPage, path: str) -> None:
    page = open_as_visitor(new_page, sites["stride"], "en", "granted", reduced_motion="reduce")
    resize(page, 1280, 800)
    page.goto(sites["stride"] + path)
    stops = 0
    while stops < 150:
        page.keyboard.press("Tab")
        here = _focused(page)
        if here["body"]:
            break
        if here["html"].startswith("<iframe"):
            page.evaluate("document.activeElement.remove()")
            continue
        stops += 1
        assert here["outline"], here["html"]
        assert here["inside"], here["html"]
    assert 5 < stops < 150


# AX-01, AX-09, UI-04, WD-01
def test_the_preference_centre_works_by_keyboard_alone(sites: dict[str, str], new_page: NewPage) -> None:
    page = open_as_visitor(new_page, sites["stride"], "en", "undecided")
    page.goto(f"{sites['stride']}/consent?next=/shoes")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def tab_to(name: str, value: str = "") -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            here = _focused(page)
            if here["name"] == name and value in ("", here["value"]):
                return
        raise AssertionError(f"{name} {value} is not reached")

    # "Reject" comes first; the arrow goes on to "Accept".
    tab_to("category.analytical")
    page.keyboard.press("ArrowRight")
    tab_to("category.tracking")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.locator("#category-social summary").focus()
    assert not page.locator("#category-social details").get_attribute("open")
    page.keyboard.press("Enter")
    # "As the purpose", "Reject", "Accept".
    tab_to("vendor.youtube")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    ticked = {
        name: page.locator(f'[name="{name}"]:checked').evaluate_all("all => all.map(one => one.value)")
        for name in ("category.analytical", "category.tracking", "category.social", "vendor.youtube")
    }
    assert ticked["category.analytical"] == ["on"]
    assert len(ticked["category.tracking"]) == 1
    assert ticked["category.social"] == []
    assert ticked["vendor.youtube"] == ["on"]
    assert asked == []
    tab_to("choice", "save")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url == f"{sites['stride']}/shoes"
    page.goto(f"{sites['stride']}/consent")
    assert page.locator('[name="category.analytical"][value="on"]').is_checked()
    assert page.locator('[name="vendor.youtube"][value="on"]').is_checked()
    assert page.locator('[name="category.social"][value="off"]').is_checked()
    page.get_by_role("button", name="Withdraw consent").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto(f"{sites['stride']}/consent")
    assert page.locator('[name="category.analytical"][value="on"]').is_checked() is False


def test_the_language_switch_changes_page_and_banner(sites: dict[str, str], new_page: NewPage) -> None:
    page = open_as_visitor(new_page, sites["stride"], "en", "undecided")
    page.goto(f"{sites['stride']}/shoes")
    page.get_by_role("button", name="Nederlands").click()
    page.wait_for_url(f"{sites['stride']}/shoes")
    for selector in ("html", "#cookie-consent"):
        assert page.get_attribute(selector, "lang") == "nl"
    page.goto(f"{sites['stride']}/consent/policy")
    assert page.get_attribute("html", "lang") == "nl"
