"""The page that is framed in place of a vendor's content: the vendor's frame, or a placeholder for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from consentkit.ui.documents import Documents
from consentkit.ui.embed_text import embed_text
from consentkit.ui.fragments import View
from consentkit.ui.rendering import Rendering

__all__ = ["EmbeddedContent", "embed_page"]

# What the ledger gets in place of what differs between pages and requests.
_STAND_INS: Final[dict[str, Any]] = {
    "address": "{address}",
    "again": "{again}",
    "title": "{title}",
    "poster": "",
    "stylesheet": Markup(),
    "script": Markup(),
    "shown": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedContent:
    """Content of a vendor, as a page of the site embeds it.

    Attributes:
        vendor: id of the vendor.
        address: of the content.
        kind: what the content is, as in `EMBED_KINDS`; anything else counts as "content".
        title: of the content; empty for the vendor's name.
        poster: path of the placeholder's picture; empty for none.
    """

    vendor: str
    address: str
    kind: str = ""
    title: str = ""
    poster: str = ""


def embed_page(
    documents: Documents,
    rendering: Rendering,
    view: View,
    content: EmbeddedContent,
    *,
    again: Callable[[str], str],
    shown: bool,
    framed: bool,
    stylesheet: Markup,
    script: Markup,
) -> str:
    """Return the page for a vendor's content.

    Args:
        documents: renders the page.
        rendering: the notice in the visitor's language.
        view: the visitor, and the page around the frame.
        content: what is embedded.
        again: returns the address of "load once" for the id of the placeholder's rendering.
        shown: whether the vendor's frame is shown.
        framed: whether the page is in a frame of this site.
        stylesheet: tag of the style sheet of such pages.
        script: tag of the library's script.
    """
    row = next(row for row in rendering.policy["vendors"] if row["id"] == content.vendor)
    text = embed_text(content.kind, row["name"], rendering.translator, profiling=row["profiling"])
    # A signal of the browser wins over what the button would record.
    denied = row["category"] in rendering.rules.denied(view.consent)
    words: dict[str, Any] = {"vendor": row, "text": text, "framed": framed, "denied": denied}
    variant = (content.vendor, text, framed, denied)
    words_id = documents.words_id("embed", "embed.html", rendering.language, variant, **(words | _STAND_INS))
    own: dict[str, Any] = {
        "address": content.address,
        "again": again(words_id),
        "title": content.title or row["name"],
        "poster": content.poster,
        "stylesheet": stylesheet,
        "script": script,
        "shown": shown,
    }
    return documents.render("embed.html", view, rendering=words_id, **(words | own))
