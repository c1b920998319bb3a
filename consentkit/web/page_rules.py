"""Which HTML responses get our markup, and what is logged of the others."""

import logging
import re
from collections.abc import Mapping
from fnmatch import translate

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

    def judge(self, head: RequestHead, headers: RawHeaders) -> Obstacle | Recoder | None:
        """Judge an HTML response by its address and headers.

        Returns:
            why nothing is inserted, or what undoes the compression of a page and applies it again; None for a page that is not
            compressed.
        """
        if self.is_excluded(head):
            return Obstacle.EXCLUDED
        obstacle = obstacle_in(headers)
        codings = content_codings(headers)
        if obstacle is not None or not codings:
            return obstacle
        return Recoder.of(codings, header_values(head.headers, b"accept-encoding")) or Obstacle.ENCODED

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


def _pattern(excluded: tuple[str, ...]) -> "re.Pattern[str] | None":
    """Return what matches one of these paths. Its time is linear in the path, which a stranger chooses."""
    if not excluded:
        return None
    # Of what `fnmatch` reads, only the star has a meaning in these paths.
    return re.compile("|".join(translate(path.replace("[", "[[]")) for path in excluded))
