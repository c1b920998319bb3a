"""A notice in one language of the policy, with the templates that it is rendered from."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from consentkit.headers import closest_language
from consentkit.notices import Notice
from consentkit.policy import OwnCookies, Policy
from consentkit.ui.disclosure import Disclosure, web_address
from consentkit.ui.i18n import LOCALES, Translator
from consentkit.ui.place_rules import PlaceRules

__all__ = ["Rendering", "Renderings"]

_TEMPLATES = Path(__file__).parent / "templates"


class Rendering:
    """A notice in one language of the policy, ready to be rendered.

    Attributes:
        language: the language of the owner's texts, as records have it.
        translator: the library's own texts.
        policy: the rows of `Disclosure.policy`.
        sites: the rows of `Disclosure.sites`.
        titles: the title of each category, by id.
        rules: the rules of the place that the notice is for.
    """

    def __init__(
        self,
        language: str,
        translator: Translator,
        disclosure: Disclosure,
        rules: PlaceRules,
        templates: Sequence[Path],
    ) -> None:
        self.language = language
        self.translator = translator
        self.rules = rules
        self.policy = disclosure.policy()
        self.sites = disclosure.sites()
        self.titles = {row["id"]: self.owner_text(row["title"]) for row in self.policy["categories"]}
        self._templates = _environment(templates, translator)
        self._templates.filters.update(
            own=self.owner_text,
            web=web_address,
            mail=_is_email_address,
            joined=translator.format_list,
            day=self.format_iso_date,
        )

    def owner_text(self, text: str) -> Markup:
        """Escape a text of the owner, which is in the language of the page."""
        return escape(text)

    def format_iso_date(self, text: str) -> str:
        """Write an ISO 8601 date as the page's language does."""
        return self.translator.format_date(datetime.fromisoformat(text))

    def format_moment(self, seconds: int) -> str:
        """Write the date, in UTC, of a moment in seconds since the epoch."""
        return self.translator.format_date(datetime.fromtimestamp(seconds, UTC))

    def render(self, template: str, /, **values: Any) -> str:
        """Render a template.

        Raises:
            jinja2.UndefinedError: the template uses a variable that `values` lacks.
        """
        return self._templates.get_template(template).render(
            values,
            language=self.language,
            lang=self.translator.language,
            dir=self.translator.direction,
            rules=self.rules,
        )

    def source(self, template: str) -> str:
        """Return the source of a template: the site's own where there is one."""
        loader = self._templates.loader
        assert loader is not None  # noqa: S101 - for the type checker: the environment was made with one
        return loader.get_source(self._templates, template)[0]

    def template_names(self) -> list[str]:
        """Return the names of all templates."""
        return self._templates.list_templates(extensions=["html"])


class Renderings:
    """The renderings of a notice, one for each language of the policy."""

    def __init__(
        self,
        policy: Policy,
        notice: Notice,
        *,
        origins: Mapping[str, str] | None = None,
        own_cookies: OwnCookies | None = None,
        templates: Path | None = None,
        locales: Path | None = None,
    ) -> None:
        """Prepare a rendering for each language. The site's own `templates` and `locales` come before the library's.

        Raises:
            ConfigurationError: a language has no catalogue, or a faulty one.
        """
        template_folders = (*([templates] if templates else ()), _TEMPLATES)
        locale_folders = (*([locales] if locales else ()), LOCALES)
        self._by_language: dict[str, Rendering] = {}
        for language in policy.languages:
            translator = Translator(language, locale_folders)
            disclosure = Disclosure(policy, notice, language, translator, origins, own_cookies)
            rules = PlaceRules.of(policy, translator)
            self._by_language[language] = Rendering(language, translator, disclosure, rules, template_folders)
        self.best_for = lru_cache(maxsize=256)(self._find_best)

    def __getitem__(self, language: str) -> Rendering:
        """Return the rendering in a language of the policy."""
        return self._by_language[language]

    def _find_best(self, wanted: str) -> Rendering:
        """Return the rendering for any BCP 47 tag, as `closest_language` chooses it."""
        return self._by_language[closest_language(wanted, tuple(self._by_language))]


def _environment(templates: Sequence[Path], translator: Translator) -> Environment:
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
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the i18n extension adds it
        translator.escaped_gettext,
        translator.escaped_ngettext,
        newstyle=True,
        pgettext=translator.escaped_pgettext,
        npgettext=translator.escaped_npgettext,
    )
    return environment


def _is_email_address(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+", text) is not None
