"""The pages of the sister sites, and what has no address of its own: dialog, placeholder, confirmation, forms."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.walking import (
    LANGUAGES,
    SCHEMES,
    WIDTHS,
    Walk,
    article_paths,
    check_accessibility,
    check_layout,
    go_to,
    open_as_visitor,
    open_details,
    other_paths,
    resize,
    take_picture,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

NewPage = Callable[..., "Page"]
WALK = Walk()
SIGHTS = [(width, scheme) for scheme in SCHEMES for width in WIDTHS]


# AX-01, AX-05, AX-06, IN-07
@pytest.mark.parametrize(
    ("site", "language", "state"),
    [
        ("trailhead", "en", "refused"),
        ("trailhead", "nl", "undecided"),
        ("shoelab", "en", "granted"),
        ("shoelab", "nl", "withdrawn"),
    ],
)
def test_every_page_of_the_sister_sites_fits_and_is_accessible(
    sites: dict[str, str], new_page: NewPage, site: str, language: str, state: str
) -> None:
    page = open_as_visitor(new_page, sites[site], language, state)
    WALK.check(page, sites[site], [*article_paths(site), *other_paths(site)], site, language, state)


def _check_at_every_width(page: "Page", what: str, language: str) -> None:
    page.wait_for_load_state("load")  # with its style sheets
    for width in WIDTHS:
        resize(page, width)
        check_layout(page, f"{what}, {language}, {width} px")
    turn = (len(what) + LANGUAGES.index(language)) % len(SIGHTS)
    width, scheme = SIGHTS[turn]
    resize(page, width)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    check_accessibility(page, f"{what}, {language}, {width} px, {scheme}")
    take_picture(page, "between", what, language, width, scheme)


# AX-01, AX-05, AX-06, IN-07
@pytest.mark.parametrize("language", LANGUAGES)
def test_dialog_placeholder_forms_and_confirmation_fit_and_are_accessible(
    sites: dict[str, str], new_page: NewPage, language: str
) -> None:
    page = open_as_visitor(new_page, sites["stride"], language, "undecided")
    go_to(page, sites["stride"] + "/articles/hamstrings", language)
    page.locator(".cookie-consent-manage").click()
    page.locator("dialog.consent-page").wait_for()
    open_details(page)
    _check_at_every_width(page, "dialog", language)
    box, text, accept, reject = (
        page.locator(f"dialog.consent-page{inner}").first.bounding_box()
        for inner in ("", " p", " [value=accept_all]", " [value=reject_all]")
    )
    assert box and text and accept and reject
    assert text["x"] >= box["x"] + 16
    assert (accept["width"], accept["height"]) == (reject["width"], reject["height"])
    page.keyboard.press("Escape")
    placeholder = page.locator(".cookie-consent-embed iframe").first.get_attribute("src")
    go_to(page, sites["stride"] + str(placeholder), language)
    _check_at_every_width(page, "placeholder", language)

    page = open_as_visitor(new_page, sites["stride"], language, "granted")
    go_to(page, sites["stride"] + "/articles/cadence", language)
    page.locator('.text-size button[aria-pressed="false"]').click()
    page.locator(".piece-large").wait_for()
    _check_at_every_width(page, "large letters", language)
    said = f"{language}: " + "Wind mee. " * 9 + "ö" * 200
    for text, after in ((" ", "[role=alert]"), (said, f".comment-text:has-text('{language}:')")):
        page.locator("[name=name]").fill("J. de Vries")
        page.locator("[name=text]").fill(text)
        page.locator(".form button").click()
        page.locator(after).wait_for()
        _check_at_every_width(page, "comment" if text == said else "comment refused", language)
    go_to(page, sites["trailhead"] + "/", language)
    page.locator("a[href*='handoff/start?iss=stride']").first.click()
    page.locator(".site-privacy-status dialog").wait_for()
    _check_at_every_width(page, "confirmation", language)


def test_git_ignores_the_pictures() -> None:
    assert ".artifacts/" in (Path(__file__).parents[2] / ".gitignore").read_text("utf-8").splitlines()
