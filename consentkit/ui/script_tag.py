"""The `<script>` tag, with everything that the script has to know about a visitor and a page.

`TagData` in `script/types.d.ts` lists the attributes. A page for a shared cache has the same tag for everybody.
"""

from markupsafe import escape

from consentkit._bounded_cache import BoundedCache
from consentkit.consent import Consent, ConsentCookie
from consentkit.enforcement import permitted
from consentkit.headers import own_path
from consentkit.policy import Policy
from consentkit.signals import google_sources

__all__ = ["ScriptTag", "extra_tag"]

# Kinds of storage that no header of the server can clear.
_SCRIPT_STORAGE = frozenset({"local_storage", "session_storage", "indexed_db", "cache_storage"})
_CACHED_STATES = 1024


class ScriptTag:
    """The tag for the pages of one site."""

    def __init__(self, policy: Policy, cookie: ConsentCookie, *, src: str, asks: bool) -> None:
        """Prepare the attributes that are the same on all pages.

        Args:
            policy: what the owner declares.
            cookie: the consent cookie of the site.
            src: the script's address, without the root path.
            asks: whether a banner may be put into pages.
        """
        self._cookie = cookie
        self._src = src
        self._script_storage = [
            tracker
            for tracker in policy.trackers
            if tracker.kind in _SCRIPT_STORAGE
            and not tracker.third_party
            and not policy.category(tracker.category).required
        ]
        known = [
            *(category.id for category in policy.categories),
            *(f"{vendor.category}:{vendor.id}" for vendor in policy.vendors),
        ]
        required = " ".join(category.id for category in policy.categories if category.required)
        default, with_gpc = (
            cookie.companion_value(cookie.evaluator.undecided(gpc=gpc)) for gpc in (False, True)
        )
        common = {
            "cookie": cookie.companion,
            "default": default,
            "gpc": with_gpc if with_gpc != default else None,
            "notice": cookie.evaluator.notice.digest,
            "policy": " ".join(known),
            "required": required,
            "google": google_sources(policy) or None,
        }
        public = {"banner": "" if asks else None, "clear": "" if self._script_storage else None}
        self._common, self._public = _attributes(**common), _attributes(**public)
        self._public_data = {name: value for name, value in (common | public).items() if value is not None}
        self._by_state: BoundedCache[str, str] = BoundedCache(_CACHED_STATES)

    def tag(
        self,
        language: str,
        *,
        root_path: str = "",
        nonce: str | None = None,
        consent: Consent | None = None,
        reload: str | None = None,
        after_form: bool = False,
    ) -> str:
        """Return the tag.

        Args:
            language: the language of the page.
            root_path: where the application is mounted.
            nonce: nonce of the page's Content-Security-Policy.
            consent: the visitor's consent. Without it the tag is the same for everybody.
            reload: each `category:vendor` for which the page must be loaded again when its permission changes, separated by
                spaces; empty for any change, and None for no change.
            after_form: whether the page answers a form, which must not be sent again.
        """
        visitor = self._public if consent is None else self._visitor_attributes(consent)
        page = _attributes(
            language=language,
            reload=reload,
            form="" if after_form else None,
        )
        attribute = f' nonce="{escape(nonce)}"' if nonce else ""
        src = escape(own_path(root_path, self._src))
        return f'<script src="{src}"{self._common}{visitor}{page}{attribute} defer></script>'

    def public_data(self, language: str) -> dict[str, str]:
        """Return the attributes of a tag that is the same for everybody, by name without `data-`."""
        return self._public_data | {"language": language}

    def _visitor_attributes(self, consent: Consent) -> str:
        state = self._cookie.companion_value(consent)
        attributes = self._by_state.get(state)
        if attributes is None:
            clear = any(not permitted(tracker, consent.allows) for tracker in self._script_storage)
            attributes = _attributes(state=state, clear="" if clear else None)
            self._by_state[state] = attributes
        return attributes


def extra_tag(src: str, nonce: str | None, **values: str | None) -> str:
    """Return the tag of another script, with values for it in `data-` attributes, except those that are None."""
    attribute = f' nonce="{escape(nonce)}"' if nonce else ""
    return f'<script src="{escape(src)}"{_attributes(**values)}{attribute} defer></script>'


def _attributes(**values: str | None) -> str:
    return "".join(f' data-{name}="{escape(value)}"' for name, value in values.items() if value is not None)
