"""Target `cookies`: Cookie fields of requests, as the consent cookie's reader and the cookie gate read them."""

from consentkit.consent import Consent
from consentkit.enforcement import CookieHeaderCache, ObservedCookies
from consentkit.headers import COOKIE_BYTES_READ, cookie_values, first_cookies, sent_cookie_names
from tests.fuzz.site import (
    COOKIE,
    GRANTED,
    NAME,
    NOW,
    TOKEN,
    UNDECIDED,
    consent_of,
    needs_consent,
    new_gate,
)

GATE = new_gate()
STRICT = new_gate(strict=True)
CACHE = CookieHeaderCache(NAME, GATE, ObservedCookies())
LONGEST = 4096
DELETION_BYTES = 2048
(SEMICOLON,) = b";"
SPACE = b" \t"


def check(data: bytes) -> None:
    """Read each line as a Cookie field of one request."""
    # In a seed, `$` stands for a genuine token.
    fields = data.replace(b"$", TOKEN).split(b"\n")
    if sum(map(len, fields)) > LONGEST:
        return
    expected = [value for field in fields for name, value in pairs_of(field) if name == NAME]
    headers = [(b"cookie", field) for field in fields]
    assert cookie_values(headers, NAME) == expected[:8]
    assert consent_of(*fields).granted == (GRANTED.granted if TOKEN in expected[:8] else frozenset())
    # What the gate hides from the application, the browser is told to forget.
    lines = GATE.leftovers(sent_cookie_names(headers), UNDECIDED.allows, NOW + len(data))
    assert sum(len(f"set-cookie: {line}\r\n") for line in lines) <= DELETION_BYTES
    for line in lines:
        assert needs_consent(line.partition("=")[0]) and line.isprintable() and "Max-Age=0" in line
    for field in fields:
        _check_field(field)
        _check_first_cookies(field)


def pairs_of(field: bytes) -> list[tuple[bytes, bytes]]:
    """Return names and values as browsers write them (RFC 6265bis, section 5.7.3)."""
    split = [pair.partition(b"=") for pair in field.split(b";")]
    return [(name.strip(SPACE), value.strip(SPACE)) for name, equals, value in split if equals]


def _check_first_cookies(field: bytes) -> None:
    """Check that of a field that is too long as many whole cookies are read as fit."""
    ends = [place for place, byte in enumerate(field + b";") if byte == SEMICOLON]
    for end in ends[:4] + ends[-1:]:
        for bytes_left in range(max(0, end - 1), end + 2):
            longest = max((end for end in ends if end <= bytes_left), default=0)
            assert first_cookies(field, bytes_left) == field[:longest]
    assert first_cookies(field, COOKIE_BYTES_READ) is field
    assert first_cookies(field, 0) == first_cookies(field, -1) == b""


def _check_field(field: bytes) -> None:
    assert GATE.strip(field, GRANTED.allows) is field
    left = _stripped(field, UNDECIDED)
    _check_strict(field)
    span = CACHE.remember(field)
    if span is not None:
        assert left is field
        assert [field[slice(*span)]] * (span[1] > 0) == [
            value for name, value in pairs_of(field) if name == NAME
        ]


def _check_strict(field: bytes) -> None:
    """Check that in strict mode all that is left is declared or ours, and that nothing declared is gone."""
    kept = STRICT.strip(field, GRANTED.allows).split(b";")
    names = {
        pair: pair.lstrip(b"= \t").partition(b"=")[0].strip(SPACE) for pair in [*kept, *field.split(b";")]
    }
    for pair in kept:
        assert not names[pair] or STRICT.is_declared(names[pair])
    for pair in field.split(b";"):
        text = names[pair].decode("latin-1")
        if text in ("session", "_ga_own") or text in COOKIE.names or needs_consent(text):
            assert pair.strip(SPACE) in [other.strip(SPACE) for other in kept]


def _stripped(field: bytes, consent: Consent) -> bytes:
    left = GATE.strip(field, consent.allows)
    kept = left.split(b";") if left else []
    trimmed = [pair.lstrip(SPACE) for pair in field.split(b";")]
    assert all(pair.lstrip(SPACE) in trimmed for pair in kept)
    assert GATE.strip(left, consent.allows) == left
    for pair in kept:
        name = pair.lstrip(b"= \t").partition(b"=")[0].strip(SPACE)
        assert not needs_consent(name.decode("latin-1"))
    # Every pair that needs no consent is left.
    names = {pair.lstrip(b"= \t").partition(b"=")[0] for pair in trimmed}
    hidden = [name for name in names if GATE.may_hide(name)]
    assert len(kept) >= len([pair for pair in trimmed if pair]) - sum(
        pair.lstrip(b"= \t").partition(b"=")[0] in hidden for pair in trimmed
    )
    return left
