"""The cookie that carries a visitor's decision, and its companion that scripts may read.

A token is `version+kind . mask . decided_at . changed_after . notice . vendors . subject . signature`: masks in hex over
the notice's own order, times in decimal seconds, absent fields empty. It is signed as itsdangerous' `Signer` does with
SHA-256 and `key_derivation="hmac"`, so that either reads what the other wrote. A correct signature proves only that we
wrote it: times, notice and validity are judged at each use.
"""

import base64
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import islice
from typing import Final

from itsdangerous import Signer

from consentkit.consent import Consent, Decision, Kind
from consentkit.errors import ConfigurationError, SecretKeyError
from consentkit.headers import RawHeaders, cookie_values, sends_gpc
from consentkit.notice import Notice
from consentkit.terms import Terms

__all__ = ["ConsentCookie", "SecretKeys", "Token"]

log = logging.getLogger("consentkit.cookie")

SecretKeys = str | bytes | Sequence[str | bytes]

LARGEST = 4096
"""Octets of name and value together that browsers keep (RFC 6265bis section 5.7)."""
SKEW = 60
"""Seconds that a cookie may come from the future."""
_VERSION: Final = "1"
_KINDS: dict[str, Kind] = {"1d": "decided", "1p": "partial", "1w": "withdrawn"}
_LETTERS: dict[Kind, str] = {kind: letters for letters, kind in _KINDS.items()}
_SIGNATURE = 43
_SHORTEST_KEY = 32
_REMEMBERED = 8192


class Token:
    """A token that was verified, with the decision that it holds and what that was judged to be worth."""

    __slots__ = ("consents", "decision", "raw")

    def __init__(self, raw: bytes, decision: Decision) -> None:
        self.raw = raw
        self.decision = decision
        self.consents: list[Consent | None] = [None, None]


class ConsentCookie:
    """Read and write the consent cookie of one site, without any middleware.

    Attributes:
        name: `__Host-consent` on https, `__Secure-consent` with a Domain, `consent` for development on plain http.
        companion: the name of the companion cookie.
    """

    def __init__(
        self,
        terms: Terms,
        keys: SecretKeys,
        *,
        secure: bool = True,
        domain: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Derive the keys once.

        Raises:
            SecretKeyError: no key, or one under 32 characters.
            ConfigurationError: a policy with so many vendors that a decision may not fit a cookie.
        """
        self.terms = terms
        self.clock = clock
        self.domain = domain
        self.secure = secure
        prefix = ("__Secure-" if domain else "__Host-") if secure else ""
        self.name = f"{prefix}consent"
        self.companion = f"{prefix}consent-state"
        group = terms.policy.group.id if terms.policy.group else ""
        self.salt = f"consentkit.cookie.v1|{group}|{domain or terms.site.id}"
        newest_first = _checked(keys)
        self.keys_oldest_first = newest_first[::-1]
        signer = Signer(self.keys_oldest_first, self.salt, key_derivation="hmac", digest_method=sha256)
        self._keys = tuple(signer.derive_key(key) for key in newest_first)
        self._key = self.name.encode()
        self._verified: dict[bytes, Token] = {}
        attributes = "; Path=/; SameSite=Lax"
        attributes += f"; Domain={domain}" if domain else ""
        self._attributes = attributes + ("; Secure" if secure else "")
        self._refuse_what_does_not_fit()

    @property
    def names(self) -> frozenset[str]:
        """The names of all cookies of ours on this site, the hand-off's included."""
        return frozenset({self.name, self.companion, f"{self.name}-tx", f"{self.name}-from"})

    def _refuse_what_does_not_fit(self) -> None:
        notice = self.terms.notice
        widest = Decision(
            granted=frozenset(notice.category_ids),
            vendors=dict.fromkeys(notice.vendor_ids, False),
            decided_at=10**10,
            changed_at=2 * 10**10,
            notice=notice.digest,
            subject="s" * 22,
        )
        size = len(self.name) + len(self.dumps(widest))
        companion = (
            len(self.companion) + sum(len(one) + 2 for one in (*notice.category_ids, *notice.vendor_ids)) + 2
        )
        if max(size, companion) > LARGEST:
            raise ConfigurationError(
                f"A decision about {len(notice.vendor_ids)} vendors takes {max(size, companion)} octets and browsers keep "
                f"{LARGEST}: declare fewer vendors, or give them shorter ids."
            )

    def read(self, headers: RawHeaders) -> Consent:
        """Read the consent from raw headers alone, without the ledger: a revocation elsewhere is not seen. Never raises."""
        now = self.clock()
        gpc = sends_gpc(headers)
        token = self.newest(cookie_values(headers, self._key), now)
        return self.judge(token, now, gpc=gpc)

    def judge(self, token: Token | None, now: float, *, gpc: bool = False) -> Consent:
        """Judge a verified token, or none; the result is kept until it has to be judged anew."""
        if token is None:
            return self.terms.judge(None, now, gpc=gpc)
        consent = token.consents[gpc]
        if consent is None or now >= consent.until or now < token.decision.decided_at:
            consent = self.terms.judge(token.decision, now, gpc=gpc)
            token.consents[gpc] = consent
        return consent

    def newest(self, values: Iterable[bytes], now: float) -> Token | None:
        """Choose of several candidates the valid one that changed last; of two of one second, the narrower."""
        best: Token | None = None
        for value in values:
            token = self.verify(value)
            if token is None or token.decision.changed_at > now + SKEW:
                continue
            if best is None or _recency(token.decision) > _recency(best.decision):
                best = token
        return best

    def verify(self, value: bytes) -> Token | None:
        """Verify one value; None for whatever we did not write, or wrote under a notice that is not known here."""
        found = self._verified.get(value)
        if found is not None:
            return found
        decision = self._loads(value)
        if decision is None:
            return None
        if len(self._verified) >= _REMEMBERED:
            for old in tuple(islice(self._verified, _REMEMBERED // 4)):
                self._verified.pop(old, None)
        token = Token(value, decision)
        self._verified[value] = token
        return token

    def unknown_notice(self, value: bytes) -> str | None:
        """Name the notice, as cookies do, of a value that we signed under a notice that is not known here."""
        fields = self._fields(value)
        return fields[4] if fields and fields[4] and not self.terms.known(fields[4]) else None

    def _fields(self, value: bytes) -> list[str] | None:
        """Check the signature, in constant time and in its one canonical form, and split."""
        signed, _, signature = value.rpartition(b".")
        if len(signature) != _SIGNATURE or len(value) > LARGEST or signed.count(b".") != 6:
            return None
        if not any(hmac.compare_digest(_sign(key, signed), signature) for key in self._keys):
            return None
        return signed.decode("ascii").split(".") if signed.isascii() else None

    def _loads(self, value: bytes) -> Decision | None:
        """Read a token; the fields are read strictly, since a signature says nothing about their sense."""
        fields = self._fields(value)
        if fields is None:
            return None
        head, mask, decided, after, short, vendors, subject = fields
        notice = self.terms.known(short)
        kind = _KINDS.get(head)
        bits, deviations = _bits(mask), _bits(vendors)
        decided_at, changed_after = _count(decided), _count(after)
        if kind is None or notice is None or None in (bits, deviations, decided_at, changed_after):
            return None
        return _decision(
            notice, kind, bits or 0, deviations or 0, decided_at or 0, changed_after or 0, subject
        )

    def dumps(self, decision: Decision) -> str:
        """Write a decision as a signed token, with the newest key.

        Raises:
            KeyError: the decision's notice is not known here.
        """
        notice = self.terms.notices[decision.notice]
        mask = _mask(notice.category_ids, decision.granted)
        vendors = _mask(notice.vendor_ids, decision.vendors)
        after = decision.changed_at - decision.decided_at
        signed = ".".join(
            (
                _LETTERS[decision.kind],
                mask,
                str(decision.decided_at),
                str(after or ""),
                notice.short,
                vendors,
                decision.subject,
            )
        )
        return f"{signed}.{_sign(self._keys[0], signed.encode()).decode()}"

    def set_cookie(self, decision: Decision) -> list[str]:
        """Give the Set-Cookie values for a decision: ours first, then the companion's.

        Max-Age runs to the end of validity (RFC 6265bis); a decision that has ended gives deletions.
        """
        now = self.clock()
        ends = self.terms.expires(decision)
        age = max(0, (ends or 0) - int(now))
        state = self.state(self.terms.judge(decision, now))
        return [
            f"{self.name}={self.dumps(decision)}{self._attributes}; HttpOnly; Max-Age={age}",
            f"{self.companion}={state}{self._attributes}; Max-Age={age}",
        ]

    @staticmethod
    def state(consent: Consent) -> str:
        """Write what is granted for scripts: category ids, then `~id` for vendors that differ from their category.

        `-` stands for nothing; a lone `~` at the end says that the banner still has something to ask.
        """
        deviating = [
            f"~{vendor}"
            for vendor, allowed in consent.vendors.items()
            if allowed != consent.categories[consent.vendor_category[vendor]]
        ]
        items = [category for category in consent.categories if category in consent.granted] + deviating
        return ".".join(items or ["-"]) + (".~" if consent.needs_asking else "")


def _checked(keys: SecretKeys) -> list[bytes]:
    given = [keys] if isinstance(keys, str | bytes) else list(keys)
    if not given:
        raise SecretKeyError(
            "secret_key is empty: give a key of at least 32 random characters, newest first."
        )
    newest_first = []
    for key in given:
        if not isinstance(key, str | bytes):
            raise SecretKeyError(
                f"secret_key holds {type(key).__name__}: give str, bytes, or a list of them."
            )
        if len(key) < _SHORTEST_KEY:
            raise SecretKeyError(
                f"secret_key has {len(key)} characters, at least {_SHORTEST_KEY} are needed; "
                "make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        if len(set(key)) < 8:
            log.warning(
                "secret_key has only %d different characters: it looks like a placeholder.", len(set(key))
            )
        newest_first.append(key.encode() if isinstance(key, str) else key)
    return newest_first


def _sign(key: bytes, message: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, message, "sha256")).rstrip(b"=")


def _recency(decision: Decision) -> tuple[int, int]:
    return decision.changed_at, -decision.breadth


def _mask(ids: Sequence[str], chosen: Iterable[str]) -> str:
    """Set bit n for the n-th id; empty for none."""
    wanted = set(chosen)
    mask = sum(1 << place for place, one in enumerate(ids) if one in wanted)
    return f"{mask:x}" if mask else ""


def _bits(text: str) -> int | None:
    """Read a mask in its one form: lower-case hex without leading zeros, empty for none."""
    if not text:
        return 0
    if text[0] == "0" or text.strip("0123456789abcdef"):
        return None
    return int(text, 16)


def _count(text: str) -> int | None:
    """Read whole seconds in their one form: up to eleven digits without leading zeros, empty for none."""
    if not text:
        return 0
    if text[0] == "0" or len(text) > 11 or text.strip("0123456789"):
        return None
    return int(text)


def _decision(
    notice: Notice, kind: Kind, bits: int, deviations: int, decided_at: int, after: int, subject: str
) -> Decision | None:
    """Spell the masks out; None where they name more than the notice has, or a subject stands where none belongs."""
    categories, vendor_ids = notice.category_ids, notice.vendor_ids
    if (
        bits >> len(categories)
        or deviations >> len(vendor_ids)
        or len(subject) not in (0, 22)
        or not decided_at
    ):
        return None
    granted = frozenset(one for place, one in enumerate(categories) if bits >> place & 1)
    vendors = {
        one: notice.vendor_category[one] not in granted
        for place, one in enumerate(vendor_ids)
        if deviations >> place & 1
    }
    if kind == "withdrawn" and (bits or any(vendors.values())):
        return None
    return Decision(
        kind=kind,
        granted=granted,
        vendors=vendors,
        decided_at=decided_at,
        changed_at=decided_at + after,
        notice=notice.digest,
        subject=subject,
    )
