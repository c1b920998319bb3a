"""What all exchanges of one site work with: its pages, its cookie gate, its part in the hand-off, what was seen."""

import json
from functools import cached_property
from hashlib import blake2s

from consentkit import __version__, caching
from consentkit.csp import nonce_of
from consentkit.documents import is_encoded, takes_parts
from consentkit.gate import CookieGate
from consentkit.handoff import Handoff
from consentkit.headers import RawHeaders, cookie_values
from consentkit.inject import Injector
from consentkit.manager import ConsentManager
from consentkit.pages import Pages, View
from consentkit.sightings import Sightings

__all__ = ["Exchanges"]

SETTINGS_CLASS = b"cookie-consent-settings"


class Exchanges:
    """What all exchanges of one site share.

    Attributes:
        told_name: the cookie that says from which site a choice was brought, until a page has told the visitor.
        brief: attributes of that cookie and of the hand-off's transaction, without their Max-Age.
    """

    def __init__(self, manager: ConsentManager) -> None:
        self.manager = manager
        self.cookie_name = manager.cookie.name.encode()
        self.told_name = f"{manager.cookie.name}-from"
        self.brief = f"; Path=/; SameSite=Lax; HttpOnly{'; Secure' if manager.cookie.secure else ''}"
        self.gate = CookieGate(manager.policy, own_names=manager.cookie.names, strict=manager.strict)
        self.handoff = Handoff(manager) if len(manager.policy.sites) > 1 and _has_keys(manager) else None
        self.pages = Pages(
            manager.policy,
            manager.notice,
            site=manager.site,
            prefix=manager.prefix,
            origins={site: origins[0] for site, origins in manager.origins.items()},
            handoff=self.handoff.partners if self.handoff else (),
            templates=manager.templates,
            locales=manager.locales,
            stylesheets=manager.stylesheets,
        )
        manager.registrar.rendering = self.pages.rendering
        languages = manager.policy.languages
        honoured = any(manager.policy.honours_gpc(category.id) for category in manager.policy.optional)
        self.vary = (b"Cookie", *((b"Sec-GPC",) if honoured else ()))
        self.vary_page = (*self.vary, *((b"Accept-Language",) if len(languages) > 1 else ()))
        self.sightings = Sightings()

    def takes_parts(self, method: str, status: int, headers: RawHeaders, path: str) -> bool:
        """Say whether our parts belong into an HTML answer, so far as its headers tell."""
        if not takes_parts(method, status, headers):
            return False
        if not is_encoded(headers):
            return True
        self.sightings.warn_once(
            "content-encoding",
            "%r arrives encoded, so that no banner can be put in: add the compressing middleware after "
            "ConsentMiddleware, so that it runs around it.",
            path,
        )
        return False

    def injector(self, view: View, headers: RawHeaders, *, news: bytes, banner: bool) -> Injector:
        """Make our parts for a page, and what finds their places in it."""
        pages = self.pages
        nonce = nonce_of(caching.values(headers, b"content-security-policy"))
        return Injector(
            pages.head(view, nonce).encode(),
            news + (pages.banner(view).encode() if banner and self.manager.show_banner else b""),
            pages.settings(view).encode(),
            unless_class=SETTINGS_CLASS,
        )

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

    @cached_property
    def look(self) -> str:
        """Name what goes into pages beside the visitor's own state; another notice, template or version is another look."""
        manager = self.manager
        renderings = [self.pages.rendering(language) for language in manager.policy.languages]
        parts = (__version__, manager.notice.digest, manager.show_banner, json.dumps(renderings))
        return blake2s(repr(parts).encode(), digest_size=9).hexdigest()


def _has_keys(manager: ConsentManager) -> bool:
    return manager.private_key is not None or any(site.public_key for site in manager.policy.sites)
