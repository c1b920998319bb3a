"""One request and its response, without I/O: `begin`, `start`, `body`. Everything that follows from a consent happens here.

Adapters move bytes between their framework and an exchange, and make the ledger look-up that `begin` asks for, in a thread or
directly. An answer that no consent has a part in passes through byte for byte.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from consentkit import caching
from consentkit.cookie import Token
from consentkit.equipment import Exchanges
from consentkit.gate import Action, Reason, Verdict
from consentkit.headers import RawHeaders, cookie_values, preferred_language, sent_cookie_names
from consentkit.inject import Injector
from consentkit.pages import View
from consentkit.request import RequestConsent

__all__ = ["Exchange", "Exchanges"]

Headers = list[tuple[bytes, bytes]]

LONGEST_DOUBT = 16 * 1024
"""Bytes of comments and space at the beginning that are held until it is known whether a document follows."""
_ADJUSTED = frozenset({b"cookie", b"if-none-match", b"if-match"})
CLEARED = b'"cache", "prefetchCache", "prerenderCache"'


class Exchange:
    """One request and its response.

    Attributes:
        consent: what handlers ask.
        holding: whether the response's start waits for the first bytes of its body, and for `release` or `spare`.
    """

    __slots__ = (
        "_depends",
        "_dropped",
        "_early",
        "_headers",
        "_held",
        "_injector",
        "_lent",
        "_method",
        "_news",
        "_own",
        "_pending",
        "_scope",
        "_state",
        "consent",
        "holding",
        "root_path",
        "shared",
    )

    def __init__(self, shared: Exchanges, method: str, headers: RawHeaders, *, own: bool = False) -> None:
        """Take the request's raw headers; `own` says that the library itself answers."""
        self.shared = shared
        self._method = method
        self._headers = headers
        self._own = own
        self._injector: Injector | None = None
        self._depends = self._lent = False
        self._dropped: list[Verdict] = []
        self._early = self._news = b""
        self._held: Headers = []
        self._scope: Mapping[str, Any] = {"path": "/"}
        self.root_path = ""
        self._state: bytes | None = None
        self._pending: list[bytes] = []
        self.consent = RequestConsent(shared.manager, headers)
        self.holding = False

    # The request

    def begin(self) -> bool:
        """Read the cookie; say whether the ledger has to be asked first, by `look_up`."""
        shared = self.shared
        for name, value in self._headers:
            if name == b"cookie" and shared.cookie_name in value:
                break
        else:
            return False
        manager = shared.manager
        self._pending = cookie_values(self._headers, shared.cookie_name)
        now = manager.clock()
        token = manager.cookie.newest(self._pending, now)
        self.consent.token = token
        return manager.standing.due(token, now) or (token is None and self._unknown_notice(now))

    def _unknown_notice(self, now: float) -> bool:
        manager = self.shared.manager
        return manager.standing.may_learn(now) and any(
            manager.cookie.unknown_notice(value) for value in self._pending
        )

    def look_up(self) -> None:
        """Ask the ledger what `begin` needs; blocks for a quarter of a second at the most, never raises."""
        manager = self.shared.manager
        now = manager.clock()
        token: Token | None = self.consent.token
        if token is None or any(manager.cookie.unknown_notice(value) for value in self._pending):
            manager.standing.learn_notices(now)
            self.consent.token = token = manager.cookie.newest(self._pending, now)
        if token is not None and manager.standing.due(token, now) and manager.revocations is not None:
            manager.revocations.look(token.decision.subject, now)

    def request_headers(self) -> RawHeaders:
        """Give the headers as the application may see them; the same object where nothing is kept from it."""
        headers = self._headers
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
        self._scope = scope
        self.root_path = root_path

    def target(self) -> str:
        """Give the path and query that were asked for."""
        raw = self._scope.get("raw_path")
        path = raw.decode("latin-1") if raw else quote(self._scope["path"], safe="/%:@!$&'()*+,;=~-._")
        query = self._scope.get("query_string", b"")
        return f"{path}?{query.decode('latin-1')}" if query else path

    # The response

    def start(self, status: int, headers: Headers) -> Headers:
        """Take the response's status and headers, and give the headers that leave."""
        consent = self.consent
        consent.started = True
        html = cookies = False
        for name, value in headers:
            size = len(name)
            if size == 12:
                html = html or (value[:9].lower() == b"text/html" and name.lower() == b"content-type")
            elif size == 10:
                cookies = cookies or name.lower() == b"set-cookie"
        if not (html or cookies or consent.accessed or consent.changed or status == 304):
            return headers
        return self._started(status, list(headers), html=html, cookies=cookies)

    def _started(self, status: int, headers: Headers, *, html: bool, cookies: bool) -> Headers:
        shared = self.shared
        if cookies:
            headers, self._depends = self._filter_cookies(headers)
        page = html and not any(name == b"hx-request" for name, _ in self._headers)
        if page and not self._own and shared.takes_parts(self._method, status, headers, self._scope["path"]):
            if self._method == "GET":
                self._prepare(headers)
                self._held = headers
                self.holding = True
                return headers
            return self._settled(status, caching.rewritten(headers), page=page, html=html, injects=True)
        return self._settled(status, headers, page=page, html=html)

    def release(self, length: int | None) -> Headers:
        """Give the headers that were held, now that the first bytes have told whether this is a whole document.

        `length` is that of the body where all of it is known.
        """
        self.holding = False
        headers = self._held
        if self._injector is None or self._injector.complete is False:
            self._injector = None
            return self._settled(200, headers, page=False, html=True)
        headers = caching.rewritten(headers)
        if length is not None and not caching.values(headers, b"transfer-encoding"):
            headers.append((b"content-length", b"%d" % length))
        return self._settled(200, headers, page=True, html=True, injects=True)

    def spare(self) -> Headers:
        """Give the headers that were held, for a body that goes another way than through `body`."""
        self._injector = None
        return self.release(None)

    def _settled(
        self, status: int, headers: Headers, *, page: bool, html: bool, injects: bool = False
    ) -> Headers:
        """Give the headers that leave; `page` says that people look at it, `injects` that our parts go in."""
        consent, shared = self.consent, self.shared
        depends = self._is_personal
        public = caching.is_public(headers)
        if public and depends and not consent.changed:
            shared.warn_of_public(self._scope["path"])
        shareable = public and not depends
        if page and shared.csp is not None and status != 304 and not self._own:
            headers = shared.opened(shared.csp, headers, None if shareable else consent)
            depends = not shareable
        depends = depends or (injects and not shareable)
        tagged = status == 304 and any(b"~ck." in v for n, v in self._headers if n == b"if-none-match")
        set_cookies = self._cookies_to_set(document=page and not shareable)
        if injects and self._news:
            set_cookies.append(shared.forget_arrival())
        if set_cookies:
            headers = caching.never_stored(headers)
            headers += [(b"set-cookie", value.encode("latin-1")) for value in set_cookies]
        elif depends or tagged:
            vary = shared.vary_page if html or tagged or self._own else shared.vary
            headers = caching.depends_on_visitor(headers, vary, self.state())
        if status == 304 and (tagged or shared.csp is not None):
            headers = caching.without_policies(headers, with_nonces_alone=shared.csp is None)
        if consent.narrowed:
            headers.append((b"clear-site-data", CLEARED))
        return headers

    def _cookies_to_set(self, *, document: bool) -> list[str]:
        """Collect what this answer sets: a decision's cookies, one that went out of date, and leftovers that go."""
        consent, shared = self.consent, self.shared
        if not (document or consent.changed):
            return []
        now = consent.peek()
        found = list(consent.cookies)
        if consent.outdated and now.decision is not None:
            found += shared.manager.cookie.set_cookie(now.decision)
        if any(name == b"cookie" for name, _ in self._headers):
            found += shared.gate.leftovers(sent_cookie_names(self._headers), self._allows)
        return found

    def _filter_cookies(self, headers: Headers) -> tuple[Headers, bool]:
        """Hold the application's cookies against the consent; and say whether another one would have given others."""
        gate, consent = self.shared.gate, self.consent.peek()
        now = self.shared.manager.clock()
        kept: Headers = []
        depends = False
        for name, value in headers:
            if name.lower() != b"set-cookie":
                kept.append((name, value))
                continue
            verdict = gate.set_cookie(value, self._allows, now, consent.expires)
            depends = depends or verdict.depends
            if verdict.action is Action.PASS:
                kept.append((name, value))
            elif verdict.action is Action.REWRITE and verdict.value is not None:
                kept.append((name, verdict.value))
            if verdict.reason not in (Reason.OWN, Reason.REQUIRED, Reason.GRANTED, Reason.DELETION):
                self.shared.sightings.report(verdict)
                if verdict.action is Action.DROP:
                    self._dropped.append(verdict)
        return kept, depends

    def _prepare(self, headers: Headers) -> None:
        """Make our parts, and what finds their places."""
        shared_page = caching.is_public(headers) and not self._is_personal
        view = self.view(shared_page=shared_page)
        if not shared_page:
            self._news = self.shared.news(view, self._headers)
        consent = None if shared_page else self.consent
        asked = self.consent.uses_nonce
        self._injector = self.shared.injector(view, headers, consent, news=self._news, dropped=self._dropped)
        self._lent = self.consent.uses_nonce and not asked

    @property
    def _is_personal(self) -> bool:
        """Whether the application made this answer for one visitor."""
        return self.consent.accessed or self._depends or (self.consent.uses_nonce and not self._lent)

    def body(self, chunk: bytes, more: bool) -> bytes:
        """Take a piece of the response's body and give the piece that leaves."""
        injector = self._injector
        if injector is None:
            return chunk
        left = injector.feed(bytes(chunk), more)
        if not self.holding:
            return left
        left = self._early + left
        doubtful = more and injector.complete is None and len(left) < LONGEST_DOUBT
        self._early = left if doubtful else b""
        return b"" if doubtful else left

    @property
    def rewrites(self) -> bool:
        """Whether the body has to go through `body`."""
        return self._injector is not None

    # What the pages need

    def view(self, *, shared_page: bool = False, back: str | None = None) -> View:
        """Describe this visitor on this page; a page for shared caches is described the same for everybody."""
        manager = self.shared.manager
        root_path = self.root_path
        if shared_page:
            return View(
                language=manager.policy.languages[0], consent=manager.terms.undecided(), root_path=root_path
            )
        return View(
            language=preferred_language(self._headers, manager.policy.languages),
            consent=self.consent.peek(),
            next=self.target() if back is None else back,
            root_path=root_path,
        )

    def state(self) -> bytes:
        """Name the state of this visitor's pages: two answers with one name look the same to the visitor."""
        if self._state is None or self.consent.changed:
            language = preferred_language(self._headers, self.shared.manager.policy.languages)
            self._state = self.shared.state(self.consent.peek(), language)
        return self._state
