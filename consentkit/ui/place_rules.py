"""The rules of a place, as the pages apply them: which words are true under them, and whose rules they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from markupsafe import Markup

from consentkit.consent import Consent
from consentkit.policy import STRICTEST, Policy, Regime
from consentkit.ui.i18n import NP_, Translator

__all__ = ["PlaceRules", "is_on"]

_PLACES = {
    # Translators: A place in a list of places whose rules the page can show.
    "eea": NP_("place", "European Economic Area"),
    # Translators: A place in a list of places whose rules the page can show.
    "us-ca": NP_("place", "United States: California"),
    # Translators: A place in a list of places whose rules the page can show, after "United States: California".
    "us-signal": NP_("place", "United States: other states"),
    # Translators: A place in a list of places whose rules the page can show, after "United States: California".
    "us-opt-out": NP_("place", "United States: other states"),
    # Translators: A place in a list of places whose rules the page can show.
    "ca-qc": NP_("place", "Canada: Quebec"),
}
"""Names of the places of a regime, by its id, where the name of one country is not enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRules:
    """The rules that a notice is shown under, in one language.

    Attributes:
        family: the family of the regime; None for the strictest rules.
        opts_out: whether all optional purposes are on until the visitor says otherwise.
        has_choices: whether the law asks for a link "Your Privacy Choices".
        settings: the name of the settings page, and of the links to it.
        deniable: ids of the categories that Global Privacy Control turns off whatever the visitor chose.
        signalled: ids of the categories for which the signal is an opt-out. Pages say so where they honor it.
        selling: ids of the categories that sell or share personal data.
        sensitive: ids of the categories that use sensitive personal data, where visitors can limit that.
        unasked: ids of the categories that are on without being asked about, where the banner has to say so.
        place: the name of the place whose rules these are; empty for the strictest ones.
        quoted_place: the same name in quotation marks, for a sentence.
        places: code and name of each place whose rules visitors can ask for; empty for a policy without such rules.
    """

    family: str | None
    opts_out: bool
    has_choices: bool
    settings: str
    deniable: frozenset[str]
    signalled: frozenset[str]
    selling: frozenset[str]
    sensitive: frozenset[str]
    unasked: tuple[str, ...]
    place: str
    quoted_place: Markup
    places: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, policy: Policy, translator: Translator) -> Self:
        """Return the rules that a policy holds under."""
        regime, optional = policy.regime, policy.optional
        deniable = frozenset(row.id for row in optional if policy.denies_by_gpc(row.id))
        has_choices = "privacy_choices" in regime.links
        regimes = _regimes(policy) if policy.regimes is not None else ()
        place = "" if regime.id == STRICTEST else _name(regime, regimes, translator)
        opts_out = regime.mode != "opt_in" and not policy.is_home
        return cls(
            family=regime.family,
            opts_out=opts_out,
            has_choices=has_choices,
            settings=(
                # Translators: Prescribed by the law of California, where the link has these English words.
                translator.pgettext("link and page", "Your Privacy Choices")
                if has_choices
                else translator.pgettext("link and page", "Cookie settings")
            ),
            deniable=deniable,
            signalled=frozenset(row.id for row in optional if policy.honours_gpc(row.id))
            if regime.gpc == "opt_out"
            else deniable,
            selling=frozenset(row.id for row in optional if has_choices and policy.sells(row.id)),
            sensitive=frozenset(row.id for row in optional if has_choices and row.sensitive),
            unasked=tuple(row.id for row in optional if row.exempt and regime.family == "gb"),
            place=place,
            quoted_place=translator.format_names([place]) if place else Markup(),
            places=tuple(_options(regimes, policy, translator)),
        )

    def denied(self, consent: Consent) -> frozenset[str]:
        """Return the categories that the browser's signal turns off, whatever the visitor chose."""
        return self.deniable if consent.gpc else frozenset()

    def honors_signal(self, consent: Consent) -> bool:
        """Return whether a page says that it honors the signal: something for which it is an opt-out is off."""
        return consent.gpc and any(not is_on(consent, category) for category in self.signalled)


def is_on(consent: Consent, category: str) -> bool:
    """Return whether a category is on, or a vendor of it."""
    return consent.categories[category] or any(
        is_allowed and consent.vendor_category[vendor] == category
        for vendor, is_allowed in consent.vendors.items()
    )


def _regimes(policy: Policy) -> tuple[Regime, ...]:
    """Return the regimes that a policy has, that of its jurisdiction first."""
    chosen = policy.regimes.chosen if policy.regimes is not None else {}
    home = policy.home_regime
    others = (regime for regime in policy.regime_data.regimes if regime.family in chosen)
    return (home, *(regime for regime in others if regime.id != home.id))


def _name(regime: Regime, regimes: tuple[Regime, ...], translator: Translator) -> str:
    """Return the name of a regime's place. The only regime of the EEA stands for all of it."""
    is_alone = sum(other.family == "eea" for other in regimes) < 2
    key = "eea" if regime.family == "eea" and is_alone else regime.id
    if key in _PLACES:
        return translator.pgettext("place", _PLACES[key])
    places = regime.places
    return translator.country_name(places[0]) if len(places) == 1 and "-" not in places[0] else regime.name


def _options(
    regimes: tuple[Regime, ...], policy: Policy, translator: Translator
) -> Iterable[tuple[str, str]]:
    """Yield a place of each regime and its name. Regimes of the same name have one option."""
    names = set()
    today = policy.regime_data.as_of
    for regime in regimes:
        name = _name(regime, regimes, translator)
        places = [law.place for law in regime.laws if law.in_force(today)] or list(regime.places)
        if places and name not in names:
            names.add(name)
            yield places[0], name
