"""The ways of three visitors through every choice: one without JavaScript, one with a keyboard, and one who hears the page.

They find what they need by role and name alone, as the accessibility tree has them.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.walking import open_as_visitor

if TYPE_CHECKING:
    from playwright.sync_api import Locator

HEARD = Path(__file__).parents[2] / ".artifacts" / "ways"
ARTICLE = "/articles/hamstrings"
MOST_STOPS = 150
"""Tab stops after which something counts as out of reach."""
ALL_SITES = "Use this choice on all our sites"


class Visitor:
    """A visitor without JavaScript, who points and clicks."""

    javascript = False

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, target: "Locator") -> None:
        """Press a button, a link or what can be unfolded."""
        target.click()

    def choose(self, radio: "Locator") -> None:
        """Take one of several answers."""
        radio.check()

    def hear(self, step: str, *parts: str) -> None:
        """Take in what the page is after a step, and the parts that have to be in it."""


class Typist(Visitor):
    """A visitor who has a keyboard and no pointer."""

    javascript = True

    def press(self, target: "Locator") -> None:
        self._reach(target)
        self.page.keyboard.press("Enter")

    def choose(self, radio: "Locator") -> None:
        group = radio.locator("xpath=ancestor::fieldset[1]").get_by_role("radio")
        name = radio.get_attribute("name")
        self._reach(radio, f"document.activeElement.name === {name!r}")
        for _ in range(group.count()):
            if radio.is_checked():
                return
            self.page.keyboard.press("Space" if _focused(radio) else "ArrowDown")
        expect(radio).to_be_checked()

    def _reach(self, target: "Locator", reached: str = "one === document.activeElement") -> None:
        expect(target).to_be_visible()
        for _ in range(MOST_STOPS):
            if _focused(target, reached):
                break
            self.page.keyboard.press("Tab")
        else:
            raise AssertionError(f"{target} cannot be reached with the keyboard.")
        outline = target.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or target.page.evaluate("document.activeElement.tagName") == "IFRAME"


def _focused(target: "Locator", reached: str = "one === document.activeElement") -> bool:
    return bool(target.evaluate(f"one => document.hasFocus() && ({reached})"))


class Listener(Typist):
    """A visitor who hears the page. What it says after each step is kept in .artifacts/ways."""

    steps = 0

    def hear(self, step: str, *parts: str) -> None:
        self.steps += 1
        HEARD.mkdir(parents=True, exist_ok=True)
        for part in parts:
            role, words = _role_and_words(part)
            with_it = self.page.get_by_role(role).filter(has_text=words)
            expect(with_it.or_(self.page.get_by_role(role, name=words)).first).to_be_attached()
        tree = self.page.locator("body").aria_snapshot()
        (HEARD / f"{self.steps}-{step}.yaml").write_text(tree, "utf-8")
        for part in parts:
            role, words = _role_and_words(part)
            assert f"- {role}" in tree and words in tree, f"{step}:\n{tree}"


def _role_and_words(part: str) -> tuple[Any, str]:
    role, _, words = part.partition(" ")
    return role, words


def decision(page: Page, origin: str) -> Any:
    """Ask a site for the visitor's choice."""
    other = page.context.new_page()
    other.goto(f"{origin}/consent/decision")
    told = json.loads(other.locator("body").inner_text())
    other.close()
    return told


# AX-01, AX-02, AX-03, UI-10, WD-01, XS-03
@pytest.mark.parametrize("way", [Visitor, Typist, Listener], ids=["no-scripts", "keyboard", "hearing"])
def test_a_visitor_makes_every_choice(
    sites: dict[str, str], new_page: Callable[..., Page], way: type[Visitor]
) -> None:
    page = open_as_visitor(
        new_page, sites["stride"], "en", "undecided", javascript=way.javascript, base_url=sites["stride"]
    )
    visitor = way(page)

    def button(name: str) -> "Locator":
        return page.get_by_role("button", name=name, exact=True)

    def confirmed(step: str) -> None:
        """Take in the confirmation, which lies over the end of the page, and close it."""
        visitor.hear(step, "status Cookie settings")
        visitor.press(button("Close"))
        expect(button("Close")).to_have_count(0)

    def save(step: str) -> None:
        visitor.press(button("Save my choices"))
        expect(button("Save my choices")).to_have_count(0)
        confirmed(step)

    def open_settings() -> None:
        visitor.press(page.get_by_role("link", name="Cookie settings", exact=True).first)
        expect(button("Save my choices")).to_be_visible()

    page.goto(f"{sites['trailhead']}/")
    visitor.press(button("Accept all"))
    expect(button("Accept all")).to_have_count(0)

    page.goto(ARTICLE)
    visitor.hear("asked", "button Reject all", "region Cookie")
    visitor.press(button("Reject all"))
    expect(button("Reject all")).to_have_count(0)
    confirmed("refused")
    assert decision(page, sites["stride"])["status"] == "refused"

    open_settings()
    visitor.hear("settings", "group Analytical", "radio ")
    purpose = page.get_by_role("group", name="Analytical")
    visitor.choose(purpose.get_by_role("radio", name="Accept", exact=True).first)
    save("one purpose")
    assert [name for name, given in decision(page, sites["stride"])["categories"].items() if given] == [
        "functional",
        "analytical",
    ]

    open_settings()
    visitor.press(page.get_by_role("group", name="Analytical").get_by_text("3 third parties"))
    party = page.get_by_role("group", name="Matomo Cloud")
    visitor.choose(party.get_by_role("radio", name="Reject", exact=True))
    save("one third party")
    vendors = decision(page, sites["stride"])["vendors"]
    assert (vendors["matomo"], vendors["google-analytics"]) == (False, True)

    # A frame far below the window does not load before somebody comes near.
    page.locator("iframe").first.scroll_into_view_if_needed()
    frame = page.locator("iframe").first.content_frame
    visitor.press(frame.get_by_role("button", name=re.compile("once|this video")))
    expect(frame.locator("iframe[src^='https://www.youtube-nocookie.com/embed/']")).to_be_attached()
    visitor.hear("video")
    assert decision(page, sites["stride"])["vendors"]["youtube"] is False

    visitor.press(button("Withdraw consent").last)
    expect(button("Withdraw consent")).to_have_count(0)
    confirmed("withdrawn")
    assert decision(page, sites["stride"])["status"] == "withdrawn"

    open_settings()
    visitor.press(button(ALL_SITES))
    counts = "Your choice now also counts on "
    expect(page.get_by_role("status").filter(has_text=counts)).to_be_visible()
    visitor.hear("all sites", f"status {counts}")
    there = decision(page, sites["trailhead"])
    assert [name for name, given in there["categories"].items() if given] == ["functional"]
