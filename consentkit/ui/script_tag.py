"""The tag that loads the script, with all that it has to know about a visitor and a page.

The attributes are described at the top of `static/consent.js`. On pages for shared caches they are the same for everybody.
"""

from collections.abc import Iterable

from markupsafe import escape

from consentkit._bounded_cache import BoundedCache
from consentkit.consent import Consent, ConsentCookie
from consentkit.enforcement import permitted
from consentkit.policy import Policy
from consentkit.signals import google_sources

__all__ = ["ScriptTag"]

# What only a script can take away again.
_IN_THE_BROWSER = frozenset({"local_storage", "session_storage", "indexed_db", "cache_storage"})
_REMEMBERED = 1024


class ScriptTag:
    """Write the tag for one site; `src` is the script's address below the root path."""

    def __init__(
        self, policy: Policy, cookie: ConsentCookie, *, src: str, asks: bool, group: str = ""
    ) -> None:
        """`asks` says whether a banner may be put into pages, `group` where links take a choice along."""
        self._cookie = cookie
        self._src = src
        self._stored = [
            tracker
            for tracker in policy.trackers
            if tracker.kind in _IN_THE_BROWSER
            and not tracker.third_party
            and not policy.category(tracker.category).required
        ]
        required = " ".join(category.id for category in policy.categories if category.required)
        undecided = (cookie.companion_value(cookie.evaluator.undecided(gpc=gpc)) for gpc in (False, True))
        default, with_gpc = undecided
        self._common = _attributes(
            cookie=cookie.companion,
            default=default,
            gpc=with_gpc if with_gpc != default else None,
            notice=cookie.evaluator.notice.digest,
            required=required,
            google=google_sources(policy) or None,
            group=group or None,
        )
        self._public = _attributes(banner="" if asks else None, clear="" if self._stored else None)
        self._private: BoundedCache[str, str] = BoundedCache(_REMEMBERED)

    def tag(
        self,
        language: str,
        *,
        root_path: str = "",
        nonce: str | None = None,
        consent: Consent | None = None,
        reload: str | None = None,
        dropped: Iterable[str] = (),
    ) -> str:
        """Write the tag; without a consent for a page that is the same for everybody.

        `reload` is `category:vendor`, or empty for any, that the page cannot follow without being loaded anew. `dropped` are
        cookies that were held back, to be shown in the console.
        """
        known = self._public if consent is None else self._visitor(consent)
        more = _attributes(language=language, reload=reload, debug=", ".join(dropped) or None)
        attribute = f' nonce="{escape(nonce)}"' if nonce else ""
        return f'<script src="{escape(root_path)}{self._src}"{self._common}{known}{more}{attribute}></script>'

    def _visitor(self, consent: Consent) -> str:
        state = self._cookie.companion_value(consent)
        known = self._private.get(state)
        if known is None:
            stale = any(not permitted(tracker, consent.allows) for tracker in self._stored)
            known = _attributes(state=state, clear="" if stale else None)
            self._private[state] = known
        return known


def _attributes(**values: str | None) -> str:
    return "".join(f' data-{name}="{escape(value)}"' for name, value in values.items() if value is not None)
