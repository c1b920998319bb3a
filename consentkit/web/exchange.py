"""One request and its response, without I/O: `begin`, `start`, `body`. Everything that follows from a consent happens here.

Adapters move bytes between their framework and an exchange, and make the ledger look-up that `begin` asks for, in a thread or
directly. An answer that no consent has a part in passes through byte for byte.
"""

from collections.abc import Mapping
from typing import Any

from consentkit.enforcement import Action, Verdict
from consentkit.headers import caching, sent_cookie_names
from consentkit.html import Inserter
from consentkit.web.services import SiteServices
from consentkit.web.visit import Visit

__all__ = ["Exchange", "SiteServices", "exchange_of"]

Headers = list[tuple[bytes, bytes]]

LONGEST_DOUBT = 16 * 1024
"""Bytes of comments and space at the beginning that are held until it is known whether a document follows."""
CLEARED = b'"cache", "prefetchCache", "prerenderCache"'


class Exchange(Visit):
    """One request and its response.

    Attributes:
        holding: whether the response's start waits for the first bytes of its body, and for `release` or `spare`.
    """

    __slots__ = ()

    # What few responses need stands here until it is set: to set it for each costs as much as all the rest.
    holding = False
    _depends = False
    _dropped: tuple[Verdict, ...] = ()
    _early = b""
    _held: Headers
    _inserter: Inserter | None = None
    _lent = False
    _news = b""

    def start(self, status: int, headers: Headers) -> Headers:
        """Take the response's status and headers, and give the headers that leave."""
        self.started = True
        html = cookies = False
        for name, value in headers:
            size = len(name)
            if size == 12:
                # Of the types in lower case most come before.
                if (value > b"t" or value < b"a") and value[:9].lower() == b"text/html":
                    html = html or name.lower() == b"content-type"
            elif size == 10:
                cookies = cookies or name.lower() == b"set-cookie"
        if html or cookies or self.accessed or status == 304 or self.own:
            if html or self.changed or status == 304 or self.own:
                return self._started(status, list(headers), html=html, cookies=cookies)
            headers = self._unseen(status, headers, cookies=cookies)
        self.passes = True
        return headers

    def _unseen(self, status: int, headers: Headers, *, cookies: bool) -> Headers:
        """Give the headers of an answer that nobody looks at, and in which nothing was decided."""
        if cookies:
            headers = self._filter_cookies(headers)
        if not self._is_personal:
            return headers
        if caching.says_nothing(headers):
            return [*headers, *self.shared.personal]
        return self._settled(status, list(headers), page=False, html=False)

    def _started(self, status: int, headers: Headers, *, html: bool, cookies: bool) -> Headers:
        shared = self.shared
        if cookies:
            headers = self._filter_cookies(headers)
        page = html and not any(name == b"hx-request" for name, _ in self.headers)
        method = self.scope.get("method", "")
        if page and not self.own and shared.is_complete_html(method, status, headers, self.scope["path"]):
            if method == "GET":
                self._prepare(headers)
                self._held = headers
                self.holding = True
                return headers
            return self._settled(
                status, caching.without_body_fields(headers), page=page, html=html, injects=True
            )
        return self._settled(status, headers, page=page, html=html)

    def release(self, length: int | None) -> Headers:
        """Give the headers that were held, now that the first bytes have told whether this is a whole document.

        `length` is that of the body where all of it is known.
        """
        self.holding = False
        headers = self._held
        if self._inserter is None or self._inserter.complete is False:
            self._inserter = None
            return self._settled(200, headers, page=False, html=True)
        headers = caching.without_body_fields(headers)
        if length is not None and not caching.values(headers, b"transfer-encoding"):
            headers.append((b"content-length", b"%d" % length))
        return self._settled(200, headers, page=True, html=True, injects=True)

    def spare(self) -> Headers:
        """Give the headers that were held, for a body that goes another way than through `body`."""
        self._inserter = None
        return self.release(None)

    def _settled(
        self, status: int, headers: Headers, *, page: bool, html: bool, injects: bool = False
    ) -> Headers:
        """Give the headers that leave; `page` says that people look at it, `injects` that our parts go in."""
        shared = self.shared
        depends = self._is_personal
        public = caching.is_public(headers)
        if public and depends and not self.changed:
            shared.warn_of_public(self.scope["path"])
        shareable = public and not depends
        if page and shared.csp is not None and status != 304 and not self.own:
            headers = shared.opened(shared.csp, headers, None if shareable else self)
            depends = not shareable
        depends = depends or (injects and not shareable)
        tagged = status == 304 and any(b"~ck." in v for n, v in self.headers if n == b"if-none-match")
        set_cookies = self._cookies_to_set(document=page and not shareable)
        if injects and self._news:
            set_cookies.append(shared.forget_arrival())
        if set_cookies:
            headers = caching.never_stored(headers)
            headers += [(b"set-cookie", value.encode("latin-1")) for value in set_cookies]
        elif depends or tagged:
            vary = shared.vary_page if html or tagged or self.own else shared.vary
            state = self.state() if caching.values(headers, b"etag") else b""
            headers = caching.depends_on_visitor(headers, vary, state)
        if status == 304 and (tagged or shared.csp is not None):
            headers = caching.without_policies(headers, with_nonces_alone=shared.csp is None)
        if self.narrowed:
            headers.append((b"clear-site-data", CLEARED))
        return headers

    def _cookies_to_set(self, *, document: bool) -> list[str]:
        """Collect what this answer sets: a decision's cookies, one that went out of date, and leftovers that go."""
        shared = self.shared
        if not (document or self.changed):
            return []
        now = self.peek()
        found = list(self.cookies)
        if self.outdated and now.decision is not None:
            found += self.manager.cookie.set_cookie(now.decision)
        if any(name == b"cookie" for name, _ in self.headers):
            found += shared.gate.leftovers(sent_cookie_names(self.headers), self._allows)
        return found

    def _filter_cookies(self, headers: Headers) -> Headers:
        """Hold the application's cookies against the consent, and note whether another one would have given others."""
        shared = self.shared
        consent = self.settled or self.alike()
        kept, self._depends, noticed = shared.outgoing.filter(headers, consent, shared.clock(), self.ends)
        for verdict in noticed:
            shared.observed_cookies.report(verdict)
            if verdict.action is Action.DROP:
                self._dropped += (verdict,)
        return kept

    def _prepare(self, headers: Headers) -> None:
        """Make our parts, and what finds their places."""
        shared_page = caching.is_public(headers) and not self._is_personal
        view = self.view(shared_page=shared_page)
        if not shared_page:
            self._news = self.shared.news(view, self.headers)
        consent = None if shared_page else self
        asked = self.uses_nonce
        self._inserter = self.shared.inserter(view, headers, consent, news=self._news, dropped=self._dropped)
        self._lent = self.uses_nonce and not asked

    @property
    def _is_personal(self) -> bool:
        """Whether the application made this answer for one visitor."""
        return self.accessed or self._depends or (self.uses_nonce and not self._lent)

    def body(self, chunk: bytes, more: bool) -> bytes:
        """Take a piece of the response's body and give the piece that leaves."""
        inserter = self._inserter
        if inserter is None:
            return chunk
        left = inserter.feed(bytes(chunk), more)
        if not self.holding:
            return left
        left = self._early + left
        doubtful = more and inserter.complete is None and len(left) < LONGEST_DOUBT
        self._early = left if doubtful else b""
        return b"" if doubtful else left

    @property
    def rewrites(self) -> bool:
        """Whether the body has to go through `body`."""
        return self._inserter is not None


def exchange_of(scope: Mapping[str, Any]) -> Exchange:
    """Give the exchange that a request is served by."""
    exchange: Exchange = scope["state"]["consent"]
    return exchange
