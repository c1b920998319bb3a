"""Find and start a Chromium. As a program: print its path, or fail."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Root has no sandbox, and the browser's own requests would disturb the tests.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def installed() -> str | None:
    """Return the first Chromium on the search path that prints its version, which a stub does not."""
    for name in NAMES:
        path = shutil.which(name)
        if path and _runs(path):
            return path
    return None


def _runs(program: str) -> bool:
    try:
        version = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return version.returncode == 0 and "Chrom" in version.stdout


def playwrights_own() -> str | None:
    """Return the path of the Chromium that Playwright installed, or None."""
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return str(path) if path.exists() else None


@contextmanager
def launched(*arguments: str) -> Iterator[Browser]:
    """Run a headless Chromium with more arguments until the context ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    chromium = installed() or playwrights_own()
    if chromium is None:
        sys.exit(1)
    print(chromium)


def until(page: Page, condition: str) -> None:
    """Wait at most 20 seconds until an expression, or its promise, is true in the page or in one that replaces it.

    Playwright's `wait_for_function` takes a promise for true, and uses `eval`, which a strict policy forbids.
    """
    asking = """async () => {
        for (const end = Date.now() + 20000; Date.now() < end; await new Promise(go => setTimeout(go, 20)))
            if (await (%s)) return true;
        return false;
    }"""
    for _ in range(4):
        try:
            assert page.evaluate(asking % condition), condition
        except Error as error:
            if "context was destroyed" not in str(error):
                raise
            page.wait_for_load_state()
        else:
            return
    raise AssertionError(f"The page kept navigating before this was true: {condition}")
