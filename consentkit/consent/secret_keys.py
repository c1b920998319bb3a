"""Secret keys, and the signers that are made from them."""

import hashlib
import logging
from collections.abc import Sequence

from itsdangerous import Signer

from consentkit.errors import SecretKeyError

__all__ = ["SecretKeys", "signer", "validated_keys"]

log = logging.getLogger("consentkit.cookie")

SecretKeys = str | bytes | Sequence[str | bytes]

_SHORTEST_KEY = 32
_FEWEST_CHARACTERS = 8


def signer(keys_oldest_first: Sequence[bytes], salt: str) -> Signer:
    """Return an itsdangerous Signer with SHA-256 that signs with the last key and reads those of all keys.

    A signature made with one salt is invalid with any other.
    """
    return Signer(list(keys_oldest_first), salt, key_derivation="hmac", digest_method=hashlib.sha256)


def validated_keys(keys: SecretKeys) -> list[bytes]:
    """Return the keys as bytes, in the given order, newest first. Warn about a key that looks like a placeholder.

    Raises:
        SecretKeyError: no key, a key that is neither text nor bytes, or a key under 32 characters.
    """
    given_keys = [keys] if isinstance(keys, str | bytes) else list(keys)
    if not given_keys:
        raise SecretKeyError(
            "secret_key is empty: give one key of at least 32 random characters, or several, newest first."
        )
    newest_first = []
    for key in given_keys:
        if not isinstance(key, str | bytes):
            raise SecretKeyError(
                f"secret_key holds {type(key).__name__}: give str, bytes, or a list of them."
            )
        if len(key) < _SHORTEST_KEY:
            raise SecretKeyError(
                f"secret_key has {len(key)} characters, at least {_SHORTEST_KEY} are needed: "
                "make one with python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        if len(set(key)) < _FEWEST_CHARACTERS:
            log.warning(
                "secret_key has only %d different characters and looks like a placeholder: use a random key.",
                len(set(key)),
            )
        # os.environ decodes bytes that are not UTF-8 to lone surrogates (PEP 383).
        newest_first.append(key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key)
    return newest_first
