"""Embedded content of third parties: a frame of ours with a placeholder, or with the vendor's frame once it is allowed.

The embedding page is the same for every visitor. This endpoint decides what the visitor sees, with or without JavaScript. "Load
once" is a signed token for one vendor, one address and one minute. It changes no decision, and its record has no pseudonym.

The vendor's frame shows only in a frame of this site's own pages and of its front ends. So a token or an allowed vendor is of no
use to another site: neither in a link nor in a frame of its own.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from markupsafe import Markup

from consentkit.enforcement import is_within
from consentkit.errors import LedgerError
from consentkit.headers import RawHeaders, header_values, local_path, own_path
from consentkit.policy import Vendor
from consentkit.ui import EmbeddedContent, extra_tag
from consentkit.web.embed_signer import EmbedSigner
from consentkit.web.endpoints.answer import Answer, Methods
from consentkit.web.endpoints.body import FORM, media_type, required_body
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.exchange import Exchange
from consentkit.web.query import RepeatedFieldError, unique_fields
from consentkit.web.request_head import RequestHead
from consentkit.web.response import Response, html, redirect
from consentkit.web.services import SiteServices

__all__ = ["EmbedEndpoint"]

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
# The query fields of an embed, in the order in which redirects write them; other fields are ignored.
_FIELDS = ("u", "s", "next", "kind", "title", "poster", "r", "t")


class EmbedEndpoint:
    """Responds at `embed/{vendor}?u=URL&s=SIGNATURE`.

    Attributes:
        headers: of each response that has none of the same name.
    """

    def __init__(self, site: SiteServices) -> None:
        manager = site.manager
        self._site = site
        self._manager = manager
        self.methods: Methods = {"GET": self._show, "POST": self._load_once}
        self._signer = EmbedSigner(manager)
        self._policy = " ".join((_POLICY, *manager.frontends))
        # X-Frame-Options cannot name a front end.
        legacy = [] if manager.frontends else [(b"x-frame-options", b"SAMEORIGIN")]
        self.headers: RawHeaders = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"content-security-policy", self._policy.encode()),
            *legacy,
            # For browsers without fetch metadata: a page of another site that opened this one in a window learns nothing of it.
            (b"cross-origin-opener-policy", b"same-origin"),
        ]

    def _show(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return a page with the vendor's frame if it is allowed or loaded once, otherwise with the placeholder.

        Outside a frame of this site the page is the placeholder for everybody, without a script.
        """
        vendor, query = self._requested(exchange)
        is_framed = self._is_framed(exchange.head)
        is_shown = is_framed and (
            exchange.consent.vendors[vendor.id]
            or self._signer.is_valid(query.get("t", ""), vendor.id, query["u"])
        )
        pages, view = self._site.pages, exchange.view(back=query.get("next") or "/")
        tag = self._site.script_tag.tag(
            pages.language(view.language),
            root_path=view.root_path,
            consent=view.consent,
            reload=f"{vendor.category}:{vendor.id}",
        )
        if self._manager.frontends:
            frames = pages.asset_url("frames.js", view.root_path)
            tag += extra_tag(frames, None, origins=" ".join(self._manager.frontends))
        content = EmbeddedContent(
            vendor=vendor.id,
            address=query["u"],
            kind=query.get("kind", ""),
            title=query.get("title", ""),
            poster=query.get("poster", ""),
        )
        page = pages.embed(
            view,
            content,
            again=lambda rendering: self._address(exchange, vendor, query | {"r": rendering}),
            shown=is_shown,
            framed=is_framed,
            script=Markup(tag),  # noqa: S704 - escaped where it was written
        )
        headers = {"cache-control": "private, no-store"}
        if not is_shown:
            exchange.count_shown("embed")
        else:
            headers["content-security-policy"] = f"{self._policy}; frame-src {' '.join(vendor.origins.frame)}"
        return html(page, headers=headers)

    def _load_once(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return a step that records "load once", and then redirects to the vendor's frame for one minute.

        Raises:
            HTTPProblem: the request does not come from a browser (403), or the ledger cannot record it (503).
        """
        vendor, query = self._requested(exchange)
        headers = exchange.head.headers
        if not (header_values(headers, b"sec-fetch-site") or header_values(headers, b"origin")):
            raise HTTPProblem(403, "Only the button of a placeholder, in a browser, can load content once.")
        if required_body(body) and media_type(exchange.head) != FORM:
            raise HTTPProblem(415, f"The body must be {FORM}.")
        query.pop("t", None)
        rendering = query.pop("r", "")
        consent = exchange.consent
        if consent._current().vendors[vendor.id]:
            return self._again(exchange, vendor, query)
        language = self._site.pages.language(consent._language())
        context = consent._choice_context(
            choice="load_once", surface="embed", language=language, rendering=rendering
        )

        def record() -> Response:
            try:
                self._manager.recorder.loaded_once(vendor.id, context)
            except LedgerError:
                raise HTTPProblem(
                    503,
                    "We couldn't record this, so nothing was loaded. Please try again later.",
                    headers={"retry-after": "5"},
                ) from None
            query["t"] = self._signer.token(vendor.id, query["u"])
            return self._again(exchange, vendor, query)

        return record

    def _again(self, exchange: Exchange, vendor: Vendor, query: Mapping[str, str]) -> Response:
        """Return a redirect to the same address with GET, so that the Back button shows no error page."""
        return redirect(self._address(exchange, vendor, query), {"cache-control": "private, no-store"})

    def _requested(self, exchange: Exchange) -> tuple[Vendor, dict[str, str]]:
        """Return the vendor in a request's path, and the fields of its query.

        Raises:
            HTTPProblem: the vendor embeds no content here (404), or the query is wrong (400).
        """
        name = exchange.head.path.rpartition("/")[2]
        vendor = next((vendor for vendor in self._manager.policy.vendors if vendor.id == name), None)
        if vendor is None or not vendor.origins.frame:
            raise HTTPProblem(404, "The policy has no such third party with content to embed.")
        query = _query(exchange.head.query)
        if not is_within(query.get("u", ""), vendor.origins.frame):
            raise HTTPProblem(400, "`u` is not an address within this third party's frame origins.")
        shown = {name: query.get(name, "") for name in ("title", "poster")}
        if not self._signer.is_signed(vendor.id, query["u"], query.get("s", ""), **shown):
            raise HTTPProblem(400, "`s` does not sign `u`: use the address that `consent_embed` writes.")
        if "next" in query:
            query["next"] = local_path(query["next"], self._own_path(exchange))
        return vendor, query

    def _is_framed(self, head: RequestHead) -> bool:
        """Return whether a request is for a frame in a page of this site, as far as the browser says (Fetch Metadata).

        Elsewhere the vendor's frame must not show: another site could count frames to learn who allowed the vendor. Front ends
        are on the same site. No browser shows the frame to other origins there, because the response lists the front ends.
        """
        destinations = header_values(head.headers, b"sec-fetch-dest")
        sites = header_values(head.headers, b"sec-fetch-site")
        is_near = sites in ([], [b"same-origin"]) or (
            bool(self._manager.frontends) and sites == [b"same-site"]
        )
        return destinations in ([], [b"iframe"]) and is_near

    def _address(self, exchange: Exchange, vendor: Vendor, query: Mapping[str, str]) -> str:
        return f"{self._own_path(exchange)}/embed/{vendor.id}?{urlencode(query)}"

    def _own_path(self, exchange: Exchange) -> str:
        return own_path(exchange.head.root_path, self._manager.prefix)


def _query(raw: bytes) -> dict[str, str]:
    try:
        fields = unique_fields(raw)
    except RepeatedFieldError:
        raise HTTPProblem(400, "The query names a field twice.") from None
    except ValueError:
        raise HTTPProblem(400, "The query is not in UTF-8, percent-encoded.") from None
    return {name: fields[name] for name in _FIELDS if name in fields}
