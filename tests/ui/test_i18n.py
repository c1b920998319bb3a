from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup

from consentkit.errors import ConfigurationError
from consentkit.policy.duration import Duration
from consentkit.ui.i18n import LOCALES, Translator, direction
from consentkit.ui.pages import View
from tests.support.told import consent, pages, policy_of

HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'


def catalogue(folder: Path, language: str, body: str, *, compiled: bool = False) -> Path:
    path = folder / language / "LC_MESSAGES" / "consentkit.po"
    path.parent.mkdir(parents=True)
    path.write_text(HEADER + body, "utf-8")
    if compiled:
        with path.open("rb") as source, path.with_suffix(".mo").open("wb") as target:
            write_mo(target, read_po(source))
        path.unlink()
    return folder


@pytest.mark.parametrize("language", ["en", "nl"])
def test_no_surface_with_a_choice_names_a_legitimate_interest(language: str) -> None:  # LB-07
    policy = policy_of()
    made, view = pages(policy), View(language=language, consent=consent(policy))
    for html in (made.banner(view), made.preferences(view), made.settings(view)):
        assert "legitimate" not in html and "gerechtvaardigd" not in html


@pytest.mark.parametrize(
    ("asked", "language", "reject"),
    [
        ("en", "en", "Reject all"),
        ("en-GB", "en-GB", "Reject all"),
        ("nl", "nl", "Alles weigeren"),
        ("nl-BE", "nl-BE", "Alles weigeren"),
        ("no", "no", "Avvis alle"),
        ("pt-BR", "pt-BR", "Rejeitar tudo"),
    ],
)
def test_a_language_has_the_catalogue_of_its_tag_or_of_its_primary_language(
    asked: str, language: str, reject: str
) -> None:
    words = Translator(asked)
    assert (words.language, words.pgettext("button", "Reject all")) == (language, reject)
    assert words.direction == "ltr"


@pytest.mark.parametrize("language", ["xx", "eo", "nl-Cyrl"])
def test_a_language_without_a_catalogue_is_refused(language: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"'{language}'.*Included are ar, bg"):
        Translator(language)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_catalogue_of_the_site_comes_before_the_shipped_one(tmp_path: Path, compiled: bool) -> None:
    body = 'msgctxt "third-party access"\nmsgid "Yes"\nmsgstr "Jawel"\n'
    folder = catalogue(tmp_path, "nl_BE", body, compiled=compiled)
    words = Translator("nl-BE", (folder, LOCALES))
    assert [words.pgettext("third-party access", text) for text in ("Yes", "No")] == ["Jawel", "Nee"]


def test_a_text_with_a_context_is_translated_and_escaped(tmp_path: Path) -> None:  # HT-05
    body = (
        'msgctxt "button"\nmsgid "Back to %(site)s"\nmsgstr "<p>%(site)s"\n\n'
        'msgctxt "link"\nmsgid "Our site"\nmsgid_plural "Our %(num)s sites"\nmsgstr[0] "<b>"\nmsgstr[1] "<i>%(num)s"\n'
    )
    words = Translator("de", (catalogue(tmp_path, "de", body),))
    assert words.pgettext_html("button", "Back to %(site)s", site="<x>") == "&lt;p&gt;&lt;x&gt;"
    assert words.pgettext("link", "Back to %(site)s") == "Back to %(site)s"
    assert words.escaped_npgettext("link", "Our site", "Our %(num)s sites", 2) == "&lt;i&gt;%(num)s"
    assert words.format_names(["<a>", "b"]) == "“&lt;a&gt;” und “b”"


def test_arabic_is_written_from_right_to_left(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, "ar", 'msgid "Yes"\nmsgstr "نعم"\n')
    assert (Translator("ar", (folder,)).direction, direction("ar"), direction("nl")) == ("rtl", "rtl", "ltr")


def test_items_of_a_list_from_right_to_left_are_isolated() -> None:
    assert Translator("ar").format_list(["AdHub", Markup("<a>"), "<b>"]) == (
        "\u2068AdHub\u2069 و\u2068<a>\u2069 و\u2068&lt;b&gt;\u2069"
    )


def test_languages_are_the_same_if_their_primary_tags_are() -> None:
    assert Translator("nl").is_same_language("nl-BE")
    assert not Translator("nl").is_same_language("en")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('msgid "Yes"\nmsgstr "%(who)s"\n', "placeholder"),
        ('msgid "Yes"\nmsgstr "100%"\n', "placeholder"),
        (
            'msgid "%(num)s third party"\nmsgid_plural "%(num)s third parties"\nmsgstr[0] "%(x)s"\nmsgstr[1] ""\n',
            "placeholder",
        ),
        ("msgid unquoted\n", "Fix the catalogue"),
    ],
)
def test_a_catalogue_with_a_syntax_error_or_a_foreign_placeholder_is_refused(
    tmp_path: Path, body: str, told: str
) -> None:
    folder = catalogue(tmp_path, "de", body)
    with pytest.raises(ConfigurationError, match=told):
        Translator("de", (folder,))


def test_a_damaged_mo_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "de" / "LC_MESSAGES" / "consentkit.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a catalogue")
    with pytest.raises(ConfigurationError, match="Compile"):
        Translator("de", (tmp_path,))


def test_translations_and_values_are_escaped(tmp_path: Path) -> None:  # HT-05
    body = 'msgid "Our site"\nmsgid_plural "Our %(num)s sites"\nmsgstr[0] "<b>"\nmsgstr[1] "<i>%(num)s"\n\n'
    words = Translator(
        "de", (catalogue(tmp_path, "de", body + 'msgid "Back to %(site)s"\nmsgstr "<p>%(site)s"\n'),)
    )
    assert words.gettext_html("Back to %(site)s", site="<script>") == "&lt;p&gt;&lt;script&gt;"
    assert words.gettext_html("Back to %(site)s", site=Markup("<em>")) == "&lt;p&gt;<em>"
    assert words.ngettext_html("Our site", "Our %(num)s sites", 2) == "&lt;i&gt;2"
    assert words.format_list(["<a>", Markup("<b>"), "c"]) == "&lt;a&gt;, <b> und c"


@pytest.mark.parametrize(
    ("iso", "english", "dutch"),
    [
        ("P6M", "6 months", "6 maanden"),
        ("P13M", "13 months", "13 maanden"),
        ("P1Y", "1 year", "1 jaar"),
        ("P24M", "2 years", "2 jaar"),
        ("P90D", "90 days", "90 dagen"),
        ("P1DT2H", "1 day, 2 hours", "1 dag en 2 uur"),
        ("PT30M", "30 minutes", "30 minuten"),
        ("PT1S", "1 second", "1 seconde"),
        ("session", "when you close the browser", "het sluiten van de browser"),
    ],
)
def test_durations_are_written_in_words(iso: str, english: str, dutch: str) -> None:  # IN-01
    lifetime = iso if iso == "session" else Duration.parse(iso)
    assert [Translator(language).format_lifetime(lifetime) for language in ("en", "nl")] == [english, dutch]


def test_countries_and_dates_are_localized() -> None:
    english, dutch, day = Translator("en"), Translator("nl"), datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    assert [english.country_name("US"), dutch.country_name("US"), english.country_name("Q1")] == [
        "United States",
        "Verenigde Staten",
        "Q1",
    ]
    assert [english.format_date(day), dutch.format_date(day)] == ["22 November 2026", "22 november 2026"]


def test_a_language_unknown_to_cldr_is_formatted_as_english(tmp_path: Path) -> None:
    words = Translator("qaa", (catalogue(tmp_path, "qaa", 'msgid "Yes"\nmsgstr "Yip"\n'),))
    assert (words.language, words.gettext("Yes"), words.country_name("NL")) == ("qaa", "Yip", "Netherlands")


@pytest.mark.parametrize("language", sorted(path.name for path in LOCALES.iterdir() if path.is_dir()))
def test_every_language_writes_lengths_of_time_with_two_and_three_units(language: str) -> None:
    translator = Translator(language)
    for months, days, seconds in ((12, 2, 0), (1, 10, 3600), (13, 0, 60)):
        words = translator.format_lifetime(Duration(months=months, days=days, seconds=seconds))
        assert len(words.split()) >= 3
