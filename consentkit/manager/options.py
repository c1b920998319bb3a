"""What a site says about itself when it makes a manager, checked: which site it is, where it runs, under which path we answer."""

import re
from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from consentkit.errors import ConfigurationError
from consentkit.policy import Policy, SiteOrigin

__all__ = ["Origins", "checked_domain", "checked_prefix", "checked_seconds", "chosen_site", "served_from"]

Origins = Mapping[str, str | Sequence[str]]

_ORIGIN: TypeAdapter[str] = TypeAdapter(SiteOrigin)
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


def checked_prefix(prefix: str) -> str:
    """Return the path under which the library answers.

    Raises:
        ConfigurationError: it is not an absolute path of plain segments.
    """
    if not _PREFIX.fullmatch(prefix) or "/." in prefix:
        raise ConfigurationError(
            f"prefix = {prefix!r} is not a path: write it like '/consent', without a slash at the end."
        )
    return prefix


def checked_seconds(name: str, seconds: float) -> float:
    """Return a length of time in seconds.

    Raises:
        ConfigurationError: it is negative.
    """
    if seconds < 0:
        raise ConfigurationError(f"{name} = {seconds} is negative: give seconds, 0 or more.")
    return seconds


def chosen_site(policy: Policy, site: str | None) -> str:
    """Return the id of the site that is meant.

    Raises:
        ConfigurationError: the policy has several and none is named.
        UnknownSiteError: the policy lacks the one that is named.
    """
    if site is not None:
        return policy.site(site).id
    if len(policy.sites) > 1:
        listed = ", ".join(repr(one.id) for one in policy.sites)
        raise ConfigurationError(
            f"site is missing and the policy has {len(policy.sites)} sites: give one of {listed}."
        )
    return policy.sites[0].id


def served_from(policy: Policy, origins: Origins) -> dict[str, tuple[str, ...]]:
    """Return every site's origins, the canonical one first: those given here, else the policy's.

    Raises:
        UnknownSiteError: they name a site that the policy lacks.
        ConfigurationError: one is not an origin, or is http away from localhost.
    """
    found: dict[str, tuple[str, ...]] = {site.id: (site.origin,) for site in policy.sites}
    for site, given in origins.items():
        listed = (given,) if isinstance(given, str) else tuple(given)
        if not listed:
            raise ConfigurationError(
                f"origins[{site!r}] is empty: give at least one origin, or leave the site out."
            )
        found[policy.site(site).id] = tuple(_checked_origin(site, origin) for origin in listed)
    return found


def _checked_origin(site: str, origin: str) -> str:
    try:
        return _ORIGIN.validate_python(origin)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise ConfigurationError(
            f"origins[{site!r}] = {origin!r}: {reason} Write scheme, host and port, like 'http://localhost:8000'."
        ) from None


def checked_domain(domain: str | None, origin: str) -> str | None:
    """Return the domain that sub-domains share a cookie on.

    Raises:
        ConfigurationError: the site's host does not lie within it, so that no browser would keep the cookie.
    """
    if domain is None:
        return None
    host = origin.partition("://")[2].partition(":")[0]
    if "." not in domain or domain.startswith(".") or not f".{host}".endswith(f".{domain}"):
        raise ConfigurationError(
            f"cookie_domain = {domain!r} does not hold the site {origin}: give a domain like 'example.org' that the "
            "site's host lies within, without a leading dot, or leave it out."
        )
    return domain
