"""The documents that visitors read: settings page, cookie policy, sites, errors. All of them work without JavaScript.

Forms post the fields of the HTTP contract: `choice`, `category.ID`, `vendor.ID`, and hidden `next`, `notice` (whole
digest), `language`, `surface`, `rendering` and `submission`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from consentkit.headers import own_path
from consentkit.ledger import SentWords
from consentkit.manager import Appearance
from consentkit.notices import Notice
from consentkit.policy import OwnCookies, Policy
from consentkit.proof import Grant
from consentkit.ui.assets import inline_style, served_assets, shipped_assets
from consentkit.ui.banner_text import (
    combined_data_sentence,
    removal_sentence,
    travel_sentence,
    validity_sentence,
)
from consentkit.ui.carry_text import CarriedChoice, carrying
from consentkit.ui.confirmation import Confirmation
from consentkit.ui.disclosure import Row
from consentkit.ui.documents import Documents
from consentkit.ui.embed_page import EmbeddedContent, embed_page
from consentkit.ui.error_text import ErrorTopic, error_text
from consentkit.ui.fragments import Fragments, View, stylesheet_link
from consentkit.ui.preferences_page import preferences_page
from consentkit.ui.receipt_text import receipt_rows, without_answer
from consentkit.ui.rendering import Rendering, Renderings
from consentkit.ui.rendering_ids import RenderingIds, SiteNotice
from consentkit.ui.site_links import SiteLinks, without_state

__all__ = ["Pages", "View"]

_DEFAULT_APPEARANCE = Appearance()
_HASHED_NAME = re.compile(r"(\w+)\.[0-9a-f]{12}(\.\w+)", re.ASCII)


class Pages:
    """The pages of one site, and the fragments that go into the site's own pages.

    Args:
        policy: what the owner declares.
        notice: the notice of that policy, under which answers are recorded.
        site: id of this site.
        prefix: where the library answers, without the root path.
        origins: where sites run, by id, in place of the policy's origins.
        own_cookies: the names and the domain of the library's cookies on this site.
        handoff: ids of the sites that a choice can be fetched from.
        handoff_address: returns the address that takes the choice along to another site, as
            `consentkit.handoff.handoff_address` does. Without it links lead to the sites themselves.
        carries: whether visitors can use their choice on all sites with one button.
        templates: a folder with the site's own templates, each in place of the library's of that name.
        locales: a folder with the site's own catalogues, `LANGUAGE/LC_MESSAGES/consentkit.po` or `.mo`.
        records: whether choices are recorded, which the cookie policy describes.
        removed_in_time: returns whether records are removed after the period that the policy names.
        stylesheets: addresses of the site's own style sheets for these documents, loaded after the library's.
        sent: called with words that are rendered for the first time, and returns whether they will be stored.
        appearance: how the banner is laid out, and the logo of the documents.
    """

    def __init__(
        self,
        policy: Policy,
        notice: Notice,
        *,
        site: str,
        prefix: str = "/consent",
        origins: Mapping[str, str] | None = None,
        own_cookies: OwnCookies | None = None,
        handoff: Iterable[str] = (),
        handoff_address: Callable[..., str] = lambda address, **_: address,
        carries: bool = False,
        templates: Path | None = None,
        locales: Path | None = None,
        stylesheets: Iterable[str] = (),
        records: bool = True,
        removed_in_time: Callable[[], bool] = lambda: False,
        sent: Callable[[SentWords], bool] = lambda words: True,
        appearance: Appearance = _DEFAULT_APPEARANCE,
    ) -> None:
        """Prepare the texts of every language.

        Raises:
            UnknownSiteError: the policy lists no such site.
            ConfigurationError: a language has no catalogue, or a faulty one.
        """
        self.notice = notice
        self._policy = policy
        self._prefix = prefix
        self._links = SiteLinks(
            policy, site, prefix, origins or {}, handoff, handoff_address=handoff_address, carries=carries
        )
        self._records, self._removed_in_time = records, removed_in_time
        self._renderings = Renderings(
            policy, notice, origins=origins, own_cookies=own_cookies, templates=templates, locales=locales
        )
        ids = RenderingIds(self._renderings, notice.digest, site, sent)
        shown = SiteNotice(policy, notice.digest, site, prefix, self._renderings, ids)
        self._fragments = Fragments(shown, self._links.partners, place=appearance.banner_classes)
        self._documents = Documents(shown, stylesheets, logo=appearance.logo)
        self._assets = shipped_assets()
        self.assets = served_assets()

    # Fragments

    def head(self, view: View, nonce: str | None = None, *, is_linked: bool = False) -> str:
        """Return the rules for what is inserted into a page, inline or as a link to the style sheet.

        Args:
            view: the visitor and page.
            nonce: of the page's Content-Security-Policy, if it has one.
            is_linked: whether the page's policy may forbid inline rules, and cannot be changed.
        """
        if is_linked:
            return str(stylesheet_link(self.asset_url("consent.css", view.root_path), nonce))
        attribute = Markup(' nonce="{}"').format(nonce) if nonce else ""
        return f"<style{attribute}>{inline_style()[0]}</style>"

    def banner(self, view: View) -> str:
        """Return the banner; see `Fragments.banner`."""
        return self._fragments.banner(view)

    def settings(self, view: View) -> str:
        """Return the settings link; see `Fragments.settings`."""
        return self._fragments.settings(view)

    def confirmation(self, view: View, confirmation: Confirmation) -> str:
        """Return the line that confirms a choice; see `Fragments.confirmation`."""
        return self._fragments.confirmation(view, confirmation)

    # Documents

    def preferences(self, view: View) -> str:
        """Return the settings page; see `preferences_page`."""
        rendering = self._renderings.best_for(view.language)
        return preferences_page(
            self._documents,
            rendering,
            view,
            carry=self._links.button(rendering, view),
            travels=bool(self._links.partners),
            records=self._records,
        )

    def policy(self, view: View) -> str:
        """Return the cookie policy."""
        rendering = self._renderings.best_for(view.language)
        removed_in_time = self._removed_in_time()
        return self._documents.render_stored(
            "policy.html",
            view,
            here="/policy",
            surface="policy",
            variant=(self._links.carries_choice(view), removed_in_time),
            recorded={"search_script": "{script}"},
            search_script=self.asset_url("policy.js", view.root_path),
            policy=rendering.policy,
            records=self._records,
            removal=removal_sentence(rendering) if removed_in_time else None,
            **self._site_list(rendering, view),
        )

    def sites(self, view: View) -> str:
        """Return the list of sites that one answer covers."""
        rendering = self._renderings.best_for(view.language)
        carry = self._links.button(rendering, view)
        return self._documents.render_stored(
            "sites.html",
            view,
            here="/sites",
            surface="sites",
            variant=(self._links.carries_choice(view), carry is not None),
            recorded={"carry": without_state(carry)},
            carry=carry,
            **self._site_list(rendering, view),
        )

    def carry(self, view: View, state: CarriedChoice) -> str:
        """Return the page from which the browser goes on to the next site, by itself unless that site has not answered.

        Without JavaScript the browser goes on at once. The script first asks all sites whether they are there.
        """
        translator = self._renderings.best_for(view.language).translator
        row = carrying(state, self._policy, translator, self._links.origins)
        refresh = Markup('<meta http-equiv="refresh" content="0; url={}">').format(state.go_on)
        if row["sites"]:
            script = Markup('<script src="{}" defer></script>')
            address = self.asset_url("carry.js", view.root_path)
            head = Markup("<noscript>{}</noscript>\n{}").format(refresh, script.format(address))
        else:
            head = Markup("") if state.is_under_way else refresh
        return self._documents.render("carry.html", view, here="carry", more_head=head, carry=row)

    def receipt(self, view: View, grant: Grant) -> str:
        """Return the page with the receipt of a grant."""
        rendering = self._renderings.best_for(view.language)
        rows = receipt_rows(grant, rendering.language, rendering.translator, self._policy.transfer_data)
        return self._documents.render_stored(
            "receipt.html",
            view,
            here="/receipt.html",
            surface="policy",
            variant=(grant.record.notice, rows["expires_at"] is None),
            recorded={"receipt": without_answer(rows)},
            receipt=rows,
        )

    def error(
        self,
        view: View,
        status: int,
        title: str = "",
        detail: str = "",
        *,
        reason: str = "",
        about: ErrorTopic = "choice",
    ) -> str:
        """Return the page for an HTTP error.

        `title` and `detail` replace the library's texts. `reason` is in English, for whoever helps the visitor. `about` is
        what the request was about.
        """
        translator = self._renderings.best_for(view.language).translator
        our_title, our_detail = error_text(status, translator, about)
        return self._documents.render_stored(
            "error.html",
            view,
            here="error",
            surface="error",
            recorded={"status": "{status}", "title": "{title}", "detail": "{detail}", "reason": "{reason}"},
            status=status,
            title=title or our_title,
            detail=detail or our_detail,
            reason=reason,
        )

    def needs_consent(self, view: View, category: str, vendor: str | None = None) -> str:
        """Return the page that stands in for a page shown only with consent to a category, or to one vendor of it.

        Raises:
            UnknownCategoryError: the policy lists no such category.
            UnknownVendorError: the policy lists no such vendor.
        """
        rendering = self._renderings.best_for(view.language)
        return self._documents.render_stored(
            "needs_consent.html",
            view,
            here="error",
            surface="error",
            variant=(category, vendor),
            purpose=rendering.titles[self._policy.category(category).id],
            vendor=self._policy.vendor(vendor).name if vendor else None,
        )

    def embed(
        self,
        view: View,
        content: EmbeddedContent,
        *,
        again: Callable[[str], str],
        shown: bool,
        framed: bool,
        script: Markup,
    ) -> str:
        """Return the page that is framed in place of a vendor's content; see `embed_page`."""
        rendering = self._renderings.best_for(view.language)
        return embed_page(
            self._documents,
            rendering,
            view,
            content,
            again=again,
            shown=shown,
            framed=framed,
            stylesheet=stylesheet_link(self.asset_url("embed.css", view.root_path)),
            script=script,
        )

    def render(self, template: str, view: View, /, **values: Any) -> str:
        """Render a template with the variables that all documents have; see `Documents.render`."""
        return self._documents.render(template, view, **values)

    # JSON

    def policy_json(self, language: str = "") -> Row:
        """Return the rows that the cookie policy is rendered from, with the keys of `Disclosure.policy`."""
        return self._renderings.best_for(language).policy

    def sites_json(self, language: str = "") -> Row:
        """Return the rows that the list of sites is rendered from, with the keys of `Disclosure.sites`."""
        return self._renderings.best_for(language).sites

    def language(self, wanted: str) -> str:
        """Return the policy's language that is closest to the wanted one, as records have it."""
        return self._renderings.best_for(wanted).language

    def asset_url(self, name: str, root_path: str = "") -> str:
        """Return the address of `consent.css` or another shipped file."""
        return f"{own_path(root_path, self._prefix)}/assets/{self._assets[name].hashed_name}"

    def current_name(self, name: str) -> str:
        """Return the name under which a file is served now that had another name in another version; else an empty text."""
        match = _HASHED_NAME.fullmatch(name)
        asset = self._assets.get(match[1] + match[2]) if match else None
        return asset.hashed_name if asset is not None else ""

    def fingerprint(self, language: str) -> dict[str, Any]:
        """Return what all pages in a language follow from, apart from the visitor.

        The result has the banner of a visitor who has not answered, the language of the library's texts in it, and SHA-256
        hashes of templates and assets.
        """
        rendering = self._renderings.best_for(language)
        return {
            "language": rendering.language,
            "words": rendering.translator.language,
            "banner": self._fragments.first_banner(rendering.language),
            **({} if self._policy.is_home else {"regime": self._policy.regime.id}),
            "templates": {
                name: _digest(rendering.source(name).encode()) for name in rendering.template_names()
            },
            "assets": {name: _digest(asset.content) for name, asset in self._assets.items()},
        }

    def _site_list(self, rendering: Rendering, view: View) -> dict[str, Any]:
        return {
            "overview": rendering.sites,
            "leading": self._links.addresses(rendering.sites["sites"], view),
            "handoff": self._links.partners,
            "titles": rendering.titles,
            "combination": combined_data_sentence(rendering),
            "validity": validity_sentence(rendering),
            "travel": travel_sentence(rendering, travels=bool(self._links.partners)),
        }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
