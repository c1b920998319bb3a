"""Signatures of a file that programs of others verify: OpenSSH's `ssh-keygen` and OpenSSL."""

import base64
import hashlib
import textwrap
from typing import Final

from consentkit.proof.checkpoint import SigningKey, VerifyingKey

__all__ = ["NAMESPACE", "SIGNER", "allowed_signers", "fingerprint", "public_pem", "ssh_signature"]

NAMESPACE: Final = "file"
"""What `ssh-keygen -Y verify -n` expects."""
SIGNER: Final = "controller"
"""Name of the signer in `allowed_signers`."""
_KIND: Final = b"ssh-ed25519"
# RFC 8410 section 4: the algorithm identifier of Ed25519, and the header of the 32 bytes of the key.
_SPKI: Final = bytes.fromhex("302a300506032b6570032100")


def public_pem(key: VerifyingKey) -> str:
    """Return a public key in PEM, as OpenSSL reads it."""
    encoded = base64.b64encode(_SPKI + key.raw).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{encoded}\n-----END PUBLIC KEY-----\n"


def fingerprint(key: VerifyingKey) -> str:
    """Return the fingerprint of a public key, as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(_public(key)).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def allowed_signers(key: VerifyingKey) -> str:
    """Return the file by which `ssh-keygen -Y verify` knows the signer."""
    return f'{SIGNER} namespaces="{NAMESPACE}" {_KIND.decode()} {base64.b64encode(_public(key)).decode()}\n'


def ssh_signature(content: bytes, key: SigningKey) -> str:
    """Return the signature of a file in the form of OpenSSH (PROTOCOL.sshsig)."""
    parts = _string(NAMESPACE.encode()) + _string(b"") + _string(b"sha512")
    signed = b"SSHSIG" + parts + _string(hashlib.sha512(content).digest())
    signature = _string(_KIND) + _string(key.sign(signed))
    blob = b"SSHSIG\0\0\0\1" + _string(_public(key.public)) + parts + _string(signature)
    lines = textwrap.wrap(base64.b64encode(blob).decode(), 70)
    return "\n".join(("-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""))


def _public(key: VerifyingKey) -> bytes:
    return _string(_KIND) + _string(key.raw)


def _string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
