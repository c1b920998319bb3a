"""Files of pages, which are read here so that markup can be inserted."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from consentkit.web.sent_files import PATHSEND, ZEROCOPYSEND, read_pieces

BYTES = bytes(range(256)) * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bytes"
    path.write_bytes(BYTES)
    return path


def read(message: dict[str, Any]) -> list[tuple[bytes, bool]]:
    async def collect() -> list[tuple[bytes, bool]]:
        return [piece async for piece in read_pieces(message)]

    return asyncio.run(collect())


def joined(pieces: list[tuple[bytes, bool]]) -> bytes:
    return b"".join(piece for piece, _ in pieces)


def test_a_file_is_read_in_pieces_of_which_the_last_says_that_it_is(path: Path) -> None:
    pieces = read({"type": PATHSEND, "path": str(path)})
    assert joined(pieces) == BYTES and len(pieces) == 5
    assert [more for _, more in pieces] == [True] * 4 + [False]


@pytest.mark.parametrize("part", [{}, {"offset": 10}, {"count": 100_000}, {"offset": 7, "count": 70_000}])
@pytest.mark.parametrize("as_number", [True, False])
def test_of_a_descriptor_the_part_is_read_that_the_message_selects(
    path: Path, part: dict[str, int], as_number: bool
) -> None:
    with path.open("rb") as file:
        given = file.fileno() if as_number else file
        pieces = read({"type": ZEROCOPYSEND, "file": given, "more_body": True, **part})
        first = part.get("offset", 0)
        assert joined(pieces) == BYTES[first:][: part.get("count")]
        assert all(more for _, more in pieces)


def test_the_position_of_a_descriptor_counts_and_its_owner_closes_it(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.lseek(descriptor, 100, os.SEEK_SET)
        assert joined(read({"type": ZEROCOPYSEND, "file": descriptor})) == BYTES[100:]
        assert os.fstat(descriptor).st_size == len(BYTES)
    finally:
        os.close(descriptor)


def test_a_file_that_is_gone_is_an_error(path: Path) -> None:
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read({"type": PATHSEND, "path": str(path)})
