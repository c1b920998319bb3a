"""Take pictures of other consent tools, as npm has them, with the content of the example magazine, next to ours.

FOLDER has their packages in `node_modules`:

    tools/npm requirements/peers FOLDER
    cp tools/peers/c15t.jsx FOLDER && cd FOLDER
    npx esbuild c15t.jsx --bundle --minify --define:process.env.NODE_ENV='"production"' --outfile=c15t.bundle.js
    PYTHONPATH=. python tools/peers.py FOLDER

Each picture is in `FOLDER/pictures`; side by side they are in `docs/pictures`.
"""

import base64
import shutil
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser

from consentkit import load_policy
from consentkit.ui.assets import served_assets
from examples.running_magazine.magazine import HERE
from tests.support.browser import launched
from tests.support.told import consent, pages, view

PAGES = Path(__file__).parent / "peers"
DOCS = Path(__file__).parent.parent / "docs/pictures"
SIZES = ((390, 844), (1280, 900))
OURS = "consentkit"
PEERS = (OURS, "c15t", "vanilla-cookieconsent", "klaro", "orejime", "govuk-frontend")
# Name in `docs/pictures`, width of the window, layer, pictures in a row, and width of each.
SHEETS = (
    ("peers-phone", 390, "banner", 6, 234),
    ("peers-desktop", 1280, "banner", 2, 640),
    ("peers-settings", 390, "settings", 5, 273),
)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Write no line for each request."""


def write_ours(folder: Path) -> None:
    """Write our banner in the page of the peers, and our settings with their style sheet."""
    policy = load_policy(HERE / "consent.toml")
    made, shown = pages(policy), view(consent(policy))
    page = (folder / "klaro.html").read_text("utf-8")
    article = page[page.index("<main>") : page.index("</main>")] + "</main>"
    (folder / f"{OURS}.html").write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{made.head(shown)}'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{OURS}</title>'
        f'<link rel="stylesheet" href="page.css"></head><body>{made.banner(shown)}{article}</body></html>',
        "utf-8",
    )
    font = """<style>:root { --consent-font: "Liberation Sans", Arial, sans-serif }</style></head>"""
    settings = made.preferences(shown).replace("</head>", font)
    (folder / f"{OURS}-settings.html").write_text(settings, "utf-8")
    assets = folder / "consent/assets"
    assets.mkdir(parents=True, exist_ok=True)
    for name, (_, content) in served_assets().items():
        (assets / name).write_bytes(content)


def take(browser: Browser, address: str, peer: str, pictures: Path) -> None:
    """Take pictures of a peer's first and second layer at both sizes."""
    for width, height in SIZES:
        page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
        page.goto(f"{address}/{peer}.html", wait_until="networkidle")
        page.screenshot(path=pictures / f"{peer}-{width}-banner.png")
        if peer == OURS:
            page.goto(f"{address}/{peer}-settings.html", wait_until="networkidle")
            page.screenshot(path=pictures / f"{peer}-{width}-settings.png")
        elif page.evaluate("typeof preferences == 'function'"):
            page.evaluate("void preferences()")
            page.wait_for_load_state("networkidle")
            # Their dialogs fade in; nothing tells when they are done.
            page.wait_for_timeout(1000)
            page.screenshot(path=pictures / f"{peer}-{width}-settings.png")
        page.close()


def lay_side_by_side(browser: Browser, address: str, pictures: Path) -> None:
    """Lay the pictures side by side, each with a name, for the documentation."""
    for name, window, layer, columns, width in SHEETS:
        figures = "".join(
            f'<figure><img src="{address}/pictures/{path.name}" width="{width}"><figcaption>{peer}</figcaption></figure>'
            for peer in PEERS
            if (path := pictures / f"{peer}-{window}-{layer}.png").exists()
        )
        whole = columns * (width + 16) + 16
        page = browser.new_page(viewport={"width": whole, "height": 100})
        page.set_content(
            "<style>body { margin: 0; padding: 16px; display: grid; gap: 16px; background: #cbd5e1; font: 16px sans-serif;"
            f"grid-template-columns: repeat({columns}, {width}px) }} figure {{ margin: 0 }} img {{ display: block }}"
            f"figcaption {{ padding-top: 6px; text-align: center }}</style>{figures}"
        )
        page.wait_for_load_state("networkidle")
        page.set_viewport_size(
            {"width": whole, "height": page.evaluate("document.documentElement.scrollHeight")}
        )
        shot = page.context.new_cdp_session(page).send(
            "Page.captureScreenshot", {"format": "webp", "quality": 50}
        )
        (DOCS / f"{name}.webp").write_bytes(base64.b64decode(shot["data"]))
        page.close()


def main(folder: Path) -> None:
    """Copy the pages to the packages, serve both, and take the pictures into `folder/pictures`."""
    for path in PAGES.iterdir():
        shutil.copy(path, folder)
    write_ours(folder)
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    with launched() as browser:
        for peer in PEERS:
            take(browser, address, peer, pictures)
        lay_side_by_side(browser, address, pictures)
    server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
