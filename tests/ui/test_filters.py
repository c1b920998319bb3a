"""What content blockers hide. The list is that of "I don't care about cookies", as npm had it on 19 March 2026."""

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.npm import node_modules
from tests.ui.test_script import Site, make_site, site

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["make_site", "site"]

# Whether a rule hides an element, something in it, or something around it.
HITS = """([selectors, watched]) => selectors.filter(selector => {
  try {
    return [...document.querySelectorAll(selector)].some(hit => hit.matches(watched) || hit.querySelector(watched));
  } catch {
    return false;
  }
})"""
WAYS_OUT = (".site-privacy", ".site-privacy-settings", ".site-privacy-withdraw button")


@pytest.fixture(scope="module")
def blocker() -> str:
    return (node_modules() / "idcac-playwright/compiled.js").read_text("utf-8")


def hiding_selectors(blocker: str) -> list[str]:
    """Return the selectors of all rules that hide what has a certain class or id, whichever site they were made for."""
    rules = re.findall(r'": "((?:[^"\\\n]|\\.)*)"', blocker)
    found = [part for rule in rules for part in re.findall(r"([^{}]+)\{", rule.replace('\\"', '"'))]
    single = {selector.strip() for selectors in found for selector in selectors.split(",")}
    return sorted(selector for selector in single if re.search(r"[.#][a-z]", selector, re.IGNORECASE))


# WD-01, WD-02
def test_content_blocker_leaves_the_settings_link_and_the_withdrawal(
    site: Site, page: "Page", blocker: str
) -> None:
    page.goto(site.put(""))
    page.evaluate("consentkit.decide('accept_all')")
    expect(page.locator(".site-privacy-withdraw")).to_be_visible()
    selectors = hiding_selectors(blocker)
    assert len(selectors) > 5000 and "#cookie-consent" in selectors
    page.evaluate(blocker)
    for way_out in WAYS_OUT:
        assert page.evaluate(HITS, [selectors, way_out]) == []
        expect(page.locator(way_out)).to_be_visible()


@pytest.mark.parametrize("headers", [{}, {"cache_control": "public, max-age=600"}], ids=["private", "public"])
def test_banner_that_a_filter_hides_leaves_no_gap(site: Site, page: "Page", headers: dict[str, str]) -> None:
    page.set_viewport_size({"width": 800, "height": 800})
    page.goto(site.put("", **headers))
    expect(page.locator("#cookie-consent")).to_be_visible()
    space = "parseFloat(getComputedStyle(document.documentElement).paddingBottom)"
    height = page.evaluate("document.getElementById('cookie-consent').offsetHeight")
    assert abs(page.evaluate(space) - height) < 1
    # As a browser's filters do it: nothing in the document changes.
    page.evaluate(
        """() => { const filter = new CSSStyleSheet();
            filter.replaceSync("#cookie-consent { display: none !important }");
            document.adoptedStyleSheets = [filter] }"""
    )
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate(space) == 0
