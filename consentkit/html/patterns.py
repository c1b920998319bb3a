"""The shape of HTML in bytes: patterns of whole tokens, and the open elements that change what a token means.

Follows the tokenisation and tree construction chapters of the HTML standard as far as a scanner needs them that has
to tell real tags from what only looks like one. Everything that HTML allows to repeat is matched possessively: no
input costs more than linear time.
"""

import re
from collections.abc import Iterable
from enum import Enum, auto

__all__ = [
    "BODY_CONTENT",
    "HEAD_CONTENT",
    "RAW_TEXT",
    "SPACE",
    "TAG_ATTRIBUTES",
    "TAG_OPEN",
    "UNITS",
    "VALUE_OPEN",
    "OpenElements",
    "classes",
    "last_attribute",
    "raw_text_end",
]

SPACE = rb"\t\n\f\r "
_NAME = rb"[A-Za-z][^" + SPACE + rb"/>]*+"
# An equals sign begins a name where no name stands before it, and quotes count only behind an equals sign.
_ATTRIBUTE_NAME = rb"[^" + SPACE + rb"/>][^" + SPACE + rb"/>=]*+"
_EQUALS = rb"[" + SPACE + rb"]*+=[" + SPACE + rb"]*+"
_VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\"'" + SPACE + rb">][^" + SPACE + rb">]*+|(?=>))"
_ATTRIBUTE = _ATTRIBUTE_NAME + rb"(?:" + _EQUALS + _VALUE + rb"|(?![" + SPACE + rb"]*+=))"
_ATTRIBUTES = rb"(?>(?:[" + SPACE + rb"/]++|" + _ATTRIBUTE + rb")*)"
_COMMENT = rb"<!--(?!-?>)[^-]*+(?>(?:-(?!-!?>)[^-]*+)*)--!?>"

RAW_TEXT = frozenset(b"script style title textarea xmp iframe noembed noframes noscript".split())
"""Elements whose content is text, with scripting on (`noscript`), outside of SVG and MathML."""


def _any_of(names: Iterable[bytes]) -> bytes:
    """Match one of the names in any letter case, as a whole tag name; grouped by first letter, for speed."""
    rests: dict[bytes, list[bytes]] = {}
    for name in names:
        rests.setdefault(name[:1], []).append(name[1:])
    groups = (rb"[%b%b](?i:%b)" % (letter, letter.upper(), rb"|".join(rests[letter])) for letter in rests)
    return rb"(?:" + rb"|".join(groups) + rb")(?=[" + SPACE + rb"/>])"


def _plain_raw(name: bytes) -> bytes:
    """Match a whole raw text element that holds neither a comment nor anything like its own end tag."""
    letters = name[:1] + name[:1].upper()
    content = rb"[^<]*+(?>(?:<(?!!--|/[" + letters + rb"])[^<]*+)*)"
    end = rb"</(?i:" + name + rb")[" + SPACE + rb"]*+>"
    return rb"<" + _any_of([name]) + _ATTRIBUTES + rb">" + content + end


# Elements that neither hold HTML nor leave SVG: a picture made of them alone is passed over in one step.
_DRAWING = _any_of(
    b"path g use circle rect line polyline polygon ellipse defs stop symbol mask clippath text tspan filter a image "
    b"lineargradient radialgradient pattern marker animate animatetransform".split()
)
_CAPTION = rb"|".join(rb"<(?i:%b)>[^<]*+</(?i:%b)>" % (name, name) for name in (b"title", b"desc", b"style"))
_PICTURE = (
    rb"<" + _any_of([b"svg"]) + _ATTRIBUTES + rb"(?<!/)>"
    rb"(?>(?:[^<]++|</?+" + _DRAWING + _ATTRIBUTES + rb">|" + _CAPTION + rb")*)"
    rb"</(?i:svg)[" + SPACE + rb"]*+>"
)
_PLAIN_HEAD = rb"|".join(_plain_raw(name) for name in (b"script", b"style", b"title"))
# Names that matter are asked for only where the first letter fits, and most tags are as plain as the first branches.
_WEIGHTY = rb"(?=[imnpstxIMNPSTX])" + _any_of([*sorted(RAW_TEXT), b"plaintext", b"template", b"svg", b"math"])
_WEIGHTY_END = rb"(?=[bhtBHT])" + _any_of((b"body", b"html", b"template"))
_ORDINARY = (
    rb"<(?:/(?![bhtBHT])[a-z0-9]++>"
    rb"|(?:/(?!"
    + _WEIGHTY_END
    + rb")|(?!"
    + _WEIGHTY
    + rb"))"
    + _NAME
    + rb"(?>(?: [a-z\-]++=\"[^\"]*+\")*)(?:>|"
    + _ATTRIBUTES
    + rb">))"
)
_METADATA = rb"<" + _any_of(b"meta link base basefont bgsound".split()) + _ATTRIBUTES + rb">"
_WHOLE = _COMMENT + rb"|" + _PLAIN_HEAD + rb"|" + _plain_raw(b"noscript") + rb"|" + _PICTURE

TAG_OPEN = re.compile(rb"<(/?)(" + _NAME + rb")(?=[" + SPACE + rb"/>])")
"""The beginning of a tag up to the end of its name: slash, name."""
TAG_ATTRIBUTES = re.compile(_ATTRIBUTES)
"""All whole attributes; a tag that is whole goes on with `>`."""
VALUE_OPEN = re.compile(_ATTRIBUTE_NAME + _EQUALS + rb"([^" + SPACE + rb">])")
"""An attribute up to the first byte of its value, which tells what ends it."""
HEAD_CONTENT = re.compile(
    rb"(?>(?:[" + SPACE + rb"]++|" + _METADATA + rb"|" + _COMMENT + rb"|" + _PLAIN_HEAD + rb")*)"
)
"""What can be passed over in and after `<head>` in one step."""
BODY_CONTENT = re.compile(rb"[^<]*+(?>(?:(?:" + _ORDINARY + rb"|" + _WHOLE + rb")[^<]*+)*)")
"""What can be passed over in `<body>` in one step."""
UNITS = re.compile(rb"(" + _ORDINARY + rb")|" + _WHOLE)
"""The parts of a stretch of BODY_CONTENT but its text, one by one; group 1 is a tag of ordinary HTML."""

_PAIR = re.compile(rb"(" + _ATTRIBUTE_NAME + rb")(?>(?:" + _EQUALS + rb"(" + _VALUE + rb"))?)")
_VOID = frozenset(
    b"area base basefont bgsound br col embed frame hr img input keygen link meta param source track "
    b"wbr".split()
)
_HTML_IN_SVG = frozenset(b"foreignobject desc title".split())
_HTML_IN_MATH = frozenset(b"mi mo mn ms mtext".split())
_HTML_ENCODINGS = frozenset((b"text/html", b"application/xhtml+xml"))
_LEAVES_FOREIGN = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing "
    b"menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)
_DEEPEST = 512  # browsers too nest no deeper
_AROUND_FOREIGN = (_LEAVES_FOREIGN - _VOID - {b"body", b"head"}) | frozenset(
    b"a article aside button details fieldset figcaption figure footer form header label main nav picture section "
    b"select summary tbody td tfoot th thead tr".split()
)


def raw_text_end(name: bytes) -> re.Pattern[bytes]:
    """Find the end tag of a raw text element; every other tag is text in it."""
    return re.compile(rb"</(?i:" + name + rb")(?=[" + SPACE + rb"/>])")


def _attributes(tag: bytes) -> list[tuple[bytes, bytes]]:
    """Return the attributes of a whole start tag, names in lower case, values without their quotes."""
    opened = TAG_OPEN.match(tag)
    found = []
    for pair in _PAIR.finditer(tag, opened.end() if opened else 0, len(tag) - 1):
        value = pair[2] or b""
        found.append((pair[1].lower(), value[1:-1] if value[:1] in (b'"', b"'") else value))
    return found


def classes(tag: bytes) -> list[bytes]:
    """Return the classes that a whole start tag gives its element; of several attributes the first counts."""
    return next((value for name, value in _attributes(tag) if name == b"class"), b"").split()


def last_attribute(data: bytes, at: int) -> int:
    """Return where the attribute begins that the data end in, or their end if they end in none."""
    last = end = at
    for pair in _PAIR.finditer(data, at):
        last, end = pair.span()
    return last if end == len(data) else len(data)


def _ends_itself(tag: bytes) -> bool:
    """Tell whether the slash before `>` stands for itself, and is not the end of an unquoted value."""
    if tag[-2:] != b"/>":
        return False
    opened = TAG_OPEN.match(tag)
    last = opened.end() if opened else 0
    for pair in _PAIR.finditer(tag, last, len(tag) - 1):
        last = pair.end()
    return last < len(tag) - 1


class _Kind(Enum):
    TEMPLATE = auto()
    FOREIGN_SVG = auto()
    FOREIGN_MATH = auto()
    POINT_SVG = auto()
    """An element of SVG whose content is HTML, such as `<foreignObject>`."""
    POINT_MATH = auto()
    HTML = auto()
    """An element of HTML inside of such a point."""


_FOREIGN = (_Kind.FOREIGN_SVG, _Kind.FOREIGN_MATH)


class OpenElements:
    """Hold the open elements that change how tags are read: templates, SVG and MathML with what is in them.

    In a document whose HTML inside of `<foreignObject>` and its like is wrongly nested, an end tag of SVG closes
    more than it does in a browser; the rules for raw text stay the same there.
    """

    __slots__ = ("_stack",)

    def __init__(self) -> None:
        self._stack: list[tuple[bytes, _Kind]] = []

    def __bool__(self) -> bool:
        return bool(self._stack)

    @property
    def plain(self) -> bool:
        """Tell whether what follows is ordinary HTML whose elements need not be counted."""
        return not self._stack or self._stack[-1][1] is _Kind.TEMPLATE

    @property
    def foreign(self) -> bool:
        """Tell whether the current element is one of SVG or MathML, where `<![CDATA[` has a meaning."""
        return bool(self._stack) and self._stack[-1][1] not in (_Kind.TEMPLATE, _Kind.HTML)

    @property
    def hide_body(self) -> bool:
        """Tell whether the body's end tag is ignored here."""
        return any(kind not in _FOREIGN for _, kind in self._stack)

    def start(self, name: bytes, tag: bytes) -> bool:
        """Take in a start tag; tell whether it follows the rules of HTML, raw text among them."""
        if self._stack and self._stack[-1][1] in _FOREIGN:
            outer, kind = self._stack[-1]
            if name in _LEAVES_FOREIGN or (name == b"font" and _is_html_font(tag)):
                self._leave_foreign()
            elif not (outer == b"annotation-xml" and name == b"svg"):
                self._start_foreign(name, tag, kind)
                return False
        elif self._stack and self._stack[-1][1] is _Kind.POINT_MATH and name in (b"mglyph", b"malignmark"):
            self._start_foreign(name, tag, _Kind.FOREIGN_MATH)
            return False
        if name in (b"svg", b"math"):
            self._start_foreign(name, tag, _Kind.FOREIGN_SVG if name == b"svg" else _Kind.FOREIGN_MATH)
            return False
        if name == b"template":
            self._push(name, _Kind.TEMPLATE)
        elif not self.plain and name not in _VOID and name not in RAW_TEXT:
            self._push(name, _Kind.HTML)
        return True

    def end(self, name: bytes) -> None:
        """Take in an end tag."""
        if name in (b"p", b"br"):
            self._leave_foreign()
        for index in range(len(self._stack) - 1, -1, -1):
            other, kind = self._stack[index]
            if other == name:
                del self._stack[index:]
                return
            if kind is _Kind.TEMPLATE:
                break
        if name in _AROUND_FOREIGN:
            self._leave_foreign()

    def _start_foreign(self, name: bytes, tag: bytes, kind: _Kind) -> None:
        if _ends_itself(tag):
            return
        if kind is _Kind.FOREIGN_SVG:
            kind = _Kind.POINT_SVG if name in _HTML_IN_SVG else kind
        elif name in _HTML_IN_MATH:
            kind = _Kind.POINT_MATH
        elif name == b"annotation-xml" and _holds_html(tag):
            kind = _Kind.POINT_SVG
        self._push(name, kind)

    def _push(self, name: bytes, kind: _Kind) -> None:
        if len(self._stack) < _DEEPEST:
            self._stack.append((name, kind))

    def _leave_foreign(self) -> None:
        while self._stack and self._stack[-1][1] in _FOREIGN:
            self._stack.pop()


def _is_html_font(tag: bytes) -> bool:
    return any(name in (b"color", b"face", b"size") for name, _ in _attributes(tag))


def _holds_html(tag: bytes) -> bool:
    return any(name == b"encoding" and value.lower() in _HTML_ENCODINGS for name, value in _attributes(tag))
