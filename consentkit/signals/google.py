"""Google Consent Mode v2: the categories and vendors that its signals depend on.

A category is about analytics or advertising by its purposes in the Data Privacy Vocabulary; if it declares none, by its
id (REQUIREMENTS A4). Social media have no signal. Analytics that are exempt from consent grant no signal, because those of
Google are not known to qualify. Where the law asks for no more than an opt-out, every category counts.
"""

from collections.abc import Callable

from consentkit.policy import Category, Policy

__all__ = ["google_sources"]

_SIGNAL = "google-consent-mode"
_ANALYTICS = frozenset({"analytical", "analytics", "measurement", "performance", "statistics"})
_ADVERTISING = frozenset({"ads", "advertising", "marketing", "targeting", "tracking"})


def google_sources(policy: Policy) -> str:
    """Return what the script derives the signals from: the sources of analytics and of advertising, with a comma between.

    Sources are `category` or `category:vendor`, joined by `+`. The script grants a signal if all its sources are granted,
    and never without a source. Returns an empty string if no vendor uses these signals.
    """
    if not any(vendor.signal == _SIGNAL for vendor in policy.vendors):
        return ""
    return ",".join(
        "+".join(_sources(policy, has_purpose)) for has_purpose in (_is_analytics, _is_advertising)
    )


def _sources(policy: Policy, has_purpose: Callable[[Category], bool]) -> list[str]:
    """Return the vendors that use the signals in the categories with a purpose, or these categories if no vendor does."""
    asks = policy.regime.mode == "opt_in"
    counting = policy.consent_needed if asks else policy.optional
    category_ids = [category.id for category in counting if has_purpose(category)]
    vendors = [
        f"{category_id}:{vendor.id}"
        for category_id in category_ids
        for vendor in policy.vendors_of(category_id)
        if vendor.signal == _SIGNAL
    ]
    return vendors or category_ids


def _is_analytics(category: Category) -> bool:
    if category.dpv_purposes:
        return any(purpose.endswith("Analytics") for purpose in category.dpv_purposes)
    return category.id in _ANALYTICS


def _is_advertising(category: Category) -> bool:
    if category.dpv_purposes:
        return any("Advertising" in purpose for purpose in category.dpv_purposes)
    return category.id in _ADVERTISING
