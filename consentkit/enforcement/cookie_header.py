"""A cache of Cookie headers in which no cookie has to be hidden, with the place of the consent cookie in them.

The names that are new to it are reported if the policy does not declare them.

Browsers send the same header with each request, so most headers need no parsing. The cache holds hashes instead of
headers, because other cookies are secrets. Python's hash of bytes is keyed (SipHash) and 64 bits wide. If two headers
share a hash all the same, the bytes at the remembered place are no token with a valid signature.
"""

from collections.abc import Iterable

from consentkit._bounded_cache import BoundedCache
from consentkit.enforcement.cookie_gate import CookieGate
from consentkit.enforcement.observations import ObservedCookies

__all__ = ["CookieHeaderCache"]

LONGEST = 4096
"""Bytes of the longest header that is remembered."""
_HEADERS_REMEMBERED = 8192
_NAMES_REMEMBERED = 2048
_LONGEST_NAME_REMEMBERED = 256
# Chromium keeps 180 cookies of a site, and Firefox 150. Only a stranger's program sends more.
_NAMES_OBSERVED = 180

Span = tuple[int, int]

# What a cookie name means for its header: visible without consent, the consent cookie, or a reason to parse the header.
_VISIBLE, _CONSENT_COOKIE, _PARSE = 1, 2, 3


class CookieHeaderCache:
    """Cache where the consent cookie's value stands in Cookie headers, and report undeclared cookies in them.

    Attributes:
        spans: start and end of that value, by the hash of a header; the end is 0 if the header has no consent cookie.
            A header in here has no cookie that needs consent.
    """

    __slots__ = ("_gate", "_kinds", "_name", "_observed", "_observed_fields", "spans")

    def __init__(self, name: bytes, gate: CookieGate, observed: ObservedCookies) -> None:
        """Create an empty cache for the consent cookie of this name."""
        self._name = name
        self._gate = gate
        self._observed = observed
        # By hash, as in `spans`.
        self._observed_fields: BoundedCache[int, None] = BoundedCache(_HEADERS_REMEMBERED)
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

    def observe(self, fields: Iterable[bytes]) -> None:
        """Report the undeclared cookies in Cookie fields that `remember` did not read, or not to the end."""
        for field in fields:
            if hash(field) not in self._observed_fields:
                self._observed_fields.add(hash(field), None)
                for pair in field.split(b";", _NAMES_OBSERVED)[:_NAMES_OBSERVED]:
                    name = pair.partition(b"=")[0]
                    if name not in self._kinds:
                        self._kind(name)

    def _kind(self, name: bytes) -> int:
        """Return what a name means, given all bytes of its pair before the first `=`, and report an undeclared one."""
        trimmed = name.strip(b" \t")
        kind = _VISIBLE if trimmed and not self._gate.may_hide(name) else _PARSE
        if trimmed == self._name:
            kind = _CONSENT_COOKIE
        else:
            self._report_undeclared(trimmed)
        if len(name) <= _LONGEST_NAME_REMEMBERED:
            self._kinds[name] = kind
        return kind

    def _report_undeclared(self, name: bytes) -> None:
        text = name.decode("latin-1")
        if self._observed.is_new_in_requests(text) and not self._gate.is_declared(name):
            self._observed.report_sent(text, is_hidden=self._gate.strict)
