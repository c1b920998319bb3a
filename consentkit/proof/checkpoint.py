"""Checkpoints: signed notes of how long the chain is and what its heads are, for somebody else to keep.

The form is that of https://c2sp.org/signed-note with Ed25519. The note begins as in https://c2sp.org/tlog-checkpoint: origin,
number of entries, and a hash, which here is that of the lines after it.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from consentkit.errors import ConfigurationError, LedgerError
from consentkit.ledger import StreamEnd

__all__ = ["Checkpoint", "SigningKey", "VerifyingKey", "make_checkpoint", "open_note", "sign_note"]

_MISSING: Final = "Checkpoints and signatures need the extra: pip install 'consentkit[proof]'."
_ED25519: Final = b"\x01"
_PRIVATE: Final = "PRIVATE+KEY+"
_NAME: Final = re.compile(r"[^\s+]{1,200}")
_SIGNATURE: Final = re.compile("\u2014 ([^\\s+]+) ([A-Za-z0-9+/]+=*)")
_LARGEST_NOTE: Final = 1 << 20
_STREAM: Final = re.compile(r"stream ([a-z0-9]{1,32}) (0|[1-9][0-9]{0,18}) ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a note says.

    Attributes:
        origin: name of the ledger and of its key.
        at: when the note was made, in seconds since the epoch.
        heads: number of entries and head of each stream.
    """

    origin: str
    at: int
    heads: Mapping[str, tuple[int, str]]

    @property
    def size(self) -> int:
        """How many entries all streams had, with those that were cut off."""
        return sum(n for n, _ in self.heads.values())

    def to_text(self) -> str:
        """Return the text that is signed."""
        lines = [f"at {self.at}"]
        lines += [f"stream {stream} {n} {head}" for stream, (n, head) in sorted(self.heads.items())]
        rest = "".join(f"{line}\n" for line in lines)
        digest = base64.b64encode(hashlib.sha256(rest.encode()).digest()).decode()
        return f"{self.origin}\n{self.size}\n{digest}\n{rest}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the checkpoint of a text.

        Raises:
            ValueError: the text is none that `to_text` returns.
        """
        origin, _size, _digest, at, *streams = text.removesuffix("\n").split("\n")
        found = [_STREAM.fullmatch(line) for line in streams]
        heads = {match[1]: (int(match[2]), match[3]) for match in found if match is not None}
        checkpoint = cls(origin, int(at.removeprefix("at ")), heads)
        if checkpoint.to_text() != text:
            raise ValueError("its lines do not fit together")
        return checkpoint


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half of a key, in the encoding of signed notes: `NAME+HASH+KEY`."""

    name: str
    raw: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a public key.

        Raises:
            ConfigurationError: the text is not a key.
        """
        name, raw = _parse(text.strip(), "public key")
        key = cls(name, raw)
        if key.text != text.strip():
            raise ConfigurationError("The public key is damaged: its parts do not fit together.")
        return key

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    @property
    def text(self) -> str:
        """The key as it is passed on."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.raw).decode()}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private half of a key: `PRIVATE+KEY+NAME+HASH+KEY`. It does not belong on the hosts of the web site."""

    public: VerifyingKey
    _key: Any
    _seed: bytes

    @classmethod
    def new(cls, name: str) -> Self:
        """Make a key.

        Raises:
            ConfigurationError: the name has white space or a plus sign, or the extra is missing.
        """
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"Name of the key: {name!r}. Write a name without white space and plus signs, such as "
                "example.org/consent."
            )
        return cls._of(name, _cryptography().Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a private key.

        Raises:
            ConfigurationError: the text is not a key, or the extra is missing.
        """
        text = text.strip()
        if not text.startswith(_PRIVATE):
            raise ConfigurationError(
                f"The private key does not begin with {_PRIVATE}. Make one with `consentkit ledger checkpoint --new-key NAME`."
            )
        key = cls._of(*_parse(text.removeprefix(_PRIVATE), "private key"))
        if key.text != text:
            raise ConfigurationError("The private key is damaged: its parts do not fit together.")
        return key

    @classmethod
    def _of(cls, name: str, seed: bytes) -> Self:
        key = _cryptography().Ed25519PrivateKey.from_private_bytes(seed)
        return cls(VerifyingKey(name, key.public_key().public_bytes_raw()), key, seed)

    @property
    def text(self) -> str:
        """The key as it is kept in a secret place."""
        encoded = base64.b64encode(_ED25519 + self._seed).decode()
        return f"{_PRIVATE}{self.public.name}+{self.public.id.hex()}+{encoded}"

    def sign(self, content: str | bytes) -> bytes:
        """Return the signature of a text or a file."""
        signature: bytes = self._key.sign(content.encode() if isinstance(content, str) else content)
        return signature


def _cryptography() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise ConfigurationError(_MISSING) from None
    return ed25519


def _parse(text: str, what: str) -> tuple[str, bytes]:
    """Return name and 32 bytes of a key; `what` is the key's name in the error message."""
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:
        raw = b""
    if not _NAME.fullmatch(name) or raw[:1] != _ED25519 or len(raw) != 33:
        raise ConfigurationError(
            f"The {what} is not an Ed25519 key of a signed note. Make a pair with "
            "`consentkit ledger checkpoint --new-key NAME`."
        )
    return name, raw[1:]


def make_checkpoint(origin: str, ends: Iterable[StreamEnd], *, at: int) -> Checkpoint:
    """Return the checkpoint of the streams as they are now.

    Raises:
        LedgerError: another program wrote something else into the table of streams.
    """
    heads = {end.stream: (end.n, end.head) for end in ends}
    for stream, (n, head) in heads.items():
        if type(n) is not int or not _STREAM.fullmatch(f"stream {stream} {n} {head}"):
            raise LedgerError(
                "The table consentkit_streams was changed by others. Run `consentkit ledger verify`."
            )
    return Checkpoint(origin, at, heads)


def sign_note(text: str, key: SigningKey) -> str:
    """Return a text as a signed note."""
    signature = base64.b64encode(key.public.id + key.sign(text)).decode()
    return f"{text}\n\u2014 {key.public.name} {signature}\n"


def open_note(note: str, key: VerifyingKey) -> Checkpoint:
    """Return the checkpoint of a signed note.

    Raises:
        LedgerError: the note is not signed with the key, or is no checkpoint.
        ConfigurationError: the extra is missing.
    """
    text, separator, signatures = note.rpartition("\n\n")
    text += "\n"
    if not separator or len(note) > _LARGEST_NOTE or not signatures.endswith("\n"):
        raise LedgerError("This is not a signed note: it has no text, an empty line and signatures.")
    if not any(_is_signature(line, text, key) for line in signatures.removesuffix("\n").split("\n")):
        raise LedgerError(f"The note has no valid signature of the key {key.name}+{key.id.hex()}.")
    try:
        return Checkpoint.from_text(text)
    except ValueError as error:
        raise LedgerError(f"The note is signed, but is no checkpoint of a ledger: {error}.") from error


def _is_signature(line: str, text: str, key: VerifyingKey) -> bool:
    from_note = _SIGNATURE.fullmatch(line)
    if from_note is None or from_note[1] != key.name:
        return False
    ed25519 = _cryptography()
    from cryptography.exceptions import InvalidSignature

    try:
        found = base64.b64decode(from_note[2], validate=True)
        # The last character has bits that mean nothing, so several texts stand for the same signature. One of them counts.
        if found[:4] != key.id or base64.b64encode(found).decode() != from_note[2]:
            return False
        ed25519.Ed25519PublicKey.from_public_bytes(key.raw).verify(found[4:], text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
