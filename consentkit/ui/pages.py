"""What visitors see: banner, preference centre, cookie policy, sites. HTML from `templates/`, all of it without JavaScript.

What a page posts is the HTTP contract's: `choice`, `category.ID`, `vendor.ID`, and hidden `next`, `notice` (whole digest),
`language` and `surface`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from consentkit.consent import Consent, ConsentStatus
from consentkit.headers import local_path
from consentkit.notices import Notice
from consentkit.policy import Policy
from consentkit.ui import placeholders as blanks
from consentkit.ui.assets import shipped_assets
from consentkit.ui.banner_text import answerable, combination, first_layer, problem, state
from consentkit.ui.change_text import whats_new
from consentkit.ui.disclosure import Disclosure, Row
from consentkit.ui.i18n import LOCALES, Translator
from consentkit.ui.rendering import Rendering

__all__ = ["Pages", "View"]

_LINK = Markup('<link rel="stylesheet" href="{}"{}>')


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One visitor on one page.

    `language` is any BCP 47 tag, `next` the path to return to, with root path and query, and `root_path` where the
    application is mounted.
    """

    language: str
    consent: Consent
    next: str = "/"
    root_path: str = ""


class Pages:
    """The pages of one site.

    Args:
        policy: what the owner declares.
        notice: the notice of that policy, under which answers are recorded.
        site: id of this site.
        prefix: where the library answers, without the root path.
        origins: where sites run, by id, in place of the policy's origins.
        handoff: ids of the sites that a choice can be fetched from.
        templates: a folder with the site's own templates, each in place of ours of that name.
        locales: a folder with the site's own catalogues, `LANGUAGE/LC_MESSAGES/consentkit.po` or `.mo`.
        stylesheets: addresses of the site's own style sheets for our documents, each loaded after ours.
    """

    def __init__(
        self,
        policy: Policy,
        notice: Notice,
        *,
        site: str,
        prefix: str = "/consent",
        origins: Mapping[str, str] | None = None,
        handoff: Iterable[str] = (),
        lead: Callable[..., str] = lambda address, **_: address,
        templates: Path | None = None,
        locales: Path | None = None,
        stylesheets: Iterable[str] = (),
    ) -> None:
        """Raises UnknownSiteError for an unknown site, ConfigurationError for a faulty catalogue."""
        self.notice = notice
        self._policy = policy
        self._prefix = prefix
        self._site = policy.site(site)
        self._lead = lead
        self._handoff = [policy.site(other) for other in handoff]
        self._origins = {one.id: (origins or {}).get(one.id, one.origin) for one in policy.sites}
        self._stylesheets = tuple(stylesheets)
        folders = (*([templates] if templates else ()), Path(__file__).parent / "templates")
        catalogues = (*([locales] if locales else ()), LOCALES)
        self._editions: dict[str, Rendering] = {}
        for language in policy.languages:
            words = Translator(language, catalogues)
            disclosure = Disclosure(policy, notice, language, words, origins)
            self._editions[language] = Rendering(language, words, disclosure, folders)
        self._edition_for = lru_cache(maxsize=256)(self._find_edition)
        self._cached_banner = lru_cache(maxsize=256)(self._render_banner)
        self._cached_settings = lru_cache(maxsize=256)(self._render_settings)
        self._assets = shipped_assets()
        self.assets: dict[str, tuple[str, bytes]] = {
            asset.hashed_name: (asset.content_type, asset.content) for asset in self._assets.values()
        }

    # Pieces that go into a page of the site

    def head(self, view: View, nonce: str | None = None) -> str:
        """Return what belongs into `<head>`; with the nonce of the page's Content-Security-Policy, where it has one."""
        attribute = Markup(' nonce="{}"').format(nonce) if nonce else ""
        return str(_LINK.format(self.asset_url("consent.css", view.root_path), attribute))

    def banner(self, view: View) -> str:
        """Return the first layer, or an empty text when nothing is asked."""
        consent = view.consent
        if not consent.needs_asking:
            return ""
        edition = self._edition_for(view.language)
        news = (
            whats_new(consent.changes, edition.policy, edition.words, edition.own) if consent.changes else ()
        )
        ends = (
            edition.words.date(consent.expires_at)
            if consent.expires_at and consent.status is not ConsentStatus.EXPIRED
            else None
        )
        return self._filled(
            self._cached_banner(edition.language, self._base(view), consent.asking, news, consent.gpc, ends),
            view,
        )

    def arrival(self, view: View, site: str) -> str:
        """Return one line that says from which site the choice was brought here (REQUIREMENTS XS-08); it can be closed.

        Raises:
            UnknownSiteError: the policy lists no such site.
        """
        base = self._base(view)
        back = local_path(view.next, base)
        edition = self._edition_for(view.language)
        return edition.render(
            "arrival.html", base=base, query=blanks.query(back), site=self._policy.site(site)
        )

    def settings(self, view: View) -> str:
        """Return the link that every page ends with; while anything is granted, a form that withdraws at one click."""
        language = self._edition_for(view.language).language
        return self._filled(self._cached_settings(language, self._base(view), _granted(view.consent)), view)

    # Documents

    def preferences(self, view: View) -> str:
        """Return the preference centre."""
        edition = self._edition_for(view.language)
        consent, policy = view.consent, edition.policy
        return self._document(
            "preferences.html",
            view,
            here="",
            state=state(consent, policy, edition.words, edition.own),
            news=whats_new(consent.changes, policy, edition.words, edition.own),
            validity=policy["validity_words"],
            categories=[answerable(row, policy, consent) for row in policy["categories"]],
        )

    def policy(self, view: View) -> str:
        """Return the cookie policy."""
        edition = self._edition_for(view.language)
        return self._document(
            "policy.html", view, here="/policy", policy=edition.policy, **self._overview(edition, view)
        )

    def sites(self, view: View) -> str:
        """Return the overview of the sites that one answer covers."""
        edition = self._edition_for(view.language)
        return self._document("sites.html", view, here="/sites", **self._overview(edition, view))

    def error(self, view: View, status: int, title: str = "", detail: str = "") -> str:
        """Return a page that says what went wrong; title and detail, in English or in the visitor's language, replace ours."""
        ours = problem(status, self._edition_for(view.language).words)
        return self._document(
            "error.html",
            view,
            here="error",
            status=status,
            title=title or ours[0],
            detail=detail or ours[1],
        )

    def needs_consent(self, view: View, category: str, vendor: str | None = None) -> str:
        """Return the page for an address that is there only for who accepted a category, or a vendor of it."""
        edition = self._edition_for(view.language)
        return self._document(
            "needs_consent.html",
            view,
            here="error",
            purpose=edition.titles[self._policy.category(category).id],
            vendor=self._policy.vendor(vendor).name if vendor else None,
        )

    # The same for machines

    def policy_json(self, language: str = "") -> Row:
        """Return the rows that the cookie policy is rendered from; `Disclosure.policy` tells the keys."""
        return self._edition_for(language).policy

    def sites_json(self, language: str = "") -> Row:
        """Return the rows that the overview of sites is rendered from; `Disclosure.sites` tells the keys."""
        return self._edition_for(language).sites

    def language(self, wanted: str) -> str:
        """Return the language of the policy in which a visitor who wants that one is told, and which records name."""
        return self._edition_for(wanted).language

    def asset_url(self, name: str, root_path: str = "") -> str:
        """Return the address of `consent.css` or another shipped file."""
        return f"{root_path}{self._prefix}/assets/{self._assets[name].hashed_name}"

    def rendering(self, language: str) -> dict[str, Any]:
        """Return what the ledger keeps beside the notice, to show later what was on the screen.

        The banner as an undecided visitor gets it, the language of its words, and hashes (SHA-256) of templates and
        assets as they are in force.
        """
        edition = self._edition_for(language)
        asking = tuple(category.id for category in self._policy.consent_needed)
        banner = (
            self._cached_banner(edition.language, self._prefix, asking, (), False, None) if asking else ""
        )
        return {
            "language": edition.language,
            "words": edition.words.language,
            "banner": blanks.fill(banner, "/"),
            "templates": {name: _digest(edition.source(name).encode()) for name in edition.template_names()},
            "assets": {name: _digest(asset.content) for name, asset in self._assets.items()},
        }

    def _find_edition(self, wanted: str) -> Rendering:
        """Match the whole tag, then the primary language, then take the policy's first language."""
        whole = {language.lower(): edition for language, edition in self._editions.items()}
        primary = {language.split("-")[0]: edition for language, edition in reversed(whole.items())}
        tag = wanted.lower()
        return whole.get(tag) or primary.get(tag.split("-")[0]) or next(iter(whole.values()))

    def _base(self, view: View) -> str:
        return view.root_path + self._prefix

    def _render_banner(
        self,
        language: str,
        base: str,
        asking: tuple[str, ...],
        news: tuple[Markup, ...],
        gpc: bool,
        ends: str | None,
    ) -> str:
        edition = self._editions[language]
        first = first_layer(edition.policy, edition.words, edition.own, asking, news=news, gpc=gpc, ends=ends)
        return edition.render(
            "banner.html",
            base=base,
            next=blanks.NEXT,
            quoted=blanks.QUOTED,
            query=blanks.QUERY,
            notice=self.notice.digest,
            first=first,
            handoff=self._handoff,
        )

    def _render_settings(self, language: str, base: str, granted: bool) -> str:
        return self._editions[language].render(
            "settings.html", base=base, next=blanks.NEXT, notice=self.notice.digest, granted=granted
        )

    def _filled(self, html: str, view: View) -> str:
        return blanks.fill(html, local_path(view.next, self._base(view)))

    def render(self, template: str, view: View, /, **values: Any) -> str:
        """Fill in one of our templates, with what all documents are given."""
        return self._document(template, view, here="", **values)

    def _document(self, template: str, view: View, /, *, here: str, **values: Any) -> str:
        edition = self._edition_for(view.language)
        back = local_path(view.next, self._base(view))
        sheets = (self.asset_url("consent.css", view.root_path), *self._stylesheets)
        return edition.render(
            template,
            base=self._base(view),
            next=back,
            query=blanks.query(back),
            notice=self.notice.digest,
            site=self._site,
            sites=len(self._policy.sites),
            head=Markup("\n").join(_LINK.format(sheet, "") for sheet in sheets),
            granted=_granted(view.consent),
            here=here,
            **values,
        )

    def _overview(self, edition: Rendering, view: View) -> dict[str, Any]:
        combined = [edition.titles[category] for category in edition.sites["combined"]]
        return {
            "overview": edition.sites,
            "leading": {row["id"]: self._leading(row["origin"], view) for row in edition.sites["sites"]},
            "handoff": self._handoff,
            "titles": edition.titles,
            "combination": combination(edition.policy, combined, edition.words),
        }

    def _leading(self, origin: str, view: View) -> str:
        """Give the address of a site; for who has answered here, the one by which the answer goes along."""
        if not self._handoff or self._site.public_key is None or not view.consent.status.decided:
            return origin
        known = {site: (address,) for site, address in self._origins.items()}
        return self._lead(origin, site=self._site.id, origins=known, prefix=self._prefix)


def _granted(consent: Consent) -> bool:
    return consent.status is ConsentStatus.GIVEN


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
