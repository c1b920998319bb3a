"""Secret keys, and the signers that are made from them."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from itertools import pairwise

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode, want_bytes

from consentkit.errors import SecretKeyError

__all__ = ["SecretKeys", "signer", "validated_keys"]

log = logging.getLogger("consentkit.cookie")

SecretKeys = str | bytes | Sequence[str | bytes]

_SHORTEST_KEY = 32
_FEWEST_CHARACTERS = 8
_FEWEST_ACCEPTED = 5
_COMMAND = """make one with python -c "import secrets; print(secrets.token_urlsafe(32))\""""


class _CanonicalSigner(Signer):
    """An itsdangerous Signer that accepts one spelling of each signature.

    The last character of a signature has spare bits, and the decoder of itsdangerous skips foreign characters. With that
    decoder alone, a signed value has many spellings that all count.
    """

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        """Return whether a signature is genuine, and spelled as `get_signature` writes it."""
        try:
            canonical = base64_encode(base64_decode(sig))
        except BadData:
            return False
        return want_bytes(sig) == canonical and super().verify_signature(value, sig)


def signer(keys_oldest_first: Sequence[bytes], salt: str) -> Signer:
    """Return an itsdangerous Signer with SHA-256 that signs with the last key and reads those of all keys.

    A signature made with one salt is invalid with any other, and so is one in another spelling than the canonical.
    """
    return _CanonicalSigner(
        list(keys_oldest_first), salt, key_derivation="hmac", digest_method=hashlib.sha256
    )


def validated_keys(keys: SecretKeys, setting: str = "secret_key") -> list[bytes]:
    """Return the keys as bytes, in the given order, newest first. Warn about a key that looks like a placeholder.

    `setting` is the name of the setting with the keys, for messages.

    Raises:
        SecretKeyError: no key, a key that is neither text nor bytes, a key under 32 characters, or one that is easy to guess.
    """
    given_keys = [keys] if isinstance(keys, str | bytes) or not isinstance(keys, Iterable) else list(keys)
    if not given_keys:
        raise SecretKeyError(f"{setting} is empty: give one random key, or several, newest first; {_COMMAND}")
    newest_first = []
    for key in given_keys:
        if not isinstance(key, str | bytes):
            raise SecretKeyError(
                f"{setting} holds {type(key).__name__}: give str, bytes, or a list of them; {_COMMAND}"
            )
        if len(key) < _SHORTEST_KEY:
            raise SecretKeyError(
                f"{setting} has {len(key)} characters, at least {_SHORTEST_KEY} are needed: {_COMMAND}"
            )
        # os.environ decodes bytes that are not UTF-8 to lone surrogates (PEP 383).
        raw = key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key
        if weakness := _weakness(raw):
            raise SecretKeyError(f"{setting} {weakness}, so it can be guessed: {_COMMAND}")
        if len(set(raw)) < _FEWEST_CHARACTERS:
            log.warning(
                "%s has only %d different characters and looks like a placeholder: use a random key.",
                setting,
                len(set(raw)),
            )
        newest_first.append(raw)
    return newest_first


def _weakness(key: bytes) -> str:
    """Return what makes a key easy to guess, for a message; empty if nothing is obvious.

    A random key of 32 characters passes: even of hexadecimal digits fewer than one in 10**15 would repeat itself.
    """
    different = len(set(key))
    if different < _FEWEST_ACCEPTED:
        return f"has only {different} different characters"
    period = next(period for period in range(1, len(key) + 1) if key.startswith(key[period:]))
    if period <= len(key) // 2:
        return f"repeats the same {period} characters"
    steps = [after - before for before, after in pairwise(key)]
    if max(steps.count(1), steps.count(-1)) > len(steps) * 3 // 4:
        return "is the alphabet or the digits in order"
    return ""
