"""Transactions: a signed cookie with the hand-offs that the asking site began for a browser, for all its tabs."""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from itsdangerous import BadSignature

from consentkit.consent import signer
from consentkit.handoff.token import HandoffRefusal
from consentkit.manager import ConsentManager

__all__ = ["TRANSACTION_SECONDS", "Transaction", "Transactions"]

TRANSACTION_SECONDS = 120
_MOST = 4
# In octets. One path may take 1 KiB, and browsers keep 4096 octets of name and value (RFC 6265bis section 5.7).
_LARGEST = 3600


@dataclass(frozen=True, slots=True)
class Transaction:
    """One hand-off that this site began for a browser.

    Attributes:
        secret: 128 random bits; other sites receive only its SHA-256.
        issuer: id of the site that is asked for the choice.
        back: path of the page that the visitor arrives at.
        until: when the transaction ends, in seconds since the epoch.
    """

    secret: str
    issuer: str
    back: str
    until: int

    @property
    def state(self) -> str:
        """The SHA-256 of the secret in base64url, which shows that a token was issued for this browser."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.secret.encode()).digest()).rstrip(b"=").decode()


class Transactions:
    """Begins transactions, and writes and reads the cookie that holds them, newest first."""

    def __init__(self, manager: ConsentManager) -> None:
        self._clock = manager.clock
        salt = f"consentkit.handoff.v1|{manager.group}|{manager.site}"
        self._signer = signer(manager.cookie.keys_oldest_first, salt)

    def begin(self, issuer: str, back: str) -> Transaction:
        """Return a new transaction, which ends after two minutes."""
        return Transaction(secrets.token_urlsafe(16), issuer, back, int(self._clock()) + TRANSACTION_SECONDS)

    def dumps(self, under_way: Iterable[Transaction]) -> str:
        """Return the cookie's value, with as many transactions as fit; the oldest are dropped first."""
        kept: list[Transaction] = []
        written = ""
        for transaction in under_way:
            kept.append(transaction)
            fields = json.dumps([astuple(each) for each in kept], separators=(",", ":"))
            value = self._signer.sign(base64.urlsafe_b64encode(fields.encode()).rstrip(b"=")).decode()
            if written and (len(kept) > _MOST or len(value) > _LARGEST):
                break
            written = value
        return written

    def loads(self, value: bytes) -> tuple[Transaction, ...]:
        """Return the transactions in a cookie's value that have not ended.

        Raises:
            HandoffRefusal: this site did not write the value, or every transaction has ended.
        """
        try:
            packed = self._signer.unsign(value)
            fields = json.loads(base64.urlsafe_b64decode(packed + b"=" * (-len(packed) % 4)))
            written = [Transaction(*values) for values in fields]
        except (BadSignature, ValueError, TypeError):
            raise HandoffRefusal("transaction") from None
        now = self._clock()
        running = tuple(
            transaction for transaction in written if 0 <= transaction.until - now <= TRANSACTION_SECONDS
        )
        if not running:
            raise HandoffRefusal("transaction over")
        return running
