"""The GPC support resource: whether this site honours Global Privacy Control (GPC specification, section 5)."""

from datetime import date

from consentkit.policy import Policy, RegimePolicies

__all__ = ["gpc_json"]


def gpc_json(policy: Policy, last_update: date) -> dict[str, bool | str]:
    """Return the body of `/.well-known/gpc.json`.

    The site honours GPC if every optional category with a vendor that builds profiles does, under the rules of every place.
    `last_update` is the day of the policy's last change.
    """
    profiling = {vendor.category for vendor in policy.vendors if vendor.profiling}
    honoured = all(
        applied.honours_gpc(category.id)
        for applied in RegimePolicies(policy).by_id.values()
        for category in policy.optional
        if category.id in profiling
    )
    return {"gpc": honoured, "lastUpdate": last_update.isoformat()}
