"""Compression that is undone and applied again."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.web.recoding import Recoder

TEXT = b"Stretch well. " * 100


def recoder(*codings: bytes, accepted: bytes = b"gzip") -> Recoder:
    made = Recoder.of(codings, [accepted])
    assert made is not None
    return made


@pytest.mark.parametrize("codings", [[], [b"zstd"], [b"compress"], [b"gzip", b"gzip"], [b"x"]])
def test_what_python_cannot_undo_has_no_recoder(codings: list[bytes]) -> None:
    assert Recoder.of(codings, [b"gzip"]) is None


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (b"gzip", b"gzip"),
        (b"br;q=1, GZIP;q=0.8", b"gzip"),
        (b"deflate, gzip ; q=0.001", b"gzip"),
        (b"deflate", None),
        (b"deflate, gzip;q=0", None),
        (b"gzip; q=0.000, deflate", None),
        (b"", None),
    ],
)
def test_what_leaves_is_compressed_with_gzip_where_the_visitor_takes_it(
    accepted: bytes, coding: bytes | None
) -> None:
    assert recoder(b"deflate", accepted=accepted).coding == coding


def test_several_members_of_gzip_are_one_text() -> None:
    whole = gzip.compress(TEXT) + gzip.compress(b"More.") + b"\0\0"
    assert recoder(b"gzip").decode(whole) == TEXT + b"More."
    piecewise = recoder(b"gzip")
    assert (
        b"".join(piecewise.decode(whole[at : at + 1]) or b"" for at in range(len(whole))) == TEXT + b"More."
    )


def test_what_is_not_compressed_is_none() -> None:
    assert recoder(b"gzip").decode(TEXT) is None
    assert recoder(b"br").decode(b"\xff" * 9) is None


def test_sizes_differ_from_page_to_page_so_that_they_tell_nothing() -> None:
    sizes = {len(recoder(b"gzip").encode(TEXT, False)) for _ in range(40)}
    assert len(sizes) > 5 and max(sizes) - min(sizes) < 100


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_whatever_is_fed_comes_back_and_each_piece_at_once(pieces: list[bytes]) -> None:
    ours, reader = recoder(b"gzip"), zlib.decompressobj(wbits=31)
    for place, piece in enumerate(pieces, 1):
        assert reader.decompress(ours.encode(piece, place < len(pieces))) == piece
    assert reader.eof
