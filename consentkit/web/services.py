"""What all exchanges of one site work with: its pages, its cookie gate, its part in the hand-off, what was seen."""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import blake2s

from consentkit._version import __version__
from consentkit.consent import Consent
from consentkit.enforcement import (
    ContentSecurityPolicy,
    CookieGate,
    CookieHeaderCache,
    ObservedCookies,
    SetCookieFilter,
    Verdict,
    nonce_of,
)
from consentkit.handoff import Handoff, handoff_address
from consentkit.headers import RawHeaders, caching, cookie_values, is_complete_html, is_encoded
from consentkit.html import Inserter
from consentkit.manager import ConsentManager, NoRevocations
from consentkit.ui import Pages, ScriptTag, View
from consentkit.web.request_consent import RequestConsent

__all__ = ["SiteServices"]

_POLICIES = frozenset({b"content-security-policy", b"content-security-policy-report-only"})
SETTINGS_CLASS = b"cookie-consent-settings"


class SiteServices:
    """What all exchanges of one site share.

    Attributes:
        told_name: the cookie that says from which site a choice was brought, until a page has told the visitor.
        brief: attributes of that cookie and of the hand-off's transaction, without their Max-Age.
    """

    def __init__(self, manager: ConsentManager) -> None:
        self.manager = manager
        self.clock = manager.clock
        self.revocations = manager.revocations or NoRevocations()
        self.verified = manager.cookie.verified
        self.cookie_name = manager.cookie.name.encode()
        self.told_name = f"{manager.cookie.name}-from"
        self.brief = f"; Path=/; SameSite=Lax; HttpOnly{'; Secure' if manager.cookie.secure else ''}"
        self.gate = CookieGate(manager.policy, own_names=manager.cookie.names, strict=manager.strict)
        self.outgoing = SetCookieFilter(self.gate)
        self.sent = CookieHeaderCache(self.cookie_name, self.gate)
        self.spans = self.sent.spans
        self.handoff = Handoff(manager) if len(manager.policy.sites) > 1 and _has_keys(manager) else None
        self.pages = Pages(
            manager.policy,
            manager.notice,
            site=manager.site,
            prefix=manager.prefix,
            origins={site: origins[0] for site, origins in manager.origins.items()},
            handoff=self.handoff.partners if self.handoff else (),
            lead=handoff_address,
            templates=manager.templates,
            locales=manager.locales,
            stylesheets=manager.stylesheets,
        )
        manager.recorder.store_renderings_from(self.pages.rendering)
        self.loader = ScriptTag(
            manager.policy,
            manager.cookie,
            src=self.pages.asset_url("consent.js"),
            asks=manager.show_banner,
            group=_leading(manager) if self.handoff and manager.private_key else "",
        )
        self.csp = ContentSecurityPolicy(manager.csp, manager.policy) if manager.csp is not None else None
        self.own_nonce = manager.csp is not None and "'nonce-{nonce}'" in manager.csp
        self.all_vendors = frozenset(vendor.id for vendor in manager.policy.vendors)
        languages = manager.policy.languages
        honoured = any(manager.policy.honours_gpc(category.id) for category in manager.policy.optional)
        self.vary = (b"Cookie", *((b"Sec-GPC",) if honoured else ()))
        # What an answer for one visitor says, where the application said nothing about caching.
        self.personal = caching.depends_on_visitor([], self.vary, b"")
        self.vary_page = (*self.vary, *((b"Accept-Language",) if len(languages) > 1 else ()))
        self.observed_cookies = ObservedCookies(manager.observed)

    def is_complete_html(self, method: str, status: int, headers: RawHeaders, path: str) -> bool:
        """Say whether our parts belong into an HTML answer, so far as its headers tell."""
        if not is_complete_html(method, status, headers):
            return False
        if not is_encoded(headers):
            return True
        self.observed_cookies.warn_once(
            "content-encoding",
            "%r arrives encoded, so that no banner can be put in: add the compressing middleware after "
            "ConsentMiddleware, so that it runs around it.",
            path,
        )
        return False

    def warn_of_public(self, path: str) -> None:
        """Say once for each path that its answer cannot be what it claims to be."""
        self.observed_cookies.warn_once(
            path, "%r is marked public but depends on the consent: sent as private.", path
        )

    def inserter(
        self,
        view: View,
        headers: RawHeaders,
        consent: RequestConsent | None,
        *,
        news: bytes,
        dropped: Sequence[Verdict],
    ) -> Inserter:
        """Make our parts for a page, and what finds their spans in it; without a consent for a page that everybody shares.

        The script comes first, since it tells all others what is allowed.
        """
        pages = self.pages
        policies = caching.values(headers, b"content-security-policy")
        nonce = consent.nonce if consent and self.own_nonce and not policies else nonce_of(policies)
        follows = consent is not None and (self.csp is not None or consent.accessed)
        tag = self.loader.tag(
            pages.language(view.language),
            root_path=view.root_path,
            nonce=nonce,
            consent=view.consent if consent else None,
            reload="" if follows else None,
            dropped=_described(dropped) if self.manager.debug else (),
        )
        return Inserter(
            (tag + pages.head(view, nonce)).encode(),
            news + (pages.banner(view).encode() if consent and self.manager.show_banner else b""),
            pages.settings(view).encode(),
            unless_class=SETTINGS_CLASS,
        )

    def opened(
        self, csp: ContentSecurityPolicy, headers: list[tuple[bytes, bytes]], consent: RequestConsent | None
    ) -> list[tuple[bytes, bytes]]:
        """Open the site's Content-Security-Policy, or the answer's own, for the vendors that are granted.

        Without a consent, for a page that everybody shares, it is opened for all that are declared: there the script alone holds.
        """
        vendors = consent.peek().vendors if consent else dict.fromkeys(self.all_vendors, True)
        granted = frozenset(vendor for vendor, allowed in vendors.items() if allowed)
        opened = [
            (name, csp.merge_into([value], granted)[0] if name.lower() in _POLICIES else value)
            for name, value in headers
        ]
        if not caching.values(headers, b"content-security-policy"):
            nonce = consent.nonce if consent and self.own_nonce else None
            opened.append((b"content-security-policy", csp.header(granted, nonce).encode()))
        return opened

    def news(self, view: View, headers: RawHeaders) -> bytes:
        """Make the line that says from which site the choice was brought here, for the first page after that."""
        site = self._arrived_from(headers) if view.consent.status.decided else None
        return self.pages.arrival(view, site).encode() if site else b""

    def _arrived_from(self, headers: RawHeaders) -> str | None:
        """Name the site; None for whatever is no site to fetch a choice from."""
        if self.handoff is None:
            return None
        sent = cookie_values(headers, self.told_name.encode())
        site = sent[0].decode("latin-1") if len(sent) == 1 else ""
        return site if site in self.handoff.partners else None

    def forget_arrival(self) -> str:
        """Give the Set-Cookie value after which nothing is said of it any more."""
        return f"{self.told_name}={self.brief}; Max-Age=0"

    def state(self, consent: Consent, language: str) -> bytes:
        """Name the state of a visitor's pages: two answers with one name look the same to the visitor."""
        shown = (
            consent.status.value,
            list(consent.categories.values()),
            list(consent.vendors.values()),
            consent.asking,
            consent.gpc,
            consent.expires,
            language,
            self.look,
        )
        return blake2s(repr(shown).encode(), digest_size=9).hexdigest().encode()

    @cached_property
    def look(self) -> str:
        """Name what goes into pages beside the visitor's own state; another policy, template or version is another look."""
        manager = self.manager
        renderings = [self.pages.rendering(language) for language in manager.policy.languages]
        told = (manager.policy.model_dump_json(), json.dumps(renderings))
        parts = (__version__, manager.show_banner, manager.csp, *told)
        return blake2s(repr(parts).encode(), digest_size=9).hexdigest()


def _leading(manager: ConsentManager) -> str:
    """Tell the script from where, and to which origins, links take a choice along."""
    others = [origins[0] for site, origins in manager.origins.items() if site != manager.site]
    return " ".join((manager.site, manager.prefix, *others))


def _has_keys(manager: ConsentManager) -> bool:
    return manager.private_key is not None or any(site.public_key for site in manager.policy.sites)


def _described(dropped: Sequence[Verdict]) -> Iterator[str]:
    for verdict in dropped:
        category = f" ({verdict.tracker.category})" if verdict.tracker else ""
        yield f"{verdict.name}: {verdict.reason.value}{category}"
