"""One visitor's consent during one request: what the cookie said, what was asked, and what was decided.

RequestConsent is the face of it that handlers get. The exchange reads here what the response has to carry.
"""

import secrets
from collections.abc import Callable

from consentkit.consent import Consent, VerifiedToken
from consentkit.errors import ResponseStartedError
from consentkit.headers import preferred_language, sends_gpc
from consentkit.ledger import Record
from consentkit.manager import ChoiceContext, ConsentManager, Outcome, Surface
from consentkit.web.request_head import RequestHead

__all__ = ["Choose", "VisitorConsent"]

Choose = Callable[[Consent], Outcome]
"""Records a choice, given the consent before it. Blocks for the ledger."""


class VisitorConsent:
    """The visitor's consent as this request found it, or left it.

    Nothing is worked out before it is asked for.

    Attributes:
        manager: of the site.
        head: of the request.
        token: the verified cookie; None without one.
        accessed: whether the application asked anything, so that the response depends on the visitor.
        started: whether the response's headers have left.
        changed: whether a decision was taken in this request.
        narrowed: whether one took something away.
        outdated: whether the browser's cookie differs from the ledger's newest record.
        cookies: Set-Cookie values that the response has to carry.
        announcements: stored records that the manager's listeners have not been told about yet.
    """

    __slots__ = (
        "_current",
        "_nonce",
        "_permissions",
        "accessed",
        "announcements",
        "changed",
        "cookies",
        "head",
        "manager",
        "narrowed",
        "outdated",
        "started",
        "token",
    )

    def __init__(
        self,
        manager: ConsentManager,
        head: RequestHead,
        token: VerifiedToken | None = None,
        permissions: Consent | None = None,
    ) -> None:
        """Take the verified cookie, and the shared consent that has this visitor's permissions, if that is known already."""
        self.manager = manager
        self.head = head
        self.token = token
        self._permissions = permissions
        self._current: Consent | None = None
        self._nonce = ""
        self.accessed = self.started = self.changed = self.narrowed = self.outdated = False
        self.cookies: tuple[str, ...] = ()
        self.announcements: tuple[Record, ...] = ()

    def current(self) -> Consent:
        """Return the visitor's own consent, without setting `accessed`."""
        consent = self._current
        if consent is None:
            gpc = sends_gpc(self.head.headers)
            resolved, outdated = self.manager.resolver.resolve(self.token, self.manager.clock(), gpc=gpc)
            self.outdated = self.outdated or outdated
            self._current = self._permissions = consent = resolved
        return consent

    def permissions(self) -> Consent:
        """Return a Consent with this visitor's permissions, without setting `accessed`.

        It may be shared: its dates, subject and status can be those of another visitor who gave the same answer.
        """
        permissions = self._permissions
        if permissions is None and self.token is not None:
            permissions = self._permissions = self.manager.resolver.permissions(
                self.token, self.manager.clock()
            )
        return permissions or self.current()

    def allows(self, category: str, vendor: str | None = None) -> bool:
        """Return whether a category, or one vendor of it, is allowed, without setting `accessed`."""
        return self.permissions().allows(category, vendor)

    @property
    def ends(self) -> int | None:
        """When the permissions end, in whole seconds since the epoch; None where nothing was decided."""
        permissions = self.permissions()
        shared = self.token is not None and permissions is not self._current
        return self.token.ends if self.token is not None and shared else permissions.expires

    @property
    def nonce(self) -> str:
        """The nonce of this response's Content-Security-Policy; drawn when it is first read."""
        self._nonce = self._nonce or secrets.token_urlsafe(16)
        return self._nonce

    @property
    def has_nonce(self) -> bool:
        """Whether the nonce was drawn, so that nobody else may be sent the same page."""
        return bool(self._nonce)

    def language(self) -> str:
        """Return the policy's language that the visitor likes best."""
        return preferred_language(self.head.headers, self.manager.policy.languages)

    def choice_context(
        self, *, choice: str, surface: Surface = "api", language: str | None = None, notice: str | None = None
    ) -> ChoiceContext:
        """Return how a choice in this request comes about, for its record."""
        return ChoiceContext(
            surface=surface,
            choice=choice,
            language=language or self.language(),
            notice=notice,
            gpc=self.current().gpc,
        )

    def apply(self, choose: Choose) -> Outcome:
        """Record a choice and adopt its outcome; blocks for the ledger.

        The record is added to `announcements`: whoever called tells the manager's listeners.

        Raises:
            ResponseStartedError: the headers have left; nothing was recorded.
        """
        self.require_unsent()
        return self.adopt(choose(self.current()))

    def require_unsent(self) -> None:
        """Raise ResponseStartedError if the response's headers have left."""
        if self.started:
            raise ResponseStartedError(
                "The response's headers have left, so the visitor's browser cannot be told: decide before the response starts."
            )

    def adopt(self, outcome: Outcome) -> Outcome:
        """Make an outcome this request's consent, with the cookies that the response then carries."""
        self.accessed = True
        record = outcome.record
        if record is not None:
            self._current = self._permissions = outcome.consent
            self.changed = True
            self.outdated = False
            self.narrowed = self.narrowed or outcome.narrowed
            self.cookies = outcome.cookies
            if outcome.stored:
                self.announcements = (*self.announcements, record)
        return outcome

    def announce(self) -> None:
        """Tell the manager's listeners of the records of this request, from a thread without an event loop."""
        records, self.announcements = self.announcements, ()
        for record in records:
            self.manager.notify(record)

    async def aannounce(self) -> None:
        """Tell the manager's listeners of the records of this request, from an event loop."""
        records, self.announcements = self.announcements, ()
        for record in records:
            await self.manager.anotify(record)
