"""The visitor's consent during one request: what handlers ask, and how they decide.

Names with an underscore are for `consentkit.web` alone: the exchange reads there what the response has to carry.
"""

import asyncio
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import datetime

from consentkit.consent import Choice, Consent, ConsentStatus, VerifiedToken
from consentkit.errors import BlockingCallError, ResponseStartedError
from consentkit.headers import preferred_language, sends_gpc
from consentkit.ledger import Record
from consentkit.manager import ChoiceContext, ConsentManager, Outcome, Surface
from consentkit.web.request_head import RequestHead
from consentkit.web.threads import in_ledger_thread

__all__ = ["Choose", "RequestConsent", "head_of", "manager_of"]

Answers = Mapping[str, bool]

Choose = Callable[[Consent], Outcome]
"""Records a choice, given the consent before it. Blocks for the ledger."""


class RequestConsent:
    """The visitor's consent as this request found it, or left it.

    Asking marks the response as depending on the visitor, so that no shared cache keeps it. Deciding adds the consent cookie to
    the response. Nothing is worked out before it is asked for.
    """

    # _token: the verified cookie; None without one.
    # _unaltered: whether the application may see the request's headers as they are.
    # _needs_ledger: whether the ledger has to be asked before the application runs.
    # _accessed: whether the application asked anything, so that the response depends on the visitor.
    # _started: whether the response's headers have left.
    # _changed, _narrowed: whether a decision was taken in this request, and whether one took something away.
    # _outdated: whether the browser's cookie differs from the ledger's newest record.
    # _cookies: Set-Cookie values that the response has to carry.
    # _announcements: stored records that the manager's listeners have not been told about yet.
    __slots__ = (
        "_accessed",
        "_announcements",
        "_changed",
        "_cookies",
        "_head",
        "_manager",
        "_narrowed",
        "_needs_ledger",
        "_nonce",
        "_outdated",
        "_own_consent",
        "_shared_permissions",
        "_started",
        "_token",
        "_unaltered",
    )

    def __init__(
        self,
        manager: ConsentManager,
        head: RequestHead,
        token: VerifiedToken | None = None,
        unaltered: bool = True,
        permissions: Consent | None = None,
    ) -> None:
        """Take the verified cookie, and the shared consent that has this visitor's permissions, if that is known already."""
        self._manager = manager
        self._head = head
        self._token = token
        self._unaltered = unaltered
        self._needs_ledger = False
        self._shared_permissions = permissions
        self._own_consent: Consent | None = None
        self._nonce = ""
        self._accessed = self._started = self._changed = self._narrowed = self._outdated = False
        self._cookies: tuple[str, ...] = ()
        self._announcements: tuple[Record, ...] = ()

    @property
    def consent(self) -> Consent:
        """The consent as a value that outlives the request, for background tasks."""
        self._accessed = True
        return self._current()

    def allows(self, category: str, vendor: str | None = None) -> bool:
        """Return whether a category, or one vendor of it, may store and read. Never waits.

        The answer is as of the start of the request, of the websocket's handshake, or of a decision taken in it since.

        Raises:
            UnknownCategoryError: the policy has no such category.
            UnknownVendorError: the policy has no such vendor in that category.
        """
        self._accessed = True
        return (self._shared_permissions or self._permissions()).allows(category, vendor)

    @property
    def status(self) -> ConsentStatus:
        """Whether the visitor has given, refused or withdrawn consent, has yet to answer, or has to answer again."""
        return self.consent.status

    @property
    def granted(self) -> frozenset[str]:
        """Ids of the categories that the visitor granted. Required categories are on without being granted."""
        return self.consent.granted

    @property
    def categories(self) -> Mapping[str, bool]:
        """Every category of the policy and whether it is on."""
        return self.consent.categories

    @property
    def vendors(self) -> Mapping[str, bool]:
        """Every vendor of the policy and whether it is on."""
        return self.consent.vendors

    @property
    def decided_at(self) -> datetime | None:
        """When the decision was made, in UTC; None without one."""
        return self.consent.decided_at

    @property
    def expires_at(self) -> datetime | None:
        """When the decision ends, in UTC; None without one."""
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
        """Whole digest of the notice that was answered; None without a decision."""
        return self.consent.notice

    @property
    def nonce(self) -> str:
        """The nonce of this response's Content-Security-Policy, where `csp` has a place for one; for the page's own tags."""
        self._nonce = self._nonce or secrets.token_urlsafe(16)
        return self._nonce

    # Deciding, in async code

    async def adecide(self, categories: Answers, *, vendors: Answers | None = None) -> None:
        """Replace the decision: what is not named is refused.

        Raises:
            UnknownIdError: the policy lacks a category or vendor that is named.
            InvalidDecisionError: a required category is refused.
            ResponseStartedError: the headers have left.
            LedgerUnavailableError: the decision would widen and cannot be recorded; nothing was changed.
        """
        await self._aapply(self._decision(categories, vendors, merge=False))

    async def achange(self, categories: Answers | None = None, *, vendors: Answers | None = None) -> None:
        """Merge into the decision: nothing else moves, nor does its end. Raises as `adecide` does."""
        await self._aapply(self._decision(categories or {}, vendors, merge=True))

    async def awithdraw(self, category: str | None = None) -> str | None:
        """Withdraw everything, or one category.

        Returns the reference by which the records can be asked for, or None where nothing was granted.

        Raises:
            UnknownCategoryError: the policy has no such category.
            InvalidDecisionError: the category is required.
            ResponseStartedError: the headers have left.
        """
        return (await self._aapply(self._withdrawal(category))).reference

    # Deciding, in sync code

    def decide(self, categories: Answers, *, vendors: Answers | None = None) -> None:
        """Do what `adecide` does, blocking; BlockingCallError on an event loop's thread."""
        self._apply_blocking(
            self._decision(categories, vendors, merge=False), instead="await consent.adecide(...)"
        )

    def change(self, categories: Answers | None = None, *, vendors: Answers | None = None) -> None:
        """Do what `achange` does, blocking; BlockingCallError on an event loop's thread."""
        self._apply_blocking(
            self._decision(categories or {}, vendors, merge=True), instead="await consent.achange(...)"
        )

    def withdraw(self, category: str | None = None) -> str | None:
        """Do what `awithdraw` does, blocking; BlockingCallError on an event loop's thread."""
        return self._apply_blocking(
            self._withdrawal(category), instead="await consent.awithdraw(...)"
        ).reference

    def _decision(self, categories: Answers, vendors: Answers | None, *, merge: bool) -> Choose:
        manager = self._manager
        choice = Choice(categories=dict(categories), vendors=dict(vendors or {}))
        context = self._choice_context(choice="change" if merge else "api")
        return lambda before: manager.decide(before, choice, context, merge=merge)

    def _withdrawal(self, category: str | None) -> Choose:
        manager = self._manager
        context = self._choice_context(choice="withdraw")
        return lambda before: manager.withdraw(before, category, context)

    async def _aapply(self, choose: Choose) -> Outcome:
        self._require_unsent()
        before = self._current()
        outcome = self._adopt(await in_ledger_thread(lambda: choose(before)))
        await self._aannounce()
        return outcome

    def _apply_blocking(self, choose: Choose, *, instead: str) -> Outcome:
        if _runs_an_event_loop():
            raise BlockingCallError(
                f"This call waits for the ledger and would block the event loop: use {instead}."
            )
        outcome = self._apply(choose)
        self._announce()
        return outcome

    # For the exchange

    def _current(self) -> Consent:
        """Return the visitor's own consent, without setting `accessed`."""
        consent = self._own_consent
        if consent is None:
            gpc = sends_gpc(self._head.headers)
            resolved, outdated = self._manager.resolver.resolve(self._token, self._manager.clock(), gpc=gpc)
            self._outdated = self._outdated or outdated
            self._own_consent = self._shared_permissions = consent = resolved
        return consent

    def _permissions(self) -> Consent:
        """Return a Consent with this visitor's permissions, without setting `accessed`.

        It may be shared: its dates, subject and status can be those of another visitor who gave the same answer.
        """
        permissions = self._shared_permissions
        if permissions is None and self._token is not None:
            permissions = self._shared_permissions = self._manager.resolver.permissions(
                self._token, self._manager.clock()
            )
        return permissions or self._current()

    def _end_of(self, permissions: Consent) -> int | None:
        """Return when this visitor's `permissions()` end, in whole seconds since the epoch; None where nothing was decided."""
        token = self._token
        is_shared = token is not None and permissions is not self._own_consent
        return token.ends if token is not None and is_shared else permissions.expires

    @property
    def _has_nonce(self) -> bool:
        """Whether the nonce was drawn, so that nobody else may be sent the same page."""
        return bool(self._nonce)

    def _language(self) -> str:
        """Return the policy's language that the visitor likes best."""
        return preferred_language(self._head.headers, self._manager.policy.languages)

    def _choice_context(
        self, *, choice: str, surface: Surface = "api", language: str | None = None, notice: str | None = None
    ) -> ChoiceContext:
        """Return how a choice in this request comes about, for its record."""
        return ChoiceContext(
            surface=surface,
            choice=choice,
            language=language or self._language(),
            notice=notice,
            gpc=self._current().gpc,
        )

    def _apply(self, choose: Choose) -> Outcome:
        """Record a choice and adopt its outcome; blocks for the ledger.

        The record is added to `announcements`: whoever called tells the manager's listeners.

        Raises:
            ResponseStartedError: the headers have left; nothing was recorded.
        """
        self._require_unsent()
        return self._adopt(choose(self._current()))

    def _require_unsent(self) -> None:
        """Raise ResponseStartedError if the response's headers have left."""
        if self._started:
            raise ResponseStartedError(
                "The response's headers have left, so the visitor's browser cannot be told: decide before the response starts."
            )

    def _adopt(self, outcome: Outcome) -> Outcome:
        """Make an outcome this request's consent, with the cookies that the response then carries."""
        self._accessed = True
        record = outcome.record
        if record is not None:
            self._own_consent = self._shared_permissions = outcome.consent
            self._changed = True
            self._outdated = False
            self._narrowed = self._narrowed or outcome.narrowed
            self._cookies = outcome.cookies
            if outcome.stored:
                self._announcements = (*self._announcements, record)
        return outcome

    def _announce(self) -> None:
        """Tell the manager's listeners of the records of this request, from a thread without an event loop."""
        records, self._announcements = self._announcements, ()
        for record in records:
            self._manager.notify(record)

    async def _aannounce(self) -> None:
        """Tell the manager's listeners of the records of this request, from an event loop."""
        records, self._announcements = self._announcements, ()
        for record in records:
            await self._manager.anotify(record)

    def __repr__(self) -> str:
        return f"<RequestConsent of {self._current()!r}>"


def manager_of(consent: RequestConsent) -> ConsentManager:
    """Return the manager of the site that a request was made to."""
    return consent._manager


def head_of(consent: RequestConsent) -> RequestHead:
    """Return the head of the request that a consent belongs to."""
    return consent._head


def _runs_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        return bool(trio and trio.lowlevel.in_trio_run())
    return True
