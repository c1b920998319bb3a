"""Target `set-cookie`: Set-Cookie fields of responses, as the cookie gate and the filter around it judge them."""

from consentkit.consent import Consent
from consentkit.enforcement import Action, ObservedCookies, SetCookieFilter
from consentkit.headers import lifetime
from consentkit.headers.cookie_expiry import cookie_date
from tests.fuzz.site import ENDS, GRANTED, NOW, UNDECIDED, needs_consent, new_gate

GATE = new_gate()
FILTER = SetCookieFilter(new_gate(), ObservedCookies())
SPACE = b" \t"


def check(data: bytes) -> None:
    """Filter the bytes as one line, and each of their lines, for a visitor without an answer and for one who granted all."""
    lines = [data, *data.split(b"\n")]
    for line in _filtered(lines, UNDECIDED, None):
        name = named_by_browsers(line)
        assert not needs_consent(name) or _deletes(line)
        assert not set(line) & set(b"\r\n\0")
    for line in _filtered(lines, GRANTED, ENDS):
        life = lifetime(line)
        if needs_consent(named_by_browsers(line)) and life is not None:
            assert life.latest(NOW) <= ENDS


def _filtered(lines: list[bytes], consent: Consent, ends: int | None) -> list[bytes]:
    """Return the lines that the filter sends, after a comparison with the gate, which remembers no verdicts."""
    headers = [(b"set-cookie", line) for line in lines]
    kept, depends, _ = FILTER.filter([(b"x-other", b"1"), *headers], consent, NOW, ends)
    assert kept[0] == (b"x-other", b"1")
    sent = [value for _, value in kept[1:]]
    verdicts = [GATE.set_cookie(line, consent.allows, NOW, ends) for line in lines]
    assert sent == [
        line if verdict.value is None else verdict.value
        for line, verdict in zip(lines, verdicts, strict=True)
        if verdict.action is not Action.DROP
    ]
    assert depends == any(verdict.depends for verdict in verdicts)
    again, _, _ = FILTER.filter(kept, consent, NOW, ends)
    assert again == kept
    return sent


def named_by_browsers(line: bytes) -> str:
    """Return a cookie's name by RFC 6265bis, section 5.7; without a name, that under which the value comes back."""
    pair = line.partition(b";")[0]
    name, equals, value = pair.partition(b"=")
    if not equals or not name.strip(SPACE):
        name = (value if equals else pair).strip(SPACE).partition(b"=")[0]
    return name.strip(SPACE).decode("latin-1")


def _deletes(line: bytes) -> bool:
    """Return whether a line deletes its cookie by the last Max-Age, or by the last Expires if there is none."""
    split = [part.partition(b"=") for part in line.split(b";")[1:]]
    attributes = [(name.strip(SPACE).lower(), value.strip(SPACE)) for name, _, value in split]
    ages = [value for name, value in attributes if name == b"max-age"]
    if ages and ages[-1].removeprefix(b"-").isdigit():
        return int(ages[-1]) <= 0
    dates = [value for name, value in attributes if name == b"expires"]
    moment = cookie_date(dates[-1]) if dates else None
    return moment is not None and moment <= NOW
