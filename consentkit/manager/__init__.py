"""One site's consent: decisions put on record, revocations followed, listeners told."""

from consentkit.manager.choice import ChoiceContext, Outcome, Surface
from consentkit.manager.manager import ConsentManager
from consentkit.manager.revocations import NoRevocations

__all__ = ["ChoiceContext", "ConsentManager", "NoRevocations", "Outcome", "Surface"]
