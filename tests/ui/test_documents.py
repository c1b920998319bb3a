from typing import Any

from consentkit.ledger import SentWords
from consentkit.notices.notice import Notice
from consentkit.ui.documents import Documents
from consentkit.ui.rendering import Renderings
from consentkit.ui.rendering_ids import RenderingIds, SiteNotice
from tests.support.told import POLICY, decided, tree, undecided, view


def documents(stored: list[SentWords], **options: Any) -> Documents:
    notice = Notice.of(POLICY)
    renderings = Renderings(POLICY, notice)

    def store(words: SentWords) -> bool:
        stored.append(words)
        return True

    ids = RenderingIds(renderings, notice.digest, "stride", store)
    shown = SiteNotice(POLICY, notice.digest, "stride", "/consent", renderings, ids)
    return Documents(shown, options.pop("stylesheets", ()), **options)


def error(made: Documents, detail: str, **more: Any) -> str:
    return made.render_stored(
        "error.html",
        view(more.pop("consent", undecided()), **more),
        here="error",
        surface="error",
        recorded={"detail": "{detail}"},
        status=409,
        title="Title",
        detail=detail,
        reason="",
    )


def test_words_are_stored_once_without_what_belongs_to_one_visitor() -> None:  # IN-06
    stored: list[SentWords] = []
    made = documents(stored)
    first = error(made, "For Ada.", next="/shoes")
    assert "For Ada." in first and "/shoes" in first
    error(made, "For Grace.", next="/articles", root_path="/deep")
    (words,) = stored
    assert "{detail}" in words.html and "{base}" in words.html
    assert not any(part in words.html for part in ("Ada", "Grace", "/shoes", "/deep"))


def test_a_visitor_who_can_withdraw_gets_other_words() -> None:
    stored: list[SentWords] = []
    made = documents(stored)
    assert "/withdraw" not in error(made, "")
    assert "/withdraw" in error(made, "", consent=decided())
    assert len({words.id for words in stored}) == 2


def test_style_sheets_of_the_site_come_after_ours() -> None:
    html = error(documents([], stylesheets=["/own.css"]), "", root_path="/deep")
    links = [link.get("href") for link in tree(html).iter("link") if link.get("rel") == "stylesheet"]
    assert links[0].startswith("/deep/consent/assets/consent.") and links[1:] == ["/own.css"]


def test_a_logo_stands_on_every_document() -> None:
    html = error(documents([], logo="/static/logo.svg"), "")
    assert [image.get("src") for image in tree(html).iter("img")] == ["/static/logo.svg"]
