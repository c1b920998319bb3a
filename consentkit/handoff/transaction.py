"""What the asking site remembers of the hand-offs that a browser has under way: one signed cookie for all its tabs."""

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
# Octets: the address alone may take 1 KiB, and browsers keep 4096 of name and value (RFC 6265bis section 5.7).
_LARGEST = 3600


@dataclass(frozen=True, slots=True)
class Transaction:
    """One hand-off that this site began.

    Attributes:
        secret: 128 random bits; only its SHA-256 leaves the site.
        issuer: id of the site that is asked.
        back: path to return to.
        until: seconds since the epoch.
    """

    secret: str
    issuer: str
    back: str
    until: int

    @property
    def state(self) -> str:
        """The SHA-256 of the secret, base64url, by which the answer is known to be for this browser."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.secret.encode()).digest()).rstrip(b"=").decode()


class Transactions:
    """Begin, write and read transactions, newest first."""

    def __init__(self, manager: ConsentManager) -> None:
        self._clock = manager.clock
        salt = f"consentkit.handoff.v1|{manager.group}|{manager.site}"
        self._signer = signer(manager.cookie.keys_oldest_first, salt)

    def begin(self, issuer: str, back: str) -> Transaction:
        """Begin one, of two minutes."""
        return Transaction(secrets.token_urlsafe(16), issuer, back, int(self._clock()) + TRANSACTION_SECONDS)

    def dumps(self, under_way: Iterable[Transaction]) -> str:
        """Write the cookie's value; the oldest are left out where they are too many or too long."""
        kept: list[Transaction] = []
        written = ""
        for transaction in under_way:
            kept.append(transaction)
            fields = json.dumps([astuple(one) for one in kept], separators=(",", ":"))
            value = self._signer.sign(base64.urlsafe_b64encode(fields.encode()).rstrip(b"=")).decode()
            if written and (len(kept) > _MOST or len(value) > _LARGEST):
                break
            written = value
        return written

    def loads(self, value: bytes) -> tuple[Transaction, ...]:
        """Read a cookie's value.

        Raises:
            HandoffRefusal: it is not ours, or all of it is over.
        """
        try:
            packed = self._signer.unsign(value)
            fields = json.loads(base64.urlsafe_b64decode(packed + b"=" * (-len(packed) % 4)))
            written = [Transaction(*one) for one in fields]
        except (BadSignature, ValueError, TypeError):
            raise HandoffRefusal("transaction") from None
        now = self._clock()
        running = tuple(one for one in written if 0 <= one.until - now <= TRANSACTION_SECONDS)
        if not running:
            raise HandoffRefusal("transaction over")
        return running
