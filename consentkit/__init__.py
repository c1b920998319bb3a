"""Cookie consent for Python web sites: asked for, enforced on the server, proved and withdrawn.

The names of the core stand here; each is loaded from its module when it is first used. What belongs to a web
framework is imported from its adapter, `consentkit.asgi` for one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from consentkit._version import __version__ as __version__

if TYPE_CHECKING:
    from consentkit.config.policy_file import load_policy
    from consentkit.consent.model import Consent, ConsentStatus, Decision
    from consentkit.errors import (
        ConfigurationError,
        ConsentError,
        InvalidDecisionError,
        LedgerError,
        LedgerUnavailableError,
        PolicyError,
        UnknownCategoryError,
        UnknownSiteError,
        UnknownVendorError,
        UsageError,
    )
    from consentkit.ledger import Ledger, Record
    from consentkit.manager.location import trusted_header
    from consentkit.manager.manager import ConsentManager
    from consentkit.manager.webhooks import Webhook
    from consentkit.notices.notice import Notice
    from consentkit.policy.policy import Policy
    from consentkit.policy.regimes import Place
    from consentkit.web.request_consent import RequestConsent

__all__ = [
    "ConfigurationError",
    "Consent",
    "ConsentError",
    "ConsentManager",
    "ConsentStatus",
    "Decision",
    "InvalidDecisionError",
    "Ledger",
    "LedgerError",
    "LedgerUnavailableError",
    "Notice",
    "Place",
    "Policy",
    "PolicyError",
    "Record",
    "RequestConsent",
    "UnknownCategoryError",
    "UnknownSiteError",
    "UnknownVendorError",
    "UsageError",
    "Webhook",
    "load_policy",
    "trusted_header",
]

_HOMES = {
    "Consent": "consent",
    "ConsentManager": "manager",
    "ConsentStatus": "consent",
    "Decision": "consent",
    "Ledger": "ledger",
    "Notice": "notices",
    "Place": "policy",
    "Policy": "policy",
    "Record": "ledger",
    "RequestConsent": "web",
    "Webhook": "manager",
    "load_policy": "config",
    "trusted_header": "manager",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
