"""Links between the sites of a group that take the visitor's choice along.

    {{ "https://trailhead.example/routes" | group_link }}

For a visitor who has answered on this site, the link leads through the hand-off. For other visitors it leads straight to the
other site, because there is no choice to carry.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from consentkit.headers import local_path

__all__ = ["handoff_address"]

Origins = Mapping[str, Sequence[str]]


def handoff_address(address: str, *, site: str, origins: Origins, prefix: str) -> str:
    """Return the address that leads through the hand-off to another site of the group; any other address is returned unchanged.

    The fragment after `#` stays at the end, because browsers keep it over redirects.

    Args:
        address: where the link leads.
        site: id of the site that shows the link.
        origins: those of each site by its id, the canonical origin first.
        prefix: path of the library's own addresses.
    """
    for other_site, site_origins in origins.items():
        for origin in site_origins:
            rest = address.removeprefix(origin)
            if other_site != site and rest != address and rest[:1] in ("", "/", "?", "#"):
                return _by_handoff(address, rest, site, site_origins[0], prefix)
    return address


def _by_handoff(address: str, rest: str, site: str, origin: str, prefix: str) -> str:
    path, hash_sign, fragment = rest.partition("#")
    path = path if path.startswith("/") else f"/{path}"
    if local_path(path, prefix) != path:
        return address
    return f"{origin}{prefix}/handoff/start?{urlencode({'iss': site, 'next': path})}{hash_sign}{fragment}"
