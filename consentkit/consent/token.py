"""The signed text that carries a visitor's decision.

A token is `version+kind . mask . decided_at . changed_after . notice . vendors . subject . signature`: masks in hex over
the notice's own order, times in decimal seconds, absent fields empty. It is signed as itsdangerous' `Signer` does with
SHA-256 and `key_derivation="hmac"`, so that either reads what the other wrote. A correct signature proves only that we
wrote it: the fields are read strictly, and times, notice and validity are judged at each use.
"""

import hashlib
import hmac
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from typing import Final

from consentkit._bounded_cache import BoundedCache
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Decision, Kind
from consentkit.consent.secret_keys import SecretKeys, checked_keys, signer
from consentkit.consent.verified import AnswerCache, VerifiedToken
from consentkit.notices import SHORT, Notice

__all__ = ["LARGEST", "TokenCodec"]

LARGEST: Final = 4096
"""Octets of name and value together that browsers keep (RFC 6265bis section 5.7)."""
_KINDS: dict[bytes, Kind] = {b"1d": "decided", b"1p": "partial", b"1w": "withdrawn"}
_HEADS: dict[Kind, str] = {kind: head.decode() for head, kind in _KINDS.items()}
_SIGNATURE = 43
_FIELDS = 7
_REMEMBERED = 1024
_SUBJECT = 22
_HEX = b"0123456789abcdef"
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_DOT = b"."[0]
_ZERO = b"0"[0]


class TokenCodec:
    """Write tokens with the newest key, and read those of all keys.

    Attributes:
        keys_oldest_first: as itsdangerous takes them.
    """

    def __init__(self, evaluator: Evaluator, keys: SecretKeys, salt: str) -> None:
        """Derive the keys once; they are given newest first.

        Raises:
            SecretKeyError: no key, or one under 32 characters.
        """
        self._evaluator = evaluator
        newest_first = checked_keys(keys)
        self.keys_oldest_first = newest_first[::-1]
        self._answers: BoundedCache[tuple[bytes, bytes, bytes, bytes], AnswerCache] = BoundedCache(
            _REMEMBERED
        )
        derive = signer(self.keys_oldest_first, salt).derive_key
        # Each is copied for every message, which saves hashing the key again.
        self._macs = tuple(hmac.new(derive(key), digestmod=hashlib.sha256) for key in newest_first)

    def dumps(self, decision: Decision) -> str:
        """Write a decision.

        Raises:
            KeyError: the decision's notice is not known here.
        """
        notice = self._evaluator.notices[decision.notice]
        deviating = [
            vendor
            for vendor, allowed in decision.vendors.items()
            if allowed != (notice.vendor_category.get(vendor) in decision.granted)
        ]
        after = max(0, decision.changed_at - decision.decided_at)
        signed = ".".join(
            (
                _HEADS[decision.kind],
                _mask(notice.category_ids, decision.granted),
                str(decision.decided_at),
                str(after or ""),
                notice.short,
                _mask(notice.vendor_ids, deviating),
                decision.subject if self._evaluator.grants(decision) else "",
            )
        )
        return f"{signed}.{_signature(self._macs[0], signed.encode()).decode()}"

    def loads(self, value: bytes) -> Decision | None:
        """Read a token; None for whatever we did not write, or wrote under a notice that is not known here."""
        token = self.read(value)
        return token.decision if token else None

    def read(self, value: bytes) -> VerifiedToken | None:
        """Read a token as `loads` does, with the decision left to be worked out when somebody needs it."""
        fields = self._fields(value)
        if fields is None:
            return None
        head, mask, decided, after, short, vendors, subject = fields
        decided_at = _count(decided)
        changed_after = _count(after) if after else 0
        if not decided_at or changed_after is None:
            return None
        if subject and (len(subject) != _SUBJECT or not _is_base64url(subject)):
            return None
        written = (head, mask, short, vendors)
        answer = self._answers.get(written) or self._read(written)
        if answer is None or (subject and not answer.grants):
            return None
        token = VerifiedToken()
        token.raw = value
        token.answer = answer
        token.decided_at = decided_at
        token.changed_at = decided_at + changed_after
        token.subject = subject.decode()
        token.proof = token.ends = token.entry = None
        token.since = token.until = 0
        token.consents = (None, None)
        return token

    def _read(self, written: tuple[bytes, bytes, bytes, bytes]) -> AnswerCache | None:
        """Read what was answered, which many visitors have in common; None for what makes no sense, or not here."""
        head, mask, short, vendors = written
        kind, notice = _KINDS.get(head), self._evaluator.known(short.decode("ascii", "replace"))
        if kind is None or notice is None or len(short) != SHORT:
            return None
        choice = _choice(notice, _bits(mask), _bits(vendors))
        if choice is None:
            return None
        granted, deviating = choice
        decision = Decision(
            kind=kind, granted=granted, vendors=deviating, decided_at=0, changed_at=0, notice=notice.digest
        )
        grants = self._evaluator.grants(decision)
        if kind == "withdrawn" and grants:
            return None
        found = self._answers[written] = AnswerCache(kind, granted, deviating, notice.digest, grants)
        return found

    def unknown_notice(self, value: bytes) -> str | None:
        """Name the notice, as cookies do, of a value that we signed under a notice that is not known here."""
        fields = self._fields(value)
        short = fields[4].decode("ascii", "replace") if fields else ""
        return short if short and not self._evaluator.known(short) else None

    def _fields(self, value: bytes) -> list[bytes] | None:
        """Check the signature, in constant time and in its one canonical form, and split."""
        signed = value[: -_SIGNATURE - 1]
        if not signed or value[-_SIGNATURE - 1] != _DOT or len(value) > LARGEST:
            return None
        signature = value[-_SIGNATURE:]
        for mac in self._macs:
            if hmac.compare_digest(_signature(mac, signed), signature):
                fields = signed.split(b".")
                return fields if len(fields) == _FIELDS else None
        return None


def _signature(mac: hmac.HMAC, message: bytes) -> bytes:
    """Return the signature of a message in base64url without padding, as itsdangerous writes it."""
    mac = mac.copy()
    mac.update(message)
    return b2a_base64(mac.digest()).translate(_URL_SAFE)[:_SIGNATURE]


def _mask(ids: Sequence[str], chosen: Iterable[str]) -> str:
    """Set bit n for the n-th id; empty for none."""
    wanted = set(chosen)
    mask = sum(1 << place for place, one in enumerate(ids) if one in wanted)
    return f"{mask:x}" if mask else ""


def _bits(text: bytes) -> int | None:
    """Read a mask in its one form: lower-case hex without leading zeros, empty for none."""
    if not text:
        return 0
    if text[0] == _ZERO or text.translate(None, _HEX):
        return None
    return int(text, 16)


def _is_base64url(text: bytes) -> bool:
    return text.replace(b"-", b"").replace(b"_", b"").isalnum() or not text.strip(b"-_")


def _count(text: bytes) -> int | None:
    """Read whole seconds in their one form: up to eleven digits without leading zeros, empty for none."""
    if not text:
        return 0
    if text[0] == _ZERO or len(text) > 11 or not text.isdigit():
        return None
    return int(text)


def _choice(
    notice: Notice, bits: int | None, deviations: int | None
) -> tuple[frozenset[str], dict[str, bool]] | None:
    """Spell the masks out, categories and deviating vendors; None where they name more than the notice has."""
    categories, vendor_ids = notice.category_ids, notice.vendor_ids
    if bits is None or deviations is None or bits >> len(categories) or deviations >> len(vendor_ids):
        return None
    granted = frozenset(one for place, one in enumerate(categories) if bits >> place & 1)
    vendors = {
        one: notice.vendor_category[one] not in granted
        for place, one in enumerate(vendor_ids)
        if deviations >> place & 1
    }
    return granted, vendors
