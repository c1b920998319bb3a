"""The ZIP file of a dossier: files in a fixed order, with their checksums and a signature of those."""

import hashlib
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final

from consentkit.proof.checkpoint import SigningKey
from consentkit.proof.dossier.signature import allowed_signers, public_pem, ssh_signature

__all__ = ["Archive"]

_EARLIEST: Final = 315_532_800  # 1980, where the times of ZIP files begin


class Archive:
    """A ZIP file that is being written. Equal content gives equal bytes, because all files have the same time.

    Args:
        file: that is written to.
        folder: in which all files are.
        at: the time of all files, in seconds since the epoch.
    """

    def __init__(self, file: IO[bytes], folder: str, at: int) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._folder = folder
        self._time = time.gmtime(max(at, _EARLIEST))[:6]
        self._sums: dict[str, str] = {}

    def add(self, name: str, content: bytes | str) -> str:
        """Add a file, and return its SHA-256 in hexadecimal."""
        with self.open(name) as write:
            write(content)
        return self._sums[name]

    @contextmanager
    def open(self, name: str) -> Iterator[Callable[[bytes | str], None]]:
        """Yield a function that writes a file piece by piece."""
        digest = hashlib.sha256()
        with self._zip.open(self._entry(name), "w", force_zip64=True) as file:

            def write(piece: bytes | str) -> None:
                data = piece.encode("utf-8", "backslashreplace") if isinstance(piece, str) else piece
                digest.update(data)
                file.write(data)

            yield write
        self._sums[name] = digest.hexdigest()

    def close(self, key: SigningKey | None) -> None:
        """Add the checksums, and their signatures if there is a key, and end the file."""
        if key is not None:
            self.add("allowed_signers", allowed_signers(key.public))
            self.add("public-key.pem", public_pem(key.public))
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._sums.items())).encode()
        self.add("SHA256SUMS", sums)
        if key is not None:
            self.add("SHA256SUMS.sig", ssh_signature(sums, key))
            self.add("SHA256SUMS.ed25519", key.sign(sums))
        self._zip.close()

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(f"{self._folder}/{name}", self._time)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system = 3
        entry.external_attr = 0o100644 << 16
        return entry
