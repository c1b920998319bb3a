"""Which addresses a page may embed for a vendor: those within the frame origins that the vendor declares."""

import re
from collections.abc import Iterable

__all__ = ["is_within"]

LONGEST_ADDRESS = 2048
# Browsers and URL parsers disagree on backslashes, white space, user names, `//` and letter case. An address that two of
# them could read differently does not match at all.
_ADDRESS = re.compile(
    r"(https://([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?))(?:[/?#][!#-;=?-\[\]_a-z~]*)?"
)


def is_within(address: str, origins: Iterable[str]) -> bool:
    """Return whether an https address has one of these origins; `https://*.example.com` matches its subdomains."""
    match = _ADDRESS.fullmatch(address) if len(address) <= LONGEST_ADDRESS else None
    if match is None:
        return False
    address_origin, host = match[1], match[2]
    for origin in origins:
        suffix = origin.partition("://*")[2]
        if address_origin == origin or (suffix and host.endswith(suffix) and not host.startswith(suffix)):
            return True
    return False
