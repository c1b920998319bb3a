"""The links from the library's pages to the other sites of the group, and the button that takes a choice to all of them."""

from collections.abc import Callable, Iterable, Mapping

from consentkit.policy import Policy
from consentkit.ui.carry_text import carrying, visiting_sentence
from consentkit.ui.disclosure import Row
from consentkit.ui.fragments import View
from consentkit.ui.rendering import Rendering

__all__ = ["SiteLinks", "without_state"]


class SiteLinks:
    """The links of one site to the others.

    Args:
        policy: what the owner declares.
        site: id of this site.
        prefix: where the library answers, without the root path.
        origins: where sites run, by id, in place of the policy's origins.
        partners: ids of the sites that a choice can be fetched from.
        handoff_address: returns the address that takes the choice along to another site.
        carries: whether visitors can use their choice on all sites with one button.
    """

    def __init__(
        self,
        policy: Policy,
        site: str,
        prefix: str,
        origins: Mapping[str, str],
        partners: Iterable[str],
        *,
        handoff_address: Callable[..., str],
        carries: bool,
    ) -> None:
        self._policy = policy
        self._site = policy.site(site)
        self._prefix = prefix
        self.partners = [policy.site(partner) for partner in partners]
        self.origins = {site.id: origins.get(site.id, site.origin) for site in policy.sites}
        self._handoff_address = handoff_address
        self._carries = carries

    def carries_choice(self, view: View) -> bool:
        """Return whether links to other sites take the visitor's choice along."""
        return bool(self.partners) and self._site.public_key is not None and view.consent.status.decided

    def addresses(self, rows: Iterable[Row], view: View) -> dict[str, str]:
        """Return the address of each site in rows of `Disclosure.sites`, or the one that takes the visitor's choice along."""
        if not self.carries_choice(view):
            return {row["id"]: row["origin"] for row in rows}
        origins = {site: (address,) for site, address in self.origins.items()}
        return {
            row["id"]: self._handoff_address(
                row["origin"], site=self._site.id, origins=origins, prefix=self._prefix
            )
            for row in rows
        }

    def button(self, rendering: Rendering, view: View) -> Row | None:
        """Return what the pages with the button show; None if the visitor cannot use a choice on all sites."""
        if not self._carries or not view.consent.status.decided:
            return None
        translator, state = rendering.translator, view.carried
        others = [site.name for site in self._policy.sites if site.id != self._site.id]
        row: Row = {"next": None, "sentences": [], "visits": visiting_sentence(others, translator)}
        return row | (carrying(state, self._policy, translator, self.origins) if state else {})


def without_state(button: Row | None) -> Row | None:
    """Return what the pages with the button show, without what became of the visitor's last click."""
    return button and button | {"next": None, "sentences": []}
