"""What all exchanges of one site work with: its pages, its cookie gate, its part in the hand-off, what was seen."""

import json
from functools import cached_property
from hashlib import blake2s

from consentkit import __version__
from consentkit.gate import CookieGate
from consentkit.handoff import Handoff
from consentkit.headers import RawHeaders, cookie_values
from consentkit.manager import ConsentManager
from consentkit.pages import Pages
from consentkit.sightings import Sightings

__all__ = ["Exchanges"]


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

    def arrived_from(self, headers: RawHeaders) -> str | None:
        """Name the site that the visitor's choice was just brought from; None for whatever is no site to fetch one from."""
        sent = cookie_values(headers, self.told_name.encode())
        site = sent[0].decode("latin-1") if len(sent) == 1 else ""
        return site if self.handoff is not None and site in self.handoff.partners else None

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
