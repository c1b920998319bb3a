"""The shipped catalogues: complete, with the placeholders, plural forms and quotation marks of their language."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from gettext import c2py
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

from consentkit.ui.i18n import LOCALES, direction
from tools import catalogues

LANGUAGES = sorted(path.parts[-3] for path in LOCALES.glob("*/LC_MESSAGES/consentkit.po"))
OFFICIAL = "bg cs da de el es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv"  # and English
MORE = "ar ca cy he is nb tr uk"
PLACEHOLDER = re.compile(r"%\(\w+\)s")
QUOTED_NAME = ("quoted name", "“%(name)s”")
QUOTATION_MARKS = "“”„‟«»"
ENGLISH_WORDS = re.compile(r"\b(?:and|the|that|this|which|with|you|your)\b", re.IGNORECASE)
# Placeholders, and names of laws ("Privacy and Electronic Communications Regulations").
LEFT_AS_IT_IS = re.compile(r"%\(\w+\)s|\b[A-Z]\w+(?: (?:and |of |the )*[A-Z]\w+)+")
NUMBERS = range(1, 101)

# Texts that are the same as in English, and why.
SAME_IN_EVERY_LANGUAGE = {
    "Global Privacy Control",  # the name of a specification
}
SAME_WORD = {
    "ca": {"No"},
    "cs": {"Cookies", "Role"},
    "cy": {"Data"},
    "da": {"Canada: Quebec", "Cookie", "Cookies"},
    "de": {"Cookie", "Cookies", "Name"},
    "el": {"Cookie", "Cookies"},
    "es": {"Cookie", "Cookies", "No"},
    "fr": {"Contact", "Cookie", "Cookies", "Sites"},
    "it": {"Cookie", "No"},
    "mt": {"Cookie", "Cookies", "Data"},
    "nl": {"Canada: Quebec", "Contact", "Cookie", "Cookies", "Sites"},
    "pt": {"Cookie", "Cookies", "Sites"},
    "ro": {"Canada: Quebec", "Contact", "Cookie"},
    "sk": {"Cookies"},
    "sv": {"Cookie", "Cookies"},
}


@dataclass(frozen=True, slots=True)
class Translated:
    """A message: its context, the English forms, and the forms of a language."""

    context: str
    english: tuple[str, ...]
    forms: tuple[str, ...]

    @property
    def has_number(self) -> bool:
        return len(self.english) == 2


def path_of(language: str) -> Path:
    return LOCALES / language / "LC_MESSAGES" / "consentkit.po"


@cache
def messages(path: Path) -> dict[tuple[str, str], Translated]:
    """Return the messages of a file by context and English singular; a fuzzy translation counts as none."""
    with path.open("rb") as lines:
        read = [
            one for one in read_po(lines, locale=path.parts[-3] if path.suffix == ".po" else None) if one.id
        ]
    found = (
        Translated(one.context or "", forms_of(one.id), () if one.fuzzy else forms_of(one.string))
        for one in read
    )
    return {(one.context, one.english[0]): one for one in found}


def forms_of(text: Message | str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)  # type: ignore[arg-type]


def all_forms(language: str) -> list[str]:
    return [form for one in messages(path_of(language)).values() for form in one.forms]


def header(language: str, name: str) -> str:
    (value,) = re.findall(rf'^"{name}: (.*)\\n"$', path_of(language).read_text("utf-8"), re.MULTILINE)
    return str(value)


def test_the_official_languages_of_the_union_and_eight_more_are_there() -> None:
    assert set(LANGUAGES) >= set(OFFICIAL.split() + MORE.split())
    assert [language for language in LANGUAGES if direction(language) == "rtl"] == ["ar", "he"]


def test_the_template_has_exactly_the_messages_of_the_sources() -> None:
    sources = {(one.context or "", forms_of(one.id)) for one in catalogues.extract() if one.id}
    template = messages(LOCALES / "consentkit.pot").values()
    assert {(one.context, one.english) for one in template} == sources


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated(language: str) -> None:  # IN-07
    translated = messages(path_of(language))
    assert translated.keys() == messages(LOCALES / "consentkit.pot").keys()
    assert [key for key, one in translated.items() if not one.forms or not all(one.forms)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_the_plural_forms_of_its_language(language: str) -> None:
    expected = get_plural(language)
    told = re.fullmatch(r"nplurals=(\d); plural=(.+);", header(language, "Plural-Forms"))
    assert told is not None
    assert header(language, "Language") == language
    assert (int(told[1]), told[2]) == (expected.num_plurals, expected.plural_expr)
    for one in messages(path_of(language)).values():
        assert len(one.forms) == (expected.num_plurals if one.has_number else 1), one


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_placeholder_is_missing_invented_or_repeated(language: str) -> None:
    exact = forms_of_one_number(language)
    for one in messages(path_of(language)).values():
        most = Counter[str]()
        for english in one.english:
            most |= Counter(PLACEHOLDER.findall(english))
        for place, form in enumerate(one.forms):
            found = Counter(PLACEHOLDER.findall(form))
            # "Our site", and the dual of Arabic: the form says the number.
            may_lack = {"%(num)s"} if one.has_number and place in exact else set()
            assert most.keys() - found.keys() <= may_lack, form
            assert found <= most, form
            assert "%" not in PLACEHOLDER.sub("", form), form


def forms_of_one_number(language: str) -> set[int]:
    """Return the plural forms that no two numbers above zero share."""
    plural = get_plural(language)
    index = c2py(plural.plural_expr)
    used = Counter(index(number) for number in NUMBERS)
    return {place for place in range(plural.num_plurals) if used[place] <= 1}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_in_english(language: str) -> None:  # IN-07
    names = SAME_IN_EVERY_LANGUAGE | SAME_WORD.get(language, set())
    same = set()
    for key, one in messages(path_of(language)).items():
        if key != QUOTED_NAME:
            same |= set(one.forms) & set(one.english)
            assert not any(ENGLISH_WORDS.search(LEFT_AS_IT_IS.sub("", form)) for form in one.forms), one.forms
    assert same == names


@pytest.mark.parametrize("language", LANGUAGES)
def test_quotation_marks_are_those_of_the_language(language: str) -> None:
    (quoted,) = messages(path_of(language))[QUOTED_NAME].forms
    opening, closing = re.sub(r"%\(name\)s|\s", "", quoted)
    for form in all_forms(language):
        # An apostrophe is a mark of its own.
        used = {mark for mark in form if mark in QUOTATION_MARKS}
        assert used <= {opening, closing}, form
        assert form.count(opening) == form.count(closing), form
        assert not re.search(r"[\"'`]", form), form


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_is_plain_text_that_ends_as_the_english_one(language: str) -> None:
    for one in messages(path_of(language)).values():
        for form in one.forms:
            assert not re.search(r"[<>&\x00-\x1f]", form), form
            assert form == form.strip() and "  " not in form, form
            # Some languages write a full stop at the end of a date.
            if not form.endswith("%(date)s"):
                assert [form.endswith(mark) for mark in (":", "…")] == [
                    one.english[-1].endswith(mark) for mark in (":", "…")
                ], form
                assert form.endswith((".", ".”", ":", "…")) >= one.english[-1].endswith("."), form


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
@pytest.mark.parametrize("pair", [("Accept all", "Reject all"), ("Accept", "Reject")])
def test_accept_and_reject_have_words_of_the_same_weight(
    language: str, pair: tuple[str, str]
) -> None:  # UI-02, UI-06
    accept, reject = labels = [
        english if language == "en" else messages(path_of(language))["button", english].forms[0]
        for english in pair
    ]
    assert accept.casefold() != reject.casefold()
    assert max(map(len, labels)) / min(map(len, labels)) <= 2.5
    assert (accept[:1].isupper(), accept[1:].islower()) == (reject[:1].isupper(), reject[1:].islower())


def test_a_short_message_has_a_context_that_tells_where_it_stands() -> None:
    template = messages(LOCALES / "consentkit.pot")
    assert [text for context, text in template if len(text.split()) <= 3 and not context] == []


def test_every_length_of_time_in_a_sentence_is_one_number_with_plural_forms_or_stands_alone() -> None:
    numbers = re.compile(r"(?:%\(\w+\)s|\d+) (?:years?|months?|days?|hours?)\b")
    for one in messages(LOCALES / "consentkit.pot").values():
        if "%(duration)s" in one.english[0]:
            assert re.search(r": %\(duration\)s(?: \(before: %\(old\)s\))?\.$", one.english[0])
        elif any(numbers.search(form) for form in one.english):
            assert one.has_number and all(form.count("%(num)s") == 1 for form in one.english)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_cites_the_same_articles(language: str) -> None:  # LB-07
    for one in messages(path_of(language)).values():
        cited = sorted(re.findall(r"\d+", one.english[0]))
        for form in one.forms if cited else ():
            assert sorted(re.findall(r"\d+", form)) == cited, form


def test_a_legitimate_interest_is_named_only_with_its_article() -> None:  # LB-07
    # What is done without asking has a ground in the GDPR; storing on a device never rests on this one.
    naming = [
        text for _, text in messages(LOCALES / "consentkit.pot") if "legitimate interest" in text.lower()
    ]
    assert naming and all("6(1)(f)" in text or "article 21" in text for text in naming)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_no_text_persuades(language: str) -> None:  # UI-06
    found = messages(LOCALES / "consentkit.pot" if language == "en" else path_of(language)).values()
    text = " ".join(form for one in found for form in (*one.english, *one.forms)).lower()
    banned = ("optimal", "better experience", "jammer", "sorry", "unfortunately", "helaas", "don’t want")
    assert [word for word in banned if word in text] == []
