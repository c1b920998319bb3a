"""The library's words for what article 13 GDPR asks for: legal grounds, rights, and the library's own items."""

from collections.abc import Mapping
from typing import Final

from consentkit.policy import Regime, Right
from consentkit.ui.i18n import N_

__all__ = ["EXEMPT_INTEREST", "GDPR_BASES", "OWN_ITEMS", "PROOF_BASES", "RIGHTS", "legal_basis_words"]

_EEA: Final[Mapping[str, str]] = {
    "strictly_necessary": N_(
        "Strictly necessary for the service you asked for; no consent needed (article 5(3) of the ePrivacy Directive)"
    ),
    "exempt": N_(
        "Exempt from consent; you can object (article 5(3) of the ePrivacy Directive and national law)"
    ),
    "consent": N_("Your consent (article 6(1)(a) GDPR and article 5(3) of the ePrivacy Directive)"),
}
_GB: Final[Mapping[str, str]] = {
    "strictly_necessary": N_(
        "Strictly necessary for the service you asked for; no consent needed "
        "(regulation 6 of the Privacy and Electronic Communications Regulations)"
    ),
    "exempt": N_(
        "Exempt from consent; you can object "
        "(regulation 6 and Schedule A1 of the Privacy and Electronic Communications Regulations)"
    ),
    "consent": N_(
        "Your consent (article 6(1)(a) UK GDPR and regulation 6 of the Privacy and Electronic Communications Regulations)"
    ),
}
_ELSEWHERE: Final[Mapping[str, str]] = {
    # Translators: Legal ground of a purpose, in countries whose law is not cited.
    "strictly_necessary": N_("Strictly necessary for the service you asked for; no consent needed"),
    # Translators: Legal ground of a purpose, in countries whose law is not cited.
    "exempt": N_("On until you object"),
    # Translators: Legal ground of a purpose, in countries whose law is not cited.
    "consent": N_("Your consent, which you can withdraw at any time"),
}
_OPT_OUT: Final[Mapping[str, str]] = {
    # Translators: Legal ground of a purpose, for visitors in the United States.
    "us": N_("On until you opt out (privacy law of your state)"),
    # Translators: Legal ground of a purpose, for visitors in Switzerland.
    "ch": N_("On until you object (article 45c of the Swiss Telecommunications Act)"),
}
"""The ground of what is on until the visitor says otherwise, by the family of the regime."""

GDPR_BASES: Mapping[str, str] = {
    "consent": N_("Your consent (article 6(1)(a) GDPR)"),
    "contract": N_("Our agreement with you (article 6(1)(b) GDPR)"),
    "legal_obligation": N_("A legal obligation (article 6(1)(c) GDPR)"),
    "legitimate_interests": N_("Our legitimate interest in a site that works (article 6(1)(f) GDPR)"),
}
EXEMPT_INTEREST = N_("Our legitimate interest in knowing how the site is used (article 6(1)(f) GDPR)")
"""The interest of a category that is exempt from consent."""
PROOF_BASES: Mapping[str, str] = {
    "legal_obligation": N_("We have to be able to show that you consented (articles 6(1)(c) and 7(1) GDPR)"),
    "legitimate_interests": N_(
        "Our legitimate interest in being able to show that you consented (article 6(1)(f) GDPR)"
    ),
}
RIGHTS: Mapping[Right, tuple[str, str]] = {
    "access": ("15", N_("See what data we have about you, and get a copy of it (article 15 GDPR)")),
    "rectification": ("16", N_("Have it corrected (article 16 GDPR)")),
    "erasure": ("17", N_("Have it erased (article 17 GDPR)")),
    "restriction": ("18", N_("Have its use restricted (article 18 GDPR)")),
    "portability": ("20", N_("Take the data that you gave us elsewhere (article 20 GDPR)")),
    "objection": ("21", N_("Object to what we do because of our legitimate interest (article 21 GDPR)")),
}
"""The article of each right, and what a visitor can do by it."""
OWN_ITEMS: Mapping[str, tuple[str, str]] = {
    "consent": (
        N_("Remembers your choice, signed so that nobody else can change it."),
        N_(
            "Your choice for each purpose and third party, when you made it, and the version of this page. While you "
            "allow something, also a random number that leads to our record of your choice."
        ),
    ),
    "companion": (
        N_("Shows the pages of this site what you allow."),
        N_("The purposes and third parties that you allow, and the version of this page."),
    ),
    "transaction": (
        N_(
            "Fetches your choice from another of our sites, when you ask for that or follow a link between them."
        ),
        N_("A random number, which site is asked, and the page that you return to."),
    ),
    "confirmation": (
        N_("Remembers what you just chose, until a page has confirmed it."),
        N_("What happened, such as “rejected”, and for which of our sites or third parties."),
    ),
}
"""What each item of the library is for, and what it holds, by `OwnItem.use`."""


def legal_basis_words(basis: str, regime: Regime) -> str:
    """Return the words for a category's `legal_basis` under a regime, not translated yet."""
    if regime.family == "gb":
        return _GB[basis]
    # The strictest rules belong to no family: they are at least those of the EEA.
    if regime.family in (None, "eea"):
        return _EEA[basis]
    if basis == "exempt" and regime.mode != "opt_in":
        return _OPT_OUT.get(regime.family, _ELSEWHERE[basis])
    return _ELSEWHERE[basis]
