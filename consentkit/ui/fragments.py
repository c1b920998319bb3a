"""The fragments that are inserted into a page of the site: style sheet, banner, settings link, confirmation.

Banner and settings link are rendered once and sent to many visitors. The path that a visitor returns to is different on
every page, and the text that marks a repeated submission on every response. The rendered HTML therefore holds placeholders
for both.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from markupsafe import Markup, escape

from consentkit.consent import Consent, ConsentStatus
from consentkit.headers import local_path, own_path
from consentkit.policy import Site
from consentkit.ui.banner_text import first_layer
from consentkit.ui.carry_text import CarriedChoice
from consentkit.ui.change_text import change_sentences
from consentkit.ui.confirmation import Confirmation, confirmation_sentences
from consentkit.ui.place_rules import is_on
from consentkit.ui.rendering_ids import SiteNotice

__all__ = [
    "NEXT",
    "NEXT_QUERY",
    "NEXT_QUOTED",
    "SUBMISSION",
    "Fragments",
    "View",
    "fill_in",
    "new_submission",
    "next_query",
    "stylesheet_link",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One visitor on one page.

    `language` is any BCP 47 tag, `next` the path to return to, with root path and query, and `root_path` where the
    application is mounted. `place` is the code of the place whose rules the visitor asked for on the library's own pages, as
    the query has it. `carried` is how far a choice has come that the visitor uses on all sites; None if there is none.
    """

    language: str
    consent: Consent
    next: str = "/"
    root_path: str = ""
    place: str = ""
    carried: CarriedChoice | None = None


def _placeholder(name: str) -> Markup:
    """Return a random placeholder, which therefore no text of a policy contains."""
    return escape(f"{name}-{secrets.token_hex(12)}")


NEXT: Final = _placeholder("next")
"""Placeholder for the path to return to, as text."""
NEXT_QUOTED: Final = _placeholder("quoted")
"""Placeholder for the same path as the value of a field in a query."""
NEXT_QUERY: Final = _placeholder("query")
"""Placeholder for a whole query with the path, empty for the front page."""
SUBMISSION: Final = _placeholder("submission")
"""Placeholder for the text that marks a repeated submission."""


def next_query(path: str, place: str = "") -> str:
    """Return a query with the path to return to, and the place whose rules are asked for; empty for the defaults."""
    fields = [f"next={quote(path, safe='/')}"] if path != "/" else []
    fields += [f"place={quote(place, safe='')}"] if place else []
    return f"?{'&'.join(fields)}" if fields else ""


def new_submission() -> str:
    """Return the text by which a choice is known that is sent twice from one rendering: 96 random bits in base64url."""
    return secrets.token_urlsafe(12)


def fill_in(html: str, path: str, submission: str) -> str:
    """Replace the placeholders by the path to return to, and by the text that marks a repeated submission."""
    return (
        html.replace(NEXT_QUERY, escape(next_query(path)))
        .replace(NEXT_QUOTED, quote(path, safe="/"))
        .replace(NEXT, escape(path))
        .replace(SUBMISSION, submission)
    )


def stylesheet_link(href: str, nonce: str | None = None) -> Markup:
    """Return a `<link>` to a style sheet, with the nonce of the page's Content-Security-Policy if it has one."""
    attribute = Markup(' nonce="{}"').format(nonce) if nonce else ""
    return Markup('<link rel="stylesheet" href="{}"{}>').format(href, attribute)


class Fragments:
    """The fragments of one site.

    Args:
        shown: the notice on this site.
        partners: the sites that a choice can be fetched from.
        place: the banner's classes for its layout and position.
    """

    def __init__(self, shown: SiteNotice, partners: Sequence[Site], *, place: str) -> None:
        self._policy = shown.policy
        self._digest = shown.digest
        self._renderings = shown.renderings
        self._prefix = shown.prefix
        self._ids = shown.ids
        self._partners = partners
        self._place = place
        self._cached_banner = lru_cache(maxsize=256)(self._render_banner)
        self._cached_settings = lru_cache(maxsize=256)(self._render_settings)

    def banner(self, view: View) -> str:
        """Return the banner, or an empty text if the visitor is asked nothing."""
        consent = view.consent
        if not consent.needs_asking:
            return ""
        rendering = self._renderings.best_for(view.language)
        changes = change_sentences(consent.changes, rendering)
        ends = (
            rendering.translator.format_date(consent.expires_at)
            if consent.expires_at and consent.status is not ConsentStatus.EXPIRED
            else None
        )
        base = own_path(view.root_path, self._prefix)
        unasked = tuple(category for category in rendering.rules.unasked if is_on(consent, category))
        html = self._cached_banner(
            rendering.language, base, consent.asking, changes, consent.gpc, ends, unasked
        )
        return self._with_path(html, view)

    def first_banner(self, language: str) -> str:
        """Return the banner of a visitor who has not answered, or an empty text if the policy asks for nothing."""
        asking = tuple(category.id for category in self._policy.consent_needed)
        if not asking:
            return ""
        unasked = self._renderings[language].rules.unasked
        html = self._cached_banner(language, self._prefix, asking, (), False, None, unasked)
        return fill_in(html, "/", "")

    def settings(self, view: View) -> str:
        """Return the settings link, and a form that withdraws at one click while anything is granted.

        Where the law asks for it, the visible status of Global Privacy Control is next to the link.
        """
        rendering = self._renderings.best_for(view.language)
        granted = view.consent.status is ConsentStatus.GIVEN
        honored = rendering.rules.honors_signal(view.consent)
        html = self._cached_settings(
            rendering.language, own_path(view.root_path, self._prefix), granted, honored
        )
        return self._with_path(html, view)

    def confirmation(self, view: View, confirmation: Confirmation) -> str:
        """Return a line, which can be closed, that confirms in words what the visitor did (REQUIREMENTS XS-08)."""
        base = own_path(view.root_path, self._prefix)
        rendering = self._renderings.best_for(view.language)
        stays = bool(confirmation.parties)
        # For its effect: no form of this line carries the id, but its words are stored.
        self._ids.id_of(
            "confirmation",
            "confirmation.html",
            rendering.language,
            stays,
            sentences=["{answer}"],
            stays=stays,
        )
        return rendering.render(
            "confirmation.html",
            base=base,
            query=next_query(local_path(view.next, base)),
            sentences=confirmation_sentences(confirmation, view.consent, rendering),
            stays=stays,
        )

    def _with_path(self, html: str, view: View) -> str:
        path = local_path(view.next, own_path(view.root_path, self._prefix))
        return fill_in(html, path, new_submission())

    def _render_banner(
        self,
        language: str,
        base: str,
        asking: tuple[str, ...],
        changes: tuple[Markup, ...],
        gpc: bool,
        ends: str | None,
        unasked: tuple[str, ...],
    ) -> str:
        rendering, travels = self._renderings[language], bool(self._partners)
        first, recorded = (
            first_layer(
                *(rendering, asking), changes=changes, gpc=gpc, ends=day, travels=travels, unasked=unasked
            )
            for day in (ends, "{date}" if ends else None)
        )
        variant = (asking, changes, gpc, bool(ends), unasked)
        rendering_id = self._ids.id_of(
            "banner",
            "banner.html",
            language,
            variant,
            first=recorded,
            place=self._place,
            handoff=self._partners,
        )
        return rendering.render(
            "banner.html",
            base=base,
            next=NEXT,
            quoted=NEXT_QUOTED,
            query=NEXT_QUERY,
            notice=self._digest,
            submission=SUBMISSION,
            rendering=rendering_id,
            first=first,
            place=self._place,
            handoff=self._partners,
        )

    def _render_settings(self, language: str, base: str, granted: bool, honored: bool) -> str:
        shown = {"granted": granted, "honored": honored}
        return self._renderings[language].render(
            "settings.html",
            base=base,
            next=NEXT,
            notice=self._digest,
            submission=SUBMISSION,
            rendering=self._ids.id_of("footer", "settings.html", language, (granted, honored), **shown),
            **shown,
        )
