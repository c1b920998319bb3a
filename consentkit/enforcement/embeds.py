"""Which addresses a page may embed for a vendor: those within the frame origins that the vendor declares."""

import re
from collections.abc import Iterable

__all__ = ["is_within"]

LONGEST_ADDRESS = 2048
# Browsers and URL parsers disagree on backslashes, white space, user names, `//` and letter case. An address that two of
# them could read differently does not match at all.
_ADDRESS = re.compile(
    r"(https://([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?))"
    r"(?P<path>/[!$-;=@-\[\]_a-z~]*)?(?:[?#][!#-;=?-\[\]_a-z~]*)?"
)
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)


def is_within(address: str, origins: Iterable[str]) -> bool:
    """Return whether an https address has one of these origins; `https://*.example.com` matches its subdomains.

    An origin with a path matches addresses with that path, or below it if the path ends in a slash.
    """
    match = _ADDRESS.fullmatch(address) if len(address) <= LONGEST_ADDRESS else None
    if match is None:
        return False
    address_origin, host, path = match[1], match[2], match["path"] or "/"
    for declared in origins:
        scheme, _, rest = declared.partition("://")
        origin_host, slash, limit = rest.partition("/")
        suffix = origin_host[1:] if origin_host.startswith("*") else ""
        same = address_origin == f"{scheme}://{origin_host}"
        below = suffix and host.endswith(suffix) and not host.startswith(suffix)
        if (same or below) and (not slash or _has_path(path, f"/{limit}")):
            return True
    return False


def _has_path(path: str, limit: str) -> bool:
    """Return whether a path is the declared one, or below it; never if browsers would resolve dots in it."""
    if _DOT_SEGMENT.search(path):
        return False
    return path.startswith(limit) if limit.endswith("/") else path == limit
