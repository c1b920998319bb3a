"""Reads HTML as it streams, as far as telling real tags from what only looks like one.

What is held back: a tag, or the beginning of something that may become one, until its end has arrived. A tag that has
not ended after `LIMIT` bytes is let go while its attribute values stream by (`data:` addresses); one whose attribute
*names* are that long ends the reading.
"""

import re
from abc import ABC, abstractmethod
from enum import IntEnum

from consentkit.html.patterns import (
    RAW_TEXT,
    SPACE,
    TAG_ATTRIBUTES,
    TAG_OPEN,
    VALUE_OPEN,
    OpenElements,
    last_attribute,
    raw_text_end,
)

__all__ = ["LIMIT", "Mode", "Tokenizer", "end_of"]

LIMIT = 16 * 1024
"""Bytes of an unfinished tag that are held back at the most."""

_BOM = b"\xef\xbb\xbf"
_DOCTYPE = b"<!doctype"
_CDATA = b"<![CDATA["
_LONGEST_TAIL = 10


class Mode(IntEnum):
    """What the next byte belongs to."""

    DATA = 0
    COMMENT = 1
    BOGUS_COMMENT = 2
    CDATA = 3
    RAW_TEXT = 4
    SCRIPT = 5
    SCRIPT_ESCAPED = 6
    SCRIPT_DOUBLE_ESCAPED = 7
    TAG = 8
    VALUE = 9
    OVER = 10


# What ends each kind of text, and what at the end of the data may be the beginning of that.
_ENDS = {
    Mode.COMMENT: (re.compile(rb"--!?>"), re.compile(rb"(?:--!?|-)\Z")),
    Mode.BOGUS_COMMENT: (re.compile(rb">"), re.compile(rb"\Z")),
    Mode.CDATA: (re.compile(rb"\]\]>"), re.compile(rb"\]{1,2}\Z")),
}
_RAW_ENDS = {name: raw_text_end(name) for name in RAW_TEXT}
_RAW_TAIL = re.compile(rb"<(?:/[a-zA-Z]*)?\Z")
_SCRIPT_TAG = rb"(?i:script)(?=[" + SPACE + rb"/>])"
_SCRIPT_ENDS = {
    Mode.SCRIPT: re.compile(rb"<!--|<(/)" + _SCRIPT_TAG),
    Mode.SCRIPT_ESCAPED: re.compile(rb"-->|<(/?)" + _SCRIPT_TAG),
    Mode.SCRIPT_DOUBLE_ESCAPED: re.compile(rb"-->|<(/)" + _SCRIPT_TAG),
}
_SCRIPT_TAIL = re.compile(rb"(?:<!?-?|</?[a-zA-Z]*|--?)\Z")
_QUOTED_VALUE_ENDS = {quote: re.compile(quote) for quote in (b'"', b"'")}
_BARE_VALUE_END = re.compile(rb"[" + SPACE + rb">]")


class Tokenizer(ABC):
    """Walk through one document whose bytes arrive in chunks; subclasses know what to look for.

    `_mode` is `OVER` once nothing more is looked for.
    """

    __slots__ = ("_begun", "_ending", "_held", "_mode", "_name", "_open", "_raw_end", "_value_end")

    def __init__(self) -> None:
        self._begun = False
        self._held = b""
        self._mode = Mode.DATA
        self._open = OpenElements()
        # Whether the next tag only ends a raw text, and what is known of a tag that was let go.
        self._ending = False
        self._name = (b"", b"")
        self._raw_end = self._value_end = _BARE_VALUE_END

    # What subclasses say

    @abstractmethod
    def _pass_over(self, data: bytes, at: int) -> int:
        """Return where the next byte is that has to be looked at; text may be passed over."""

    @abstractmethod
    def _see_text(self, at: int) -> None:
        """Take in that text begins which was not passed over."""

    @abstractmethod
    def _see_doctype(self) -> None:
        """Take in that a doctype begins."""

    @abstractmethod
    def _before_tag(self, slash: bytes, name: bytes, at: int) -> None:
        """Take in that a tag begins."""

    @abstractmethod
    def _after_tag(self, slash: bytes, name: bytes, tag: bytes, at: int) -> None:
        """Take in a whole tag, of which the end is left if it was long, and where it ends."""

    # Walking

    def _take(self, chunk: bytes, more: bool) -> tuple[bytes, int]:
        """Read on; return the data from where nothing has gone out, and where in them the unfinished rest begins."""
        data = self._held + chunk if self._held else chunk
        at = 0
        if not self._begun:
            if more and len(data) < len(_BOM) and _BOM.startswith(data):
                return data, 0
            self._begun = True
            at = len(_BOM) if data.startswith(_BOM) else 0
        size = len(data)
        while at < size and self._mode is not Mode.OVER:
            before, mode = at, self._mode
            at = self._read_data(data, at) if mode is Mode.DATA else self._read_inside(data, at, mode)
            if at == before and mode is self._mode:
                break
        return data, size if self._mode is Mode.OVER else at

    def _read_data(self, data: bytes, at: int) -> int:
        if not self._ending:
            at = self._pass_over(data, at)
        if at == len(data):
            return at
        opened = TAG_OPEN.match(data, at)
        if opened:
            return self._read_tag(data, at, opened)
        if data[at : at + 1] == b"<":
            return self._read_declaration(data, at)
        self._see_text(at)
        return at if self._mode is Mode.OVER else self._pass_over(data, at)

    def _read_declaration(self, data: bytes, at: int) -> int:
        """Read what begins with `<` and is no whole tag name."""
        start = data[at : at + 9]
        second = start[1:2]
        if second == b"!":
            return self._read_exclamation(data, at, start)
        if not second or (second == b"/" and len(start) == 2):
            return at
        if second.isalpha() or (second == b"/" and start[2:3].isalpha()):
            if len(data) - at > LIMIT:
                self._mode = Mode.OVER
            return at
        if start.startswith(b"</>"):
            return at + 3
        if second in b"/?":
            self._mode = Mode.BOGUS_COMMENT
            return at + 2
        self._see_text(at)
        return at + 1

    def _read_exclamation(self, data: bytes, at: int, start: bytes) -> int:
        """Read the beginning of a comment, a doctype or a CDATA section."""
        if start.startswith(b"<!--"):
            rest = start[4:6]
            if rest[:1] == b">" or rest == b"->":
                return at + 4 + rest.index(b">") + 1
            if len(rest) < 2 and rest in (b"", b"-"):
                return at
            self._mode = Mode.COMMENT
            return at + 4
        if len(start) < len(_DOCTYPE) and (
            start == b"<!-"
            or _DOCTYPE.startswith(start.lower())
            or (self._open.foreign and _CDATA.startswith(start))
        ):
            return at
        self._mode = Mode.BOGUS_COMMENT
        if start == _CDATA and self._open.foreign:
            self._mode = Mode.CDATA
            return at + len(_CDATA)
        if start.lower() == _DOCTYPE:
            self._see_doctype()
        return at + 2

    # Tags

    def _read_tag(self, data: bytes, at: int, opened: re.Match[bytes]) -> int:
        """Read a tag; where its end has not arrived, wait, or let a long one go."""
        end = end_of(TAG_ATTRIBUTES, data, opened.end())
        slash, name = opened[1], opened[2].lower()
        if data[end : end + 1] == b">":
            self._begin_tag(slash, name, at)
            if self._mode is not Mode.OVER:
                self._end_tag(slash, name, data[at : end + 1], end + 1)
            return end + 1
        if len(data) - at <= LIMIT:
            return at
        self._begin_tag(slash, name, at)
        if self._mode is Mode.OVER:
            return at
        self._name = (slash, name)
        return self._let_go(data, opened.end(), end)

    def _let_go(self, data: bytes, at: int, end: int) -> int:
        """Let a long unfinished tag go up to its last attribute, the value of that one included."""
        if end == len(data):
            end = last_attribute(data, at)
        self._mode = Mode.TAG
        value = VALUE_OPEN.match(data, end)
        if value:
            self._mode = Mode.VALUE
            self._value_end = _QUOTED_VALUE_ENDS.get(value[1], _BARE_VALUE_END)
            return value.end()
        if len(data) - end > LIMIT:
            self._mode = Mode.OVER
        return end

    def _read_long_tag(self, data: bytes, at: int) -> int:
        """Read on in a tag whose beginning has gone out."""
        end = end_of(TAG_ATTRIBUTES, data, at)
        if data[end : end + 1] == b">":
            self._mode = Mode.DATA
            slash, name = self._name
            self._end_tag(slash, name, b"<" + name + b" " + data[at : end + 1], end + 1)
            return end + 1
        return at if len(data) - at <= LIMIT else self._let_go(data, at, end)

    def _begin_tag(self, slash: bytes, name: bytes, at: int) -> None:
        if not self._ending:
            self._before_tag(slash, name, at)

    def _end_tag(self, slash: bytes, name: bytes, tag: bytes, at: int) -> None:
        """Take in a whole tag, and know how to read on."""
        if self._ending:
            self._ending = False
            return
        self._after_tag(slash, name, tag, at)
        if slash:
            self._open.end(name)
        elif self._mode is Mode.DATA and self._open.start(name, tag):
            self._read_element(name)

    def _read_element(self, name: bytes) -> None:
        """Know the elements whose content is text."""
        if name == b"script":
            self._mode = Mode.SCRIPT
        elif name in RAW_TEXT:
            self._mode = Mode.RAW_TEXT
            self._raw_end = _RAW_ENDS[name]
        elif name == b"plaintext":
            self._mode = Mode.OVER

    # Comments, raw text, scripts, long tags

    def _read_inside(self, data: bytes, at: int, mode: Mode) -> int:
        if mode is Mode.TAG:
            return self._read_long_tag(data, at)
        if mode is Mode.VALUE:
            found = self._value_end.search(data, at)
            if not found:
                return len(data)
            self._mode = Mode.TAG
            return found.start() if self._value_end is _BARE_VALUE_END else found.end()
        if mode >= Mode.SCRIPT:
            return self._read_script(data, at, mode)
        ends, tail = (self._raw_end, _RAW_TAIL) if mode is Mode.RAW_TEXT else _ENDS[mode]
        found = ends.search(data, at)
        if not found:
            return _without(tail, data, at)
        self._mode = Mode.DATA
        self._ending = mode is Mode.RAW_TEXT
        return found.start() if self._ending else found.end()

    def _read_script(self, data: bytes, at: int, mode: Mode) -> int:
        """Read on in a script, in which comments hide tags (script data escaped, double escaped)."""
        found = _SCRIPT_ENDS[mode].search(data, at)
        if not found:
            return _without(_SCRIPT_TAIL, data, at)
        if found[0] == b"<!--":
            self._mode = Mode.SCRIPT_ESCAPED
            return found.end() - 2
        if found[0] == b"-->":
            self._mode = Mode.SCRIPT
        elif not found[1]:
            self._mode = Mode.SCRIPT_DOUBLE_ESCAPED
        elif mode is Mode.SCRIPT_DOUBLE_ESCAPED:
            self._mode = Mode.SCRIPT_ESCAPED
        else:
            self._mode = Mode.DATA
            self._ending = True
            return found.start()
        return found.end()


def end_of(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Match a pattern that matches everywhere, if only nothing; return where the match ends."""
    found = pattern.match(data, at)
    return found.end() if found else at


def _without(tail: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Return where the tail begins that may be the beginning of something, or the end of the data."""
    found = tail.search(data, max(at, len(data) - _LONGEST_TAIL))
    return found.start() if found else len(data)
