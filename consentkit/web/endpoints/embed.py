"""Embedded content of third parties: a frame of ours with a placeholder, or with the vendor's frame once it is allowed.

The embedding page is the same for every visitor. This endpoint decides what the visitor sees, with or without JavaScript. "Load
once" is a signed token for one vendor, one address and one minute. It changes no decision, and its record has no pseudonym.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from markupsafe import Markup

from consentkit.consent import signer
from consentkit.enforcement import is_within
from consentkit.errors import LedgerError
from consentkit.headers import local_path, own_path
from consentkit.policy import Vendor
from consentkit.web.endpoints.answer import Answer, Methods
from consentkit.web.endpoints.body import FORM, media_type, required_body
from consentkit.web.endpoints.problem import HTTPProblem
from consentkit.web.endpoints.query import RepeatedFieldError, unique_fields
from consentkit.web.exchange import Exchange
from consentkit.web.response import Response, html, redirect
from consentkit.web.services import SiteServices

__all__ = ["FRAMED_HEADERS", "EmbedEndpoint"]

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
# The query fields of an embed, in the order in which redirects write them; other fields are ignored.
_FIELDS = ("u", "next", "t")


class EmbedEndpoint:
    """Responds at `embed/{vendor}?u=URL`."""

    def __init__(self, site: SiteServices) -> None:
        manager = site.manager
        self._site = site
        self._manager = manager
        self.methods: Methods = {"GET": self._show, "POST": self._load_once}
        salt = f"consentkit.embed.v1|{manager.group}|{manager.site}"
        self._signer = signer(manager.cookie.keys_oldest_first, salt)

    def _show(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return a page with the vendor's frame if it is allowed or loaded once, otherwise with the placeholder."""
        vendor, query = self._requested(exchange)
        is_shown = exchange.consent.vendors[vendor.id] or self._is_valid(
            query.get("t", ""), vendor.id, query["u"]
        )
        pages, view = self._site.pages, exchange.view(back=query.get("next") or "/")
        rows = pages.policy_json(view.language)["vendors"]
        tag = self._site.script_tag.tag(
            pages.language(view.language),
            root_path=view.root_path,
            consent=view.consent,
            reload=f"{vendor.category}:{vendor.id}",
        )
        page = pages.render(
            "embed.html",
            view,
            vendor=next(row for row in rows if row["id"] == vendor.id),
            address=query["u"],
            again=self._address(exchange, vendor, query),
            shown=is_shown,
            script=Markup(tag),  # noqa: S704 - escaped where it was written
        )
        headers = {"cache-control": "private, no-store"}
        if is_shown:
            headers["content-security-policy"] = f"{_POLICY}; frame-src {' '.join(vendor.origins.frame)}"
        return html(page, headers=headers)

    def _load_once(self, exchange: Exchange, body: bytes | None) -> Answer:
        """Return a step that records "load once", and then redirects to the vendor's frame for one minute."""
        vendor, query = self._requested(exchange)
        if required_body(body) and media_type(exchange.head) != FORM:
            raise HTTPProblem(415, f"Send {FORM}.")
        query.pop("t", None)
        consent = exchange.consent
        if consent._current().vendors[vendor.id]:
            return self._again(exchange, vendor, query)
        language = self._site.pages.language(consent._language())
        context = consent._choice_context(choice="load_once", surface="embed", language=language)

        def record() -> Response:
            try:
                self._manager.recorder.loaded_once(vendor.id, context)
            except LedgerError:
                raise HTTPProblem(
                    503,
                    "This cannot be recorded at the moment, so nothing was loaded.",
                    headers={"retry-after": "5"},
                ) from None
            query["t"] = self._token(vendor.id, query["u"])
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
            raise HTTPProblem(404, "No content of such a third party is embedded here.")
        query = _query(exchange.head.query)
        if not is_within(query.get("u", ""), vendor.origins.frame):
            raise HTTPProblem(400, "`u` is not an address within this third party's frame origins.")
        if "next" in query:
            query["next"] = local_path(query["next"], self._own_path(exchange))
        return vendor, query

    def _address(self, exchange: Exchange, vendor: Vendor, query: Mapping[str, str]) -> str:
        return f"{self._own_path(exchange)}/embed/{vendor.id}?{urlencode(query)}"

    def _own_path(self, exchange: Exchange) -> str:
        return own_path(exchange.head.root_path, self._manager.prefix)

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
    try:
        fields = unique_fields(raw)
    except RepeatedFieldError:
        raise HTTPProblem(400, "The query names a field twice.") from None
    except ValueError:
        raise HTTPProblem(400, "The query is not in UTF-8, percent-encoded.") from None
    return {name: fields[name] for name in _FIELDS if name in fields}
