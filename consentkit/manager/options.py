"""Validation of a manager's options: the site, its origins, the cookie's domain, the path under which the library answers."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from consentkit._catalogue_files import require_catalogues
from consentkit.errors import ConfigurationError
from consentkit.notices import Notice
from consentkit.policy import Policy, SiteOrigin

__all__ = [
    "Origins",
    "chosen_site",
    "existing_folder",
    "notices_of",
    "own_folders",
    "require_kinds",
    "site_origins",
    "validated_domain",
    "validated_frontends",
    "validated_paths",
    "validated_periods",
    "validated_prefix",
]

log = logging.getLogger("consentkit.cookie")

Origins = Mapping[str, str | Sequence[str]]

_ORIGIN: TypeAdapter[str] = TypeAdapter(SiteOrigin)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# Browsers treat plain http as secure there too.
_LOOPBACK_ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|\[::1\])(?::(?!80\Z)[1-9][0-9]{0,4})?")
_IPV4_ADDRESS = re.compile(r"[0-9.]+")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


@runtime_checkable
class LockedPolicy(Protocol):
    """A policy that comes with the notices of its `consent.lock`, as `load_policy` returns it."""

    @property
    def notices(self) -> Sequence[Notice]:
        """Every notice that the policy published, newest last."""


def notices_of(policy: Policy) -> Sequence[Notice]:
    """Return the notices of the lock that a policy was loaded with; none for a policy that was not read from a file."""
    return policy.notices if isinstance(policy, LockedPolicy) else ()


# What a type checker would find, for sites that have none.
_KINDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "policy": (
        lambda value: isinstance(value, Policy),
        "pass what load_policy returns: ConsentManager(load_policy('consent.toml'), ...)",
    ),
    "prefix": (lambda value: isinstance(value, str), "write a path like '/consent'"),
    "clock": (callable, "pass a function that returns seconds since the epoch, such as time.time"),
    "csp": (lambda value: isinstance(value, str | None), "pass the value of the header as one string"),
    "frontends": (
        lambda value: isinstance(value, str | Iterable) and all(isinstance(origin, str) for origin in value),
        "pass one origin or a list of origins",
    ),
    "stylesheets": (lambda value: not isinstance(value, str), "pass a list of addresses"),
    **dict.fromkeys(
        ("strict", "banner", "debug", "prune"), (lambda value: isinstance(value, bool), "pass True or False")
    ),
    **dict.fromkeys(
        ("recheck", "max_stale"),
        (
            lambda value: isinstance(value, int | float) and not isinstance(value, bool),
            "give seconds, 0 or more",
        ),
    ),
}


def require_kinds(**options: object) -> None:
    """Check the types of a manager's options.

    Raises:
        ConfigurationError: an option of another type, with what to pass instead.
    """
    for name, value in options.items():
        fits, remedy = _KINDS[name]
        if not fits(value):
            raise ConfigurationError(f"{name} = {value!r} is of the wrong type: {remedy}.")


def existing_folder(name: str, path: str | Path | None) -> Path | None:
    """Return a folder that an option names, if it is given.

    Raises:
        ConfigurationError: there is no such folder.
    """
    if path is None:
        return None
    folder = Path(path)
    if not folder.is_dir():
        raise ConfigurationError(
            f"{name} = {str(path)!r}: there is no such folder. Make it, or leave {name} out."
        )
    return folder


def own_folders(
    policy: Policy, templates: str | Path | None, locales: str | Path | None
) -> tuple[Path | None, Path | None]:
    """Return the site's folders of templates and of catalogues, which together with ours have the policy's languages.

    Raises:
        ConfigurationError: there is no such folder, or a language has no catalogue.
    """
    folders = existing_folder("templates", templates), existing_folder("locales", locales)
    require_catalogues(policy.languages, folders[1])
    return folders


def validated_prefix(prefix: str) -> str:
    """Return the path under which the library answers.

    Raises:
        ConfigurationError: the prefix is not an absolute path of plain segments.
    """
    if not _PREFIX.fullmatch(prefix) or "/." in prefix:
        raise ConfigurationError(
            f"prefix = {prefix!r} is not a path: write it like '/consent', without a slash at the end."
        )
    return prefix


def validated_paths(exclude: Sequence[str]) -> tuple[str, ...]:
    """Return the paths whose pages are left alone.

    Raises:
        ConfigurationError: a path is not absolute, or all pages would be left alone.
    """
    if isinstance(exclude, str):
        raise ConfigurationError(
            f"exclude = {exclude!r} is a text: give a list of paths, like [{exclude!r}]."
        )
    for path in exclude:
        if not path.startswith("/") or "?" in path or "#" in path:
            raise ConfigurationError(
                f"exclude: {path!r} is not a path: write it like '/docs' or '/admin/*', without host and query."
            )
        if "*" in path and not path.strip("/*"):
            raise ConfigurationError(
                f"exclude: {path!r} would leave every page alone. List single paths, or use banner=False to show your own banner."
            )
    return tuple(exclude)


def validated_periods(**periods: float) -> dict[str, float]:
    """Return periods in seconds after checking them, by the name of their option.

    Raises:
        ConfigurationError: a period is negative.
    """
    for name, seconds in periods.items():
        if seconds < 0:
            raise ConfigurationError(f"{name} = {seconds} is negative: give seconds, 0 or more.")
    return periods


def chosen_site(policy: Policy, site: str | None) -> str:
    """Return the id of the manager's site. It may be left out if the policy has one site.

    Raises:
        ConfigurationError: the policy has several sites and `site` is None.
        UnknownSiteError: the policy has no such site.
    """
    if site is not None:
        return policy.site(site).id
    if len(policy.sites) > 1:
        listed = ", ".join(repr(declared_site.id) for declared_site in policy.sites)
        raise ConfigurationError(
            f"site is missing and the policy has {len(policy.sites)} sites: give one of {listed}."
        )
    return policy.sites[0].id


def site_origins(policy: Policy, origins: Origins) -> dict[str, tuple[str, ...]]:
    """Return every site's origins, the canonical one first: those given, else the policy's.

    A site that is given an origin on this machine also has the machine's other names, on the same port.

    Raises:
        UnknownSiteError: the policy has no such site.
        ConfigurationError: a value is not an origin, or is http on another host than localhost.
    """
    by_site: dict[str, tuple[str, ...]] = {site.id: (site.origin,) for site in policy.sites}
    for site, given in origins.items():
        listed = (given,) if isinstance(given, str) else tuple(given)
        if not listed:
            raise ConfigurationError(
                f"origins[{site!r}] is empty: give at least one origin, or leave the site out."
            )
        validated = [_validated_origin(f"origins[{site!r}]", origin) for origin in listed]
        by_site[policy.site(site).id] = tuple(dict.fromkeys((*validated, *_loopback_names(validated))))
    return by_site


def _loopback_names(origins: Iterable[str]) -> Iterator[str]:
    """Yield the other names of this machine for origins on it, because servers print one and people type another."""
    for origin in origins:
        for known in _LOOPBACK:
            before, name, port = origin.partition(f"://{known}")
            if name and (not port or port.startswith(":")):
                yield from (f"{before}://{other}{port}" for other in _LOOPBACK)


def _validated_origin(option: str, origin: str) -> str:
    try:
        return _ORIGIN.validate_python(origin)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise ConfigurationError(
            f"{option} = {origin!r}: {reason} Write scheme, host and port, like 'http://localhost:8000'."
        ) from None


def validated_frontends(frontends: str | Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """Return the other origins whose pages may read and decide, after checking that the consent cookie can reach them.

    Args:
        frontends: one origin or several.
        own: the origins of the manager's site.

    Raises:
        ConfigurationError: a value is not an origin, is http on another host than this machine, or is certainly on another
            site than all origins of `own`.
    """
    require_kinds(frontends=frontends)
    listed = (frontends,) if isinstance(frontends, str) else tuple(frontends)
    for origin in listed:
        if not _LOOPBACK_ADDRESS.fullmatch(origin):
            _validated_origin("frontends", origin)
        if not any(_may_be_same_site(origin, other) for other in own):
            raise ConfigurationError(
                f"frontends = {origin!r} is on another site than {own[0]}, so browsers would not send it the consent cookie "
                "(SameSite=Lax). Serve both with the same scheme below one domain, like https://www.example.org and "
                "https://api.example.org, or pass the consent pages on through the front end's own host."
            )
    return tuple(dict.fromkeys(listed))


def _may_be_same_site(origin: str, other: str) -> bool:
    """Return False if browsers certainly treat two origins as different sites.

    A site is a scheme and a registrable domain, which has at least two labels (HTML, "same site"). Which domains have more
    follows from a list that changes weekly. So `a.co.uk` and `b.co.uk` pass here, and browsers tell them apart.
    """
    one, two = urlsplit(origin), urlsplit(other)
    if one.scheme != two.scheme:
        return False
    hosts = [parts.hostname or "" for parts in (one, two)]
    if hosts[0] == hosts[1]:
        return True
    ends = [host.split(".")[-2:] for host in hosts]
    return ends[0] == ends[1] and not _IPV4_ADDRESS.fullmatch(hosts[0])


def validated_domain(domain: str | None, origin: str) -> str | None:
    """Return the domain whose sub-domains share the consent cookie; None if each host has its own. Log what a domain risks.

    Raises:
        ConfigurationError: the site's host is not within the domain, so no browser would keep the cookie.
    """
    if domain is None:
        return None
    host = origin.partition("://")[2].partition(":")[0]
    if "." not in domain or domain.startswith(".") or not f".{host}".endswith(f".{domain}"):
        raise ConfigurationError(
            f"cookie_domain = {domain!r} does not contain the site {origin}: give a domain like 'example.org' that "
            "contains the site's host, without a leading dot, or leave it out."
        )
    log.info(
        "cookie_domain = %r: every host below it can replace a visitor's answer by another genuine one, so leave it out "
        "unless you trust all of them.",
        domain,
    )
    return domain
