"""The stack of open elements, as far as it changes what a tag means.

Follows the chapter on tree construction of the HTML standard. In ordinary HTML every tag means the same wherever it
stands, so only templates, SVG, MathML and what they contain are on the stack.
"""

from enum import Enum, auto

from consentkit.html.patterns import RAW_TEXT, attributes, is_self_closing

__all__ = ["OpenElements"]

_VOID_ELEMENTS = frozenset(
    b"area base basefont bgsound br col embed frame hr img input keygen link meta param source track "
    b"wbr".split()
)
# Elements of SVG and MathML whose content is HTML ("integration points").
_HTML_IN_SVG = frozenset(b"foreignobject desc title".split())
_HTML_IN_MATH = frozenset(b"mi mo mn ms mtext".split())
_HTML_ENCODINGS = frozenset((b"text/html", b"application/xhtml+xml"))
# Start tags that end SVG and MathML, because pages use them there by mistake.
_ENDS_FOREIGN = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing "
    b"menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)
# The limit of browsers too. It also bounds the time that one end tag may take.
_DEEPEST = 512
# Elements of HTML around SVG and MathML: their end tag ends it.
_AROUND_FOREIGN = (_ENDS_FOREIGN - _VOID_ELEMENTS - {b"body", b"head"}) | frozenset(
    b"a article aside button details fieldset figcaption figure footer form header label main nav picture section "
    b"select summary tbody td tfoot th thead tr".split()
)


class _Kind(Enum):
    TEMPLATE = auto()
    SVG = auto()
    MATH = auto()
    SVG_POINT = auto()
    """An HTML integration point of SVG, such as `<foreignObject>`."""
    MATH_POINT = auto()
    """A text integration point of MathML, such as `<mi>`."""
    HTML = auto()
    """An element of HTML inside an integration point."""


_FOREIGN = (_Kind.SVG, _Kind.MATH)


class OpenElements:
    """Stack of the open elements that change how tags are read: templates, SVG, MathML and what they contain.

    If HTML inside an integration point is nested wrongly, an end tag of SVG closes more elements than in a browser. Raw
    text is read by the same rules there.
    """

    __slots__ = ("_stack",)

    def __init__(self) -> None:
        self._stack: list[tuple[bytes, _Kind]] = []

    def __bool__(self) -> bool:
        return bool(self._stack)

    @property
    def plain(self) -> bool:
        """Whether ordinary HTML follows, whose elements need no place on the stack."""
        return not self._stack or self._stack[-1][1] is _Kind.TEMPLATE

    @property
    def foreign(self) -> bool:
        """Whether the current element belongs to SVG or MathML, where `<![CDATA[` has a meaning."""
        return bool(self._stack) and self._stack[-1][1] not in (_Kind.TEMPLATE, _Kind.HTML)

    @property
    def hide_body(self) -> bool:
        """Whether an open element makes browsers ignore the end tag of the body."""
        return any(kind not in _FOREIGN for _, kind in self._stack)

    def start(self, name: bytes, tag: bytes) -> bool:
        """Push the element of a start tag; return whether it is one of HTML, whose content may be raw text."""
        if self._stack and self._stack[-1][1] in _FOREIGN:
            outer, kind = self._stack[-1]
            if name in _ENDS_FOREIGN or (name == b"font" and _is_html_font(tag)):
                self._end_foreign()
            elif not (outer == b"annotation-xml" and name == b"svg"):
                self._start_foreign(name, tag, kind)
                return False
        elif self._stack and self._stack[-1][1] is _Kind.MATH_POINT and name in (b"mglyph", b"malignmark"):
            self._start_foreign(name, tag, _Kind.MATH)
            return False
        if name in (b"svg", b"math"):
            self._start_foreign(name, tag, _Kind.SVG if name == b"svg" else _Kind.MATH)
            return False
        if name == b"template":
            self._push(name, _Kind.TEMPLATE)
        elif not self.plain and name not in _VOID_ELEMENTS and name not in RAW_TEXT:
            self._push(name, _Kind.HTML)
        return True

    def end(self, name: bytes) -> None:
        """Pop the element of an end tag and all elements inside it."""
        if name in (b"p", b"br"):
            self._end_foreign()
        for index in range(len(self._stack) - 1, -1, -1):
            open_name, kind = self._stack[index]
            if open_name == name:
                del self._stack[index:]
                return
            if kind is _Kind.TEMPLATE:
                break
        if name in _AROUND_FOREIGN:
            self._end_foreign()

    def _start_foreign(self, name: bytes, tag: bytes, kind: _Kind) -> None:
        if is_self_closing(tag):
            return
        if kind is _Kind.SVG:
            kind = _Kind.SVG_POINT if name in _HTML_IN_SVG else kind
        elif name in _HTML_IN_MATH:
            kind = _Kind.MATH_POINT
        elif name == b"annotation-xml" and _holds_html(tag):
            kind = _Kind.SVG_POINT
        self._push(name, kind)

    def _push(self, name: bytes, kind: _Kind) -> None:
        if len(self._stack) < _DEEPEST:
            self._stack.append((name, kind))

    def _end_foreign(self) -> None:
        while self._stack and self._stack[-1][1] in _FOREIGN:
            self._stack.pop()


def _is_html_font(tag: bytes) -> bool:
    return any(name in (b"color", b"face", b"size") for name, _ in attributes(tag))


def _holds_html(tag: bytes) -> bool:
    return any(name == b"encoding" and value.lower() in _HTML_ENCODINGS for name, value in attributes(tag))
