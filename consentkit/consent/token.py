"""The signed text that carries a visitor's decision, and what is cached about a token once it is verified.

A token is `version+kind . mask . decided_at . changed_after . notice . vendors . subject . signature`: masks in hex over
the notice's own order, times in decimal seconds, absent fields empty. `changed_after` is `seconds~revision` if several
changes fell into one second. It is signed as itsdangerous' `Signer` does with
SHA-256 and `key_derivation="hmac"`, so that each reads what the other wrote. A correct signature proves only that this
library wrote the token. The fields are therefore read strictly, and times, notice and validity are checked at each use.
"""

import hashlib
import hmac
from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from types import MappingProxyType

from consentkit._bounded_cache import BoundedCache
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, Decision, Kind
from consentkit.consent.secret_keys import SecretKeys, signer, validated_keys
from consentkit.notices import SHORT, Notice
from consentkit.policy import LARGEST_COOKIE

__all__ = ["AnswerCache", "TokenCodec", "VerifiedToken"]

_KINDS: dict[bytes, Kind] = {b"1d": "decided", b"1p": "partial", b"1w": "withdrawn"}
_HEADS: dict[Kind, str] = {kind: head.decode() for head, kind in _KINDS.items()}
_SIGNATURE = 43
_FIELDS = 7
_ANSWERS_KEPT = 1024
_SUBJECT = 22
_HEX = b"0123456789abcdef"
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_NO_CONSENTS: Mapping[bool, tuple[float, Consent]] = MappingProxyType({})
_DOT = b"."[0]
_ZERO = b"0"[0]


class AnswerCache:
    """The part of a token that many visitors have in common: everything but the times and the pseudonym.

    Attributes:
        kind, granted, vendors, notice: as in Decision.
        grants: whether the answer grants anything that needs consent.
        recorded: the categories of the last ledger record in which this answer was found, to compare the next one quickly.
        shared_consent: what the answer allows everybody who gave it; see `ConsentResolver.permissions`.
    """

    __slots__ = ("granted", "grants", "kind", "notice", "recorded", "shared_consent", "vendors")

    def __init__(
        self, kind: Kind, granted: frozenset[str], vendors: Mapping[str, bool], notice: str, grants: bool
    ) -> None:
        self.kind = kind
        self.granted = granted
        self.vendors = vendors
        self.notice = notice
        self.grants = grants
        self.recorded: Mapping[str, bool] | None = None
        self.shared_consent: Consent | None = None

    def is_recorded_as(self, categories: Mapping[str, bool], vendors: Mapping[str, bool]) -> bool:
        """Return whether the categories and vendors of a ledger record are this answer."""
        if categories != self.recorded:
            if {category for category, allowed in categories.items() if allowed} != self.granted:
                return False
            self.recorded = dict(categories)
        return vendors == self.vendors


class VerifiedToken:
    """A token whose signature was checked, and what is cached about it. Times are seconds since the epoch.

    Attributes:
        raw: the token as the browser sends it.
        answer: the part that other visitors' tokens share.
        decided_at, changed_at, revision, subject: as in Decision.
        proof: the ledger record last seen to hold this very decision, or None.
        ends: when the decision ends, once `cache_permissions` was called; else None.
        entry: the revocation cache's entry of the subject that the cached permissions rest on.
        since: when the cached permissions begin to count.
        until: when they cease to count; earlier if the revocation cache gets another entry.
    """

    __slots__ = (
        "_consents",
        "answer",
        "changed_at",
        "decided_at",
        "ends",
        "entry",
        "proof",
        "raw",
        "revision",
        "since",
        "subject",
        "until",
    )

    def __init__(
        self,
        raw: bytes,
        answer: AnswerCache,
        decided_at: int,
        changed_at: int,
        revision: int,
        subject: str,
    ) -> None:
        """Store the fields of a token that was just verified. Nothing is cached yet."""
        self.raw = raw
        self.answer = answer
        self.decided_at = decided_at
        self.changed_at = changed_at
        self.revision = revision
        self.subject = subject
        self.proof: object = None
        self.ends: int | None = None
        self.entry: object = None
        self.since: float = 0
        self.until: float = 0
        self._consents = _NO_CONSENTS

    @property
    def moment(self) -> tuple[int, int]:
        """When the decision was last changed, as in Decision."""
        return self.changed_at, self.revision

    @property
    def decision(self) -> Decision:
        """The decision that the token carries."""
        answer = self.answer
        return Decision(
            kind=answer.kind,
            granted=answer.granted,
            vendors=dict(answer.vendors),
            decided_at=self.decided_at,
            changed_at=self.changed_at,
            notice=answer.notice,
            subject=self.subject,
            revision=self.revision,
        )

    def proven_by(self, record: object) -> None:
        """Cache the ledger record that holds this very decision, so that the two need not be compared again."""
        self.proof = record

    def cache_permissions(self, entry: object, ends: int, since: float, until: float) -> None:
        """Cache the period in which `answer.shared_consent` counts, and the revocation entry that it depends on."""
        self.ends, self.entry = ends, entry
        self.since, self.until = since, until

    def cached_consent(self, now: float, *, gpc: bool) -> Consent | None:
        """Return the consent last evaluated for requests with or without GPC; None if it may have changed by `now`."""
        cached = self._consents.get(gpc)
        if cached is None:
            return None
        evaluated_at, consent = cached
        return consent if evaluated_at <= now < consent.until else None

    def cache_consent(self, consent: Consent, now: float, *, gpc: bool) -> None:
        """Cache the consent that was evaluated for the token at `now`."""
        # A new dictionary, because other threads may be reading the old one.
        self._consents = {**self._consents, gpc: (now, consent)}


class TokenCodec:
    """Write tokens with the newest key, and read those of all keys.

    Attributes:
        keys_oldest_first: the keys in the order in which itsdangerous takes them.
    """

    def __init__(self, evaluator: Evaluator, keys: SecretKeys, salt: str) -> None:
        """Derive the signing keys from `keys`, newest first.

        Raises:
            SecretKeyError: no key, or one that is short or easy to guess.
        """
        self._evaluator = evaluator
        newest_first = validated_keys(keys)
        self.keys_oldest_first = newest_first[::-1]
        self._answers: BoundedCache[tuple[bytes, bytes, bytes, bytes], AnswerCache] = BoundedCache(
            _ANSWERS_KEPT
        )
        derive = signer(self.keys_oldest_first, salt).derive_key
        # Each is copied for every message, which saves hashing the key again.
        self._macs = tuple(hmac.new(derive(key), digestmod=hashlib.sha256) for key in newest_first)

    def under(self, evaluator: Evaluator) -> "TokenCodec":
        """Return a codec with the same keys, whose tokens another evaluator evaluates."""
        other = copy(self)
        other._evaluator, other._answers = evaluator, BoundedCache(_ANSWERS_KEPT)
        return other

    # Writing

    def dumps(self, decision: Decision) -> str:
        """Return a decision as a signed token.

        Raises:
            KeyError: the decision's notice is not known here.
        """
        notice = self._evaluator.notices[decision.notice]
        deviating = [
            vendor
            for vendor, allowed in decision.vendors.items()
            if allowed != (notice.vendor_category.get(vendor) in decision.granted)
        ]
        signed = ".".join(
            (
                _HEADS[decision.kind],
                _mask(notice.category_ids, decision.granted),
                str(decision.decided_at),
                _change(decision),
                notice.short,
                _mask(notice.vendor_ids, deviating),
                decision.subject if self._evaluator.grants(decision) else "",
            )
        )
        return f"{signed}.{_signature(self._macs[0], signed.encode()).decode()}"

    # Reading

    def read(self, value: bytes) -> VerifiedToken | None:
        """Verify and read a token; None if it is not genuine, or its notice is not known in this process."""
        fields = self._fields(value)
        if fields is None:
            return None
        head, mask, decided, after, short, vendors, subject = fields
        decided_at = _count(decided)
        seconds, tilde, revisions = after.partition(b"~")
        changed_after, revision = _count(seconds), _count(revisions)
        if not decided_at or changed_after is None or revision is None or bool(tilde) != bool(revision):
            return None
        if subject and (len(subject) != _SUBJECT or not _is_base64url(subject)):
            return None
        written = (head, mask, short, vendors)
        answer = self._answers.get(written) or self._read_answer(written)
        # Only a grant may carry a subject: a refusal leads to no record (REQUIREMENTS LB-09).
        if answer is None or (subject and not answer.grants):
            return None
        return VerifiedToken(
            value, answer, decided_at, decided_at + changed_after, revision, subject.decode()
        )

    def _read_answer(self, written: tuple[bytes, bytes, bytes, bytes]) -> AnswerCache | None:
        """Read the fields that many visitors have in common; None if they are malformed or the notice is not known."""
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
        answer = self._answers[written] = AnswerCache(kind, granted, deviating, notice.digest, grants)
        return answer

    def read_signed(self, value: bytes) -> Decision | None:
        """Return who decided and when, for a genuine token whose notice is not known in this process; else None.

        The decision grants nothing, because only the notice can tell what the token grants. It is good for withdrawals.
        """
        fields = self._fields(value)
        if fields is None or fields[0] not in _KINDS:
            return None
        seconds, _, revision = fields[3].partition(b"~")
        decided_at, changed_after = _count(fields[2]), _count(seconds)
        if not decided_at or changed_after is None:
            return None
        return Decision(
            granted=frozenset(),
            vendors={},
            decided_at=decided_at,
            changed_at=decided_at + changed_after,
            notice=self._evaluator.notice.digest,
            subject=fields[6].decode(),
            revision=_count(revision) or 0,
        )

    def unknown_notice(self, value: bytes) -> str | None:
        """Return the short digest of the notice in a genuine token if this process does not know that notice; else None."""
        fields = self._fields(value)
        short = fields[4].decode("ascii", "replace") if fields else ""
        return short if short and not self._evaluator.known(short) else None

    def _fields(self, value: bytes) -> list[bytes] | None:
        """Check the signature, in constant time and in its one canonical form, and return the signed fields."""
        signed = value[: -_SIGNATURE - 1]
        if not signed or value[-_SIGNATURE - 1] != _DOT or len(value) > LARGEST_COOKIE:
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


def _change(decision: Decision) -> str:
    """Return the seconds between a decision and its last change, and the revision; each is left out if it is 0."""
    seconds = max(0, decision.changed_at - decision.decided_at)
    return f"{seconds or ''}{f'~{decision.revision}' if decision.revision else ''}"


def _mask(ids: Sequence[str], chosen: Iterable[str]) -> str:
    """Return hex digits with bit n set if the n-th id is chosen; empty if none is."""
    chosen = set(chosen)
    mask = sum(1 << place for place, row_id in enumerate(ids) if row_id in chosen)
    return f"{mask:x}" if mask else ""


def _bits(text: bytes) -> int | None:
    """Read a mask in its canonical form: lower-case hex without leading zeros, empty for none."""
    if not text:
        return 0
    if text[0] == _ZERO or text.translate(None, _HEX):
        return None
    return int(text, 16)


def _is_base64url(text: bytes) -> bool:
    return text.replace(b"-", b"").replace(b"_", b"").isalnum() or not text.strip(b"-_")


def _count(text: bytes) -> int | None:
    """Read whole seconds in their canonical form: up to eleven digits without leading zeros, empty for none."""
    if not text:
        return 0
    if text[0] == _ZERO or len(text) > 11 or not text.isdigit():
        return None
    return int(text)


def _choice(
    notice: Notice, bits: int | None, deviations: int | None
) -> tuple[frozenset[str], dict[str, bool]] | None:
    """Return the granted categories and the deviating vendors of two masks; None if they hold more than the notice has."""
    categories, vendor_ids = notice.category_ids, notice.vendor_ids
    if bits is None or deviations is None or bits >> len(categories) or deviations >> len(vendor_ids):
        return None
    granted = frozenset(category for place, category in enumerate(categories) if bits >> place & 1)
    vendors = {
        vendor: notice.vendor_category[vendor] not in granted
        for place, vendor in enumerate(vendor_ids)
        if deviations >> place & 1
    }
    return granted, vendors
