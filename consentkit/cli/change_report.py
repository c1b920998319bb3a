"""Sentences for the owner about the changes between two notices, and about who is asked again because of each."""

from collections.abc import Iterable, Mapping
from typing import Any

from consentkit.errors import UnknownIdError
from consentkit.notices import Change
from consentkit.policy import Policy

__all__ = ["describe_change", "describe_changes"]

_NOUNS = {"own_storage": "consentkit's own item"}
_EXEMPT = "Nobody is asked again: the category needs no consent."
_FIELDS = {
    ("vendor", "country"): "moved from {old} to {new}",
    ("vendor", "legal_entity"): "company changed from {old} to {new}",
    ("vendor", "joint_control"): "essence of the joint control changed",
    ("vendor", "name"): "name changed",
    ("vendor", "profiling"): "may build profiles: {new}",
    ("tracker", "lifetime"): "kept for {new} (was {old})",
    ("own_storage", "lifetime"): "kept for {new} (was {old})",
    ("tracker", "purpose"): "purpose reworded",
    ("tracker", "third_party"): "on the vendor's own domain: {new}",
    ("category", "title"): "title reworded",
    ("category", "description"): "description reworded",
    ("category", "exempt"): "exempt from consent: {new}",
    ("category", "combines_across_sites"): "combines data from all sites: {new}",
}


def describe_changes(changes: Iterable[Change], policy: Policy) -> list[str]:
    """Return a line for each change, in the order given, with its consequence under the new policy."""
    return [f"{describe_change(change, policy)} {_consequence(change, policy)}" for change in changes]


def describe_change(change: Change, policy: Policy) -> str:
    """Return a sentence about what changed, without who is asked again."""
    category = f"{change.category}: " if change.category and change.thing != "category" else ""
    noun = _NOUNS.get(change.thing, change.thing)
    if change.verb in ("added", "removed"):
        return f"{category}{noun} {change.verb}: {_label_with_facts(change, policy)}."
    pattern = _FIELDS.get((change.thing, change.field), "{field} changed from {old} to {new}")
    what = pattern.format(field=change.field, old=_shown(change.old), new=_shown(change.new))
    is_single = change.name == change.thing or change.thing == "policy"
    thing = noun if is_single else f"{noun} {_label(change, policy)}"
    return f"{category}{thing}: {what}."


def _label(change: Change, policy: Policy) -> str:
    """Return the name of a vendor or a site with its id in brackets, and a tracker with the vendor that it belongs to.

    What has left the policy has its id alone.
    """
    try:
        if change.thing == "tracker" and change.vendor:
            return f"{change.name} of {policy.vendor(change.vendor).name} ({change.vendor})"
        if change.thing == "vendor":
            return f"{policy.vendor(change.name).name} ({change.name})"
        if change.thing == "site":
            return f"{policy.site(change.name).name} ({change.name})"
    except UnknownIdError:
        pass
    return change.name


def _label_with_facts(change: Change, policy: Policy) -> str:
    row, label = change.new or change.old, _label(change, policy)
    if change.thing == "vendor":
        return f"{label}, {row['country']}"
    if change.thing in ("tracker", "own_storage"):
        return f"{label}, {row['kind']}, {row['lifetime']}"
    if change.thing == "site":
        return f"{label}, {row['origin']}"
    return label


def _shown(value: Any) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, Mapping):
        return ", ".join(map(str, value.values()))
    return str(value)


def _consequence(change: Change, policy: Policy) -> str:
    asked_about = [category.id for category in policy.consent_needed]
    if change.thing == "site" and change.verb == "added":
        return "Visitors are asked on this site; their decisions still count on the other sites."
    is_exempt = change.category is not None and change.category not in asked_about
    if not change.asks:
        # Other facts ask nobody in any category. These would, where consent is needed.
        is_told = is_exempt and (change.verb == "added" or change.field in ("lifetime", "retention"))
        return _EXEMPT if is_told else "Nobody is asked again."
    if change.thing == "category" and change.verb == "added":
        if change.new["required"] or change.new["exempt"]:
            return "Nobody is asked."
        return f"Every visitor is asked about {change.category}."
    if change.category is None:
        return f"Visitors who granted {_joined(asked_about)} will be asked again."
    if is_exempt:
        return _EXEMPT
    return f"Visitors who granted {change.category} will be asked again."


def _joined(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)
