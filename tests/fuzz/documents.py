"""Target `html`: documents as they stream through the inserter."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise

from consentkit.html import Inserter
from consentkit.html.tokenizer import LIMIT

HEAD, START, END = b"[[head]]", b"[[start]]", b"[[end]]"
PIECES = (HEAD, START, END)
OWN_CLASS = b"own"
SHORT = 60
"""Bytes of a document that is also cut after every byte."""


def check(data: bytes) -> None:
    """Insert into a document as a whole and in pieces, and compare."""
    # In a seed, a byte 1 stands for text beyond the length of a tag that is held back.
    document = data.replace(b"\1", b"x" * (LIMIT + 1), 2)
    if any(piece in document for piece in PIECES):
        return
    for options in ({}, {"unless_class": OWN_CLASS}):
        whole = Inserter(*PIECES, **options)
        output = whole.feed(document, False)
        assert whole.decided
        _check_output(document, output, complete=bool(whole.complete))
        if b"\1" not in data:
            _check_pieces(document, output, options)
    assert Inserter(b"", b"", b"").feed(document, False) == document
    _check_places(document)


def _check_places(document: bytes) -> None:
    """Check where the markup goes if the bytes are text, a comment or a value, so that no tag can be among them."""
    for content in (
        document.replace(b"<", b""),
        b"<!--x" + document.replace(b"-", b"") + b"x-->",
        b"<a title='" + document.replace(b"'", b"") + b"'></a>",
        b"<style>" + document.replace(b"</", b"") + b"x</style>",
    ):
        page = b"<!doctype html><html><head><title>x</title></head><body>%b</body></html>" % content
        expected = page.replace(b"<title>", HEAD + b"<title>", 1)
        expected = expected.replace(b"<body>", b"<body>" + START, 1)
        end = len(expected) - len(b"</body></html>")
        assert Inserter(*PIECES).feed(page, False) == expected[:end] + END + expected[end:]


def _check_output(document: bytes, output: bytes, *, complete: bool) -> None:
    bare, places = output, []
    for piece in PIECES:
        assert output.count(piece) <= 1
        places.append(output.find(piece))
        bare = bare.replace(piece, b"")
    assert bare == document
    found = [place for place in places if place >= 0]
    assert found == sorted(found)
    assert complete or not found


def _check_pieces(document: bytes, output: bytes, options: dict[str, bytes]) -> None:
    for bounds in _cuts(document):
        inserter = Inserter(*PIECES, **options)
        released = 0
        parts = []
        for start, end in pairwise(bounds):
            part = inserter.feed(document[start:end], True)
            parts.append(part)
            released += len(part)
            assert end - released <= LIMIT
        parts.append(inserter.feed(b"", False))
        assert b"".join(parts) == output


def _cuts(document: bytes) -> Iterator[list[int]]:
    """Return places to cut at: after every byte of a short document, and at places that follow from its bytes."""
    size = len(document)
    if size <= SHORT:
        yield list(range(size + 1))
    digest = blake2b(document, digest_size=12).digest()
    yield [0, *sorted(int.from_bytes(digest[at : at + 2]) % (size + 1) for at in range(0, 12, 2)), size]
