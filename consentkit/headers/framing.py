"""Which other pages may frame a page, by the headers of its response."""

from collections.abc import Iterable

__all__ = ["framed_by_own_site_alone"]

Headers = list[tuple[bytes, bytes]]

_SAME_ORIGIN = (b"x-frame-options", b"SAMEORIGIN")


def framed_by_own_site_alone(headers: Headers) -> Headers:
    """Add X-Frame-Options with `SAMEORIGIN`, unless the response says itself who may frame it.

    A response says so with X-Frame-Options, or with `frame-ancestors` in an enforced Content-Security-Policy, which
    replaces X-Frame-Options (CSP Level 3, section 6.4.2). Returns the same object if nothing is added.
    """
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"x-frame-options":
            return headers
        if lowered == b"content-security-policy" and b"frame-ancestors" in _directive_names(value):
            return headers
    return [*headers, _SAME_ORIGIN]


def _directive_names(policies: bytes) -> Iterable[bytes]:
    """Yield the names of all directives in a list of policies."""
    for directive in policies.replace(b",", b";").split(b";"):
        words = directive.split(maxsplit=1)
        if words:
            yield words[0].lower()
