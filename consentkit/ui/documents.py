"""What all documents share: style sheets, paths, the fields of their forms, and the ids of their words."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final

from markupsafe import Markup

from consentkit.consent import ConsentStatus
from consentkit.headers import local_path, own_path
from consentkit.ui.assets import shipped_assets
from consentkit.ui.fragments import View, new_submission, next_query, stylesheet_link
from consentkit.ui.rendering_ids import BASE, SiteNotice

__all__ = ["Documents"]

_NOTHING: Final = Markup("")


class Documents:
    """Renders the documents of one site with the variables that all of them have.

    Args:
        shown: the notice on the site.
        stylesheets: addresses of the site's own style sheets.
        logo: path of the site's logo, or None.
    """

    def __init__(self, shown: SiteNotice, stylesheets: Iterable[str], *, logo: str | None = None) -> None:
        self._site = shown.policy.site(shown.site)
        self._sites = len(shown.policy.sites)
        self._digest = shown.digest
        self._prefix = shown.prefix
        self._renderings = shown.renderings
        self._ids = shown.ids
        self._own_stylesheet = f"assets/{shipped_assets()['consent.css'].hashed_name}"
        self._stylesheets = tuple(stylesheets)
        self._logo = logo

    def render(
        self,
        template: str,
        view: View,
        /,
        *,
        here: str = "",
        rendering: str = "",
        more_head: Markup = _NOTHING,
        **values: Any,
    ) -> str:
        """Render a template with the variables that all documents have.

        `rendering` is the id that its forms carry, and `more_head` comes after the style sheets.
        """
        base = own_path(view.root_path, self._prefix)
        path = local_path(view.next, base)
        granted = view.consent.status is ConsentStatus.GIVEN
        texts = self._renderings.best_for(view.language)
        honored = texts.rules.honors_signal(view.consent)
        return texts.render(
            template,
            **self._shared(base, here=here, granted=granted, honored=honored, more_head=more_head),
            base=base,
            next=path,
            query=next_query(path, view.place),
            asked=next_query("/", view.place),
            notice=self._digest,
            submission=new_submission(),
            rendering=rendering,
            **values,
        )

    def render_stored(
        self,
        template: str,
        view: View,
        /,
        *,
        here: str,
        surface: str,
        variant: Hashable = None,
        recorded: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> str:
        """Render a document whose words are stored.

        Args:
            template: name of the template.
            view: the visitor, and the page to return to.
            here: address of the document below the prefix.
            surface: where it is shown, for the ledger.
            variant: differs where the words differ, apart from `recorded`.
            recorded: what the ledger gets in place of those values that belong to one visitor or request.
            values: for the template.
        """
        granted = view.consent.status is ConsentStatus.GIVEN
        texts = self._renderings.best_for(view.language)
        honored = texts.rules.honors_signal(view.consent)
        rendering = self.words_id(
            surface,
            template,
            texts.language,
            (granted, honored, variant),
            here=here,
            granted=granted,
            honored=honored,
            **(values | dict(recorded or {})),
        )
        return self.render(template, view, here=here, rendering=rendering, **values)

    def words_id(
        self,
        surface: str,
        template: str,
        language: str,
        variant: Hashable,
        /,
        *,
        here: str = "",
        granted: bool = False,
        honored: bool = False,
        **values: Any,
    ) -> str:
        """Return the id of a document's words, without anything that belongs to one visitor or request; see `RenderingIds`."""
        shared = self._shared(BASE, here=here, granted=granted, honored=honored)
        return self._ids.id_of(surface, template, language, variant, **(shared | values))

    def _shared(
        self, base: str, *, here: str, granted: bool, honored: bool, more_head: Markup = _NOTHING
    ) -> dict[str, Any]:
        """Return the values that visitors share. `base` is the path of the library's pages."""
        own = f"{base}/{self._own_stylesheet}"
        return {
            "site": self._site,
            "sites": self._sites,
            "logo": self._logo,
            "head": Markup("\n").join((*map(stylesheet_link, (own, *self._stylesheets)), more_head)).strip(),
            "granted": granted,
            "honored": honored,
            "here": here,
        }
