"""One request and its response, without I/O: everything that the consent changes in either is done here.

A host (ASGI, WSGI, ...) makes an Exchange from a request's head. It runs `ask_ledger` if `needs_ledger` is true, in a thread or
in place. Then it passes the response through `start` and `body`. A response that does not depend on the consent passes through
byte for byte.
"""

from consentkit.consent import ConsentStatus
from consentkit.enforcement import Action, Verdict
from consentkit.headers import (
    COOKIE_BYTES_READ,
    Obstacle,
    RawHeaders,
    caching,
    first_cookies,
    framed_by_own_site_alone,
    html_and_cookies,
    is_for_people,
    is_framed,
    is_in_advance,
    is_navigation,
    may_be_page,
    sent_cookie_names,
)
from consentkit.manager import ShownSurface
from consentkit.ui import View
from consentkit.web.held_page import HeldPage, headers_with_markup
from consentkit.web.recoding import Recoder
from consentkit.web.request_head import RequestHead
from consentkit.web.services import SiteServices

__all__ = ["Exchange"]

Headers = list[tuple[bytes, bytes]]

CLEARED = b'"cache", "prefetchCache", "prerenderCache"'
_CONDITIONAL = frozenset({b"if-none-match", b"if-match", b"if-modified-since"})
# Marks of states in entity tags: pages in frames, on excluded paths, and those that are documents in a window alone.
_FRAMED, _EXCLUDED, _BARE = b"f", b"x", b"d"


class Exchange:
    """One request and its response.

    Attributes:
        site: services that all exchanges of the site share.
        head: of the request.
        consent: the visitor's consent, which handlers get.
        is_own: whether the request is for one of the library's own addresses.
        needs_ledger: whether `ask_ledger` must run before the application does.
        unaltered: whether the application may see the request's headers unchanged.
        passes: whether the rest of the response passes unchanged; true only after `start`.
        is_over: whether the host has finished with the exchange.
    """

    __slots__ = (
        "_depends",
        "_dropped",
        "_is_bare",
        "_nonce_is_ours",
        "_page",
        "consent",
        "head",
        "is_over",
        "is_own",
        "needs_ledger",
        "passes",
        "site",
        "unaltered",
    )

    def __init__(self, site: SiteServices, head: RequestHead) -> None:
        """Read the visitor's consent from the request's cookie, under the rules of the place where the visitor is."""
        self.site = site = site if site.places is None else site.places.at(head)
        self.head = head
        self.consent = consent = site.read_consent(head)
        self.is_own = site.is_own(head)
        self.needs_ledger = consent._needs_ledger
        self.unaltered = consent._unaltered
        self.passes = self.is_over = False
        self._depends = self._is_bare = False
        self._dropped: tuple[Verdict, ...] = ()
        self._page: HeldPage | None = None
        self._nonce_is_ours = False

    # The request

    def ask_ledger(self, wait: float | None = None) -> bool:
        """Update the consent from the ledger. Never raises.

        Blocks for at most `wait` seconds, by default a quarter of a second. Returns False if waiting longer may bring an answer.
        """
        self.consent._token, is_complete = self.site.look_up(self.head.headers, self.consent._token, wait)
        return is_complete

    def application_headers(self) -> RawHeaders:
        """Return the request's headers that the application may see; the same object if nothing is hidden."""
        headers = self.head.headers
        if self.unaltered:
            return headers
        visible: Headers = []
        bytes_left = COOKIE_BYTES_READ
        for header in headers:
            name, value = header
            if name == b"cookie":
                shown = self._visible_cookies(value, bytes_left)
                bytes_left -= len(value)
            else:
                shown = self._visible_condition(name, value) if name in _CONDITIONAL else value
            if shown is value:
                visible.append(header)
            elif shown:
                visible.append((name, shown))
        return headers if visible == headers else visible

    def _visible_cookies(self, field: bytes, bytes_left: int) -> bytes:
        """Return a Cookie field without cookies that are not allowed, and without those past the bytes that are read."""
        read = first_cookies(field, bytes_left)
        if read is not field:
            self.site.warn_of_unread_cookies()
        return self.site.gate.strip(read, self._allows)

    def _visible_condition(self, name: bytes, value: bytes) -> bytes:
        """Return a conditional header as the application may see it; empty for one that would end in an outdated page.

        Entity tags lose what this library added. Those of another consent are left out. What a browser or cache kept before
        this library touched the page has no mark, so a page is sent once more then.
        """
        if name == b"if-match":
            return caching.without_state(value) if caching.has_state(value) else value
        is_touched = may_be_page(self.head.headers) and not self.site.page_rules.is_excluded(self.head)
        if name == b"if-modified-since":
            return b"" if is_touched else value
        if self.site.has_confirmation(self.head):
            return b""
        states = self._states() if caching.has_state(value) else ()
        return caching.match_state(value, states, keeps_unmarked=not is_touched)

    def _states(self) -> tuple[bytes, ...]:
        """Return the states in which a kept page is still right for this request."""
        state, shared = self.page_state(), self.site.shared.shared_state
        if self.site.page_rules.is_excluded(self.head):
            return (state,)
        return (state, state + _BARE, shared) if is_navigation(self.head.headers) else (state, shared)

    @property
    def has_started(self) -> bool:
        """Whether `start` has taken the response's headers, so that no other response is possible."""
        return self.consent._started

    def _allows(self, category: str, vendor: str | None = None) -> bool:
        return self.consent._permissions().allows(category, vendor)

    def announce(self) -> None:
        """Call the manager's listeners with the records of this request, from a thread without an event loop."""
        self.consent._announce()

    async def aannounce(self) -> None:
        """Call the manager's listeners with the records of this request, from an event loop."""
        await self.consent._aannounce()

    # The response

    def start(self, status: int, headers: Headers) -> Headers | None:
        """Return the headers to send for a response, or None for a page whose headers wait for its first bytes.

        In the second case, `body` or `body_elsewhere` returns the headers later.
        """
        consent = self.consent
        consent._started = True
        is_html, sets_cookies = html_and_cookies(headers)
        if sets_cookies:
            headers = self._filter_cookies(headers)
        if is_html or consent._changed or status == 304 or self.is_own:
            return self._start_document(status, list(headers), is_html=is_html)
        self.passes = True
        if not (consent._accessed or self._depends or consent._nonce):
            return headers
        headers, was_public = caching.depends_on_visitor(headers, self.site.vary, self.page_state)
        if was_public:
            self.site.warn_of_public(self.head.path)
        return headers

    def _start_document(self, status: int, headers: Headers, *, is_html: bool) -> Headers | None:
        """Do what `start` does, for HTML, for responses to a decision, for 304 and for the library's own responses."""
        head, rules = self.head, self.site.page_rules
        if not is_html or self.is_own or not is_for_people(head.method, status):
            self.passes = True
            return self._finish_headers(status, headers, is_page=is_html, is_html=is_html)
        judged = rules.judge(head, headers)
        if isinstance(judged, Obstacle):
            self.passes = True
            headers = self._finish_headers(status, headers, is_page=True, is_html=True)
            return rules.report(judged, head, headers)
        if head.method != "HEAD":
            self._page = self._hold(status, headers, judged)
            return None
        self.passes = True
        headers = headers_with_markup(headers, judged)
        return self._finish_headers(status, headers, is_page=True, is_html=True, has_markup=True)

    def body(self, chunk: bytes, more: bool) -> tuple[Headers | None, bytes]:
        """Return what to send for a chunk of the response's body: the headers that waited, and bytes.

        The headers are returned once, as soon as they are final, and are None otherwise. No bytes are sent before them.
        """
        page = self._page
        if page is None:
            return None, chunk
        if not page.is_held:
            return None, page.feed_after(chunk, more)
        out = page.feed(chunk, more)
        if out is None:
            return None, b""
        return self._release(page, None if more else len(out)), out

    def body_elsewhere(self) -> Headers | None:
        """Return the headers that waited, or None, for a body that the server sends by itself, such as a file."""
        page = self._page
        if page is None or not page.is_held:
            return None
        self._page = None
        self.passes = True
        return self._finish_headers(page.status, page.headers, is_page=False, is_html=True)

    def _release(self, page: HeldPage, length: int | None) -> Headers:
        """Return the headers that waited, now that the first bytes have shown whether this is a whole document.

        `length` is the size of the whole body, or None if more follows.
        """
        page.is_held = False
        if not page.is_document:
            self._page = None
            self.passes = True
            headers = self._finish_headers(page.status, page.headers, is_page=False, is_html=True)
            return headers if length == 0 else self.site.page_rules.report(page.obstacle, self.head, headers)
        self._is_bare = page.is_bare
        if page.asks:
            self.count_banner()
        for_one = not (caching.is_public(page.headers) or is_framed(self.head.headers))
        if for_one and self.consent._current().gpc:
            self.count_shown("signal")
        headers = page.headers_with_markup(length)
        return self._finish_headers(page.status, headers, is_page=True, is_html=True, has_markup=True)

    def _hold(self, status: int, headers: Headers, recoder: Recoder | None) -> HeldPage:
        """Return a page whose headers wait for its first bytes, with the markup that will be inserted."""
        consent = self.consent
        is_shared = caching.is_public(headers) and not self.is_personal
        view = self.view(is_shared=is_shared)
        confirmation = b"" if is_shared else self.site.confirmation(view, self.head)
        had_nonce = consent._has_nonce
        framed = not is_shared and is_framed(self.head.headers)
        if framed:
            headers = self.site.page_rules.report(Obstacle.FRAME, self.head, headers)
        inserter = (self.site.shared if is_shared else self.site).inserter(
            view,
            headers,
            None if is_shared else consent,
            confirmation=confirmation,
            after_form=self.head.method == "POST",
            dropped=self._dropped,
            framed=framed,
            browsed=not is_shared and is_navigation(self.head.headers),
        )
        # The page stays the same for every visitor if only our markup uses the nonce.
        self._nonce_is_ours = consent._has_nonce and not had_nonce
        asks = view.consent.needs_asking and self.site.manager.show_banner and not (is_shared or framed)
        return HeldPage(status, headers, inserter, confirmation=confirmation, asks=asks, recoder=recoder)

    def _finish_headers(
        self, status: int, headers: Headers, *, is_page: bool, is_html: bool, has_markup: bool = False
    ) -> Headers:
        """Return the headers to send.

        Args:
            status: of the response.
            headers: the application's, without the cookies that are not allowed.
            is_page: whether the response may be a page, and is not known to be a fragment of one.
            is_html: whether the response is HTML.
            has_markup: whether our markup is inserted.
        """
        site, consent = self.site, self.consent
        depends = self.is_personal
        public = caching.is_public(headers)
        if public and depends and not consent._changed:
            site.warn_of_public(self.head.path)
        shareable = public and not depends
        policy = site.page_policy
        if is_html and policy.is_set and status != 304 and not self.is_own:
            opened = policy.open(headers, self.head.root_path, None if shareable else consent)
            depends = depends or (opened is not headers and not shareable)
            headers = opened
        if has_markup:
            headers = framed_by_own_site_alone(headers)
        depends = depends or (has_markup and not shareable)
        tagged = self._state_of_304() if status == 304 else b""
        set_cookies = self._cookies_to_set(is_document=is_page and not shareable)
        if has_markup and self._page is not None and self._page.confirmation:
            set_cookies.append(site.forget_confirmation())
        if set_cookies:
            headers = caching.never_stored(headers)
            headers += [(b"set-cookie", value.encode("latin-1")) for value in set_cookies]
        elif depends or (tagged and tagged != site.shared.shared_state):
            vary = site.vary_page if is_html or tagged or self.is_own else site.vary
            headers, _ = caching.depends_on_visitor(headers, vary, lambda: tagged or self.page_state())
        elif has_markup or tagged:
            headers = caching.with_state(headers, site.shared.shared_state)
        if status == 304 and (tagged or policy.is_set):
            headers = caching.without_policies(headers, with_nonces_alone=not policy.is_set)
        if consent._narrowed:
            headers.append((b"clear-site-data", CLEARED))
        return headers

    def _cookies_to_set(self, *, is_document: bool) -> list[str]:
        """Return the Set-Cookie values of this response: the new decision, a renewed outdated cookie, and expired leftovers."""
        consent = self.consent
        if not (is_document or consent._changed):
            return []
        current = consent._current()
        lines = list(consent._cookies)
        if consent._outdated and current.decision is not None:
            lines += self.site.manager.cookie.set_cookie(current.decision)
        if any(name == b"cookie" for name, _ in self.head.headers):
            sent = sent_cookie_names(self.head.headers)
            lines += self.site.gate.leftovers(sent, self._allows, self.site.clock())
        return lines

    def _filter_cookies(self, headers: Headers) -> Headers:
        """Return the headers without cookies that are not allowed.

        Sets `_depends` if another consent would have kept other cookies.
        """
        site, consent = self.site, self.consent
        permissions = consent._shared_permissions or consent._permissions()
        ends = consent._end_of(permissions)
        kept, self._depends, verdicts = site.set_cookie_filter.filter(
            headers, permissions, site.clock(), ends
        )
        for verdict in verdicts:
            site.observed_cookies.report(verdict)
            if verdict.action is Action.DROP:
                self._dropped = (*self._dropped, verdict)
        return kept

    @property
    def is_personal(self) -> bool:
        """Whether the application made this response for one visitor."""
        consent = self.consent
        return consent._accessed or self._depends or (consent._has_nonce and not self._nonce_is_ours)

    # What pages show

    def view(self, *, is_shared: bool = False, back: str | None = None) -> View:
        """Return what templates need of this visitor and page.

        Args:
            is_shared: whether shared caches may keep the page, so that the view is the same for every visitor.
            back: path to which forms on the page return; None for the page itself.
        """
        if is_shared:
            manager = self.site.shared.manager
            language, undecided = manager.policy.languages[0], manager.evaluator.undecided()
            return View(language=language, consent=undecided, root_path=self.head.root_path)
        return View(
            language=self.consent._language(),
            consent=self.consent._current(),
            next=self.head.target if back is None else back,
            root_path=self.head.root_path,
            place=self.site.places.asked(self.head) if self.site.places is not None else "",
        )

    def count_banner(self) -> None:
        """Count a banner that is sent to this visitor."""
        is_first = self.consent._current().status is ConsentStatus.UNKNOWN
        self.count_shown("banner" if is_first else "asked_again")

    def count_shown(self, surface: ShownSurface) -> None:
        """Count a page with the notice, unless nobody sees it: the request is HEAD, or a browser loads it in advance."""
        if self.head.method != "HEAD" and not is_in_advance(self.head.headers):
            manager = self.site.manager
            manager.shown.add(surface, self.consent._language(), manager.notice.digest)

    def page_state(self) -> bytes:
        """Return a digest of what this visitor's pages show, for entity tags; equal digests mean equal pages."""
        state = self.site.page_state(self.consent._current(), self.consent._language())
        if self.site.page_rules.is_excluded(self.head):
            return state + _EXCLUDED
        if is_framed(self.head.headers):
            return state + _FRAMED
        return state + _BARE if self._is_bare else state

    def _state_of_304(self) -> bytes:
        """Return the state of the page that the browser or cache keeps; empty if this library never touched it."""
        sent = [value for name, value in self.head.headers if name == b"if-none-match"]
        if not any(map(caching.has_state, sent)):
            return b""
        return caching.first_state(sent, self._states()) or self.page_state()
