"""The kinds of value that a policy is made of: what each refuses, and how to mend it."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from consentkit.policy.duration import Duration
from consentkit.policy.findings import invalid

__all__ = [
    "CookiePath",
    "DpvTerm",
    "Id",
    "Language",
    "Lifetime",
    "Line",
    "Many",
    "Pattern",
    "Prose",
    "PublicKey",
    "SchemaVersion",
    "Texts",
    "escaped",
    "line",
    "normal_language",
    "prose",
]

_T = TypeVar("_T")
Many = Annotated[tuple[_T, ...], Field(strict=False)]
"""A list in the file, a tuple in the model."""

_LONGEST_LINE = 500
_LONGEST_PROSE = 4_000
# Controls, line separators, overrides and embeddings of direction, the byte order mark, non-characters, surrogates,
# and the tag characters, which show nothing. The marks and joiners that right-to-left and Indic texts need may stay.
_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff0-\ufffb"
    "\ufffe\uffff\U000e0000-\U000e007f]"
)
_LANGUAGE = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-(?:[A-Za-z]{2}|[0-9]{3}))?(-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
_TOKEN = re.compile(r"[!#$%&'+\-.^_`|~0-9A-Za-z]+")


def escaped(text: str) -> str:
    """Show the characters that cannot be seen, or that reorder what is seen, as escapes."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04X}", text).replace("\n", "\\n")


def _readable(value: str, longest: int) -> str:
    if not value.strip():
        raise invalid(
            "The text is empty.",
            "Write what visitors should read, or leave the key out where it is optional.",
        )
    if len(value) > longest:
        raise invalid(f"The text has {len(value)} characters; {longest} are allowed.", "Shorten it.")
    found = _HIDDEN.search(value)
    if found:
        raise invalid(
            f"The text holds U+{ord(found[0]):04X}, which hides or reorders what visitors read.", "Remove it."
        )
    return value


def line(value: str) -> str:
    """Refuse what is not one line that can be read, of at most 500 characters."""
    if "\n" in value:
        raise invalid("The text has more than one line.", "Write it on one line.")
    return _readable(value, _LONGEST_LINE)


def prose(value: str) -> str:
    """Refuse what cannot be read, or has more than 4000 characters; several lines are fine."""
    return _readable(value, _LONGEST_PROSE)


Line = Annotated[
    str, AfterValidator(line), Field(json_schema_extra={"minLength": 1, "maxLength": _LONGEST_LINE})
]
Prose = Annotated[
    str, AfterValidator(prose), Field(json_schema_extra={"minLength": 1, "maxLength": _LONGEST_PROSE})
]


def _id(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", value):
        raise invalid(
            "An id is a small letter, then at most 63 small letters, digits, - or _.",
            'Choose one such as "analytical" or "google-analytics".',
        )
    return value


Id = Annotated[str, AfterValidator(_id), Field(json_schema_extra={"pattern": "^[a-z][a-z0-9_-]{0,63}$"})]


def normal_language(tag: str) -> str | None:
    """Put a BCP 47 tag of language, script, region and variants in its usual letter case (`zh-Hant-TW`); else None."""
    if _LANGUAGE.fullmatch(tag) is None:
        return None
    language, *others = tag.split("-")
    cased = [language.lower()]
    for part in others:
        if len(part) == 4 and part.isalpha():
            cased.append(part.title())
        else:
            cased.append(part.upper() if len(part) == 2 else part.lower())
    return "-".join(cased)


def _language(value: str) -> str:
    tag = normal_language(value)
    if tag is None:
        raise invalid("This is not a language tag of BCP 47.", 'Write one such as "en", "nl" or "pt-BR".')
    return tag


Language = Annotated[
    str,
    AfterValidator(_language),
    Field(json_schema_extra={"pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"}),
]


class Texts(Mapping[str, str]):
    """One text in each language of the policy; immutable. Equal to any mapping of the same."""

    __slots__ = ("_by_language",)
    _by_language: dict[str, str]

    def __init__(self, by_language: Mapping[str, str]) -> None:
        object.__setattr__(self, "_by_language", dict(by_language))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Texts cannot be changed.")

    def __getitem__(self, language: str) -> str:
        return self._by_language[language]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_language)

    def __len__(self) -> int:
        return len(self._by_language)

    def __hash__(self) -> int:
        return hash(frozenset(self._by_language.items()))

    def __repr__(self) -> str:
        return f"Texts({self._by_language!r})"

    def __reduce__(self) -> tuple[type["Texts"], tuple[dict[str, str]]]:
        return Texts, (self._by_language,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a table by language; dump the same."""
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.no_info_before_validator_function(
                _table_of_texts, handler.generate_schema(dict[Language, Prose])
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe a table by language."""
        described = handler(schema)
        described["propertyNames"] = {"pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"}
        return described | {"minProperties": 1}


def _table_of_texts(value: object) -> object:
    if isinstance(value, str) or value == {}:
        raise invalid("The text has no language.", 'Write a table by language: { en = "…", nl = "…" }.')
    if isinstance(value, Texts):
        return dict(value)
    if isinstance(value, dict) and len({str(tag).lower() for tag in value}) < len(value):
        raise invalid("A language stands here twice, in different letter case.", "Keep one of the two.")
    return value


def _public_key(value: str) -> str:
    # 43 characters carry 258 bits: the last one ends in two zeros where the form is canonical.
    if not re.fullmatch(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", value):
        raise invalid(
            "This is not a public key.",
            "Write the 32 raw bytes of the Ed25519 public key as base64url without padding: 43 characters.",
        )
    return value


PublicKey = Annotated[
    str,
    AfterValidator(_public_key),
    Field(json_schema_extra={"pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"}),
]


def _dpv_term(value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]{1,63}", value):
        raise invalid(
            "This is not a term of the Data Privacy Vocabulary.",
            'Write its name without the prefix, such as "IPAddress" or "TargetedAdvertising".',
        )
    return value


DpvTerm = Annotated[
    str, AfterValidator(_dpv_term), Field(json_schema_extra={"pattern": "^[A-Z][A-Za-z0-9]{1,63}$"})
]


def _pattern(value: str) -> str:
    line(value)
    if not value.strip("*"):
        raise invalid(
            "The name matches everything.", 'Name what is stored; a * at the end matches the rest: "_ga*".'
        )
    if "*" in value[:-1]:
        raise invalid(
            "The name has a * that is not its last character.", 'A * stands only at the end: "_ga*".'
        )
    return value


Pattern = Annotated[str, AfterValidator(_pattern), Field(json_schema_extra={"pattern": r"^[^*]+\*?$"})]


def is_cookie_name(pattern: str) -> bool:
    """Say whether a cookie may have a name of that pattern (RFC 6265: a token)."""
    return _TOKEN.fullmatch(pattern.removesuffix("*")) is not None


def _cookie_path(value: str) -> str:
    if not re.fullmatch(r"/[\x21-\x3a\x3c-\x7e]{0,1023}", value):
        raise invalid("This is not the path of a cookie.", 'Write one that begins with "/".')
    return value


CookiePath = Annotated[
    str, AfterValidator(_cookie_path), Field(json_schema_extra={"pattern": "^/[!-:<-~]*$"})
]


def _lifetime(value: object) -> Duration | str:
    return "session" if value == "session" else Duration.validated(value)


Lifetime = Annotated[
    Duration | Literal["session"],
    PlainValidator(_lifetime, json_schema_input_type=Duration | Literal["session"]),
    PlainSerializer(str, return_type=str),
]


def _schema_version(value: int) -> int:
    if value != 1:
        raise invalid(
            "This version of consentkit does not know that format.",
            "Write schema = 1, or upgrade consentkit.",
        )
    return value


SchemaVersion = Annotated[int, AfterValidator(_schema_version), Field(json_schema_extra={"const": 1})]
