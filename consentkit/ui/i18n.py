"""Translation of the library's texts, and how each language writes lists, dates, countries and lengths of time.

Code and templates have the English texts. Every other language is a gettext catalogue, the library's or the site's own.
"""

import gettext
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_timedelta
from babel.lists import format_list
from markupsafe import Markup, escape

from consentkit._catalogue_files import LOCALES, catalogue_files, shipped_languages
from consentkit.errors import ConfigurationError
from consentkit.policy import Duration

__all__ = ["LOCALES", "NN_", "NP_", "N_", "DurationForms", "Translator", "direction"]

_PLACEHOLDER = re.compile(r"%(?:\(\w+\)s|%)?")
Unit = Literal["year", "month", "day", "hour", "minute", "second"]
_SECONDS: dict[Unit, int] = {
    "year": 31_536_000,
    "month": 2_592_000,
    "day": 86_400,
    "hour": 3_600,
    "minute": 60,
    "second": 1,
}
"""The lengths that Babel counts with. Every month counts 30 days, so that twelve months do not become 365 days."""
_CLDR = {"en": "en_001", "pt": "pt_PT"}
"""English without a country writes 22 November 2026, as most of its readers here do."""


DurationForms = Mapping[Unit, tuple[str, str]]
"""A sentence about a length of time: singular and plural, by the unit whose number the sentence contains."""


def N_(text: str) -> str:
    """Mark a text for extraction into the catalogue, and return it unchanged; `Translator` translates it where it is used."""
    return text


def NP_(context: str, text: str) -> str:
    """Mark a text with a context for extraction, and return the text unchanged."""
    return text


def NN_(singular: str, plural: str) -> tuple[str, str]:
    """Mark the forms of a text that depends on a number for extraction, and return both unchanged."""
    return singular, plural


def direction(language: str) -> Literal["ltr", "rtl"]:
    """Return the direction in which a language is written."""
    return "rtl" if _locale(language).character_order == "right-to-left" else "ltr"


class Translator:
    """The library's texts in one language.

    Attributes:
        language: the BCP 47 tag of the texts, for the attribute `lang`.
        direction: the direction in which they are written, for the attribute `dir`.
    """

    def __init__(self, language: str, folders: Sequence[Path] = (LOCALES,)) -> None:
        """Load the catalogues of the whole tag, then of its primary language, from each folder in turn.

        Raises:
            ConfigurationError: the language has no catalogue, or one that cannot be read, or that has placeholders which the
                English text lacks.
        """
        catalogue = _load_catalogue(language, tuple(folders))
        if catalogue is None and _primary(language) != "en":
            raise ConfigurationError(
                f"There is no catalogue for the language {language!r}. Included are {', '.join(shipped_languages())}."
            )
        self.language = language
        self._catalogue = catalogue or gettext.NullTranslations()
        self._locale = _locale(self.language)
        self.direction = direction(self.language)

    def is_same_language(self, language: str) -> bool:
        """Return whether a text in `language` needs no `lang` of its own among these texts."""
        return _primary(language) == _primary(self.language)

    def gettext(self, text: str, /) -> str:
        """Translate a text without placeholders; the result is not escaped."""
        return self._catalogue.gettext(text)

    def pgettext(self, context: str, text: str, /) -> str:
        """Translate a short text, whose context tells it from the same words elsewhere; the result is not escaped."""
        return self._catalogue.pgettext(context, text)

    def gettext_html(self, text: str, /, **values: object) -> Markup:
        """Translate a text and replace each `%(name)s`; everything but values that are `Markup` is escaped."""
        return Markup(self.escaped_gettext(text)) % values  # noqa: S704 - escaped

    def pgettext_html(self, context: str, text: str, /, **values: object) -> Markup:
        """Translate a short text with a context, and replace its placeholders like `gettext_html`."""
        return Markup(self.escaped_pgettext(context, text)) % values  # noqa: S704 - escaped

    def ngettext_html(self, singular: str, plural: str, number: int, /, **values: object) -> Markup:
        """Translate a text that depends on a number, `%(num)s`, and replace its placeholders like `gettext_html`."""
        return Markup(self.escaped_ngettext(singular, plural, number)) % {"num": number, **values}  # noqa: S704 - escaped

    def escaped_gettext(self, text: str) -> str:
        """Translate a text and escape it, placeholders left in, so that no catalogue adds markup to a page."""
        return str(escape(self._catalogue.gettext(text)))

    def escaped_ngettext(self, singular: str, plural: str, number: int) -> str:
        """Translate a text that depends on a number and escape it, placeholders left in."""
        return str(escape(self._catalogue.ngettext(singular, plural, number)))

    def escaped_pgettext(self, context: str, text: str) -> str:
        """Translate a text with a context and escape it, placeholders left in."""
        return str(escape(self._catalogue.pgettext(context, text)))

    def escaped_npgettext(self, context: str, singular: str, plural: str, number: int) -> str:
        """Translate a text with a context that depends on a number and escape it, placeholders left in."""
        return str(escape(self._catalogue.npgettext(context, singular, plural, number)))

    def duration_html(
        self, forms: DurationForms, otherwise: str, duration: Duration, /, **values: object
    ) -> Markup:
        """Translate a sentence about a length of time, in the case that the sentence needs.

        Args:
            forms: the sentence for each unit, with the number as `%(num)s`.
            otherwise: the sentence for any other length, with `%(duration)s` where the length stands alone.
            duration: the length of time.
            values: the other placeholders of the sentence.
        """
        parts = _split(duration)
        amount, unit = parts[0]
        if len(parts) == 1 and unit in forms:
            return self.ngettext_html(*forms[unit], amount, **values)
        return self.gettext_html(otherwise, duration=self.format_lifetime(duration), **values)

    def longer_html(
        self, forms: DurationForms, otherwise: str, old: Duration, new: Duration, /, **values: object
    ) -> Markup:
        """Translate a sentence about a length of time that has grown.

        `forms` have the new number as `%(num)s` and the old number, of the same unit, as `%(old)s`. In `otherwise` both
        lengths stand alone, as `%(duration)s` and `%(old)s`.
        """
        (before, *more_before), (after, *more_after) = _split(old), _split(new)
        if not more_before and not more_after and before[1] == after[1] and after[1] in forms:
            return self.ngettext_html(*forms[after[1]], after[0], old=before[0], **values)
        words = {"old": self.format_lifetime(old), "duration": self.format_lifetime(new)}
        return self.gettext_html(otherwise, **words, **values)

    def format_names(self, names: Iterable[str]) -> Markup:
        """Write a list of names in quotation marks, so that a sentence around them needs no other form of a name."""
        # Translators: A name of a purpose or a third party in a sentence, in your language's quotation marks.
        return self.format_list(self.pgettext_html("quoted name", "“%(name)s”", name=name) for name in names)

    def format_list(self, items: Iterable[str]) -> Markup:
        """Write a list ("a, b and c"); items that are not `Markup` are escaped.

        From right to left, each item is isolated. Otherwise Latin names next to each other would be read in the wrong order
        (Unicode Standard Annex 9, section 2.7). It is done by characters, because scripts show some lists as text.
        """
        escaped = [str(escape(item)) for item in items]
        if self.direction == "rtl":
            escaped = [f"\N{FIRST STRONG ISOLATE}{item}\N{POP DIRECTIONAL ISOLATE}" for item in escaped]
        return Markup(format_list(escaped, locale=self._locale))  # noqa: S704 - escaped

    def country_name(self, code: str) -> str:
        """Return the name of a country, or the code itself if CLDR has no name."""
        return str(self._locale.territories.get(code, code))

    def format_date(self, moment: datetime) -> str:
        """Write the date of a moment, as its time zone has it."""
        return format_date(moment.date(), "long", self._locale)

    def format_lifetime(self, lifetime: Duration | str) -> str:
        """Write how long a tracker is kept or a choice lasts; any value but a Duration stands for a session."""
        if not isinstance(lifetime, Duration):
            # Translators: Stands alone in a table, under "Expires".
            return self.gettext("when you close the browser")
        # Not format_unit, because that has no days in Dutch and no months in Portuguese (Babel 2.18).
        parts = [
            format_timedelta(
                timedelta(seconds=amount * _SECONDS[unit]), unit, float("inf"), locale=self._locale
            )
            for amount, unit in _split(lifetime)
        ]
        try:
            return format_list(parts, "unit", self._locale)
        except KeyError:
            # CLDR has no list of units for some languages, or none of three.
            return format_list(parts, "standard", self._locale)


def _split(duration: Duration) -> list[tuple[int, Unit]]:
    """Split a duration into units that people count in: 24 months are 2 years, 13 months stay months."""
    years = duration.months // 12 if duration.months % 12 == 0 else 0
    hours, rest = divmod(duration.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts: tuple[tuple[int, Unit], ...] = (
        (years, "year"),
        (duration.months - years * 12, "month"),
        (duration.days, "day"),
        (hours, "hour"),
        (minutes, "minute"),
        (seconds, "second"),
    )
    return [(amount, unit) for amount, unit in parts if amount]


def _primary(language: str) -> str:
    return language.split("-")[0].lower()


def _locale(language: str) -> Locale:
    """Return the CLDR locale of a language, or the English one if CLDR lacks the language."""
    for tag in (_CLDR.get(language, language), _primary(language)):
        try:
            return Locale.parse(tag.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en_001")


@lru_cache(maxsize=64)
def _load_catalogue(language: str, folders: tuple[Path, ...]) -> gettext.GNUTranslations | None:
    """Chain the catalogues of a language: a message that one lacks is taken from the next."""
    first: gettext.GNUTranslations | None = None
    for path in catalogue_files(language, folders):
        catalogue = _read_compiled(path, _compile(path) if path.suffix == ".po" else path.read_bytes())
        if first is None:
            first = catalogue
        else:
            first.add_fallback(catalogue)
    return first


def _compile(path: Path) -> bytes:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import PoFileError, read_po

    compiled = BytesIO()
    try:
        with path.open("rb") as lines:
            write_mo(compiled, read_po(lines, abort_invalid=True))
    except (PoFileError, ValueError) as error:
        raise ConfigurationError(
            f"{path} is not a valid gettext catalogue: {error}. Fix the catalogue."
        ) from error
    return compiled.getvalue()


def _read_compiled(path: Path, compiled: bytes) -> gettext.GNUTranslations:
    """Read a compiled catalogue, and check its placeholders, so that no page fails while it is rendered."""
    try:
        catalogue = gettext.GNUTranslations(BytesIO(compiled))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} is not a compiled gettext catalogue: {error}. Compile the catalogue again."
        ) from error
    messages: Mapping[str | tuple[str, int], str] = catalogue._catalog  # type: ignore[attr-defined]  # gettext offers no other way to see all messages
    for key, translated in messages.items():
        # The key of a plural form has the English singular only, which may lack the number.
        text, allowed = (key, set()) if isinstance(key, str) else (key[0], {"%(num)s"})
        allowed.update(_PLACEHOLDER.findall(text))
        if text and not allowed.issuperset(_PLACEHOLDER.findall(translated)):
            raise ConfigurationError(
                f"{path}: the translation {translated!r} has a placeholder that the English text {text!r} lacks. "
                "Use only placeholders of the English text."
            )
    return catalogue
