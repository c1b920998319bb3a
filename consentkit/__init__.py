"""Cookie consent for Python web sites: asked for, enforced on the server, proved and withdrawn."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from consentkit.consent import Consent, ConsentStatus, Decision
    from consentkit.policy import Policy
    from consentkit.policy_file import load_policy

__all__ = ["Consent", "ConsentStatus", "Decision", "Policy", "load_policy"]

__version__ = "0.1.0"

_HOMES = {
    "Consent": "consent",
    "ConsentManager": "manager",
    "ConsentStatus": "consent",
    "Decision": "consent",
    "Ledger": "ledger",
    "Policy": "policy",
    "Record": "ledger",
    "load_policy": "policy_file",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
