"""What other tools are told about a consent: Google Consent Mode v2.

Which category stands for analytics and which for advertisements follows from their purposes in the Data Privacy
Vocabulary, and from their ids where none are declared (REQUIREMENTS A4). Social media have no signal, and analytics that
need no consent turn none on: Google's are not known to qualify.
"""

from collections.abc import Callable, Iterator

from consentkit.policy import Category, Policy

__all__ = ["google_signals", "google_sources"]

_ANALYTICS = frozenset({"analytical", "analytics", "measurement", "performance", "statistics"})
_ADVERTISING = frozenset({"ads", "advertising", "marketing", "targeting", "tracking"})
_FROM_ANALYTICS = ("analytics_storage",)
_FROM_ADVERTISING = ("ad_storage", "ad_user_data", "ad_personalization", "personalization_storage")
_ALWAYS = ("functionality_storage", "security_storage")

Source = tuple[str, str | None]


def google_sources(policy: Policy) -> str:
    """Write for the script what the signals follow from: analytics and advertisements, separated by a comma.

    Each is a list of `category` or `category:vendor`, joined by `+`, all of which have to be allowed; an empty one is never
    granted. Empty where no vendor listens to these signals.
    """
    if not any(vendor.signal == "google-consent-mode" for vendor in policy.vendors):
        return ""
    return ",".join(
        "+".join(category if vendor is None else f"{category}:{vendor}" for category, vendor in part)
        for part in (_sources(policy, _is_analytics), _sources(policy, _is_advertising))
    )


def google_signals(policy: Policy, allows: Callable[[str, str | None], bool]) -> dict[str, str]:
    """Give the seven signals, each "granted" or "denied", for what a consent allows."""
    told = dict.fromkeys(_ALWAYS, True)
    for signals, means in ((_FROM_ANALYTICS, _is_analytics), (_FROM_ADVERTISING, _is_advertising)):
        sources = _sources(policy, means)
        told |= dict.fromkeys(signals, bool(sources) and all(allows(*source) for source in sources))
    return {signal: "granted" if on else "denied" for signal, on in sorted(told.items())}


def _sources(policy: Policy, means: Callable[[Category], bool]) -> list[Source]:
    """Name the vendors that listen in the categories of one meaning; where none does, those categories."""
    meant = [category.id for category in policy.consent_needed if means(category)]
    return list(_listening(policy, meant)) or [(category, None) for category in meant]


def _listening(policy: Policy, categories: list[str]) -> Iterator[Source]:
    for category in categories:
        for vendor in policy.vendors_of(category):
            if vendor.signal == "google-consent-mode":
                yield category, vendor.id


def _is_analytics(category: Category) -> bool:
    if category.dpv_purposes:
        return any(purpose.endswith("Analytics") for purpose in category.dpv_purposes)
    return category.id in _ANALYTICS


def _is_advertising(category: Category) -> bool:
    if category.dpv_purposes:
        return any("Advertising" in purpose for purpose in category.dpv_purposes)
    return category.id in _ADVERTISING
