"""Policies, choices and decisions for Hypothesis to draw: small, so that two of them often agree."""

import copy
from typing import Any

from hypothesis import strategies as st

from consentkit.consent.model import Decision
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy

Data = dict[str, Any]

MOMENT = 1_795_341_600
"""22 November 2026, 10:00 UTC."""

_LIFETIMES = ["session", "P1D", "P6M", "P13M"]
_CATEGORIES = ["analytical", "tracking", "social", "comfort"]
_maybe = st.booleans()


def _texts(*words: str) -> st.SearchStrategy[Data]:
    return st.sampled_from(words).map(lambda word: {"en": word, "nl": f"{word} (nl)"})


def _without_none(row: Data) -> Data:
    return {key: value for key, value in row.items() if value is not None}


def _category(name: str) -> st.SearchStrategy[Data]:
    return st.fixed_dictionaries(
        {
            "id": st.just(name),
            "required": st.sampled_from([False] * 7 + [True]),
            "exempt": st.sampled_from([False] * 3 + [True]),
            "title": _texts(name),
            "description": _texts("Count.", "Count.", "Profile."),
            "combines_across_sites": _maybe,
            "honours_gpc": st.sampled_from([None, True, False]),
            "dpv_purposes": st.lists(st.sampled_from(["Advertising", "Marketing"]), unique=True),
            "retention": st.sampled_from([None, "P1D", "P6M"]),
        }
    ).map(_without_none)


def _vendor(name: str) -> st.SearchStrategy[Data]:
    return st.fixed_dictionaries(
        {
            "id": st.just(name),
            "name": st.sampled_from([name, name, f"{name} Ltd"]),
            "country": st.sampled_from(["NL", "NL", "US"]),
            "safeguard": st.sampled_from([None, "adequacy", "scc"]),
            "profiling": _maybe,
            "policy_url": st.just("https://vendor.example/privacy"),
            "category": st.sampled_from(_CATEGORIES),
            "role": st.sampled_from(["controller", "controller", "processor"]),
            "data": st.lists(st.sampled_from(["IPAddress", "Profile"]), unique=True),
            "retention": st.sampled_from([None, "P1D", "P6M"]),
        }
    ).map(_without_none)


def _tracker(name: str) -> st.SearchStrategy[Data]:
    return st.fixed_dictionaries(
        {
            "name": st.just(name),
            "kind": st.sampled_from(["cookie", "cookie", "pixel"]),
            "category": st.sampled_from(_CATEGORIES),
            "vendor": st.sampled_from([None, "ads", "video"]),
            "lifetime": st.sampled_from(_LIFETIMES),
            "purpose": _texts("Counts.", "Counts.", "Follows."),
            "third_party": _maybe,
            "domain": st.sampled_from([None, ".stride.example"]),
            "personal_data": st.sampled_from([None, True, False]),
        }
    ).map(_without_none)


def _some(rows: list[st.SearchStrategy[Data]]) -> st.SearchStrategy[list[Data]]:
    return st.tuples(*(row | st.none() for row in rows)).map(
        lambda drawn: [row for row in drawn if row is not None]
    )


_parts = st.fixed_dictionaries(
    {
        "validity": st.sampled_from(["P6M", "P6M", "P1M"]),
        "sites": st.sampled_from([("stride",), ("stride", "trailhead")]),
        "controller": st.sampled_from(["Stride BV"] * 5 + ["Other BV"]),
        "categories": _some([_category(name) for name in _CATEGORIES]),
        "vendors": _some([_vendor(name) for name in ("ads", "video", "counter")]),
        "trackers": _some([_tracker(name) for name in ("_ga*", "uid", "uid", "seen")]),
    }
)


def _whole(parts: Data) -> Data:
    """Add the keys that every policy has, and drop references to rows that were not drawn."""
    known = {"functional", *(row["id"] for row in parts["categories"])}
    vendors = [row for row in parts["vendors"] if row["category"] in known]
    category_of = {row["id"]: row["category"] for row in vendors}
    trackers = [row for row in parts["trackers"] if row["category"] in known]
    return {
        "schema": 1,
        "languages": ["en", "nl"],
        "validity": parts["validity"],
        "jurisdiction": "NL",
        "records_kept": "P24M",
        "controller": {
            "name": parts["controller"],
            "address": "Voorbeeldkade 1, Amsterdam",
            "country": "NL",
            "email": "privacy@stride.example",
            "authority": {"name": "AP", "url": "https://ap.example"},
        },
        "group": {"id": "media", "name": {"en": "Media"}},
        "sites": [
            {"id": site, "name": site.title(), "origin": f"https://{site}.example"} for site in parts["sites"]
        ],
        "categories": [
            {
                "id": "functional",
                "required": True,
                "title": {"en": "Functional"},
                "description": {"en": "Work."},
            },
            *({**row, "exempt": row["exempt"] and not row["required"]} for row in parts["categories"]),
        ],
        "vendors": vendors,
        "trackers": [
            {key: value for key, value in row.items() if key != "vendor"}
            if category_of.get(row.get("vendor")) != row["category"]
            else row
            for row in trackers
        ],
    }


policy_data = _parts.map(_whole)
policies = policy_data.map(Policy.model_validate)


@st.composite
def policy_pairs(draw: st.DrawFn) -> tuple[Data, Data]:
    """Draw a policy and a later one: most rows stay, some change, come or go."""
    old, other = draw(_parts), draw(_parts)
    new = copy.deepcopy(old)
    for part in ("validity", "sites", "controller"):
        new[part] = draw(st.sampled_from([old, old, old, other]))[part]
    for part in ("categories", "vendors", "trackers"):
        rows = [draw(st.sampled_from([row, row, row, None])) for row in old[part]]
        known = [row.get("id") for row in rows if row]
        fresh = [row for row in other[part] if part == "trackers" or row["id"] not in known]
        rows += [draw(st.sampled_from([None, None, row])) for row in fresh]
        kept = draw(st.permutations([row for row in rows if row is not None]))
        new[part] = [_edited(draw, row, other[part]) for row in kept]
    return _whole(old), _whole(new)


def _edited(draw: st.DrawFn, row: Data, others: list[Data]) -> Data:
    """Replace one value of a row, in most draws, by that of the other policy's row of the same id."""
    key = "id" if "id" in row else "name"
    twin = next((one for one in others if one[key] == row[key]), None)
    field = draw(st.sampled_from([None, *sorted(twin)])) if twin else None
    return row if twin is None or field is None else row | {field: twin[field]}


@st.composite
def decisions_under(draw: st.DrawFn, notice: Notice, *, decided_at: int = MOMENT) -> Decision:
    """Draw a valid decision under a notice, with a subject if it may have one."""
    granted = draw(st.sets(st.sampled_from(notice.category_ids))) if notice.category_ids else set()
    differing = draw(st.sets(st.sampled_from(notice.vendor_ids))) if notice.vendor_ids else set()
    vendors = {one: notice.vendor_category[one] not in granted for one in sorted(differing)}
    grants = bool(granted - notice.exempt_ids) or any(
        on and notice.vendor_category[one] not in notice.exempt_ids for one, on in vendors.items()
    )
    kind = draw(st.sampled_from(["decided", "partial"] if grants else ["decided", "partial", "withdrawn"]))
    return Decision(
        kind=kind,
        granted=frozenset(granted),
        vendors=vendors,
        decided_at=decided_at,
        changed_at=decided_at + draw(st.integers(0, 10_000_000)),
        notice=notice.digest,
        subject=draw(st.text("AZaz09-_", min_size=22, max_size=22)) if grants else "",
    )
