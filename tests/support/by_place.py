"""Visitors at places, and the pages that they see, without a server."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from consentkit import Policy
from consentkit.consent import Consent, ConsentStatus
from consentkit.consent.evaluation import Evaluator
from consentkit.policy import RegimePolicies
from consentkit.ui.pages import Pages, View
from tests.support.placed_site import placed_policy
from tests.support.told import DECIDED, decision, pages, view

__all__ = ["OTHERS", "Seen", "at", "policy_at"]

OTHERS = {"eea": True, "gb": True, "us": True, "ch": "opt_out", "ca": True, "br": True}


@cache
def _policies(us: str) -> RegimePolicies:
    return RegimePolicies(placed_policy(regimes=OTHERS | {"us": us or True}))


def policy_at(regime: str, us: str = "") -> Policy:
    """Return the policy under a regime, with another mode for the United States."""
    return _policies(us).by_id[regime]


@cache
def _pages(regime: str, us: str) -> Pages:
    return pages(policy_at(regime, us))


@dataclass(frozen=True)
class Seen:
    """What a visitor sees."""

    pages: Pages
    view: View

    @property
    def consent(self) -> Consent:
        return self.view.consent

    @property
    def status(self) -> ConsentStatus:
        return self.consent.status


def at(
    regime: str,
    granted: set[str] | None = None,
    *,
    vendors: Mapping[str, bool] | None = None,
    kind: str = "decided",
    gpc: bool = False,
    us: str = "",
    language: str = "en",
    place: str = "",
    days: int = 1,
) -> Seen:
    """Return what a visitor sees who granted these categories under the regime, or chose nothing."""
    policy = policy_at(regime, us)
    denied = [row.id for row in policy.optional if gpc and policy.denies_by_gpc(row.id)]
    evaluator = Evaluator(policy, "stride", denied=denied)
    made = None if granted is None else decision(policy, frozenset(granted), vendors, kind=kind)
    consent = evaluator.evaluate(made, DECIDED + days * 86_400, gpc=gpc)
    return Seen(_pages(regime, us), view(consent, language, place=place))
