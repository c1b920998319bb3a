"""The ids of renderings, which forms send back, so that a record leads to the very words that the visitor saw."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

from consentkit._bounded_cache import BoundedCache
from consentkit._version import __version__
from consentkit.ledger import SentWords
from consentkit.policy import Policy
from consentkit.ui.rendering import Renderings

__all__ = ["BASE", "RenderingIds", "SiteNotice"]

BASE: Final = "{base}"
"""Stands for the path of the library's pages, which depends on where the application is mounted."""

_STAND_INS: Final = {
    "base": BASE,
    "next": "{next}",
    "quoted": "{next}",
    "query": "{query}",
    "asked": "{asked}",
    "submission": "{submission}",
    "rendering": "{rendering}",
}


class RenderingIds:
    """The ids of one site's renderings.

    What differs between visitors and requests is left out of the words: the path to return to, the path of the application,
    and the visitor's own answer and its dates. So a policy has a limited number of renderings.
    """

    def __init__(
        self, renderings: Renderings, notice: str, site: str, sent: Callable[[SentWords], bool]
    ) -> None:
        """Start without ids.

        Args:
            renderings: the notice in each language.
            notice: its digest.
            site: id of the site.
            sent: called with words before they are sent. If it returns False, they get no id.
        """
        self._renderings, self._notice, self._site, self._sent = renderings, notice, site, sent
        self._ids: BoundedCache[tuple[Hashable, ...], str] = BoundedCache(1000)

    def id_of(self, surface: str, template: str, language: str, variant: Hashable, /, **values: Any) -> str:
        """Return the id of a rendering; empty if it is not stored.

        Args:
            surface: where it is shown, for the ledger.
            template: name of the template.
            language: a language of the policy.
            variant: differs where the values differ.
            values: for the template, the same for all visitors who get this variant.
        """
        key = (surface, template, language, variant)
        found = self._ids.get(key)
        if found is None:
            html = self._renderings[language].render(
                template, **({"notice": self._notice} | _STAND_INS | values)
            )
            words = SentWords.of(
                notice=self._notice,
                site=self._site,
                language=language,
                surface=surface,
                version=__version__,
                html=html,
            )
            found = words.id if self._sent(words) else ""
            self._ids.add(key, found)
        return found


@dataclass(frozen=True, slots=True)
class SiteNotice:
    """A notice on one site.

    Attributes:
        policy: what the owner declares.
        digest: digest of the notice under which answers are recorded.
        site: id of the site.
        prefix: where the library answers, without the root path.
        renderings: the notice in each language.
        ids: the ids of the words that were sent.
    """

    policy: Policy
    digest: str
    site: str
    prefix: str
    renderings: Renderings
    ids: RenderingIds
