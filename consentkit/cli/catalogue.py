"""`consentkit catalogue`: start a translation of the library's texts, or complete it; and what `check` finds about languages."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from consentkit._catalogue_files import languages_without_catalogue, shipped_languages
from consentkit.cli.console import count, fail, out
from consentkit.cli.own_catalogues import untranslated, write_catalogue
from consentkit.errors import ConfigurationError, PolicyProblem
from consentkit.policy import Policy

__all__ = ["catalogue", "check_languages"]

_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def catalogue(
    language: Annotated[str, typer.Argument(help="Tag of the language, such as eo or pt-BR.")],
    locales: Annotated[
        Path, typer.Option("--locales", help="Folder of your catalogues (`locales=`); created if needed.")
    ] = Path("locales"),
) -> None:
    """Write a catalogue of the library's texts for you to translate, or add those that a new version has.

    Translations that are there stay. Run it again after each update of consentkit.
    """
    if not _TAG.fullmatch(language):
        fail(f"{language!r} is not the tag of a language: write it like eo or pt-BR.", 2)
    try:
        path, missing = write_catalogue(language, locales)
    except (ConfigurationError, OSError) as error:
        fail(error, 1)
    out.print(f"[bold green]{escape(str(path))}[/]: {count(missing, 'text')} to translate.")


def check_languages(
    path: Path, policy: Policy, locales: Path | None
) -> tuple[list[PolicyProblem], list[PolicyProblem]]:
    """Return problems and warnings about languages that the library does not speak, or not fully.

    Without a folder, a missing catalogue is a warning: the folder may be an option of the site's code.
    """
    without = languages_without_catalogue(policy.languages, locales)
    missing = [_missing(path, language) for language in without]
    if locales is None:
        return [], missing
    try:
        lacking = {
            language: len(untranslated(language, locales))
            for language in policy.languages
            if language not in without and language.split("-")[0] != "en"
        }
    except ConfigurationError as error:
        fail(error, 1)
    return missing, [_incomplete(locales, language, number) for language, number in lacking.items() if number]


def _missing(path: Path, language: str) -> PolicyProblem:
    message = f"consentkit has no texts in this language. Included are {', '.join(shipped_languages())}."
    remedy = (
        f"Start a catalogue with `consentkit catalogue {language}`, translate it, and pass its folder as `locales=`. "
        "Or remove the language."
    )
    return PolicyProblem(str(path), None, "languages", language, message, remedy)


def _incomplete(locales: Path, language: str, number: int) -> PolicyProblem:
    message = f"{count(number, 'text')} not translated: visitors read English there."
    remedy = f"Add them with `consentkit catalogue {language} --locales {locales}`, and translate them."
    return PolicyProblem(str(locales), None, "languages", language, message, remedy)
