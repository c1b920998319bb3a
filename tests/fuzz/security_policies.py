"""Target `csp`: Content-Security-Policies of an owner and of responses, opened for granted vendors."""

from collections.abc import Iterable
from zlib import crc32

from consentkit.enforcement import ContentSecurityPolicy, OwnSources, nonce_of
from consentkit.errors import ConfigurationError
from tests.fuzz.site import POLICY

OWNER = "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
CSP = ContentSecurityPolicy(OWNER, POLICY)
OWN = OwnSources(
    script=("https://stride.example/consent/consent-1.js", "https://www.stride.example/consent/consent-1.js"),
    style=("https://stride.example/consent/consent-1.css",),
    requests=("https://stride.example/consent", "https://stride.example/consent/"),
    forms=("https://stride.example/consent/",),
    embeds=("https://stride.example/consent/embed/",),
)
DIRECTIVES = {
    "script-src": ("script", OWN.script),
    "script-src-elem": ("script", OWN.script),
    "style-src": ("style", OWN.style),
    "style-src-elem": ("style", OWN.style),
    "connect-src": ("connect", OWN.requests),
    "img-src": ("img", ()),
    "frame-src": ("frame", OWN.embeds),
    "font-src": ("font", ()),
    "media-src": ("media", ()),
    "form-action": ("form", OWN.forms),
    "trusted-types": ("", ("consentkit",)),
}
"""For each directive that may be opened: the kind of the vendors' origins, and the sources of the library's own parts."""
FALLBACKS = {
    "frame-src": ("child-src", "default-src"),
    "script-src-elem": ("script-src", "default-src"),
    "style-src-elem": ("style-src", "default-src"),
    "form-action": (),
    "trusted-types": (),
}
SPACE = "\t\n\f\r "
NONCE = "Tm9uY2U="

_Directives = dict[str, list[str]]


def check(data: bytes) -> None:
    """Open each line as one field of a response, and the first as the owner's policy."""
    values = data.split(b"\n")
    granted = frozenset(vendor.id for place, vendor in enumerate(POLICY.vendors) if crc32(data) >> place & 1)
    nonce = nonce_of(values)
    assert nonce is None or f"'nonce-{nonce}'".lower().encode() in data.lower()
    for value in values:
        merged = CSP.merge_into(value, granted, OWN, nonce)
        _check_opened(value.decode("latin-1"), merged.decode("latin-1"), granted, nonce)
        assert CSP.merge_into(merged, granted, OWN, nonce) is merged
    for own_nonce in (None, NONCE):
        _check_owner(values[0].decode("latin-1"), granted, own_nonce)


def _check_owner(text: str, granted: frozenset[str], nonce: str | None) -> None:
    try:
        csp = ContentSecurityPolicy(text, POLICY)
    except ConfigurationError as error:
        assert str(error).isprintable()
        return
    assert csp.takes_nonce == ("'nonce-{nonce}'" in text)
    text = " ".join(text.split()).replace("'nonce-{nonce}'", f"'nonce-{nonce}'" if nonce else "")
    header = csp.header(granted, OWN, nonce)
    assert header.isascii() and header.isprintable()
    assert "{nonce}" not in header or "{nonce}" in text
    _check_opened(text, header, granted, nonce)


def _check_opened(before: str, after: str, granted: frozenset[str], nonce: str | None) -> None:
    assert after.count(",") == before.count(",")
    assert {*after} - {*before} <= {chr(code) for code in range(0x20, 0x7F)}
    for old, new in zip(before.split(","), after.split(","), strict=True):
        _check_additions(directives(old), directives(new), granted, nonce)
        _check_sufficient(directives(old), directives(new), granted, nonce)


def _check_additions(old: _Directives, new: _Directives, granted: frozenset[str], nonce: str | None) -> None:
    """Check that a policy gained nothing but the origins of granted vendors and the library's own addresses."""
    assert {*old} <= {*new}
    for name, sources in new.items():
        before = _effective(old, name)
        # A directive that was absent restricts what was allowed before, unless another stood for it.
        assert before is not None
        added = {*sources} - {*before}
        vendors, own = _wanted(name, before, granted, nonce)
        assert added <= {*vendors, *own}
        assert not any(_allows(before, source) for source in added)
        assert {source.lower() for source in {*before} - {*sources}} <= ({"'none'"} if added else set())


def _check_sufficient(old: _Directives, new: _Directives, granted: frozenset[str], nonce: str | None) -> None:
    """Check that a policy allows the granted vendors and the library's own parts."""
    for name in DIRECTIVES:
        before, sources = _effective(old, name), _effective(new, name)
        if before is None or sources is None:
            assert before is sources is None
            continue
        vendors, own = _wanted(name, before, granted, nonce)
        assert all(_allows(sources, source) for source in (*vendors, *own))


def _effective(policy: _Directives, name: str) -> list[str] | None:
    """Return the sources that count for a directive, its own or those that stand for it; None if nothing is restricted."""
    names = (name, *FALLBACKS.get(name, ("default-src",)))
    return next((policy[known] for known in names if known in policy), None)


def _wanted(
    name: str, before: Iterable[str], granted: frozenset[str], nonce: str | None
) -> tuple[list[str], tuple[str, ...]]:
    """Return the sources that a directive may gain: of granted vendors, and the library's own unless it allows these."""
    kind, own = DIRECTIVES.get(name, ("", ()))
    allows_own = name != "trusted-types" and "'self'" in map(str.lower, before)
    if kind in ("script", "style") and nonce is not None:
        allows_own = allows_own or any(
            source[:7].lower() == "'nonce-" and source[7:] == f"{nonce}'" for source in before
        )
    if kind == "script" and "'strict-dynamic'" in map(str.lower, before):
        # Browsers ignore hosts there, so the vendors' are left out.
        return [], () if allows_own else own
    origins = [
        origin
        for vendor in sorted(granted)
        for origin in (getattr(POLICY.vendor(vendor).origins, kind) if kind else ())
    ]
    return origins, () if allows_own else own


def _allows(sources: Iterable[str], wanted: str) -> bool:
    lower = {source.lower() for source in sources}
    origin = "/".join(wanted.split("/", 3)[:3])
    return not lower.isdisjoint(("*", wanted, origin)) or ("https:" in lower and wanted.startswith("https:"))


def directives(policy: str) -> _Directives:
    """Return the directives of one policy as browsers read them: of two with a name the first counts."""
    found: _Directives = {}
    for part in policy.split(";"):
        words = part.translate(dict.fromkeys(map(ord, SPACE), " ")).split(" ")
        words = [word for word in words if word]
        if words:
            found.setdefault(words[0].lower(), words[1:])
    return found
