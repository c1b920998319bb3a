"""Which HTML responses get our markup, and what is logged of the others."""

import logging
import re
from collections.abc import Mapping

from consentkit.enforcement import ObservedCookies
from consentkit.headers import Obstacle, RawHeaders, content_codings, header_values, obstacle_in
from consentkit.manager import ConsentManager
from consentkit.web.recoding import Recoder
from consentkit.web.request_head import RequestHead

__all__ = ["PageRules"]

Headers = list[tuple[bytes, bytes]]

_REMEDIES: Mapping[Obstacle, str] = {
    Obstacle.CHARSET: " Send it as UTF-8.",
    Obstacle.ENCODED: " Compress it with gzip, or add the compressing middleware after ConsentMiddleware.",
}


class PageRules:
    """Which HTML responses of a site get our markup.

    Those that are left alone are logged once for each reason. With `debug`, each of them carries the reason in a header, which
    browsers show with the timing of the request, and which our script in the page around it writes to the console.
    """

    def __init__(self, manager: ConsentManager, observed: ObservedCookies) -> None:
        self._excluded = _pattern(manager.exclude)
        self._is_debug = manager.debug
        self._observed = observed

    def is_excluded(self, head: RequestHead) -> bool:
        """Return whether the owner wants the pages at an address left alone."""
        return self._excluded is not None and self._excluded.fullmatch(head.local_path) is not None

    def obstacle(self, head: RequestHead, headers: RawHeaders) -> Obstacle | None:
        """Return why nothing is inserted into an HTML response, as far as its address and headers tell; None if it may be."""
        if self.is_excluded(head):
            return Obstacle.EXCLUDED
        found = obstacle_in(headers)
        if found is None and (codings := content_codings(headers)) and _recoder(head, codings) is None:
            return Obstacle.ENCODED
        return found

    def recoder(self, head: RequestHead, headers: RawHeaders) -> Recoder | None:
        """Return what undoes the compression of a page and applies it again; None for a page that is not compressed."""
        return _recoder(head, content_codings(headers))

    def report(self, obstacle: Obstacle, head: RequestHead, headers: Headers) -> Headers:
        """Log a response that is left alone, unless one was logged for the same reason, and return its headers."""
        remedy = _REMEDIES.get(obstacle, "")
        self._observed.log_once(
            logging.WARNING if remedy else logging.INFO,
            f"obstacle {obstacle.name}",
            "%r gets no banner, because %s.%s",
            head.path,
            obstacle.value,
            remedy,
        )
        if not self._is_debug:
            return headers
        return [*headers, (b"server-timing", f'consentkit;desc="no banner: {obstacle.value}"'.encode())]


def _recoder(head: RequestHead, codings: list[bytes]) -> Recoder | None:
    return Recoder.of(codings, header_values(head.headers, b"accept-encoding")) if codings else None


def _pattern(excluded: tuple[str, ...]) -> "re.Pattern[str] | None":
    if not excluded:
        return None
    return re.compile("|".join(re.escape(path).replace(r"\*", ".*") for path in excluded), re.DOTALL)
