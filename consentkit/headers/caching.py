"""What caches are told about an answer that depends on the visitor. Pure functions over response header lists.

A page that varies by consent must never be shared (RFC 9111), nor come back from a browser's own cache in another state: its
entity tag carries the state, and a conditional request with another state's tag never reaches the application.
"""

import re
from collections.abc import Iterable, Sequence

__all__ = [
    "Headers",
    "depends_on_visitor",
    "is_public",
    "match_state",
    "never_stored",
    "says_nothing",
    "tagged",
    "values",
    "without_body_fields",
    "without_policies",
    "without_state",
]

Headers = list[tuple[bytes, bytes]]

_ABOUT_CACHING = frozenset({b"cache-control", b"expires", b"pragma", b"x-accel-expires", b"edge-control"})
_ABOUT_BYTES = frozenset(
    {
        *(b"content-length", b"accept-ranges", b"content-md5"),
        *(b"digest", b"content-digest", b"repr-digest"),
    }
)
# What most answers have, and says nothing about caching.
_SILENT = frozenset(
    {
        *(b"content-type", b"content-length", b"content-language", b"content-encoding", b"transfer-encoding"),
        *(b"date", b"server", b"set-cookie", b"location", b"x-content-type-options", b"x-request-id"),
    }
)
_DIRECTIVE = re.compile(rb'\s*([^\s=,;]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,]*))?')
_TAG = re.compile(rb'(W/)?"([^"]*)"')
_MARK = b"~ck."


def values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """List the values of a header, whatever the letter case of its name."""
    return [value for key, value in headers if key.lower() == name]


def _directives(values: Iterable[bytes]) -> list[bytes]:
    return [match[1].lower() for value in values for match in _DIRECTIVE.finditer(value)]


def _for_shared_caches(name: bytes) -> bool:
    """Say whether a field speaks to shared caches alone (RFC 9213, `CDN-Cache-Control` and those of one provider)."""
    lowered = name.lower()
    return lowered == b"surrogate-control" or lowered.endswith(b"cdn-cache-control")


def _about_caching(name: bytes) -> bool:
    return name.lower() in _ABOUT_CACHING or _for_shared_caches(name)


def is_public(headers: Headers) -> bool:
    """Say whether the application means shared caches to keep the answer."""
    directives = _directives(values(headers, b"cache-control"))
    if b"private" in directives or b"no-store" in directives:
        return False
    if b"public" in directives or b"s-maxage" in directives:
        return True
    targeted = [value for name, value in headers if _for_shared_caches(name)]
    return bool(targeted) and not {b"private", b"no-store"} & set(_directives(targeted))


def never_stored(headers: Headers) -> Headers:
    """Let nobody keep an answer that sets a cookie of ours, whatever the application said."""
    kept = [(name, value) for name, value in headers if not _about_caching(name)]
    return [*kept, (b"cache-control", b"private, no-store")]


def says_nothing(headers: Headers) -> bool:
    """Say whether there is certainly nothing in it about caching, nor about what an answer varies by."""
    for name, _ in headers:  # noqa: SIM110 - a loop costs a third of all() with a generator
        if name not in _SILENT:
            return False
    return True


def depends_on_visitor(headers: Headers, vary: Sequence[bytes], state: bytes) -> Headers:
    """Let only the visitor's own browser keep an answer, and have it ask each time; `no-store` and `no-transform` stay."""
    said = _directives(values(headers, b"cache-control"))
    cache = [b"private", b"no-store" if b"no-store" in said else b"no-cache"]
    cache += [b"no-transform"] if b"no-transform" in said else []
    kept = []
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"etag":
            kept += [(name, tag) for tag in (tagged(value, state),) if tag]
        elif lowered not in (b"last-modified", b"vary") and not _about_caching(name):
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
    """Add a consent's state to an entity tag; empty for what is none, as browsers would send it back without any state."""
    match = _TAG.fullmatch(etag.strip())
    return b'%b"%b%b%b"' % (match[1] or b"", match[2], _MARK, state) if match else b""


def without_state(if_match: bytes) -> bytes:
    """Give If-Match as the application knows its tags: what is written to is the same in every state."""
    return _TAG.sub(lambda tag: b'%b"%b"' % (tag[1] or b"", tag[2].partition(_MARK)[0]), if_match)


def without_body_fields(headers: Headers) -> Headers:
    """Leave out what an application says about bytes that do not leave as they were (RFC 9110, RFC 9530)."""
    return [(name, value) for name, value in headers if name.lower() not in _ABOUT_BYTES]


def without_policies(headers: Headers, *, with_nonces_alone: bool) -> Headers:
    """Leave out Content-Security-Policies, or those with a nonce: browsers hold a 304's against the page that they kept.

    That page came with a policy of its own, which stands as long as no other is sent (RFC 9111 section 3.2).
    """
    return [
        (name, value)
        for name, value in headers
        if not name.lower().startswith(b"content-security-policy")
        or (with_nonces_alone and b"'nonce-" not in value.lower())
    ]


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
