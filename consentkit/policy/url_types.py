"""Types of the policy's addresses: URLs, origins, domains and e-mail. Links to other sites are https (HT-05)."""

import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from consentkit.policy.field_types import Texts, validated_line, validated_prose
from consentkit.policy.findings import invalid

__all__ = [
    "Domain",
    "Email",
    "Essence",
    "LocalizedUrl",
    "Reference",
    "SiteOrigin",
    "Url",
    "VendorConnection",
    "VendorOrigin",
    "host_of",
    "is_local",
]

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_EMAIL = re.compile(rf"[^\s@<>,;:\"()\[\]\\]{{1,64}}@{_LABEL}(?:\.{_LABEL})+", re.IGNORECASE)
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@:\[\]\\\s]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
# A host source of CSP Level 3, section 2.3.1; its path has nothing that would end the source or the directive.
_SOURCE = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>[^/?#@:\[\]\\\s]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[A-Za-z0-9+._~!$&'()=*:@%/-]*)?"
)
_PATH_FOR_EDITORS = r"(/[A-Za-z0-9+._~!$&'()=*:@%/-]+)?"
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def _validated_url(value: str) -> str:
    validated_line(value)
    if re.search(r'[\s<>"\\^`{|}]', value):
        raise invalid("The URL contains a character that is not allowed in URLs.", "Percent-encode it.")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise invalid("Not a URL.", 'Write a complete URL that begins with "https://".') from None
    if parts.scheme != "https":
        raise invalid("The URL is not https.", 'Write a complete URL that begins with "https://".')
    if "@" in parts.netloc:
        raise invalid("The URL contains a user name or password.", "Remove it: visitors see this URL.")
    if not host or port == 0:
        raise invalid("The URL has no host.", 'Write a complete URL that begins with "https://".')
    return value


Url = Annotated[
    str,
    AfterValidator(_validated_url),
    Field(json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]://"}),
]


def _validated_reference(value: str) -> str:
    validated_prose(value)
    if "://" in value or re.match(r"\s*[a-z][a-z0-9+.-]*:(?!\s)", value, re.IGNORECASE):
        return _validated_url(value)
    return value


Reference = Annotated[str, AfterValidator(_validated_reference)]
"""An https URL, an e-mail address or a postal address."""


_TEXTS: TypeAdapter[Texts] = TypeAdapter(Texts)


def _by_language(validate: Callable[[str], str], expected: str) -> Callable[[object], str | Texts]:
    """Return a validator for a URL, or for a table by language whose values `validate` accepts."""

    def validated(value: object) -> str | Texts:
        if isinstance(value, str) and "://" in value:
            return _validated_url(value)
        if not isinstance(value, (dict, Texts)) or not all(isinstance(text, str) for text in value.values()):
            raise invalid(f"Expected {expected}.", 'Write "https://…", or a table: { en = "…", nl = "…" }.')
        try:
            texts = _TEXTS.validate_python(value)
        except ValidationError as error:
            context = error.errors()[0]["ctx"]
            raise invalid(context["message"], context["remedy"]) from None
        return Texts({language: validate(text) for language, text in texts.items()})

    return validated


def _dumped(value: str | Texts) -> str | dict[str, str]:
    return value if isinstance(value, str) else dict(value)


_as_json: Any = PlainSerializer(_dumped)
LocalizedUrl = Annotated[
    str | Texts,
    PlainValidator(_by_language(_validated_url, "a URL"), json_schema_input_type=Url | Texts),
    _as_json,
]
"""An https URL, or a table of https URLs by language."""
Essence = Annotated[
    str | Texts,
    PlainValidator(
        _by_language(validated_prose, "a URL or a text by language"), json_schema_input_type=Url | Texts
    ),
    _as_json,
]
"""An https URL, or a table of texts by language."""


def _origin_parts(value: str) -> re.Match[str]:
    parts = _ORIGIN.fullmatch(value)
    if parts is None or int(parts["port"] or 0) > 65_535:
        raise invalid(
            "Not an origin.",
            'Write the scheme, the host, and a port that is not the default, nothing more: "https://www.example.org".',
        )
    if parts["port"] == _DEFAULT_PORTS[parts["scheme"]]:
        raise invalid("The port is the default of the scheme, which browsers leave out.", "Remove it.")
    return parts


def _validated_site_origin(value: str) -> str:
    parts = _origin_parts(value)
    if not _HOST.fullmatch(parts["host"]):
        raise invalid(
            "Not a host name in lowercase.", "Write the host as browsers send it: example.org, xn--…."
        )
    if parts["scheme"] == "http" and not is_local(parts["host"]):
        raise invalid(
            "The origin is not https.",
            "Serve the site over https; plain http is accepted for localhost only.",
        )
    return value


SiteOrigin = Annotated[
    str,
    AfterValidator(_validated_site_origin),
    Field(json_schema_extra={"pattern": "^https?://[a-z0-9_.-]+(:[0-9]+)?$"}),
]


def _validated_source(value: str, schemes: tuple[str, ...]) -> str:
    parts = _SOURCE.fullmatch(value)
    if parts is None or int(parts["port"] or 0) > 65_535:
        raise invalid(
            "Not an origin.",
            'Write the scheme and the host, then a port or a path if needed: "https://cdn.vendor.example/js/".',
        )
    if parts["scheme"] == "wss" and "wss" not in schemes:
        raise invalid("Only `connect` has WebSockets.", 'Move it to `connect`, or begin it with "https://".')
    if parts["scheme"] not in schemes:
        expected = " or ".join(f'"{scheme}://"' for scheme in schemes)
        raise invalid(f"The origin is not {' or '.join(schemes)}.", f"Begin the origin with {expected}.")
    if parts["port"] == "443":
        raise invalid("The port is the default of the scheme, which browsers leave out.", "Remove it.")
    if parts["path"] == "/":
        raise invalid("The path / stands for the whole host.", "Remove the slash at the end.")
    host = parts["host"].removeprefix("*.")
    if parts["host"].startswith("*") and "." not in host:
        raise invalid(
            "The origin covers more hosts than one vendor can have.",
            'Write the vendor\'s domain: "https://*.vendor.example".',
        )
    if not _HOST.fullmatch(host):
        raise invalid(
            "Not a host name in lowercase.",
            'Write an origin such as "https://cdn.vendor.example" or "https://*.vendor.example".',
        )
    return value


VendorOrigin = Annotated[
    str,
    AfterValidator(lambda value: _validated_source(value, ("https",))),
    Field(json_schema_extra={"pattern": rf"^https://(\*\.)?[a-z0-9_.-]+(:[0-9]+)?{_PATH_FOR_EDITORS}$"}),
]
"""Where a vendor's content comes from. A path ends in / if it stands for all below it (CSP Level 3, section 6.7.2.12)."""
VendorConnection = Annotated[
    str,
    AfterValidator(lambda value: _validated_source(value, ("https", "wss"))),
    Field(
        json_schema_extra={"pattern": rf"^(https|wss)://(\*\.)?[a-z0-9_.-]+(:[0-9]+)?{_PATH_FOR_EDITORS}$"}
    ),
]
"""What scripts of a vendor connect to: an origin as above, or a WebSocket."""


def _validated_email(value: str) -> str:
    validated_line(value)
    if len(value) > 254 or not _EMAIL.fullmatch(value):
        raise invalid("Not an e-mail address.", 'Write an address such as "privacy@publisher.example".')
    return value


Email = Annotated[str, AfterValidator(_validated_email), Field(json_schema_extra={"format": "email"})]


def _validated_domain(value: str) -> str:
    if not _HOST.fullmatch(value.removeprefix(".")):
        raise invalid("Not a domain in lowercase.", 'Write a domain such as ".stride.example".')
    return value


Domain = Annotated[
    str, AfterValidator(_validated_domain), Field(json_schema_extra={"pattern": r"^\.?[a-z0-9_.-]+$"})
]


def host_of(origin: str) -> str:
    """Return the host of a SiteOrigin, VendorOrigin or VendorConnection, without its port and path."""
    return re.split(r"[:/]", origin.split("://", 1)[1], maxsplit=1)[0]


def is_local(host: str) -> bool:
    """Return whether a host name means this machine, where browsers treat plain http as secure."""
    return host == "localhost" or host.endswith(".localhost")
