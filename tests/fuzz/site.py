"""The site that the targets share: its policy, cookies and gate, a genuine grant, and a clock that stands still."""

from typing import Any

from consentkit.consent import Consent, ConsentCookie, Decision, Evaluator, signer
from consentkit.enforcement import CookieGate
from consentkit.policy import Policy
from tests.support.told import DECIDED, EXAMPLE, OPTIONAL

NOW = DECIDED + 86_400
KEY = "a key that the fuzzing targets sign with"
SUBJECT = "AZaz09-_AZaz09-_AZaz09"


def _tracker(name: str, category: str, **more: Any) -> dict[str, Any]:
    common = {"kind": "cookie", "lifetime": "P1M", "purpose": {"en": "Is tested.", "nl": "Wordt getest."}}
    return {"name": name, "category": category} | common | more


POLICY = Policy.model_validate(
    EXAMPLE
    | {
        "trackers": [
            _tracker("session", "functional", necessity="session"),
            _tracker("_ga*", "analytical", vendor="google-analytics", domain=".stride.example"),
            _tracker("_ga_own", "functional", necessity="session"),
            _tracker("_gat*", "social", path="/video", partitioned=True),
            _tracker("adhub_uid", "tracking", vendor="adhub"),
            _tracker("Visits", "analytical"),
            _tracker("__Secure-ad", "tracking"),
        ]
    }
)
EVALUATOR = Evaluator(POLICY, "stride")
NOTICE = EVALUATOR.notice
COOKIE = ConsentCookie(EVALUATOR, KEY, clock=lambda: NOW)
NAME = COOKIE.name.encode()
SIGNER = signer(COOKIE.keys_oldest_first, COOKIE.salt)
GRANT = Decision(
    granted=OPTIONAL,
    vendors={},
    decided_at=DECIDED,
    changed_at=DECIDED,
    notice=NOTICE.digest,
    subject=SUBJECT,
)
TOKEN = COOKIE.dumps(GRANT).encode()
UNDECIDED = EVALUATOR.undecided()
GRANTED = EVALUATOR.evaluate(GRANT, NOW)
ENDS = EVALUATOR.expires(GRANT) or 0


def new_gate(*, strict: bool = False) -> CookieGate:
    """Return a cookie gate that remembers nothing yet."""
    return CookieGate(POLICY, own_names=COOKIE.names, strict=strict)


def needs_consent(name: str) -> bool:
    """Return whether the policy declares a cookie of this name, in any letter case, that a visitor may refuse."""
    lower = name.lower()
    declared = lower.startswith("_ga") or lower in ("adhub_uid", "visits", "__secure-ad")
    return declared and name != "_ga_own"


def consent_of(*fields: bytes) -> Consent:
    """Return the consent that Cookie fields carry."""
    return COOKIE.read([(b"cookie", field) for field in fields])
