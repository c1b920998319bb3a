"""A Chromium that takes pictures of pages, without a network and without scripts. It needs the extra `consentkit[report]`."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from consentkit.errors import ConfigurationError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["VARIABLE", "ChromiumCamera", "camera"]

VARIABLE: Final = "CONSENTKIT_CHROMIUM"
"""The environment variable with the path of the browser."""
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
)
_HEIGHTS: Final = {390: 844}
_HEIGHT: Final = 800
# Chromium paints no more into one picture.
_TALLEST: Final = 16_000
_TIMEOUT: Final = 30_000
# What stays in view while visitors scroll would cover a part of a picture of the whole page.
_STILL: Final = ".consent-save, .consent-close { position: static !important }"


class ChromiumCamera:
    """A browser that runs.

    Attributes:
        version: name and version of the browser.
    """

    def __init__(self, browser: "Browser") -> None:
        self._browser = browser
        self._context: BrowserContext | None = None
        self.version = f"Chromium {browser.version}"

    def picture(self, html: str, width: int) -> bytes | None:
        """Return a page as PNG, as wide as a window; None if the browser failed."""
        from playwright.sync_api import Error

        try:
            with self._page(html, width) as page:
                height = page.evaluate("document.documentElement.scrollHeight")
                if height <= _TALLEST:
                    return page.screenshot(full_page=True, style=_STILL)
                return page.screenshot(
                    full_page=True, style=_STILL, clip={"x": 0, "y": 0, "width": width, "height": _TALLEST}
                )
        except Error:
            return None

    def pdf(self, html: str) -> bytes | None:
        """Return a page as PDF; None if the browser failed."""
        from playwright.sync_api import Error

        try:
            with self._page(html, 1280) as page:
                return page.pdf(
                    format="A4",
                    tagged=True,
                    margin={"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
                )
        except Error:
            return None

    @contextmanager
    def _page(self, html: str, width: int) -> Iterator["Page"]:
        """Open a page in a context that other pages use too, because a new one takes longer than a picture."""
        if self._context is None:
            self._context = self._browser.new_context(
                java_script_enabled=False, offline=True, accept_downloads=False
            )
            self._context.set_default_timeout(_TIMEOUT)
            self._context.route("**/*", lambda route: route.abort())
        page = self._context.new_page()
        try:
            page.set_viewport_size({"width": width, "height": _HEIGHTS.get(width, _HEIGHT)})
            page.set_content(html)
            yield page
        finally:
            page.close()


@contextmanager
def camera() -> Iterator[ChromiumCamera]:
    """Run a Chromium until the context ends.

    Raises:
        ConfigurationError: there is none, or the extra is missing.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise ConfigurationError(
            "pictures need an extra. Install it: pip install 'consentkit[report]'."
        ) from None
    path = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, _NAMES)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=path,
                args=list(_ARGUMENTS),
                # Chromium refuses to run as root with its sandbox.
                chromium_sandbox=os.geteuid() != 0,
            )
        except Error as error:
            raise ConfigurationError(
                f"no browser could be started. Install Chromium, or set {VARIABLE} to its path. "
                f"{str(error).splitlines()[0]}"
            ) from None
        try:
            yield ChromiumCamera(browser)
        finally:
            browser.close()
