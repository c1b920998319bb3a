"""Regular expressions for HTML in bytes: tags, attributes, comments, raw text, and stretches that can be skipped.

They follow the chapter on tokenization of the HTML standard as far as it takes to tell a tag from text that looks like
one. Every repetition is possessive (`*+`) or atomic (`(?>...)`), so that matching never backtracks and takes
linear time, whatever the input is.
"""

import re
from collections.abc import Iterable

__all__ = [
    "BODY_CONTENT",
    "HEAD_CONTENT",
    "RAW_TEXT",
    "SPACE",
    "TAG_ATTRIBUTES",
    "TAG_OPEN",
    "UNITS",
    "VALUE_OPEN",
    "attributes",
    "classes",
    "is_self_closing",
    "last_attribute",
    "raw_text_end",
]

SPACE = rb"\t\n\f\r "
_NAME = rb"[A-Za-z][^" + SPACE + rb"/>]*+"
# An equals sign without a name before it is the first character of a name. Quotes count only after an equals sign.
_ATTRIBUTE_NAME = rb"[^" + SPACE + rb"/>][^" + SPACE + rb"/>=]*+"
_EQUALS = rb"[" + SPACE + rb"]*+=[" + SPACE + rb"]*+"
_VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\"'" + SPACE + rb">][^" + SPACE + rb">]*+|(?=>))"
_ATTRIBUTE = _ATTRIBUTE_NAME + rb"(?:" + _EQUALS + _VALUE + rb"|(?![" + SPACE + rb"]*+=))"
_ATTRIBUTES = rb"(?>(?:[" + SPACE + rb"/]++|" + _ATTRIBUTE + rb")*)"
_COMMENT = rb"<!--(?!-?>)[^-]*+(?>(?:-(?!-!?>)[^-]*+)*)--!?>"

RAW_TEXT = frozenset(b"script style title textarea xmp iframe noembed noframes noscript".split())
"""Elements whose content is text outside of SVG and MathML; `noscript` because browsers have scripting enabled."""


def _any_of(names: Iterable[bytes]) -> bytes:
    """Return a pattern for a whole tag name that is one of these in any letter case.

    Names share one alternative for each first letter, so that most tags fail at their first byte.
    """
    endings: dict[bytes, list[bytes]] = {}
    for name in names:
        endings.setdefault(name[:1], []).append(name[1:])
    groups = (rb"[%b%b](?i:%b)" % (letter, letter.upper(), rb"|".join(endings[letter])) for letter in endings)
    return rb"(?:" + rb"|".join(groups) + rb")(?=[" + SPACE + rb"/>])"


def _simple_raw_text(name: bytes) -> bytes:
    """Return a pattern for a whole raw text element without a comment and without anything like its end tag inside."""
    letters = name[:1] + name[:1].upper()
    content = rb"[^<]*+(?>(?:<(?!!--|/[" + letters + rb"])[^<]*+)*)"
    end = rb"</(?i:" + name + rb")[" + SPACE + rb"]*+>"
    return rb"<" + _any_of([name]) + _ATTRIBUTES + rb">" + content + end


# Elements that neither contain HTML nor end the SVG. A picture of these alone is skipped in one step.
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
_SIMPLE_HEAD_RAW_TEXT = rb"|".join(_simple_raw_text(name) for name in (b"script", b"style", b"title"))
# Tags that change how the rest is read. The look-ahead for the first letter excludes most others at once.
_SIGNIFICANT = rb"(?=[imnpstxIMNPSTX])" + _any_of(
    [*sorted(RAW_TEXT), b"plaintext", b"template", b"svg", b"math"]
)
_SIGNIFICANT_END = rb"(?=[bhtBHT])" + _any_of((b"body", b"html", b"template"))
# Bare end tags first, then attributes as most pages write them, then all others.
_ORDINARY = (
    rb"<(?:/(?![bhtBHT])[a-z0-9]++>"
    rb"|(?:/(?!"
    + _SIGNIFICANT_END
    + rb")|(?!"
    + _SIGNIFICANT
    + rb"))"
    + _NAME
    + rb"(?>(?: [a-z\-]++=\"[^\"]*+\")*)(?:>|"
    + _ATTRIBUTES
    + rb">))"
)
_METADATA = rb"<" + _any_of(b"meta link base basefont bgsound".split()) + _ATTRIBUTES + rb">"
_WHOLE_ELEMENT = (
    _COMMENT + rb"|" + _SIMPLE_HEAD_RAW_TEXT + rb"|" + _simple_raw_text(b"noscript") + rb"|" + _PICTURE
)

TAG_OPEN = re.compile(rb"<(/?)(" + _NAME + rb")(?=[" + SPACE + rb"/>])")
"""A tag up to the end of its name; groups: slash, name."""
TAG_ATTRIBUTES = re.compile(_ATTRIBUTES)
"""All complete attributes of a tag; `>` follows them in a complete tag."""
VALUE_OPEN = re.compile(_ATTRIBUTE_NAME + _EQUALS + rb"([^" + SPACE + rb">])")
"""An attribute up to the first byte of its value, which is group 1 and tells how the value ends."""
HEAD_CONTENT = re.compile(
    rb"(?>(?:[" + SPACE + rb"]++|" + _METADATA + rb"|" + _COMMENT + rb"|" + _SIMPLE_HEAD_RAW_TEXT + rb")*)"
)
"""A stretch in or after `<head>` that can be skipped."""
BODY_CONTENT = re.compile(rb"[^<]*+(?>(?:(?:" + _ORDINARY + rb"|" + _WHOLE_ELEMENT + rb")[^<]*+)*)")
"""A stretch in `<body>` that can be skipped."""
UNITS = re.compile(rb"(" + _ORDINARY + rb")|" + _WHOLE_ELEMENT)
"""A part of BODY_CONTENT other than text; group 1 is an ordinary tag."""

_ATTRIBUTE_PARTS = re.compile(rb"(" + _ATTRIBUTE_NAME + rb")(?>(?:" + _EQUALS + rb"(" + _VALUE + rb"))?)")


def raw_text_end(name: bytes) -> re.Pattern[bytes]:
    """Return the pattern for the end tag of a raw text element, in which every other tag is text."""
    return re.compile(rb"</(?i:" + name + rb")(?=[" + SPACE + rb"/>])")


def attributes(tag: bytes) -> list[tuple[bytes, bytes]]:
    """Return the attributes of a complete start tag: names in lower case, values without quotes."""
    tag_open = TAG_OPEN.match(tag)
    pairs = []
    for match in _ATTRIBUTE_PARTS.finditer(tag, tag_open.end() if tag_open else 0, len(tag) - 1):
        value = match[2] or b""
        pairs.append((match[1].lower(), value[1:-1] if value[:1] in (b'"', b"'") else value))
    return pairs


def classes(tag: bytes) -> list[bytes]:
    """Return the classes of a complete start tag; of several `class` attributes the first counts."""
    return next((value for name, value in attributes(tag) if name == b"class"), b"").split()


def last_attribute(data: bytes, at: int) -> int:
    """Return the start of the attribute that reaches the end of the data, or that end if there is none."""
    start = end = at
    for match in _ATTRIBUTE_PARTS.finditer(data, at):
        start, end = match.span()
    return start if end == len(data) else len(data)


def is_self_closing(tag: bytes) -> bool:
    """Return whether a complete tag ends with `/>` whose slash is not part of an unquoted value, as in `<a href=/>`."""
    if tag[-2:] != b"/>":
        return False
    tag_open = TAG_OPEN.match(tag)
    end = tag_open.end() if tag_open else 0
    for match in _ATTRIBUTE_PARTS.finditer(tag, end, len(tag) - 1):
        end = match.end()
    return end < len(tag) - 1
