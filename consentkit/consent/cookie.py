"""The cookie that carries a visitor's decision, and its companion that scripts may read.

`tokens` writes and reads the value; here are names, attributes, the choice among several, and the memory of what was
verified.
"""

import time
from collections.abc import Callable, Iterable

from consentkit._bounded_cache import BoundedCache
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, Decision
from consentkit.consent.secret_keys import SecretKeys
from consentkit.consent.token import TokenCodec
from consentkit.consent.verified import VerifiedToken
from consentkit.errors import ConfigurationError
from consentkit.headers import RawHeaders, cookie_values, sends_gpc
from consentkit.policy import LARGEST_COOKIE, CookiePrefix, cookie_names, cookie_sizes

__all__ = ["SKEW", "ConsentCookie", "SecretKeys"]

SKEW = 60
"""Seconds that a cookie may come from the future."""
_REMEMBERED = 8192


class ConsentCookie:
    """Read and write the consent cookie of one site, without any middleware.

    Attributes:
        verified: tokens by their value; what was verified once need not be again.
        name: `__Host-consent` on https, `__Secure-consent` with a Domain, `consent` for development on plain http.
        companion: the name of the companion cookie.
    """

    def __init__(
        self,
        evaluator: Evaluator,
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
        self.evaluator = evaluator
        self.clock = clock
        self.domain = domain
        self.secure = secure
        prefix: CookiePrefix = ("__Secure-" if domain else "__Host-") if secure else ""
        self._names = cookie_names(prefix)
        self.name, self.companion = self._names.consent, self._names.companion
        group = evaluator.policy.group.id if evaluator.policy.group else ""
        self.salt = f"consentkit.cookie.v1|{group}|{domain or evaluator.site.id}"
        self.tokens = TokenCodec(evaluator, keys, self.salt)
        self.keys_oldest_first = self.tokens.keys_oldest_first
        self._key = self.name.encode()
        self.verified: BoundedCache[bytes, VerifiedToken] = BoundedCache(_REMEMBERED)
        attributes = "; Path=/; SameSite=Lax"
        attributes += f"; Domain={domain}" if domain else ""
        self._attributes = attributes + ("; Secure" if secure else "")
        self._refuse_what_does_not_fit()

    @property
    def names(self) -> frozenset[str]:
        """The names of all cookies of ours on this site, the hand-off's included."""
        return frozenset(self._names)

    def _refuse_what_does_not_fit(self) -> None:
        notice = self.evaluator.notice
        size = max(cookie_sizes(self._names, notice.category_ids, notice.vendor_ids))
        if size > LARGEST_COOKIE:
            raise ConfigurationError(
                f"A decision about {len(notice.vendor_ids)} vendors takes {size} octets and browsers keep "
                f"{LARGEST_COOKIE}: declare fewer vendors, or give them shorter ids."
            )

    def read(self, headers: RawHeaders) -> Consent:
        """Read the consent from raw headers alone, without the ledger: a revocation elsewhere is not seen. Never raises."""
        now = self.clock()
        gpc = sends_gpc(headers)
        token = self.newest(cookie_values(headers, self._key), now)
        return self.evaluate(token, now, gpc=gpc)

    def evaluate(self, token: VerifiedToken | None, now: float, *, gpc: bool = False) -> Consent:
        """Judge a verified token, or none; the result is kept until it has to be judged anew."""
        if token is None:
            return self.evaluator.evaluate(None, now, gpc=gpc)
        kept = token.consents[gpc]
        if kept is not None and kept[0] <= now < kept[1].until:
            return kept[1]
        consent = self.evaluator.evaluate(token.decision, now, gpc=gpc)
        judged = (now, consent)
        token.consents = (token.consents[0], judged) if gpc else (judged, token.consents[1])
        return consent

    def newest(self, values: Iterable[bytes], now: float) -> VerifiedToken | None:
        """Choose of several candidates the valid one that changed last; of two of one second, the narrower."""
        best: VerifiedToken | None = None
        for value in values:
            token = self.verify(value)
            if token is None or token.changed_at > now + SKEW:
                continue
            if best is None or _recency(token) > _recency(best):
                best = token
        return best

    def verify(self, value: bytes) -> VerifiedToken | None:
        """Verify one value; None for whatever we did not write, or wrote under a notice that is not known here."""
        found = self.verified.get(value)
        if found is not None:
            return found
        token = self.tokens.read(value)
        if token is None:
            return None
        self.verified[value] = token
        return token

    def unknown_notice(self, value: bytes) -> str | None:
        """Name the notice, as cookies do, of a value that we signed under a notice that is not known here."""
        return self.tokens.unknown_notice(value)

    def dumps(self, decision: Decision) -> str:
        """Write a decision as a signed token, with the newest key; KeyError where its notice is not known here."""
        return self.tokens.dumps(decision)

    def set_cookie(self, decision: Decision) -> list[str]:
        """Give the Set-Cookie values for a decision: ours first, then the companion's.

        Max-Age runs to the end of validity (RFC 6265bis); a decision that has ended gives deletions.
        """
        now = self.clock()
        ends = self.evaluator.expires(decision)
        age = max(0, (ends or 0) - int(now))
        state = self.companion_value(self.evaluator.evaluate(decision, now))
        return [
            f"{self.name}={self.dumps(decision)}{self._attributes}; HttpOnly; Max-Age={age}",
            f"{self.companion}={state}{self._attributes}; Max-Age={age}",
        ]

    def companion_value(self, consent: Consent) -> str:
        """Write what is on for scripts: category ids, required ones left out, then `~id` for vendors that differ from theirs.

        Then `_` and the notice, as cookies name it, under which that was found: a page that was rendered under another one must
        not rely on it. `-` stands for nothing; a lone `~` at the end says that the banner still has something to ask.
        """
        on = [category.id for category in self.evaluator.policy.optional if consent.categories[category.id]]
        deviating = [
            vendor
            for vendor, allowed in consent.vendors.items()
            if allowed != consent.categories[consent.vendor_category[vendor]]
        ]
        return self._written(on, deviating, asking=consent.needs_asking)

    def _written(self, categories: Iterable[str], vendors: Iterable[str], *, asking: bool) -> str:
        items = [*categories, *(f"~{vendor}" for vendor in vendors)]
        told = [*items, f"_{self.evaluator.notice.short}"] if items else ["-"]
        return ".".join(told) + (".~" if asking else "")


def _recency(token: VerifiedToken) -> tuple[int, int, int, bytes]:
    """Order tokens: the newest last, of one second the narrowest, and of the rest some, whatever their place in the header."""
    categories, vendors = token.decision.breadth
    return token.changed_at, -categories, -vendors, token.raw
