"""`/.well-known/consent.json`: what agents and automatic clients need to read the notice and to answer for a visitor.

The document is the same for everybody, wherever it is read. `data/consent.schema.json` is its JSON Schema.
"""

from datetime import date
from typing import Any

from consentkit.policy import Policy, RegimePolicies
from consentkit.signals.gpc import gpc_json
from consentkit.signals.table import SIGNALS, signal_effects

__all__ = ["consent_json"]

SCHEMA = 1
"""Version of the document's format."""


def consent_json(
    policy: Policy, *, site: str, address: str, notice: str, last_update: date
) -> dict[str, Any]:
    """Return the body of `/.well-known/consent.json`.

    Args:
        policy: of the site, as it was declared.
        site: id of the site.
        address: of the settings page, with the site's origin; the other addresses are below it.
        notice: digest of the policy's own notice.
        last_update: the day of the policy's last change.
    """
    row = policy.site(site)
    return {
        "schema": SCHEMA,
        "controller": (row.controller or policy.controller).name,
        "site": {"id": row.id, "name": row.name},
        "languages": list(policy.languages),
        "notice": notice,
        "last_update": last_update.isoformat(),
        "policy": f"{address}/policy.json",
        "policy_page": f"{address}/policy",
        "preferences": address,
        "decision": _decision_api(policy, address),
        "gpc": gpc_json(policy, last_update)["gpc"],
        "regimes": _regimes(policy),
        "signals": _signals(policy),
    }


def _decision_api(policy: Policy, address: str) -> dict[str, Any]:
    """Return how a decision is read and made; the body of a request has these ids with true or false, or a choice."""
    optional = [category.id for category in policy.optional]
    return {
        "url": f"{address}/decision",
        "read": "GET",
        "replace": "POST",
        "change": "PATCH",
        "withdraw": "DELETE",
        "content_type": "application/json",
        "choices": ["accept_all", "reject_all"],
        "categories": optional,
        "vendors": [vendor.id for category in optional for vendor in policy.vendors_of(category)],
    }


def _regimes(policy: Policy) -> list[dict[str, Any]]:
    """Return the rules by place, those of the policy's own jurisdiction first."""
    return [
        {
            "id": regime_id,
            "name": applied.regime.name,
            "mode": applied.regime.mode,
            "validity": str(applied.validity),
            "on_without_consent": [category.id for category in applied.optional if category.exempt],
        }
        for regime_id, applied in RegimePolicies(policy).by_id.items()
    ]


def _signals(policy: Policy) -> list[dict[str, Any]]:
    """Return the signals that have an effect, with the effect under each regime."""
    effects = signal_effects(policy)
    return [
        {
            "id": signal.id,
            "header": signal.header,
            "effects": {
                row.regime: {
                    "effect": row.effect,
                    "categories": list(row.categories),
                    "over_choice": list(row.over_choice),
                }
                for row in effects
                if row.signal == signal
            },
        }
        for signal in SIGNALS
        if signal.is_on
    ]
