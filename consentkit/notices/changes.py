"""What changed between two notices, and what an answer to the old one still covers.

An answer covers what was disclosed when it was given, no more and no less: a category whose disclosure grew is asked
again, one that shrank is not (GDPR article 4(11); EDPB Guidelines 05/2020 section 5).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from consentkit.notices.notice import Facts, Notice
from consentkit.policy import Duration

__all__ = ["DISCLOSED", "Change", "Coverage", "compare", "coverage"]

Rule = Callable[[Any, Any], bool]
Verb = Literal["added", "removed", "changed"]

_SAFEGUARD_RANK = {None: 0, "none_required": 0, "adequacy": 1}
_OTHER_SAFEGUARD = 2


def _other(old: Any, new: Any) -> bool:
    return bool(old != new)


def _turned_on(old: Any, new: Any) -> bool:
    return bool(new) and not old


def _added(old: Any, new: Any) -> bool:
    return not set(new or ()) <= set(old or ())


def _longer(old: Any, new: Any) -> bool:
    """A length that is no longer stated may be any length; one that is stated for the first time is no growth."""
    if old is None or old == new or new == "session":
        return False
    if new is None or old == "session":
        return True
    return Duration.parse(new).longer_than(Duration.parse(old))


def _weaker(old: Any, new: Any) -> bool:
    return _SAFEGUARD_RANK.get(new, _OTHER_SAFEGUARD) > _SAFEGUARD_RANK.get(old, _OTHER_SAFEGUARD)


def _reworded(old: Any, new: Any) -> bool:
    """Compare in the languages that both have; a text without a language in common with the old one is another text."""
    shared = set(old) & set(new)
    return any(old[language] != new[language] for language in shared) or not shared


# Every field of every model, and when a new value is more than the old one disclosed: `None` where it never is. A field that is
# missing here fails a test, so that nobody adds one without deciding; in a notice of a later version it counts as more.
DISCLOSED: dict[str, dict[str, Rule | None]] = {
    "policy": {
        "schema_version": None,
        "languages": None,
        "validity": None,  # an answer keeps the shorter of the two validities, see `Notice.validity`
        "jurisdiction": None,
        "records_kept": None,
        "adequacy_file": None,
        "controller": None,  # the tables below decide
        "group": None,
        "sites": None,
        "categories": None,
        "vendors": None,
        "trackers": None,
    },
    "controller": {
        "name": _other,
        "country": _other,
        "address": None,
        "email": None,
        "dpo": None,
        "rights_url": None,
        "authority": None,
    },
    "group": {"id": _other, "name": None, "joint_controllers": _turned_on},
    "site": {
        "id": None,
        "name": None,
        "origin": None,  # another origin is another site: `Notice.covers_site`
        "public_key": None,
        "controller": _other,
    },
    "category": {
        "id": None,
        "required": _other,
        "exempt": _other,
        "title": _reworded,
        "description": _reworded,
        "combines_across_sites": _turned_on,
        "honours_gpc": None,
        "dpv_purposes": _added,
        "retention": _longer,
    },
    "vendor": {
        "id": None,
        "name": _reworded,
        "legal_entity": _other,
        "country": _other,
        "safeguard": _weaker,
        "safeguard_copy": None,
        "dpf_certified": None,  # without it a policy that relies on adequacy does not load
        "commercial_org": None,
        "profiling": _turned_on,
        "policy_url": None,
        "category": None,  # in another category it is a vendor added there
        "origins": None,
        "signal": None,
        "role": _other,
        "data": _added,
        "retention": _longer,
    },
    "tracker": {
        "name": None,  # name, kind and vendor say which tracker it is
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
}


_TABLES = ("controller", "group", "sites", "categories", "vendors", "trackers")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two notices.

    `category` is None for what concerns all of them, `vendor` for what is not one vendor's; `field` is a key of the
    policy file, empty where a whole thing was added or removed; `asks` says whether visitors who granted the category
    are asked again. `old` and `new` are facts.
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
    """What an answer under an old notice still covers under the present one, on one site.

    `categories` are those whose disclosure did not grow; `vendors` those that are covered on their own, for a visitor who
    allowed just the vendor; `new` the categories that consent is needed for and that were not there to be asked about.
    """

    site: bool
    categories: frozenset[str]
    vendors: frozenset[str]
    new: tuple[str, ...]
    changes: tuple[Change, ...]


def compare(old: Notice, new: Notice) -> tuple[Change, ...]:
    """List every difference: what concerns all categories first, then in the order of the new notice, removals last."""
    before, after = old.facts, new.facts
    asked = _asked(new)
    return tuple(
        change if change.category is None or change.category in asked else replace(change, asks=False)
        for change in (
            *_fields("controller", before["controller"], after["controller"]),
            *_fields("group", before.get("group", {}), after.get("group", {})),
            *_fields("policy", _whole_policy(before), _whole_policy(after)),
            *_rows("site", before["sites"], after["sites"], ("id",)),
            *_rows("category", before["categories"], after["categories"], ("id",)),
            *_rows("vendor", before["vendors"], after["vendors"], ("category", "id")),
            *_rows("tracker", before["trackers"], after["trackers"], ("category", "kind", "name", "vendor")),
        )
    )


def _whole_policy(facts: Facts) -> Facts:
    """Keep what has no table of its own."""
    return {key: value for key, value in facts.items() if key not in _TABLES}


def _fields(thing: str, old: Facts, new: Facts) -> list[Change]:
    """Compare two rows field by field."""
    row = new or old
    category = row["id"] if thing == "category" else row.get("category")
    vendor = row["id"] if thing == "vendor" else row.get("vendor")
    changes = []
    for key in dict.fromkeys((*new, *old)):
        was, is_now = old.get(key), new.get(key)
        if was != is_now:
            rule = DISCLOSED[thing].get(key, _other)
            asks = rule is not None and rule(was, is_now)
            changes.append(
                Change(category, vendor, thing, _label(thing, row), "changed", key, was, is_now, asks)
            )
    return changes


def _rows(thing: str, old: list[Facts], new: list[Facts], identity: tuple[str, ...]) -> list[Change]:
    """Match rows by identity; an added one asks again, but for a site, which older answers simply do not reach.

    Several rows may share an identity, such as a cookie that is set on two domains: each is matched with what it adds least to.
    """
    before, after = _by_identity(old, identity), _by_identity(new, identity)
    changes: list[Change] = []
    removed: list[Facts] = []
    for key, rows in after.items():
        known = before.pop(key, [])
        gone = [row for row in known if row not in rows]
        for row in (row for row in rows if row not in known):
            if gone:
                found = [_fields(thing, was, row) for was in gone]
                least = min(found, key=_growth)
                del gone[found.index(least)]
                changes += least
            else:
                changes.append(_whole("added", thing, None, row, asks=thing != "site"))
        removed += gone
    removed += [row for rows in before.values() for row in rows]
    return changes + [_whole("removed", thing, row, None, asks=False) for row in removed]


def _growth(changes: list[Change]) -> int:
    return sum(change.asks for change in changes)


def _by_identity(rows: list[Facts], identity: tuple[str, ...]) -> dict[tuple[Any, ...], list[Facts]]:
    found: dict[tuple[Any, ...], list[Facts]] = {}
    for row in rows:
        found.setdefault(tuple(row.get(key) for key in identity), []).append(row)
    return found


def _whole(verb: Verb, thing: str, old: Facts | None, new: Facts | None, *, asks: bool) -> Change:
    row = new or old or {}
    category = row["id"] if thing == "category" else row.get("category")
    vendor = row["id"] if thing == "vendor" else row.get("vendor")
    return Change(category, vendor, thing, _label(thing, row), verb, "", old, new, asks)


def _label(thing: str, row: Facts) -> str:
    """Name a thing as its owner does: by id, a tracker by its name."""
    return str(row["name"] if thing == "tracker" else row.get("id", thing))


def coverage(old: Notice, new: Notice, site_id: str, origin: str) -> Coverage:
    """Work out what an answer to `old` covers under `new` on one site, whose origin is the policy's."""
    changes = compare(old, new)
    growth = [change for change in changes if change.asks]
    everywhere = any(change.category is None for change in growth)
    grown = {change.category for change in growth}
    shared = () if everywhere else tuple(c for c in new.category_ids if c in old.category_ids)
    own = {change.category for change in growth if change.vendor is None and change.thing == "category"}
    grown_vendors = {change.vendor for change in growth}
    return Coverage(
        site=old.covers_site(site_id, origin),
        categories=frozenset(category for category in shared if category not in grown),
        vendors=frozenset(
            vendor
            for vendor in new.vendor_ids
            if (category := new.vendor_category[vendor]) in shared
            and old.vendor_category.get(vendor) == category
            and category not in own
            and vendor not in grown_vendors
        ),
        new=tuple(c for c in _asked(new) if c not in _asked(old)),
        changes=changes,
    )


def _asked(notice: Notice) -> list[str]:
    """List the categories that consent is needed for."""
    return [c["id"] for c in notice.facts["categories"] if not c["required"] and not c["exempt"]]
