"""Catalogues that a site writes for a language which the library does not speak: a first file, and what it lacks."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import PoFileError, read_po, write_po

from consentkit._catalogue_files import LOCALES, catalogue_files
from consentkit.errors import ConfigurationError
from consentkit.ui import Translator

__all__ = ["is_translated", "untranslated", "write_below", "write_catalogue"]

_TEMPLATE = LOCALES / "consentkit.pot"
_WIDTH = 110
_HEADING = """\
# {name}.
msgid ""
msgstr ""
"Project-Id-Version: consentkit\\n"
"Language: {tag}\\n"
"Plural-Forms: {plural_forms}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


def write_catalogue(language: str, folder: Path) -> tuple[Path, int]:
    """Write a catalogue with all messages of this version, or add those that it lacks; translations stay.

    Returns the path of the file, and the number of messages that are not translated.

    Raises:
        ConfigurationError: the file is not a valid catalogue.
    """
    path = folder / language.replace("-", "_") / "LC_MESSAGES" / "consentkit.po"
    template = _read(_TEMPLATE, None)
    locale = _locale(language)
    if path.exists():
        catalogue = _read(path, locale)
        heading, _, _ = path.read_text("utf-8").partition("\n\n")
    else:
        catalogue = Catalog(locale)
        name = locale.english_name if locale else language
        heading = _HEADING.format(name=name, tag=language, plural_forms=catalogue.plural_forms).rstrip()
        path.parent.mkdir(parents=True, exist_ok=True)
    catalogue.update(template, no_fuzzy_matching=True)
    write_below(heading, catalogue, path)
    return path, sum(1 for message in _messages(catalogue) if not is_translated(message))


def write_below(heading: str, catalogue: Catalog, path: Path) -> None:
    """Write a catalogue sorted by its messages, below a heading: Babel would put dates and addresses there."""
    body = BytesIO()
    write_po(
        body,
        catalogue,
        width=_WIDTH,
        no_location=True,
        sort_output=True,
        omit_header=True,
        ignore_obsolete=True,
    )
    path.write_text(f"{heading}\n\n{body.getvalue().decode().strip()}\n", "utf-8")


def is_translated(message: Message) -> bool:
    """Return whether a message has its translation in every plural form."""
    forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
    return bool(forms) and all(forms) and not message.fuzzy


def untranslated(language: str, folder: Path) -> list[str]:
    """Return the English texts of the messages that visitors read in English, with a site's own folder of catalogues.

    Raises:
        ConfigurationError: a catalogue is faulty.
    """
    # It raises for a faulty file, as it does when the site starts.
    Translator(language, (folder, LOCALES))
    translated = {
        _key(message)
        for path in catalogue_files(language, (folder, LOCALES))
        for message in _messages(_read(path, _locale(language)))
        if is_translated(message)
    }
    return [
        _key(message)[1] for message in _messages(_read(_TEMPLATE, None)) if _key(message) not in translated
    ]


def _locale(language: str) -> Locale | None:
    """Return the CLDR locale of a language, for its plural forms; None for a language that CLDR lacks."""
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return None


def _read(path: Path, locale: Locale | None) -> Catalog:
    try:
        with path.open("rb") as file:
            return read_mo(file) if path.suffix == ".mo" else read_po(file, locale, abort_invalid=True)
    except (PoFileError, ValueError) as error:
        raise ConfigurationError(
            f"{path} is not a valid gettext catalogue: {error}. Fix the catalogue."
        ) from error


def _messages(catalogue: Catalog) -> Iterator[Message]:
    return (message for message in catalogue if message.id)


def _key(message: Message) -> tuple[str, str]:
    return message.context or "", message.id if isinstance(message.id, str) else message.id[0]
