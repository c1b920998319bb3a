"""The HTTP contract: what the library answers under its prefix, as a Starlette application."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from consentkit.headers import proves_same_origin
from consentkit.manager import ConsentManager
from consentkit.web.endpoints import body as intake
from consentkit.web.endpoints.decision import DecisionEndpoint
from consentkit.web.endpoints.embed import FRAMED_HEADERS, EmbedEndpoint
from consentkit.web.endpoints.handoff import HandoffEndpoint
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.exchange import SiteServices, exchange_of
from consentkit.web.threads import in_ledger_thread

__all__ = ["Endpoints", "local_path_of", "refusal"]

GPC = "/.well-known/gpc.json"
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", _POLICY.encode()),
    (b"x-frame-options", b"DENY"),
)

Handler = Callable[[Request], Awaitable[Response]]


class Endpoints:
    """Answer everything under the prefix, and the Global Privacy Control resource."""

    def __init__(self, shared: SiteServices) -> None:
        self._manager: ConsentManager = shared.manager
        self._pages = shared.pages
        self._origins = frozenset(origin.encode() for origin in shared.manager.origins[shared.manager.site])
        self._inside = shared.manager.prefix + "/"
        self._started_on = datetime.fromtimestamp(shared.manager.clock(), UTC).date()
        self._routes: dict[str, Mapping[str, Handler]] = {
            "": {"GET": self._preferences},
            "/policy": {"GET": self._policy},
            "/policy.json": {"GET": self._policy_json},
            "/sites": {"GET": self._sites},
            "/sites.json": {"GET": self._sites_json},
            "/banner": {"GET": self._banner},
            "/settings": {"GET": self._settings},
            **DecisionEndpoint(shared).routes(),
        }
        self._embedding = EmbedEndpoint(shared)
        if shared.handoff is not None:
            self._routes |= HandoffEndpoint(shared, shared.handoff).routes()

    def serves(self, path: str) -> bool:
        """Say whether a path, without the root path, is ours."""
        return path.startswith(self._inside) or path == self._manager.prefix or path == GPC

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a websocket is refused."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive)
        try:
            response = await self._route(request)(request)
        except ClientDisconnect:
            return
        except HTTPProblem as problem:
            response = self._problem(request, problem)
        framed = local_path_of(scope).startswith(self._inside + "embed/")
        for name, value in FRAMED_HEADERS if framed else _SAFE_HEADERS:
            if name not in dict(response.raw_headers):
                response.raw_headers.append((name, value))
        await response(scope, receive, send)

    def _route(self, request: Request) -> Handler:
        path = local_path_of(request.scope)
        methods: Mapping[str, Handler] | None = {"GET": self._gpc} if path == GPC else None
        if methods is None:
            rest = path[len(self._manager.prefix) :]
            methods = self._routes.get(rest) or self._by_folder(rest)
        if methods is None:
            raise HTTPProblem(404)
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            allowed = [*methods, *(["HEAD"] if "GET" in methods else [])]
            raise HTTPProblem(405, headers={"allow": ", ".join(allowed)})
        if method != "GET" and not proves_same_origin(request.scope["headers"], self._origins):
            site = self._manager.origins[self._manager.site][0]
            raise HTTPProblem(
                403, f"This request does not come from a page of this site, which is at {site}."
            )
        return methods[method]

    def _by_folder(self, rest: str) -> Mapping[str, Handler] | None:
        folder, _, name = rest[1:].partition("/")
        if folder == "embed" and name and "/" not in name:
            return self._embedding.methods
        kept: dict[str, Handler] = {"notices": self._notice, "assets": self._asset}
        return {"GET": kept[folder]} if folder in kept and name and "/" not in name else None

    # Pages

    async def _preferences(self, request: Request) -> Response:
        return self._page(request, self._pages.preferences)

    async def _policy(self, request: Request) -> Response:
        return self._page(request, self._pages.policy)

    async def _sites(self, request: Request) -> Response:
        return self._page(request, self._pages.sites)

    def _page(self, request: Request, render: Callable[..., str]) -> Response:
        exchange = exchange_of(request.scope)
        exchange.accessed = True
        return HTMLResponse(render(exchange.view(back=request.query_params.get("next") or "/")))

    async def _banner(self, request: Request) -> Response:
        exchange = exchange_of(request.scope)
        html = self._pages.banner(exchange.view(back=request.query_params.get("next") or "/"))
        headers = {"cache-control": "private, no-store"}
        return HTMLResponse(html, headers=headers) if html else Response(status_code=204, headers=headers)

    async def _settings(self, request: Request) -> Response:
        exchange = exchange_of(request.scope)
        html = self._pages.settings(exchange.view(back=request.query_params.get("next") or "/"))
        return HTMLResponse(html, headers={"cache-control": "private, no-store"})

    async def _policy_json(self, request: Request) -> Response:
        return self._overview(request, self._pages.policy_json)

    async def _sites_json(self, request: Request) -> Response:
        return self._overview(request, self._pages.sites_json)

    def _overview(self, request: Request, rows: Callable[[str], dict[str, Any]]) -> Response:
        language = exchange_of(request.scope).language()
        headers = {"cache-control": "no-cache", "vary": "Accept-Language", "content-language": language}
        return JSONResponse(rows(language), headers=headers)

    async def _notice(self, request: Request) -> Response:
        digest = request.scope["path"].rpartition("/")[2]
        content = await self._notice_content(digest)
        if content is None:
            raise HTTPProblem(404, "No notice of that digest was published here.")
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return JSONResponse(content, headers=headers)

    async def _notice_content(self, digest: str) -> dict[str, Any] | None:
        manager = self._manager
        known = manager.evaluator.notices.get(digest)
        if (known is None or known.content is None) and manager.resolver.may_load_notices(
            now := manager.clock()
        ):
            await in_ledger_thread(lambda: manager.resolver.load_notices(now))
            known = manager.evaluator.notices.get(digest)
        return dict(known.content) if known is not None and known.content is not None else None

    async def _asset(self, request: Request) -> Response:
        name = request.scope["path"].rpartition("/")[2]
        found = self._pages.assets.get(name)
        if found is None:
            raise HTTPProblem(404)
        content_type, content = found
        return Response(
            content, media_type=content_type, headers={"cache-control": "public, max-age=31536000, immutable"}
        )

    async def _gpc(self, request: Request) -> Response:
        policy = self._manager.policy
        profiling = {vendor.category for vendor in policy.vendors if vendor.profiling}
        honoured = all(
            policy.honours_gpc(category.id) for category in policy.optional if category.id in profiling
        )
        body = {"gpc": honoured, "lastUpdate": self._last_update().isoformat()}
        return JSONResponse(body, headers={"cache-control": "public, max-age=3600"})

    def _last_update(self) -> date:
        published = self._manager.notice.published
        return date.fromisoformat(published) if published else self._started_on

    # Refusals

    def _problem(self, request: Request, problem: HTTPProblem) -> Response:
        if intake.wants_html(request):
            view = exchange_of(request.scope).view(back="/")
            html = self._pages.error(view, problem.status, "", problem.detail)
            return HTMLResponse(
                html, problem.status, headers={**problem.headers, "cache-control": "private, no-store"}
            )
        return problem.response()


def local_path_of(scope: Scope) -> str:
    """Give the path that was asked for, below the path where the application is mounted."""
    path: str = scope["path"]
    root_path: str = scope.get("root_path", "").rstrip("/")
    return path[len(root_path) :] if root_path and path.startswith(f"{root_path}/") else path


def refusal(request: Request, category: str, vendor: str | None) -> Response:
    """Answer 403 where a handler asks for a consent that is not there: a page for a browser, else a problem document."""
    exchange = exchange_of(request.scope)
    shared = exchange.shared
    if intake.wants_html(request):
        return HTMLResponse(shared.pages.needs_consent(exchange.view(), category, vendor), 403)
    preferences = exchange.root_path + shared.manager.prefix
    named = f"vendor {vendor!r} of category {category!r}" if vendor else f"category {category!r}"
    more: dict[str, Any] = {"category": category, "preferences": preferences}
    if vendor:
        more["vendor"] = vendor
    return HTTPProblem(
        403, f"This needs consent for {named}, which can be given at {preferences}.", more=more
    ).response()
