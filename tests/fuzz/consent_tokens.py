"""Target `token`: the value of the consent cookie."""

from consentkit.consent import Decision
from tests.fuzz.site import COOKIE, EVALUATOR, GRANT, NAME, NOTICE, NOW, SIGNER, SUBJECT, TOKEN, consent_of


def check(data: bytes) -> None:
    """Read bytes as a token, over a genuine token, as signed fields, and as a decision to write."""
    # In a seed, `$` stands for the notice and `~` for a pseudonym.
    data = data.replace(b"$", NOTICE.short.encode()).replace(b"~", SUBJECT.encode())
    middle = len(data) % len(TOKEN)
    for forged in (
        data,
        bytes(old ^ new for old, new in zip(TOKEN, data, strict=False)) + TOKEN[len(data) :],
        TOKEN[:middle] + data + TOKEN[middle:],
        TOKEN[:middle] + data,
        data + TOKEN[middle:],
    ):
        _check_forged(forged)
    _check_signed(data)
    _check_written(data)


def _check_forged(value: bytes) -> None:
    if value == TOKEN:
        return
    assert COOKIE.verify(value) is None
    assert COOKIE.unknown_notice(value) is None
    if TOKEN not in value:
        assert not consent_of(NAME + b"=" + value).granted


def _check_signed(fields: bytes) -> None:
    value = SIGNER.sign(fields)
    token = COOKIE.verify(value)
    if token is None:
        return
    assert COOKIE.dumps(token.decision).encode() == value
    consent = consent_of(NAME + b"=" + value)
    assert consent.granted <= token.decision.granted <= set(NOTICE.category_ids)
    assert not consent.granted or token.decision.decided_at <= NOW + 60


def _check_written(data: bytes) -> None:
    numbers = data[:16].ljust(16, b"\0")
    granted = frozenset(
        category for place, category in enumerate(NOTICE.category_ids) if numbers[0] >> place & 1
    )
    deviating = [vendor for place, vendor in enumerate(NOTICE.vendor_ids) if numbers[1] >> place & 1]
    decided_at = int.from_bytes(numbers[2:6]) + 1
    decision = Decision(
        kind="partial" if numbers[10] & 1 else "decided",
        granted=granted,
        vendors={vendor: NOTICE.vendor_category[vendor] not in granted for vendor in deviating},
        decided_at=decided_at,
        changed_at=decided_at + int.from_bytes(numbers[6:10]),
        notice=GRANT.notice,
        subject=SUBJECT,
    )
    token = COOKIE.verify(COOKIE.dumps(decision).encode())
    assert token is not None
    assert token.decision.answers_as(decision)
    assert (token.decided_at, token.changed_at) == (decision.decided_at, decision.changed_at)
    assert token.subject == (SUBJECT if EVALUATOR.grants(decision) else "")
