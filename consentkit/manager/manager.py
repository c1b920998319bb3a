"""One site's consent: policy, keys, ledger and clock in one object, which every web adapter takes."""

import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Engine

from consentkit.consent import Choice, Consent, ConsentCookie, Evaluator, SecretKeys, transitions
from consentkit.headers import own_path
from consentkit.ledger import Ledger, Record
from consentkit.manager.appearance import Appearance, Layout, Position
from consentkit.manager.choice import ChoiceContext, Outcome
from consentkit.manager.ledger_parts import ledger_parts, run_steps
from consentkit.manager.listeners import Listener
from consentkit.manager.location import Location
from consentkit.manager.newest import newest_of
from consentkit.manager.on_record import grant_on_record
from consentkit.manager.options import (
    Origins,
    chosen_site,
    notices_of,
    own_folders,
    require_kinds,
    site_origins,
    validated_domain,
    validated_frontends,
    validated_paths,
    validated_periods,
    validated_prefix,
)
from consentkit.manager.places import managers_by_place
from consentkit.manager.recorder import DecisionRecorder
from consentkit.manager.resolver import ConsentResolver
from consentkit.manager.shown import ShownCounts
from consentkit.manager.visitor_records import VisitorRecords
from consentkit.manager.webhooks import Webhook
from consentkit.notices import Notice
from consentkit.policy import Policy
from consentkit.proof import Erased, Grant, receipt_of

__all__ = ["ConsentManager"]


class ConsentManager:
    """Read, decide, record and withdraw consent for one site of a policy.

    Nothing connects or starts a thread before it is needed.

    Args:
        policy: from `load_policy`, with the notices of its `consent.lock`.
        secret_key: one key or several, newest first, each of at least 32 characters.
        ledger: a database URL, a SQLAlchemy engine, a Ledger, or None. Without a ledger no consent can be proved.
        site: id of this site; may be left out if the policy has one site.
        origins: by site id, one origin or several that replace the policy's during development.
        frontends: other origins whose pages read and decide with the visitor's cookie, one or several. Browsers send the cookie
            only if they are on the same site, such as two ports of localhost, or www.example.org and api.example.org.
        clock: returns seconds since the epoch.
        prefix: path under which the library answers.
        cookie_domain: a domain whose sub-domains share one cookie, without a leading dot.
        recheck: seconds after which withdrawals made elsewhere are seen.
        max_stale: seconds for which a grant counts while the ledger is out of reach.
        strict: whether cookies that the policy does not declare are dropped too, and hidden from the application.
        csp: the site's Content-Security-Policy, opened for the vendors that a visitor allowed. With "" the policies that
            responses bring are opened, and none is added. With None no policy is changed.
        banner: whether the banner is put into pages.
        exclude: paths whose pages get no banner, script and settings link, such as "/docs" and "/admin/*"; `*` is any text.
            Cookies and the Content-Security-Policy follow the consent there too.
        layout: of the banner: "bar", the whole width; "card", in a corner; "dialog", in the middle. None blocks the page.
        position: of a bar, "bottom" or "top"; of a card, "end" or "start" of the lower edge; None for the first of them.
        logo: path of the site's logo, for the library's pages.
        debug: whether the browser's console shows dropped cookies, and why a page or frame has no banner.
        private_key: of this site, for the hand-off between sites.
        spool: directory for records that wait for the ledger, so that they survive a restart.
        prune: whether this process removes records that the policy keeps no longer, a little at a time after its polls.
        templates: folder with templates that replace the library's of the same name.
        locales: folder with the site's own translations, for languages of the policy that the library does not speak.
        stylesheets: addresses of style sheets for the library's pages, each loaded after the library's own.
        observed: file for `consentkit check --observed`, to which the names of undeclared and refused cookies are added, and
            the attributes of cookies that differ from their declarations.
        webhooks: endpoints that are told of withdrawals and changes.
        location: returns where the visitor of a request is, such as `trusted_header(...)`, for a policy with `[regimes]`.
            Without it every visitor gets the strictest rules of the policy.

    Raises:
        ConfigurationError: options that do not fit together, with the remedy.
        SecretKeyError: a key that is missing, short or easy to guess.

    Attributes:
        evaluator: evaluates what a decision allows now.
        cookie: reads and writes the consent cookie, also without middleware.
        ledger: the store of records, or None.
        origins: the origins of each site, the canonical one first.
        frontends: other origins that may read and decide with the visitor's cookie.
        revocations: the newest records of the visitors that this process has seen.
        resolver: checks a visitor's cookie against the ledger.
        recorder: takes decisions and records them.
        shown: counts how often each notice is shown.
        places: the managers of the policy's other regimes; None for a policy without `[regimes]`.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        secret_key: SecretKeys,
        ledger: Ledger | str | URL | Engine | None,
        site: str | None = None,
        origins: Origins | None = None,
        frontends: str | Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        prefix: str = "/consent",
        cookie_domain: str | None = None,
        recheck: float = 60,
        max_stale: float = 3600,
        strict: bool = False,
        csp: str | None = None,
        banner: bool = True,
        exclude: Sequence[str] = (),
        layout: Layout = "bar",
        position: Position | None = None,
        logo: str | None = None,
        debug: bool = False,
        private_key: str | None = None,
        spool: str | Path | None = None,
        prune: bool = False,
        templates: str | Path | None = None,
        locales: str | Path | None = None,
        stylesheets: Sequence[str] = (),
        observed: str | Path | None = None,
        webhooks: Sequence[Webhook] = (),
        location: Location | None = None,
    ) -> None:
        require_kinds(policy=policy, clock=clock, prefix=prefix, recheck=recheck, max_stale=max_stale)
        require_kinds(strict=strict, csp=csp, banner=banner, debug=debug, stylesheets=stylesheets)
        self.policy, self.clock, self.prefix = policy, clock, validated_prefix(prefix)
        self.strict, self.csp, self.show_banner, self.debug = strict, csp, banner, debug
        self.private_key, self.appearance = private_key, Appearance.of(layout, position, logo)
        self.templates, self.locales = own_folders(policy, templates, locales)
        self.observed = None if observed is None else Path(observed)
        self.site, self.exclude = chosen_site(policy, site), validated_paths(exclude)
        self.origins, self.stylesheets = site_origins(policy, origins or {}), tuple(stylesheets)
        self.frontends = validated_frontends(frontends, self.origins[self.site])
        self._read_cookies(secret_key, cookie_domain)
        self._use_ledger(ledger, webhooks, recheck=recheck, max_stale=max_stale, spool=spool, prune=prune)
        self.places = managers_by_place(self, location)

    def _read_cookies(self, secret_key: SecretKeys, cookie_domain: str | None) -> None:
        """Create the parts that need no ledger: the evaluator, and the cookie whose decisions it evaluates."""
        origin = self.origins[self.site][0]
        domain = validated_domain(cookie_domain, origin)
        secure = origin.startswith("https:")
        self.evaluator = Evaluator(self.policy, self.site, notices_of(self.policy))
        self.cookie = ConsentCookie(
            self.evaluator, secret_key, secure=secure, domain=domain, clock=self.clock
        )

    def _use_ledger(
        self,
        ledger: Ledger | str | URL | Engine | None,
        webhooks: Sequence[Webhook],
        *,
        recheck: float,
        max_stale: float,
        spool: str | Path | None,
        prune: bool,
    ) -> None:
        """Create the parts that depend on the ledger. The manager closes only a ledger that it created itself."""
        require_kinds(prune=prune)
        periods = validated_periods(recheck=recheck, max_stale=max_stale)
        options: dict[str, Any] = {"clock": self.clock, "spool": spool, "prune": prune, **periods}
        self._recheck = recheck
        self._parts = ledger_parts(self.policy, self.evaluator, ledger, webhooks, **options)
        self._take_decisions()

    def _take_decisions(self) -> None:
        """Create the parts that read the visitors' consent and record their decisions."""
        parts = self._parts
        self.ledger, self.revocations, self.metrics = parts.ledger, parts.revocations, parts.metrics
        self.resolver = self._own_resolver()
        self.recorder = DecisionRecorder(
            self.evaluator,
            self.cookie,
            self.resolver,
            parts.delivery,
            parts.renderings,
            parts.webhooks,
            self.metrics,
            clock=self.clock,
        )
        self.shown = ShownCounts(self.ledger, self.revocations, self.site, clock=self.clock)
        self._visitor_records = VisitorRecords(
            self.ledger, parts.delivery, self.revocations, clock=self.clock
        )
        self.metrics.observe(weakref.WeakMethod(self._figures))
        # At exit too, so that a process that is asked to end delivers what waits.
        steps = (self.metrics.close, self.recorder.store_counts, self.shown.store, *parts.closing)
        self._close = weakref.finalize(self, run_steps, *steps)

    def _own_resolver(self) -> ConsentResolver:
        return ConsentResolver(
            self.evaluator, self.cookie, self.ledger, self.revocations, recheck=self._recheck
        )

    def under(self, policy: Policy, denied: Iterable[str] = ()) -> Self:
        """Return a manager of the same site for the policy of another regime, over the same ledger, queues and limits.

        `denied` are the categories that a signal of the browser turns off. The notices of both managers must be known to each
        other, so that a visitor's answer counts in both.
        """
        manager = copy(self)
        manager.policy = policy
        manager.evaluator = Evaluator(policy, self.site, self.evaluator.notices.values(), denied)
        manager.cookie = self.cookie.under(manager.evaluator)
        manager.resolver = manager._own_resolver()
        manager.recorder = self.recorder.under(manager.resolver)
        return manager

    @property
    def notice(self) -> Notice:
        """The notice of the current policy."""
        return self.evaluator.notice

    @property
    def group(self) -> str:
        """Id of the group of sites; empty for a site without a group."""
        return self.policy.group.id if self.policy.group else ""

    def newest(self, subject: str) -> Record | None:
        """Return the record of a pseudonym that counts, from the ledger and from what waits for it; None without a record.

        Raises:
            LedgerUnavailableError: the ledger does not answer.
        """
        found = self.ledger.newest_of([subject])[subject] if self.ledger is not None else ()
        return self.revocations.counting(subject, newest_of(found, self.evaluator))

    # Deciding

    def decide(
        self, before: Consent, choice: Choice, context: ChoiceContext, *, merge: bool = False
    ) -> Outcome:
        """Record a choice. Blocks until the record is durable. Raises as `DecisionRecorder.decide` does."""
        return self.recorder.decide(before, choice, context, merge=merge)

    def withdraw(self, before: Consent, category: str | None, context: ChoiceContext) -> Outcome:
        """Withdraw everything, or one category. Blocks. Raises as `DecisionRecorder.withdraw` does.

        Where a place has purposes on without consent, and nothing was granted, this is an objection to them.
        """
        objection = transitions.objection(self.evaluator, before, category)
        if objection is not None:
            return self.decide(before, objection, replace(context, notice=None), merge=True)
        return self.recorder.withdraw(before, category, context)

    def withdraw_subject(self, subject: str) -> Record | None:
        """Withdraw everything for a visitor who asks customer service, without the visitor's browser.

        `subject` is the reference of the visitor's records. Returns the record, or None if the ledger has nothing that is granted
        under this reference. The withdrawal counts in this process at once and in others within `recheck` seconds. Blocks until
        the record is durable, or has to wait for the ledger.

        Raises:
            LedgerUnavailableError: the ledger cannot be read; nothing was changed.
        """
        outcome = self.recorder.withdraw_subject(subject)
        if outcome is not None and outcome.record is not None and outcome.stored:
            for record in (outcome.record, *outcome.echoes):
                self.notify(record)
        return outcome.record if outcome else None

    # Proof: what is on record, handed over and erased

    def export_for(self, references: Iterable[str]) -> list[dict[str, Any]]:
        """Return everything that is recorded about visitors, for the application's own answer to a request for access.

        The result has an entry for each reference, with the keys of the JSON that `consentkit ledger export` writes. Records of
        linked sites are included, and those that wait for the ledger in the spool. Blocks.

        Raises:
            LedgerUnavailableError: the ledger does not answer, or there is none.
        """
        return self._visitor_records.export(references)

    def erase(self, references: Iterable[str]) -> list[Erased]:
        """Erase everything that is recorded about visitors, on linked sites too, and return what was erased.

        A consent in force is withdrawn first, and listeners are told. The visitors' cookies grant nothing any more: at once in
        this process, and in others within `recheck` seconds. Blocks.

        Raises:
            LedgerUnavailableError: the ledger does not answer, or there is none. Call it again: what is erased stays so.
        """
        return self._visitor_records.erase(references, self.withdraw_subject)

    @property
    def keeps_promise(self) -> bool:
        """Whether records are removed after the period that the policy says, so that the cookie policy may say so too."""
        return self._parts.upkeep is not None and self._parts.upkeep.is_enforced

    def grant(self, consent: Consent) -> Grant | None:
        """Return the grant in force as the ledger proves it; None if nothing is granted, or no record proves it. Blocks.

        Raises:
            LedgerUnavailableError: the ledger does not answer, or the record still waits for it.
        """
        return grant_on_record(consent, self.ledger, self.evaluator, self.resolver, self.clock())

    def receipt(self, consent: Consent, *, root_path: str = "") -> dict[str, Any] | None:
        """Return the receipt of the grant in force as JSON-LD, or None. Blocks, and raises as `grant` does.

        `consent` is `get_consent(request).consent`, and `root_path` is where the application is mounted.
        """
        grant = self.grant(consent)
        return None if grant is None else self.receipt_of(grant, root_path=root_path)

    def receipt_of(self, grant: Grant, *, root_path: str = "") -> dict[str, Any]:
        """Return the receipt of a grant on this site, made now."""
        address = self.origins[self.site][0] + own_path(root_path, self.prefix)
        return receipt_of(grant, address=address, at=datetime.fromtimestamp(self.clock(), UTC))

    # Listeners

    def on_change(self, listener: Listener) -> Listener:
        """Call a function with the Record of every change, once the record is durable. Usable as a decorator.

        What the function raises is logged and does not reach the visitor.
        """
        self._parts.listeners.add(listener)
        return listener

    def notify(self, record: Record) -> None:
        """Call the listeners, from a thread without an event loop."""
        self._parts.listeners.notify(record)

    async def anotify(self, record: Record) -> None:
        """Call the listeners, from an event loop."""
        await self._parts.listeners.anotify(record)

    # Operation

    def health(self) -> dict[str, Any]:
        """Return the state of the ledger and of what waits for it, for the health check of a load balancer.

        Nothing is asked and nothing waits. The keys are `ledger` (ok, unreachable, damaged, unused or none), `store` (the id
        of the database, or None), `lookups` (ok, no answer or not asked yet), `last_poll` (seconds since the epoch when
        withdrawals made elsewhere were last read, or None), `waiting` (records that this process has to deliver), `oldest`
        (seconds since the epoch when the oldest of them was decided, or None), `refused` (records for which there was no
        room), `unchecked` (visitors who wait for a look-up), `spool` (the directory, or None) and `webhooks` (how many
        messages are `waiting` and `dead`, as of this process's last look; None before, and without webhooks).
        """
        found = self.revocations.health(self.clock())
        waits = self._parts.delivery.health() if self._parts.delivery is not None else None
        database = self.ledger.health() if self.ledger is not None else None
        return {
            "ledger": database["state"] if database is not None else "none",
            "store": database["store"] if database is not None else None,
            "lookups": found["state"],
            "last_poll": found["last_poll"],
            "unchecked": found["pending"],
            "waiting": waits["waiting"] if waits is not None else 0,
            "oldest": waits["oldest"] if waits is not None else None,
            "refused": waits["refused"] if waits is not None else 0,
            "spool": waits["directory"] if waits is not None else None,
            "webhooks": self._parts.webhooks.health(),
        }

    def _figures(self) -> dict[str, Any]:
        """Return what metrics observe."""
        return {**self.health(), "looked_up": self.revocations.looked_up}

    def close(self) -> None:
        """Deliver the records and the messages that wait, and close what this manager opened. Runs at exit by itself."""
        self._close()
