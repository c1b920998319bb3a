"""Take pictures of every page of the example magazine in every state, to be looked at one by one.

`PYTHONPATH=. python tools/looks.py [PART]` writes to `.artifacts/looks`: at four widths, in the light and in the dark, with
text of the usual and of twice the usual size. With PART, only pictures whose names contain it.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page

from examples.running_magazine.development import build
from tests.support.browser import launched
from tests.support.servers import serving

PICTURES = Path(__file__).parent.parent / ".artifacts/looks"
PORT = 8765
ADDRESS = f"http://localhost:{PORT}"
SIZES = ((320, 568), (390, 844), (768, 1024), (1280, 900))
# Chromium paints nothing below this.
HIGHEST = 16000
ARTICLE = "/articles/hamstrings"


def nothing(page: Page) -> None:
    """Leave the visitor undecided."""


def reject(page: Page) -> None:
    """Reject everything in the banner."""
    page.goto(ADDRESS + ARTICLE)
    page.locator("#cookie-consent-reject-all").click()
    page.locator("#cookie-consent").wait_for(state="detached")


def accept_one(page: Page) -> None:
    """Accept one purpose, and one third party of another."""
    page.goto(f"{ADDRESS}/consent")
    page.locator('[name="category.analytical"][value=on]').check()
    page.locator("details:has([name='vendor.criteo'])").evaluate("fold => { fold.open = true }")
    page.locator('[name="vendor.criteo"][value=on]').check()
    page.locator("[value=save]").click()
    page.wait_for_load_state("networkidle")


def open_dialog(page: Page) -> None:
    """Open the settings in a dialog."""
    page.locator("a.cookie-consent-manage, .site-privacy-settings").first.click()
    page.locator("dialog.consent-page").wait_for()


def unfold(page: Page) -> None:
    """Unfold everything."""
    page.locator("details").evaluate_all("folds => folds.forEach(fold => { fold.open = true })")


def show_embed(page: Page) -> None:
    """Scroll to the first placeholder."""
    page.locator("figure iframe").first.scroll_into_view_if_needed()
    page.frame_locator("figure iframe").first.locator(".consent-main").wait_for()


def accept(page: Page) -> None:
    """Accept everything in the banner, which leaves the line that confirms it."""
    page.locator("#cookie-consent-accept-all").click()
    page.locator(".site-privacy-status dialog").wait_for()


# What is pictured: how the visitor comes to it, the address, what is done there, and whether the whole page is taken.
SIGHTS: dict[str, tuple[Callable[[Page], None], str, Callable[[Page], None], bool]] = {
    "banner": (nothing, ARTICLE, nothing, False),
    "dialog": (nothing, ARTICLE, open_dialog, False),
    "dialog-decided": (accept_one, ARTICLE, open_dialog, False),
    "status": (nothing, ARTICLE, accept, False),
    "settings-undecided": (nothing, "/consent", nothing, True),
    "settings-decided": (accept_one, "/consent", nothing, True),
    "policy": (accept_one, "/consent/policy", nothing, True),
    "policy-unfolded": (accept_one, "/consent/policy", unfold, True),
    "sites": (accept_one, "/consent/sites", nothing, True),
    "receipt": (accept_one, "/consent/receipt.html", nothing, True),
    "receipt-unfolded": (accept_one, "/consent/receipt.html", unfold, True),
    "missing": (nothing, "/consent/nowhere", nothing, True),
    "placeholder": (reject, ARTICLE, show_embed, False),
    "end-of-page": (accept_one, "/about", lambda page: page.evaluate("scrollTo(0, 1e6)"), False),
}


def variants() -> Iterator[tuple[int, int, str, int]]:
    """Yield width, height, colour scheme, and the size of the text in pixels."""
    for width, height in SIZES:
        for scheme in ("light", "dark"):
            for text in (16, 32):
                yield width, height, scheme, text


def take(browser: Browser, sight: str, width: int, height: int, scheme: str, text: int) -> None:
    """Take one picture, as a visitor who comes for the first time."""
    come, address, do, whole = SIGHTS[sight]
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="en-GB", reduced_motion="reduce"
    )
    page = context.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    session = context.new_cdp_session(page)
    session.send("Page.setFontSizes", {"fontSizes": {"standard": text}})
    come(page)
    page.goto(ADDRESS + address, wait_until="networkidle")
    do(page)
    if whole:
        # Playwright's own pictures of whole pages are back at the usual size of text.
        page.set_viewport_size(
            {"width": width, "height": min(page.evaluate("document.documentElement.scrollHeight"), HIGHEST)}
        )
        session.send("Page.setFontSizes", {"fontSizes": {"standard": text}})
    page.screenshot(path=PICTURES / f"{sight}-{width}-{scheme}-{text * 100 // 16}.png")
    context.close()


def main(part: str = "") -> None:
    """Take all pictures whose names contain a part."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as data,
        serving(build(Path(data), PORT)["stride"], port=PORT),
        launched() as browser,
    ):
        for sight in SIGHTS:
            for width, height, scheme, text in variants():
                if part in f"{sight}-{width}-{scheme}-{text * 100 // 16}":
                    take(browser, sight, width, height, scheme, text)


if __name__ == "__main__":
    main(*sys.argv[1:])
