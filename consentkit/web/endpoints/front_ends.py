"""Front ends on other origins, which read and decide with the visitor's cookie (Fetch, CORS protocol).

They are the origins of `ConsentManager(frontends=...)`, each matched exactly. They may read the addresses that the script uses.
"""

from consentkit.headers import RawHeaders, header_values
from consentkit.web.endpoints.answer import Methods
from consentkit.web.response import Response, no_content
from consentkit.web.services import SiteServices

__all__ = ["FrontEnds"]

_PATHS = frozenset({"", "/decision", "/banner", "/settings", "/policy.json", "/loader.js"})
_PREFLIGHT_SECONDS = 600


class FrontEnds:
    """The front ends of one site."""

    def __init__(self, site: SiteServices) -> None:
        self._site = site
        self._origins = frozenset(origin.encode() for origin in site.manager.frontends)

    def origin(self, headers: RawHeaders) -> bytes | None:
        """Return the origin of the front end that a request comes from; None if it comes from anywhere else.

        A browser that considers the front end another site keeps the cookie back. Its requests are not accepted, because a
        visitor without a cookie would be taken for a new one. That is logged once.
        """
        origins = header_values(headers, b"origin")
        if len(origins) != 1 or origins[0] not in self._origins:
            return None
        fetch_sites = header_values(headers, b"sec-fetch-site")
        if fetch_sites == [b"cross-site"]:
            self._site.observed_cookies.warn_once(
                "front end on another site",
                "The front end %s is on another site than %s, so browsers do not send it the consent cookie. "
                "Serve both below one registrable domain.",
                origins[0].decode("latin-1"),
                self._site.manager.origins[self._site.manager.site][0],
            )
        return origins[0] if fetch_sites in ([], [b"same-site"]) else None

    def preflight(self, path: str, methods: Methods, headers: RawHeaders) -> Response | None:
        """Return the response to a preflight request of a front end; None for any other request.

        Args:
            path: the requested path below the prefix.
            methods: the endpoints at that path.
            headers: of the request.
        """
        if not _is_for_scripts(path) or self.origin(headers) is None:
            return None
        return no_content(
            {
                "access-control-allow-methods": ", ".join(methods),
                "access-control-allow-headers": "Content-Type",
                "access-control-max-age": str(_PREFLIGHT_SECONDS),
                "cache-control": "private, no-store",
            }
        )

    def allow(self, path: str, headers: RawHeaders, response: Response) -> None:
        """Permit the front end that sent a request to read the response, with those of its headers that the script needs.

        Every response at the same address varies by Origin, so that no cache gives the permission of one origin to another.
        """
        if not self._origins or not _is_for_scripts(path):
            return
        _add_to_vary(response, b"Origin")
        origin = self.origin(headers)
        if origin is None:
            return
        response.headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"Consent-State, Consent-Outcome"),
        ]


def _is_for_scripts(path: str) -> bool:
    return path in _PATHS or path.startswith("/assets/")


def _add_to_vary(response: Response, name: bytes) -> None:
    vary = header_values(response.headers, b"vary")
    response.headers = [header for header in response.headers if header[0] != b"vary"]
    response.headers.append((b"vary", b", ".join((*vary, name))))
