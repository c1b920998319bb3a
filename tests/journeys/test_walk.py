"""A walk: a real browser sees every page of the example, in both languages and in every state, and so do we, in pictures."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consentkit import load_policy
from examples.running_magazine.content import read_shelf
from examples.running_magazine.development import SITES
from examples.running_magazine.magazine import HERE
from tests.support.walking import (
    SCHEMES,
    STATES,
    WHOLE,
    WIDTHS,
    examine,
    look,
    magazine,
    picture,
    resize,
    unfold,
    walker,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

NewPage = Callable[..., "Page"]
LANGUAGES = load_policy(HERE / "consent.toml").languages
CONSENT = ("/consent", "/consent/policy", "/consent/sites", "/consent/nowhere")
PIECES = {
    site: [piece.path for piece in read_shelf(HERE / "content" / site, "en").all if piece.section != "pages"]
    for site in SITES
}
PAGES = {site: ["/", *PIECES[site], "/nowhere", *CONSENT] for site in SITES}
PAGES["stride"][1:1] = [
    *("/articles", "/shoes", "/about", "/your-data", "/your-data?forgotten"),
    "/articles/hamstrings/comments",
]
SIGHTS = [(width, scheme) for scheme in SCHEMES for width in WIDTHS]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where the three sites are."""
    with magazine(tmp_path_factory.mktemp("magazine")) as origins:
        yield origins


def _go(page: "Page", origin: str, path: str, language: str) -> None:
    page.goto(origin + path, wait_until="load")
    assert page.get_attribute("html", "lang") == language
    unfold(page)


# AX-01, AX-05, AX-06, IN-07
@pytest.mark.parametrize(
    ("site", "language", "state"),
    [
        *(("stride", language, state) for language in LANGUAGES for state in STATES),
        *(("trailhead", "en", "refused"), ("trailhead", "nl", "undecided")),
        *(("shoelab", "en", "granted"), ("shoelab", "nl", "withdrawn")),
    ],
)
def test_every_page_fits_and_is_accessible(
    sites: dict[str, str], new_page: NewPage, site: str, language: str, state: str
) -> None:
    # Every page in every state and language is measured at every width, and axe-core examines it at one of them, another
    # one each time the walk comes by. WALK=whole, as the integration server has it, does so in both themes and pictures
    # every sight; otherwise one theme, which changes too, has to do.
    turn = STATES.index(state) * len(LANGUAGES) + LANGUAGES.index(language)
    page = walker(new_page, sites[site], language, state)
    pictures = set()
    for place, path in enumerate(PAGES[site]):
        _go(page, sites[site], path, language)
        for scheme in SCHEMES if WHOLE else (SCHEMES[(place + turn) % 2],):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            chosen = WIDTHS[(place + turn // 2 + SCHEMES.index(scheme)) % len(WIDTHS)]
            for width in WIDTHS:
                where = f"{site}{path}, {state}, {language}, {width} px, {scheme}"
                resize(page, width)
                look(page, where)
                if width == chosen:
                    examine(page, where)
                if WHOLE or width == chosen:
                    pictures.add(picture(page, site, path, state, language, width, scheme))
    assert len(pictures) == len(PAGES[site]) * (len(SIGHTS) if WHOLE else 1)
    assert all(path.stat().st_size for path in pictures)


def _at_every_width(page: "Page", what: str, language: str) -> None:
    page.wait_for_load_state("load")  # with its style sheets
    for width in WIDTHS:
        resize(page, width)
        look(page, f"{what}, {language}, {width} px")
    turn = (len(what) + LANGUAGES.index(language)) % len(SIGHTS)
    width, scheme = SIGHTS[turn]
    resize(page, width)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    examine(page, f"{what}, {language}, {width} px, {scheme}")
    picture(page, "between", what, language, width, scheme)


# AX-01, AX-05, AX-06, IN-07
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_has_no_address_of_its_own_is_as_good(
    sites: dict[str, str], new_page: NewPage, language: str
) -> None:
    page = walker(new_page, sites["stride"], language, "undecided")
    _go(page, sites["stride"], "/articles/hamstrings", language)
    page.locator(".cookie-consent-manage").click()
    page.locator("dialog.consent-page").wait_for()
    unfold(page)
    _at_every_width(page, "dialog", language)
    box, text, accept, reject = (
        page.locator(f"dialog.consent-page{inner}").first.bounding_box()
        for inner in ("", " p", " [value=accept_all]", " [value=reject_all]")
    )
    assert box and text and accept and reject
    assert text["x"] >= box["x"] + 16
    assert (accept["width"], accept["height"]) == (reject["width"], reject["height"])
    page.keyboard.press("Escape")
    placeholder = page.locator(".cookie-consent-embed iframe").first.get_attribute("src")
    _go(page, sites["stride"], str(placeholder), language)
    _at_every_width(page, "placeholder", language)

    page = walker(new_page, sites["stride"], language, "granted")
    _go(page, sites["stride"], "/articles/cadence", language)
    page.locator('.text-size button[aria-pressed="false"]').click()
    page.locator(".piece-large").wait_for()
    _at_every_width(page, "large letters", language)
    said = f"{language}: " + "Wind mee. " * 9 + "ö" * 200
    for text, after in ((" ", "[role=alert]"), (said, f".comment-text:has-text('{language}:')")):
        page.locator("[name=name]").fill("J. de Vries")
        page.locator("[name=text]").fill(text)
        page.locator(".form button").click()
        page.locator(after).wait_for()
        _at_every_width(page, "comment" if text == said else "comment refused", language)
    _go(page, sites["trailhead"], "/", language)
    page.locator("a[href*='handoff/start?iss=stride']").first.click()
    page.locator(".cookie-consent-arrival").wait_for()
    _at_every_width(page, "arrival", language)


# AX-05
@pytest.mark.parametrize("scheme", SCHEMES)
def test_forced_colours_leave_every_button_an_edge(
    sites: dict[str, str], new_page: NewPage, scheme: str
) -> None:
    page = walker(new_page, sites["stride"], "nl", "granted", forced_colors="active", color_scheme=scheme)
    for path in ("/", "/articles/hamstrings", "/courses/easy-speed", "/consent"):
        _go(page, sites["stride"], path, "nl")
        look(page, path)
        bare = page.evaluate(
            """() => [...document.querySelectorAll("button, .button, .cookie-consent-button")].filter(one =>
                one.checkVisibility() && (style => style.borderTopStyle === "none" || style.borderTopWidth === "0px")(
                    getComputedStyle(one))).map(one => one.outerHTML)"""
        )
        assert bare == [], path
        picture(page, "forced", path, scheme)
    page = walker(new_page, sites["stride"], "en", "undecided", forced_colors="active", color_scheme=scheme)
    _go(page, sites["stride"], "/", "en")
    picture(page, "forced", "banner", scheme)


# AX-05
def test_nothing_moves_for_who_prefers_less_motion(sites: dict[str, str], new_page: NewPage) -> None:
    page = walker(new_page, sites["stride"], "en", "undecided", reduced_motion="reduce")
    for path in ("/", "/consent"):
        _go(page, sites["stride"], path, "en")
        moving = page.evaluate(
            """() => [...document.querySelectorAll("*")].filter(one => {
                const style = getComputedStyle(one);
                return style.scrollBehavior === "smooth" || style.animationName !== "none" ||
                    style.transitionDuration.split(", ").some(time => parseFloat(time) > 0);
            }).map(one => one.outerHTML.slice(0, 200))"""
        )
        assert moving == [], path


# AX-06: 1280 x 1024 at 400 %
@pytest.mark.parametrize("language", LANGUAGES)
def test_at_four_times_the_size_everything_is_still_there(
    sites: dict[str, str], new_page: NewPage, language: str
) -> None:
    page = walker(new_page, sites["stride"], language, "undecided")
    resize(page, 320, 256)
    for path in PAGES["stride"]:
        _go(page, sites["stride"], path, language)
        look(page, path)
    _go(page, sites["stride"], "/", language)
    picture(page, "zoomed", language)
    for control in page.locator("#cookie-consent :is(a, button)").all():
        control.click(trial=True)  # nothing lies over it
    page.locator(".cookie-consent-reject-all").click()
    page.wait_for_selector("#cookie-consent", state="detached")


def _focused(page: "Page") -> dict[str, Any]:
    """Describe what has the focus, and how that shows."""
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
def test_reject_is_three_tab_stops_away_and_enter_is_enough(
    sites: dict[str, str], new_page: NewPage, path: str, width: int, height: int
) -> None:
    page = walker(new_page, sites["stride"], "nl", "undecided")
    resize(page, width, height)
    _go(page, sites["stride"], path, "nl")
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
def test_the_focus_is_seen_wherever_it_goes(sites: dict[str, str], new_page: NewPage, path: str) -> None:
    page = walker(new_page, sites["stride"], "en", "granted", reduced_motion="reduce")
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
def test_the_preference_centre_is_worked_by_keyboard_alone(sites: dict[str, str], new_page: NewPage) -> None:
    page = walker(new_page, sites["stride"], "en", "undecided")
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

    tab_to("category.analytical")
    page.keyboard.press("Space")
    tab_to("category.tracking")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.locator("#category-social summary").focus()
    assert not page.locator("#category-social details").get_attribute("open")
    page.keyboard.press("Enter")
    tab_to("vendor.youtube")
    page.keyboard.press("Space")
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


def test_the_language_switch_changes_page_and_banner_together(
    sites: dict[str, str], new_page: NewPage
) -> None:
    page = walker(new_page, sites["stride"], "en", "undecided")
    page.goto(f"{sites['stride']}/shoes")
    page.get_by_role("button", name="Nederlands").click()
    page.wait_for_url(f"{sites['stride']}/shoes")
    for selector in ("html", "#cookie-consent"):
        assert page.get_attribute(selector, "lang") == "nl"
    page.goto(f"{sites['stride']}/consent/policy")
    assert page.get_attribute("html", "lang") == "nl"


def test_pictures_are_kept_where_git_does_not_look() -> None:
    assert ".artifacts/" in (Path(__file__).parents[2] / ".gitignore").read_text("utf-8").splitlines()
