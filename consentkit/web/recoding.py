"""Compressed pages: undoing the application's compression, and compressing what is sent instead.

Some applications compress inside of this library: with Django's GZipMiddleware, or the compression of Litestar and NiceGUI.
Markup can be inserted only into the uncompressed page. What leaves is compressed with gzip, which every Python can do.
"""

import importlib
import re
import secrets
import zlib
from collections.abc import Sequence
from typing import Any

__all__ = ["Recoder"]

_GZIP = frozenset((b"gzip", b"x-gzip"))
# For zlib: read the header of either gzip or zlib.
_EITHER_HEADER = 32 + zlib.MAX_WBITS
_LEVEL = 6
_GZIP_MAGIC = b"\x1f\x8b"
# A header of gzip with a file name: no time, unknown system (RFC 1952).
_GZIP_HEADER = b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\xff"
# The file name has a random length, so that the size of a page does not tell what is in it (Heal the Breach, 2022). Django's
# middleware does the same.
_LONGEST_PADDING = 100
_ACCEPTS_GZIP = re.compile(rb"\bgzip\b(?!\s*;\s*q\s*=\s*0(?:\.0*)?\s*(?:,|\Z))", re.IGNORECASE)


class _Inflater:
    """Decompresses gzip or zlib, also several members of gzip after one another."""

    __slots__ = ("_member",)

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_EITHER_HEADER)

    def process(self, chunk: bytes) -> bytes:
        """Return what a chunk holds.

        Raises:
            zlib.error: the chunk is not compressed.
        """
        decoded = self._member.decompress(chunk)
        while self._member.unused_data.startswith(_GZIP_MAGIC):
            rest = self._member.unused_data
            self._member = zlib.decompressobj(_EITHER_HEADER)
            decoded += self._member.decompress(rest)
        return decoded


class Recoder:
    """The compression of one page.

    Attributes:
        coding: of what `encode` returns, for Content-Encoding; None if that is not compressed.
    """

    __slots__ = ("_compressor", "_crc", "_decompressor", "_error", "_size", "coding")

    def __init__(self, decompressor: Any, error: type[Exception], *, coding: bytes | None) -> None:
        self.coding = coding
        self._decompressor = decompressor
        self._error = error
        self._compressor: Any = None
        self._crc = self._size = 0

    @classmethod
    def of(cls, codings: Sequence[bytes], accepted: Sequence[bytes]) -> "Recoder | None":
        """Return the recoder for a page, or None if its compression cannot be undone.

        Args:
            codings: of the page, without `identity`.
            accepted: values of the request's Accept-Encoding.
        """
        if len(codings) != 1:
            return None
        is_gzip = codings[0] in _GZIP
        coding = b"gzip" if is_gzip or any(_ACCEPTS_GZIP.search(value) for value in accepted) else None
        if is_gzip or codings[0] == b"deflate":
            return cls(_Inflater(), zlib.error, coding=coding)
        brotli = _brotli() if codings[0] == b"br" else None
        return cls(brotli.Decompressor(), brotli.error, coding=coding) if brotli is not None else None

    def decode(self, chunk: bytes) -> bytes | None:
        """Return what a chunk of the compressed page holds, or None if it is not compressed as announced."""
        try:
            return bytes(self._decompressor.process(chunk)) if chunk else b""
        except self._error:
            return None

    def encode(self, chunk: bytes, more: bool) -> bytes:
        """Return a chunk of the new page, compressed; `more` is whether more follows, so that the chunk must not wait for it."""
        if self.coding is None:
            return chunk
        out = []
        if self._compressor is None:
            self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            out.append(_GZIP_HEADER + b"a" * secrets.randbelow(_LONGEST_PADDING) + b"\0")
        self._crc = zlib.crc32(chunk, self._crc)
        self._size += len(chunk)
        out.append(self._compressor.compress(chunk))
        if not more:
            out.append(self._compressor.flush())
            out.append(b"".join(n.to_bytes(4, "little") for n in (self._crc, self._size % 2**32)))
        elif chunk:
            out.append(self._compressor.flush(zlib.Z_SYNC_FLUSH))
        return b"".join(out)


def _brotli() -> Any:
    """Return the package that the application compresses with, or None if it is not installed."""
    try:
        return importlib.import_module("brotli")
    except ImportError:
        return None
