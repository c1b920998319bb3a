"""The Content-Security-Policy that a consent allows: the owner's, opened for the origins of granted vendors.

A directive grows by a vendor's origins for it, and by nothing else; one that is absent is first written out as what
browsers take in its place (CSP Level 3, section 6.8.3), and one that nothing stands in for restricts nothing and needs
no opening. Nonces, hashes, `'strict-dynamic'`, reporting and whatever this module does not know stay as they are.

Our own parts need a little: where the owner's policy would keep out our script, style sheet, requests, forms or embeds,
`'self'` is added to that one directive, as nobody could answer otherwise (for script and style sheet a narrower source
can be given, and none is added beside the nonce that their tags carry). A list of `trusted-types` gets the name of our
script's policy.
"""

import logging
import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from consentkit._bounded_cache import BoundedCache
from consentkit.errors import ConfigurationError
from consentkit.policy import Policy

__all__ = ["ContentSecurityPolicy", "nonce_of"]

log = logging.getLogger("consentkit.csp")

_OPENED = {
    "script": ("script-src", "script-src-elem"),
    "style": ("style-src", "style-src-elem"),
    "connect": ("connect-src",),
    "img": ("img-src",),
    "frame": ("frame-src",),
    "font": ("font-src",),
    "media": ("media-src",),
    "form": ("form-action",),
}
_INSTEAD = {
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
        *(directive for directives in _OPENED.values() for directive in directives),
        *("default-src", "child-src", "worker-src", "manifest-src", "object-src", "prefetch-src"),
        *("script-src-attr", "style-src-attr", "base-uri", "frame-ancestors", "fenced-frame-src"),
    )
)
_KNOWN = _SOURCE_LISTS | frozenset(
    (
        *("sandbox", "report-uri", "report-to", "upgrade-insecure-requests", "block-all-mixed-content"),
        *("require-trusted-types-for", "trusted-types", "webrtc", "plugin-types", "require-sri-for"),
    )
)
_BY_NONCE = (*_OPENED["script"], *_OPENED["style"])
_KEYWORDS = frozenset(
    ("self", "none", "unsafe-inline", "unsafe-eval", "unsafe-hashes", "wasm-unsafe-eval", "strict-dynamic")
)
_SAME_ORIGIN = ("connect-src", "form-action")
_UNQUOTED = re.compile(r"(?:nonce|sha(?:256|384|512))-[A-Za-z0-9+/=_-]+")
_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
_NONCE_VALUE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_SOURCE = re.compile(r"[!-+\--:<-~]+")  # no comma, semicolon or space
_WORDS = re.compile(r"[^\t\n\f\r ]+")
_PLACE_OF_NONCE = "'nonce-{nonce}'"
_REMEMBERED = 256


class ContentSecurityPolicy:
    """Open one policy, or those that responses bring along, for what is granted.

    `owner_policy` is the value of a Content-Security-Policy header, on as many lines as is handy; `'nonce-{nonce}'`
    in it stands for the nonce of each response. `assets` is where our script and style sheet come from, such as
    `https://www.example.com/consent/assets/`.

    Raises:
        ConfigurationError: a browser would read the policy otherwise than it looks.
    """

    def __init__(self, owner_policy: str, policy: Policy, *, assets: Sequence[str] = ("'self'",)) -> None:
        self._owner = " ".join(owner_policy.split())
        _check(self._owner)
        self._origins: dict[str, dict[str, tuple[str, ...]]] = {}
        embeds = any(vendor.origins.frame for vendor in policy.vendors)
        self._ours = dict.fromkeys(_BY_NONCE, tuple(assets)) | dict.fromkeys(_SAME_ORIGIN, ("'self'",))
        self._ours["trusted-types"] = ("consentkit",)
        if embeds:
            self._ours["frame-src"] = ("'self'",)
        for vendor in policy.vendors:
            by_directive: dict[str, tuple[str, ...]] = {}
            for kind, directives in _OPENED.items():
                origins: tuple[str, ...] = getattr(vendor.origins, kind)
                by_directive |= {directive: origins for directive in directives if origins}
            for origin in (origin for origins in by_directive.values() for origin in origins):
                if not _SOURCE.fullmatch(origin):
                    raise ConfigurationError(
                        f"Origin {origin!r} of vendor {vendor.id!r} is no source of a Content-Security-Policy. "
                        'Write a scheme and a host, such as "https://www.example.com".'
                    )
            self._origins[vendor.id] = by_directive
        self._headers: BoundedCache[tuple[frozenset[str], bool], str] = BoundedCache(_REMEMBERED)

    def header(self, granted_vendor_ids: frozenset[str], nonce: str | None = None) -> str:
        """Return the owner's policy, opened; without a nonce, the place for one is left out.

        Raises:
            ValueError: the nonce is no base64.
        """
        if nonce is not None and not _NONCE_VALUE.fullmatch(nonce):
            raise ValueError(f"The nonce {nonce!r} is no base64 (CSP Level 3, section 2.3.1).")
        key = (granted_vendor_ids, nonce is not None)
        opened = self._headers.get(key)
        if opened is None:
            owner = self._owner if nonce is not None else self._owner.replace(_PLACE_OF_NONCE, "")
            opened = self._open_all(owner, granted_vendor_ids)
            self._headers[key] = opened
        return opened if nonce is None else opened.replace(_PLACE_OF_NONCE, f"'nonce-{nonce}'")

    def merge_into(self, values: Sequence[bytes], granted_vendor_ids: Collection[str]) -> list[bytes]:
        """Open the policies of a response's own Content-Security-Policy or -Report-Only fields.

        A field that needs no opening comes back as the same object.
        """
        merged = []
        for value in values:
            text = value.decode("latin-1")
            opened = self._open_all(text, granted_vendor_ids)
            merged.append(value if opened == text else opened.encode("latin-1"))
        return merged

    def _open_all(self, text: str, granted: Collection[str]) -> str:
        """Open each policy of a list; all of them have to allow what is to load (CSP Level 3, section 4.1)."""
        wanted: dict[str, list[str]] = {}
        for vendor_id, by_directive in self._origins.items():
            if vendor_id in granted:
                for directive, origins in by_directive.items():
                    wanted.setdefault(directive, []).extend(origins)
        return ",".join(self._open(one, wanted, _script_nonce(text)) for one in text.split(","))

    def _open(self, text: str, wanted: dict[str, list[str]], nonce: str | None) -> str:
        parts = text.split(";")
        places = _places(parts)
        for directive in dict.fromkeys((*self._ours, *wanted)):
            names = (directive, *_INSTEAD.get(directive, ()))
            place = next((places[name] for name in names if name in places), None)
            if place is None:
                continue
            sources = _words(parts[place])[1:]
            ours = self._ours.get(directive, ())
            if directive in _BY_NONCE and (nonce in sources or "'self'" in sources):
                ours = ()
            grown = _grown(sources, (*ours, *wanted.get(directive, ())))
            if grown == sources:
                continue
            written = " ".join((directive, *grown))
            if directive in places:
                parts[place] = " " * parts[place].startswith(" ") + written
            else:
                parts[-1:] = [parts[-1], " " + written] if parts[-1].strip() else [" " + written]
        return ";".join(parts)


def nonce_of(values: Iterable[bytes]) -> str | None:
    """Return the first nonce that a response's policies accept for scripts, for tags that are inserted."""
    for value in values:
        source = _script_nonce(value.decode("latin-1"))
        found = _NONCE.fullmatch(source or "")
        if found:
            return found[1]
    return None


def _script_nonce(text: str) -> str | None:
    """Return the first nonce for scripts as a source of a policy, the place for one included."""
    for policy in text.split(","):
        parts = policy.split(";")
        places = _places(parts)
        names = ("script-src-elem", "script-src", "default-src")
        place = next((places[name] for name in names if name in places), None)
        for source in _words(parts[place])[1:] if place is not None else ():
            if source == _PLACE_OF_NONCE or _NONCE.fullmatch(source):
                return source
    return None


def _words(part: str) -> list[str]:
    """Split a directive at what browsers take for space."""
    return _WORDS.findall(part)


def _places(parts: Sequence[str]) -> dict[str, int]:
    """Say where each directive stands; of several of a name, browsers read the first."""
    places: dict[str, int] = {}
    for place, part in enumerate(parts):
        words = _words(part)
        if words:
            places.setdefault(words[0].lower(), place)
    return places


def _grown(sources: list[str], more: Iterable[str]) -> list[str]:
    """Add sources to a list where they allow more than it does; `'none'` goes with the first that is added."""
    present = {source.lower() for source in sources}
    if "*" in present:
        return sources
    added = [one for one in dict.fromkeys(more) if one.lower() not in present]
    if "https:" in present:
        added = [one for one in added if not one.startswith("https:")]
    return [source for source in sources if source.lower() != "'none'"] + added if added else sources


def _check(owner_policy: str) -> None:
    """Refuse what browsers read otherwise than it looks."""
    if not owner_policy.isascii() or not owner_policy.isprintable():
        raise _mistake(
            owner_policy, "holds characters that no header may hold", "Write it in printable ASCII"
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
                owner_policy, "holds a policy without directives", "Write one such as \"default-src 'self'\""
            )


def _check_directive(owner_policy: str, name: str, sources: list[str], seen: set[str]) -> None:
    if name in seen:
        raise _mistake(owner_policy, f"has {name} twice, and browsers ignore the second", "Join them")
    if name not in _KNOWN:
        near = get_close_matches(name, sorted(_KNOWN), n=1)
        if near:
            raise _mistake(
                owner_policy, f"has a directive {name} that browsers do not know", f"Write {near[0]}"
            )
        log.warning("csp: browsers ignore the directive %s, unless it is newer than this library.", name)
    for source in sources if name in _SOURCE_LISTS else ():
        if source.lower() in _KEYWORDS or _UNQUOTED.fullmatch(source):
            raise _mistake(
                owner_policy, f"has {source} without quotes in {name}", f"Write '{source}' in single quotes"
            )
        if source.lower() == "'none'" and len(sources) > 1:
            raise _mistake(
                owner_policy, f"has 'none' beside other sources in {name}", "Keep one or the others"
            )


def _mistake(owner_policy: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"csp = {owner_policy!r} {what}. {remedy}.")
