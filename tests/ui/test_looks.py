"""What only a browser knows of the pages: sizes, colours, order of focus, and what axe-core finds."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from consentkit.consent.model import Consent
from consentkit.ui.confirmation import Confirmation
from tests.support.told import OPTIONAL, a_grant, consent, decision, pages, policy_of, rows, view
from tests.support.walking import open_details, violations
from tests.ui.conftest import ADDRESS, Show

if TYPE_CHECKING:
    from playwright.sync_api import Page

POLICY = policy_of(
    categories=rows("categories", social={"honours_gpc": False}),
    vendors=[*rows("vendors"), rows("vendors")[0] | {"id": "long", "name": "x" * 90}],
)
PAGES = pages(POLICY)
UNDECIDED = consent(POLICY, gpc=True)
GIVEN = consent(POLICY, decision(POLICY, OPTIONAL, {"youtube": False}))
BROUGHT = Confirmation(event="brought", about="trailhead")
OLD = policy_of(vendors=rows("vendors", adhub={"profiling": False}))
AGAIN = consent(policy_of(), decision(OLD), earlier=(OLD,))

ARTICLE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Hamstrings</title>
<style>:root {{ color-scheme: light dark }} body {{ background: Canvas }} p {{ margin: 3rem 0 }}
button {{ background: orange; color: yellow; text-transform: uppercase; padding: 0 }} ul {{ list-style: square }}</style>
{head}</head>
<body>{banner}<main><h1>Stretching the hamstrings properly</h1>{links}</main>{settings}</body></html>"""


def article(seen: Consent, language: str = "en") -> str:
    shown, made = view(seen, language), PAGES if seen is not AGAIN else pages(policy_of())
    links = "".join(
        f'<p>Twice a week, <a href="/{number}">exercise {number}</a>.</p>' for number in range(30)
    )
    head, banner, settings = made.head(shown), made.banner(shown), made.settings(shown)
    return ARTICLE.format(head=head, banner=banner, settings=settings, links=links)


STATES: dict[str, Callable[[str], str]] = {
    "banner": lambda language: article(UNDECIDED, language),
    "banner again": lambda language: article(AGAIN, language),
    "confirmation": lambda language: article(GIVEN, language).replace(
        "<body>", f"<body>{PAGES.confirmation(view(GIVEN, language), BROUGHT)}"
    ),
    "article": lambda language: article(GIVEN, language),
    "preferences undecided": lambda language: PAGES.preferences(view(UNDECIDED, language)),
    "preferences decided": lambda language: PAGES.preferences(view(GIVEN, language)),
    "policy": lambda language: PAGES.policy(view(GIVEN, language)),
    "sites": lambda language: PAGES.sites(view(GIVEN, language)),
    "receipt": lambda language: PAGES.receipt(view(GIVEN, language), a_grant(PAGES)),
    "error": lambda language: PAGES.error(view(UNDECIDED, language), 503),
    "needs consent": lambda language: PAGES.needs_consent(view(UNDECIDED, language), "social", "youtube"),
}


def overflow(page: "Page") -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize(
    ("scheme", "language", "widths"), [("light", "nl", (320, 768)), ("dark", "en", (1280, 640))]
)
@pytest.mark.parametrize("state", STATES)
def test_pages_are_accessible_and_never_scroll_sideways(
    show: Show, state: str, scheme: str, language: str, widths: tuple[int, int]
) -> None:  # AX-01, AX-05, AX-06
    first, second = widths
    page = show(STATES[state](language), width=first, height=700, color_scheme=scheme)
    open_details(page)
    assert violations(page) == []
    assert overflow(page) <= 0
    page.set_viewport_size({"width": second, "height": 700})
    assert overflow(page) <= 0
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overflow(page) <= 0


@pytest.mark.parametrize("state", STATES)
def test_targets_are_large_enough_and_right_to_left_pages_fit(show: Show, state: str) -> None:  # AX-04
    page = show(STATES[state]("en"), width=320, height=700)
    small = page.evaluate(
        """() => [...document.querySelectorAll(
                "button, label, summary, #cookie-consent a, nav a, .cookie-consent-button")]
            .map(one => [one.outerHTML, one.getBoundingClientRect()])
            .filter(([, box]) => box.height > 0 && (box.height < 24 || box.width < 24)).map(([html]) => html)"""
    )
    assert small == []
    page.evaluate(
        "[document.documentElement, ...document.querySelectorAll('[dir=ltr]')].forEach(one => { one.dir = 'rtl' })"
    )
    assert page.evaluate("getComputedStyle(document.querySelector('main')).direction") == "rtl"
    assert overflow(page) <= 0


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (320, 640), (320, 256)])
@pytest.mark.parametrize("seen", [UNDECIDED, AGAIN], ids=["first", "again"])
def test_reject_has_the_style_and_size_of_accept_and_is_within_three_tab_stops(
    show: Show, seen: Consent, width: int, height: int
) -> None:  # UI-02, AX-06
    page = show(article(seen), width=width, height=height)
    styles = page.evaluate(
        """() => ["accept", "reject"].map(which => {
            const style = getComputedStyle(document.querySelector(`.cookie-consent-${which}-all`));
            const leave = ["inline-size", "width", "perspective-origin", "transform-origin"];
            return Object.fromEntries([...style].filter(name => !leave.includes(name)).map(name => [name, style[name]]));
        })"""
    )
    assert styles[0] == styles[1]
    boxes = [page.locator(f"#cookie-consent-{which}-all").bounding_box() for which in ("accept", "reject")]
    assert boxes[0] and boxes[1]
    assert (boxes[0]["width"], boxes[0]["height"]) == pytest.approx(
        (boxes[1]["width"], boxes[1]["height"]), abs=1
    )
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert "cookie-consent-reject-all" in reached


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (320, 640)])
def test_no_focused_link_is_covered_by_the_banner(show: Show, width: int, height: int) -> None:  # AX-03
    page = show(article(UNDECIDED), width=width, height=height)
    hidden = page.evaluate(
        """() => [...document.querySelectorAll("main a, .site-privacy-settings")].filter(link => {
            link.focus();
            const box = link.getBoundingClientRect(), top = document.querySelector("#cookie-consent").getBoundingClientRect().top;
            return box.top >= top - 1;
        }).map(link => link.href)"""
    )
    assert hidden == []
    page.evaluate("scrollTo(0, 1e6)")
    settings = page.locator(".site-privacy-settings").bounding_box()
    banner = page.locator("#cookie-consent").bounding_box()
    assert settings and banner and settings["y"] + settings["height"] <= banner["y"]


LARGE = "document.documentElement.style.fontSize = '200%'"


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize(
    ("state", "selector"),
    [("banner", ".cookie-consent-actions"), ("preferences undecided", "form.consent-actions")],
)
@pytest.mark.parametrize("language", ["en", "nl", "bg"])
def test_large_text_on_a_phone_breaks_no_word_of_the_buttons(
    show: Show, language: str, state: str, selector: str, width: int
) -> None:  # UI-02, AX-05
    page = show(STATES[state](language), width=width, height=700)
    page.evaluate(LARGE)
    buttons = page.locator(f"{selector} >> nth=0").locator("button")
    lines = """one => one.textContent.trim().split(/\\s+/).map(word => {
        const range = document.createRange(), text = one.firstChild, at = text.data.indexOf(word);
        range.setStart(text, at);
        range.setEnd(text, at + word.length);
        return range.getClientRects().length;
    })"""
    assert [set(buttons.nth(place).evaluate(lines)) for place in (0, 1)] == [{1}, {1}]
    accept, reject = (buttons.nth(place).bounding_box() for place in (0, 1))
    assert accept and reject
    assert (accept["width"], accept["height"]) == pytest.approx((reject["width"], reject["height"]), abs=1)


@pytest.mark.parametrize(("width", "height", "size"), [(320, 568, "200%"), (320, 256, "100%")])
def test_all_of_a_confirmation_can_be_read_in_a_small_window(
    show: Show, width: int, height: int, size: str
) -> None:  # AX-05, AX-06
    vendors = tuple(vendor["id"] for vendor in rows("vendors"))
    done = PAGES.confirmation(view(GIVEN), Confirmation(event="withdrawn", ended=True, parties=vendors))
    page = show(article(GIVEN).replace("<body>", f"<body>{done}"), width=width, height=height)
    page.evaluate("size => { document.documentElement.style.fontSize = size }", size)
    line = page.locator(".site-privacy-status dialog")
    assert line.evaluate("one => one.scrollHeight > one.clientHeight")
    assert line.evaluate("one => one.getBoundingClientRect().top") >= 0
    page.get_by_role("button", name="Close").click()
    assert not line.is_visible()


def test_a_confirmation_hides_nothing_at_the_end_of_the_page(show: Show) -> None:  # AX-03
    vendors = tuple(vendor["id"] for vendor in rows("vendors"))[:5]
    done = PAGES.confirmation(view(GIVEN), Confirmation(event="withdrawn", ended=True, parties=vendors))
    for width in (320, 390, 768, 1280):
        page = show(article(GIVEN).replace("<body>", f"<body>{done}"), width=width, height=800)
        page.evaluate("scrollTo(0, 1e6)")
        settings = page.locator("nav .site-privacy-settings").bounding_box()
        line = page.locator(".site-privacy-status dialog").bounding_box()
        assert settings and line and settings["y"] + settings["height"] <= line["y"], width


def test_the_search_of_the_policy_has_room_for_a_name_in_large_text(show: Show) -> None:  # AX-05
    page = show(STATES["policy"]("en"), width=320, height=700)
    page.evaluate(LARGE)
    page.evaluate("document.querySelector('search').hidden = false")
    box = page.locator("#consent-search").bounding_box()
    assert box and box["width"] >= 200


def test_on_a_very_low_screen_the_banner_is_in_the_flow(
    show: Show,
) -> None:  # AX-06: 1280 x 1024 at 400 %
    page = show(article(UNDECIDED), width=320, height=256)
    assert page.evaluate("getComputedStyle(document.querySelector('#cookie-consent')).position") == "static"
    assert page.evaluate("getComputedStyle(document.documentElement).paddingBottom") == "0px"
    assert overflow(page) <= 0


def test_the_banner_takes_no_focus_and_stays_after_scrolling_and_escape(
    show: Show,
) -> None:  # AX-01, AX-02, LB-04
    page = show(article(UNDECIDED), width=1280, height=800)
    assert page.evaluate("document.activeElement === document.body")
    page.mouse.wheel(0, 500)
    page.wait_for_function("scrollY > 0")
    page.keyboard.press("Escape")
    assert page.url == ADDRESS
    assert page.locator("#cookie-consent").is_visible()


def test_print_has_the_policy_without_banner_and_footer(show: Show) -> None:
    page = show(article(UNDECIDED))
    page.emulate_media(media="print")
    assert not page.locator("#cookie-consent").is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).paddingBottom") == "0px"
    page = show(PAGES.policy(view(GIVEN)))
    page.emulate_media(media="print")
    assert not page.locator("footer").is_visible()
    assert page.locator("h1").is_visible()
    kept = page.evaluate(
        """() => ["h2", "h3", "tr", "details.consent-row"].map(one => {
            const style = getComputedStyle(document.querySelector(`main ${one}`));
            return [one, style.breakAfter, style.breakInside];
        })"""
    )
    assert kept == [
        ["h2", "avoid", "auto"],
        ["h3", "avoid", "auto"],
        ["tr", "auto", "avoid"],
        ["details.consent-row", "auto", "avoid"],
    ]
    assert page.locator("main").evaluate("one => parseFloat(getComputedStyle(one).fontSize)") < 14


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        channels = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def colours(page: "Page", selector: str) -> Any:
    """Return an element's colours of text, background and upper edge."""
    return page.evaluate(
        """selector => { const style = getComputedStyle(document.querySelector(selector));
            return [style.color, style.backgroundColor, style.borderTopColor] }""",
        selector,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_keep_borders_and_contrast(show: Show, scheme: str) -> None:  # AX-05
    page = show(article(UNDECIDED), forced_colors="active", color_scheme=scheme)
    _, surface, _ = colours(page, "#cookie-consent")
    label, button, _ = colours(page, "#cookie-consent-reject-all")
    # Behind a word the browser paints the surface's colour, whatever the button's is.
    assert min(contrast(label, button), contrast(label, surface)) >= 4.5
    edges = page.evaluate(
        """() => [".cookie-consent", ".cookie-consent-button"].map(
            one => getComputedStyle(document.querySelector(one)).borderTopStyle)"""
    )
    assert edges == ["solid", "solid"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_enough_contrast_in_both_themes(show: Show, scheme: str) -> None:  # AX-05, UI-02
    page = show(article(UNDECIDED), color_scheme=scheme)

    text, surface, line = colours(page, "#cookie-consent")
    assert contrast(text, surface) >= 4.5
    assert contrast(line, surface) >= 3
    label, button, _ = colours(page, "#cookie-consent-reject-all")
    assert contrast(label, button) >= 4.5
    assert contrast(button, surface) >= 3


def test_a_site_styles_the_banner_with_custom_properties(show: Show) -> None:
    own = "<style>:root { --consent-font: monospace; --consent-accent: rgb(0, 0, 128); --consent-text: rgb(9, 9, 9);"
    own += " --consent-background: rgb(255, 250, 240); --consent-border: rgb(1, 2, 3); --consent-radius: 0px }</style></head>"
    page = show(article(UNDECIDED).replace("</head>", own))
    look = page.evaluate(
        """() => { const one = getComputedStyle(document.querySelector("#cookie-consent")),
                        two = getComputedStyle(document.querySelector("#cookie-consent-accept-all"));
            return [one.fontFamily, one.color, one.backgroundColor, one.borderTopColor,
                two.backgroundColor, two.borderRadius] }"""
    )
    assert look == [
        "monospace",
        "rgb(9, 9, 9)",
        "rgb(255, 250, 240)",
        "rgb(1, 2, 3)",
        "rgb(0, 0, 128)",
        "0px",
    ]
