"""A thirty-third language: a catalogue from the shipped template, translated and used by a site."""

from pathlib import Path

import pytest

from consentkit.cli.own_catalogues import untranslated, write_catalogue
from consentkit.errors import ConfigurationError
from consentkit.ui.i18n import Translator

ESPERANTO = {
    'msgctxt "button"\nmsgid "Accept all"\nmsgstr ""': "Akcepti ĉion",
    'msgctxt "button"\nmsgid "Reject all"\nmsgstr ""': "Rifuzi ĉion",
}


def translate(path: Path, texts: dict[str, str]) -> None:
    body = path.read_text("utf-8")
    for empty, text in texts.items():
        assert empty in body
        body = body.replace(empty, f'{empty[:-2]}"{text}"')
    path.write_text(body, "utf-8")


def test_a_new_catalogue_has_every_message_with_the_plural_forms_of_its_language(tmp_path: Path) -> None:
    path, missing = write_catalogue("sr-Latn", tmp_path)
    assert path == tmp_path / "sr_Latn" / "LC_MESSAGES" / "consentkit.po"
    body = path.read_text("utf-8")
    assert body.startswith("# Serbian") and "nplurals=3" in body and 'msgstr[2] ""' in body
    assert missing == body.count("\nmsgid ") - 1 > 300
    assert len(untranslated("sr-Latn", tmp_path)) == missing


def test_translations_stay_and_new_messages_are_added(tmp_path: Path) -> None:  # IN-07
    path, missing = write_catalogue("eo", tmp_path)
    translate(path, ESPERANTO)
    heading, _, rest = path.read_text("utf-8").partition("\n\n")
    old = rest.replace('msgctxt "button"\nmsgid "Close"\nmsgstr ""\n\n', "")
    assert old != rest
    path.write_text(f'# Ours.\n{heading}\n\n{old}\n\nmsgid "Gone"\nmsgstr "For"\n', "utf-8")
    again, left = write_catalogue("eo", tmp_path)
    body = path.read_text("utf-8")
    assert (again, left) == (path, missing - 2)
    assert body.startswith("# Ours.\n") and "Akcepti" in body
    assert 'msgid "Close"' in body and 'msgid "Gone"' not in body
    assert len(untranslated("eo", tmp_path)) == missing - 2
    words = Translator("eo", (tmp_path,))
    assert (words.language, words.pgettext("button", "Reject all")) == ("eo", "Rifuzi ĉion")
    assert words.country_name("NL") == "Nederlando"


def test_a_variant_lacks_only_what_the_shipped_catalogue_lacks(tmp_path: Path) -> None:
    write_catalogue("pt-BR", tmp_path)
    assert untranslated("pt-BR", tmp_path) == []


def test_a_language_unknown_to_cldr_gets_two_plural_forms(tmp_path: Path) -> None:
    path, _ = write_catalogue("qaa", tmp_path)
    assert path.read_text("utf-8").startswith("# qaa.\n")
    assert "nplurals=2" in path.read_text("utf-8")


def test_a_damaged_catalogue_is_refused(tmp_path: Path) -> None:
    path, _ = write_catalogue("eo", tmp_path)
    path.write_text("msgid unquoted\n", "utf-8")
    for use in (write_catalogue, untranslated):
        with pytest.raises(ConfigurationError, match="Fix the catalogue"):
            use("eo", tmp_path)
