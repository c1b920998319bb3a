"""The page with everything about a visitor: readable without JavaScript, without a network, and on paper."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, Final

from markupsafe import Markup, escape

from consentkit.ledger import Record, SentWords
from consentkit.proof.document import opening
from consentkit.proof.history import VisitorHistory

__all__ = ["EVENTS", "page_of", "text_of"]

EVENTS: Final = {
    "given": "Consent was given",
    "changed": "The answer was changed",
    "withdrawn": "Consent was withdrawn, or a part of it",
    "refused": "Consent was refused",
    "renewed": "The same consent was given again",
    "imported": "The answer was taken over from another site",
    "loaded_once": "Content was loaded once",
}

_STYLE: Final = Markup("""
body { font: 1rem/1.5 system-ui, sans-serif; color: #111; background: #fff; max-width: 60rem; margin: 0 auto; padding: 1rem; }
section { border-top: 1px solid #767676; margin-top: 1rem; }
dl { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: .25rem 1rem; }
dt { font-weight: bold; }
dd { margin: 0; }
code, pre, dd { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; }
table { border-collapse: collapse; }
th, td { border: 1px solid #767676; padding: .25rem .5rem; text-align: start; }
iframe { width: 100%; height: 20rem; border: 1px solid #767676; }
@media print { iframe { display: none; } section { break-inside: avoid-page; } }
""")
_HEAD: Final = Markup("""<main>
<h1>Records of consent</h1>
<p>Everything that is recorded under the reference <code>{reference}</code>, as of <time datetime="{now}">{now}</time>.
All times are UTC.</p>
""")


def page_of(history: VisitorHistory, now: str) -> Iterator[str]:
    """Yield the parts of the page. `now` is the time of the export, ISO 8601."""
    yield opening(f"Records of consent of {history.reference}", _STYLE)
    yield _HEAD.format(reference=history.reference, now=now)
    yield "<h2>What was decided</h2>\n"
    if not history.records:
        yield "<p>Nothing is recorded.</p>\n"
    for record in history.records:
        yield _record(record, history)
    if history.links:
        yield _links(history)
    if history.renderings:
        yield "<h2>The words that were sent</h2>\n"
    for words in history.renderings.values():
        yield _words(words)
    if history.notices:
        yield "<h2>The notices</h2>\n"
    for digest, content in history.notices.items():
        yield _notice(digest, content)
    yield "</main>\n</body>\n</html>\n"


def _record(record: Record, history: VisitorHistory) -> Markup:
    facts: list[tuple[str, object]] = [
        ("Site", record.site),
        ("Allowed", _answers(record, allowed=True)),
        ("Rejected", _answers(record, allowed=False)),
        ("Allowed from now on", _listed(record.began)),
        ("Ended", _listed(record.ended)),
        ("Valid from", _time(record.decided_at)),
        ("Valid until", _time(record.expires_at)),
        ("Global Privacy Control", "sent by the browser" if record.gpc else "not sent"),
        ("Decided on", f"{record.surface}, with “{record.choice}”"),
        ("Language", record.language),
        ("Jurisdiction", record.jurisdiction),
        ("Reference", _code(record.subject or "none")),
        ("Notice", _link("notice", record.notice, record.notice in history.notices)),
        ("Words", _link("words", record.rendering, record.rendering in history.renderings)),
        ("Record", _code(record.id)),
        ("Version of the library", record.version),
    ]
    title = EVENTS.get(record.event, record.event)
    heading = Markup("<section>\n<h3>{}: {}</h3>\n").format(_time(record.at), title)
    return heading + _facts(facts) + Markup("</section>\n")


def _facts(facts: list[tuple[str, object]]) -> Markup:
    rows = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>\n").format(*fact) for fact in facts)
    return Markup("<dl>\n{}</dl>\n").format(rows)


def _links(history: VisitorHistory) -> Markup:
    rows = Markup("").join(
        Markup("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n").format(_code(first), _code(second), _time(at))
        for first, second, at in history.links
    )
    return Markup(
        "<h2>Linked references</h2>\n<p>The answer went along between sites, so these references stand for one visitor.</p>\n"
        '<table>\n<thead><tr><th scope="col">Reference</th><th scope="col">Linked with</th>'
        '<th scope="col">When</th></tr></thead>\n'
        "<tbody>\n{}</tbody>\n</table>\n"
    ).format(rows)


def _words(words: SentWords) -> Markup:
    # The frame shows the words in their form and runs nothing. The text is for paper, and for whoever trusts no frame.
    return Markup(
        '<section id="words-{id}">\n<h3>{surface} of {site} ({language})</h3>\n<p>Words <code>{id}</code>, of version {version} '
        "of the library. Parts in braces differed between visitors.</p>\n"
        '<iframe sandbox srcdoc="{html}" title="The words as they were sent: {surface}, {language}"></iframe>\n'
        '<pre lang="{language}">{text}</pre>\n</section>\n'
    ).format(
        id=words.id,
        surface=words.surface,
        site=words.site,
        language=words.language,
        version=words.version,
        html=words.html,
        text=text_of(words.html),
    )


class _Text(HTMLParser):
    """The text of a piece of HTML, a line for each element that has some."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def handle_data(self, data: str) -> None:
        """Add a text."""
        if data.strip():
            self.lines.append(" ".join(data.split()))


def text_of(html: str) -> str:
    """Return the text of a piece of HTML, a line for each element that has some."""
    reader = _Text()
    reader.feed(html)
    reader.close()
    return "\n".join(reader.lines)


def _notice(digest: str, content: Mapping[str, Any]) -> Markup:
    return Markup(
        '<section id="notice-{digest}">\n<h3>Notice <code>{digest}</code></h3>\n<pre>{content}</pre>\n</section>\n'
    ).format(digest=digest, content=json.dumps(content, indent=2, ensure_ascii=False))


def _answers(record: Record, *, allowed: bool) -> str:
    answers = {**record.categories, **record.vendors}
    return ", ".join(name for name, answer in answers.items() if answer is allowed) or "nothing"


def _listed(ids: Mapping[str, list[str]]) -> str:
    return ", ".join(name for names in ids.values() for name in names) or "nothing"


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _link(kind: str, key: str, is_here: bool) -> Markup:
    if not key:
        return escape("none were shown")
    return Markup('<a href="#{}-{}">{}</a>').format(kind, key, _code(key)) if is_here else _code(key)


def _time(seconds: int | None) -> Markup:
    if seconds is None:
        return escape("no end")
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return escape(seconds)
    return Markup('<time datetime="{:%Y-%m-%dT%H:%M:%SZ}">{:%Y-%m-%d %H:%M:%S}</time>').format(moment, moment)
