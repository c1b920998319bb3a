"""Everything that one notice says in one language, and the templates that say it."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from consentkit.ui.disclosure import Disclosure, web_address
from consentkit.ui.i18n import Translator, direction

__all__ = ["Rendering"]


class Rendering:
    """A notice in one language of the policy, ready to be rendered.

    `language` is that of the owner's texts and goes into records; `words.language` is that of the library's own words,
    which is English where no catalogue has the other.
    """

    def __init__(
        self, language: str, words: Translator, disclosure: Disclosure, templates: Sequence[Path]
    ) -> None:
        self.language = language
        self.words = words
        self.policy = disclosure.policy()
        self.sites = disclosure.sites()
        self.titles = {row["id"]: self.own(row["title"]) for row in self.policy["categories"]}
        self._templates = _environment(templates, words)
        self._templates.filters.update(
            own=self.own, web=web_address, mail=_is_mailbox, joined=words.joined, day=self.day
        )

    def own(self, text: str) -> Markup:
        """Mark a text of the owner with its language where that is not the page's (WCAG 3.1.2)."""
        if self.words.speaks(self.language):
            return escape(text)
        span = Markup('<span lang="{}" dir="{}">{}</span>')
        return span.format(self.language, direction(self.language), text)

    def day(self, text: str) -> str:
        """Write a day, given as in ISO 8601, as the page's language does."""
        return self.words.date(datetime.fromisoformat(text))

    def render(self, template: str, /, **values: Any) -> str:
        """Fill a template in; what it names and nobody gives raises."""
        return self._templates.get_template(template).render(
            values, language=self.language, lang=self.words.language, dir=self.words.direction
        )

    def source(self, template: str) -> str:
        """Return a template as it is in force: the site's own where there is one."""
        loader = self._templates.loader
        assert loader is not None  # noqa: S101 - for the type checker: the environment was made with one
        return loader.get_source(self._templates, template)[0]

    def template_names(self) -> list[str]:
        """List the templates that pages are made of."""
        return self._templates.list_templates(extensions=["html"])


def _environment(templates: Sequence[Path], words: Translator) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(words.markup, words.markup_plural, newstyle=True)  # type: ignore[attr-defined]  # the i18n extension adds it
    return environment


def _is_mailbox(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+", text) is not None
