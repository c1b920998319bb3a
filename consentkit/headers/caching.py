"""Cache headers of responses that depend on the visitor. Pure functions over lists of raw header pairs.

A page that varies by consent must never be shared (RFC 9111), nor come back from a browser's own cache in another state: its
entity tag carries the state, and a conditional request with another state's tag never reaches the application.
"""

import re
from collections.abc import Callable, Collection, Iterable

__all__ = [
    "Headers",
    "depends_on_visitor",
    "first_state",
    "has_state",
    "is_public",
    "match_state",
    "never_stored",
    "tagged",
    "values",
    "with_state",
    "without_body_fields",
    "without_policies",
    "without_state",
]

Headers = list[tuple[bytes, bytes]]

_ABOUT_CACHING = frozenset({b"cache-control", b"expires", b"pragma", b"x-accel-expires", b"edge-control"})
_ABOUT_CACHING_OR_VISITOR = _ABOUT_CACHING | {b"etag", b"last-modified", b"surrogate-control", b"vary"}
_ABOUT_BYTES = frozenset(
    {
        *(b"content-length", b"accept-ranges", b"content-md5"),
        *(b"digest", b"content-digest", b"repr-digest"),
    }
)
_ABOUT_THE_BODY = frozenset({b"content-type", b"content-length", b"set-cookie"})
_PRIVATE = (b"cache-control", b"private, no-cache")
_DIRECTIVE = re.compile(rb'\s*([^\s=,;]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,]*))?')
_TAG = re.compile(rb'(W/)?"([^"]*)"')
_MARK = b"~ck."


def values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Return the values of a header, whatever the letter case of its name."""
    return [value for key, value in headers if key.lower() == name]


def _directives(values: Iterable[bytes]) -> list[bytes]:
    return [match[1].lower() for value in values for match in _DIRECTIVE.finditer(value)]


def _for_shared_caches(name: bytes) -> bool:
    """Return whether a field addresses shared caches only (RFC 9213, `CDN-Cache-Control` and its variants)."""
    lowered = name.lower()
    return lowered == b"surrogate-control" or lowered.endswith(b"cdn-cache-control")


def _about_caching(name: bytes) -> bool:
    return name.lower() in _ABOUT_CACHING or _for_shared_caches(name)


def is_public(headers: Headers) -> bool:
    """Return whether the application lets shared caches keep the response."""
    cache_control = _directives(value for name, value in headers if name.lower() == b"cache-control")
    targeted = _directives(value for name, value in headers if _for_shared_caches(name))
    return _says_public(cache_control, targeted)


def _says_public(cache_control: Collection[bytes], targeted: Collection[bytes]) -> bool:
    """Return whether directives allow shared caches: those of Cache-Control, then those for shared caches only (RFC 9213)."""
    if b"private" in cache_control or b"no-store" in cache_control:
        return False
    if b"public" in cache_control or b"s-maxage" in cache_control:
        return True
    return bool(targeted) and b"private" not in targeted and b"no-store" not in targeted


def never_stored(headers: Headers) -> Headers:
    """Return headers that forbid caches to store the response, whatever the application's headers allow."""
    kept = [(name, value) for name, value in headers if not _about_caching(name)]
    return [*kept, (b"cache-control", b"private, no-store")]


def depends_on_visitor(headers: Headers, vary: bytes, state: Callable[[], bytes]) -> tuple[Headers, bool]:
    """Mark a response as one visitor's: only that visitor's browser may keep it, and has to ask each time.

    `no-store` and `no-transform` stay. The field names of `vary` are added to Vary, and an entity tag gets the state of the
    visitor's pages. Last-Modified is dropped, because a page changes with the consent too. `state` is called only for a
    response with an entity tag.

    Returns the headers, and whether the response was public before.
    """
    for name, _ in headers:
        if name not in _ABOUT_THE_BODY:
            break
    else:
        # The usual response of an API. Without this return it would cost 1,400 instructions (0.3 us) more.
        return [*headers, _PRIVATE, (b"vary", vary)], False
    kept: Headers = []
    cache_control: list[bytes] = []
    targeted: list[bytes] = []
    varying: list[bytes] = []
    for header in headers:
        name = header[0].lower()
        if name not in _ABOUT_CACHING_OR_VISITOR and not name.endswith(b"cdn-cache-control"):
            kept.append(header)
        elif name == b"cache-control":
            cache_control += _directives((header[1],))
        elif name == b"vary":
            varying.append(header[1])
        elif name == b"etag":
            tag = tagged(header[1], state())
            if tag:
                kept.append((header[0], tag))
        elif _for_shared_caches(name):
            targeted += _directives((header[1],))
    if cache_control:
        words = [b"private", b"no-store" if b"no-store" in cache_control else b"no-cache"]
        words += [b"no-transform"] if b"no-transform" in cache_control else []
        kept.append((b"cache-control", b", ".join(words)))
    else:
        kept.append(_PRIVATE)
    kept.append((b"vary", _merged_vary(varying, vary) if varying else vary))
    if cache_control or targeted:
        return kept, _says_public(cache_control, targeted)
    return kept, False


def _merged_vary(values: Iterable[bytes], added: bytes) -> bytes:
    """Add field names to those of Vary; `*` covers every field (RFC 9110 section 12.5.5)."""
    fields = [field.strip() for value in values for field in value.split(b",") if field.strip()]
    if b"*" in fields:
        return b"*"
    present = {field.lower() for field in fields}
    return b", ".join([*fields, *(name for name in added.split(b", ") if name.lower() not in present)])


def tagged(etag: bytes, state: bytes) -> bytes:
    """Add the state of a visitor's pages to an entity tag; return nothing for a malformed one, which could carry no state."""
    match = _TAG.fullmatch(etag.strip())
    return b'%b"%b%b%b"' % (match[1] or b"", match[2], _MARK, state) if match else b""


def without_state(if_match: bytes) -> bytes:
    """Return If-Match with the application's own tags: a request that writes addresses the same resource in every state."""
    return _TAG.sub(lambda tag: b'%b"%b"' % (tag[1] or b"", tag[2].partition(_MARK)[0]), if_match)


def without_body_fields(headers: Headers) -> Headers:
    """Drop headers that describe the original body, because the body is about to change (RFC 9110, RFC 9530).

    These are Content-Length, Accept-Ranges and digests.
    """
    return [(name, value) for name, value in headers if name.lower() not in _ABOUT_BYTES]


def without_policies(headers: Headers, *, with_nonces_alone: bool) -> Headers:
    """Drop Content-Security-Policies from a 304, or only those with a nonce.

    Browsers apply a 304's policy to the page that they kept. That page came with a policy of its own, which remains in force as
    long as no other is sent (RFC 9111 section 3.2).
    """
    return [
        (name, value)
        for name, value in headers
        if not name.lower().startswith(b"content-security-policy")
        or (with_nonces_alone and b"'nonce-" not in value.lower())
    ]


def match_state(if_none_match: bytes, states: Collection[bytes], *, keeps_unmarked: bool = True) -> bytes:
    """Return If-None-Match with the application's own tags, without those of pages in other states than these.

    Tags without a state come from before this library touched the page. The result is empty if no tag is left.
    """
    if _MARK not in if_none_match:
        return if_none_match if keeps_unmarked else b""
    kept = []
    for weak, tag in _TAG.findall(if_none_match):
        plain, mark, tag_state = tag.rpartition(_MARK)
        if not mark:
            if keeps_unmarked:
                kept.append(b'%b"%b"' % (weak, tag))
        elif tag_state in states:
            kept.append(b'%b"%b"' % (weak, plain))
    return b", ".join(kept)


def first_state(if_none_match: Iterable[bytes], states: Iterable[bytes]) -> bytes:
    """Return the first of these states that an entity tag of If-None-Match carries, or nothing."""
    sent = {
        tag.rpartition(_MARK)[2] for value in if_none_match for _, tag in _TAG.findall(value) if _MARK in tag
    }
    return next((state for state in states if state in sent), b"")


def has_state(value: bytes) -> bool:
    """Return whether an entity tag in a header's value carries a state."""
    return _MARK in value


def with_state(headers: Headers, state: bytes) -> Headers:
    """Add a state to the entity tag of a page that shared caches keep, and drop Last-Modified.

    What is inserted into the page changes with the state, while both describe the page as the application made it.
    """
    kept = [(name, value) for name, value in headers if name.lower() not in (b"etag", b"last-modified")]
    tags = (tagged(value, state) for value in values(headers, b"etag"))
    return [*kept, *((b"etag", tag) for tag in tags if tag)]
