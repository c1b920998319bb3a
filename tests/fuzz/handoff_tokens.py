"""Target `handoff`: the token that carries a choice to another site, and the cookie that remembers who asked."""

import base64
import json

import jwt

from consentkit import ConsentManager
from consentkit.handoff.keys import PrivateKey, PublicKey, public_half, sign_token, verify_token
from consentkit.handoff.token import HandoffRefusal, read_claims
from consentkit.handoff.transaction import TRANSACTION_SECONDS, Transaction, Transactions
from tests.fuzz.site import KEY, NOW
from tests.support.told import EXAMPLE, policy_of

# Of no use anywhere else.
SEED = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()
PUBLIC = PublicKey.read(public_half(SEED))
PRIVATE = PrivateKey.read(SEED, PUBLIC)
EXPECTED = {"iss": "stride", "aud": "trailhead", "grp": "hardlopen", "st": "s" * 43}
CLAIMS = {
    "typ": "consent-handoff",
    **EXPECTED,
    "jti": "j" * 22,
    "iat": NOW,
    "exp": NOW + 60,
    "decided_at": NOW - 60,
    "changed_at": NOW - 60,
    "notice": "n" * 43,
    "status": "given",
    "categories": {"analytical": True},
    "vendors": {},
    "sub": "s" * 22,
}
TOKEN = sign_token(CLAIMS, PRIVATE)
MANAGER = ConsentManager(
    policy_of(sites=[EXAMPLE["sites"][0]], group=None),
    secret_key=KEY,
    ledger="sqlite://",
    site="stride",
    clock=lambda: NOW,
)
TRANSACTIONS = Transactions(MANAGER)
BEGUN = TRANSACTIONS.begin("trailhead", "/shoes?size=42")
COOKIE = TRANSACTIONS.dumps([BEGUN])


def check(data: bytes) -> None:
    """Read bytes as a token and as a cookie: as they are, over a genuine value, and with a genuine signature."""
    text = data.decode("latin-1")
    middle = len(data) % len(TOKEN)
    for forged in (
        text,
        TOKEN[:middle] + text + TOKEN[middle:],
        TOKEN[:middle] + text,
        text + TOKEN[middle:],
        TOKEN + text,
    ):
        assert forged == TOKEN or verify_token(forged, PUBLIC) is None
    _check_signed(data)
    cookie = COOKIE.encode()
    for value in (data, cookie[:middle] + data + cookie[middle:], data + cookie, cookie + data):
        # What the stock signer overlooks behind a signature changes nothing about what was signed.
        assert _read(value) in ((), (BEGUN,))
    assert not _read(data)
    _check_transactions(text)


def _check_signed(data: bytes) -> None:
    """Check the claims that these bytes are, or that they replace in a genuine token."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    payload = json.dumps(CLAIMS | found).encode() if isinstance(found, dict) else data
    token = jwt.PyJWS().encode(payload, PRIVATE.key, algorithm="EdDSA")
    if len(token) > 8192:
        assert verify_token(token, PUBLIC) is None
        return
    try:
        read = read_claims(token, PUBLIC, EXPECTED, NOW)
    except HandoffRefusal as refusal:
        assert refusal.reason in {"signature", "claims", "time", "typ", *EXPECTED}
        return
    assert all(read[name] == value for name, value in EXPECTED.items())
    assert read["exp"] - read["iat"] <= 60
    assert all(type(value) is bool for name in ("categories", "vendors") for value in read[name].values())
    assert max(read["decided_at"], read["changed_at"]) <= NOW + 60


def _read(cookie: bytes) -> tuple[Transaction, ...]:
    """Return the transactions in a cookie, and none if it is refused."""
    try:
        return TRANSACTIONS.loads(cookie)
    except HandoffRefusal:
        return ()


def _check_transactions(text: str) -> None:
    """Write a transaction for each line as the path, and check that the newest are read as they were written."""
    written = [
        Transaction(f"{place:022}", "trailhead", path, NOW + TRANSACTION_SECONDS - place)
        for place, path in enumerate(text.split("\n")[:6])
    ]
    if len(written[0].back) <= 1024:
        read = TRANSACTIONS.loads(TRANSACTIONS.dumps(written).encode())
        assert read == tuple(written[: len(read)])
        assert 1 <= len(read) <= 4
