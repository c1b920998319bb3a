"""The documents that visitors read: settings page, cookie policy, sites, errors. All of them work without JavaScript.

Forms post the fields of the HTTP contract: `choice`, `category.ID`, `vendor.ID`, and hidden `next`, `notice` (whole
digest), `language` and `surface`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from consentkit.consent import ConsentStatus
from consentkit.headers import local_path, own_path
from consentkit.notices import Notice
from consentkit.policy import OwnCookies, Policy
from consentkit.ui.assets import shipped_assets
from consentkit.ui.banner_text import (
    combined_data_sentence,
    travel_sentence,
    validity_sentence,
    visitor_status,
    with_answers,
)
from consentkit.ui.carry_text import CarriedChoice, carrying, visiting_sentence
from consentkit.ui.change_text import change_sentences
from consentkit.ui.disclosure import Row
from consentkit.ui.embed_text import EmbedText, embed_text
from consentkit.ui.error_text import error_text
from consentkit.ui.fragments import Fragments, View, new_submission, next_query, stylesheet_link
from consentkit.ui.rendering import Rendering, Renderings

__all__ = ["Pages", "View"]


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
        stylesheets: addresses of the site's own style sheets for these documents, loaded after the library's.
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
    ) -> None:
        """Prepare the texts of every language.

        Raises:
            UnknownSiteError: the policy lists no such site.
            ConfigurationError: a catalogue is faulty.
        """
        self.notice = notice
        self._policy = policy
        self._prefix = prefix
        self._site = policy.site(site)
        self._handoff_address = handoff_address
        self._carries = carries
        self._partners = [policy.site(partner) for partner in handoff]
        self._origins = {site.id: (origins or {}).get(site.id, site.origin) for site in policy.sites}
        self._stylesheets = tuple(stylesheets)
        self._records = records
        self._renderings = Renderings(
            policy,
            notice,
            origins=origins,
            own_cookies=own_cookies,
            templates=templates,
            locales=locales,
        )
        self._fragments = Fragments(policy, notice.digest, self._renderings, prefix, self._partners)
        self._assets = shipped_assets()
        self.assets: dict[str, tuple[str, bytes]] = {
            asset.hashed_name: (asset.content_type, asset.content) for asset in self._assets.values()
        }

    # Fragments

    def head(self, view: View, nonce: str | None = None) -> str:
        """Return the style sheet's link, with the nonce of the page's Content-Security-Policy if it has one."""
        return str(stylesheet_link(self.asset_url("consent.css", view.root_path), nonce))

    def banner(self, view: View) -> str:
        """Return the banner; see `Fragments.banner`."""
        return self._fragments.banner(view)

    def settings(self, view: View) -> str:
        """Return the settings link; see `Fragments.settings`."""
        return self._fragments.settings(view)

    def arrival(self, view: View, site: str) -> str:
        """Return the line about a choice that came from another site; see `Fragments.arrival`."""
        return self._fragments.arrival(view, site)

    # Documents

    def preferences(self, view: View) -> str:
        """Return the settings page."""
        rendering = self._renderings.best_for(view.language)
        consent = view.consent
        return self._document(
            "preferences.html",
            view,
            here="",
            state=visitor_status(consent, rendering),
            news=change_sentences(consent.changes, rendering),
            validity=validity_sentence(rendering),
            travel=travel_sentence(rendering, travels=bool(self._partners)),
            categories=[with_answers(row, rendering, consent) for row in rendering.policy["categories"]],
            carry=self._carry(rendering, view),
        )

    def policy(self, view: View) -> str:
        """Return the cookie policy."""
        rendering = self._renderings.best_for(view.language)
        return self._document(
            "policy.html",
            view,
            here="/policy",
            policy=rendering.policy,
            records=self._records,
            **self._site_list(rendering, view),
        )

    def sites(self, view: View) -> str:
        """Return the list of sites that one answer covers."""
        rendering = self._renderings.best_for(view.language)
        return self._document(
            "sites.html",
            view,
            here="/sites",
            carry=self._carry(rendering, view),
            **self._site_list(rendering, view),
        )

    def carry(self, view: View, state: CarriedChoice) -> str:
        """Return the page from which the browser goes on to the next site, by itself unless that site has not answered.

        Without JavaScript the browser goes on at once. The script first asks all sites whether they are there.
        """
        translator = self._renderings.best_for(view.language).translator
        row = carrying(state, self._policy, translator, self._origins)
        refresh = Markup('<meta http-equiv="refresh" content="0; url={}">').format(state.go_on)
        if row["sites"]:
            script = Markup('<script src="{}" defer></script>')
            address = self.asset_url("carry.js", view.root_path)
            head = Markup("<noscript>{}</noscript>\n{}").format(refresh, script.format(address))
        else:
            head = Markup("") if state.is_under_way else refresh
        return self._document("carry.html", view, here="carry", more_head=head, carry=row)

    def error(self, view: View, status: int, title: str = "", detail: str = "", *, reason: str = "") -> str:
        """Return the page for an HTTP error.

        `title` and `detail` replace the library's texts. `reason` is in English, for whoever helps the visitor.
        """
        our_title, our_detail = error_text(status, self._renderings.best_for(view.language).translator)
        return self._document(
            "error.html",
            view,
            here="error",
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
        return self._document(
            "needs_consent.html",
            view,
            here="error",
            purpose=rendering.titles[self._policy.category(category).id],
            vendor=self._policy.vendor(vendor).name if vendor else None,
        )

    def embed_text(self, view: View, kind: str, vendor: Row) -> EmbedText:
        """Return the words of a placeholder for content of a vendor, given as a row of the cookie policy."""
        translator = self._renderings.best_for(view.language).translator
        return embed_text(kind, vendor["name"], translator, profiling=vendor["profiling"])

    def render(self, template: str, view: View, /, **values: Any) -> str:
        """Render a template with the variables that all documents have."""
        return self._document(template, view, here="", **values)

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

    def rendering(self, language: str) -> dict[str, Any]:
        """Return what the ledger stores with the notice, as proof of what was on the screen.

        The result has the banner of a visitor who has not answered, the language of the library's texts in it, and SHA-256
        hashes of templates and assets.
        """
        rendering = self._renderings.best_for(language)
        return {
            "language": rendering.language,
            "words": rendering.translator.language,
            "banner": self._fragments.first_banner(rendering.language),
            "templates": {
                name: _digest(rendering.source(name).encode()) for name in rendering.template_names()
            },
            "assets": {name: _digest(asset.content) for name, asset in self._assets.items()},
        }

    def _document(
        self, template: str, view: View, /, *, here: str, more_head: Markup | None = None, **values: Any
    ) -> str:
        base = own_path(view.root_path, self._prefix)
        path = local_path(view.next, base)
        stylesheets = (self.asset_url("consent.css", view.root_path), *self._stylesheets)
        return self._renderings.best_for(view.language).render(
            template,
            base=base,
            next=path,
            query=next_query(path),
            notice=self.notice.digest,
            submission=new_submission(),
            site=self._site,
            sites=len(self._policy.sites),
            head=Markup("\n").join([*map(stylesheet_link, stylesheets), *([more_head] if more_head else [])]),
            granted=view.consent.status is ConsentStatus.GIVEN,
            here=here,
            **values,
        )

    def _carry(self, rendering: Rendering, view: View) -> Row | None:
        """Return what the pages with the button show; None if the visitor cannot use a choice on all sites."""
        if not self._carries or not view.consent.status.decided:
            return None
        translator, state = rendering.translator, view.carried
        others = [site.name for site in self._policy.sites if site.id != self._site.id]
        row: Row = {"next": None, "sentences": [], "visits": visiting_sentence(others, translator)}
        return row | (carrying(state, self._policy, translator, self._origins) if state else {})

    def _site_list(self, rendering: Rendering, view: View) -> dict[str, Any]:
        return {
            "overview": rendering.sites,
            "leading": {
                row["id"]: self._site_address(row["origin"], view) for row in rendering.sites["sites"]
            },
            "handoff": self._partners,
            "titles": rendering.titles,
            "combination": combined_data_sentence(rendering),
            "validity": validity_sentence(rendering),
            "travel": travel_sentence(rendering, travels=bool(self._partners)),
        }

    def _site_address(self, origin: str, view: View) -> str:
        """Return the address of a site, or the one that takes the visitor's choice along if there is a choice."""
        if not self._partners or self._site.public_key is None or not view.consent.status.decided:
            return origin
        origins = {site: (address,) for site, address in self._origins.items()}
        return self._handoff_address(origin, site=self._site.id, origins=origins, prefix=self._prefix)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
