"""Take pictures of other consent tools, as npm has them, with the content of the example magazine.

FOLDER has their packages in `node_modules`:

    cp tools/peers/c15t.jsx FOLDER && cd FOLDER
    npm i @c15t/react klaro orejime vanilla-cookieconsent govuk-frontend react react-dom esbuild
    npx esbuild c15t.jsx --bundle --minify --define:process.env.NODE_ENV='"production"' --outfile=c15t.bundle.js
    PYTHONPATH=. python tools/peers.py FOLDER
"""

import shutil
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser

from tests.support.browser import launched

PAGES = Path(__file__).parent / "peers"
SIZES = ((390, 844), (1280, 900))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Write no line for each request."""


def take(browser: Browser, address: str, peer: str, pictures: Path) -> None:
    """Take pictures of a peer's first and second layer at both sizes."""
    for width, height in SIZES:
        page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
        page.goto(f"{address}/{peer}.html", wait_until="networkidle")
        page.screenshot(path=pictures / f"{peer}-{width}-banner.png")
        if page.evaluate("typeof preferences == 'function'"):
            page.evaluate("void preferences()")
            page.wait_for_load_state("networkidle")
            # Their dialogs fade in; nothing tells when they are done.
            page.wait_for_timeout(1000)
            page.screenshot(path=pictures / f"{peer}-{width}-settings.png")
        page.close()


def main(folder: Path) -> None:
    """Copy the pages to the packages, serve both, and take the pictures into `folder/pictures`."""
    for path in PAGES.iterdir():
        shutil.copy(path, folder)
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    with launched() as browser:
        for page in sorted(PAGES.glob("*.html")):
            take(browser, f"http://127.0.0.1:{server.server_port}", page.stem, pictures)
    server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
