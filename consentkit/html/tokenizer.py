"""A tokenizer for HTML as it streams, which tells real tags from text that looks like one.

Of an unfinished document, the tokenizer holds back only what may become a token when more arrives: a tag without its
end, or the beginning of a comment. A tag without its end after `LIMIT` bytes is released while the values of its
attributes stream by (`data:` addresses). Attribute *names* of that length end the reading.
"""

import re
from abc import ABC, abstractmethod
from enum import IntEnum

from consentkit.html.open_elements import OpenElements
from consentkit.html.patterns import (
    RAW_TEXT,
    SPACE,
    TAG_ATTRIBUTES,
    TAG_OPEN,
    VALUE_OPEN,
    last_attribute,
    raw_text_end,
)

__all__ = ["LIMIT", "State", "Tokenizer", "end_of"]

LIMIT = 16 * 1024
"""Largest number of bytes of an unfinished tag that are held back."""

_BOM = b"\xef\xbb\xbf"
_DOCTYPE = b"<!doctype"
_CDATA = b"<![CDATA["
_LONGEST_TAIL = 10


class State(IntEnum):
    """What the next byte belongs to, in the words of the HTML standard where it has one."""

    DATA = 0
    COMMENT = 1
    BOGUS_COMMENT = 2
    CDATA = 3
    RAW_TEXT = 4
    SCRIPT = 5
    SCRIPT_ESCAPED = 6
    SCRIPT_DOUBLE_ESCAPED = 7
    LONG_TAG = 8
    """A tag whose beginning was released."""
    LONG_VALUE = 9
    """The value of an attribute of such a tag."""
    DONE = 10
    """Nothing more has to be read."""


# By kind of content: the pattern of its end marker, and that of the beginning of an end marker at the end of the data.
_ENDS = {
    State.COMMENT: (re.compile(rb"--!?>"), re.compile(rb"(?:--!?|-)\Z")),
    State.BOGUS_COMMENT: (re.compile(rb">"), re.compile(rb"\Z")),
    State.CDATA: (re.compile(rb"\]\]>"), re.compile(rb"\]{1,2}\Z")),
}
_RAW_TEXT_ENDS = {name: raw_text_end(name) for name in RAW_TEXT}
_RAW_TEXT_TAIL = re.compile(rb"<(?:/[a-zA-Z]*)?\Z")
_SCRIPT_TAG = rb"(?i:script)(?=[" + SPACE + rb"/>])"
# In a script, `<!--` hides the end tag of a `<script>` that follows it, until `-->`.
_SCRIPT_ENDS = {
    State.SCRIPT: re.compile(rb"<!--|<(/)" + _SCRIPT_TAG),
    State.SCRIPT_ESCAPED: re.compile(rb"-->|<(/?)" + _SCRIPT_TAG),
    State.SCRIPT_DOUBLE_ESCAPED: re.compile(rb"-->|<(/)" + _SCRIPT_TAG),
}
_SCRIPT_TAIL = re.compile(rb"(?:<!?-?|</?[a-zA-Z]*|--?)\Z")
_QUOTED_VALUE_ENDS = {quote: re.compile(quote) for quote in (b'"', b"'")}
_UNQUOTED_VALUE_END = re.compile(rb"[" + SPACE + rb">]")


class Tokenizer(ABC):
    """Read one document whose bytes arrive in chunks; subclasses act on its tokens.

    Offsets are places in the data that has not been released yet.
    """

    __slots__ = (
        "_at_raw_text_end",
        "_held",
        "_long_tag",
        "_open_elements",
        "_raw_text_end",
        "_started",
        "_state",
        "_value_end",
    )

    def __init__(self) -> None:
        self._started = False
        self._held = b""
        self._state = State.DATA
        self._open_elements = OpenElements()
        # Whether the next tag is the end tag of a raw text element, which subclasses need not see.
        self._at_raw_text_end = False
        # Slash and name of a tag whose beginning was released.
        self._long_tag = (b"", b"")
        self._raw_text_end = self._value_end = _UNQUOTED_VALUE_END

    # For subclasses

    @abstractmethod
    def _skip(self, data: bytes, at: int) -> int:
        """Return the offset of the next byte that may matter, after text and tags that cannot."""

    @abstractmethod
    def _on_text(self, at: int) -> None:
        """Act on text that was not skipped."""

    @abstractmethod
    def _on_doctype(self) -> None:
        """Act on the beginning of a doctype."""

    @abstractmethod
    def _before_tag(self, slash: bytes, name: bytes, at: int) -> None:
        """Act on a tag that begins at an offset; `slash` is empty for a start tag, `name` is in lower case."""

    @abstractmethod
    def _after_tag(self, slash: bytes, name: bytes, tag: bytes, at: int) -> None:
        """Act on a complete tag that ends at an offset; of a long tag, `tag` holds the name and the last attributes."""

    # Reading

    def _read(self, chunk: bytes, more: bool) -> tuple[bytes, int]:
        """Read a chunk; return all data that is not released yet, and the offset of its unfinished rest."""
        data = self._held + chunk if self._held else chunk
        at = 0
        if not self._started:
            if more and len(data) < len(_BOM) and _BOM.startswith(data):
                return data, 0
            self._started = True
            at = len(_BOM) if data.startswith(_BOM) else 0
        size = len(data)
        while at < size and self._state is not State.DONE:
            before, state = at, self._state
            at = self._read_data(data, at) if state is State.DATA else self._read_content(data, at, state)
            if at == before and state is self._state:
                break
        return data, size if self._state is State.DONE else at

    def _read_data(self, data: bytes, at: int) -> int:
        if not self._at_raw_text_end:
            at = self._skip(data, at)
        if at == len(data):
            return at
        tag_open = TAG_OPEN.match(data, at)
        if tag_open:
            return self._read_tag(data, at, tag_open)
        if data[at : at + 1] == b"<":
            return self._read_declaration(data, at)
        self._on_text(at)
        return at if self._state is State.DONE else self._skip(data, at)

    def _read_declaration(self, data: bytes, at: int) -> int:
        """Read `<` without a complete tag name after it."""
        start = data[at : at + 9]
        second = start[1:2]
        if second == b"!":
            return self._read_exclamation(data, at, start)
        if not second or (second == b"/" and len(start) == 2):
            return at
        if second.isalpha() or (second == b"/" and start[2:3].isalpha()):
            if len(data) - at > LIMIT:
                self._state = State.DONE
            return at
        if start.startswith(b"</>"):
            return at + 3
        if second in b"/?":
            self._state = State.BOGUS_COMMENT
            return at + 2
        self._on_text(at)
        return at + 1

    def _read_exclamation(self, data: bytes, at: int, start: bytes) -> int:
        """Read the beginning of a comment, a doctype or a CDATA section."""
        if start.startswith(b"<!--"):
            rest = start[4:6]
            # `<!-->` and `<!--->` are complete comments.
            if rest[:1] == b">" or rest == b"->":
                return at + 4 + rest.index(b">") + 1
            if len(rest) < 2 and rest in (b"", b"-"):
                return at
            self._state = State.COMMENT
            return at + 4
        if len(start) < len(_DOCTYPE) and (
            start == b"<!-"
            or _DOCTYPE.startswith(start.lower())
            or (self._open_elements.foreign and _CDATA.startswith(start))
        ):
            return at
        self._state = State.BOGUS_COMMENT
        if start == _CDATA and self._open_elements.foreign:
            self._state = State.CDATA
            return at + len(_CDATA)
        if start.lower() == _DOCTYPE:
            self._on_doctype()
        return at + 2

    # Tags

    def _read_tag(self, data: bytes, at: int, tag_open: re.Match[bytes]) -> int:
        """Read a tag; wait for its end if that has not arrived, or release the beginning of a long one."""
        end = end_of(TAG_ATTRIBUTES, data, tag_open.end())
        slash, name = tag_open[1], tag_open[2].lower()
        if data[end : end + 1] == b">":
            self._begin_tag(slash, name, at)
            if self._state is not State.DONE:
                self._end_tag(slash, name, data[at : end + 1], end + 1)
            return end + 1
        if len(data) - at <= LIMIT:
            return at
        self._begin_tag(slash, name, at)
        if self._state is State.DONE:
            return at
        self._long_tag = (slash, name)
        return self._release_long_tag(data, tag_open.end(), end)

    def _release_long_tag(self, data: bytes, at: int, end: int) -> int:
        """Release a long tag up to its last attribute, and the value of that one as far as it has arrived."""
        if end == len(data):
            end = last_attribute(data, at)
        self._state = State.LONG_TAG
        value = VALUE_OPEN.match(data, end)
        if value:
            self._state = State.LONG_VALUE
            self._value_end = _QUOTED_VALUE_ENDS.get(value[1], _UNQUOTED_VALUE_END)
            return value.end()
        if len(data) - end > LIMIT:
            self._state = State.DONE
        return end

    def _read_long_tag(self, data: bytes, at: int) -> int:
        """Read on in a tag whose beginning was released."""
        end = end_of(TAG_ATTRIBUTES, data, at)
        if data[end : end + 1] == b">":
            self._state = State.DATA
            slash, name = self._long_tag
            self._end_tag(slash, name, b"<" + name + b" " + data[at : end + 1], end + 1)
            return end + 1
        return at if len(data) - at <= LIMIT else self._release_long_tag(data, at, end)

    def _begin_tag(self, slash: bytes, name: bytes, at: int) -> None:
        if not self._at_raw_text_end:
            self._before_tag(slash, name, at)

    def _end_tag(self, slash: bytes, name: bytes, tag: bytes, at: int) -> None:
        if self._at_raw_text_end:
            self._at_raw_text_end = False
            return
        self._after_tag(slash, name, tag, at)
        if slash:
            self._open_elements.end(name)
        elif self._state is State.DATA and self._open_elements.start(name, tag):
            self._begin_content(name)

    def _begin_content(self, name: bytes) -> None:
        """Change the state for an element whose content is text."""
        if name == b"script":
            self._state = State.SCRIPT
        elif name in RAW_TEXT:
            self._state = State.RAW_TEXT
            self._raw_text_end = _RAW_TEXT_ENDS[name]
        elif name == b"plaintext":
            self._state = State.DONE

    # Comments, raw text, scripts, long tags

    def _read_content(self, data: bytes, at: int, state: State) -> int:
        if state is State.LONG_TAG:
            return self._read_long_tag(data, at)
        if state is State.LONG_VALUE:
            match = self._value_end.search(data, at)
            if not match:
                return len(data)
            self._state = State.LONG_TAG
            return match.start() if self._value_end is _UNQUOTED_VALUE_END else match.end()
        if state >= State.SCRIPT:
            return self._read_script(data, at, state)
        end, tail = (self._raw_text_end, _RAW_TEXT_TAIL) if state is State.RAW_TEXT else _ENDS[state]
        match = end.search(data, at)
        if not match:
            return _start_of_tail(tail, data, at)
        self._state = State.DATA
        self._at_raw_text_end = state is State.RAW_TEXT
        return match.start() if self._at_raw_text_end else match.end()

    def _read_script(self, data: bytes, at: int, state: State) -> int:
        """Read on in a script, where comments hide tags (script data escaped and double escaped states)."""
        match = _SCRIPT_ENDS[state].search(data, at)
        if not match:
            return _start_of_tail(_SCRIPT_TAIL, data, at)
        if match[0] == b"<!--":
            self._state = State.SCRIPT_ESCAPED
            # Its dashes may also be those of `-->`, as in `<!-->`.
            return match.end() - 2
        if match[0] == b"-->":
            self._state = State.SCRIPT
        elif not match[1]:
            self._state = State.SCRIPT_DOUBLE_ESCAPED
        elif state is State.SCRIPT_DOUBLE_ESCAPED:
            self._state = State.SCRIPT_ESCAPED
        else:
            self._state = State.DATA
            self._at_raw_text_end = True
            return match.start()
        return match.end()


def end_of(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Return the end of a pattern's match at an offset, or the offset itself if there is no match."""
    match = pattern.match(data, at)
    return match.end() if match else at


def _start_of_tail(tail: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Return the offset where an unfinished end marker may begin at the end of the data, or the end of the data."""
    # Only the last bytes are searched, so that a long comment in many chunks takes linear time.
    match = tail.search(data, max(at, len(data) - _LONGEST_TAIL))
    return match.start() if match else len(data)
