import pytest
from markupsafe import Markup

from consentkit.ui.embed_page import EmbeddedContent
from tests.support.by_place import Seen, at
from tests.support.told import POLICY, decided, pages, tree, undecided, view

VIDEO = "https://www.youtube-nocookie.com/embed/M7lc1UVf-VE"


def page(content: EmbeddedContent, *, shown: bool) -> str:
    seen = view(decided() if shown else undecided())
    return pages(POLICY).embed(
        seen,
        content,
        again=lambda words: f"/again?r={words}",
        shown=shown,
        framed=True,
        script=Markup('<script src="/consent.js"></script>'),
    )


def test_a_placeholder_has_title_picture_and_the_button_of_its_kind() -> None:  # LB-10
    content = EmbeddedContent(
        vendor="youtube", address=VIDEO, kind="video", title="Leg swings", poster="/static/legs.jpg"
    )
    made = tree(page(content, shown=False))
    assert [frame.get("src") for frame in made.iter("iframe")] == []
    assert ["".join(title.itertext()) for title in made.iter("h1")] == ["Leg swings"]
    assert [image.get("src") for image in made.iter("img")] == ["/static/legs.jpg"]
    assert "Play this video" in ["".join(button.itertext()).strip() for button in made.iter("button")]


@pytest.mark.parametrize("kind", ["", "anything", "<script>"])
def test_an_unknown_kind_counts_as_content_and_a_missing_title_as_the_name(kind: str) -> None:
    html = page(EmbeddedContent(vendor="youtube", address=VIDEO, kind=kind), shown=False)
    assert "Show this content" in html and "<script>" not in html
    assert ["".join(title.itertext()) for title in tree(html).iter("h1")] == ["YouTube"]


def test_the_vendors_frame_has_the_title_of_its_content() -> None:
    html = page(EmbeddedContent(vendor="youtube", address=VIDEO, title="Leg swings"), shown=True)
    (frame,) = tree(html).iter("iframe")
    assert (frame.get("src"), frame.get("title")) == (VIDEO, "Leg swings")


# A browser would else ask for /favicon.ico, outside of the place where the application is mounted.
@pytest.mark.parametrize("shown", [True, False])
def test_the_page_names_an_icon_that_needs_no_request(shown: bool) -> None:
    html = page(EmbeddedContent(vendor="youtube", address=VIDEO), shown=shown)
    assert [link.get("href") for link in tree(html).iter("link") if link.get("rel") == "icon"] == ["data:,"]


def test_no_button_allows_always_what_a_signal_turns_off() -> None:  # SG-07
    def shown(seen: Seen) -> str:
        content = EmbeddedContent(vendor="adhub", address="https://frames.adhub.example/1")
        return seen.pages.embed(
            seen.view,
            content,
            again=lambda words: f"/again?r={words}",
            shown=False,
            framed=True,
            script=Markup(),
        )

    assert "Always allow AdHub Exchange" in shown(at("us-ca", set()))
    assert "Always allow" not in shown(at("us-ca", set(), gpc=True))
