"""One site's consent: decisions put on record, revocations followed, listeners called."""

from consentkit.manager.appearance import Appearance
from consentkit.manager.choice import ChoiceContext, Outcome, Surface
from consentkit.manager.decision_plan import ImportedGrant
from consentkit.manager.delivery import what_an_outage_loses
from consentkit.manager.manager import ConsentManager

__all__ = [
    "Appearance",
    "ChoiceContext",
    "ConsentManager",
    "ImportedGrant",
    "Outcome",
    "Surface",
    "what_an_outage_loses",
]
