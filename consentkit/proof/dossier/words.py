"""The very words that were sent, as files, as pages, and as pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from typing import Final, Protocol

from markupsafe import Markup

from consentkit.ledger import SentWords
from consentkit.proof.dossier.archive import Archive
from consentkit.proof.dossier.page import code, facts, link, page, para, slug, table
from consentkit.proof.dossier.period import canonical_json, digest_of
from consentkit.proof.export_page import text_of

__all__ = ["SURFACES", "WIDTHS", "Camera", "Words", "add_words", "dressed", "heading_of"]

WIDTHS: Final = (390, 1280)
"""Widths of the pictures in CSS pixels: a telephone, and a desktop."""
SURFACES: Final[Mapping[str, str]] = {
    "banner": "Banner",
    "preferences": "Settings page",
    "policy": "Cookie policy or receipt",
    "sites": "List of sites",
    "footer": "Link to the settings, and button to withdraw",
    "embed": "Placeholder of embedded content",
    "confirmation": "Confirmation of a choice",
    "error": "Error page",
}
_BRACES: Final = re.compile(r"\{([a-z_]+)\}", re.ASCII)
_PLACEHOLDERS: Final[Mapping[str, str]] = {
    "answer": "the visitor’s own answer, in a sentence",
    "reference": "the pseudonym of the visitor’s records",
    "record": "the identifier of the visitor’s last record",
    "date": "the day of the visitor’s decision",
    "time": "the time of the visitor’s decision",
    "number": "a number, such as that of a version",
    "title": "the title of the embedded content",
    "address": "the address of the embedded content",
    "again": "a link that loads the content again",
    "next": "the page to return to",
    "base": "the address under which the site’s application runs",
    "query": "the language, in the address",
    "rendering": "the identifier of these words, which the form sends back with the decision",
    "submission": "a mark against double submission",
}
_FOLDED: Final = re.compile(r"<details\b(?![^>]*\sopen\b)", re.IGNORECASE)
_HEAD: Final = re.compile(r"<head\b[^>]*>", re.IGNORECASE)


class Camera(Protocol):
    """A browser without a network and without scripts.

    Attributes:
        version: name and version of the browser.
    """

    version: str

    def picture(self, html: str, width: int) -> bytes | None:
        """Return a page as PNG, as wide as a window; None if the browser failed."""

    def pdf(self, html: str) -> bytes | None:
        """Return a page as PDF; None if the browser failed."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the page of a notice needs to know of a rendering.

    Attributes:
        sent: the rendering, without its HTML.
        heading: its own heading or title, or what its surface is called.
        name: of its files, without their ending.
        pictures: names of its pictures, by their captions.
        decisions: how many records of the period refer to it.
        is_intact: whether the words have the id under which they are stored.
    """

    sent: SentWords
    heading: str
    name: str
    pictures: Mapping[str, str]
    decisions: int
    is_intact: bool


def add_words(
    archive: Archive,
    folder: str,
    number: int,
    words: SentWords,
    *,
    decisions: int,
    stylesheet: str,
    camera: Camera | None,
) -> Words:
    """Add a rendering: its text as stored, a page, a picture for each width, and one of what visitors could unfold."""
    name = f"{number:03d}-{'-'.join(map(slug, (words.site, words.surface, words.language)))}"
    values = asdict(words)
    del values["id"]
    canonical = canonical_json(values)
    is_intact = digest_of(canonical)[: len(words.id)] == words.id != ""
    archive.add(f"{folder}/{name}.json", canonical)
    shown = dressed(words.html, stylesheet)
    views = [(f"{width}", f"{width} px wide", shown, width) for width in WIDTHS]
    unfolded = _FOLDED.sub("<details open", shown)
    if unfolded != shown:
        views.append(("unfolded", "every part unfolded", unfolded, WIDTHS[-1]))
    pictures = {}
    for label, caption, html, width in views if camera is not None else ():
        picture = None if camera is None else camera.picture(html, width)
        if picture is not None:
            pictures[caption] = f"{name}-{label}.png"
            archive.add(f"{folder}/{pictures[caption]}", picture)
    made = Words(_without_html(words), heading_of(words), name, pictures, decisions, is_intact)
    archive.add(f"{folder}/{name}.html", _page(made, words.html, shown))
    return made


class _Headings(HTMLParser):
    """The first heading and the title of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found = {"h1": "", "title": ""}
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Begin a heading if it is the first one."""
        if tag in self.found and not self.found[tag]:
            self._tag = tag

    def handle_endtag(self, tag: str) -> None:
        """End the heading."""
        if tag == self._tag:
            self._tag = ""

    def handle_data(self, data: str) -> None:
        """Add a text to the heading."""
        if self._tag:
            self.found[self._tag] += data


def heading_of(words: SentWords) -> str:
    """Return the first heading of words, or their title, or what their surface is called.

    Several pages share a surface. A heading with a placeholder is left to the surface.
    """
    headings = _Headings()
    headings.feed(words.html)
    for name in ("h1", "title"):
        text = " ".join(headings.found[name].split())
        if text and "{" not in text:
            return text
    return SURFACES.get(words.surface, words.surface)


def dressed(html: str, stylesheet: str) -> str:
    """Return words as a whole page with a style sheet, which loads nothing and runs nothing."""
    head = Markup(
        '<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
    ).format("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    # Not Markup: a style sheet may hold quotation marks, and nothing escapes the inside of <style>.
    style = stylesheet.replace("</", r"<\/")
    head_text = f"{head}<style>{style}</style>"
    found = _HEAD.search(html)
    if found is None:
        return f'<!doctype html><html><head>{head_text}</head><body class="consent-shell">{html}<i></i></body></html>'
    # The policy has to come before anything else, whatever the words have in front of their head.
    return f"<!doctype html><html><head>{head_text}{html[found.end() :]}"


def _without_html(words: SentWords) -> SentWords:
    return SentWords(**(asdict(words) | {"html": ""}))


def _page(made: Words, html: str, shown: str) -> str:
    sent = made.sent
    title = f"{made.heading} in “{sent.language}” on {sent.site}"
    parts = [
        Markup('<p><a href="../index.html">The notice</a></p>'),
        para(
            "These are the words that the server sent, as the ledger holds them. Parts in braces stand for what differed between "
            "visitors, so the ledger does not hold it here."
        ),
        *_placeholders(html),
        _about(made),
        Markup("<h2>As the server sent them</h2>"),
        para(
            "The style sheet is that of the version that made this dossier. A style sheet and a logo of the site’s own are not "
            "in it, and links lead nowhere. Around a banner, where it is blank, there was the page of the site."
        ),
        Markup('<iframe sandbox srcdoc="{}" title="The words as they were sent"></iframe>').format(shown),
    ]
    if made.pictures:
        parts.append(pictures_of(made.pictures, ""))
    parts += [
        Markup("<h2>Text</h2>"),
        Markup('<pre lang="{}">{}</pre>').format(sent.language, text_of(html)),
    ]
    return page(title, parts, depth=3)


def _placeholders(html: str) -> list[Markup]:
    found = set(_BRACES.findall(html))
    rows = [(code(f"{{{name}}}"), words) for name, words in _PLACEHOLDERS.items() if name in found]
    return [table("Parts in braces", ("Part", "What visitors got in its place"), rows)] if rows else []


def _about(made: Words) -> Markup:
    good = "The identifier is the beginning of the file’s SHA-256, written in base64url."
    bad = Markup("<strong>The words do not have the identifier under which they are stored.</strong>")
    return facts(
        [
            ("Identifier", code(made.sent.id)),
            ("Surface", code(made.sent.surface)),
            ("Sent by", f"consentkit {made.sent.version}"),
            ("Decisions", f"{made.decisions} of the period refer to these words"),
            ("As stored", link(f"{made.name}.json", f"{made.name}.json")),
            ("Check", good if made.is_intact else bad),
        ]
    )


def pictures_of(pictures: Mapping[str, str], folder: str) -> Markup:
    """Return the pictures of a rendering."""
    figures = Markup("").join(
        Markup(
            '<figure><a href="{0}{1}"><img src="{0}{1}" alt="Picture, {2}; its text is on the page of the words" '
            'loading="lazy"></a><figcaption>{2}</figcaption></figure>\n'
        ).format(folder, name, caption)
        for caption, name in pictures.items()
    )
    return Markup('<div class="pictures">\n{}</div>').format(figures)
