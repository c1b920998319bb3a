"""English and Dutch: which one a reader gets, and the translations of the templates.

Readers get the language that their browser asks for (Accept-Language), unless they chose another at the foot of the
page. That choice replaces the header, so the consent pages follow it too.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from babel.numbers import format_decimal
from jinja2 import Environment
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["COOKIE", "NAMES", "LanguageChoice", "read_words", "speak"]

COOKIE = "language"
"""The cookie with the reader's choice. It is functional, so it needs no consent."""

NAMES = {"en": "English", "nl": "Nederlands"}
"""The name of each language in that language."""

_EUROS = {"nl": "€\N{NO-BREAK SPACE}{}"}


class LanguageChoice:
    """The outermost middleware: replace the language that the browser asks for with the one that the reader chose."""

    def __init__(self, app: ASGIApp, languages: tuple[str, ...]) -> None:
        self._app = app
        self._languages = languages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the chosen language."""
        if scope["type"] == "http":
            chosen = HTTPConnection(scope).cookies.get(COOKIE)
            if chosen in self._languages:
                headers = [pair for pair in scope["headers"] if pair[0] != b"accept-language"]
                scope = {**scope, "headers": [*headers, (b"accept-language", chosen.encode())]}
        await self._app(scope, receive, send)


def read_words(folder: Path, language: str) -> Mapping[str, str]:
    """Read the translations of the templates' English texts; English itself has no file."""
    path = folder / f"{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def speak(templates: Environment, language: str, words: Mapping[str, str]) -> None:
    """Add a language to templates: `_` and `trans`, and the formats of numbers and whole euros.

    A text without translation stays English.
    """
    templates.add_extension("jinja2.ext.i18n")
    templates.policies["ext.i18n.trimmed"] = True
    templates.install_gettext_callables(  # type: ignore[attr-defined]  # the i18n extension adds it
        lambda text: words.get(text, text),
        lambda one, many, number: words.get(one if number == 1 else many, one if number == 1 else many),
        newstyle=True,
    )
    # For texts that come from variables: `_` would mark them as safe HTML.
    templates.filters["translated"] = lambda text: words.get(text, text)
    templates.filters["number"] = lambda number: format_decimal(number, locale=language)
    templates.filters["euros"] = lambda amount: _EUROS.get(language, "€{}").format(amount)
