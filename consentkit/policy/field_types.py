"""Types of the policy's fields: what values each accepts, and how a wrong value can be corrected."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    "is_cookie_name",
    "normalize_language",
    "validated_line",
    "validated_prose",
]

_T = TypeVar("_T")
Many = Annotated[tuple[_T, ...], Field(strict=False)]
"""A list in the file, a tuple in the model."""

_LONGEST_LINE = 500
_LONGEST_PROSE = 4_000
# Controls, line separators, overrides and embeddings of direction, the byte order mark, non-characters, surrogates and
# the invisible tag characters. The marks and joiners that right-to-left and Indic texts need are not among them.
_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff0-\ufffb"
    "\ufffe\uffff\U000e0000-\U000e007f]"
)
_LANGUAGE = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-(?:[A-Za-z]{2}|[0-9]{3}))?(-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
_LANGUAGE_FOR_EDITORS = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
_COOKIE_NAME = re.compile(r"[!#$%&'+\-.^_`|~0-9A-Za-z]+")


def escaped(text: str) -> str:
    """Return a text with escapes for the characters that are invisible or reorder the text around them."""
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04X}", text).replace("\n", "\\n")


def _readable(value: str, longest: int) -> str:
    if not value.strip():
        raise invalid(
            "The text is empty.", "Write what visitors should read, or remove the key if it is optional."
        )
    if len(value) > longest:
        raise invalid(f"The text has {len(value)} characters; at most {longest} are allowed.", "Shorten it.")
    hidden = _HIDDEN.search(value)
    if hidden:
        raise invalid(
            f"The text contains U+{ord(hidden[0]):04X}, which hides or reorders what visitors read.",
            "Remove the character.",
        )
    return value


def validated_line(value: str) -> str:
    """Return a text if it is one readable line of at most 500 characters.

    Raises:
        PydanticCustomError: the text is empty, too long, on several lines, or has hidden characters.
    """
    if "\n" in value:
        raise invalid("The text has more than one line.", "Write it on one line.")
    return _readable(value, _LONGEST_LINE)


def validated_prose(value: str) -> str:
    """Return a text if it is readable and has at most 4000 characters, on any number of lines.

    Raises:
        PydanticCustomError: the text is empty, too long, or has hidden characters.
    """
    return _readable(value, _LONGEST_PROSE)


Line = Annotated[
    str, AfterValidator(validated_line), Field(json_schema_extra={"minLength": 1, "maxLength": _LONGEST_LINE})
]
Prose = Annotated[
    str,
    AfterValidator(validated_prose),
    Field(json_schema_extra={"minLength": 1, "maxLength": _LONGEST_PROSE}),
]


@dataclass(frozen=True, slots=True)
class _Form:
    """An annotation for texts that a regular expression has to match as a whole.

    Attributes:
        expression: the regular expression; editors get it too, unless `for_editors` replaces it.
        message: what was expected.
        remedy: what the owner can write.
        for_editors: a simpler expression for the JSON Schema.
    """

    expression: str
    message: str
    remedy: str
    for_editors: str = ""

    def _validated(self, value: str) -> str:
        if not re.fullmatch(self.expression, value):
            raise invalid(self.message, self.remedy)
        return value

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Match the expression after pydantic has checked that the value is text."""
        return core_schema.no_info_after_validator_function(self._validated, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the expression to the JSON Schema."""
        return handler(schema) | {"pattern": f"^{self.for_editors or self.expression}$"}


Id = Annotated[
    str,
    _Form(
        r"[a-z][a-z0-9_-]{0,63}",
        "Not an id: expected a lowercase letter, then at most 63 lowercase letters, digits, - or _.",
        'Choose an id such as "analytical" or "google-analytics".',
    ),
]
PublicKey = Annotated[
    str,
    _Form(
        # 43 characters hold 258 bits; the last two are zero in the canonical form.
        r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]",
        "Not a public key: expected 43 characters of base64url.",
        "Write the 32 raw bytes of the Ed25519 public key as base64url without padding.",
    ),
]
DpvTerm = Annotated[
    str,
    _Form(
        r"[A-Z][A-Za-z0-9]{1,63}",
        "Not a term of the Data Privacy Vocabulary.",
        'Write the term without its prefix, such as "IPAddress" or "TargetedAdvertising".',
    ),
]
CookiePath = Annotated[
    str,
    _Form(
        r"/[!-:<-~]{0,1023}",
        "Not the path of a cookie.",
        'Write a path that begins with "/", in visible ASCII characters without a semicolon.',
        for_editors="/[!-:<-~]*",
    ),
]


def normalize_language(tag: str) -> str | None:
    """Return a BCP 47 tag of language, script, region and variants in its usual letter case (`zh-Hant-TW`), else None."""
    if _LANGUAGE.fullmatch(tag) is None:
        return None
    language, *subtags = tag.split("-")
    cased = [language.lower()]
    for subtag in subtags:
        if len(subtag) == 4 and subtag.isalpha():
            cased.append(subtag.title())
        else:
            cased.append(subtag.upper() if len(subtag) == 2 else subtag.lower())
    return "-".join(cased)


def _validated_language(value: str) -> str:
    tag = normalize_language(value)
    if tag is None:
        raise invalid("Not a language tag of BCP 47.", 'Write a tag such as "en", "nl" or "pt-BR".')
    return tag


Language = Annotated[
    str, AfterValidator(_validated_language), Field(json_schema_extra={"pattern": _LANGUAGE_FOR_EDITORS})
]


class Texts(Mapping[str, str]):
    """An immutable mapping from language tags to texts. It equals every mapping with the same items."""

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
        """Validate a table of texts by language, and dump it as a dictionary."""
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.no_info_before_validator_function(
                _table_by_language, handler.generate_schema(dict[Language, Prose])
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON Schema of a table of texts by language."""
        described = handler(schema)
        described["propertyNames"] = {"pattern": _LANGUAGE_FOR_EDITORS}
        return described | {"minProperties": 1}


def _table_by_language(value: object) -> object:
    if isinstance(value, str) or value == {}:
        raise invalid("The text has no language.", 'Write a table by language: { en = "…", nl = "…" }.')
    if isinstance(value, Texts):
        return dict(value)
    if isinstance(value, dict) and len({str(tag).lower() for tag in value}) < len(value):
        raise invalid(
            "The same language is listed twice, in different letter case.",
            "Remove one of the two texts.",
        )
    return value


def _validated_pattern(value: str) -> str:
    validated_line(value)
    if not value.strip("*"):
        raise invalid(
            "The name matches everything.",
            'Write the name of what is stored; a * at the end stands for any ending: "_ga*".',
        )
    if "*" in value[:-1]:
        raise invalid("The name has a * before its last character.", 'Write a * at the end only: "_ga*".')
    return value


Pattern = Annotated[
    str, AfterValidator(_validated_pattern), Field(json_schema_extra={"pattern": r"^[^*]+\*?$"})
]


def is_cookie_name(pattern: str) -> bool:
    """Return whether a cookie can have a name of this pattern: an HTTP token (RFC 6265)."""
    return _COOKIE_NAME.fullmatch(pattern.removesuffix("*")) is not None


def _validated_lifetime(value: object) -> Duration | str:
    return "session" if value == "session" else Duration.validated(value)


Lifetime = Annotated[
    Duration | Literal["session"],
    PlainValidator(_validated_lifetime, json_schema_input_type=Duration | Literal["session"]),
    PlainSerializer(str, return_type=str),
]


def _validated_schema_version(value: int) -> int:
    if value != 1:
        raise invalid(
            "This version of consentkit does not know this schema.",
            "Write schema = 1, or upgrade consentkit.",
        )
    return value


SchemaVersion = Annotated[
    int, AfterValidator(_validated_schema_version), Field(json_schema_extra={"const": 1})
]
