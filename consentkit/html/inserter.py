"""Finds head and body in HTML as it streams, and inserts there.

A page is read as a browser reads it (HTML standard, tokenisation and tree construction), so far as is needed to tell a
real `<body>` from one in a comment, a script, a template or an attribute. Nothing is parsed that need not be: what
cannot matter is passed over in one step of a regular expression.
"""

import re
from enum import IntEnum

from consentkit.html.patterns import BODY_CONTENT, HEAD_CONTENT, SPACE, UNITS, classes
from consentkit.html.tokenizer import LIMIT, Mode, Tokenizer, end_of

__all__ = ["Inserter"]

_BETWEEN = re.compile(rb"[" + SPACE + rb"]*+")
_HEAD_TAGS = frozenset(b"base basefont bgsound link meta noframes script style template title".split())
_IMPLYING_ENDS = frozenset((b"body", b"html", b"br"))
_BODY_ENDS = frozenset((b"body", b"html"))


class _Phase(IntEnum):
    """How far tree construction has come."""

    INITIAL = 0
    BEFORE_HEAD = 1
    IN_HEAD = 2
    AFTER_HEAD = 3
    IN_BODY = 4


class Inserter(Tokenizer):
    """Insert pieces of markup into one HTML document whose bytes arrive in chunks.

    `head` goes to the beginning of the head, `body_start` to the beginning of the body, `body_end` before the body's end,
    also where their tags are omitted. What is not a whole document (neither a doctype nor `<html>` comes first) passes
    unchanged, as does the body of a frameset. With `unless_class`, `body_end` is left out where an element of that class
    comes first.

    The bytes that come out do not depend on how the document was cut into chunks.
    """

    __slots__ = ("_body_end", "_body_start", "_due", "_head", "_phase", "_unless_class", "complete")

    def __init__(self, head: bytes, body_start: bytes, body_end: bytes, *, unless_class: bytes = b"") -> None:
        super().__init__()
        self.complete: bool | None = None
        """Whether this is a whole document; None until that is known."""
        self._head = head
        self._body_start = body_start
        self._body_end = body_end
        self._unless_class = unless_class
        self._phase = _Phase.INITIAL
        self._due: list[tuple[int, bytes]] = []

    @property
    def decided(self) -> bool:
        """Tell whether everything from here on passes unchanged, so that it need not be fed."""
        return self._mode is Mode.OVER

    def feed(self, chunk: bytes, more: bool) -> bytes:
        """Take in the next chunk, the last one with `more` false; return what can go out."""
        if self._mode is Mode.OVER:
            return chunk
        data, end = self._take(chunk, more)
        if not more:
            self._finish(end, data[end:])
            end = len(data)
        if self.decided:
            self.complete = bool(self.complete)
        self._held = data[end:]
        if not self._due:
            return data if end == len(data) else data[:end]
        out: list[bytes] = []
        last = 0
        for at, piece in self._due:
            out += (data[last:at], piece)
            last = at
        self._due = []
        out.append(data[last:end])
        return b"".join(out)

    def _finish(self, at: int, rest: bytes) -> None:
        """Insert at the end of the document what has found no place, unless it would be part of a text or a comment."""
        if self.complete and self._mode is Mode.DATA and not self._ending and not rest.startswith(b"<!"):
            if not self._open:
                self._advance(_Phase.IN_BODY, at)
            if self._phase is _Phase.IN_BODY and not self._open.hide_body:
                self._put(self._body_end, at)
        self._mode = Mode.OVER

    def _put(self, piece: bytes, at: int) -> None:
        if piece:
            self._due.append((at, piece))

    def _advance(self, phase: _Phase, at: int) -> None:
        """Let head and body begin here, as far as the phase demands; the search ends with the last piece."""
        if self._phase < _Phase.IN_HEAD <= phase:
            self._put(self._head, at)
        if self._phase < phase is _Phase.IN_BODY:
            self._put(self._body_start, at)
        self._phase = max(self._phase, phase)
        if self._body_end:
            return
        if self._phase is _Phase.IN_BODY or (self._phase >= _Phase.IN_HEAD and not self._body_start):
            self._mode = Mode.OVER

    def _pass_over(self, data: bytes, at: int) -> int:
        """Return where the next byte is that has to be looked at."""
        if not self._open.plain:
            end = data.find(b"<", at)
            return end if end >= 0 else len(data)
        if self._phase is _Phase.IN_BODY or self._open:
            end = end_of(BODY_CONTENT, data, at)
            wanted = self._unless_class
            if wanted and not self._open and data.find(wanted, at, end) >= 0:
                for unit in UNITS.finditer(data, at, end):
                    self._look_for_class(unit[1] or b"")
            return end
        return end_of(HEAD_CONTENT if self._phase >= _Phase.IN_HEAD else _BETWEEN, data, at)

    def _look_for_class(self, tag: bytes) -> None:
        if self._unless_class not in tag or len(tag) > LIMIT or tag.startswith(b"</"):
            return
        if self._unless_class in classes(tag):
            self._body_end = b""
            self._mode = Mode.OVER

    def _see_text(self, at: int) -> None:
        if self._phase is _Phase.INITIAL:
            self._mode = Mode.OVER
        elif not self._open:
            self._advance(_Phase.IN_BODY, at)

    def _see_doctype(self) -> None:
        if self._phase is _Phase.INITIAL:
            self.complete = True
            self._phase = _Phase.BEFORE_HEAD
            if not (self._head or self._body_start or self._body_end):
                self._mode = Mode.OVER

    def _before_tag(self, slash: bytes, name: bytes, at: int) -> None:
        """Let begin what this tag implies, and insert before it."""
        if not self._open:
            if self._phase is _Phase.INITIAL:
                if slash or name != b"html":
                    self._mode = Mode.OVER
                    return
                self._see_doctype()
            self._advance(_implied_by_end(name) if slash else self._implied_by_start(name), at)
        if slash and name in _BODY_ENDS and self._phase is _Phase.IN_BODY and not self._open.hide_body:
            self._put(self._body_end, at)
            self._mode = Mode.OVER

    def _implied_by_start(self, name: bytes) -> _Phase:
        """Tell how far the document has come at a start tag."""
        if name in (b"html", b"head"):
            return _Phase.INITIAL
        if name in (b"body", b"frameset"):
            return _Phase.AFTER_HEAD
        if name in _HEAD_TAGS or (name == b"noscript" and self._phase <= _Phase.IN_HEAD):
            return _Phase.IN_HEAD
        return _Phase.IN_BODY

    def _after_tag(self, slash: bytes, name: bytes, tag: bytes, at: int) -> None:
        """Insert behind this tag."""
        if self._open:
            return
        if slash:
            if name == b"head" and self._phase is _Phase.IN_HEAD:
                self._phase = _Phase.AFTER_HEAD
            return
        if name == b"head" and self._phase is _Phase.BEFORE_HEAD:
            self._advance(_Phase.IN_HEAD, at)
        elif name == b"body" and self._phase is not _Phase.IN_BODY:
            self._advance(_Phase.IN_BODY, at)
        elif name == b"frameset" and self._phase is not _Phase.IN_BODY:
            self._mode = Mode.OVER
        if self._unless_class and self._phase is _Phase.IN_BODY:
            self._look_for_class(tag)


def _implied_by_end(name: bytes) -> _Phase:
    """Tell how far the document has come at an end tag; most are ignored until the body has begun."""
    if name == b"head":
        return _Phase.IN_HEAD
    return _Phase.IN_BODY if name in _IMPLYING_ENDS else _Phase.INITIAL
