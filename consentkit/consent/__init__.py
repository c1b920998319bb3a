"""What a visitor decided and what that allows now; the signed cookie that carries it."""

from consentkit.consent.cookie import SKEW, ConsentCookie
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Choice, Consent, ConsentStatus, Decision
from consentkit.consent.secret_keys import SecretKeys, signer
from consentkit.consent.verified import VerifiedToken

__all__ = [
    "SKEW",
    "Choice",
    "Consent",
    "ConsentCookie",
    "ConsentStatus",
    "Decision",
    "Evaluator",
    "SecretKeys",
    "VerifiedToken",
    "signer",
]
