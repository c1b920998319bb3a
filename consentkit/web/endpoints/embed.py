"""Embedded content of third parties: a placeholder until it is allowed, then the vendor's frame, both in a frame of ours.

The page that embeds is the same for everybody; what a visitor gets is decided here, with or without JavaScript. "Load once" is a
signed token for one vendor, one address and one minute: no setting changes, and the record of it leads to nobody.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from urllib.parse import parse_qsl, urlencode

from itsdangerous import Signer
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from consentkit.enforcement import is_within
from consentkit.errors import LedgerError
from consentkit.headers import local_path
from consentkit.policy import Vendor
from consentkit.web.endpoints import body as intake
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.exchange import SiteServices, exchange_of
from consentkit.web.threads import in_ledger_thread

__all__ = ["FRAMED_HEADERS", "EmbedEndpoint"]

Handler = Callable[[Request], Awaitable[Response]]

TOKEN_SECONDS = 60
_TOKEN = re.compile(r"([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{1,64})")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
FRAMED_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", _POLICY.encode()),
    (b"x-frame-options", b"SAMEORIGIN"),
)


class EmbedEndpoint:
    """Answer at `embed/{vendor}?u=URL`."""

    def __init__(self, shared: SiteServices) -> None:
        manager = shared.manager
        self._shared = shared
        self._manager = manager
        self.methods: Mapping[str, Handler] = {"GET": self._show, "POST": self._load_once}
        self._signer = Signer(
            manager.cookie.keys_oldest_first,
            f"consentkit.embed.v1|{manager.group}|{manager.site}",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    async def _show(self, request: Request) -> Response:
        exchange = exchange_of(request.scope)
        vendor, query = self._asked(request)
        consent = exchange
        shown = consent.vendors[vendor.id] or self._is_valid(query.get("t", ""), vendor.id, query["u"])
        pages, view = self._shared.pages, exchange.view(back=query.get("next") or "/")
        language = pages.language(view.language)
        rows = pages.policy_json(view.language)["vendors"]
        tag = self._shared.loader.tag(
            language,
            root_path=view.root_path,
            consent=view.consent,
            reload=f"{vendor.category}:{vendor.id}",
        )
        html = pages.render(
            "embed.html",
            view,
            vendor=next(row for row in rows if row["id"] == vendor.id),
            address=query["u"],
            again=self._address(request, vendor, query),
            shown=shown,
            script=Markup(tag),  # noqa: S704 - escaped where it was written
        )
        headers = {"cache-control": "private, no-store"}
        if shown:
            headers["content-security-policy"] = f"{_POLICY}; frame-src {' '.join(vendor.origins.frame)}"
        return HTMLResponse(html, headers=headers)

    async def _load_once(self, request: Request) -> Response:
        """Let one vendor's content be loaded for a minute; the record first, as with every choice that widens."""
        exchange = exchange_of(request.scope)
        vendor, query = self._asked(request)
        if await intake.body(request) and intake.media_type(request) != intake.FORM:
            raise HTTPProblem(415, f"Send {intake.FORM}.")
        consent = exchange
        query.pop("t", None)
        if not consent.peek().vendors[vendor.id]:
            language = self._shared.pages.language(consent.language())
            context = consent.context(choice="load_once", surface="embed", language=language)
            try:
                await in_ledger_thread(lambda: self._manager.recorder.loaded_once(vendor.id, context))
            except LedgerError:
                raise HTTPProblem(
                    503,
                    "This cannot be recorded at the moment, so nothing was loaded.",
                    headers={"retry-after": "5"},
                ) from None
            query["t"] = self._token(vendor.id, query["u"])
        headers = {"cache-control": "private, no-store"}
        return RedirectResponse(self._address(request, vendor, query), 303, headers=headers)

    def _asked(self, request: Request) -> tuple[Vendor, dict[str, str]]:
        """Read which vendor and address are meant."""
        name = request.scope["path"].rpartition("/")[2]
        vendor = next((one for one in self._manager.policy.vendors if one.id == name), None)
        if vendor is None or not vendor.origins.frame:
            raise HTTPProblem(404, "No content of such a third party is embedded here.")
        query = _query(request.scope.get("query_string", b""))
        if not is_within(query.get("u", ""), vendor.origins.frame):
            raise HTTPProblem(400, "`u` is not an address within this third party's frame origins.")
        if "next" in query:
            root_path: str = request.scope.get("root_path", "")
            query["next"] = local_path(query["next"], root_path.rstrip("/") + self._manager.prefix)
        return vendor, query

    def _address(self, request: Request, vendor: Vendor, query: Mapping[str, str]) -> str:
        exchange = exchange_of(request.scope)
        base = exchange.root_path + self._manager.prefix
        return f"{base}/embed/{vendor.id}?{urlencode(query)}"

    # Tokens

    def _token(self, vendor: str, address: str) -> str:
        until = int(self._manager.clock()) + TOKEN_SECONDS
        return f"{until}.{self._signer.get_signature(_claim(until, vendor, address)).decode()}"

    def _is_valid(self, token: str, vendor: str, address: str) -> bool:
        match = _TOKEN.fullmatch(token)
        if match is None or not 0 <= int(match[1]) - self._manager.clock() <= TOKEN_SECONDS:
            return False
        return self._signer.verify_signature(_claim(match[1], vendor, address), match[2])


def _claim(until: int | str, vendor: str, address: str) -> bytes:
    return f"{until}|{vendor}|{address}".encode()


def _query(raw: bytes) -> dict[str, str]:
    """Read the fields that count, each once, in one order; whatever else is sent plays no part."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=16)
    except ValueError:
        raise HTTPProblem(400, "The query is not in UTF-8, percent-encoded.") from None
    return _once(pairs)


def _once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise HTTPProblem(400, "The query names a field twice.")
        found[name] = value
    return {name: found[name] for name in ("u", "next", "t") if name in found}
