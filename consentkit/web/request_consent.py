"""One request's consent: what handlers ask, and how they decide.

Nothing is worked out before it is asked for. Asking marks the answer as depending on the visitor, so that no shared cache
keeps it; deciding queues the cookies that the answer has to carry.
"""

import asyncio
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import datetime

from consentkit.consent import Choice, Consent, ConsentStatus, VerifiedToken
from consentkit.errors import BlockingCallError, ResponseStartedError
from consentkit.headers import RawHeaders, preferred_language, sends_gpc
from consentkit.manager import ChoiceContext, ConsentManager, Outcome, Surface
from consentkit.web.threads import in_ledger_thread

__all__ = ["RequestConsent"]

Answers = Mapping[str, bool]


class RequestConsent:
    """The visitor's consent as this request found it, or left it.

    Attributes:
        accessed: whether the application asked anything.
        changed: whether a decision was taken in this request.
        narrowed: whether one took something away.
        outdated: whether the browser's cookie says something else than the ledger.
        cookies: Set-Cookie values that the answer has to carry.
        settled: one that allows what this one does, once that is known; see `alike`.
    """

    __slots__ = ("__dict__", "accessed", "headers", "manager", "settled", "started", "token")

    manager: ConsentManager
    headers: RawHeaders
    token: VerifiedToken | None
    accessed: bool
    started: bool
    settled: Consent | None

    # What few requests change stands here until it is set.
    changed = False
    narrowed = False
    outdated = False
    cookies: tuple[str, ...] = ()
    _consent: Consent | None = None
    _nonce = ""

    @classmethod
    def of(
        cls, manager: ConsentManager, headers: RawHeaders, token: VerifiedToken | None = None
    ) -> "RequestConsent":
        """Make that of a request with these raw headers, in which a token was found and verified."""
        consent = cls()
        consent.manager, consent.headers, consent.token = manager, headers, token
        consent.accessed = consent.started = False
        consent.settled = None
        return consent

    def peek(self) -> Consent:
        """Work the consent out without marking the answer as depending on it."""
        consent = self._consent
        if consent is None:
            manager = self.manager
            gpc = sends_gpc(self.headers)
            consent, outdated = manager.resolver.resolve(self.token, manager.clock(), gpc=gpc)
            if outdated:
                self.outdated = True
            self._consent = self.settled = consent
        return consent

    def alike(self) -> Consent:
        """Give a consent that allows what this one does, without marking the answer; nothing else in it need be the same."""
        if self.settled is None:
            if self.token is not None and self._consent is None:
                self.settled = self.manager.resolver.permissions(self.token, self.manager.clock())
            self.settled = self.settled or self.peek()
        return self.settled

    @property
    def ends(self) -> int | None:
        """When what is allowed ends, in whole seconds since the epoch."""
        settled = self.settled or self.alike()
        token = self.token
        return token.ends if token is not None and settled is not self._consent else settled.expires

    @property
    def consent(self) -> Consent:
        """The consent as a value that outlives the request, for background tasks."""
        self.accessed = True
        return self._consent or self.peek()

    def allows(self, category: str, vendor: str | None = None) -> bool:
        """Say whether a category, or one vendor of it, may store and read. Never waits.

        The answer is that of when the request, or the websocket's handshake, began, or of a decision taken in it since.

        Raises:
            UnknownCategoryError: the policy has no such category.
            UnknownVendorError: the policy has no such vendor in that category.
        """
        self.accessed = True
        consent = self.settled or self.alike()
        if vendor is None and category in consent.categories:
            return consent.categories[category]
        return consent.allows(category, vendor)

    @property
    def status(self) -> ConsentStatus:
        """Where the visitor stands."""
        return self.consent.status

    @property
    def granted(self) -> frozenset[str]:
        """Ids of the categories that the visitor granted; required ones are on without being granted."""
        return self.consent.granted

    @property
    def categories(self) -> Mapping[str, bool]:
        """Every category and whether it is on."""
        return self.consent.categories

    @property
    def vendors(self) -> Mapping[str, bool]:
        """Every vendor and whether it is on."""
        return self.consent.vendors

    @property
    def decided_at(self) -> datetime | None:
        """When the decision was made, in UTC."""
        return self.consent.decided_at

    @property
    def expires_at(self) -> datetime | None:
        """When the decision ends, in UTC."""
        return self.consent.expires_at

    @property
    def needs_asking(self) -> bool:
        """Whether the banner has something to ask."""
        return self.consent.needs_asking

    @property
    def gpc(self) -> bool:
        """Whether the request carries Global Privacy Control."""
        return self.consent.gpc

    @property
    def notice(self) -> str | None:
        """Whole digest of the notice that was answered."""
        return self.consent.notice

    @property
    def nonce(self) -> str:
        """The nonce of this answer's Content-Security-Policy, where `csp` has a place for one; for the page's own tags."""
        self._nonce = self._nonce or secrets.token_urlsafe(16)
        return self._nonce

    @property
    def uses_nonce(self) -> bool:
        """Whether a page was given the nonce, so that nobody else can be given the same page."""
        return bool(self._nonce)

    def target(self) -> str | None:
        """Give the path and query that were asked for, where they are known."""
        return None

    def language(self) -> str:
        """Choose the policy's language that the visitor likes best."""
        return preferred_language(self.headers, self.manager.policy.languages)

    # Deciding, in async code

    async def adecide(self, categories: Answers, *, vendors: Answers | None = None) -> None:
        """Replace the decision: what is not named is refused.

        Raises:
            UnknownIdError: a category or vendor that the policy lacks.
            InvalidDecisionError: a required category is refused.
            ResponseStartedError: the headers have left.
            LedgerUnavailableError: it would widen and cannot be recorded; nothing was changed.
        """
        await self.aapply(self._decision(categories, vendors, merge=False))

    async def achange(self, categories: Answers | None = None, *, vendors: Answers | None = None) -> None:
        """Merge into the decision: nothing else moves, nor does its end. Raises as `adecide` does."""
        await self.aapply(self._decision(categories or {}, vendors, merge=True))

    async def awithdraw(self, category: str | None = None) -> str | None:
        """Withdraw everything, or one category; returns the reference of the records, None where nothing was granted.

        Raises:
            UnknownCategoryError: the policy has no such category.
            InvalidDecisionError: the category is required.
            ResponseStartedError: the headers have left.
        """
        return (await self.aapply(self._withdrawal(category))).reference

    # Deciding, in sync code

    def decide(self, categories: Answers, *, vendors: Answers | None = None) -> None:
        """Do what `adecide` does, blocking; BlockingCallError on an event loop's thread."""
        self.apply(self._decision(categories, vendors, merge=False), instead="await consent.adecide(...)")

    def change(self, categories: Answers | None = None, *, vendors: Answers | None = None) -> None:
        """Do what `achange` does, blocking; BlockingCallError on an event loop's thread."""
        self.apply(
            self._decision(categories or {}, vendors, merge=True), instead="await consent.achange(...)"
        )

    def withdraw(self, category: str | None = None) -> str | None:
        """Do what `awithdraw` does, blocking; BlockingCallError on an event loop's thread."""
        return self.apply(self._withdrawal(category), instead="await consent.awithdraw(...)").reference

    def _decision(
        self, categories: Answers, vendors: Answers | None, *, merge: bool
    ) -> Callable[[Consent], Outcome]:
        choice = Choice(categories=dict(categories), vendors=dict(vendors or {}))
        context = self.context(choice="change" if merge else "api")
        return lambda before: self.manager.decide(before, choice, context, merge=merge)

    def _withdrawal(self, category: str | None) -> Callable[[Consent], Outcome]:
        context = self.context(choice="withdraw")
        return lambda before: self.manager.withdraw(before, category, context)

    def context(
        self, *, choice: str, surface: Surface = "api", language: str | None = None, notice: str | None = None
    ) -> ChoiceContext:
        """Say how a choice in this request comes about."""
        return ChoiceContext(
            surface=surface,
            choice=choice,
            language=language or self.language(),
            notice=notice,
            gpc=self.peek().gpc,
        )

    async def aapply(self, settle: Callable[[Consent], Outcome]) -> Outcome:
        """Settle a choice in a thread, since the ledger blocks; and take its outcome over."""
        self._not_started()
        before = self.peek()
        outcome = await in_ledger_thread(lambda: settle(before))
        self._take_over(outcome)
        if outcome.record is not None and outcome.stored:
            await self.manager.anotify(outcome.record)
        return outcome

    def apply(self, settle: Callable[[Consent], Outcome], *, instead: str) -> Outcome:
        """Settle a choice here and now, and take its outcome over.

        Raises:
            BlockingCallError: this thread runs an event loop, which would stand still; `instead` is what to call.
        """
        if _runs_an_event_loop():
            raise BlockingCallError(
                f"This call waits for the ledger and would block the event loop: use {instead}."
            )
        self._not_started()
        outcome = settle(self.peek())
        self._take_over(outcome)
        if outcome.record is not None and outcome.stored:
            self.manager.notify(outcome.record)
        return outcome

    def _not_started(self) -> None:
        if self.started:
            raise ResponseStartedError(
                "The response's headers have left, so the visitor's browser cannot be told: decide before the response starts."
            )

    def _take_over(self, outcome: Outcome) -> None:
        self.accessed = True
        if outcome.record is not None:
            self._consent = self.settled = outcome.consent
            self.changed = True
            self.outdated = False
            self.narrowed = self.narrowed or outcome.narrowed
            self.cookies = outcome.cookies

    def __repr__(self) -> str:
        return f"<RequestConsent of {self.peek()!r}>"


def _runs_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        return bool(trio and trio.lowlevel.in_trio_run())
    return True
