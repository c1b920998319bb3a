from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from consentkit.policy.field_types import (
    CookiePath,
    DpvTerm,
    Id,
    Language,
    Line,
    Pattern,
    Prose,
    PublicKey,
    Texts,
    escaped,
    is_cookie_name,
    normalize_language,
)


def refused(kind: Any, value: object) -> str:
    """The message and the remedy with which a value is refused."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value, strict=True)
    context = caught.value.errors()[0]["ctx"]
    return f"{context['message']} {context['remedy']}"


def accepted(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value, strict=True)


@pytest.mark.parametrize("value", ["a", "google-analytics", "a" * 64, "a_1-b"])
def test_an_id_is_accepted(value: str) -> None:
    assert accepted(Id, value) == value


@pytest.mark.parametrize("value", ["", "A", "1a", "-a", "a" * 65, "a b", "a.b", "a\n", "é", "~a"])
def test_an_id_that_would_break_cookies_or_forms_is_refused(value: str) -> None:
    assert "lowercase letter" in refused(Id, value)


@pytest.mark.parametrize(
    ("tag", "normal"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("pt-br", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
        ("de-CH-1901", "de-CH-1901"),
        ("nds-NL", "nds-NL"),
    ],
)
def test_language_tags_get_their_usual_letter_case(tag: str, normal: str) -> None:
    assert normalize_language(tag) == normal
    assert accepted(Language, tag) == normal


@pytest.mark.parametrize(
    "tag", ["", "e", "dutch", "en_US", "en-", "-en", "en--US", "en US", "en-x-private", "12", "ën"]
)
def test_a_tag_that_is_not_of_bcp_47_is_refused(tag: str) -> None:
    assert normalize_language(tag) is None
    assert "BCP 47" in refused(Language, tag)


@given(st.from_regex(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-[A-Za-z]{2})?(-[A-Za-z0-9]{5,8})?", fullmatch=True))
def test_a_normal_tag_is_its_own_normal_form(tag: str) -> None:
    normal = normalize_language(tag)
    assert normal is not None and normal.lower() == tag.lower() and normalize_language(normal) == normal


@pytest.mark.parametrize(
    "value",
    [
        "Zoë",
        "日本語",
        "שלום",
        "مرحبا\u200f!",
        "क्\u200dष",
        "👩\u200d💻",
        "a\u00adb",
        'He said "<b>" & left',
        "a\u00a0b",
    ],
)
def test_a_text_in_any_script_is_accepted(value: str) -> None:
    assert accepted(Line, value) == value


@pytest.mark.parametrize(
    "hidden",
    [
        "\x00",
        "\t",
        "\r",
        "\x1b",
        "\x7f",
        "\x85",
        "\u200b",
        "\u2028",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\ufffe",
        "\U000e0041",
    ],
)
def test_a_hiding_or_reordering_character_is_refused_and_escaped(hidden: str) -> None:
    assert f"U+{ord(hidden):04X}" in refused(Line, f"a{hidden}b")
    assert f"U+{ord(hidden):04X}" in refused(Prose, f"a{hidden}b")
    assert escaped(f"a{hidden}b") == f"a\\u{ord(hidden):04X}b"


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValidationError):
        accepted(Line, "a\ud800b")


def test_prose_may_have_several_lines_and_a_line_may_not() -> None:
    assert accepted(Prose, "one\ntwo") == "one\ntwo"
    assert "one line" in refused(Line, "one\ntwo")
    assert escaped("one\ntwo") == "one\\ntwo"


@pytest.mark.parametrize("value", ["", " ", "\n", "\u00a0"])
def test_blank_prose_is_refused(value: str) -> None:
    assert "empty" in refused(Prose, value)


def test_a_line_has_at_most_500_characters_and_prose_at_most_4000() -> None:
    assert accepted(Line, "x" * 500)
    assert "501 characters" in refused(Line, "x" * 501)
    assert accepted(Prose, "x" * 4000)
    assert "4001 characters" in refused(Prose, "x" * 4001)


@pytest.mark.parametrize("value", ["A" * 43, "x" * 42 + "A", "_-" * 21 + "8"])
def test_a_public_key_of_32_octets_is_accepted(value: str) -> None:
    assert accepted(PublicKey, value) == value


@pytest.mark.parametrize(
    "value", ["", "A" * 42, "A" * 44, "A" * 43 + "=", "A" * 42 + "B", "+" * 43, "A" * 43 + "\n"]
)
def test_any_other_public_key_is_refused(value: str) -> None:
    assert "43 characters" in refused(PublicKey, value)


@pytest.mark.parametrize("value", ["IPAddress", "A1"])
def test_a_term_of_the_vocabulary_is_written_without_its_prefix(value: str) -> None:
    assert accepted(DpvTerm, value) == value
    for prefixed in (f"dpv:{value}", value.lower(), f"{value} ", ""):
        assert "Data Privacy Vocabulary" in refused(DpvTerm, prefixed)


@pytest.mark.parametrize("value", ["_ga", "_ga*", "reading list", "x*", "*", "**", "a*b", "a*b*", ""])
def test_a_pattern_has_a_star_only_at_its_end(value: str) -> None:
    if value in ("_ga", "_ga*", "reading list", "x*"):
        assert accepted(Pattern, value) == value
    else:
        assert refused(Pattern, value)


@pytest.mark.parametrize(
    ("name", "possible"),
    [
        ("_ga*", True),
        ("a.b~c", True),
        ("a b", False),
        ("a;b", False),
        ("a=b", False),
        ("é", False),
        ('"a"', False),
    ],
)
def test_a_cookie_name_is_a_token(name: str, possible: bool) -> None:
    assert is_cookie_name(name) is possible


@pytest.mark.parametrize("value", ["/", "/app", "/a%20b"])
def test_a_cookie_path_begins_with_a_slash(value: str) -> None:
    assert accepted(CookiePath, value) == value
    for bad in (value[1:] + "x", f"{value};", f"{value} x", f"{value}\n", f"{value}é"):
        assert "path of a cookie" in refused(CookiePath, bad)


def test_texts_are_made_of_a_table_or_of_texts() -> None:
    texts = accepted(Texts, {"EN": "Count", "nl": "Tel"})
    assert texts == {"en": "Count", "nl": "Tel"}
    assert accepted(Texts, texts) == texts


@pytest.mark.parametrize("value", ["Count", {}, {"en": "a", "EN": "b"}, {"e n": "a"}, {"en": ""}])
def test_a_text_without_a_usable_language_is_refused(value: object) -> None:
    assert refused(Texts, value)


@pytest.mark.parametrize("value", [3, None, ["en"], {"en": 3}])
def test_texts_of_another_type_are_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        accepted(Texts, value)
