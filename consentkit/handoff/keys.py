"""Ed25519 keys of the hand-off, and the tokens that they sign (RFC 8032, RFC 8037, RFC 7519).

A key is written as its 32 raw bytes in unpadded base64url. The algorithm is fixed, so that no token can choose another.
"""

import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from consentkit.errors import ConfigurationError

__all__ = ["PrivateKey", "PublicKey", "new_pair", "public_half", "sign_token", "verify_token"]

_LONGEST_TOKEN = 8192
# The compact form (RFC 7515 section 3.1) with a signature of 64 octets.
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
_MISSING = "The hand-off between sites needs the extra: pip install 'consentkit[group]'."


def _decoded(text: str) -> bytes:
    """Return the bytes of a text in unpadded base64url; empty if the text is not their canonical spelling.

    The spare bits of the last character must be zero (RFC 4648 section 3.5), so that bytes have one spelling.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, TypeError):
        return b""
    return raw if _text(raw) == text else b""


def _raw(text: str, what: str) -> bytes:
    """Return the 32 bytes of a key in unpadded base64url; `what` is the key's name in the error message."""
    raw = _decoded(text)
    if len(raw) != 32:
        raise ConfigurationError(
            f"The {what} is not base64url, without padding, of 32 bytes: make a pair with `consentkit group key SITE`."
        )
    return raw


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A site's public key, which is published in `consent.toml`."""

    key: Any
    text: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a public key.

        Raises:
            ConfigurationError: the text is not a key, or the extra is missing.
        """
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        except ImportError:
            raise ConfigurationError(_MISSING) from None
        return cls(Ed25519PublicKey.from_public_bytes(_raw(text, "public_key")), text)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A site's private key, which no other site has."""

    key: Any

    @classmethod
    def read(cls, text: str, public: PublicKey | None) -> Self:
        """Read a private key, and check that it belongs to the site's public key.

        Raises:
            ConfigurationError: the text is not a key, the policy's public key of this site is missing or another, or the
                extra is missing.
        """
        key = _private(text)
        own = _text(key.public_key().public_bytes_raw())
        if public is None or public.text != own:
            present = "has none" if public is None else f"has {public.text!r}"
            raise ConfigurationError(
                f"The private_key belongs to public_key = {own!r}, and this site {present} in the policy: put it there."
            )
        return cls(key)


def _private(text: str) -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise ConfigurationError(_MISSING) from None
    return Ed25519PrivateKey.from_private_bytes(_raw(text, "private_key"))


def public_half(private_key: str) -> str:
    """Return the public key that belongs to a private key, both as text.

    Raises:
        ConfigurationError: the text is not a private key, or the extra is missing.
    """
    return _text(_private(private_key).public_key().public_bytes_raw())


def new_pair() -> tuple[str, str]:
    """Return a new private key and its public key, both as text.

    Raises:
        ConfigurationError: the extra is missing.
    """
    private = _text(secrets.token_bytes(32))
    return private, public_half(private)


def sign_token(claims: Mapping[str, Any], key: PrivateKey) -> str:
    """Return claims as a JWT in compact form, signed with EdDSA."""
    import jwt

    return jwt.encode(dict(claims), key.key, algorithm="EdDSA")


def verify_token(token: str, key: PublicKey) -> dict[str, Any] | None:
    """Return the claims of a token that this key signed, or None for any other token.

    The caller checks the claims themselves.
    """
    import jwt

    if len(token) > _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        return None
    # Older releases of PyJWT decode other spellings too.
    if not all(_decoded(part) for part in token.split(".")):
        return None
    try:
        # PyJWS checks the signature alone: the caller checks times by its own clock, and names by its transaction.
        payload = jwt.PyJWS().decode(token, key.key, algorithms=["EdDSA"])
        claims = json.loads(payload)
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
