"""What caches are told about an answer that depends on the visitor. Pure functions over response header lists.

A page that varies by consent must never be shared (RFC 9111), nor come back from a browser's own cache in another state: its
entity tag carries the state, and a conditional request with another state's tag never reaches the application.
"""

import re
from collections.abc import Iterable, Sequence

__all__ = ["Headers", "depends_on_visitor", "is_public", "match_state", "never_stored", "tagged", "values"]

Headers = list[tuple[bytes, bytes]]

_SHARED = frozenset({b"cdn-cache-control", b"surrogate-control"})
_ABOUT_CACHING = _SHARED | {b"cache-control", b"expires", b"pragma"}
_DIRECTIVE = re.compile(rb'\s*([^\s=,;]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,]*))?')
_TAG = re.compile(rb'(W/)?"([^"]*)"')
_MARK = b"~ck."


def values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """List the values of a header, whatever the letter case of its name."""
    return [value for key, value in headers if key.lower() == name]


def _directives(headers: Headers) -> list[bytes]:
    found = []
    for value in values(headers, b"cache-control"):
        found += [match[1].lower() for match in _DIRECTIVE.finditer(value)]
    return found


def is_public(headers: Headers) -> bool:
    """Say whether the application means shared caches to keep the answer."""
    directives = _directives(headers)
    if b"private" in directives or b"no-store" in directives:
        return False
    return (
        b"public" in directives
        or b"s-maxage" in directives
        or any(name.lower() in _SHARED for name, _ in headers)
    )


def never_stored(headers: Headers) -> Headers:
    """Let nobody keep an answer that sets a cookie of ours, whatever the application said."""
    kept = [(name, value) for name, value in headers if name.lower() not in _ABOUT_CACHING]
    return [*kept, (b"cache-control", b"private, no-store")]


def depends_on_visitor(headers: Headers, vary: Sequence[bytes], state: bytes) -> Headers:
    """Let only the visitor's own browser keep an answer, and have it ask each time; `no-store` and `no-transform` stay."""
    said = _directives(headers)
    cache = [b"private", b"no-store" if b"no-store" in said else b"no-cache"]
    cache += [b"no-transform"] if b"no-transform" in said else []
    kept = []
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"etag":
            kept.append((name, tagged(value, state)))
        elif lowered not in _ABOUT_CACHING and lowered not in (b"last-modified", b"vary"):
            kept.append((name, value))
    return [*kept, (b"cache-control", b", ".join(cache)), (b"vary", _varying(headers, vary))]


def _varying(headers: Headers, names: Sequence[bytes]) -> bytes:
    """Merge field names into Vary; `*` says it all (RFC 9110 section 12.5.5)."""
    fields = [
        field.strip() for value in values(headers, b"vary") for field in value.split(b",") if field.strip()
    ]
    if b"*" in fields:
        return b"*"
    present = {field.lower() for field in fields}
    return b", ".join([*fields, *(name for name in names if name.lower() not in present)])


def tagged(etag: bytes, state: bytes) -> bytes:
    """Add a consent's state to an entity tag; what is no entity tag stays as it is."""
    match = _TAG.fullmatch(etag.strip())
    if match is None:
        return etag
    return b'%b"%b%b%b"' % (match[1] or b"", match[2], _MARK, state)


def match_state(if_none_match: bytes, state: bytes) -> bytes:
    """Give If-None-Match as the application knows its tags: without those of another state, and without the marks of this one.

    Empty where no tag is left.
    """
    if _MARK not in if_none_match:
        return if_none_match
    kept = []
    for weak, tag in _TAG.findall(if_none_match):
        plain, mark, of = tag.rpartition(_MARK)
        if not mark:
            kept.append(b'%b"%b"' % (weak, tag))
        elif of == state:
            kept.append(b'%b"%b"' % (weak, plain))
    return b", ".join(kept)
