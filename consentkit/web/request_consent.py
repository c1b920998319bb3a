"""What handlers ask about the visitor's consent, and how they decide."""

import asyncio
import sys
from collections.abc import Mapping
from datetime import datetime

from consentkit.consent import Choice, Consent, ConsentStatus
from consentkit.errors import BlockingCallError
from consentkit.manager import Outcome
from consentkit.web.threads import in_ledger_thread
from consentkit.web.visitor_consent import Choose, VisitorConsent

__all__ = ["RequestConsent", "visitor_of"]

Answers = Mapping[str, bool]


class RequestConsent:
    """The visitor's consent, for the handlers of one request.

    Asking marks the response as depending on the visitor, so that no shared cache keeps it. Deciding adds the consent cookie to
    the response.
    """

    __slots__ = ("_visitor",)

    def __init__(self, visitor: VisitorConsent) -> None:
        self._visitor = visitor

    @property
    def consent(self) -> Consent:
        """The consent as a value that outlives the request, for background tasks."""
        visitor = self._visitor
        visitor.accessed = True
        return visitor.current()

    def allows(self, category: str, vendor: str | None = None) -> bool:
        """Return whether a category, or one vendor of it, may store and read. Never waits.

        The answer is as of the start of the request, of the websocket's handshake, or of a decision taken in it since.

        Raises:
            UnknownCategoryError: the policy has no such category.
            UnknownVendorError: the policy has no such vendor in that category.
        """
        visitor = self._visitor
        visitor.accessed = True
        return visitor.permissions().allows(category, vendor)

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
        return self._visitor.nonce

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
        self._apply(self._decision(categories, vendors, merge=False), instead="await consent.adecide(...)")

    def change(self, categories: Answers | None = None, *, vendors: Answers | None = None) -> None:
        """Do what `achange` does, blocking; BlockingCallError on an event loop's thread."""
        self._apply(
            self._decision(categories or {}, vendors, merge=True), instead="await consent.achange(...)"
        )

    def withdraw(self, category: str | None = None) -> str | None:
        """Do what `awithdraw` does, blocking; BlockingCallError on an event loop's thread."""
        return self._apply(self._withdrawal(category), instead="await consent.awithdraw(...)").reference

    def _decision(self, categories: Answers, vendors: Answers | None, *, merge: bool) -> Choose:
        manager = self._visitor.manager
        choice = Choice(categories=dict(categories), vendors=dict(vendors or {}))
        context = self._visitor.choice_context(choice="change" if merge else "api")
        return lambda before: manager.decide(before, choice, context, merge=merge)

    def _withdrawal(self, category: str | None) -> Choose:
        manager = self._visitor.manager
        context = self._visitor.choice_context(choice="withdraw")
        return lambda before: manager.withdraw(before, category, context)

    async def _aapply(self, choose: Choose) -> Outcome:
        visitor = self._visitor
        visitor.require_unsent()
        before = visitor.current()
        outcome = visitor.adopt(await in_ledger_thread(lambda: choose(before)))
        await visitor.aannounce()
        return outcome

    def _apply(self, choose: Choose, *, instead: str) -> Outcome:
        if _runs_an_event_loop():
            raise BlockingCallError(
                f"This call waits for the ledger and would block the event loop: use {instead}."
            )
        outcome = self._visitor.apply(choose)
        self._visitor.announce()
        return outcome

    def __repr__(self) -> str:
        return f"<RequestConsent of {self._visitor.current()!r}>"


def visitor_of(consent: RequestConsent) -> VisitorConsent:
    """Return what the library's own code needs of a request's consent beyond what handlers may see."""
    return consent._visitor


def _runs_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        return bool(trio and trio.lowlevel.in_trio_run())
    return True
