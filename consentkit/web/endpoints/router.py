"""The HTTP contract: which endpoint serves an address below the prefix, and which headers every response has."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import blake2s
from typing import Any

from consentkit.headers import RawHeaders, header_values, own_path, proves_same_origin
from consentkit.manager import ConsentManager
from consentkit.signals import consent_json, gpc_json
from consentkit.web.endpoints.answer import Answer, Endpoint, Methods
from consentkit.web.endpoints.body import wants_html
from consentkit.web.endpoints.carry import CarryEndpoint
from consentkit.web.endpoints.decision import DecisionEndpoint
from consentkit.web.endpoints.embed import EmbedEndpoint
from consentkit.web.endpoints.front_ends import FrontEnds
from consentkit.web.endpoints.handoff import HandoffEndpoint
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.endpoints.receipt import ReceiptEndpoint
from consentkit.web.exchange import Exchange
from consentkit.web.query import unrepeated_fields
from consentkit.web.response import Response, content, html, json_document, no_content, not_modified
from consentkit.web.services import CONSENT_PATH, GPC_PATH, SiteServices

__all__ = ["Endpoints", "refusal"]

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", _POLICY.encode()),
    (b"x-frame-options", b"DENY"),
)
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
# For a page that another version of this library sent, and that a cache still has.
_ASKED_EACH_TIME = {"cache-control": "no-cache"}
_NOT_STORED = {"cache-control": "private, no-store"}
_FOR_AN_HOUR = {"cache-control": "public, max-age=3600"}


class Endpoints:
    """Responds to requests below the prefix, and for `/.well-known/gpc.json` and `/.well-known/consent.json`.

    If `exchange.is_own` is true, a host collects the body in a BodyBuffer, unless the method is GET or HEAD. Then it calls
    `respond`.
    """

    def __init__(self, site: SiteServices) -> None:
        self._site = site
        self._manager = site.manager
        self._pages = site.pages
        self._started_on = datetime.fromtimestamp(site.manager.clock(), UTC).date()
        self._receipts = ReceiptEndpoint(site).routes()
        self._routes: dict[str, Methods] = {
            "": {"GET": self._preferences},
            "/policy": {"GET": self._policy},
            "/policy.json": {"GET": self._policy_json},
            "/sites": {"GET": self._sites},
            "/sites.json": {"GET": self._sites_json},
            "/banner": {"GET": self._banner},
            "/settings": {"GET": self._settings},
            "/loader.js": {"GET": self._loader},
            **DecisionEndpoint(site).routes(),
            **self._receipts,
        }
        self._well_known: dict[str, Methods] = {
            GPC_PATH: {"GET": self._gpc},
            CONSENT_PATH: {"GET": self._consent},
        }
        self._embed = EmbedEndpoint(site)
        self._front_ends = FrontEnds(site)
        self._carry: CarryEndpoint | None = None
        if site.handoff is not None:
            self._carry = CarryEndpoint(site, site.handoff, _POLICY)
            self._routes |= HandoffEndpoint(site, site.handoff).routes() | self._carry.routes()
        self._elsewhere: dict[SiteServices, Endpoints] = {}

    def _for(self, exchange: Exchange) -> "Endpoints":
        """Return the endpoints for the rules of the place where the visitor is. Made twice, both are the same."""
        site = exchange.site
        if site is self._site:
            return self
        endpoints = self._elsewhere.get(site)
        if endpoints is None:
            endpoints = self._elsewhere[site] = Endpoints(site)
        return endpoints

    def respond(self, exchange: Exchange, body: bytes | None = b"") -> Answer:
        """Return the response to a request for one of the library's own addresses. Nothing that a visitor sends makes it raise.

        Args:
            exchange: of the request.
            body: of the request; None if it is larger than 16 KiB, see BodyBuffer.

        Returns:
            a response, or a step that asks the ledger and returns the response. The step blocks: a host runs it in place or in a
            thread, and then calls the listeners (`exchange.announce`).
        """
        if exchange.site is not self._site:
            return self._for(exchange).respond(exchange, body)
        try:
            answer = self._endpoint(exchange)(exchange, body)
        except HTTPProblem as problem:
            return self._refused(exchange, problem)
        if isinstance(answer, Response):
            return self._finished(exchange, answer)
        step = answer

        def ask_ledger() -> Response:
            try:
                return self._finished(exchange, step())
            except HTTPProblem as problem:
                return self._refused(exchange, problem)

        return ask_ledger

    def busy(self, exchange: Exchange) -> Response:
        """Return the response to a request that was refused at once, because too many wait for the ledger."""
        if exchange.site is not self._site:
            return self._for(exchange).busy(exchange)
        if exchange.is_own and self._below_prefix(exchange.head.local_path) in self._receipts:
            return self._refused(exchange, ReceiptEndpoint.unavailable())
        self._manager.metrics.refused()
        detail = "We couldn't save your choice, so nothing was changed. Please try again later."
        return self._refused(exchange, HTTPProblem(503, detail, headers={"retry-after": "5"}))

    def incomplete(self, exchange: Exchange) -> Response:
        """Return the response to a request whose body ended early, for a host that must send one."""
        endpoints = self._for(exchange)
        return endpoints._refused(exchange, HTTPProblem(400, "The body of the request ended early."))

    def _refused(self, exchange: Exchange, problem: HTTPProblem) -> Response:
        if not wants_html(exchange.head):
            return self._finished(exchange, problem.response())
        page = self._pages.error(
            exchange.view(back="/"), problem.status, reason=problem.detail, about=problem.about
        )
        return self._finished(exchange, html(page, problem.status, {**problem.headers, **_NOT_STORED}))

    def _finished(self, exchange: Exchange, response: Response) -> Response:
        head = exchange.head
        is_framed = head.local_path.startswith(f"{self._manager.prefix}/embed/")
        response.add_missing(self._embed.headers if is_framed else _SAFE_HEADERS)
        self._front_ends.allow(self._below_prefix(head.local_path), head.headers, response)
        return response

    def _below_prefix(self, path: str) -> str:
        return path[len(self._manager.prefix) :]

    def _endpoint(self, exchange: Exchange) -> Endpoint:
        """Return the endpoint of a request.

        Raises:
            HTTPProblem: the address or method has no endpoint (404, 405), or the request comes from another site (403).
        """
        head = exchange.head
        path = head.local_path
        methods: Methods | None = self._well_known.get(path)
        if methods is None:
            below_prefix = self._below_prefix(path)
            methods = self._routes.get(below_prefix) or self._in_folder(below_prefix)
        if methods is None:
            raise HTTPProblem(404)
        method = "GET" if head.method == "HEAD" else head.method
        if method == "OPTIONS":
            preflight = self._front_ends.preflight(self._below_prefix(path), methods, head.headers)
            if preflight is not None:
                return lambda exchange, body: preflight
        if method not in methods:
            allowed = [*methods, *(["HEAD"] if "GET" in methods else [])]
            raise HTTPProblem(405, headers={"allow": ", ".join(allowed)})
        if method != "GET" and not self._is_from_own_page(head.headers):
            raise self._foreign(exchange)
        return methods[method]

    def _is_from_own_page(self, headers: RawHeaders) -> bool:
        """Return whether a request comes from a page of the site, from one of its front ends, or from no browser."""
        return proves_same_origin(headers, self._site.origins) or self._front_ends.origin(headers) is not None

    def _foreign(self, exchange: Exchange) -> HTTPProblem:
        """Return the refusal of a request from another origin, and log the remedy once."""
        site = self._manager.origins[self._manager.site][0]
        sent = b", ".join(header_values(exchange.head.headers, b"origin")).decode("latin-1")
        self._site.observed_cookies.warn_once(
            "foreign origin",
            "A choice from %.100r was refused, because this site is at %s. If visitors reach the site there too, add that origin "
            "to ConsentManager(origins=...). Over plain http only this machine can be added, as http://localhost:PORT.",
            sent,
            site,
        )
        return HTTPProblem(403, f"This request did not come from a page of this site, which is at {site}.")

    def _in_folder(self, path: str) -> Methods | None:
        folder, _, name = path[1:].partition("/")
        if not name or "/" in name:
            return None
        if folder == "embed":
            return self._embed.methods
        files: dict[str, Endpoint] = {"notices": self._notice, "assets": self._asset}
        return {"GET": files[folder]} if folder in files else None

    # Pages

    def _preferences(self, exchange: Exchange, body: bytes | None) -> Answer:
        exchange.count_shown("preferences")
        return self._page_with_button(exchange, self._pages.preferences)

    def _policy(self, exchange: Exchange, body: bytes | None) -> Answer:
        exchange.count_shown("policy")
        return self._page(exchange, self._pages.policy)

    def _sites(self, exchange: Exchange, body: bytes | None) -> Answer:
        return self._page_with_button(exchange, self._pages.sites)

    def _page(self, exchange: Exchange, render: Callable[..., str]) -> Response:
        exchange.consent._accessed = True
        return html(render(exchange.view(back=_next(exchange))))

    def _page_with_button(self, exchange: Exchange, render: Callable[..., str]) -> Response:
        """Return a page with the button that uses the choice on all sites, and with what became of the last click."""
        if self._carry is None or not exchange.consent._current().status.decided:
            return self._page(exchange, render)
        exchange.consent._accessed = True
        view = replace(exchange.view(back=_next(exchange)), carried=self._carry.state(exchange))
        # Not stored, so that a browser that goes back to the page shows how far the choice has come.
        return self._carry.forget_if_over(html(render(view), headers=_NOT_STORED), exchange)

    def _banner(self, exchange: Exchange, body: bytes | None) -> Answer:
        page = self._pages.banner(exchange.view(back=_next(exchange)))
        if not page:
            return no_content(_NOT_STORED)
        exchange.count_banner()
        return html(page, headers=_NOT_STORED)

    def _settings(self, exchange: Exchange, body: bytes | None) -> Answer:
        view = exchange.view(back=_next(exchange))
        code = unrepeated_fields(exchange.head.query).get("outcome", "")
        fragments = self._pages.settings(view) + self._site.confirmation_of(view, code)
        return html(fragments, headers=_NOT_STORED)

    def _policy_json(self, exchange: Exchange, body: bytes | None) -> Answer:
        return self._overview(exchange, self._pages.policy_json)

    def _sites_json(self, exchange: Exchange, body: bytes | None) -> Answer:
        return self._overview(exchange, self._pages.sites_json)

    def _overview(self, exchange: Exchange, rows: Callable[[str], dict[str, Any]]) -> Response:
        language = exchange.consent._language()
        headers = {"cache-control": "no-cache", "vary": self._site.vary_public, "content-language": language}
        return json_document(rows(language), headers=headers)

    # Files

    def _notice(self, exchange: Exchange, body: bytes | None) -> Answer:
        digest = exchange.head.path.rpartition("/")[2]
        resolver, now = self._manager.resolver, self._manager.clock()
        if self._notice_content(digest) is not None or not resolver.may_load_notices(now):
            return self._notice_document(digest)

        def look_up() -> Response:
            resolver.load_notices(now)
            return self._notice_document(digest)

        return look_up

    def _notice_content(self, digest: str) -> dict[str, Any] | None:
        notice = self._manager.evaluator.notices.get(digest)
        return dict(notice.content) if notice is not None and notice.content is not None else None

    def _notice_document(self, digest: str) -> Response:
        notice = self._notice_content(digest)
        if notice is None:
            raise HTTPProblem(404, "No notice with this digest was published here.")
        return json_document(notice, headers=_FOR_EVER)

    def _asset(self, exchange: Exchange, body: bytes | None) -> Answer:
        name = exchange.head.path.rpartition("/")[2]
        asset = self._pages.assets.get(name)
        if asset is not None:
            return content(asset[1], asset[0], _FOR_EVER)
        asset = self._pages.assets.get(self._pages.current_name(name))
        if asset is None:
            raise HTTPProblem(404)
        return content(asset[1], asset[0], _ASKED_EACH_TIME)

    def _loader(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return the loader. Browsers ask for it each time, because it names the script and the notice of today."""
        script = self._site.loader.script(exchange.consent._language(), exchange.head.root_path).encode()
        etag = f'"{blake2s(script, digest_size=9).hexdigest()}"'
        headers = {"cache-control": "public, no-cache", "vary": self._site.vary_public, "etag": etag}
        if etag.encode() in b",".join(header_values(exchange.head.headers, b"if-none-match")):
            return not_modified(headers)
        return content(script, "text/javascript; charset=utf-8", headers)

    def _gpc(self, exchange: Exchange, body: bytes | None) -> Answer:
        document = gpc_json(self._site_manager.policy, self._last_update())
        return json_document(document, headers=_FOR_AN_HOUR)

    def _consent(self, exchange: Exchange, body: bytes | None) -> Answer:
        manager = self._site_manager
        document = consent_json(
            manager.policy,
            site=manager.site,
            address=f"{manager.origins[manager.site][0]}{own_path(exchange.head.root_path, manager.prefix)}",
            notice=manager.notice.digest,
            last_update=self._last_update(),
        )
        return json_document(document, headers=_FOR_AN_HOUR)

    @property
    def _site_manager(self) -> ConsentManager:
        """The manager of the site's own policy, for documents that are the same wherever they are read."""
        return self._manager if self._manager.places is None else self._manager.places.home

    def _last_update(self) -> date:
        published = self._site_manager.notice.published
        return date.fromisoformat(published) if published else self._started_on


def _next(exchange: Exchange) -> str:
    """Return the page to which forms return, from the query. It is checked later: what is no local path becomes `/`."""
    return unrepeated_fields(exchange.head.query).get("next") or "/"


def refusal(exchange: Exchange, category: str, vendor: str | None) -> Response:
    """Return the 403 response for a handler whose consent is missing: a page for a browser, else a problem document."""
    pages, manager = exchange.site.pages, exchange.site.manager
    if wants_html(exchange.head):
        return html(pages.needs_consent(exchange.view(), category, vendor), 403)
    preferences = own_path(exchange.head.root_path, manager.prefix)
    needed = f"vendor {vendor!r} of category {category!r}" if vendor else f"category {category!r}"
    members: dict[str, Any] = {"category": category, "preferences": preferences}
    if vendor:
        members["vendor"] = vendor
    return HTTPProblem(
        403, f"This needs consent for {needed}, which can be given at {preferences}.", more=members
    ).response()
