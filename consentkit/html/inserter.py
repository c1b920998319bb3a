"""Insertion into the head and the body of HTML as it streams.

A page is read by the rules of the HTML standard for tokenization and tree construction, as far as insertion needs them:
they tell a real `<body>` from one in a comment, a script, a template or an attribute. One match of a regular expression
skips each stretch that cannot matter.
"""

import re
from enum import IntEnum

from consentkit.html.patterns import (
    BODY_CONTENT,
    HEAD_CONTENT,
    SPACE,
    TAG_ATTRIBUTES,
    TAG_OPEN,
    UNITS,
    attributes,
    classes,
)
from consentkit.html.tokenizer import LIMIT, State, Tokenizer, end_of

__all__ = ["Inserter"]

_WHITE_SPACE = re.compile(rb"[" + SPACE + rb"]*+")
# Browsers look for the encoding of a page in so many bytes.
_ENCODING_WITHIN = 1024
_META = b"<meta"
_HEAD_ELEMENTS = frozenset(b"base basefont bgsound link meta noframes script style template title".split())
# End tags before which browsers start a body, and those that end it.
_BODY_STARTING_ENDS = frozenset((b"body", b"html", b"br"))
_BODY_ENDS = frozenset((b"body", b"html"))


class _InsertionMode(IntEnum):
    """How far tree construction has come: the insertion modes of the HTML standard that matter here."""

    INITIAL = 0
    BEFORE_HEAD = 1
    HEAD_START = 2
    """Right after `<head>`."""
    IN_HEAD = 3
    AFTER_HEAD = 4
    IN_BODY = 5


class Inserter(Tokenizer):
    """Insert markup into one HTML document whose bytes arrive in chunks.

    `head` is inserted at the start of the head, or after the `<meta charset>` that it starts with. `body_start` is inserted at
    the start of the body, and `body_end` at its end. Their
    tags may be omitted in the page. With `unless_class`, `body_end` is not inserted if the body has an element of that class.

    A fragment, which begins with neither a doctype nor `<html>`, passes unchanged. With `browsed` there are no fragments, because
    a browser shows whatever comes in a window as a document. The body of a frameset passes unchanged too. The result does not
    depend on how the document was cut into chunks.
    """

    __slots__ = (
        "_body_end",
        "_body_start",
        "_browsed",
        "_head",
        "_insertion_mode",
        "_is_last",
        "_pending",
        "_unless_class",
        "complete",
        "is_bare",
    )

    def __init__(
        self,
        head: bytes,
        body_start: bytes,
        body_end: bytes,
        *,
        unless_class: bytes = b"",
        browsed: bool = False,
    ) -> None:
        super().__init__()
        self.complete: bool | None = None
        """Whether this is a complete document and no fragment; None until that is known."""
        self.is_bare = False
        """Whether only `browsed` tells that this is a document."""
        self._browsed = browsed
        self._head = head
        self._body_start = body_start
        self._body_end = body_end
        self._unless_class = unless_class
        self._insertion_mode = _InsertionMode.INITIAL
        self._is_last = False
        # Offsets in the data that is not released yet, each with the markup to insert there.
        self._pending: list[tuple[int, bytes]] = []

    @property
    def decided(self) -> bool:
        """Whether all that follows passes unchanged, so that it need not be fed."""
        return self._state is State.DONE

    def feed(self, chunk: bytes, more: bool) -> bytes:
        """Read the next chunk, `more` being false for the last one, and return the bytes that can be sent."""
        if self._state is State.DONE:
            return chunk
        self._is_last = not more
        data, end = self._read(chunk, more)
        if not more:
            self._end_document(end, data[end:])
            end = len(data)
        if self.decided:
            self.complete = bool(self.complete)
        self._held = data[end:]
        if not self._pending:
            return data if end == len(data) else data[:end]
        parts: list[bytes] = []
        last = 0
        for at, markup in self._pending:
            parts += (data[last:at], markup)
            last = at
        self._pending = []
        parts.append(data[last:end])
        return b"".join(parts)

    def _end_document(self, at: int, rest: bytes) -> None:
        """Insert what is left, unless the document ends inside of raw text or a comment, which would swallow it."""
        if (
            self.complete
            and self._state is State.DATA
            and not self._at_raw_text_end
            and not rest.startswith(b"<!")
        ):
            if not self._open_elements:
                self._advance(_InsertionMode.IN_BODY, at)
            if self._insertion_mode is _InsertionMode.IN_BODY and not self._open_elements.hide_body:
                self._insert(self._body_end, at)
        self._state = State.DONE

    def _insert(self, markup: bytes, at: int) -> None:
        if markup:
            self._pending.append((at, markup))

    def _advance(self, mode: _InsertionMode, at: int) -> None:
        """Start head and body at an offset, as far as an insertion mode implies them; stop after the last insertion."""
        if self._insertion_mode < _InsertionMode.IN_HEAD <= mode:
            self._insert(self._head, at)
        if self._insertion_mode < mode is _InsertionMode.IN_BODY:
            self._insert(self._body_start, at)
        self._insertion_mode = max(self._insertion_mode, mode)
        if self._body_end:
            return
        in_head = self._insertion_mode >= _InsertionMode.IN_HEAD
        if self._insertion_mode is _InsertionMode.IN_BODY or (in_head and not self._body_start):
            self._state = State.DONE

    def _read_data(self, data: bytes, at: int) -> int:
        if self._insertion_mode is _InsertionMode.HEAD_START:
            end = self._encoding_end(data, at)
            if end is None:
                return at
            self._advance(_InsertionMode.IN_HEAD, end)
            if end > at:
                return end
        return super()._read_data(data, at)

    def _encoding_end(self, data: bytes, at: int) -> int | None:
        """Return the end of a `<meta charset>` that starts the head, or the start of the head without one.

        Return None if more is to come. What is inserted is longer than the stretch in which browsers look for the encoding.
        """
        undecided = at if self._is_last or len(data) - at >= _ENCODING_WITHIN else None
        data = data[: at + _ENCODING_WITHIN]
        start = end_of(_WHITE_SPACE, data, at)
        if _META.startswith(data[start : start + len(_META)].lower()) and len(data) - start <= len(_META):
            return undecided
        tag_open = TAG_OPEN.match(data, start)
        if tag_open is None or tag_open[0].lower() != _META:
            return at
        end = end_of(TAG_ATTRIBUTES, data, tag_open.end())
        if data[end : end + 1] != b">":
            return undecided
        has_charset = any(name == b"charset" for name, _ in attributes(data[start : end + 1]))
        return end + 1 if has_charset else at

    def _skip(self, data: bytes, at: int) -> int:
        """Return the offset of the next byte that may matter."""
        if not self._open_elements.plain:
            end = data.find(b"<", at)
            return end if end >= 0 else len(data)
        if self._insertion_mode is _InsertionMode.IN_BODY or self._open_elements:
            end = end_of(BODY_CONTENT, data, at)
            class_name = self._unless_class
            # Most stretches do not contain the name at all; only in those that do, tags are read one by one.
            if class_name and not self._open_elements and data.find(class_name, at, end) >= 0:
                for unit in UNITS.finditer(data, at, end):
                    self._check_class(unit[1] or b"")
            return end
        in_head = self._insertion_mode >= _InsertionMode.IN_HEAD
        return end_of(HEAD_CONTENT if in_head else _WHITE_SPACE, data, at)

    def _check_class(self, tag: bytes) -> None:
        """Stop if a start tag has the class of `unless_class`."""
        if self._unless_class not in tag or len(tag) > LIMIT or tag.startswith(b"</"):
            return
        if self._unless_class in classes(tag):
            self._body_end = b""
            self._state = State.DONE

    def _on_text(self, at: int) -> None:
        if self._insertion_mode is _InsertionMode.INITIAL and not self._begin_without_doctype(b""):
            self._state = State.DONE
        elif not self._open_elements:
            self._advance(_InsertionMode.IN_BODY, at)

    def _begin_without_doctype(self, name: bytes) -> bool:
        """Begin the document with the start tag of an element, or with text; return False for a fragment."""
        if name != b"html":
            if not self._browsed:
                return False
            self.is_bare = True
        self._on_doctype()
        return True

    def _on_doctype(self) -> None:
        if self._insertion_mode is _InsertionMode.INITIAL:
            self.complete = True
            self._insertion_mode = _InsertionMode.BEFORE_HEAD
            if not (self._head or self._body_start or self._body_end):
                self._state = State.DONE

    def _before_tag(self, slash: bytes, name: bytes, at: int) -> None:
        """Start what browsers start before such a tag, and end the body at its end tag."""
        if not self._open_elements:
            is_first = self._insertion_mode is _InsertionMode.INITIAL
            if is_first and not self._begin_without_doctype(b"" if slash else name):
                self._state = State.DONE
                return
            self._advance(_implied_by_end_tag(name) if slash else self._implied_by_start_tag(name), at)
        in_body = self._insertion_mode is _InsertionMode.IN_BODY
        if slash and name in _BODY_ENDS and in_body and not self._open_elements.hide_body:
            self._insert(self._body_end, at)
            self._state = State.DONE

    def _implied_by_start_tag(self, name: bytes) -> _InsertionMode:
        """Return the insertion mode that tree construction has reached before a start tag."""
        if name in (b"html", b"head"):
            return _InsertionMode.INITIAL
        if name in (b"body", b"frameset"):
            return _InsertionMode.AFTER_HEAD
        before_body = self._insertion_mode <= _InsertionMode.IN_HEAD
        if name in _HEAD_ELEMENTS or (name == b"noscript" and before_body):
            return _InsertionMode.IN_HEAD
        return _InsertionMode.IN_BODY

    def _after_tag(self, slash: bytes, name: bytes, tag: bytes, at: int) -> None:
        """Insert after the start tags of head and body."""
        if self._open_elements:
            return
        if slash:
            if name == b"head" and self._insertion_mode is _InsertionMode.IN_HEAD:
                self._insertion_mode = _InsertionMode.AFTER_HEAD
            return
        if name == b"head" and self._insertion_mode is _InsertionMode.BEFORE_HEAD:
            if self._head:
                self._insertion_mode = _InsertionMode.HEAD_START
            else:
                self._advance(_InsertionMode.IN_HEAD, at)
        elif name == b"body" and self._insertion_mode is not _InsertionMode.IN_BODY:
            self._advance(_InsertionMode.IN_BODY, at)
        elif name == b"frameset" and self._insertion_mode is not _InsertionMode.IN_BODY:
            self._state = State.DONE
        if self._unless_class and self._insertion_mode is _InsertionMode.IN_BODY:
            self._check_class(tag)


def _implied_by_end_tag(name: bytes) -> _InsertionMode:
    """Return the insertion mode that tree construction has reached before an end tag; browsers ignore most there."""
    if name == b"head":
        return _InsertionMode.IN_HEAD
    return _InsertionMode.IN_BODY if name in _BODY_STARTING_ENDS else _InsertionMode.INITIAL
