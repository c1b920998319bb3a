"""A cache of Cookie headers in which no cookie has to be hidden, with the place of the consent cookie in them.

Browsers send the same header with each request, so most headers need no parsing. The cache holds hashes instead of
headers, because other cookies are secrets. Python's hash of bytes is keyed (SipHash) and 64 bits wide. If two headers
share a hash all the same, the bytes at the remembered place are no token with a valid signature.
"""

from consentkit._bounded_cache import BoundedCache
from consentkit.enforcement.cookie_gate import CookieGate

__all__ = ["CookieHeaderCache"]

LONGEST = 4096
"""Bytes of the longest header that is remembered."""
_HEADERS_REMEMBERED = 8192
_NAMES_REMEMBERED = 2048
_LONGEST_NAME_REMEMBERED = 256

Span = tuple[int, int]

# What a cookie name means for its header: visible without consent, the consent cookie, or a reason to parse the header.
_VISIBLE, _CONSENT_COOKIE, _PARSE = 1, 2, 3


class CookieHeaderCache:
    """Cache where the consent cookie's value stands in Cookie headers.

    Attributes:
        spans: start and end of that value, by the hash of a header; the end is 0 if the header has no consent cookie.
            A header in here has no cookie that needs consent.
    """

    __slots__ = ("_gate", "_kinds", "_name", "spans")

    def __init__(self, name: bytes, gate: CookieGate) -> None:
        """Create an empty cache for the consent cookie of this name."""
        self._name = name
        self._gate = gate
        self._kinds: BoundedCache[bytes, int] = BoundedCache(_NAMES_REMEMBERED)
        self.spans: BoundedCache[int, Span] = BoundedCache(_HEADERS_REMEMBERED)

    def remember(self, header: bytes) -> Span | None:
        """Add a header and return the span of the consent cookie's value.

        Returns None for a header that must be parsed each time: it is long, has a cookie that needs consent, or browsers
        do not write the consent cookie like that.
        """
        if len(header) > LONGEST:
            return None
        kinds = self._kinds
        span, start = (0, 0), 0
        for pair in header.split(b";"):
            name, equals, value = pair.partition(b"=")
            kind = kinds.get(name) or self._kind(name)
            if kind != _VISIBLE:
                if kind == _PARSE or span[1] or not equals or value.strip(b" \t") != value:
                    return None
                end = start + len(pair)
                span = (end - len(value), end)
            start += len(pair) + 1
        self.spans.add(hash(header), span)
        return span

    def _kind(self, name: bytes) -> int:
        """Return what a name means, given all bytes of its pair before the first `=`."""
        trimmed = name.strip(b" \t")
        kind = _VISIBLE if trimmed and not self._gate.needs_consent(name) else _PARSE
        if trimmed == self._name:
            kind = _CONSENT_COOKIE
        if len(name) <= _LONGEST_NAME_REMEMBERED:
            self._kinds[name] = kind
        return kind
