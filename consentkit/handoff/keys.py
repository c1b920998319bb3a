"""Ed25519 keys of the hand-off, and the tokens that they sign (RFC 8032, RFC 8037, RFC 7519).

Keys are written as base64url, without padding, of their 32 raw bytes. The algorithm is fixed: a token never chooses it.
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
# The compact form (RFC 7515 section 3.1) with 64 octets of signature: unpadded, and nothing around it.
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
_MISSING = "The hand-off between sites needs the extra: pip install 'consentkit[group]'."


def _raw(text: str, what: str) -> bytes:
    """Decode a key written in its one form."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, TypeError):
        raw = b""
    if len(raw) != 32 or _text(raw) != text:
        raise ConfigurationError(
            f"The {what} is not base64url, without padding, of 32 bytes: make a pair with `consentkit group key SITE`."
        )
    return raw


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half that stands in `consent.toml`."""

    key: Any
    text: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a public key.

        Raises:
            ConfigurationError: it is none, or the extra is missing.
        """
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        except ImportError:
            raise ConfigurationError(_MISSING) from None
        return cls(Ed25519PublicKey.from_public_bytes(_raw(text, "public_key")), text)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The half that only its site knows."""

    key: Any

    @classmethod
    def read(cls, text: str, public: PublicKey | None) -> Self:
        """Read a private key, and hold it against the public one.

        Raises:
            ConfigurationError: it is none, the policy has no public key of this site or another one, or the extra is missing.
        """
        key = _private(text)
        own = _text(key.public_key().public_bytes_raw())
        if public is None or public.text != own:
            found = "has none" if public is None else f"has {public.text!r}"
            raise ConfigurationError(
                f"The private_key belongs to public_key = {own!r}, and this site {found} in the policy: put it there."
            )
        return cls(key)


def _private(text: str) -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise ConfigurationError(_MISSING) from None
    return Ed25519PrivateKey.from_private_bytes(_raw(text, "private_key"))


def public_half(private_key: str) -> str:
    """Give the public key that belongs to a private one, as it is written.

    Raises:
        ConfigurationError: it is none, or the extra is missing.
    """
    return _text(_private(private_key).public_key().public_bytes_raw())


def new_pair() -> tuple[str, str]:
    """Make a private and a public key, as they are written.

    Raises:
        ConfigurationError: the extra is missing.
    """
    private = _text(secrets.token_bytes(32))
    return private, public_half(private)


def sign_token(claims: Mapping[str, Any], key: PrivateKey) -> str:
    """Write claims as a JWT in compact form, signed with EdDSA."""
    import jwt

    return jwt.encode(dict(claims), key.key, algorithm="EdDSA")


def verify_token(token: str, key: PublicKey) -> dict[str, Any] | None:
    """Read the claims of a token that this key signed; None for any other one. Times and names are the caller's to check."""
    import jwt

    if len(token) > _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        return None
    try:
        # Everything but the signature is checked by the caller, by its own clock and transaction.
        payload = jwt.PyJWS().decode(token, key.key, algorithms=["EdDSA"])
        claims = json.loads(payload)
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
