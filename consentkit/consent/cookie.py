"""The cookie that carries a visitor's decision, and its companion that scripts may read.

`token` writes and reads the value of the cookie. This module has the names, the attributes, the choice among several
cookies of the same name, and the cache of verified tokens.
"""

import time
from collections.abc import Callable, Iterable
from copy import copy

from consentkit._bounded_cache import BoundedCache
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, Decision
from consentkit.consent.secret_keys import SecretKeys
from consentkit.consent.token import TokenCodec, VerifiedToken
from consentkit.errors import ConfigurationError
from consentkit.headers import RawHeaders, cookie_values, sends_gpc
from consentkit.policy import LARGEST_COOKIE, CookiePrefix, OwnCookies, cookie_names, cookie_sizes

__all__ = ["SKEW", "ConsentCookie"]

SKEW = 60
"""Seconds that the time of a decision may lie ahead of this server's clock."""
_TOKENS_KEPT = 8192


class ConsentCookie:
    """Read and write the consent cookie of one site, without any middleware.

    Attributes:
        evaluator: evaluates the decisions that the cookie carries.
        name: `__Host-consent` on https, `__Secure-consent` with a Domain, `consent` for development on plain http.
        companion: the name of the companion cookie.
        transaction: the name of the cookie with the hand-offs that are under way.
        source: the name of the cookie with the site that a hand-off brought the decision from.
        secure: whether the cookies are sent over https only.
        salt: the salt of the signatures, different for each site and group.
        keys_oldest_first: the secret keys, as itsdangerous takes them.
        verified: tokens by value whose signature was checked, so that no signature is checked twice.
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
        """Derive the signing keys from `keys`, newest first.

        Raises:
            SecretKeyError: no key, or one that is short or easy to guess.
            ConfigurationError: the policy has so many vendors that a decision may not fit a cookie.
        """
        self.evaluator = evaluator
        self.clock = clock
        self.secure = secure
        prefix: CookiePrefix = ("__Secure-" if domain else "__Host-") if secure else ""
        self._names = cookie_names(prefix)
        self.own_cookies = OwnCookies(self._names, domain)
        self.name, self.companion = self._names.consent, self._names.companion
        self.transaction, self.confirmation = self._names.transaction, self._names.confirmation
        group = evaluator.policy.group.id if evaluator.policy.group else ""
        self.salt = f"consentkit.cookie.v1|{group}|{domain or evaluator.site.id}"
        self._codec = TokenCodec(evaluator, keys, self.salt)
        self.keys_oldest_first = self._codec.keys_oldest_first
        self.verified: BoundedCache[bytes, VerifiedToken] = BoundedCache(_TOKENS_KEPT)
        attributes = "; Path=/; SameSite=Lax"
        attributes += f"; Domain={domain}" if domain else ""
        self._attributes = attributes + ("; Secure" if secure else "")
        self._check_size()

    def under(self, evaluator: Evaluator) -> "ConsentCookie":
        """Return the same cookie, whose decisions another evaluator evaluates, such as that of another regime."""
        other = copy(self)
        other.evaluator, other.verified = evaluator, BoundedCache(_TOKENS_KEPT)
        other._codec = self._codec.under(evaluator)
        return other

    @property
    def names(self) -> frozenset[str]:
        """The names of all cookies that the library sets on this site, the hand-off's included."""
        return frozenset(self._names)

    def _check_size(self) -> None:
        """Raise ConfigurationError if the longest decision about the current notice does not fit a cookie."""
        notice = self.evaluator.notice
        size = max(cookie_sizes(self._names, notice.category_ids, notice.vendor_ids))
        if size > LARGEST_COOKIE:
            raise ConfigurationError(
                f"A decision about {len(notice.vendor_ids)} vendors takes {size} octets and browsers keep "
                f"{LARGEST_COOKIE}: declare fewer vendors, or give them shorter ids."
            )

    # Reading

    def read(self, headers: RawHeaders) -> Consent:
        """Return the consent that raw headers carry. Never raises.

        The ledger is not asked, so a withdrawal made elsewhere is not seen.
        """
        now = self.clock()
        token = self.newest(cookie_values(headers, self.name.encode()), now)
        return self.evaluate(token, now, gpc=sends_gpc(headers))

    def newest(self, values: Iterable[bytes], now: float) -> VerifiedToken | None:
        """Return the valid token that changed last; of two that changed in the same second, the one that grants less."""
        newest: VerifiedToken | None = None
        for value in values:
            token = self.verify(value)
            if token is None or token.changed_at > now + SKEW:
                continue
            if newest is None or _recency(token) > _recency(newest):
                newest = token
        return newest

    def signed(self, values: Iterable[bytes]) -> Decision | None:
        """Return the newest decision that this library signed, whatever its time and whether or not its notice is known.

        It is good for withdrawing only: a host whose clock is behind, or that does not know a notice yet, must still be able
        to end what another host granted.
        """
        decisions = []
        for value in values:
            token = self.verify(value)
            decision = token.decision if token is not None else self._codec.read_signed(value)
            if decision is not None:
                decisions.append(decision)
        return max(decisions, key=lambda decision: decision.moment, default=None)

    def verify(self, value: bytes) -> VerifiedToken | None:
        """Return the verified token of one value; None if it is not genuine, or its notice is not known in this process."""
        token = self.verified.get(value)
        if token is None:
            token = self._codec.read(value)
            # A forged value is not cached, so that a stranger cannot push out the tokens of visitors.
            if token is not None:
                self.verified.add(value, token)
        return token

    def unknown_notice(self, value: bytes) -> str | None:
        """Return the short digest of the notice in a genuine value if this process does not know that notice; else None."""
        return self._codec.unknown_notice(value)

    def evaluate(self, token: VerifiedToken | None, now: float, *, gpc: bool = False) -> Consent:
        """Return what a verified token allows, or what a visitor without one is allowed. The result is cached on the token."""
        if token is None:
            return self.evaluator.evaluate(None, now, gpc=gpc)
        consent = token.cached_consent(now, gpc=gpc)
        if consent is None:
            consent = self.evaluator.evaluate(token.decision, now, gpc=gpc)
            token.cache_consent(consent, now, gpc=gpc)
        return consent

    # Writing

    def dumps(self, decision: Decision) -> str:
        """Return a decision as a signed token, with the newest key.

        Raises:
            KeyError: the decision's notice is not known here.
        """
        return self._codec.dumps(decision)

    def set_cookie(self, decision: Decision, consent: Consent | None = None) -> list[str]:
        """Return the Set-Cookie values for a decision: the signed cookie's first, then the companion's.

        `consent` is what the decision allows now, if the caller has evaluated it already. Max-Age runs to the end of the
        decision's validity (RFC 6265bis). For a decision that has ended, both cookies are deleted.
        """
        now = self.clock()
        ends = self.evaluator.expires(decision)
        age = max(0, (ends or 0) - int(now))
        companion = self.companion_value(consent or self.evaluator.evaluate(decision, now))
        return [
            f"{self.name}={self.dumps(decision)}{self._attributes}; HttpOnly; Max-Age={age}",
            f"{self.companion}={companion}{self._attributes}; Max-Age={age}",
        ]

    def companion_value(self, consent: Consent) -> str:
        """Return the value of the companion cookie, from which scripts read what is on.

        It lists the ids of optional categories, then `~id` for vendors that differ from their category. `_` and the current
        notice's short digest follow, because a page rendered under another notice must not rely on the value. `-` stands for
        nothing; a lone `~` at the end means that the banner still has something to ask.
        """
        on = [category.id for category in self.evaluator.policy.optional if consent.categories[category.id]]
        deviating = [
            vendor
            for vendor, allowed in consent.vendors.items()
            if allowed != consent.categories[consent.vendor_category[vendor]]
        ]
        return self._companion(on, deviating, asking=consent.needs_asking)

    def _companion(self, categories: Iterable[str], vendors: Iterable[str], *, asking: bool) -> str:
        ids = [*categories, *(f"~{vendor}" for vendor in vendors)]
        parts = [*ids, f"_{self.evaluator.notice.short}"] if ids else ["-"]
        return ".".join(parts) + (".~" if asking else "")


def _recency(token: VerifiedToken) -> tuple[int, int, int, int, bytes]:
    """Sort key for several valid tokens.

    The latest change wins; then the one that grants less; then the raw bytes, so that the order of the Cookie header
    never decides.
    """
    categories, vendors = token.decision.breadth
    return token.changed_at, token.revision, -categories, -vendors, token.raw
