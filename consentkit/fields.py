"""The kinds of value that a policy is made of, each with what it refuses and how to mend it."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, PlainSerializer, PlainValidator
from pydantic_core import CoreSchema, core_schema

from consentkit.duration import Duration
from consentkit.faults import fault

__all__ = [
    "CookieName",
    "CookiePath",
    "Domain",
    "Email",
    "Id",
    "Language",
    "Lifetime",
    "Line",
    "Many",
    "Pattern",
    "Prose",
    "PublicKey",
    "SchemaVersion",
    "SiteOrigin",
    "Texts",
    "Url",
    "VendorOrigin",
]

_T = TypeVar("_T")
Many = Annotated[tuple[_T, ...], Field(strict=False)]

_LONGEST_LINE = 500
_LONGEST_PROSE = 4_000
_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ufff9-\uffff\ud800-\udfff]"
)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-(?:[A-Za-z]{2}|[0-9]{3}))?((?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@" + rf"{_LABEL}(?:\.{_LABEL})+", re.IGNORECASE)
_NAME = re.compile(r"[!#$%&'+\-.^_`|~0-9A-Za-z]+")


def _readable(value: str, longest: int) -> str:
    if not value.strip():
        raise fault("The text is empty.", "Write what visitors should read.")
    if len(value) > longest:
        raise fault(f"The text has {len(value)} characters, {longest} are allowed.", "Shorten it.")
    found = _HIDDEN.search(value)
    if found:
        raise fault(
            f"The text holds the character U+{ord(found[0]):04X}, which visitors cannot see or which reorders what they read.",
            "Remove it.",
        )
    return value


def _line(value: str) -> str:
    if "\n" in value:
        raise fault("The text has more than one line.", "Write it on one line.")
    return _readable(value, _LONGEST_LINE)


def _prose(value: str) -> str:
    return _readable(value, _LONGEST_PROSE)


Line = Annotated[str, AfterValidator(_line)]
Prose = Annotated[str, AfterValidator(_prose)]


def _id(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", value):
        raise fault(
            "An id is a small letter, then at most 63 small letters, digits, - or _.",
            'Choose one such as "analytical" or "google-analytics".',
        )
    return value


Id = Annotated[str, AfterValidator(_id), Field(json_schema_extra={"pattern": "^[a-z][a-z0-9_-]{0,63}$"})]


def normal_language(tag: str) -> str | None:
    """Put a BCP 47 tag in its usual letter case (`zh-Hant-TW`); None for what is no tag of language, script and region."""
    found = _LANGUAGE.fullmatch(tag)
    if found is None:
        return None
    language, *others = tag.split("-")
    cased = [language.lower()]
    for part in others:
        if len(part) == 4 and part.isalpha():
            cased.append(part.title())
        else:
            cased.append(part.upper() if len(part) == 2 or part.isdigit() and len(part) == 3 else part.lower())
    return "-".join(cased)


def _language(value: str) -> str:
    tag = normal_language(value)
    if tag is None:
        raise fault("This is not a language tag of BCP 47.", 'Write one such as "en", "nl" or "pt-BR".')
    return tag


Language = Annotated[str, AfterValidator(_language)]


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
        table = handler.generate_schema(dict[Language, Prose])
        return core_schema.no_info_before_validator_function(
            _table_of_texts,
            core_schema.no_info_after_validator_function(cls, table),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )


def _table_of_texts(value: object) -> object:
    if isinstance(value, str):
        raise fault("The text has no language.", 'Write a table by language: { en = "…", nl = "…" }.')
    if isinstance(value, Texts):
        return dict(value)
    return value


def _url(value: str) -> str:
    remedy = 'Write a whole address that begins with "https://".'
    _line(value)
    if any(character.isspace() or character in '<>"\\^`{|}' for character in value):
        raise fault("The address holds a character that no address may hold.", "Write it percent-encoded.")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise fault("This is not an address.", remedy) from None
    if parts.scheme.lower() != "https":
        raise fault("The address is not https.", remedy)
    if "@" in parts.netloc:
        raise fault("The address holds a user name or password.", "Leave it out: this page is public.")
    if not parts.hostname or port == 0:
        raise fault("The address has no host.", remedy)
    return value


Url = Annotated[str, AfterValidator(_url)]


def _origin_parts(value: str) -> tuple[str, str, int | None]:
    found = re.fullmatch(r"(https?)://([^/?#@:\[\]\s]+)(?::([0-9]{1,5}))?", value)
    if found is None or (found[3] and not 0 < int(found[3]) < 65_536):
        raise fault(
            "This is not an origin.",
            'Write scheme and host, and the port if it is not the usual one: "https://stride.example"; no path, no slash at the end.',
        )
    return found[1], found[2], int(found[3]) if found[3] else None


def _site_origin(value: str) -> str:
    scheme, host, port = _origin_parts(value)
    if not _HOST.fullmatch(host):
        raise fault("This is not a host name in small letters.", "Write it as browsers send it, an international name as xn--….")
    local = host == "localhost" or host.endswith(".localhost")
    if scheme == "http" and not local:
        raise fault("The origin is not https.", "Serve the site over https; plain http is for localhost alone.")
    if port == {"http": 80, "https": 443}[scheme]:
        raise fault("The port is the usual one, which browsers leave out.", "Leave it out too.")
    return value


SiteOrigin = Annotated[str, AfterValidator(_site_origin)]


def _vendor_origin(value: str) -> str:
    scheme, host, port = _origin_parts(value)
    if scheme != "https":
        raise fault("The origin is not https.", 'Write it with "https://".')
    name = host.removeprefix("*.")
    if not _HOST.fullmatch(name) or (name != host and "." not in name):
        raise fault("This is not a host name in small letters.", 'Write one such as "https://cdn.vendor.example" or "https://*.vendor.example".')
    return value


VendorOrigin = Annotated[str, AfterValidator(_vendor_origin)]


def _email(value: str) -> str:
    if len(value) > 254 or not _EMAIL.fullmatch(value):
        raise fault("This is not an e-mail address.", 'Write one such as "privacy@publisher.example".')
    return value


Email = Annotated[str, AfterValidator(_email)]


def _public_key(value: str) -> str:
    remedy = "Write the 32 raw bytes of the Ed25519 public key as base64url without padding: 43 characters."
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", value):
        raise fault("This is not a public key.", remedy)
    raw = urlsafe_b64decode(value + "=")
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != value:
        raise fault("The key's last character has bits that no key has.", remedy)
    return value


PublicKey = Annotated[str, AfterValidator(_public_key)]


def _pattern(value: str) -> str:
    if not value.strip("*"):
        raise fault("The name matches everything.", 'Name what is stored; a trailing * matches the rest: "_ga*".')
    if "*" in value[:-1]:
        raise fault("The name has a * that is not its last character.", 'A * only stands at the end: "_ga*".')
    return _line(value)


Pattern = Annotated[str, AfterValidator(_pattern)]


def _domain(value: str) -> str:
    if not _HOST.fullmatch(value.removeprefix(".")):
        raise fault("This is not a domain in small letters.", 'Write one such as ".stride.example".')
    return value


Domain = Annotated[str, AfterValidator(_domain)]


def _cookie_path(value: str) -> str:
    if not re.fullmatch(r"/[\x21-\x3a\x3c-\x7e]{0,1023}", value):
        raise fault("This is not a cookie's path.", 'Write one that begins with "/".')
    return value


CookiePath = Annotated[str, AfterValidator(_cookie_path)]


def _lifetime(value: object) -> object:
    return "session" if value == "session" else Duration._validated(value)


Lifetime = Annotated[
    Duration | Literal["session"],
    PlainValidator(_lifetime, json_schema_input_type=Duration | Literal["session"]),
    PlainSerializer(str, return_type=str),
]


def _schema_version(value: int) -> int:
    if value != 1:
        raise fault("This format is not known to this version of consentkit.", "Write schema = 1, or upgrade consentkit.")
    return value


SchemaVersion = Annotated[int, AfterValidator(_schema_version)]
