"""The addresses that a policy holds: pages, origins, domains, e-mail. Only https leads out of a page (HT-05)."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from consentkit.policy.field_types import line, prose
from consentkit.policy.findings import invalid

__all__ = ["Domain", "Email", "Reference", "SiteOrigin", "Url", "VendorOrigin", "host_of", "is_local"]

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_EMAIL = re.compile(rf"[^\s@<>,;:\"()\[\]\\]{{1,64}}@{_LABEL}(?:\.{_LABEL})+", re.IGNORECASE)
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@:\[\]\\\s]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
_USUAL_PORT = {"http": "80", "https": "443"}


def _url(value: str) -> str:
    line(value)
    if re.search(r'[\s<>"\\^`{|}]', value):
        raise invalid("The address holds a character that no address may hold.", "Write it percent-encoded.")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise invalid("This is not an address.", 'Write a whole one that begins with "https://".') from None
    if parts.scheme != "https":
        raise invalid("The address is not https.", 'Write a whole one that begins with "https://".')
    if "@" in parts.netloc:
        raise invalid(
            "The address holds a user name or password.", "Leave it out: visitors see this address."
        )
    if not host or port == 0:
        raise invalid("The address has no host.", 'Write a whole one that begins with "https://".')
    return value


Url = Annotated[
    str,
    AfterValidator(_url),
    Field(json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]://"}),
]


def _reference(value: str) -> str:
    prose(value)
    if "://" in value or re.match(r"\s*[a-z][a-z0-9+.-]*:(?!\s)", value, re.IGNORECASE):
        return _url(value)
    return value


Reference = Annotated[str, AfterValidator(_reference)]
"""An https address, an e-mail address or a postal one."""


def _origin(value: str) -> re.Match[str]:
    found = _ORIGIN.fullmatch(value)
    if found is None or int(found["port"] or 0) > 65_535:
        raise invalid(
            "This is not an origin.",
            'Write scheme, host and any unusual port, nothing after them: "https://www.example.org".',
        )
    if found["port"] == _USUAL_PORT[found["scheme"]]:
        raise invalid("The port is the usual one, which browsers leave out.", "Leave it out too.")
    return found


def _site_origin(value: str) -> str:
    found = _origin(value)
    if not _HOST.fullmatch(found["host"]):
        raise invalid(
            "This is not a host name in small letters.", "Write it as browsers send it: example.org, xn--…."
        )
    if found["scheme"] == "http" and not is_local(found["host"]):
        raise invalid(
            "The origin is not https.", "Serve the site over https; plain http is for localhost alone."
        )
    return value


SiteOrigin = Annotated[
    str,
    AfterValidator(_site_origin),
    Field(json_schema_extra={"pattern": "^https?://[a-z0-9_.-]+(:[0-9]+)?$"}),
]


def _vendor_origin(value: str) -> str:
    found = _origin(value)
    if found["scheme"] != "https":
        raise invalid("The origin is not https.", 'Write it with "https://".')
    host = found["host"].removeprefix("*.")
    if found["host"].startswith("*") and "." not in host:
        raise invalid("The origin covers more than any vendor has.", 'Name it: "https://*.vendor.example".')
    if not _HOST.fullmatch(host):
        raise invalid(
            "This is not a host name in small letters.",
            'Write one such as "https://cdn.vendor.example" or "https://*.vendor.example".',
        )
    return value


VendorOrigin = Annotated[
    str,
    AfterValidator(_vendor_origin),
    Field(json_schema_extra={"pattern": r"^https://(\*\.)?[a-z0-9_.-]+(:[0-9]+)?$"}),
]


def _email(value: str) -> str:
    line(value)
    if len(value) > 254 or not _EMAIL.fullmatch(value):
        raise invalid("This is not an e-mail address.", 'Write one such as "privacy@publisher.example".')
    return value


Email = Annotated[str, AfterValidator(_email), Field(json_schema_extra={"format": "email"})]


def _domain(value: str) -> str:
    if not _HOST.fullmatch(value.removeprefix(".")):
        raise invalid("This is not a domain in small letters.", 'Write one such as ".stride.example".')
    return value


Domain = Annotated[str, AfterValidator(_domain), Field(json_schema_extra={"pattern": r"^\.?[a-z0-9_.-]+$"})]


def host_of(origin: str) -> str:
    """Give the host of an origin that the fields above let pass, without its port."""
    return origin.split("://", 1)[1].split(":")[0]


def is_local(host: str) -> bool:
    """Say whether a host is this machine by its name, where browsers take plain http for secure."""
    return host == "localhost" or host.endswith(".localhost")
