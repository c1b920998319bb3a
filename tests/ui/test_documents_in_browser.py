"""Settings, cookie policy and placeholder in a browser: cards, folds, search, print, and the site's own outline."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markupsafe import Markup

from consentkit import load_policy
from consentkit.manager import Appearance
from consentkit.ui.embed_page import EmbeddedContent
from consentkit.ui.pages import Pages, View
from examples.running_magazine.magazine import HERE
from tests.support.told import consent, decision, pages, policy_of, rows, tree, view, words
from tests.support.walking import violations
from tests.ui.conftest import Show

if TYPE_CHECKING:
    from playwright.sync_api import Page

EXAMPLE = load_policy(HERE / "consent.toml")
PAGES = pages(EXAMPLE, handoff=["trailhead", "shoelab"])
UNDECIDED = consent(EXAMPLE)
GIVEN = consent(EXAMPLE, decision(EXAMPLE, frozenset({"analytical"}), {"criteo": True}))


def placeholder(shown: View, *, poster: str = "", framed: bool = True) -> str:
    return PAGES.embed(
        shown,
        EmbeddedContent(
            vendor="youtube",
            address="https://www.youtube-nocookie.com/embed/a",
            kind="video",
            title="Leg swings, the warm-up for the back of the thigh",
            poster=poster,
        ),
        again=lambda rendering: "/consent/embed/youtube",
        shown=False,
        framed=framed,
        script=Markup(""),
    )


def segments(page: "Page", name: str) -> list[str]:
    return page.locator(f'label:has([name="{name}"])').all_inner_texts()


# Settings


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_each_purpose_is_a_card_with_reject_and_accept_side_by_side(show: Show, width: int) -> None:
    page = show(PAGES.preferences(view(UNDECIDED)), width=width, height=844)
    assert page.locator("fieldset.consent-card").count() == len(EXAMPLE.categories)
    for category in EXAMPLE.consent_needed:
        boxes = [
            label.bounding_box()
            for label in page.locator(f'label:has([name="category.{category.id}"])').all()
        ]
        reject, accept = boxes
        assert reject and accept
        assert reject["y"] == accept["y"] and reject["x"] < accept["x"]
        assert (reject["width"], reject["height"]) == pytest.approx(
            (accept["width"], accept["height"]), abs=1.5
        )
        assert segments(page, f"category.{category.id}") == ["Reject", "Accept"]
    assert page.locator("input:checked").count() == 0  # UI-03


def test_saving_stays_in_reach(show: Show) -> None:
    page = show(PAGES.preferences(view(UNDECIDED)), width=390, height=844)
    save = page.locator("[value=save]")
    for top in (0, 300, 1000):
        page.evaluate(f"scrollTo(0, {top})")
        place = save.bounding_box()
        assert place and place["y"] + place["height"] <= 844
    # Nothing that has the focus lies under it (AX-03).
    page.evaluate("scrollTo(0, 0)")
    for _ in range(12):
        page.keyboard.press("Tab")
        covered = page.evaluate(
            """() => { const one = document.activeElement.getBoundingClientRect();
                const bar = document.querySelector(".consent-save").getBoundingClientRect();
                return !document.activeElement.closest(".consent-save") && one.top >= bar.top && one.bottom <= bar.bottom }"""
        )
        assert not covered


def test_a_third_party_can_go_back_to_the_answer_of_its_purpose(show: Show) -> None:  # UI-04
    page = show(PAGES.preferences(view(GIVEN)), width=390, height=844)
    assert page.locator("details[open]").count() == 1
    assert segments(page, "vendor.criteo") == ["As the purpose", "Reject", "Accept"]
    page.locator('[name="vendor.criteo"][value=""]').check()
    sent = page.evaluate(
        "new FormData(document.querySelector('.consent-save').closest('form')).getAll('vendor.criteo')"
    )
    assert sent == [""]


def test_what_is_new_or_changed_is_marked() -> None:
    old = policy_of(
        vendors=[row for row in rows("vendors", adhub={"profiling": False}) if row["id"] != "youtube"],
        trackers=[row for row in rows("trackers") if row.get("vendor") != "youtube"],
    )
    policy = policy_of()
    html = pages(policy).preferences(view(consent(policy, decision(old), earlier=(old,))))
    marked = {
        "".join(legend.itertext()).split(" ")[0].strip(): span.text
        for legend in tree(html).iter("legend")
        for span in legend.iter("span")
        if span.get("class") == "consent-mark"
    }
    assert marked == {"Tracking": "Changed", "AdHub": "Changed", "Social": "Changed", "YouTube": "New"}


# The cookie policy


@pytest.mark.parametrize("language", EXAMPLE.languages)
def test_the_folded_policy_is_at_most_six_screens_of_a_phone(show: Show, language: str) -> None:
    page = show(PAGES.policy(view(GIVEN, language)), width=390, height=844)
    assert page.evaluate("document.documentElement.scrollHeight") <= 6 * 844
    targets = page.locator(".consent-contents a").evaluate_all("links => links.map(link => link.hash)")
    assert len(targets) >= 6
    assert all(page.locator(target).count() == 1 for target in targets)


def test_print_unfolds_the_policy(show: Show) -> None:
    page = show(PAGES.policy(view(GIVEN)), width=1280, height=900)
    cell = page.locator("tbody th").first
    assert not cell.is_visible()
    page.emulate_media(media="print")
    hidden = page.locator("details:not([open])").evaluate_all(
        "folds => folds.filter(fold => fold.lastElementChild.getBoundingClientRect().height < 20).length"
    )
    assert hidden == 0
    assert not page.locator(".consent-search").is_visible()


def test_the_policy_is_searched_by_name(show: Show) -> None:
    page = show(PAGES.policy(view(GIVEN)), width=390, height=844)
    search = page.locator("#consent-search")
    search.fill("criteo")
    assert page.locator(".consent-row:visible").all_inner_texts()[0].startswith("Criteo")
    assert page.locator(".consent-row:visible").count() == 1
    search.fill("_ga")
    assert page.locator("tbody tr:visible").count() >= 1
    assert page.locator("output").inner_text() != ""
    search.fill("")
    assert page.locator(".consent-row:visible").count() == len(EXAMPLE.vendors)
    assert page.locator("details[open]").count() == 0


def test_a_link_to_a_third_party_unfolds_it(show: Show) -> None:
    page = show(PAGES.policy(view(GIVEN)), width=390, height=844)
    page.evaluate("location.hash = 'vendor-criteo'")
    page.locator("#vendor-criteo").wait_for()
    assert page.locator("#vendor-criteo").is_visible()


# The placeholder


@pytest.mark.parametrize(("width", "height"), [(288, 320), (358, 320), (700, 394)])
@pytest.mark.parametrize("poster", ["", "/static/poster.jpg"])
def test_the_placeholder_fits_its_frame(show: Show, width: int, height: int, poster: str) -> None:
    page = show(placeholder(view(UNDECIDED), poster=poster), width=width, height=height)
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    content = page.locator("main").bounding_box()
    assert content and content["height"] >= height * 0.35
    assert page.locator("h1").inner_text().startswith("Leg swings")
    assert page.locator("button:visible").all_inner_texts() == ["Play this video"]
    assert violations(page) == []


def test_outside_a_frame_the_placeholder_offers_to_allow_the_third_party() -> None:
    buttons = ["".join(b.itertext()) for b in tree(placeholder(view(UNDECIDED), framed=False)).iter("button")]
    assert buttons == ["Always allow YouTube"]


# Every document


def test_a_site_puts_the_documents_between_its_own_header_and_footer(tmp_path: Path) -> None:
    (tmp_path / "shell.html").write_text(
        '<!doctype html><html lang="{{ lang }}" dir="{{ dir }}"><head><title>{% block title %}{% endblock %}</title>'
        "{{ head }}</head><body><header>Stride</header>{% block consent %}{% endblock %}<footer>Us</footer></body></html>",
        "utf-8",
    )
    made = pages(EXAMPLE, templates=tmp_path)
    for html in (made.policy(view(GIVEN)), made.preferences(view(UNDECIDED)), made.error(view(GIVEN), 404)):
        body = tree(html).find("body")
        assert [child.tag for child in body] == ["header", "div", "footer"]
        assert words(html).startswith("Stride Back to Stride") and words(html).endswith("Us")


def test_the_logo_names_the_site() -> None:
    made = Pages(EXAMPLE, PAGES.notice, site="stride", appearance=Appearance(logo="/static/logo.svg"))
    (logo,) = tree(made.policy(view(GIVEN))).iter("img")
    assert (logo.get("src"), logo.get("alt")) == ("/static/logo.svg", "Stride")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_show_which_answer_is_chosen(show: Show, scheme: str) -> None:  # AX-05
    page = show(PAGES.preferences(view(GIVEN)), forced_colors="active", color_scheme=scheme)
    looks = page.locator("input[type=radio]").evaluate_all(
        "radios => radios.map(one => getComputedStyle(one).appearance)"
    )
    assert set(looks) == {"auto"}
    # The browser paints the page's colour behind the words, so that words of that colour would be lost.
    colours = page.locator(".consent-segments span, h1").evaluate_all(
        "words => words.map(one => getComputedStyle(one).color)"
    )
    assert len(set(colours)) == 1


def test_more_contrast_makes_quiet_text_and_lines_as_strong_as_the_text(show: Show) -> None:
    page = show(PAGES.preferences(view(GIVEN)))
    page.emulate_media(contrast="more")
    note, text, line = page.evaluate(
        """() => [getComputedStyle(document.querySelector(".consent-note")).color,
            getComputedStyle(document.querySelector("h1")).color,
            getComputedStyle(document.querySelector("fieldset.consent-card")).borderTopColor]"""
    )
    assert note == text == line
