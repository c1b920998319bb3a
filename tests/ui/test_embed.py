from urllib.parse import parse_qs

from consentkit.ui.embed import figure
from tests.support.told import tree

URL = "https://www.youtube-nocookie.com/embed/a?b=1&c=2"
TITLE = 'Stretch <b> "well"'


# LB-10
def test_a_figure_loads_only_from_this_site_and_links_to_the_content() -> None:
    html = figure("youtube", URL, TITLE, signature="S_-", base="/app/consent", page="/articles/x?page=2")
    found = tree(html).find("body/figure")
    frame, link = found.find("iframe"), found.find("figcaption/a")
    path, _, query = frame.get("src").partition("?")
    assert path == "/app/consent/embed/youtube"
    assert parse_qs(query) == {
        "u": [URL],
        "s": ["S_-"],
        "next": [f"/articles/x?page=2#{found.get('id')}"],
        "title": [TITLE],
    }
    assert (frame.get("title"), link.text, link.get("href")) == (TITLE, TITLE, URL)
    assert frame.get("loading") == "lazy" and "style" not in frame.attrib and "scrolling" not in frame.attrib
    assert frame.get("allow") == "fullscreen; autoplay; encrypted-media; picture-in-picture"


def test_a_figure_tells_the_frame_what_it_embeds() -> None:
    html = figure(
        "youtube", URL, "x", signature="S", base="/consent", page="/x", kind="video", poster="/static/x.jpg"
    )
    query = parse_qs(next(tree(html).iter("iframe")).get("src").partition("?")[2])
    assert query["kind"] == ["video"] and list(query) == ["u", "s", "next", "kind", "title", "poster"]


def test_a_figure_may_link_elsewhere_and_have_no_page_to_return_to() -> None:
    html = figure("youtube", URL, "x", signature="S", base="/consent", page=None, link="https://youtu.be/a")
    (link,) = tree(html).iter("a")
    assert link.get("href") == "https://youtu.be/a"
    assert "next" not in html
