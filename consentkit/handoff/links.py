"""Links between the sites of a group, by which a visitor's choice goes along.

    {{ "https://trailhead.example/routes" | group_link }}

For a visitor who has answered here, such a link leads to the other site by way of the hand-off; for everybody else it
stays what it was, so that nothing is carried before there is anything to carry.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from consentkit.headers import local_path

__all__ = ["handoff_address"]

Origins = Mapping[str, Sequence[str]]


def handoff_address(address: str, *, site: str, origins: Origins, prefix: str) -> str:
    """Lead an address on another site of the group by way of the hand-off; any other one stays what it is.

    `site` is where the link stands, and `origins` are those of each site, the canonical one first. What follows `#` stays at the
    end: browsers keep it over redirects.
    """
    for other, known in origins.items():
        for origin in known:
            rest = address.removeprefix(origin)
            if other != site and rest != address and rest[:1] in ("", "/", "?", "#"):
                return _by_handoff(address, rest, site, known[0], prefix)
    return address


def _by_handoff(address: str, rest: str, site: str, origin: str, prefix: str) -> str:
    path, hash_sign, fragment = rest.partition("#")
    path = path if path.startswith("/") else f"/{path}"
    if local_path(path, prefix) != path:
        return address
    return f"{origin}{prefix}/handoff/start?{urlencode({'iss': site, 'next': path})}{hash_sign}{fragment}"
