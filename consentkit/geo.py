"""Where visitors are, from a database file of the owner's in the format of MaxMind. It needs the extra `consentkit[geo]`.

Nothing is looked up over the network, and nothing is kept of an address.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from consentkit.errors import ConfigurationError
from consentkit.headers import RawHeaders, header_values
from consentkit.manager import RequestOrigin, TrustedPeers
from consentkit.policy import Place

__all__ = ["GeoDatabase", "geo_database"]

_FORWARDED: Final = b"x-forwarded-for"
_MOST_ADDRESSES: Final = 32
# Behind these, the visitor may be anywhere.
_ANONYMOUS: Final = (
    "is_anonymous",
    "is_anonymous_proxy",
    "is_anonymous_vpn",
    "is_hosting_provider",
    "is_public_proxy",
    "is_residential_proxy",
    "is_satellite_provider",
    "is_tor_exit_node",
)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class GeoDatabase:
    """Reads the place of a visitor from the address of the request. `geo_database` makes it, and checks its arguments.

    Attributes:
        vary: the names of the headers, for the Vary of responses.
    """

    def __init__(self, reader: Any, proxies: TrustedPeers, forwarded_for: bool) -> None:
        self._reader, self._proxies = reader, proxies
        self._forwarded_for = forwarded_for
        self.vary = ("X-Forwarded-For",) if forwarded_for and proxies else ()

    def __call__(self, request: RequestOrigin) -> Place | None:
        """Return the place; None for an unknown address, an anonymous network, and headers that cannot be read."""
        address = self._visitor(request)
        if address is None:
            return None
        try:
            found = self._reader.get(address)
        except ValueError:
            # The file has no addresses of IPv6.
            return None
        return _place(found) if isinstance(found, Mapping) else None

    def _visitor(self, request: RequestOrigin) -> _Address | None:
        """Return the address of the visitor: that of the peer, or the right-most forwarded one that is no proxy of the site."""
        if request.peer not in self._proxies:
            return _address(request.peer)
        if not self._forwarded_for:
            return None
        for text in _forwarded(request.headers):
            address = _address(text)
            if address is None or str(address) not in self._proxies:
                return address
        return None


def geo_database(
    path: str | Path, *, proxies: str | Iterable[str] = (), forwarded_for: bool = True
) -> GeoDatabase:
    """Return a location that looks addresses up in a database file, such as GeoLite2-City.mmdb.

    The file is opened now, and read by mapping it into memory. Start the site again after it was replaced.

    Args:
        path: of the file. One with cities or subdivisions also knows states of the US and provinces of Canada.
        proxies: the addresses or networks of the site's own proxies, as the server sees them, such as "10.0.0.0/8"; "unix" for
            a Unix socket. Without them the address at the other end of the connection is the visitor's.
        forwarded_for: whether the proxies add the visitor's address to `X-Forwarded-For`.

    Raises:
        ConfigurationError: the extra is not installed, the file cannot be read, or a proxy is no address or network.
    """
    try:
        import maxminddb
    except ImportError:
        raise ConfigurationError("geo_database needs an extra: pip install 'consentkit[geo]'.") from None
    trusted = TrustedPeers(proxies, "proxies")
    try:
        reader = maxminddb.open_database(str(path))
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise ConfigurationError(
            f"{path} cannot be read as a database of places ({error}): give the path of a .mmdb file."
        ) from None
    return GeoDatabase(reader, trusted, forwarded_for)


def _forwarded(headers: RawHeaders) -> list[str]:
    """Return the addresses of `X-Forwarded-For` from the right, which the nearest proxy wrote; the newest ones of many."""
    whole = b",".join(header_values(headers, _FORWARDED))
    parts = whole.rsplit(b",", _MOST_ADDRESSES)[-_MOST_ADDRESSES:] if whole else []
    return [part.decode("latin-1").strip() for part in reversed(parts)]


def _address(text: str) -> _Address | None:
    """Return an address, also one that is written with its port; None for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _place(found: Mapping[str, Any]) -> Place | None:
    """Return the place of a row of the database, whose tables are those of MaxMind's."""
    traits = _table(found.get("traits"))
    if any(traits.get(key) is True for key in _ANONYMOUS):
        return None
    country = _table(found.get("country")).get("iso_code")
    if not isinstance(country, str):
        return None
    subdivisions = found.get("subdivisions")
    first = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else None
    region = _table(first).get("iso_code")
    return Place.parse(f"{country}-{region}" if isinstance(region, str) and region else country)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
