"""The Content-Security-Policy for a consent: the owner's policy, opened for the origins of granted vendors.

A directive gains the origins that a vendor declares for it, and nothing else. If the directive is absent, it is added with
the sources of the directive that browsers use in its place (CSP Level 3, section 6.8.3). If there is none either, nothing
is restricted and nothing is added. Nonces, hashes, `'strict-dynamic'`, reporting and unknown directives stay unchanged.

The banner must work under the owner's policy, because nobody could answer without it. So the directives that would block
the library's script, style, requests, forms or embeds gain the sources of exactly these (`OwnSources`). Nothing is added next
to the nonce that the tags carry, and next to `'self'` only the hash of the inline rules. A `trusted-types` list gets the name
of the script's policy.
"""

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from consentkit._bounded_cache import BoundedCache
from consentkit.errors import ConfigurationError
from consentkit.policy import Policy

__all__ = ["ContentSecurityPolicy", "OwnSources", "nonce_of"]

log = logging.getLogger("consentkit.csp")

# By the kinds of origin that a vendor declares.
_DIRECTIVES_OF = {
    "script": ("script-src", "script-src-elem"),
    "style": ("style-src", "style-src-elem"),
    "connect": ("connect-src",),
    "img": ("img-src",),
    "frame": ("frame-src",),
    "font": ("font-src",),
    "media": ("media-src",),
    "form": ("form-action",),
}
# What browsers use if a directive is absent, in their order.
_FALLBACKS = {
    "script-src": ("default-src",),
    "style-src": ("default-src",),
    "connect-src": ("default-src",),
    "img-src": ("default-src",),
    "frame-src": ("child-src", "default-src"),
    "font-src": ("default-src",),
    "media-src": ("default-src",),
}
_SOURCE_LISTS = frozenset(
    (
        *(directive for directives in _DIRECTIVES_OF.values() for directive in directives),
        *("default-src", "child-src", "worker-src", "manifest-src", "object-src", "prefetch-src"),
        *("script-src-attr", "style-src-attr", "base-uri", "frame-ancestors", "fenced-frame-src"),
    )
)
_KNOWN_DIRECTIVES = _SOURCE_LISTS | frozenset(
    (
        *("sandbox", "report-uri", "report-to", "upgrade-insecure-requests", "block-all-mixed-content"),
        *("require-trusted-types-for", "trusted-types", "webrtc", "plugin-types", "require-sri-for"),
    )
)
_NONCE_DIRECTIVES = (*_DIRECTIVES_OF["script"], *_DIRECTIVES_OF["style"])
_KEYWORDS = frozenset(
    ("self", "none", "unsafe-inline", "unsafe-eval", "unsafe-hashes", "wasm-unsafe-eval", "strict-dynamic")
)
_UNQUOTED_NONCE_OR_HASH = re.compile(r"(?:nonce|sha(?:256|384|512))-[A-Za-z0-9+/=_-]+")
_NONCE_SOURCE = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
_NONCE_VALUE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_SOURCE = re.compile(r"[!-+\--:<-~]+")  # no comma, semicolon or space
_WORDS = re.compile(r"[^\t\n\f\r ]+")
_NONCE_PLACEHOLDER = "'nonce-{nonce}'"
_HEADERS_REMEMBERED = 256


class OwnSources(NamedTuple):
    """The sources of the library's own parts in a page, each for all origins of the site."""

    script: tuple[str, ...]
    style: tuple[str, ...]
    requests: tuple[str, ...]
    """The addresses that the script requests."""
    forms: tuple[str, ...]
    """The addresses to which the forms of the banner and the settings post."""
    embeds: tuple[str, ...]


class ContentSecurityPolicy:
    """Open the owner's policy, or the policies of a response, for granted vendors.

    Args:
        owner_policy: the value of a Content-Security-Policy header, which may have several lines. `'nonce-{nonce}'`
            stands for the nonce of each response. Empty for a site whose responses bring their own policies.
        policy: the consent policy, whose vendors declare origins.

    Raises:
        ConfigurationError: browsers would read the policy differently than its owner probably means it.
    """

    def __init__(self, owner_policy: str, policy: Policy) -> None:
        self._owner = " ".join(owner_policy.split())
        if owner_policy:
            _check(self._owner)
        # By vendor id, then by directive.
        self._origins: dict[str, dict[str, tuple[str, ...]]] = {}
        self.takes_nonce = _NONCE_PLACEHOLDER in self._owner
        """Whether the owner's policy has a place for the nonce of each response."""
        self._has_embeds = any(vendor.origins.frame for vendor in policy.vendors)
        for vendor in policy.vendors:
            by_directive: dict[str, tuple[str, ...]] = {}
            for kind, directives in _DIRECTIVES_OF.items():
                origins: tuple[str, ...] = getattr(vendor.origins, kind)
                by_directive |= {directive: origins for directive in directives if origins}
            for origin in (origin for origins in by_directive.values() for origin in origins):
                if not _SOURCE.fullmatch(origin):
                    raise ConfigurationError(
                        f"Origin {origin!r} of vendor {vendor.id!r} is not a source for a Content-Security-Policy. "
                        'Write a scheme and a host, such as "https://www.example.com".'
                    )
            self._origins[vendor.id] = by_directive
        self._blocked: BoundedCache[str, frozenset[str]] = BoundedCache(_HEADERS_REMEMBERED)
        self._headers: BoundedCache[tuple[frozenset[str], OwnSources, bool], str] = BoundedCache(
            _HEADERS_REMEMBERED
        )

    def header(self, granted_vendor_ids: frozenset[str], own: OwnSources, nonce: str | None = None) -> str:
        """Return the owner's policy, opened for granted vendors; without a nonce, its placeholder is removed.

        Raises:
            ValueError: the nonce is not base64.
        """
        if nonce is not None and not _NONCE_VALUE.fullmatch(nonce):
            raise ValueError(f"The nonce {nonce!r} is not base64 (CSP Level 3, section 2.3.1).")
        key = (granted_vendor_ids, own, nonce is not None)
        opened = self._headers.get(key)
        if opened is None:
            if nonce is not None:
                owner, nonce_source = self._owner, _NONCE_PLACEHOLDER
            else:
                owner, nonce_source = self._owner.replace(_NONCE_PLACEHOLDER, ""), None
            opened = self._open_all(owner, granted_vendor_ids, own, nonce_source)
            self._headers[key] = opened
        return opened if nonce is None else opened.replace(_NONCE_PLACEHOLDER, f"'nonce-{nonce}'")

    def merge_into(
        self, value: bytes, granted_vendor_ids: Collection[str], own: OwnSources, nonce: str | None = None
    ) -> bytes:
        """Return a response's Content-Security-Policy or -Report-Only value, opened for granted vendors.

        `nonce` is the nonce that the library's tags carry. A value that needs no change is returned as the same object.
        """
        text = value.decode("latin-1")
        nonce_source = f"'nonce-{nonce}'" if nonce is not None else None
        opened = self._open_all(text, granted_vendor_ids, own, nonce_source)
        return value if opened == text else opened.encode("latin-1")

    def _open_all(
        self, text: str, granted: Collection[str], own: OwnSources, nonce_source: str | None
    ) -> str:
        """Open every policy of a list, because browsers load only what all of them allow (CSP Level 3, section 4.1)."""
        ours = self._directives_for(own)
        vendor_origins: dict[str, list[str]] = {}
        for vendor_id, by_directive in self._origins.items():
            if vendor_id in granted:
                for directive, origins in by_directive.items():
                    vendor_origins.setdefault(directive, []).extend(origins)
        return ",".join(_open(policy, ours, vendor_origins, nonce_source) for policy in text.split(","))

    def blocked_vendors(self, value: str) -> frozenset[str]:
        """Return the ids of vendors of which a Content-Security-Policy value blocks an origin that they declare."""
        # Each response has another nonce, and no nonce decides about an origin.
        value = _NONCE_SOURCE.sub(_NONCE_PLACEHOLDER, value)
        blocked = self._blocked.get(value)
        if blocked is None:
            blocked = self._blocked[value] = frozenset(
                vendor_id
                for text in value.split(",")
                for vendor_id, by_directive in self._origins.items()
                if _blocks_any(text.split(";"), by_directive)
            )
        return blocked

    def _directives_for(self, own: OwnSources) -> dict[str, tuple[str, ...]]:
        """Return the sources that the library's own parts need, by directive."""
        return {
            **dict.fromkeys(_DIRECTIVES_OF["script"], own.script),
            **dict.fromkeys(_DIRECTIVES_OF["style"], own.style),
            "connect-src": own.requests,
            "form-action": own.forms,
            **({"frame-src": own.embeds} if self._has_embeds else {}),
            "trusted-types": ("consentkit",),
        }


def _open(
    text: str,
    own: Mapping[str, tuple[str, ...]],
    vendor_origins: Mapping[str, list[str]],
    nonce_source: str | None,
) -> str:
    """Open one policy; `own` and `vendor_origins` are sources by directive."""
    parts = text.split(";")
    index_of = _directive_indexes(parts)
    if not index_of:
        return text
    for directive in dict.fromkeys((*own, *vendor_origins)):
        index = _effective_index(directive, index_of)
        if index is None:
            continue
        sources = _words(parts[index])[1:]
        ours = _missing_own(directive, sources, nonce_source, own.get(directive, ()))
        opened = _with_sources(
            sources, (*ours, *_effective(directive, sources, vendor_origins.get(directive, ())))
        )
        if opened == sources:
            continue
        written = " ".join((directive, *opened))
        if directive in index_of:
            parts[index] = " " * parts[index].startswith(" ") + written
        else:
            # The empty part after a last semicolon is replaced.
            parts[-1:] = [parts[-1], " " + written] if _words(parts[-1]) else [" " + written]
    return ";".join(parts)


def _missing_own(
    directive: str, sources: Sequence[str], nonce_source: str | None, own: Iterable[str]
) -> Iterable[str]:
    """Return the sources of the library's own parts that a source list lacks.

    The nonce allows all of them, `'self'` all but the hash of the inline rules. The hash is left out next to
    `'unsafe-inline'`, which browsers would ignore because of it.
    """
    # A list of names has no keyword 'self'.
    if directive == "trusted-types":
        return own
    if directive in _NONCE_DIRECTIVES and any(_same_nonce(source, nonce_source) for source in sources):
        return ()
    lowered = [source.lower() for source in sources]
    if "'self'" in lowered:
        own = [source for source in own if source.startswith("'sha256-")]
    if "'unsafe-inline'" in lowered and not any(source.startswith(("'sha", "'nonce-")) for source in lowered):
        own = [source for source in own if not source.startswith("'sha256-")]
    return own


def _same_nonce(source: str, nonce_source: str | None) -> bool:
    """Return whether a source is this nonce; the keyword before a nonce may be in any letter case."""
    keyword, hyphen, nonce = source.partition("-")
    return f"{keyword.lower()}{hyphen}{nonce}" == nonce_source


def nonce_of(values: Iterable[bytes]) -> str | None:
    """Return the first nonce that a response's policies accept for scripts, so that inserted tags can carry it."""
    for value in values:
        for policy in value.decode("latin-1").split(","):
            parts = policy.split(";")
            index_of = _directive_indexes(parts)
            names = ("script-src-elem", "script-src", "default-src")
            index = next((index_of[name] for name in names if name in index_of), None)
            for source in _words(parts[index])[1:] if index is not None else ():
                match = _NONCE_SOURCE.fullmatch(source)
                if match:
                    return match[1]
    return None


def _words(part: str) -> list[str]:
    """Split a directive where browsers do, at ASCII whitespace."""
    return _WORDS.findall(part)


def _directive_indexes(parts: Sequence[str]) -> dict[str, int]:
    """Return the index of each directive; browsers ignore a second directive of the same name."""
    index_of: dict[str, int] = {}
    for index, part in enumerate(parts):
        words = _words(part)
        if words:
            index_of.setdefault(words[0].lower(), index)
    return index_of


def _blocks_any(parts: Sequence[str], origins_of: Mapping[str, Iterable[str]]) -> bool:
    """Return whether the directives of one policy block an origin; `origins_of` has the origins by directive."""
    index_of = _directive_indexes(parts)
    for directive, origins in origins_of.items():
        index = _effective_index(directive, index_of)
        if index is not None:
            sources = _words(parts[index])[1:]
            if _with_sources(sources, _effective(directive, sources, origins)) != sources:
                return True
    return False


def _effective(directive: str, sources: Iterable[str], origins: Iterable[str]) -> Iterable[str]:
    """Return the vendors' origins that browsers heed in a source list: none for scripts next to `'strict-dynamic'`.

    There a vendor's script runs because the library's script, which has the nonce, adds it (CSP Level 3, section 8.2).
    """
    is_script = directive in _DIRECTIVES_OF["script"]
    return () if is_script and any(source.lower() == "'strict-dynamic'" for source in sources) else origins


def _effective_index(directive: str, index_of: Mapping[str, int]) -> int | None:
    """Return the index of the directive that browsers use for another one; None if nothing restricts it."""
    names = (directive, *_FALLBACKS.get(directive, ()))
    return next((index_of[name] for name in names if name in index_of), None)


def _with_sources(sources: list[str], more: Iterable[str]) -> list[str]:
    """Return a source list with the added sources that it lacks; `'none'` is dropped if any is added."""
    present = {source.lower() for source in sources}
    if "*" in present:
        return sources
    added = [source for source in dict.fromkeys(more) if not present & {source.lower(), _origin(source)}]
    added = [source for source in added if f"{source.partition('://')[0]}:" not in present]
    return [source for source in sources if source.lower() != "'none'"] + added if added else sources


def _origin(source: str) -> str:
    """Return the origin of an address."""
    return "/".join(source.lower().split("/", 3)[:3])


def _check(owner_policy: str) -> None:
    """Check the owner's policy for mistakes that browsers ignore silently.

    Raises:
        ConfigurationError: a mistake, with what to write instead.
    """
    if not owner_policy.isascii() or not owner_policy.isprintable():
        raise _mistake(
            owner_policy, "has characters that a header must not have", "Write it in printable ASCII"
        )
    for text in owner_policy.split(","):
        seen: set[str] = set()
        for part in text.split(";"):
            words = part.split()
            if words:
                _check_directive(owner_policy, words[0].lower(), words[1:], seen)
                seen.add(words[0].lower())
        if not seen:
            raise _mistake(
                owner_policy, "has a policy without directives", "Write one such as \"default-src 'self'\""
            )


def _check_directive(owner_policy: str, name: str, sources: list[str], seen: set[str]) -> None:
    if name in seen:
        raise _mistake(owner_policy, f"has {name} twice, but browsers ignore the second", "Join them")
    if name not in _KNOWN_DIRECTIVES:
        similar = get_close_matches(name, sorted(_KNOWN_DIRECTIVES), n=1)
        if similar:
            raise _mistake(
                owner_policy, f"has a directive {name} that browsers do not know", f"Write {similar[0]}"
            )
        log.warning(
            "csp has an unknown directive %s, which is sent as it is. Browsers ignore it, unless it is newer than this "
            "library. Check its spelling.",
            name,
        )
    for source in sources if name in _SOURCE_LISTS else ():
        if "{nonce}" in source and source != _NONCE_PLACEHOLDER:
            raise _mistake(owner_policy, f"has {source} in {name}", f"Write {_NONCE_PLACEHOLDER}")
        if source.lower() in _KEYWORDS or _UNQUOTED_NONCE_OR_HASH.fullmatch(source):
            raise _mistake(
                owner_policy, f"has {source} without quotes in {name}", f"Write '{source}' in single quotes"
            )
        if source.lower() == "'none'" and len(sources) > 1:
            raise _mistake(
                owner_policy, f"has 'none' next to other sources in {name}", "Keep one or the others"
            )


def _mistake(owner_policy: str, finding: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"csp = {owner_policy!r} {finding}. {remedy}.")
