"""The library's own words, and how each language writes lists, dates, countries and lengths of time.

English stands in the code and the templates; every other language is a gettext catalogue, ours or the site's own.
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

from consentkit.errors import ConfigurationError
from consentkit.policy import Duration

__all__ = ["DOMAIN", "LOCALES", "Translator", "direction", "mark"]

DOMAIN = "consentkit"
LOCALES = Path(__file__).parent / "locales"
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
"""What Babel counts by; every month has the same, so that each stays a month."""
_CLDR = {"en": "en_001"}
"""English without a country writes 22 November 2026, as most of its readers here do."""


def mark(text: str) -> str:
    """Mark a text for translation where it stands; `Translator.say` and its kin translate it where it is used."""
    return text


def direction(language: str) -> Literal["ltr", "rtl"]:
    """Say which way a language is written."""
    return "rtl" if _locale(language).character_order == "right-to-left" else "ltr"


class Translator:
    """The words of one language: of a text's own language where a catalogue has it, else English.

    `language` is the BCP 47 tag of these words and belongs into `lang`, `direction` (ltr or rtl) into `dir`.
    """

    def __init__(self, language: str, folders: Sequence[Path] = (LOCALES,)) -> None:
        """Look in the folders in turn, first for the whole tag, then for its primary language.

        Raises:
            ConfigurationError: a catalogue cannot be read, or has other placeholders than the English text.
        """
        catalogue = _catalogue(language, tuple(folders))
        self.language = language if catalogue or _primary(language) == "en" else "en"
        self._catalogue = catalogue or gettext.NullTranslations()
        self._locale = _locale(self.language)
        self.direction = direction(self.language)

    def speaks(self, language: str) -> bool:
        """Say whether a text in that language needs no `lang` of its own among these words."""
        return _primary(language) == _primary(self.language)

    def say(self, text: str, /) -> str:
        """Translate a text that has no placeholders; the result is not escaped."""
        return self._catalogue.gettext(text)

    def fill(self, text: str, /, **values: object) -> Markup:
        """Translate a text and fill in its `%(name)s`; all is escaped but the values that are markup."""
        return Markup(self.markup(text)) % values  # noqa: S704 - escaped

    def counted(self, singular: str, plural: str, number: int, /, **values: object) -> Markup:
        """Translate a text that counts `%(num)s`, and fill it in like `fill`."""
        return Markup(self.markup_plural(singular, plural, number)) % {"num": number, **values}  # noqa: S704 - escaped

    def markup(self, text: str) -> str:
        """Translate a text for a template: escaped, so that a catalogue cannot bring markup in."""
        return str(escape(self._catalogue.gettext(text)))

    def markup_plural(self, singular: str, plural: str, number: int) -> str:
        """Translate a counted text for a template, escaped."""
        return str(escape(self._catalogue.ngettext(singular, plural, number)))

    def joined(self, items: Iterable[str]) -> Markup:
        """Write a list ("a, b and c"); what is not markup yet is escaped."""
        return Markup(format_list([str(escape(item)) for item in items], locale=self._locale))  # noqa: S704 - escaped

    def country(self, code: str) -> str:
        """Name a country."""
        return str(self._locale.territories.get(code, code))

    def date(self, moment: datetime) -> str:
        """Write the day of a moment in UTC."""
        return format_date(moment.date(), "long", self._locale)

    def lifetime(self, lifetime: Duration | str) -> str:
        """Write a length of time; anything that is not a Duration is a session."""
        if not isinstance(lifetime, Duration):
            return self.say("until you close the browser")
        # By way of a timedelta, since format_unit knows no days in Dutch and no months in Portuguese (Babel 2.18).
        parts = [
            format_timedelta(
                timedelta(seconds=amount * _SECONDS[unit]), unit, float("inf"), locale=self._locale
            )
            for amount, unit in _amounts(lifetime)
        ]
        return format_list(parts, "unit", self._locale)


def _amounts(duration: Duration) -> list[tuple[int, Unit]]:
    """Split into what people count in: 13 months stay months, whole years are years."""
    years = duration.months // 12 if duration.months % 12 == 0 else 0
    hours, rest = divmod(duration.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    amounts: tuple[tuple[int, Unit], ...] = (
        (years, "year"),
        (duration.months - years * 12, "month"),
        (duration.days, "day"),
        (hours, "hour"),
        (minutes, "minute"),
        (seconds, "second"),
    )
    return [(amount, unit) for amount, unit in amounts if amount]


def _primary(language: str) -> str:
    return language.split("-")[0].lower()


def _locale(language: str) -> Locale:
    """Find how CLDR writes in a language; a language that it does not know is written as English is."""
    for tag in (_CLDR.get(language, language), _primary(language)):
        try:
            return Locale.parse(tag.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en_001")


@lru_cache(maxsize=64)
def _catalogue(language: str, folders: tuple[Path, ...]) -> gettext.GNUTranslations | None:
    """Chain what is found: what one catalogue leaves out, the next one says."""
    first: gettext.GNUTranslations | None = None
    for name in dict.fromkeys((language.replace("-", "_"), _primary(language))):
        for folder in folders:
            # A .po beside its .mo is the source, and the newer of the two; the wheel brings the .mo alone.
            for kind, read in ((".po", _compiled), (".mo", Path.read_bytes)):
                path = folder / name / "LC_MESSAGES" / f"{DOMAIN}{kind}"
                if path.is_file():
                    found = _checked(path, read(path))
                    if first is None:
                        first = found
                    else:
                        first.add_fallback(found)
                    break
    return first


def _compiled(path: Path) -> bytes:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import PoFileError, read_po

    compiled = BytesIO()
    try:
        with path.open("rb") as lines:
            write_mo(compiled, read_po(lines, abort_invalid=True))
    except (PoFileError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error}. Mend the catalogue.") from error
    return compiled.getvalue()


def _checked(path: Path, compiled: bytes) -> gettext.GNUTranslations:
    """Refuse a catalogue that would fail in the middle of a page."""
    try:
        catalogue = gettext.GNUTranslations(BytesIO(compiled))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error}. Compile the catalogue again.") from error
    messages: Mapping[str | tuple[str, int], str] = catalogue._catalog  # type: ignore[attr-defined]  # gettext offers no other way to see all messages
    for key, translated in messages.items():
        # Of a counted text the catalogue knows the singular alone, which may leave the number out.
        text, known = (key, set()) if isinstance(key, str) else (key[0], {"%(num)s"})
        known.update(_PLACEHOLDER.findall(text))
        if text and not known.issuperset(_PLACEHOLDER.findall(translated)):
            raise ConfigurationError(
                f"{path}: {translated!r} has a placeholder that the English text lacks: {text!r}."
            )
    return catalogue
