"""How much of the screen the banner takes, what is in sight with its buttons, and how it is laid out."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consentkit import load_policy
from consentkit.manager import Appearance
from consentkit.policy import Policy
from examples.running_magazine.magazine import HERE
from tests.support.told import consent, pages, view
from tests.ui.conftest import Show

if TYPE_CHECKING:
    from playwright.sync_api import Page

EXAMPLE = load_policy(HERE / "consent.toml")
# The fonts of phones are as wide as these; those of a machine without fonts are wider.
FONT = '<style>:root { --consent-font: "Liberation Sans", Arial, sans-serif }</style>'
ARTICLE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Hamstrings</title>{font}{head}</head>
<body>{banner}<main><h1>Stretching the hamstrings properly</h1>{text}</main>{settings}</body></html>"""
BUTTONS = ("#cookie-consent-accept-all", "#cookie-consent-reject-all")


@pytest.fixture(scope="module")
def first_policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """Return the policy that `consentkit init` writes."""
    folder = tmp_path_factory.mktemp("init")
    command = [sys.executable, "-m", "consentkit", "init", "--yes", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    return load_policy(folder / "consent.toml")


def article(policy: Policy, language: str = "en", *, font: str = FONT, **options: Any) -> str:
    made, shown = pages(policy, **options), view(consent(policy), language)
    text = "".join(f'<p>Twice a week, <a href="/{number}">exercise</a>.</p>' for number in range(40))
    return ARTICLE.format(
        font=font,
        head=made.head(shown),
        banner=made.banner(shown),
        text=text,
        settings=made.settings(shown),
    )


def example(language: str = "en", **options: Any) -> str:
    return article(EXAMPLE, language, **({"handoff": ["trailhead", "shoelab"]} | options))


def placed(layout: Any, position: Any) -> str:
    return example(appearance=Appearance.of(layout, position, None))


def box(page: "Page", selector: str) -> dict[str, float]:
    found = page.locator(selector).first.bounding_box()
    assert found, selector
    return dict(found)


def share(page: "Page", height: int) -> float:
    return box(page, "#cookie-consent")["height"] / height


def scrolls(page: "Page") -> bool:
    return bool(
        page.evaluate(
            "(one => one.scrollHeight > one.clientHeight + 1)(document.querySelector('#cookie-consent'))"
        )
    )


def test_the_first_policys_banner_takes_a_third_of_a_phone(show: Show, first_policy: Policy) -> None:
    page = show(article(first_policy), width=390, height=844)
    assert share(page, 844) <= 0.33
    assert not scrolls(page)


def test_the_examples_banner_takes_half_of_a_phone_with_everything_in_sight(show: Show) -> None:
    page = show(example(), width=390, height=844)
    assert share(page, 844) <= 0.5
    assert not scrolls(page)
    for text in (
        *(category.title["en"] for category in EXAMPLE.consent_needed),
        "build a profile",
        "combine",
        "6 months",
        "withdraw your consent at any time",
        "Preferences",
        "Cookie policy",
        "Our 3 sites",
    ):
        shown = page.locator("#cookie-consent").get_by_text(text).first.bounding_box()
        assert shown and shown["y"] + shown["height"] <= 844, text


# Where there is no room for all of it, the buttons come last, and a sign says that there is more.
@pytest.mark.parametrize(("width", "height", "size"), [(320, 568, 16), (360, 780, 32), (390, 844, 32)])
@pytest.mark.parametrize("language", EXAMPLE.languages)
def test_the_buttons_come_after_every_purpose(
    show: Show, language: str, width: int, height: int, size: int
) -> None:  # AX-06
    page = show(
        example(language, font=FONT + f"<style>html {{ font-size: {size}px }}</style>"),
        width=width,
        height=height,
    )
    banner = box(page, "#cookie-consent")
    assert banner["y"] >= 0.1 * height
    # Text is readable: several whole lines of it are in sight.
    first = box(page, ".cookie-consent-text p")
    assert 0 <= first["y"] < first["y"] + 4 * size < height
    if scrolls(page):
        assert page.evaluate(
            """() => { const sign = getComputedStyle(document.querySelector(".cookie-consent-text"), "::after");
                return sign.content.includes("↓") && sign.position == "sticky" }"""
        )
    tracking = page.locator("#cookie-consent li").nth(1)
    for _ in range(60):
        lowest = page.locator(BUTTONS[0]).bounding_box()
        purpose = tracking.bounding_box()
        assert lowest and purpose
        if lowest["y"] < height:
            break
        page.evaluate("document.querySelector('#cookie-consent').scrollBy(0, 20)")
    # The lines between the most intrusive purpose and the buttons fit on the screen: it is seen before them.
    assert lowest["y"] < height
    assert purpose["y"] < lowest["y"]
    page.evaluate("document.querySelector('#cookie-consent').scrollBy(0, 1e5)")
    assert box(page, BUTTONS[1])["y"] + box(page, BUTTONS[1])["height"] <= height


LONG_LABELS = (
    ("Alle akzeptieren", "Alle ablehnen"),
    ("Alles accepteren", "Alles weigeren"),
    ("Αποδοχή όλων των σκοπών", "Απόρριψη όλων"),
    ("Hyväksy kaikki evästeet", "Hylkää"),
    ("Donaudampfschifffahrtsgesellschaft", "No"),
)


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("labels", LONG_LABELS, ids=lambda labels: labels[0])
def test_accept_and_reject_are_equally_large_and_in_one_row(
    show: Show, labels: tuple[str, str], width: int
) -> None:  # UI-02
    html = example().replace("Accept all</button>", f"{labels[0]}</button>")
    page = show(html.replace("Reject all</button>", f"{labels[1]}</button>"), width=width, height=800)
    page.locator(BUTTONS[0]).scroll_into_view_if_needed()
    accept, reject = (box(page, selector) for selector in BUTTONS)
    assert accept["y"] == reject["y"]
    assert (accept["width"], accept["height"]) == pytest.approx((reject["width"], reject["height"]), abs=0.5)
    assert accept["height"] >= 40
    assert page.evaluate(
        """selectors => selectors.every(one => { const button = document.querySelector(one);
            return button.scrollWidth <= button.clientWidth + 1 })""",
        list(BUTTONS),
    )


# What `layout` and `position` do to the banner on a wide screen: its left, top, right and bottom distances.
@pytest.mark.parametrize(
    ("layout", "position", "touches"),
    [
        ("bar", "bottom", {"left", "right", "bottom"}),
        ("bar", "top", {"left", "right", "top"}),
        ("card", "end", set()),
        ("card", "start", set()),
        ("dialog", "centre", set()),
    ],
)
def test_layouts_place_the_banner_and_never_block_the_page(
    show: Show, layout: str, position: str, touches: set[str]
) -> None:
    page = show(placed(layout, position), width=1280, height=900)
    banner = box(page, "#cookie-consent")
    distances = {
        "left": banner["x"],
        "top": banner["y"],
        "right": 1280 - banner["x"] - banner["width"],
        "bottom": 900 - banner["y"] - banner["height"],
    }
    assert {side for side, distance in distances.items() if distance < 1} == touches
    assert (distances["left"] < distances["right"]) == (position == "start")
    if layout == "dialog":
        assert distances["left"] == pytest.approx(distances["right"], abs=1)
        assert distances["top"] == pytest.approx(distances["bottom"], abs=1)
    assert page.evaluate("document.activeElement === document.body")
    hidden = page.evaluate(
        """() => [...document.querySelectorAll("main a")].filter(link => {
            link.focus();
            const place = link.getBoundingClientRect();
            return document.elementFromPoint(place.x + 2, place.y + place.height / 2)?.closest("#cookie-consent");
        }).length"""
    )
    assert hidden == 0  # AX-03
    assert page.locator(BUTTONS[1]).is_visible()


def test_phones_show_every_layout_at_the_edge(show: Show) -> None:
    for layout, position in (("card", "end"), ("dialog", "centre")):
        page = show(placed(layout, position), width=390, height=844)
        banner = box(page, "#cookie-consent")
        assert (banner["x"], banner["width"]) == (0, 390)
        assert banner["y"] + banner["height"] == pytest.approx(844, abs=1)


def test_the_buttons_of_a_bar_are_no_wider_on_a_tablet_than_on_a_phone(show: Show) -> None:
    page = show(example(), width=768, height=1024)
    assert max(box(page, button)["width"] for button in BUTTONS) <= 210


@pytest.mark.parametrize(("language", "font_size"), [("en", 100), ("nl", 100), ("en", 200), ("nl", 200)])
def test_close_covers_no_letter_of_the_title(show: Show, language: str, font_size: int) -> None:
    page = show(pages(EXAMPLE).preferences(view(consent(EXAMPLE), language)), width=320, height=568)
    covered = page.evaluate(
        """size => {
            document.documentElement.style.fontSize = `${size}%`;
            const dialog = document.createElement("dialog"), box = document.createElement("div");
            [dialog.className, box.className] = ["consent-page", "consent-main"];
            box.append(...document.querySelector("main").childNodes);
            dialog.append(box);
            document.body.append(dialog);
            const close = dialog.querySelector(".consent-close");
            close.hidden = false;
            dialog.showModal();
            const words = document.createRange(), button = close.firstElementChild.getBoundingClientRect();
            words.selectNodeContents(dialog.querySelector("h1"));
            return [...words.getClientRects()].some(word =>
                word.right > button.left && word.bottom > button.top && word.top < button.bottom);
        }""",
        font_size,
    )
    assert not covered
