"""Addresses of embeds, signed as the pages of a site sign them."""

from hashlib import sha256
from urllib.parse import urlencode

from itsdangerous import Signer

__all__ = ["embed_path", "embed_signature"]


def embed_signature(
    vendor: str, url: str, *, key: str, group: str = "hardlopen", site: str = "stride"
) -> str:
    """Sign what a page of the example's site embeds, with itsdangerous alone."""
    salt = f"consentkit.embed-address.v1|{group}|{site}"
    signer = Signer(key, salt, key_derivation="hmac", digest_method=sha256)
    return signer.get_signature(f"{vendor}|{url}".encode()).decode()


def embed_path(vendor: str, url: str, *, key: str, **fields: str) -> str:
    """Return the path of a frame below the prefix; more fields follow in the query."""
    query = {"u": url, "s": embed_signature(vendor, url, key=key)} | fields
    return f"/embed/{vendor}?{urlencode(query)}"
