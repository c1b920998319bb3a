"""One site's consent: decisions put on record, revocations followed, listeners told."""

from consentkit.manager.choice import Occasion, Outcome
from consentkit.manager.manager import ConsentManager

__all__ = ["ConsentManager", "Occasion", "Outcome"]
