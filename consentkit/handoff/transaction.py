"""Transactions: a signed cookie with the hand-offs that this site began for a browser, for all its tabs.

The same cookie has the chain that the visitor began on this site, if there is one; see `chain`.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadSignature

from consentkit.consent import signer
from consentkit.handoff.chain import CHAIN_SECONDS, Chain
from consentkit.handoff.token import HandoffRefusal
from consentkit.manager import ConsentManager

__all__ = ["TRANSACTION_SECONDS", "Transaction", "Transactions", "UnderWay"]

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
        nonce: of the step, if the transaction is a step of the issuer's chain. The visitor then returns to the issuer.
    """

    secret: str
    issuer: str
    back: str
    until: int
    nonce: str = ""

    @property
    def state(self) -> str:
        """The SHA-256 of the secret in base64url, which shows that a token was issued for this browser."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.secret.encode()).digest()).rstrip(b"=").decode()


UnderWay = Transaction | Chain
"""What the cookie holds for one tab."""


class Transactions:
    """Begins transactions, and writes and reads the cookie that holds them, newest first."""

    def __init__(self, manager: ConsentManager) -> None:
        self._clock = manager.clock
        salt = f"consentkit.handoff.v1|{manager.group}|{manager.site}"
        self._signer = signer(manager.cookie.keys_oldest_first, salt)
        self._others = tuple(site.id for site in manager.policy.sites if site.id != manager.site)

    def begin(self, issuer: str, back: str, nonce: str = "") -> Transaction:
        """Return a new transaction, which ends after two minutes."""
        until = int(self._clock()) + TRANSACTION_SECONDS
        return Transaction(secrets.token_urlsafe(16), issuer, back, until, nonce)

    def dumps(self, under_way: Iterable[UnderWay]) -> str:
        """Return the cookie's value, with as many transactions as fit; the oldest are dropped first."""
        kept: list[Any] = []
        written = ""
        for entry in under_way:
            kept.append(_fields(entry))
            fields = json.dumps(kept, separators=(",", ":"))
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
        running = tuple(entry for entry in self.under_way(value) if isinstance(entry, Transaction))
        if not running:
            raise HandoffRefusal("transaction over")
        return running

    def under_way(self, value: bytes) -> tuple[UnderWay, ...]:
        """Return the transactions and the chain in a cookie's value that have not ended.

        Raises:
            HandoffRefusal: this site did not write the value.
        """
        try:
            packed = self._signer.unsign(value)
            fields = json.loads(base64.urlsafe_b64decode(packed + b"=" * (-len(packed) % 4)))
            read = [self._read(entry) for entry in fields]
        except (BadSignature, ValueError, TypeError):
            raise HandoffRefusal("transaction") from None
        return tuple(entry for entry in read if entry is not None and self._is_running(entry))

    def _read(self, fields: Any) -> UnderWay | None:
        """Return what one entry of the cookie holds; None for a chain under another policy."""
        if not isinstance(fields, dict):
            return Transaction(*fields)
        try:
            return Chain.read(fields["chain"], self._others)
        except (ValueError, KeyError):
            return None

    def _is_running(self, entry: UnderWay) -> bool:
        seconds = TRANSACTION_SECONDS if isinstance(entry, Transaction) else CHAIN_SECONDS
        return 0 <= entry.until - self._clock() <= seconds


def _fields(entry: UnderWay) -> Any:
    """Return what the cookie holds for a transaction or a chain."""
    if isinstance(entry, Chain):
        return {"chain": entry.fields()}
    fields = [entry.secret, entry.issuer, entry.back, entry.until]
    return [*fields, entry.nonce] if entry.nonce else fields
