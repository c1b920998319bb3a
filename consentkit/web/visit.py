"""One request as it is read, without I/O: its cookie, what the application may see of it, and where the visitor is.

What handlers ask and what serves the request are one object, as each costs what the cheapest request may cost altogether.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from consentkit.consent import VerifiedToken
from consentkit.headers import RawHeaders, caching, cookie_values, preferred_language
from consentkit.ui import View
from consentkit.web.request_consent import RequestConsent
from consentkit.web.services import SiteServices

__all__ = ["Visit"]

NOWHERE: Mapping[str, Any] = MappingProxyType({})
"""The scope of a request that is over."""
_ADJUSTED = frozenset({b"cookie", b"if-none-match", b"if-match"})


class Visit(RequestConsent):
    """One request.

    Attributes:
        clean: whether the application may see the request as it is; see `request_headers`.
        own: whether the library itself answers.
        root_path: where the application is mounted.
        scope: which address was asked for, as ASGI says it.
        passes: whether the rest of the response passes as it is, now that it has started.
    """

    __slots__ = ("clean", "passes", "scope", "shared")

    shared: SiteServices
    scope: Mapping[str, Any]
    clean: bool
    passes: bool

    # What few requests need stands here until it is set: to set it for each costs as much as all the rest.
    own = False
    root_path = ""
    _state: bytes | None = None

    def begin(self, shared: SiteServices, scope: Mapping[str, Any], headers: RawHeaders) -> bool:
        """Read a request's cookie; say whether the ledger has to be asked first, by `look_up`.

        This is the constructor too, since one that is called `__init__` costs twice as much as all that it does. `scope` says
        what was asked for, as ASGI does; `headers` are raw.
        """
        self.shared = shared
        self.scope = scope
        self.manager = shared.manager
        self.headers = headers
        self.token = self.settled = None
        self.accessed = self.started = self.passes = False
        sent = None
        alone = True
        for name, value in headers:
            if name < b"if-o" and name > b"cookid":  # which few names are
                if name == b"cookie":
                    alone = alone and sent is None
                    sent = value
                elif name > b"if-m":
                    alone = False
        if sent is None:
            self.clean = alone
            return False
        if alone:
            place = shared.spans.get(hash(sent)) or shared.sent.remember(sent)
            if place is not None:
                self.clean = True
                start, end = place
                if not end:
                    return False
                value = sent[start:end]
                if (token := shared.verified.get(value)) is not None:
                    now, last = shared.clock(), shared.revocations
                    if (
                        last.known.get(token.subject) is token.entry
                        and token.since <= now < token.until
                        and last.polled <= now < last.due_at
                    ):
                        self.token, self.settled = token, token.answer.shared_consent
                        return False
                return self._begin_with((value,))
        self.clean = False
        return self._begin_with(cookie_values(headers, shared.cookie_name))

    def _begin_with(self, values: Sequence[bytes]) -> bool:
        manager = self.manager
        now = manager.clock()
        self.token = token = manager.cookie.newest(values, now)
        if token is None:
            return self._unknown_notice(values, now)
        self.settled = manager.resolver.permissions(token, now)
        return self.settled is None and manager.resolver.needs_lookup(token, now)

    def _unknown_notice(self, values: Iterable[bytes], now: float) -> bool:
        manager = self.manager
        return manager.resolver.may_load_notices(now) and any(map(manager.cookie.unknown_notice, values))

    def look_up(self) -> None:
        """Ask the ledger what `begin` needs; blocks for a quarter of a second at the most, never raises."""
        manager = self.manager
        now = manager.clock()
        token: VerifiedToken | None = self.token
        values = cookie_values(self.headers, self.shared.cookie_name)
        if token is None or any(map(manager.cookie.unknown_notice, values)):
            manager.resolver.load_notices(now)
            self.token = token = manager.cookie.newest(values, now)
        if (
            token is not None
            and manager.resolver.needs_lookup(token, now)
            and manager.revocations is not None
        ):
            manager.revocations.refresh(token.subject, now)

    def request_headers(self) -> RawHeaders:
        """Give the headers as the application may see them; the same object where nothing is kept from it."""
        headers = self.headers
        if self.clean:
            return headers
        for name, value in headers:
            if name in _ADJUSTED and self._shown(name, value) is not value:
                break
        else:
            return headers
        shown = [
            (name, value, self._shown(name, value) if name in _ADJUSTED else value) for name, value in headers
        ]
        return [(name, new) for name, value, new in shown if new or new is value]

    def _shown(self, name: bytes, value: bytes) -> bytes:
        """Take out of a header what is not for the application; the same object where that is nothing."""
        if name == b"cookie":
            return self.shared.gate.strip(value, self._allows)
        if b"~ck." not in value:
            return value
        return (
            caching.match_state(value, self.state())
            if name == b"if-none-match"
            else caching.without_state(value)
        )

    def _allows(self, category: str, vendor: str | None) -> bool:
        return self.alike().allows(category, vendor)

    def target(self) -> str:
        """Give the path and query that were asked for."""
        raw = self.scope.get("raw_path")
        path = (
            raw.decode("latin-1") if raw else quote(self.scope.get("path", "/"), safe="/%:@!$&'()*+,;=~-._")
        )
        query = self.scope.get("query_string", b"")
        return f"{path}?{query.decode('latin-1')}" if query else path

    def view(self, *, shared_page: bool = False, back: str | None = None) -> View:
        """Describe this visitor on this page; a page for shared caches is described the same for everybody."""
        manager = self.manager
        root_path = self.root_path
        if shared_page:
            return View(
                language=manager.policy.languages[0],
                consent=manager.evaluator.undecided(),
                root_path=root_path,
            )
        return View(
            language=preferred_language(self.headers, manager.policy.languages),
            consent=self.peek(),
            next=self.target() if back is None else back,
            root_path=root_path,
        )

    def state(self) -> bytes:
        """Name the state of this visitor's pages: two answers with one name look the same to the visitor."""
        if self._state is None or self.changed:
            language = preferred_language(self.headers, self.manager.policy.languages)
            self._state = self.shared.state(self.peek(), language)
        return self._state
