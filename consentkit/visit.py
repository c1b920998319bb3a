"""One request as it is read, without I/O: its cookie, what the application may see of it, and where the visitor is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from consentkit import caching
from consentkit.cookie import Token
from consentkit.equipment import Exchanges
from consentkit.headers import RawHeaders, cookie_values, preferred_language
from consentkit.pages import View
from consentkit.request import RequestConsent

__all__ = ["Visit"]

_ADJUSTED = frozenset({b"cookie", b"if-none-match", b"if-match"})
_NOWHERE: Mapping[str, Any] = {"path": "/"}


class Visit:
    """One request.

    Attributes:
        clean: whether the application may see the request as it is; see `request_headers`.
        consent: what handlers ask.
        headers: those of the request, raw.
        own: whether the library itself answers.
        root_path: where the application is mounted.
        scope: which address was asked for, as ASGI says it.
        untouched: whether the response passes as it is, so far.
    """

    __slots__ = ("__dict__", "clean", "consent", "headers", "method", "own", "scope", "shared", "untouched")

    # What few requests need stands here until it is set: to set it for each costs as much as all the rest.
    root_path = ""
    _state: bytes | None = None

    def __init__(self, shared: Exchanges, method: str, headers: RawHeaders, own: bool = False) -> None:
        """Take the request's raw headers; `own` says that the library itself answers."""
        self.shared = shared
        self.method = method
        self.headers = headers
        self.own = own
        self.scope = _NOWHERE
        self.clean = False
        self.untouched = True
        self.consent = RequestConsent(shared.manager, headers)

    def begin(self) -> bool:
        """Read the cookie; say whether the ledger has to be asked first, by `look_up`."""
        sent = None
        alone = True
        for name, value in self.headers:
            if name < b"if-o":  # which most names are not
                if name == b"cookie":
                    alone = alone and sent is None
                    sent = value
                elif name > b"if-m":
                    alone = False
        if sent is None:
            self.clean = alone
            return False
        place = None
        if alone:
            memory = self.shared.sent
            place = memory.places.get(hash(sent)) or memory.learn(sent)
        if place is None:
            return self._begin_with(cookie_values(self.headers, self.shared.cookie_name))
        self.clean = True
        start, end = place
        return self._begin_with((sent[start:end],)) if end else False

    def _begin_with(self, values: Sequence[bytes]) -> bool:
        if not values:
            return False
        manager = self.shared.manager
        now = manager.clock()
        self.consent.token = token = manager.cookie.newest(values, now)
        return manager.standing.due(token, now) or (token is None and self._unknown_notice(values, now))

    def _unknown_notice(self, values: Iterable[bytes], now: float) -> bool:
        manager = self.shared.manager
        return manager.standing.may_learn(now) and any(map(manager.cookie.unknown_notice, values))

    def look_up(self) -> None:
        """Ask the ledger what `begin` needs; blocks for a quarter of a second at the most, never raises."""
        manager = self.shared.manager
        now = manager.clock()
        token: Token | None = self.consent.token
        values = cookie_values(self.headers, self.shared.cookie_name)
        if token is None or any(map(manager.cookie.unknown_notice, values)):
            manager.standing.learn_notices(now)
            self.consent.token = token = manager.cookie.newest(values, now)
        if token is not None and manager.standing.due(token, now) and manager.revocations is not None:
            manager.revocations.look(token.decision.subject, now)

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
            caching.match_state(value, self.state()) if name == b"if-none-match" else caching.unmarked(value)
        )

    def _allows(self, category: str, vendor: str | None) -> bool:
        return self.consent.peek().allows(category, vendor)

    def at(self, scope: Mapping[str, Any], root_path: str) -> None:
        """Say which address was asked for, so that the banner can lead back; what it is, is worked out when needed."""
        self.scope = scope
        self.root_path = root_path

    def target(self) -> str:
        """Give the path and query that were asked for."""
        raw = self.scope.get("raw_path")
        path = raw.decode("latin-1") if raw else quote(self.scope["path"], safe="/%:@!$&'()*+,;=~-._")
        query = self.scope.get("query_string", b"")
        return f"{path}?{query.decode('latin-1')}" if query else path

    def view(self, *, shared_page: bool = False, back: str | None = None) -> View:
        """Describe this visitor on this page; a page for shared caches is described the same for everybody."""
        manager = self.shared.manager
        root_path = self.root_path
        if shared_page:
            return View(
                language=manager.policy.languages[0], consent=manager.terms.undecided(), root_path=root_path
            )
        return View(
            language=preferred_language(self.headers, manager.policy.languages),
            consent=self.consent.peek(),
            next=self.target() if back is None else back,
            root_path=root_path,
        )

    def state(self) -> bytes:
        """Name the state of this visitor's pages: two answers with one name look the same to the visitor."""
        if self._state is None or self.consent.changed:
            language = preferred_language(self.headers, self.shared.manager.policy.languages)
            self._state = self.shared.state(self.consent.peek(), language)
        return self._state
