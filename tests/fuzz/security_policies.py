"""Target `csp`: Content-Security-Policies of an owner and of responses, opened for granted vendors."""

from zlib import crc32

from consentkit.enforcement import ContentSecurityPolicy, nonce_of
from consentkit.errors import ConfigurationError
from tests.fuzz.site import POLICY

OWNER = "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
CSP = ContentSecurityPolicy(OWNER, POLICY)
FALLBACKS = {"frame-src": ("child-src", "default-src"), "trusted-types": (), "form-action": ()}
SPACE = "\t\n\f\r "


def check(data: bytes) -> None:
    """Open each line as one field of a response, and the first as the owner's policy."""
    values = data.split(b"\n")
    granted = {vendor.id for place, vendor in enumerate(POLICY.vendors) if crc32(data) >> place & 1}
    merged = CSP.merge_into(values, granted)
    assert len(merged) == len(values)
    for before, after in zip(values, merged, strict=True):
        _check_opened(before.decode("latin-1"), after.decode("latin-1"), granted)
    assert CSP.merge_into(merged, granted) == merged
    nonce = nonce_of(values)
    assert nonce is None or f"'nonce-{nonce}'".lower().encode() in data.lower()
    _check_owner(values[0], granted)


def _check_owner(value: bytes, granted: set[str]) -> None:
    text = value.decode("latin-1")
    try:
        csp = ContentSecurityPolicy(text, POLICY)
    except ConfigurationError as error:
        assert str(error).isprintable()
        return
    text = " ".join(text.replace("'nonce-{nonce}'", "").split())
    header = csp.header(frozenset(granted))
    assert header.isascii() and header.isprintable()
    assert "{nonce}" not in header or "{nonce}" in text
    _check_opened(text, header, granted)


def _check_opened(before: str, after: str, granted: set[str]) -> None:
    assert after.count(",") == before.count(",")
    assert {*after} - {*before} <= {chr(code) for code in range(0x20, 0x7F)}
    for old, new in zip(before.split(","), after.split(","), strict=True):
        _check_directives(directives(old), directives(new), granted)


def _check_directives(old: dict[str, list[str]], new: dict[str, list[str]], granted: set[str]) -> None:
    # A last part of nothing but what Python takes for white space may be replaced; it is no directive.
    assert {name for name in old if name.strip()} <= {*new}
    for name, sources in new.items():
        fallbacks = FALLBACKS.get(name, ("default-src",))
        before = next((old[known] for known in (name, *fallbacks) if known in old), None)
        # A directive that was absent restricts what was allowed before, unless another stood for it.
        assert before is not None
        assert {*sources} - {*before} <= _allowed(name, granted)
        assert {source.lower() for source in {*before} - {*sources}} <= {"'none'"}


def _allowed(name: str, granted: set[str]) -> set[str]:
    """Return the sources that a directive may gain."""
    if name == "trusted-types":
        return {"consentkit"}
    kind = name.removesuffix("-elem").removesuffix("-src").removesuffix("-action")
    if kind not in ("script", "style", "connect", "img", "frame", "font", "media", "form"):
        return set()
    own = {"'self'"} if kind in ("script", "style", "connect", "frame", "form") else set()
    return own.union(*(getattr(POLICY.vendor(vendor).origins, kind) for vendor in granted))


def directives(policy: str) -> dict[str, list[str]]:
    """Return the directives of one policy as browsers read them: of two with a name the first counts."""
    found: dict[str, list[str]] = {}
    for part in policy.split(";"):
        words = part.translate(dict.fromkeys(map(ord, SPACE), " ")).split(" ")
        words = [word for word in words if word]
        if words:
            found.setdefault(words[0].lower(), words[1:])
    return found
