"""Where a visitor is, as the site itself knows it: from a header of its own proxies. Nothing is looked up over the network."""

import ipaddress
import logging
import re
from collections.abc import Callable, Iterable
from typing import Protocol

from consentkit.errors import ConfigurationError
from consentkit.headers import RawHeaders, header_values
from consentkit.policy import Place, normalize_country

__all__ = ["Location", "RequestOrigin", "TrustedHeader", "TrustedPeers", "is_in_an_app", "trusted_header"]

log = logging.getLogger("consentkit")

_UNIX = "unix"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class RequestOrigin(Protocol):
    """What a location may be read from: the fields of a request, and who sent it."""

    @property
    def headers(self) -> RawHeaders:
        """Pairs of raw bytes, names in lower case."""

    @property
    def peer(self) -> str:
        """The address at the other end of the connection; empty for a Unix socket, or if the server does not know it."""


Location = Callable[[RequestOrigin], Place | None]
"""Returns where the visitor of a request is, or None if that is not known. Must not block."""


class TrustedPeers:
    """Addresses and networks of the site's own proxies, as the server sees them."""

    def __init__(self, peers: str | Iterable[str], name: str) -> None:
        """Parse the addresses.

        Args:
            peers: one or several, such as "10.0.0.0/8"; "unix" for a Unix socket.
            name: of the argument, for the error.

        Raises:
            ConfigurationError: a value that is no address or network.
        """
        networks = []
        listed = [peers] if isinstance(peers, str) else list(peers)
        for peer in listed:
            try:
                if peer != _UNIX:
                    networks.append(ipaddress.ip_network(peer))
            except ValueError as error:
                raise ConfigurationError(
                    f'{name}: {peer!r} is no address or network ({error}): write it like "10.0.0.0/8", or "unix" for a socket.'
                ) from None
        self._networks = tuple(networks)
        self._unix = _UNIX in listed

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def __contains__(self, peer: str) -> bool:
        if not peer:
            return self._unix
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)


class TrustedHeader:
    """Reads the place of a visitor from headers that the site's own proxies set.

    Attributes:
        vary: the names of the headers, for the Vary of responses.
    """

    def __init__(self, country: str, region: str | None, peers: Iterable[str]) -> None:
        """Use `trusted_header`, which checks its arguments."""
        self._country = country.lower().encode("ascii")
        self._region = region.lower().encode("ascii") if region else None
        self._peers = TrustedPeers(peers, "peers")
        self.vary = tuple(name for name in (country, region) if name)
        self._has_warned = False

    def __call__(self, request: RequestOrigin) -> Place | None:
        """Return the place.

        None if the request came past the proxies, if a header is missing, repeated or no code, or if the two contradict each
        other.
        """
        if request.peer not in self._peers:
            self._warn_once(request)
            return None
        country = _single(request.headers, self._country)
        if country is None:
            return None
        if self._region is None:
            return Place.parse(country)
        region = _single(request.headers, self._region)
        # A proxy sends the region with or without the country in front of it, and none where it knows none.
        if region is None:
            return None if _is_sent(request.headers, self._region) else Place.parse(country)
        place = Place.parse(region if "-" in region else f"{country}-{region}")
        return place if place is not None and place.country == normalize_country(country.upper()) else None

    def _warn_once(self, request: RequestOrigin) -> None:
        """Log that the header of an unknown peer is ignored: somebody made it up, or the server hides the proxy's address."""
        if not self._has_warned and header_values(request.headers, self._country):
            self._has_warned = True
            log.warning(
                "%s came from an address that is not in peers, so it is ignored. If it came from your proxy, list the proxy's "
                "address as your server sees it. Some servers put the visitor's address in its place, such as uvicorn with "
                "--proxy-headers, its default: start it with --no-proxy-headers.",
                self.vary[0],
            )


def trusted_header(*, country: str, region: str | None = None, peers: Iterable[str]) -> TrustedHeader:
    """Return a location that reads headers such as `CF-IPCountry` and `CF-Region-Code`.

    Args:
        country: name of the header with a code of ISO 3166-1.
        region: name of the header with the part of ISO 3166-2 after the hyphen, or with the whole code.
        peers: the addresses or networks of the proxies that set the headers, as the server sees them, such as
            "10.0.0.0/8"; "unix" for a Unix socket. Requests from elsewhere get the strictest rules.

    Raises:
        ConfigurationError: no proxy, a value that is no network, or a name that no header can have.
    """
    for name, value in (("country", country), ("region", region)):
        if value is not None and not _NAME.fullmatch(value):
            raise ConfigurationError(
                f'{name} = {value!r} is no name of a header: write it like "CF-IPCountry".'
            )
    listed = [peers] if isinstance(peers, str) else list(peers)
    if not listed:
        raise ConfigurationError(
            "peers is empty: list the addresses of the proxies that set the header, because visitors can send it too."
        )
    return TrustedHeader(country, region, listed)


def is_in_an_app(headers: RawHeaders) -> bool:
    """Return whether a page is shown inside an app (a WebView), whose requests may come by way of the app's own servers.

    Android's WebView sends the name of the app in X-Requested-With, or "wv" in its User-Agent. That of iOS has no "Safari".
    """
    apps = header_values(headers, b"x-requested-with")
    if any(b"." in name for name in apps):
        return True
    agent = b" ".join(header_values(headers, b"user-agent"))
    return b"; wv)" in agent or (b"(iP" in agent and b"AppleWebKit/" in agent and b"Safari/" not in agent)


def _single(headers: RawHeaders, name: bytes) -> str | None:
    """Return the value of a header that was sent once; None otherwise."""
    values = header_values(headers, name)
    if len(values) != 1:
        return None
    text = values[0].decode("latin-1").strip()
    return text if text.isascii() else None


def _is_sent(headers: RawHeaders, name: bytes) -> bool:
    return any(value.strip() for value in header_values(headers, name))
