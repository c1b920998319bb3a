"""Finds head and body in HTML as it streams, and inserts there.

A page is read as a browser reads it (HTML standard, tokenisation and tree construction), so far as is needed to
tell a real `<body>` from one in a comment, a script, a template or an attribute. Nothing is parsed that need not
be: what cannot matter is passed over in one step of a regular expression.

What goes out late: a tag, or the beginning of something that may become one, until its end has arrived. A tag
that has not ended after `LIMIT` bytes is let go while its attribute values stream by (`data:` addresses); one whose
attribute *names* are that long ends the search, and the rest of the document passes unchanged.
"""

import re
from enum import IntEnum

from consentkit.markup import (
    BODY_CONTENT,
    HEAD_CONTENT,
    RAW_TEXT,
    SPACE,
    TAG_ATTRIBUTES,
    TAG_OPEN,
    UNITS,
    VALUE_OPEN,
    OpenElements,
    classes,
    last_attribute,
    raw_text_end,
)

__all__ = ["LIMIT", "Injector"]

LIMIT = 16 * 1024
"""Bytes of an unfinished tag that are held back at the most."""


_BOM = b"\xef\xbb\xbf"
_DOCTYPE = b"<!doctype"
_CDATA = b"<![CDATA["
_BETWEEN = re.compile(rb"[" + SPACE + rb"]*+")
_VALUE_ENDS = {b'"': re.compile(b'"'), b"'": re.compile(b"'")}
_BARE_VALUE_END = re.compile(rb"[" + SPACE + rb">]")

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


class _Mode(IntEnum):
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


# What ends each kind of text, and what at the end of a chunk may be the beginning of that.
_ENDS = {
    _Mode.COMMENT: (re.compile(rb"--!?>"), re.compile(rb"(?:--!?|-)\Z")),
    _Mode.BOGUS_COMMENT: (re.compile(rb">"), re.compile(rb"\Z")),
    _Mode.CDATA: (re.compile(rb"\]\]>"), re.compile(rb"\]{1,2}\Z")),
}
_RAW_ENDS = {name: raw_text_end(name) for name in RAW_TEXT}
_RAW_TAIL = re.compile(rb"<(?:/[a-zA-Z]*)?\Z")
_SCRIPT_WORD = rb"<(/?)(?i:script)(?=[" + SPACE + rb"/>])"
_SCRIPT_ENDS = {
    _Mode.SCRIPT: re.compile(rb"<!--|<(/)(?i:script)(?=[" + SPACE + rb"/>])"),
    _Mode.SCRIPT_ESCAPED: re.compile(rb"-->|" + _SCRIPT_WORD),
    _Mode.SCRIPT_DOUBLE_ESCAPED: re.compile(rb"-->|<(/)(?i:script)(?=[" + SPACE + rb"/>])"),
}
_SCRIPT_TAIL = re.compile(rb"(?:<!?-?|</?[a-zA-Z]*|--?)\Z")
_LONGEST_TAIL = 10


class Injector:
    """Insert pieces of markup into one HTML document whose bytes arrive in chunks.

    `head` goes to the beginning of the head, `body_start` to the beginning of the body, `body_end` before the
    body's end, also where their tags are omitted. What is not a whole document (neither a doctype nor `<html>`
    comes first) passes unchanged, as does the body of a frameset. With `unless_class`, `body_end` is left out
    where an element of that class comes first.

    The bytes that come out do not depend on how the document was cut into chunks.
    """

    __slots__ = (
        "_begun",
        "_body_end",
        "_body_start",
        "_due",
        "_ending",
        "_head",
        "_held",
        "_mode",
        "_name",
        "_open",
        "_phase",
        "_raw_end",
        "_unless_class",
        "_value_end",
        "complete",
    )

    def __init__(self, head: bytes, body_start: bytes, body_end: bytes, *, unless_class: bytes = b"") -> None:
        self.complete: bool | None = None
        """Whether this is a whole document; None until that is known."""
        self._head = head
        self._body_start = body_start
        self._body_end = body_end
        self._unless_class = unless_class
        self._begun = False
        self._held = b""
        self._phase = _Phase.INITIAL
        self._mode = _Mode.DATA
        self._open = OpenElements()
        self._due: list[tuple[int, bytes]] = []
        self._ending = False
        self._name = (b"", b"")
        self._raw_end = _BETWEEN
        self._value_end = _BARE_VALUE_END

    @property
    def decided(self) -> bool:
        """Tell whether everything from here on passes unchanged, so that it need not be fed."""
        return self._mode is _Mode.OVER

    def feed(self, chunk: bytes, more: bool) -> bytes:
        """Take in the next chunk, the last one with `more` false; return what can go out."""
        if self._mode is _Mode.OVER:
            return chunk
        data = self._held + chunk if self._held else chunk
        if more and not self._begun and len(data) < len(_BOM) and _BOM.startswith(data):
            self._held = data
            return b""
        end = self._scan(data)
        if not more:
            self._finish(end)
            end = len(data)
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

    def _scan(self, data: bytes) -> int:
        """Read as far as the data allow; return where the unfinished rest begins."""
        at = 0
        if not self._begun:
            self._begun = True
            at = len(_BOM) if data.startswith(_BOM) else 0
        size = len(data)
        while at < size:
            mode, phase, before = self._mode, self._phase, at
            if mode is _Mode.DATA:
                at = self._read_data(data, at)
            elif mode is _Mode.OVER:
                return size
            else:
                at = self._read_inside(data, at, mode)
            if at == before and mode is self._mode and phase is self._phase:
                break
        return at

    def _finish(self, at: int) -> None:
        """Insert at the end of the document what has found no place, unless it would be part of a text."""
        if not self.complete or self._mode is not _Mode.DATA or self._ending:
            return
        if not self._open:
            self._advance(_Phase.IN_BODY, at)
        if self._phase is _Phase.IN_BODY and not self._open.hide_body:
            self._put(self._body_end, at)

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
        if not self._body_end and (
            self._phase is _Phase.IN_BODY or (self._phase >= _Phase.IN_HEAD and not self._body_start)
        ):
            self._mode = _Mode.OVER

    # Data: text, and where tags and comments begin

    def _read_data(self, data: bytes, at: int) -> int:
        if not self._ending:
            at = self._pass_over(data, at)
        if at == len(data):
            return at
        opened = TAG_OPEN.match(data, at)
        if opened:
            return self._read_tag_open(data, at, opened)
        if data[at : at + 1] == b"<":
            return self._read_declaration(data, at)
        self._read_character(at)
        return at

    def _pass_over(self, data: bytes, at: int) -> int:
        """Return where the next byte is that has to be looked at."""
        if not self._open.plain:
            end = data.find(b"<", at)
            return end if end >= 0 else len(data)
        if self._phase is _Phase.IN_BODY or self._open:
            end = _end(BODY_CONTENT, data, at)
            wanted = self._unless_class
            if wanted and not self._open and data.find(wanted, at, end) >= 0:
                for unit in UNITS.finditer(data, at, end):
                    self._look_for_class(unit[1] or b"")
            return end
        return _end(HEAD_CONTENT if self._phase >= _Phase.IN_HEAD else _BETWEEN, data, at)

    def _look_for_class(self, tag: bytes) -> None:
        if self._unless_class in tag and len(tag) <= LIMIT and self._unless_class in classes(tag):
            self._body_end = b""
            self._mode = _Mode.OVER

    def _read_character(self, at: int) -> None:
        """Take in text that is no white space."""
        if self._phase is _Phase.INITIAL:
            self._leave_alone()
        elif not self._open:
            self._advance(_Phase.IN_BODY, at)

    def _leave_alone(self) -> None:
        self.complete = bool(self.complete)
        self._mode = _Mode.OVER

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
                self._leave_alone()
            return at
        if start.startswith(b"</>"):
            return at + 3
        if second in b"/?":
            self._mode = _Mode.BOGUS_COMMENT
            return at + 2
        self._read_character(at)
        return at + 1

    def _read_exclamation(self, data: bytes, at: int, start: bytes) -> int:
        """Read the beginning of a comment, a doctype or a CDATA section."""
        if start.startswith(b"<!--"):
            rest = start[4:6]
            if rest[:1] == b">" or rest == b"->":
                return at + 4 + rest.index(b">") + 1
            if len(rest) < 2 and rest in (b"", b"-"):
                return at
            self._mode = _Mode.COMMENT
            return at + 4
        if len(start) < len(_DOCTYPE) and (
            start == b"<!-"
            or _DOCTYPE.startswith(start.lower())
            or (self._open.foreign and _CDATA.startswith(start))
        ):
            return at
        self._mode = _Mode.BOGUS_COMMENT
        if start == _CDATA and self._open.foreign:
            self._mode = _Mode.CDATA
            return at + len(_CDATA)
        if start.lower() == _DOCTYPE and self._phase is _Phase.INITIAL:
            self._begin()
        return at + 2

    def _begin(self) -> None:
        """Know that this is a whole document."""
        self.complete = True
        self._phase = _Phase.BEFORE_HEAD
        if not (self._head or self._body_start or self._body_end):
            self._mode = _Mode.OVER

    # Tags

    def _read_tag_open(self, data: bytes, at: int, opened: re.Match[bytes]) -> int:
        """Read a tag; where its end has not arrived, wait, or let a long one go."""
        end = _end(TAG_ATTRIBUTES, data, opened.end())
        slash, name = opened[1], opened[2].lower()
        if data[end : end + 1] == b">":
            self._before_tag(slash, name, at)
            if self._mode is not _Mode.OVER:
                self._after_tag(slash, name, data[at : end + 1], end + 1)
            return end + 1
        if len(data) - at <= LIMIT:
            return at
        self._before_tag(slash, name, at)
        if self._mode is _Mode.OVER:
            return at
        self._name = (slash, name)
        return self._let_go(data, opened.end(), end)

    def _let_go(self, data: bytes, at: int, end: int) -> int:
        """Let a long unfinished tag go up to its last attribute, the value of that one included."""
        if end == len(data):
            end = last_attribute(data, at)
        self._mode = _Mode.TAG
        value = VALUE_OPEN.match(data, end)
        if value:
            self._mode = _Mode.VALUE
            self._value_end = _VALUE_ENDS.get(value[1], _BARE_VALUE_END)
            return value.end()
        if len(data) - end > LIMIT:
            self._leave_alone()
        return end

    def _read_long_tag(self, data: bytes, at: int) -> int:
        """Read on in a tag whose beginning has gone out."""
        end = _end(TAG_ATTRIBUTES, data, at)
        if data[end : end + 1] == b">":
            self._mode = _Mode.DATA
            slash, name = self._name
            self._after_tag(slash, name, b"<" + name + b" " + data[at : end + 1], end + 1)
            return end + 1
        return at if len(data) - at <= LIMIT else self._let_go(data, at, end)

    def _before_tag(self, slash: bytes, name: bytes, at: int) -> None:
        """Let begin what this tag implies, and insert before it."""
        if self._ending:
            return
        if not self._open:
            if self._phase is _Phase.INITIAL:
                if slash or name != b"html":
                    self._leave_alone()
                    return
                self._begin()
            self._advance(_implied_by_end(name) if slash else self._implied_by_start(name), at)
        if slash and name in _BODY_ENDS and self._phase is _Phase.IN_BODY and not self._open.hide_body:
            self._put(self._body_end, at)
            self._mode = _Mode.OVER

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
        """Insert behind this tag, and know how to read on."""
        if self._ending:
            self._ending = False
        elif slash:
            if self._open:
                self._open.end(name)
            elif name == b"head" and self._phase is _Phase.IN_HEAD:
                self._phase = _Phase.AFTER_HEAD
        else:
            if not self._open and self._phase is not _Phase.IN_BODY:
                self._enter(name, at)
            if self._phase is _Phase.IN_BODY and not self._open and self._unless_class:
                self._look_for_class(tag)
            if self._mode is _Mode.DATA and self._open.start(name, tag):
                self._read_element(name)

    def _enter(self, name: bytes, at: int) -> None:
        """Insert at the beginning of head and body."""
        if name == b"head" and self._phase is _Phase.BEFORE_HEAD:
            self._advance(_Phase.IN_HEAD, at)
        elif name == b"body":
            self._advance(_Phase.IN_BODY, at)
        elif name == b"frameset":
            self._leave_alone()

    def _read_element(self, name: bytes) -> None:
        """Know the elements whose content is text."""
        if name == b"script":
            self._mode = _Mode.SCRIPT
        elif name in RAW_TEXT:
            self._mode = _Mode.RAW_TEXT
            self._raw_end = _RAW_ENDS[name]
        elif name == b"plaintext":
            self._mode = _Mode.OVER

    # Inside of something: comments, raw text, scripts, long tags

    def _read_inside(self, data: bytes, at: int, mode: _Mode) -> int:
        if mode is _Mode.TAG:
            return self._read_long_tag(data, at)
        if mode is _Mode.VALUE:
            found = self._value_end.search(data, at)
            if not found:
                return len(data)
            self._mode = _Mode.TAG
            return found.start() if self._value_end is _BARE_VALUE_END else found.end()
        if mode >= _Mode.SCRIPT:
            return self._read_script(data, at, mode)
        ends, tail = (self._raw_end, _RAW_TAIL) if mode is _Mode.RAW_TEXT else _ENDS[mode]
        found = ends.search(data, at)
        if not found:
            return _without(tail, data, at)
        self._mode = _Mode.DATA
        self._ending = mode is _Mode.RAW_TEXT
        return found.start() if self._ending else found.end()

    def _read_script(self, data: bytes, at: int, mode: _Mode) -> int:
        """Read on in a script, in which comments hide tags (script data escaped, double escaped)."""
        found = _SCRIPT_ENDS[mode].search(data, at)
        if not found:
            return _without(_SCRIPT_TAIL, data, at)
        if found[0] == b"<!--":
            self._mode = _Mode.SCRIPT_ESCAPED
            return found.end() - 2
        if found[0] == b"-->":
            self._mode = _Mode.SCRIPT
        elif not found[1]:
            self._mode = _Mode.SCRIPT_DOUBLE_ESCAPED
        elif mode is _Mode.SCRIPT_DOUBLE_ESCAPED:
            self._mode = _Mode.SCRIPT_ESCAPED
        else:
            self._mode = _Mode.DATA
            self._ending = True
            return found.start()
        return found.end()


def _implied_by_end(name: bytes) -> _Phase:
    """Tell how far the document has come at an end tag; most are ignored until the body has begun."""
    if name == b"head":
        return _Phase.IN_HEAD
    return _Phase.IN_BODY if name in _IMPLYING_ENDS else _Phase.INITIAL


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Match a pattern that matches everywhere, if only nothing; return where the match ends."""
    found = pattern.match(data, at)
    return found.end() if found else at


def _without(tail: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Return where the tail begins that may be the beginning of something, or the end of the data."""
    found = tail.search(data, max(at, len(data) - _LONGEST_TAIL))
    return found.start() if found else len(data)
