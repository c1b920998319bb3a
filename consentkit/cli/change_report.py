"""What changed between two notices, told to the owner: plain English sentences, and who will be asked again."""

from collections.abc import Iterable, Mapping
from typing import Any

from consentkit.notices import Change

__all__ = ["difference", "in_words"]

_FIELDS = {
    ("vendor", "country"): "moved from {old} to {new}",
    ("vendor", "legal_entity"): "another company: {old} became {new}",
    ("vendor", "name"): "another name",
    ("vendor", "safeguard"): "the safeguard {old} became {new}",
    ("vendor", "role"): "the role {old} became {new}",
    ("vendor", "retention"): "keeps data for {new}, it was {old}",
    ("tracker", "lifetime"): "stays for {new}, it was {old}",
    ("tracker", "purpose"): "the purpose is worded otherwise",
    ("tracker", "third_party"): "set on the vendor's own domain: {new}",
    ("category", "title"): "the title is worded otherwise",
    ("category", "description"): "the description is worded otherwise",
    ("category", "required"): "required: {old} became {new}",
    ("category", "exempt"): "exempt from consent: {old} became {new}",
    ("category", "combines_across_sites"): "data from all sites is combined: {new}",
    ("vendor", "profiling"): "may build profiles: {new}",
}


def difference(changes: Iterable[Change], categories: Iterable[str]) -> list[str]:
    """Write one line for each change, in the order given; `categories` are all that consent is asked for."""
    return [f"{in_words(change)} {_consequence(change, tuple(categories))}" for change in changes]


def in_words(change: Change) -> str:
    """Say what changed, without who is asked again."""
    where = f"{change.category}: " if change.category and change.thing != "category" else ""
    if change.verb in ("added", "removed"):
        return f"{where}{change.thing} {change.verb}: {_label(change)}."
    pattern = _FIELDS.get((change.thing, change.field), "{field}: {old} became {new}")
    what = pattern.format(field=change.field, old=_shown(change.old), new=_shown(change.new))
    thing = (
        change.thing
        if change.name == change.thing or change.thing == "policy"
        else f"{change.thing} {change.name}"
    )
    return f"{where}{thing}: {what}."


def _label(change: Change) -> str:
    row = change.new or change.old
    if change.thing == "vendor":
        return f"{change.name}, {row['country']}"
    if change.thing == "tracker":
        return f"{change.name} ({row['kind']}, {row['lifetime']})"
    if change.thing == "site":
        return f"{change.name}, {row['origin']}"
    return change.name


def _shown(value: Any) -> str:
    if value is None:
        return "unstated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, Mapping):
        return ", ".join(map(str, value.values()))
    return str(value)


def _consequence(change: Change, categories: tuple[str, ...]) -> str:
    if change.thing == "site" and change.verb == "added":
        return "Visitors are asked there; older answers count on the other sites as before."
    if not change.asks:
        return "Nobody is asked again."
    if change.thing == "category" and change.verb == "added":
        row = change.new
        if row["required"] or row["exempt"]:
            return "Nobody is asked."
        return f"Every visitor is asked about {change.category}."
    if change.category is None:
        return f"Visitors who granted {_listed(categories)} will be asked again."
    if change.category not in categories:
        return "Nobody is asked again: it needs no consent."
    return f"Visitors who granted {change.category} will be asked again."


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)
