"""Types of the policy's addresses: URLs, origins, domains and e-mail. Links to other sites are https (HT-05)."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from consentkit.policy.field_types import validated_line, validated_prose
from consentkit.policy.findings import invalid

__all__ = ["Domain", "Email", "Reference", "SiteOrigin", "Url", "VendorOrigin", "host_of", "is_local"]

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_EMAIL = re.compile(rf"[^\s@<>,;:\"()\[\]\\]{{1,64}}@{_LABEL}(?:\.{_LABEL})+", re.IGNORECASE)
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@:\[\]\\\s]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
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


def _validated_vendor_origin(value: str) -> str:
    parts = _origin_parts(value)
    if parts["scheme"] != "https":
        raise invalid("The origin is not https.", 'Begin the origin with "https://".')
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
    AfterValidator(_validated_vendor_origin),
    Field(json_schema_extra={"pattern": r"^https://(\*\.)?[a-z0-9_.-]+(:[0-9]+)?$"}),
]


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
    """Return the host of a SiteOrigin or VendorOrigin, without its port."""
    return origin.split("://", 1)[1].split(":")[0]


def is_local(host: str) -> bool:
    """Return whether a host name means this machine, where browsers treat plain http as secure."""
    return host == "localhost" or host.endswith(".localhost")
