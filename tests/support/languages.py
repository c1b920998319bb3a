"""The example's policy in every language that the library speaks, with texts of the owner in each."""

from functools import cache
from typing import Any

from babel.messages.pofile import read_po

from consentkit.ui.i18n import LOCALES, Translator

__all__ = ["LANGUAGES", "in_every_language"]

LANGUAGES = sorted({"en", *(path.parts[-3] for path in LOCALES.glob("*/LC_MESSAGES/consentkit.po"))})


@cache
def _sentences() -> list[str]:
    """Return the English messages without placeholders."""
    with (LOCALES / "consentkit.pot").open("rb") as lines:
        found = [one.id for one in read_po(lines) if isinstance(one.id, str) and not one.context]
    return [text for text in found if text and "%(" not in text]


def in_every_language(value: Any) -> Any:
    """Replace each English text of a policy's data by texts in every language.

    They are translations of the library's message that is as long as the English text. So a text has the letters of its
    language, and about the length that a translation has.
    """
    if isinstance(value, dict):
        if isinstance(value.get("en"), str):
            alike = min(_sentences(), key=lambda text: abs(len(text) - len(value["en"])))
            return {language: Translator(language).gettext(alike) for language in LANGUAGES}
        return {key: in_every_language(one) for key, one in value.items()}
    return [in_every_language(one) for one in value] if isinstance(value, list) else value
