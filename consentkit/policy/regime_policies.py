"""The policies of places: what an owner declared, as it holds under each regime.

Another regime changes three things: which optional categories are on without consent, which of them Global Privacy Control turns
off, and how long a choice lasts. Notices, evaluation and pages follow from the changed policy.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal

from consentkit.policy.duration import Duration
from consentkit.policy.models import Category
from consentkit.policy.policy import Policy
from consentkit.policy.regimes import STRICTEST, Exemption, Mode, Place, Regime, stricter_mode

__all__ = ["RegimePolicies", "applied_regimes"]

_KEYS: Mapping[Exemption, Literal["exempt", "statistics", "appearance"]] = {
    "audience": "exempt",
    "statistics": "statistics",
    "appearance": "appearance",
}
# The law that allows statistics includes the measurement of audiences.
_WIDER: Mapping[Exemption, Exemption] = {"audience": "statistics"}
_US_WITHOUT_LAW, _US_UNKNOWN = "us-signal", "us-ca"
"""Ids of the regimes for US states without a law and for an unknown state, if the owner applies opt-out to all of them."""


class RegimePolicies:
    """A policy under each of its regimes.

    Attributes:
        home: the policy as it was declared.
        by_id: the policies by the id of their regime, the home regime's first.
    """

    def __init__(self, policy: Policy) -> None:
        """Apply every regime of the policy's `[regimes]`. Without that table there is the policy alone."""
        self.home = policy
        self._data = policy.regime_data
        self._chosen = policy.regimes.chosen if policy.regimes is not None else {}
        self.by_id: dict[str, Policy] = {policy.regime.id: policy}
        for regime in applied_regimes(policy)[1:]:
            self.by_id[regime.id] = _under(policy, regime)
        strictest = _strictest(list(self.by_id.values()))
        self.strictest = strictest
        if strictest is not policy:
            self.by_id[STRICTEST] = strictest

    def at(self, place: Place | None, on: date) -> Policy:
        """Return the policy for a visitor at a place on a day; the strictest one for an unknown place."""
        if place is None:
            return self.strictest
        regime = self._data.of(place, on)
        if regime is not None and regime.id in self.by_id:
            return self.by_id[regime.id]
        if regime is None and place.country == "US" and self._chosen.get("us") == "opt_out":
            return self.by_id.get(_US_WITHOUT_LAW if place.region else _US_UNKNOWN, self.strictest)
        return self.home if self.home.transfer_data.in_eea(place.country) else self.strictest

    def stricter(self, first: Policy, second: Policy) -> Policy:
        """Return the stricter of two policies, category by category: one of the two, or the strictest of all."""
        if first is second:
            return first
        both = _strictest([first, second])
        for policy in (first, second):
            if _behaviour(policy) == _behaviour(both):
                return policy
        return self.strictest


def applied_regimes(policy: Policy) -> tuple[Regime, ...]:
    """Return the regimes of a policy, each with the mode that applies: its own first, then those of `[regimes]`."""
    chosen = policy.regimes.chosen if policy.regimes is not None else {}
    regimes = {policy.regime.id: policy.regime}
    for regime in policy.regime_data.regimes:
        mode = chosen.get(regime.family) if regime.family else None
        if mode is not None:
            applied = regime if mode is True else regime.model_copy(update={"mode": mode})
            regimes.setdefault(regime.id, applied)
    return tuple(regimes.values())


def _under(policy: Policy, regime: Regime) -> Policy:
    """Return a policy as it holds under a regime."""
    opts_out = regime.mode != "opt_in"
    categories = []
    for category in policy.categories:
        changes: dict[str, bool] = {}
        if not category.required:
            changes["exempt"] = opts_out or _is_exempt(category, regime.exempts)
            if regime.gpc != "refusal":
                changes["honours_gpc"] = regime.gpc == "opt_out" and policy.sells(category.id)
        categories.append(category.model_copy(update=changes) if changes else category)
    return policy.under(regime, tuple(categories), _validity(policy.validity, regime))


def _is_exempt(category: Category, exempts: Iterable[Exemption]) -> bool:
    exempts = set(exempts)
    return any(
        getattr(category, key) and (kind in exempts or _WIDER.get(kind) in exempts)
        for kind, key in _KEYS.items()
    )


def _validity(validity: Duration, regime: Regime) -> Duration:
    # Where consent is asked first, nobody who refused may be asked again too early either.
    at_least = regime.ask_again_after if regime.mode == "opt_in" else regime.validity_at_least
    at_most = regime.validity_at_most
    if at_least is not None and at_least.longer_than(validity):
        return at_least
    return at_most if at_most is not None and validity.longer_than(at_most) else validity


def _strictest(policies: list[Policy]) -> Policy:
    """Return a policy that allows what all of some policies allow, and no more; the first of them if it is that policy."""
    first = policies[0]
    categories = tuple(
        category.model_copy(
            update={
                "exempt": all(policy.category(category.id).exempt for policy in policies),
                "honours_gpc": any(policy.honours_gpc(category.id) for policy in policies),
            }
        )
        if not category.required
        else category
        for category in first.categories
    )
    validity = first.validity
    for policy in policies:
        validity = policy.validity if validity.longer_than(policy.validity) else validity
    modes: list[Mode] = [policy.regime.mode for policy in policies]
    regime = first.regime.model_copy(
        update={
            "id": STRICTEST,
            "family": None,
            "name": "All places of which nothing is known",
            "mode": stricter_mode(*modes),
            "gpc_over_choice": any(policy.regime.gpc_over_choice for policy in policies),
            "exempts": (),
            "laws": (),
        }
    )
    strictest = first.under(regime, categories, validity)
    return first if _behaviour(strictest) == _behaviour(first) else strictest


def _behaviour(policy: Policy) -> tuple[object, ...]:
    """Return what makes two policies behave differently."""
    rows = [
        (row.id, row.exempt, policy.honours_gpc(row.id), policy.denies_by_gpc(row.id))
        for row in policy.categories
    ]
    return (policy.validity, *rows)
