from html.parser import HTMLParser
from typing import TYPE_CHECKING

from consentkit.proof import VisitorHistory, as_page
from tests.support.records import NOON
from tests.support.walking import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_the_page_escapes_everything_and_frames_the_words(history: VisitorHistory) -> None:
    page = "".join(as_page(history, NOON))
    elements = Elements()
    elements.feed(page)
    assert "script" not in elements.tags and elements.tags.count("iframe") == 1
    assert "<iframe sandbox srcdoc=" in page and "Mag dat?\n" in page
    assert "Nothing is recorded" in "".join(as_page(VisitorHistory("x", ("x",), (), (), {}, {}), NOON))


def test_the_page_is_accessible_shows_the_words_and_runs_nothing(
    history: VisitorHistory, page: "Page"
) -> None:
    page.set_content("".join(as_page(history, NOON)))
    assert page.title() == "Records of consent of b"
    assert page.frame_locator("iframe").get_by_text("Mag dat?").is_visible()
    assert page.get_by_role("heading", name="What was decided").is_visible()
    assert violations(page) == []
