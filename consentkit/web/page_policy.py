"""The Content-Security-Policy of a site's pages, opened for each visitor."""

from collections.abc import Sequence
from urllib.parse import quote

from consentkit._bounded_cache import BoundedCache
from consentkit.enforcement import ContentSecurityPolicy, OwnSources, nonce_of
from consentkit.headers import RawHeaders, caching
from consentkit.manager import ConsentManager
from consentkit.ui import Pages, inline_style
from consentkit.web.request_consent import RequestConsent

__all__ = ["PagePolicy"]

_POLICIES = frozenset({b"content-security-policy", b"content-security-policy-report-only"})
_ROOT_PATHS_REMEMBERED = 16


class PagePolicy:
    """The policies of a site's pages: the site's own, and those that responses bring.

    Attributes:
        is_set: whether policies are opened. Otherwise none is changed.
    """

    def __init__(self, manager: ConsentManager, pages: Pages, *, scripts: Sequence[str]) -> None:
        """Read the site's policy. `scripts` are the library's own that pages have.

        Raises:
            ConfigurationError: browsers would read it differently than its owner probably means it.
        """
        self._csp = ContentSecurityPolicy(manager.csp, manager.policy) if manager.csp is not None else None
        self.is_set = self._csp is not None
        self._is_added = bool(manager.csp)
        self._manager = manager
        self._pages = pages
        self._scripts = scripts
        self._own_sources: BoundedCache[str, OwnSources] = BoundedCache(_ROOT_PATHS_REMEMBERED)
        self._all_vendors = frozenset(vendor.id for vendor in manager.policy.vendors)

    def nonce(self, headers: RawHeaders, consent: RequestConsent | None) -> str | None:
        """Return the nonce of the response's own policies, or of the site's policy if the response has none.

        Args:
            headers: of the response.
            consent: the visitor's; None for a page that is the same for every visitor.
        """
        policies = caching.values(headers, b"content-security-policy")
        if policies or consent is None or self._csp is None or not self._csp.takes_nonce:
            return nonce_of(policies)
        return consent.nonce

    def is_fixed(self, headers: RawHeaders) -> bool:
        """Return whether a response has a policy that is not changed, and so may forbid inline rules."""
        return self._csp is None and bool(caching.values(headers, b"content-security-policy"))

    def open(
        self, headers: list[tuple[bytes, bytes]], root_path: str, consent: RequestConsent | None
    ) -> list[tuple[bytes, bytes]]:
        """Return the headers with a Content-Security-Policy that allows the granted vendors.

        The response's own policy is extended, or the site's policy is added if the response has none. A page that is the same
        for every visitor has no `consent`: its policy allows all vendors, and only the script holds them back. The same object
        is returned if there is nothing to open and nothing to add.
        """
        csp = self._csp
        has_policy = bool(caching.values(headers, b"content-security-policy"))
        if csp is None or not (has_policy or self._is_added):
            return headers
        granted = self._granted(consent)
        own = self._own_sources.get(root_path) or self._own_sources_below(root_path)
        nonce = self.nonce(headers, consent)
        opened = [
            (name, csp.merge_into(value, granted, own, nonce) if name.lower() in _POLICIES else value)
            for name, value in headers
        ]
        if not has_policy:
            opened.append((b"content-security-policy", csp.header(granted, own, nonce).encode()))
        return opened

    def blocked_vendors(self, headers: RawHeaders, root_path: str, consent: RequestConsent) -> list[str]:
        """Return each vendor that a page's policy blocks, as `category:vendor`, in the order of the policy file.

        The policy of a document is fixed. A grant to one of these vendors takes effect in a new document only.
        """
        csp = self._csp
        if csp is None:
            return []
        granted = self._granted(consent)
        own = self._own_sources.get(root_path) or self._own_sources_below(root_path)
        policies = caching.values(headers, b"content-security-policy")
        values = [csp.merge_into(value, granted, own).decode("latin-1") for value in policies]
        if not values and self._is_added:
            values = [csp.header(granted, own)]
        blocked = csp.blocked_vendors(",".join(values))
        vendors = self._manager.policy.vendors
        return [f"{vendor.category}:{vendor.id}" for vendor in vendors if vendor.id in blocked]

    def _granted(self, consent: RequestConsent | None) -> frozenset[str]:
        if consent is None:
            return self._all_vendors
        return frozenset(vendor for vendor, allowed in consent._current().vendors.items() if allowed)

    def _own_sources_below(self, root_path: str) -> OwnSources:
        """Return the addresses of the library's own parts for an application that is mounted at a path."""
        # In a source, a semicolon or a comma would end it. Browsers decode its path before they compare.
        root = quote(root_path)
        prefix, origins = self._manager.prefix, self._manager.origins[self._manager.site]

        def at(path: str) -> tuple[str, ...]:
            return tuple(f"{origin}{root}{path}" for origin in origins)

        own = self._own_sources[root_path] = OwnSources(
            script=tuple(source for name in self._scripts for source in at(self._pages.asset_url(name))),
            style=(*at(self._pages.asset_url("consent.css")), inline_style()[1]),
            requests=(*at(prefix), *at(f"{prefix}/")),
            forms=at(f"{prefix}/"),
            embeds=at(f"{prefix}/embed/"),
        )
        return own
