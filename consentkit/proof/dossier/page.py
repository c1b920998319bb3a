"""What the pages of a dossier share: their outline, tables, lists of facts, and times."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from markupsafe import Markup, escape

from consentkit.proof.document import opening

__all__ = [
    "POLICY",
    "code",
    "day",
    "facts",
    "items",
    "link",
    "moment",
    "page",
    "para",
    "slug",
    "table",
    "texts",
]

# Words of visitors' pages are shown in frames, and pictures lie next to the pages. A file has no origin, hence both sources.
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:; base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy of all pages."""

_MANY: Final = 4

_STYLE: Final = Markup("""
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 1rem/1.55 system-ui, sans-serif; color: #1b1b1b; background: #fff;
  max-width: 58rem; margin: 0 auto; padding: 1rem 1rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 1rem 0; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; padding-top: .75rem; border-top: 1px solid #8a8a8a; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
p, ul, ol, dl { margin: .5rem 0; }
ul, ol { padding-inline-start: 1.4rem; }
a { color: #0b4f9e; }
dl { display: grid; grid-template-columns: minmax(7rem, 13rem) 1fr; gap: .3rem 1.25rem; }
dt { font-weight: 600; }
dd { margin: 0; }
code, pre, dd, h1, li, p { overflow-wrap: anywhere; }
td, th { overflow-wrap: break-word; }
td code { overflow-wrap: break-word; }
code, pre { font: .875em/1.5 ui-monospace, monospace; }
pre { white-space: pre-wrap; background: #f3f3f3; padding: .75rem; border-radius: .25rem; }
.wide { overflow-x: auto; margin: .75rem 0; border: 1px solid #8a8a8a;
  background: linear-gradient(to right, #fff, #fff0) left / 3rem 100%, linear-gradient(to left, #fff, #fff0) right / 3rem 100%,
    linear-gradient(to right, #0006, #0000) left / .75rem 100%, linear-gradient(to left, #0006, #0000) right / .75rem 100%;
  background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
.wide p { display: none; margin: 0; font-size: .875rem;
  padding: .25rem .35rem; position: sticky; inset-inline-start: 0; width: max-content; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: start; font-weight: 600; padding: .25rem .6rem; }
th, td { border: 1px solid #b5b5b5; padding: .35rem .6rem; text-align: start; vertical-align: top; }
th { background: #f3f3f3; }
.number { text-align: end; font-variant-numeric: tabular-nums; }
.bad, .note { border-inline-start: .35rem solid #6b5a1a; background: #fbf7e8; padding: .6rem .9rem; }
.bad { border-color: #a61b1b; background: #fbeeee; }
iframe { width: 100%; height: 24rem; border: 1px solid #8a8a8a; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: 0; max-width: 100%; }
figure img { max-width: 100%; height: auto; max-height: 40rem; border: 1px solid #8a8a8a;
  display: block; object-fit: contain; object-position: top left; }
@media (max-width: 34rem) {
  th, td { padding: .25rem .35rem; font-size: .875rem; }
  .many p { display: block; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
}
@media print {
  iframe { display: none; }
  .wide { overflow: visible; border: 0; background: none; } .wide p { display: none; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  a { color: inherit; } h2, h3 { break-after: avoid; }
  tr, figure { break-inside: avoid; }
}
""")

_PAGE: Final = Markup("""{back}<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
""")


def page(title: str, body: Iterable[str], *, depth: int = 0, is_cover: bool = False) -> str:
    """Return a page that loads nothing and runs nothing.

    Args:
        title: of the page.
        body: parts that are markup already; texts are escaped.
        depth: how many folders below the cover it is.
        is_cover: whether it has no link back to the cover.
    """
    way = Markup('<nav><a href="{}index.html">Cover of the dossier</a></nav>\n').format("../" * depth)
    parts = Markup("\n").join(body)
    content = _PAGE.format(title=title, back="" if is_cover else way, body=parts)
    return str(opening(title, _STYLE, POLICY) + content)


def para(text: object, kind: str = "") -> Markup:
    """Return a paragraph; `kind` is bad or note for a box."""
    return Markup('<p class="{}">{}</p>').format(kind, text) if kind else Markup("<p>{}</p>").format(text)


def code(text: object) -> Markup:
    """Return a text as code."""
    return Markup("<code>{}</code>").format(text)


def link(href: str, text: object) -> Markup:
    """Return a link to a file of the dossier."""
    return Markup('<a href="{}">{}</a>').format(href, text)


def items(entries: Iterable[object], *, ordered: bool = False) -> Markup:
    """Return a list."""
    name = "ol" if ordered else "ul"
    rows = Markup("").join(Markup("<li>{}</li>\n").format(entry) for entry in entries)
    return Markup("<{0}>\n{1}</{0}>").format(name, rows)


def facts(rows: Iterable[tuple[str, object]]) -> Markup:
    """Return names and values; a row without a value is left out."""
    shown = Markup("").join(
        Markup("<dt>{}</dt><dd>{}</dd>\n").format(*row) for row in rows if row[1] not in (None, "", ())
    )
    return Markup("<dl>\n{}</dl>").format(shown)


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table. Whole numbers are aligned at their end."""
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(column) for column in columns)
    body = Markup("").join(Markup("<tr>{}</tr>\n").format(Markup("").join(map(_cell, row))) for row in rows)
    return Markup(
        '<div class="{kind}" tabindex="0" role="group" aria-label="{caption}">{hint}<table>\n<caption>{caption}</caption>\n'
        "<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>"
    ).format(
        caption=caption,
        head=head,
        body=body,
        kind="wide many" if len(columns) >= _MANY else "wide",
        hint=Markup("<p>Scroll this table sideways: it has {} columns.</p>").format(len(columns)),
    )


def _cell(value: object) -> Markup:
    if type(value) is int:
        return Markup('<td class="number">{:,}</td>').format(value)
    return Markup("<td>{}</td>").format("-" if value in (None, "") else value)


def texts(value: Any) -> Markup:
    """Return the owner's texts, each marked with its language."""
    if not isinstance(value, Mapping):
        return escape(value)
    return Markup("<br>").join(
        Markup('<span lang="{0}">{1}</span> ({0})').format(language, text) for language, text in value.items()
    )


def moment(seconds: float) -> Markup:
    """Return a time in UTC."""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return escape(seconds)
    return Markup('<time datetime="{:%Y-%m-%dT%H:%M:%SZ}">{:%Y-%m-%d %H:%M} UTC</time>').format(at, at)


def day(date_: date | None) -> str:
    """Return a day, or an empty text."""
    return "" if date_ is None else f"{date_.day} {date_:%B %Y}"


def slug(text: str) -> str:
    """Return a text as a part of a file name, which no program mistakes for anything else."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower(), flags=re.ASCII).strip("-")[:40] or "x"
