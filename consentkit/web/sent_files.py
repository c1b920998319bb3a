"""Files that an application asks the server to send, read here when they hold a page.

A server offers `http.response.pathsend` or `http.response.zerocopysend` (ASGI extensions) to send a file by itself. Nothing can
be inserted into such a body, so a host reads the file and sends its bytes. All other files remain the server's.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from anyio import to_thread

__all__ = ["PATHSEND", "ZEROCOPYSEND", "read_pieces"]

PATHSEND = "http.response.pathsend"
ZEROCOPYSEND = "http.response.zerocopysend"

_PIECE = 64 * 1024


async def read_pieces(message: Any) -> AsyncGenerator[tuple[bytes, bool], None]:
    """Yield the bytes of a file that a message of ASGI sends, in pieces, and whether more of the response follows each piece.

    The bytes are read in a thread. Of a file descriptor, the message may select a part.

    Raises:
        OSError: the file cannot be read.
    """
    more_follows = bool(message.get("more_body", False))
    if message["type"] == PATHSEND:
        descriptor = await to_thread.run_sync(os.open, message["path"], os.O_RDONLY)
        try:
            async for piece in _pieces(descriptor, None, None):
                yield piece, True
        finally:
            os.close(descriptor)
    else:
        file = message["file"]
        descriptor = file if isinstance(file, int) else file.fileno()
        async for piece in _pieces(descriptor, message.get("offset"), message.get("count")):
            yield piece, True
    yield b"", more_follows


async def _pieces(descriptor: int, offset: int | None, count: int | None) -> AsyncIterator[bytes]:
    """Yield so many bytes of a file, or all to its end, from an offset or from where the descriptor is."""
    while count is None or count > 0:
        size = _PIECE if count is None else min(count, _PIECE)
        if offset is None:
            piece = await to_thread.run_sync(os.read, descriptor, size)
        else:
            piece = await to_thread.run_sync(os.pread, descriptor, size, offset)
            offset += len(piece)
        if not piece:
            return
        if count is not None:
            count -= len(piece)
        yield piece
