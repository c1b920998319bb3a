"""What a visitor decided and what that allows now; the signed cookie that carries it."""

from consentkit.consent.cookie import ConsentCookie
from consentkit.consent.evaluation import Terms
from consentkit.consent.model import Choice, Consent, ConsentStatus, Decision

__all__ = ["Choice", "Consent", "ConsentCookie", "ConsentStatus", "Decision", "Terms"]
