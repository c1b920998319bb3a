"""Libraries that swap pages without loading them: banner, settings, withdrawal and gates work as with full loads."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from consentkit import ConsentManager
from consentkit.asgi import ConsentMiddleware
from tests.support.browser import until
from tests.support.front import KEY, a_policy
from tests.support.npm import node_modules
from tests.support.servers import free_port, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Of each library: the file in npm's packages, what its site has in the head, and the attributes of the body.
LIBRARIES = {
    "htmx": ("htmx.org/dist/htmx.min.js", "", "hx-boost=true"),
    "turbo": ("@hotwired/turbo/dist/turbo.es2017-umd.js", "", ""),
    "unpoly": (
        "unpoly/unpoly.min.js",
        '<script>up.link.config.followSelectors.push("a[href]"); up.form.config.submitSelectors.push("form")</script>',
        "",
    ),
    "swup": (
        "swup/dist/Swup.umd.js",
        "<script defer>addEventListener('DOMContentLoaded', () => new Swup())</script>",
        "",
    ),
}
PAGE = """<!doctype html><html lang=en><head><title>{name}</title>
<script src="/library"></script>{head}<script>window.ran ??= []; window.loads = (window.loads || 0) + 1</script></head>
<body {body}><nav><a href="/one">One</a> <a href="/two">Two</a> <a href="/shared">Shared</a></nav>
<main id=swup class=transition-main><h1>{name}</h1>
<script type="text/plain" data-category="analytical">window.ran.push("{name}")</script>
<template data-category="social"><p class=gated>of {name}</p></template>
</main></body></html>"""
MATERIAL = "mkdocs-material"
NAMES = ("one", "two", "shared")
# Material runs inline scripts of articles whatever their type, so they wait in a template.
ARTICLE = """# {name}

<template data-category="analytical"><script>window.ran.push("{name}")</script></template>
<template data-category="social"><p class=gated>of {name}</p></template>
"""
BANNER = "#cookie-consent"
SETTINGS = "a.site-privacy-settings"


def headers_of(name: str) -> dict[str, str]:
    return {"cache-control": "public, max-age=60"} if name == "shared" else {}


def pages_with(library: str) -> Starlette:
    """Make a site whose pages load a library of npm's."""
    file, head, body = LIBRARIES[library]
    path: Path = node_modules() / file

    async def page(request: Request) -> Response:
        name = request.path_params["name"]
        return HTMLResponse(PAGE.format(name=name, head=head, body=body), headers=headers_of(name))

    async def script(request: Request) -> Response:
        return FileResponse(path)

    return Starlette(routes=[Route("/library", script), Route("/{name}", page)])


def material_site(folder: Path, origin: str) -> Starlette:
    """Build a site with MkDocs and Material, which follows links to pages of its sitemap."""
    settings = {
        "site_name": "Run",
        "site_url": f"{origin}/",
        "theme": {"name": "material", "font": False, "features": ["navigation.instant"]},
        "plugins": [],
        "extra_javascript": ["ran.js"],
        "nav": [{name.title(): f"{name}.md"} for name in NAMES],
    }
    (folder / "docs").mkdir()
    (folder / "mkdocs.yml").write_text(json.dumps(settings), "utf-8")
    (folder / "docs/ran.js").write_text("window.ran ??= []; window.loads = (window.loads || 0) + 1", "utf-8")
    for name in NAMES:
        (folder / f"docs/{name}.md").write_text(ARTICLE.format(name=name), "utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)

    async def page(request: Request) -> Response:
        name = request.url.path.strip("/")
        return HTMLResponse((folder / f"site/{name}/index.html").read_bytes(), headers=headers_of(name))

    files = Mount("/", StaticFiles(directory=folder / "site"))
    pages = (Route(f"/{name}{end}", page, name=name) for name in NAMES for end in ("", "/"))
    return Starlette(routes=[*pages, files])


@pytest.fixture(scope="module", params=[*LIBRARIES, MATERIAL])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a site with one of the libraries."""
    port, folder = free_port(), tmp_path_factory.mktemp("navigation")
    origin = f"http://stride.localhost:{port}"
    manager = ConsentManager(
        a_policy(),
        secret_key=KEY,
        ledger=f"sqlite:///{folder / 'consent.db'}",
        site="stride",
        origins={"stride": origin},
    )
    app = material_site(folder, origin) if request.param == MATERIAL else pages_with(request.param)
    with serving(ConsentMiddleware(app, manager), port=port):
        yield origin
    manager.close()


def go(page: "Page", name: str) -> None:
    """Follow a link of the site's own, which must not load the page."""
    page.click(f"nav >> text={name.title()}")
    expect(page.locator("h1")).to_have_text(name)
    assert page.evaluate("window.loads") == 1


def ran(page: "Page") -> list[str]:
    return list(page.evaluate("window.ran"))


def accept(page: "Page") -> None:
    page.click("#cookie-consent-accept-all")
    expect(page.locator(BANNER)).to_have_count(0)


def test_banner_stays_until_it_is_answered_and_each_gate_runs_once(site: str, page: "Page") -> None:
    page.goto(f"{site}/one")
    expect(page.locator(BANNER)).to_have_count(1)
    go(page, "two")
    expect(page.locator(BANNER)).to_have_count(1)
    expect(page.locator(SETTINGS)).to_have_count(1)
    assert ran(page) == []
    accept(page)
    expect(page.locator("p.gated")).to_have_text("of two")
    assert ran(page) == ["two"]
    expect(page.locator(".site-privacy-status")).to_contain_text("accepted")
    go(page, "one")
    expect(page.locator("p.gated")).to_have_text("of one")
    until(page, "window.ran.length > 1")
    expect(page.locator(BANNER)).to_have_count(0)
    go(page, "two")
    expect(page.locator("p.gated")).to_have_text("of two")
    until(page, "window.ran.length > 2")
    assert ran(page) == ["two", "one", "two"]


def test_answered_banner_does_not_come_back_from_the_history(site: str, page: "Page") -> None:
    page.goto(f"{site}/one")
    go(page, "two")
    accept(page)
    expect(page.locator("p.gated")).to_have_text("of two")
    page.go_back()
    expect(page.locator("h1")).to_have_text("one")
    expect(page.locator("p.gated")).to_have_text("of one")
    expect(page.locator(BANNER)).to_have_count(0)
    until(page, "window.ran.length > 1")
    page.go_forward()
    expect(page.locator("h1")).to_have_text("two")
    expect(page.locator("p.gated")).to_have_count(1)
    expect(page.locator(BANNER)).to_have_count(0)
    assert page.evaluate("window.loads") == 1
    assert ran(page) == ["two", "one", "two"]


def test_settings_open_and_withdrawal_takes_everything_back_after_a_navigation(
    site: str, page: "Page"
) -> None:
    page.goto(f"{site}/one")
    accept(page)
    go(page, "two")
    page.click(SETTINGS)
    expect(page.locator("dialog.consent-page")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.consent-page")).to_have_count(0)
    page.click(".site-privacy-withdraw button")
    page.wait_for_load_state()
    until(page, "window.ran?.length == 0 && !document.querySelector('p.gated')")
    expect(page.locator(".site-privacy-status")).to_contain_text("withdr")
    expect(page.locator(BANNER)).to_have_count(0)
    page.go_back()
    expect(page.locator("h1")).to_have_text("one")
    expect(page.locator("p.gated")).to_have_count(0)
    assert ran(page) == []


def test_cookie_policy_is_loaded_with_its_own_style(site: str, page: "Page") -> None:
    page.goto(f"{site}/one")
    go(page, "two")
    page.click(f"{BANNER} a[href*='/consent/policy']")
    expect(page).to_have_url(re.compile(f"{site}/consent/policy"))
    assert page.locator("link[rel=stylesheet][href*='/consent/assets/']").count() == 1
    page.go_back()
    expect(page.locator("h1")).to_have_text("two")
    expect(page.locator(BANNER)).to_have_count(1)


def test_page_of_a_shared_cache_has_the_banner_too(site: str, page: "Page") -> None:
    page.goto(f"{site}/one")
    go(page, "shared")
    expect(page.locator(BANNER)).to_have_count(1)
    accept(page)
    expect(page.locator("p.gated")).to_have_text("of shared")
    page.goto(f"{site}/shared")
    expect(page.locator("p.gated")).to_have_text("of shared")
    go(page, "two")
    expect(page.locator("p.gated")).to_have_text("of two")
    until(page, "window.ran.length > 1")
    assert ran(page) == ["shared", "two"]
