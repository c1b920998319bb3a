"""Find a Chromium that runs. As a program: print where it is, or fail."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root there is no sandbox to be had; and a test must not be disturbed by what a browser does for itself.
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
    """Return the first Chromium on the search path that tells its version; a mere stub does not."""
    for name in NAMES:
        found = shutil.which(name)
        if found and _runs(found):
            return found
    return None


def _runs(program: str) -> bool:
    try:
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0 and "Chrom" in told.stdout


def playwrights_own() -> str | None:
    """Return the Chromium that Playwright installed for itself, if it did."""
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return str(path) if path.exists() else None


@contextmanager
def launched(*arguments: str) -> Iterator[Browser]:
    """Run a headless Chromium, with more arguments, for as long as the context lasts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    place = installed() or playwrights_own()
    if place is None:
        sys.exit(1)
    print(place)


def until(page: Page, condition: str) -> None:
    """Wait until an expression holds, or what it promises, in the page or in one that takes its place; 20 seconds at the most.

    Playwright's own `wait_for_function` takes a promise for true, and asks by `eval`, which a strict policy forbids.
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
    raise AssertionError(f"The page is left again and again before this holds: {condition}")
