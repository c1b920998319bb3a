"""One site's consent: policy, keys, ledger and clock in one object, which every adapter is given."""

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine

from consentkit import __version__, decisions
from consentkit.consent import Choice, Consent, ConsentStatus, Decision
from consentkit.cookie import ConsentCookie, SecretKeys
from consentkit.errors import LedgerError, UnknownNoticeError
from consentkit.ledger import Ledger, Outbox, Record
from consentkit.listeners import Listener, Listeners
from consentkit.notice import Notice
from consentkit.occasion import Occasion, Outcome, record_of
from consentkit.policy import Policy
from consentkit.revocation import Revocations
from consentkit.settings import Origins, checked_domain, checked_prefix, chosen_site, served_from
from consentkit.standing import Standing
from consentkit.terms import Terms

__all__ = ["ConsentManager"]

log = logging.getLogger("consentkit")

REPEATED_WITHIN = 3600
"""Seconds in which the same decision again is no news."""


class ConsentManager:
    """Ask, remember, prove and forget, for one site of a policy.

    Attributes:
        policy: what the owner declared.
        terms: what decisions are judged by.
        cookie: reads and writes the consent cookie, without any middleware too.
        ledger: the store of records, or None.
        origins: for each site the origins it is served from, first the canonical one.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        secret_key: SecretKeys,
        ledger: Ledger | str | URL | Engine | None,
        site: str | None = None,
        origins: Origins | None = None,
        clock: Callable[[], float] = time.time,
        prefix: str = "/consent",
        cookie_domain: str | None = None,
        recheck: float = 60,
        max_stale: float = 3600,
        strict: bool = False,
        csp: str | None = None,
        banner: bool = True,
        debug: bool = False,
        private_key: str | None = None,
        spool: str | Path | None = None,
        templates: str | Path | None = None,
        locales: str | Path | None = None,
        stylesheets: Sequence[str] = (),
    ) -> None:
        """Put the parts together; nothing connects or starts a thread before it is needed.

        Args:
            policy: from `load_policy`, with the notices of its `consent.lock`.
            secret_key: one key or several, newest first, of 32 characters or more.
            ledger: a database URL, a SQLAlchemy engine, a Ledger, or None: then nothing can be proved.
            site: id of this site; may be left out while the policy has one.
            origins: by site id, where it runs in development, in place of the policy's origin.
            clock: gives seconds since the epoch.
            prefix: path under which the library answers.
            cookie_domain: a domain whose sub-domains share one cookie, without a leading dot.
            recheck: seconds after which withdrawals made elsewhere are seen.
            max_stale: seconds that a grant stands while the ledger is out of reach.
            strict: whether cookies that the policy does not declare are dropped too.
            csp: the site's Content-Security-Policy, opened for the vendors that a visitor granted.
            banner: whether the banner is put into pages.
            debug: whether dropped cookies are shown in the browser's console.
            private_key: of this site, for the hand-off between sites.
            spool: directory for records that wait for the ledger, so that they survive a restart.
            templates: folder with templates that replace the library's, each by its name.
            locales: folder with the site's own catalogues.
            stylesheets: addresses of style sheets for the library's pages, each loaded after its own.

        Raises:
            ConfigurationError: what does not fit together, with the remedy.
            SecretKeyError: a missing or short key.
        """
        self.policy = policy
        self.clock = clock
        self.prefix = checked_prefix(prefix)
        self.strict = strict
        self.csp = csp
        self.show_banner = banner
        self.debug = debug
        self.private_key = private_key
        self.templates = Path(templates) if templates is not None else None
        self.locales = Path(locales) if locales is not None else None
        self.stylesheets = tuple(stylesheets)
        self.recheck = recheck
        self.site = chosen_site(policy, site)
        self.origins = served_from(policy, origins or {})
        secure = self.origins[self.site][0].startswith("https:")
        self.terms = Terms(policy, self.site, getattr(policy, "notices", ()))
        domain = checked_domain(cookie_domain, self.origins[self.site][0])
        self.cookie = ConsentCookie(self.terms, secret_key, secure=secure, domain=domain, clock=clock)
        self.ledger = ledger if isinstance(ledger, Ledger) or ledger is None else Ledger(ledger)
        self._own_ledger = self.ledger if self.ledger is not ledger else None
        self.revocations = self._outbox = None
        if self.ledger is None:
            warnings.warn(
                "ConsentManager has no ledger: no consent can be proved to an authority.", stacklevel=2
            )
        else:
            self.revocations = Revocations(self.ledger, recheck=recheck, max_stale=max_stale)
            self._outbox = Outbox(self.ledger, spool)
            for record in self._outbox.pending():
                self.revocations.hold(record, clock(), stored=False)
        self._listeners = Listeners()
        self._published: set[tuple[str, str]] = set()
        self.standing = Standing(self.terms, self.cookie, self.ledger, self.revocations, recheck=recheck)
        self.rendering: Callable[[str], dict[str, Any]] | None = None

    @property
    def notice(self) -> Notice:
        """What visitors are told now."""
        return self.terms.notice

    @property
    def group(self) -> str:
        """Id of the group of sites; empty for a single site."""
        return self.policy.group.id if self.policy.group else ""

    # Deciding

    def shown(self, digest: str | None) -> Notice:
        """Find the notice that a choice was made under, the present one where it names none.

        Raises:
            UnknownNoticeError: it names one that nobody here published.
        """
        if not digest:
            return self.notice
        found = self.terms.notices.get(digest)
        if found is None and self.standing.may_learn(now := self.clock()):
            self.standing.learn_notices(now)
            found = self.terms.notices.get(digest)
        if found is None:
            raise UnknownNoticeError(
                "This choice was made under a notice that is not known here: load the page again."
            )
        return found

    def decide(self, before: Consent, choice: Choice, occasion: Occasion, *, merge: bool = False) -> Outcome:
        """Record a choice; blocks until the record is durable.

        Raises:
            InvalidDecisionError: the choice cannot be expressed; nothing was changed.
            UnknownIdError: it names what the policy lacks; nothing was changed.
            UnknownNoticeError: it was made under a notice that is not known; nothing was changed.
            LedgerUnavailableError: it would widen and cannot be recorded; nothing was changed.
        """
        decisions.check(self.terms, choice)
        shown = self.shown(occasion.notice)
        now = int(self.clock())
        if merge:
            after = decisions.merge(self.terms, before, choice, shown, now)
            repeated = before.status.decided
        else:
            after = decisions.replace(choice, shown, now)
            repeated = before.status.decided and (
                before.decision is not None and now - before.decision.decided_at < REPEATED_WITHIN
            )
        if repeated and before.decision is not None and before.decision.answers_as(after):
            return Outcome(consent=before)
        return self._settle(before, after, occasion)

    def withdraw(self, before: Consent, category: str | None, occasion: Occasion) -> Outcome:
        """Withdraw everything, or one category; where nothing of it is granted nothing happens.

        Raises:
            UnknownCategoryError: the policy has no such category.
            InvalidDecisionError: the category is required.
        """
        if category is not None:
            decisions.check(self.terms, Choice(categories={category: False}, vendors={}))
        if not decisions.holds(before, category):
            return Outcome(consent=before)
        after = decisions.withdraw(self.terms, before, category, int(self.clock()))
        return self._settle(before, after, occasion, withdrawal=True)

    def _settle(
        self, before: Consent, after: Decision, occasion: Occasion, *, withdrawal: bool = False
    ) -> Outcome:
        """Write the record first, then say what the answer has to carry."""
        after, ended = decisions.with_subject(self.terms, before, after)
        now = self.clock()
        consent = self.terms.judge(after, now, gpc=occasion.gpc)
        record = self._record(
            before, after, consent, occasion, subject=ended or after.subject, withdrawal=withdrawal
        )
        stored = self._store(record, may_wait=not self.terms.grants(after) or _narrower(before, consent))
        if self.revocations is not None:
            self.revocations.hold(record, now, stored=stored)
        return Outcome(
            consent=consent,
            record=record,
            reference=record.subject if withdrawal else None,
            cookies=tuple(self.cookie.set_cookie(after)),
            narrowed=_takes_away(before, consent),
            stored=stored,
        )

    def _record(
        self,
        before: Consent,
        after: Decision,
        consent: Consent,
        occasion: Occasion,
        *,
        subject: str,
        withdrawal: bool,
    ) -> Record:
        return record_of(
            self.terms,
            before,
            after,
            consent,
            occasion,
            subject=subject,
            withdrawal=withdrawal,
            version=__version__,
        )

    def _store(self, record: Record, *, may_wait: bool) -> bool:
        """Store a record; one that may wait is queued when the ledger is away, any other one raises."""
        if self.ledger is None or self._outbox is None:
            return True
        try:
            self._publish(record.notice, record.language)
            self.ledger.append(record)
        except LedgerError as error:
            if not may_wait:
                raise
            log.error("Record %s waits for the ledger: %s", record.id, error)
            self._outbox.put(record)
            return False
        return True

    def _publish(self, digest: str, language: str) -> None:
        """Keep the notice, and what it was shown with in that language, beside the first record under it."""
        ledger, notice = self.ledger, self.terms.notices[digest]
        if ledger is None or notice.content is None or (digest, language) in self._published:
            return
        ledger.store_notice(digest, dict(notice.content))
        if self.rendering is not None and notice is self.notice:
            ledger.store_rendering(digest, language, self.rendering(language))
        self._published.add((digest, language))

    def withdraw_subject(self, subject: str) -> Record | None:
        """Withdraw for a visitor who asks customer service, without the visitor's browser.

        Returns the record, or None where the ledger knows of nothing that is granted under that reference. Holds in this process
        at once and in others within `recheck`. Blocks until it is recorded.

        Raises:
            LedgerUnavailableError: nothing was changed.
        """
        if self.ledger is None:
            return None
        newest = self.ledger.newest(subject)
        decision = self.standing.decision_of(newest) if newest else None
        if newest is None or decision is None or newest.status != ConsentStatus.GIVEN:
            return None
        before = self.terms.judge(decision, self.clock())
        after = decisions.withdraw(self.terms, before, None, int(self.clock()))
        occasion = Occasion(surface="api", choice="withdraw", language=newest.language)
        gone = self.terms.judge(after, self.clock())
        record = self._record(before, after, gone, occasion, subject=subject, withdrawal=True)
        self._store(record, may_wait=False)
        if self.revocations is not None:
            self.revocations.hold(record, self.clock(), stored=True)
        self.notify(record)
        return record

    # Telling

    def on_change(self, listener: Listener) -> Listener:
        """Call this with the Record of every change, once it is durable; usable as a decorator.

        What a listener raises is logged: it is never the visitor's problem.
        """
        self._listeners.add(listener)
        return listener

    def notify(self, record: Record) -> None:
        """Tell the listeners, from a thread without an event loop."""
        self._listeners.tell(record)

    async def anotify(self, record: Record) -> None:
        """Tell the listeners, from an event loop."""
        await self._listeners.atell(record)

    def close(self) -> None:
        """Deliver what waits, and close what this manager opened."""
        if self._outbox is not None:
            self._outbox.close()
        if self.revocations is not None:
            self.revocations.close()
        if self._own_ledger is not None:
            self._own_ledger.close()


def _allowed(consent: Consent) -> set[str]:
    categories = {category for category, allowed in consent.categories.items() if allowed}
    return categories | {f"~{vendor}" for vendor, allowed in consent.vendors.items() if allowed}


def _takes_away(before: Consent, after: Consent) -> bool:
    return bool(_allowed(before) - _allowed(after))


def _narrower(before: Consent, after: Consent) -> bool:
    return _allowed(after) < _allowed(before)
