"""The visitor's consent during one request: handlers read it, and can record a decision.

Names with an underscore are for `consentkit.web` alone. The exchange reads from them what the response must carry.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime

from consentkit.consent import Choice, Consent, ConsentStatus, VerifiedToken
from consentkit.errors import BlockingCallError, ResponseStartedError
from consentkit.headers import cookie_values, preferred_language, sends_gpc
from consentkit.ledger import Record
from consentkit.manager import ChoiceContext, ConsentManager, Outcome, Surface
from consentkit.web.request_head import RequestHead
from consentkit.web.threads import in_ledger_thread, runs_an_event_loop

__all__ = ["Choose", "RequestConsent", "head_of", "manager_of"]

Answers = Mapping[str, bool]

Choose = Callable[[Consent], Outcome]
"""Records a choice and returns its outcome. Takes the consent before the choice, and blocks for the ledger."""


class RequestConsent:
    """The visitor's consent at the start of a request, or after a decision that was made during the request.

    Reading any attribute marks the response as dependent on the visitor, so that no shared cache keeps it. A decision adds the
    consent cookie to the response. The consent is evaluated when it is first read.
    """

    # _token: the verified cookie; None without one.
    # _unaltered: whether the application may see the request's headers unchanged.
    # _needs_ledger: whether the ledger must be asked before the application runs.
    # _accessed: whether the application read the consent, so that the response depends on the visitor.
    # _started: whether the response's headers have been sent.
    # _changed, _narrowed: whether a decision was made in this request, and whether one narrowed the consent.
    # _outdated: whether the browser's cookie differs from the ledger's newest record.
    # _cookies: Set-Cookie values that the response must carry.
    # _announcements: stored records for which the manager's listeners have not been called yet.
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
        """Make the consent of one request.

        Args:
            manager: of the site.
            head: of the request.
            token: the verified cookie; None without one.
            unaltered: whether the application may see the request's headers unchanged.
            permissions: a shared consent with this visitor's permissions; None if no such consent is cached.
        """
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
        """The consent as an immutable value, which background tasks may keep after the request."""
        self._accessed = True
        return self._current()

    def allows(self, category: str, vendor: str | None = None) -> bool:
        """Return whether a category, or one vendor of it, may store and read data on the device. Never waits.

        The result is as of the start of the request or websocket, or as of the last decision made in it.

        Raises:
            UnknownCategoryError: the policy has no such category.
            UnknownVendorError: the policy has no such vendor in that category.
        """
        self._accessed = True
        return (self._shared_permissions or self._permissions()).allows(category, vendor)

    @property
    def status(self) -> ConsentStatus:
        """Whether the visitor has given, refused or withdrawn consent, has yet to answer, or must answer again."""
        return self.consent.status

    @property
    def granted(self) -> frozenset[str]:
        """Ids of the categories that the visitor granted. Required categories are on, but are not among them."""
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
        """Whether the banner has a question for this visitor."""
        return self.consent.needs_asking

    @property
    def gpc(self) -> bool:
        """Whether the request carries Global Privacy Control."""
        return self.consent.gpc

    @property
    def notice(self) -> str | None:
        """Full digest of the notice that the visitor answered; None without a decision."""
        return self.consent.notice

    @property
    def nonce(self) -> str:
        """The nonce of this response's Content-Security-Policy, for the page's own tags.

        The policy contains the nonce if the `csp` setting has `'nonce-{nonce}'`.
        """
        self._nonce = self._nonce or secrets.token_urlsafe(16)
        return self._nonce

    # Deciding, in async code

    async def adecide(self, categories: Answers, *, vendors: Answers | None = None) -> None:
        """Replace the decision. Categories and vendors that are not mentioned are refused.

        Raises:
            UnknownIdError: the policy has no such category or vendor.
            InvalidDecisionError: a required category is refused.
            ResponseStartedError: the response's headers have been sent.
            LedgerUnavailableError: the decision grants more than before and cannot be recorded; nothing was changed.
        """
        await self._aapply(self._decision(categories, vendors, merge=False))

    async def achange(self, categories: Answers | None = None, *, vendors: Answers | None = None) -> None:
        """Change the mentioned categories and vendors of the decision, and keep the rest and its end.

        Raises:
            ConsentError: as `adecide` does.
        """
        await self._aapply(self._decision(categories or {}, vendors, merge=True))

    async def awithdraw(self, category: str | None = None) -> str | None:
        """Withdraw every grant, or the grant of one category.

        Returns:
            the reference with which the visitor can request the records, or None if nothing was granted.

        Raises:
            UnknownCategoryError: the policy has no such category.
            InvalidDecisionError: the category is required.
            ResponseStartedError: the response's headers have been sent.
        """
        return (await self._aapply(self._withdrawal(category))).reference

    # Deciding, in sync code

    def decide(self, categories: Answers, *, vendors: Answers | None = None) -> None:
        """Replace the decision as `adecide` does, in sync code.

        Raises:
            BlockingCallError: an event loop runs in this thread.
        """
        self._apply_blocking(
            self._decision(categories, vendors, merge=False), instead="await consent.adecide(...)"
        )

    def change(self, categories: Answers | None = None, *, vendors: Answers | None = None) -> None:
        """Change the decision as `achange` does, in sync code.

        Raises:
            BlockingCallError: an event loop runs in this thread.
        """
        self._apply_blocking(
            self._decision(categories or {}, vendors, merge=True), instead="await consent.achange(...)"
        )

    def withdraw(self, category: str | None = None) -> str | None:
        """Withdraw as `awithdraw` does, in sync code.

        Raises:
            BlockingCallError: an event loop runs in this thread.
        """
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
        before = self._consent_to_change()
        outcome = self._adopt(await in_ledger_thread(lambda: choose(before)))
        await self._aannounce()
        return outcome

    def _apply_blocking(self, choose: Choose, *, instead: str) -> Outcome:
        if runs_an_event_loop():
            raise BlockingCallError(
                f"This call waits for the ledger and would block the event loop: use {instead}."
            )
        outcome = self._apply(choose)
        self._announce()
        return outcome

    # For the exchange

    def _current(self) -> Consent:
        """Return the visitor's own consent, without setting `_accessed`."""
        consent = self._own_consent
        if consent is None:
            manager, gpc = self._manager, sends_gpc(self._head.headers)
            sent = self._sent_cookies() if self._token is None and manager.evaluator.exempt else ()
            resolved, outdated = manager.resolver.resolve(self._token, manager.clock(), gpc=gpc, sent=sent)
            self._outdated = self._outdated or outdated
            self._own_consent = self._shared_permissions = consent = resolved
        return consent

    def _consent_to_change(self) -> Consent:
        """Return the consent that a choice changes: the visitor's own, or what the cookie's signature vouches for.

        A host whose clock is behind takes no notice of a cookie from the future, nor one without its notice, nor one whose
        record is missing. A withdrawal or refusal must still end the pseudonym in it, also if so far only this process knows
        that it has ended.
        """
        current, manager, token, signed = self._current(), self._manager, self._token, None
        if current.decision is None:
            signed = manager.cookie.signed(self._sent_cookies())
        elif not current.decision.subject and token and manager.revocations.lacking(token.subject):
            signed = token.decision
        now = manager.clock()
        return manager.evaluator.unverifiable(signed, gpc=current.gpc, now=now) if signed else current

    def _sent_cookies(self) -> list[bytes]:
        """Return the values of our cookie that the browser sent."""
        return cookie_values(self._head.headers, self._manager.cookie.name.encode())

    def _permissions(self) -> Consent:
        """Return a Consent with this visitor's permissions, without setting `_accessed`.

        The Consent may be shared: its dates, subject and status can be those of another visitor who gave the same answer.
        """
        permissions = self._shared_permissions
        if permissions is None and self._token is not None:
            permissions = self._shared_permissions = self._manager.resolver.permissions(
                self._token, self._manager.clock()
            )
        return permissions or self._current()

    def _end_of(self, permissions: Consent) -> int | None:
        """Return when this visitor's permissions end, in whole seconds since the epoch; None without a decision."""
        token = self._token if permissions is not self._own_consent else None
        return permissions.expires if token is None else token.ends

    @property
    def _has_nonce(self) -> bool:
        """Whether the nonce was made, so that no other visitor may get the same page."""
        return bool(self._nonce)

    def _language(self) -> str:
        """Return the language of the policy that the visitor prefers (Accept-Language)."""
        return preferred_language(self._head.headers, self._manager.policy.languages)

    def _choice_context(
        self,
        *,
        choice: str,
        surface: Surface = "api",
        language: str | None = None,
        notice: str | None = None,
        rendering: str | None = None,
        submission: str | None = None,
    ) -> ChoiceContext:
        """Return the circumstances of a choice in this request, for its record."""
        sent, token = self._sent_cookies() if submission else (), self._token
        return ChoiceContext(
            surface=surface,
            choice=choice,
            language=language or self._language(),
            notice=notice,
            rendering=rendering or "",
            gpc=self._current().gpc,
            submission=f"{submission} {sent!r}" if submission else "",
            replaces=token.decision if token is not None else None,
        )

    def _apply(self, choose: Choose) -> Outcome:
        """Record a choice and make its outcome this request's consent; blocks for the ledger.

        The record is added to `_announcements`. The caller then runs `_announce` or `_aannounce`.

        Raises:
            ResponseStartedError: the response's headers have been sent; nothing was recorded.
        """
        self._require_unsent()
        return self._adopt(choose(self._consent_to_change()))

    def _require_unsent(self) -> None:
        """Raise ResponseStartedError if the response's headers have been sent."""
        if self._started:
            raise ResponseStartedError(
                "The response's headers are sent already, so no decision reaches the browser: decide before the response starts."
            )

    def _adopt(self, outcome: Outcome) -> Outcome:
        """Make an outcome this request's consent, and keep its cookies for the response."""
        self._accessed = True
        record = outcome.record
        if outcome.consent is not self._own_consent:
            self._own_consent = self._shared_permissions = outcome.consent
            self._outdated = False
        if record is not None or outcome.cookies:
            self._changed = True
            self._narrowed = self._narrowed or outcome.narrowed
            self._cookies = outcome.cookies
        if record is not None and outcome.stored:
            self._announcements = (*self._announcements, record, *outcome.echoes)
        return outcome

    def _announce(self) -> None:
        """Call the manager's listeners with the records of this request, from a thread without an event loop."""
        records, self._announcements = self._announcements, ()
        for record in records:
            self._manager.notify(record)

    async def _aannounce(self) -> None:
        """Call the manager's listeners with the records of this request, from an event loop."""
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
