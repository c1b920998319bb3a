"""Take the documentation's pictures of the example magazine, once a page has changed its looks.

`PYTHONPATH=. python tools/pictures.py`; it needs Pillow, which nothing else here does.
"""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser

from examples.running_magazine.development import build
from tests.support.browser import launched
from tests.support.servers import serving

PICTURES = Path(__file__).parent.parent / "docs/pictures"
PORT = 8765
ADDRESS = f"http://localhost:{PORT}"


def take(browser: Browser, scheme: str) -> None:
    """Take all pictures in one colour scheme, `light` or `dark`."""
    context = browser.new_context(
        viewport={"width": 1000, "height": 760}, color_scheme=scheme, locale="en-GB", reduced_motion="reduce"
    )
    page = context.new_page()
    for name, path, shown in (
        ("banner", "/articles/hamstrings", "#cookie-consent"),
        ("preferences", "/consent", ".consent-choices"),
        ("policy", "/consent/policy", ".consent-contents"),
    ):
        page.goto(ADDRESS + path, wait_until="networkidle")
        page.wait_for_selector(shown)
        keep(page.screenshot(), PICTURES / f"{name}-{scheme}.png")
    page.goto(f"{ADDRESS}/articles/hamstrings")
    page.locator("#cookie-consent-reject-all").click()
    page.locator("#cookie-consent").wait_for(state="detached")
    keep(page.locator(".cookie-consent-embed iframe").first.screenshot(), PICTURES / f"embed-{scheme}.png")
    context.close()


def keep(picture: bytes, path: Path) -> None:
    """Keep a picture with 128 colours, which is a third of its size."""
    Image.open(BytesIO(picture)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


def main() -> None:
    """Take them in the light and in the dark."""
    with (
        TemporaryDirectory() as data,
        serving(build(Path(data), PORT)["stride"], port=PORT),
        launched() as browser,
    ):
        for scheme in ("light", "dark"):
            take(browser, scheme)


if __name__ == "__main__":
    main()
