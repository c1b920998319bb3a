"""The files with the library's texts: gettext catalogues, shipped or of a site, by language."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from consentkit.errors import ConfigurationError

__all__ = [
    "LOCALES",
    "catalogue_files",
    "languages_without_catalogue",
    "require_catalogues",
    "shipped_languages",
]

LOCALES = Path(__file__).parent / "ui" / "locales"
_OTHER_TAGS = {"no": "nb", "nb": "no", "iw": "he", "he": "iw"}
"""Languages with two tags. Bokmål is what `no` means on web sites."""


def catalogue_files(language: str, folders: Iterable[Path]) -> list[Path]:
    """Return the catalogues of a language: those of the whole tag first, and for each tag in the order of the folders.

    `pt-BR` finds `pt_BR` and `pt`. A tag's script is never left out: `sr-Latn-RS` finds `sr_Latn`, but not `sr`.
    """
    found = []
    for name in _names(language):
        for folder in folders:
            # A .po is the source of the .mo next to it, and may be newer. The wheel has the .mo only.
            paths = (folder / name / "LC_MESSAGES" / f"consentkit{suffix}" for suffix in (".po", ".mo"))
            found += [path for path in paths if path.is_file()][:1]
    return found


def _names(language: str) -> list[str]:
    parts = language.split("-")
    shortest = max([1, *(place + 1 for place, part in enumerate(parts) if place and _is_script(part))])
    names = ["_".join(parts[:length]) for length in range(len(parts), shortest - 1, -1)]
    other = _OTHER_TAGS.get(parts[0].lower())
    return names if other is None else [*names, other]


def _is_script(subtag: str) -> bool:
    return len(subtag) == 4 and subtag.isalpha()


def shipped_languages() -> list[str]:
    """Return the tags of the languages that the library speaks, in alphabetical order."""
    return sorted({"en", *(path.name for path in LOCALES.iterdir() if path.is_dir())})


def languages_without_catalogue(languages: Iterable[str], locales: Path | None = None) -> list[str]:
    """Return the languages that have a catalogue neither in the library nor in the site's own folder.

    English needs none, because the sources have the English texts.
    """
    folders = _folders(locales)
    return [
        language
        for language in languages
        if language.split("-")[0].lower() != "en" and not catalogue_files(language, folders)
    ]


def require_catalogues(languages: Iterable[str], locales: Path | None = None) -> None:
    """Check that the library has its own texts in every language.

    Raises:
        ConfigurationError: a language has no catalogue.
    """
    missing = languages_without_catalogue(languages, locales)
    if missing:
        tag = missing[0]
        where = "" if locales is None else f", and {str(locales)!r} has none"
        raise ConfigurationError(
            f"The policy lists the language {tag!r}, for which consentkit has no catalogue{where}. "
            f"Write one, starting with `consentkit catalogue {tag}`, and pass its folder: "
            'ConsentManager(..., locales="locales"). '
            f"Or remove {tag!r} from `languages`. Included are {', '.join(shipped_languages())}."
        )


def _folders(locales: Path | None) -> Sequence[Path]:
    return (LOCALES,) if locales is None else (locales, LOCALES)
