"""Signatures of embeds: which addresses the site's pages embed, and which content a visitor loaded once."""

import re
from urllib.parse import urlencode

from consentkit.consent import signer
from consentkit.manager import ConsentManager

__all__ = ["LOADED_ONCE_SECONDS", "EmbedSigner"]

LOADED_ONCE_SECONDS = 60
_TOKEN = re.compile(r"([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{1,64})")


class EmbedSigner:
    """Signs the addresses that pages of one site embed, and the tokens of "load once".

    Without the first signature, anybody could make a link that shows any content of a vendor under the site's own address.
    """

    def __init__(self, manager: ConsentManager) -> None:
        self._clock = manager.clock
        keys, site = manager.cookie.keys_oldest_first, f"{manager.group}|{manager.site}"
        self._addresses = signer(keys, f"consentkit.embed-address.v1|{site}")
        self._tokens = signer(keys, f"consentkit.embed.v1|{site}")

    def sign(self, vendor: str, address: str, *, title: str = "", poster: str = "") -> str:
        """Return the signature of an address that a page embeds, and of what its placeholder shows.

        It is the same for every visitor and at any time, so that the page can be cached.
        """
        return self._addresses.get_signature(_content(vendor, address, title, poster)).decode()

    def is_signed(
        self, vendor: str, address: str, signature: str, *, title: str = "", poster: str = ""
    ) -> bool:
        """Return whether a page of this site embeds an address of a vendor under this title and picture."""
        return self._addresses.verify_signature(_content(vendor, address, title, poster), signature)

    def token(self, vendor: str, address: str) -> str:
        """Return a token that shows a vendor's content for one minute."""
        until = int(self._clock()) + LOADED_ONCE_SECONDS
        return f"{until}.{self._tokens.get_signature(_claim(until, vendor, address)).decode()}"

    def is_valid(self, token: str, vendor: str, address: str) -> bool:
        """Return whether a token shows this content now."""
        match = _TOKEN.fullmatch(token)
        if match is None or not 0 <= int(match[1]) - self._clock() <= LOADED_ONCE_SECONDS:
            return False
        return self._tokens.verify_signature(_claim(match[1], vendor, address), match[2])


def _content(vendor: str, address: str, title: str, poster: str) -> bytes:
    shown = urlencode([(name, text) for name, text in (("title", title), ("poster", poster)) if text])
    return (f"{vendor}|{address}" + ("\0" + shown if shown else "")).encode()


def _claim(until: int | str, vendor: str, address: str) -> bytes:
    return f"{until}|{vendor}|{address}".encode()
