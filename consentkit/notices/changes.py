"""Changes between two notices, and what a decision under the old notice still covers under the new one.

A decision covers exactly what its notice disclosed. Visitors are asked again about a category whose disclosure grew, but not
about a category whose disclosure shrank (GDPR 4(11); EDPB Guidelines 05/2020 section 5).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from consentkit.notices.notice import Facts, Notice
from consentkit.policy import Duration

__all__ = ["DISCLOSED", "Change", "Coverage", "compare", "coverage"]

Rule = Callable[[Any, Any], bool]
Verb = Literal["added", "removed", "changed"]

_SAFEGUARD_RANK = {None: 0, "none_required": 0, "adequacy": 1}
_OTHER_SAFEGUARD = 2


def _differs(old: Any, new: Any) -> bool:
    return bool(old != new)


def _other_controller(old: Any, new: Any) -> bool:
    """Return whether a site's own controller is another company, or in another country."""
    return any((old or {}).get(key) != (new or {}).get(key) for key in ("name", "country"))


def _turned_on(old: Any, new: Any) -> bool:
    return bool(new) and not old


def _added(old: Any, new: Any) -> bool:
    return not set(new or ()) <= set(old or ())


def _longer(old: Any, new: Any) -> bool:
    """Return whether a period grew. It grew if it is no longer stated, and did not if it is stated for the first time."""
    if old is None or old == new or new == "session":
        return False
    if new is None or old == "session":
        return True
    return Duration.parse(new).longer_than(Duration.parse(old))


def _weaker(old: Any, new: Any) -> bool:
    return _SAFEGUARD_RANK.get(new, _OTHER_SAFEGUARD) > _SAFEGUARD_RANK.get(old, _OTHER_SAFEGUARD)


def _reworded(old: Any, new: Any) -> bool:
    """Return whether a text differs in a language that both have; without a common language, the texts differ."""
    shared = set(old) & set(new)
    return any(old[language] != new[language] for language in shared) or not shared


# By table and field: the rule that returns whether a new value discloses more than the old one, or `None` if it never does.
# A test fails for a field without a rule. A change of a field of a later version, which has no rule here, counts as more.
DISCLOSED: dict[str, dict[str, Rule | None]] = {
    "policy": {
        "schema_version": None,
        "languages": None,
        "validity": None,  # a decision keeps the shorter of the two validities, see `Notice.validity`
        "jurisdiction": None,
        "records_kept": None,
        "adequacy_file": None,
        "regimes": None,
        "regimes_file": None,
        "regime": None,  # what a regime changes are the facts of its categories
        "proof_basis": None,
        "rights": None,
        "controller": None,  # see the tables below
        "group": None,
        "sites": None,
        "categories": None,
        "vendors": None,
        "trackers": None,
    },
    "controller": {
        "name": _differs,
        "country": _differs,
        "address": None,
        "email": None,
        "dpo": None,
        "privacy_policy": None,
        "rights_url": None,
        "authority": None,
    },
    "group": {"id": _differs, "name": None, "joint_controllers": _turned_on, "joint_control": None},
    "site": {
        "id": None,
        "name": None,
        "origin": None,  # another origin is another site: `Notice.covers_site`
        "public_key": None,
        "controller": _other_controller,
    },
    "category": {
        "id": None,
        "required": _differs,
        "exempt": _differs,
        "title": _reworded,
        "description": _reworded,
        "exemption_evidence": None,
        "statistics": None,
        "appearance": None,
        "sale_or_share": None,
        "sensitive": None,
        "combines_across_sites": _turned_on,
        "honours_gpc": None,
        "dpv_purposes": _added,
        "retention": _longer,
        "gdpr_basis": None,  # of categories about which visitors are not asked
    },
    "vendor": {
        "id": None,
        "name": _reworded,
        "legal_entity": _differs,
        "country": _differs,
        "safeguard": _weaker,
        "safeguard_copy": None,
        "dpf_certified": None,  # a policy that relies on adequacy does not load without it
        "commercial_org": None,
        "profiling": _turned_on,
        "policy_url": None,
        "category": None,  # a vendor in another category counts as added there
        "origins": None,
        "signal": None,
        "role": _differs,
        "joint_control": None,
        "data": _added,
        "retention": _longer,
    },
    "tracker": {
        "name": None,  # name, kind and vendor identify a tracker
        "kind": None,
        "vendor": None,
        "category": None,
        "lifetime": _longer,
        "purpose": _reworded,
        "necessity": None,
        "third_party": _turned_on,
        "domain": None,
        "path": None,
        "partitioned": None,
        "personal_data": _turned_on,
    },
    # What the library stores itself follows from the version of the library, and never asks.
    "own_storage": {
        "name": None,
        "kind": None,
        "category": None,
        "lifetime": None,
        "necessity": None,
        "holds": None,
    },
}


_TABLES = ("controller", "group", "sites", "categories", "vendors", "trackers", "own_storage")


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between two notices.

    Attributes:
        category: id of the category that changed, or None if the change concerns all categories.
        vendor: id of the vendor that changed, if any.
        thing: the table that changed, such as `vendor` or `tracker`.
        name: id of the row, or the tracker's name.
        field: key of the policy file; empty if a whole row was added or removed.
        old: the fact before the change.
        new: the fact after the change.
        asks: whether visitors who granted the category are asked again.
    """

    category: str | None
    vendor: str | None
    thing: str
    name: str
    verb: Verb
    field: str
    old: Any
    new: Any
    asks: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a decision under an old notice still covers under the new notice, on one site.

    Attributes:
        site: whether the old notice listed the site.
        categories: the categories whose disclosure did not grow.
        vendors: the vendors whose disclosure did not grow, for visitors who allowed only the vendor.
        new: the categories that need consent and were not part of the old notice.
        changes: all differences between the notices.
    """

    site: bool
    categories: frozenset[str]
    vendors: frozenset[str]
    new: tuple[str, ...]
    changes: tuple[Change, ...]


def compare(old: Notice, new: Notice) -> tuple[Change, ...]:
    """Return every difference: first what concerns all categories, then the rows of the new notice, removed rows last."""
    before, after = old.facts, new.facts
    asked = _asked(new)
    return tuple(
        change if change.category is None or change.category in asked else replace(change, asks=False)
        for change in (
            *_compare_fields("controller", before["controller"], after["controller"]),
            *_compare_fields("group", before.get("group", {}), after.get("group", {})),
            *_compare_fields("policy", _policy_facts(before), _policy_facts(after)),
            *_compare_tables("site", before["sites"], after["sites"], ("id",)),
            *_compare_tables("category", before["categories"], after["categories"], ("id",)),
            *_compare_tables("vendor", before["vendors"], after["vendors"], ("category", "id")),
            *_compare_tables(
                "tracker", before["trackers"], after["trackers"], ("category", "kind", "name", "vendor")
            ),
            *_compare_own_storage(before.get("own_storage", []), after.get("own_storage", [])),
        )
    )


def _compare_own_storage(old: list[Facts], new: list[Facts]) -> Iterator[Change]:
    """Compare what the library stores itself, which asks nobody again, also if a later version adds a field."""
    for change in _compare_tables("own_storage", old, new, ("kind", "name")):
        yield replace(change, asks=False)


def _policy_facts(facts: Facts) -> Facts:
    """Return the facts that have no table of their own."""
    return {key: value for key, value in facts.items() if key not in _TABLES}


def _compare_fields(thing: str, old: Facts, new: Facts) -> list[Change]:
    """Compare two rows field by field."""
    row = new or old
    category = row["id"] if thing == "category" else row.get("category")
    vendor = row["id"] if thing == "vendor" else row.get("vendor")
    changes = []
    for key in dict.fromkeys((*new, *old)):
        old_value, new_value = old.get(key), new.get(key)
        if old_value != new_value:
            rule = DISCLOSED[thing].get(key, _differs)
            asks = rule is not None and rule(old_value, new_value)
            changes.append(
                Change(
                    category, vendor, thing, _label(thing, row), "changed", key, old_value, new_value, asks
                )
            )
    return changes


def _compare_tables(
    thing: str, old: list[Facts], new: list[Facts], identity: tuple[str, ...]
) -> list[Change]:
    """Compare two tables, whose rows the keys of `identity` match with each other.

    An added row asks visitors again, except for a site, which older decisions do not cover. A cookie on two domains has
    two rows with the same identity: each is compared with the old row that it adds least to.
    """
    before, after = _group_by_identity(old, identity), _group_by_identity(new, identity)
    changes: list[Change] = []
    removed: list[Facts] = []
    for key, rows in after.items():
        old_rows = before.pop(key, [])
        unmatched = [row for row in old_rows if row not in rows]
        for row in (row for row in rows if row not in old_rows):
            if unmatched:
                candidates = [_compare_fields(thing, old_row, row) for old_row in unmatched]
                closest = min(candidates, key=_count_growth)
                del unmatched[candidates.index(closest)]
                changes += closest
            else:
                changes.append(_row_change("added", thing, None, row, asks=thing != "site"))
        removed += unmatched
    removed += [row for rows in before.values() for row in rows]
    return changes + [_row_change("removed", thing, row, None, asks=False) for row in removed]


def _count_growth(changes: list[Change]) -> int:
    return sum(change.asks for change in changes)


def _group_by_identity(rows: list[Facts], identity: tuple[str, ...]) -> dict[tuple[Any, ...], list[Facts]]:
    groups: dict[tuple[Any, ...], list[Facts]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in identity), []).append(row)
    return groups


def _row_change(verb: Verb, thing: str, old: Facts | None, new: Facts | None, *, asks: bool) -> Change:
    row = new or old or {}
    category = row["id"] if thing == "category" else row.get("category")
    vendor = row["id"] if thing == "vendor" else row.get("vendor")
    return Change(category, vendor, thing, _label(thing, row), verb, "", old, new, asks)


def _label(thing: str, row: Facts) -> str:
    """Return the id of a row, or the name of a tracker."""
    return str(row["name"] if thing in ("tracker", "own_storage") else row.get("id", thing))


def coverage(old: Notice, new: Notice, site_id: str, origin: str) -> Coverage:
    """Return what a decision under `old` covers under `new`, on the site with this id and the origin of the policy."""
    changes = compare(old, new)
    growth = [change for change in changes if change.asks]
    everywhere = any(change.category is None for change in growth)
    grown = {change.category for change in growth}
    shared = (
        () if everywhere else tuple(category for category in new.category_ids if category in old.category_ids)
    )
    own_grown = {change.category for change in growth if change.vendor is None and change.thing == "category"}
    grown_vendors = {change.vendor for change in growth}
    return Coverage(
        site=old.covers_site(site_id, origin),
        categories=frozenset(category for category in shared if category not in grown),
        vendors=frozenset(
            vendor
            for vendor in new.vendor_ids
            if (category := new.vendor_category[vendor]) in shared
            and old.vendor_category.get(vendor) == category
            and category not in own_grown
            and vendor not in grown_vendors
        ),
        new=tuple(category for category in _asked(new) if category not in _asked(old)),
        changes=changes,
    )


def _asked(notice: Notice) -> list[str]:
    """Return the categories that need consent."""
    return [row["id"] for row in notice.facts["categories"] if not row["required"] and not row["exempt"]]
