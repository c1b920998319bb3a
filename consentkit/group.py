"""Links between the sites of a group, by which a visitor's choice goes along.

    {{ "https://trailhead.example/routes" | group_link }}

For a visitor who has answered here, such a link leads to the other site by way of the hand-off; for everybody else it
stays what it was, so that nothing is carried before there is anything to carry.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from consentkit.errors import UsageError
from consentkit.headers import local_path
from consentkit.request import RequestConsent

__all__ = ["group_link", "handoff_address", "link_to_group"]

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


def link_to_group(consent: RequestConsent, address: str) -> str:
    """Return an address for a link on this visitor's page; the answer then depends on the visitor."""
    manager = consent.manager
    if manager.private_key is None:
        return address
    led = handoff_address(address, site=manager.site, origins=manager.origins, prefix=manager.prefix)
    return led if led != address and consent.status.decided else address


@pass_context
def group_link(context: Context, address: str) -> str:
    """Return what `link_to_group` does, as a Jinja2 filter; takes `consent` or `request` out of the template's context.

    Raises:
        UsageError: the context has neither.
    """
    plain = address.unescape() if isinstance(address, Markup) else address
    return link_to_group(_consent_in(context), plain)


def _consent_in(context: Context) -> RequestConsent:
    found: Any = context.get("consent")
    if not isinstance(found, RequestConsent):
        request: Any = context.get("request")
        found = getattr(request, "scope", {}).get("state", {}).get("consent")
    if not isinstance(found, RequestConsent):
        raise UsageError("group_link needs the visitor's consent: give the template `request` or `consent`.")
    return found
