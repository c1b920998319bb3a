"""What a visitor decided and what that allows now; the signed cookie that carries the decision."""

from consentkit.consent import transitions
from consentkit.consent.cookie import SKEW, ConsentCookie
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Choice, Consent, ConsentStatus, Decision
from consentkit.consent.secret_keys import SecretKeys, signer, validated_keys
from consentkit.consent.token import VerifiedToken

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
    "transitions",
    "validated_keys",
]
