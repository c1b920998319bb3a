import copy
import types
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any, NamedTuple, get_args

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, ConsentStatus, Decision
from consentkit.notices.changes import DISCLOSED, compare, coverage
from consentkit.notices.notice import Notice
from consentkit.policy.models import Category
from consentkit.policy.policy import Policy
from tests.support.drawn import MOMENT, Data, decisions_under, policy_data, policy_pairs
from tests.support.policies import add, data, drop, policy, put
from tests.support.told import EXAMPLE

ALL = ("analytical", "tracking", "social")
ABSENT = object()
LATER = MOMENT + 86_400
DRAWN = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Mutation(NamedTuple):
    """A field with two values, and the categories that visitors are asked about again when one replaces the other."""

    thing: str
    field: str
    less: Any
    more: Any
    grown: tuple[str, ...] = ()
    shrunk: tuple[str, ...] = ()
    new: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    """What visitors who refused or withdrew are asked, when the value grows and when it shrinks."""
    at: tuple[str | int, ...] | None = None


def words(text: str) -> dict[str, str]:
    return {"en": text, "nl": f"{text} (nl)"}


OTHER_CONTROLLER = EXAMPLE["controller"] | {"name": "Trailhead BV"}
GROUP = EXAMPLE["group"]
COMFORT = {"id": "comfort", "title": words("Comfort"), "description": words("Remember things.")}
COUNTER = {
    "id": "counter",
    "name": "Counter",
    "country": "NL",
    "profiling": False,
    "policy_url": "https://counter.example/privacy",
    "category": "analytical",
}
SEEN = {
    "name": "seen",
    "kind": "cookie",
    "category": "tracking",
    "lifetime": "P1D",
    "purpose": words("Counts."),
}
SITE = {"id": "pace", "name": "Pace", "origin": "https://pace.example"}
ANALYTICAL, TRACKING, SOCIAL = ("analytical",), ("tracking",), ("social",)
EVERYONE = (ANALYTICAL, ANALYTICAL)

# The category is analytical, the vendor Google Analytics in it, the tracker AdHub's in tracking, the site the other one.
TABLE = [
    Mutation("policy", "languages", ["en", "nl"], ["en", "nl", "fr"]),
    Mutation("policy", "validity", "P3M", "P6M"),
    Mutation("policy", "jurisdiction", "NL", "BE"),
    Mutation("policy", "records_kept", "P12M", "P24M"),
    Mutation("policy", "adequacy_file", ABSENT, "adequacy.toml"),
    Mutation("policy", "regimes", ABSENT, {"gb": True}),
    Mutation("policy", "regimes_file", ABSENT, "regimes.toml"),
    Mutation("policy", "controller", EXAMPLE["controller"], OTHER_CONTROLLER, ALL, ALL),
    Mutation("policy", "group", ABSENT, GROUP, ALL, ALL),
    Mutation("policy", "sites", EXAMPLE["sites"], [*EXAMPLE["sites"], SITE]),
    Mutation(
        "policy",
        "categories",
        EXAMPLE["categories"],
        [*EXAMPLE["categories"], COMFORT],
        ("comfort",),
        new=(("comfort",), ()),
    ),
    Mutation("policy", "vendors", EXAMPLE["vendors"], [*EXAMPLE["vendors"], COUNTER], ANALYTICAL),
    Mutation("policy", "trackers", EXAMPLE["trackers"], [*EXAMPLE["trackers"], SEEN], TRACKING),
    Mutation("controller", "name", "Hardlopen Media BV", "Trailhead BV", ALL, ALL),
    Mutation("controller", "country", "NL", "BE", ALL, ALL),
    Mutation("controller", "address", "Voorbeeldkade 1", "Voorbeeldkade 2"),
    Mutation("controller", "email", "privacy@hardlopen.example", "data@hardlopen.example"),
    Mutation("controller", "dpo", ABSENT, "dpo@hardlopen.example"),
    Mutation("policy", "proof_basis", ABSENT, "legitimate_interests"),
    Mutation("policy", "rights", ["access"], ["access", "objection"]),
    Mutation("controller", "privacy_policy", ABSENT, "https://hardlopen.example/privacy"),
    Mutation("controller", "rights_url", ABSENT, "https://hardlopen.example/rights"),
    Mutation(
        "controller",
        "authority",
        EXAMPLE["controller"]["authority"],
        {"name": "APD", "url": "https://apd.example"},
    ),
    Mutation("authority", "name", "Autoriteit Persoonsgegevens", "AP"),
    Mutation("authority", "url", "https://ap.example", "https://ap.example/complain"),
    Mutation("group", "id", "hardlopen", "foulee", ALL, ALL),
    Mutation("group", "name", words("Our sites"), words("All our sites")),
    Mutation("group", "joint_controllers", False, True, ALL),
    Mutation("group", "joint_control", ABSENT, words("Stride answers you.")),
    Mutation("site", "id", "trailhead", "pace"),
    Mutation("site", "name", "Trailhead", "Pace"),
    Mutation("site", "origin", "https://trailhead.example", "https://pace.example"),
    # The site that the consent is for: a decision made at another origin does not cover it.
    Mutation("site", "origin", "https://stride.example", "https://pace.example", ALL, ALL, at=("sites", 0)),
    Mutation("site", "public_key", ABSENT, "A" * 43),
    Mutation("site", "controller", ABSENT, OTHER_CONTROLLER, ALL, ALL),
    # What identifies a controller asks; how to reach it does not.
    Mutation(
        "site",
        "controller",
        OTHER_CONTROLLER,
        OTHER_CONTROLLER | {"privacy_policy": "https://trailhead.example/privacy"},
    ),
    Mutation("category", "gdpr_basis", ABSENT, "contract"),
    Mutation("category", "id", "analytical", "metrics", ("metrics",), ANALYTICAL, (("metrics",), ANALYTICAL)),
    Mutation("category", "required", False, True, (), ANALYTICAL, ((), ANALYTICAL)),
    # Whoever objected to what was exempt has refused it.
    Mutation("category", "exempt", False, True, (), ANALYTICAL),
    Mutation("category", "title", words("Analytical"), words("Statistics"), ANALYTICAL, ANALYTICAL),
    Mutation("category", "description", words("Count."), words("Count and sell."), ANALYTICAL, ANALYTICAL),
    Mutation("category", "combines_across_sites", False, True, ANALYTICAL),
    Mutation("category", "exemption_evidence", ABSENT, {"file": "assessment.pdf", "date": "2026-03-01"}),
    Mutation("category", "statistics", ABSENT, True),
    Mutation("category", "appearance", ABSENT, True),
    Mutation("category", "sale_or_share", ABSENT, True),
    Mutation("category", "sensitive", ABSENT, True),
    Mutation("category", "honours_gpc", False, True),
    Mutation("category", "honours_gpc", ABSENT, True),
    Mutation("category", "dpv_purposes", [], ["Marketing"], ANALYTICAL),
    Mutation("category", "dpv_purposes", ["Advertising"], ["Marketing"], ANALYTICAL, ANALYTICAL),
    Mutation("category", "retention", "P6M", "P14M", ANALYTICAL),
    Mutation("category", "retention", "P6M", ABSENT, ANALYTICAL),
    Mutation("vendor", "id", "google-analytics", "ga", ANALYTICAL, ANALYTICAL),
    Mutation("vendor", "name", "Google Analytics", "GA 4", ANALYTICAL, ANALYTICAL),
    Mutation("vendor", "legal_entity", "Google Ireland Ltd", "Google LLC", ANALYTICAL, ANALYTICAL),
    Mutation("vendor", "legal_entity", ABSENT, "Google LLC", ANALYTICAL, ANALYTICAL),
    Mutation("vendor", "country", "US", "IN", ANALYTICAL, ANALYTICAL),
    Mutation("vendor", "safeguard", "adequacy", "scc", ANALYTICAL),
    Mutation("vendor", "safeguard", "none_required", "adequacy", ANALYTICAL),
    Mutation("vendor", "safeguard", ABSENT, "adequacy", ANALYTICAL),
    Mutation("vendor", "safeguard", "bcr", "scc"),
    Mutation("vendor", "safeguard_copy", ABSENT, "https://example.org/scc"),
    Mutation("vendor", "dpf_certified", ABSENT, True),
    Mutation("vendor", "commercial_org", ABSENT, True),
    Mutation("vendor", "profiling", False, True, ANALYTICAL),
    Mutation("vendor", "policy_url", "https://example.org/a", "https://example.org/b"),
    Mutation("vendor", "category", "analytical", "social", SOCIAL, ANALYTICAL),
    Mutation("vendor", "origins", ABSENT, {"script": ["https://cdn.example.org"]}),
    Mutation("vendor", "signal", ABSENT, "google-consent-mode"),
    Mutation("vendor", "role", "processor", "controller", ANALYTICAL, ANALYTICAL),
    Mutation("vendor", "joint_control", ABSENT, words("Ask either of us.")),
    Mutation("vendor", "joint_control", words("Ask either of us."), "https://vendor.example/joint"),
    Mutation("vendor", "data", ["IPAddress"], ["IPAddress", "Profile"], ANALYTICAL),
    Mutation("vendor", "data", ["IPAddress"], ["Profile"], ANALYTICAL, ANALYTICAL),
    Mutation("vendor", "retention", "P6M", "P14M", ANALYTICAL),
    Mutation("vendor", "retention", "P14M", ABSENT, ANALYTICAL),
    *(
        Mutation("origins", kind, [], [f"https://{kind}.example.org"])
        for kind in ("script", "connect", "img", "frame", "style", "font", "media", "form")
    ),
    Mutation("tracker", "name", "adhub_uid", "adhub_*", TRACKING, TRACKING),
    Mutation("tracker", "kind", "cookie", "local_storage", TRACKING, TRACKING),
    Mutation("tracker", "category", "tracking", "social", SOCIAL, TRACKING),
    Mutation("tracker", "vendor", ABSENT, "adhub", TRACKING, TRACKING),
    Mutation("tracker", "lifetime", "session", "P1D", TRACKING),
    Mutation("tracker", "lifetime", "P30D", "P90D", TRACKING),
    Mutation("tracker", "lifetime", "PT1H", "PT2H", TRACKING),
    Mutation("tracker", "lifetime", "P1D", "PT24H"),
    Mutation("tracker", "purpose", words("Counts."), words("Follows."), TRACKING, TRACKING),
    Mutation("tracker", "purpose", {"en": "Counts."}, {"nl": "Telt."}, TRACKING, TRACKING),
    Mutation("tracker", "purpose", {"en": "Counts."}, words("Counts.")),
    Mutation("tracker", "necessity", ABSENT, "security"),
    Mutation("tracker", "third_party", False, True, TRACKING),
    Mutation("tracker", "domain", ABSENT, ".stride.example"),
    Mutation("tracker", "path", "/", "/shoes"),
    Mutation("tracker", "partitioned", False, True),
    Mutation("tracker", "personal_data", False, True, TRACKING),
    Mutation("tracker", "personal_data", ABSENT, True, TRACKING),
    Mutation("tracker", "personal_data", ABSENT, False),
]
SINGLE_VALUES = ("authority", "evidence", "origins", "regimes")
"""Tables that are compared as one value of the table that they belong to, and never ask."""
ONE_VALUE = {("policy", "schema_version")}
"""The version of the format has a single value so far."""
PLACES: dict[str, tuple[str | int, ...]] = {
    "policy": (),
    "controller": ("controller",),
    "authority": ("controller", "authority"),
    "group": ("group",),
    "site": ("sites", 1),
    "category": ("categories", 1),
    "vendor": ("vendors", 0),
    "origins": ("vendors", 0, "origins"),
    "tracker": ("trackers", 2),
}


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and all models of its fields."""
    yield model
    for field in model.model_fields.values():
        waiting = [field.annotation]
        while waiting:
            annotation = waiting.pop()
            if (
                isinstance(annotation, type)
                and not isinstance(annotation, types.GenericAlias)
                and issubclass(annotation, BaseModel)
            ):
                yield from models(annotation)
            waiting += get_args(annotation)


FIELDS = {(model.__name__.lower(), field) for model in models(Policy) for field in model.model_fields}


def test_every_field_has_a_rule() -> None:
    ruled = {(thing, field) for thing, rules in DISCLOSED.items() for field in rules}
    assert DISCLOSED["controller"]["authority"] is None and DISCLOSED["vendor"]["origins"] is None
    assert DISCLOSED["category"]["exemption_evidence"] is None and DISCLOSED["policy"]["regimes"] is None
    own = {("own_storage", field) for field in Notice.of(policy()).facts["own_storage"][0]}
    # Which regime a notice is for is no field of the policy.
    own.add(("policy", "regime"))
    assert ruled == own | {(thing, field) for thing, field in FIELDS if thing not in SINGLE_VALUES}


def test_every_field_is_mutated() -> None:
    compared = {(thing, field) for thing, field in FIELDS if thing not in ("evidence", "regimes")}
    assert {(row.thing, row.field) for row in TABLE} | ONE_VALUE == compared


def with_value(row: Mutation, value: Any) -> Policy:
    whole = copy.deepcopy(EXAMPLE)
    table: Any = whole
    for part in PLACES[row.thing] if row.at is None else row.at:
        table = table[part]
    table.pop(row.field, None)
    if value is not ABSENT:
        table[row.field] = copy.deepcopy(value)
    made = Policy.model_validate(whole)
    if row.thing == "category" and row.field in (
        "id",
        "required",
    ):  # what belongs to it goes with it, so that only it changes
        moved = {"vendors": ("category", "analytical"), "trackers": ("category", "analytical")}
        for section, (key, old) in moved.items():
            for section_row in whole[section]:
                section_row[key] = table["id"] if section_row[key] == old else section_row[key]
        made = Policy.model_validate(whole)
    return made


MUTATIONS = pytest.mark.parametrize(
    "row", TABLE, ids=lambda row: f"{row.thing}.{row.field} {row.less!r:.20} {row.more!r:.20}"
)


def answered(
    old: Policy, new: Policy, kind: str, only: tuple[str, ...] | None = None
) -> tuple[Consent, Decision]:
    """Return the consent under the new policy, on its first site, of a visitor who decided under the old one."""
    before = Notice.of(old)
    granted = (
        frozenset(before.category_ids if only is None else only) if kind == "granted" else frozenset[str]()
    )
    decision = Decision(
        kind="withdrawn" if kind == "withdrawn" else "decided",
        granted=granted,
        vendors={},
        decided_at=MOMENT,
        changed_at=MOMENT,
        notice=before.digest,
        subject="s" * 22 if granted else "",
    )
    return Evaluator(new, new.sites[0].id, [before]).evaluate(decision, LATER), decision


def check_who_granted_everything(old: Policy, new: Policy, asked: tuple[str, ...]) -> None:
    consent, decision = answered(old, new, "granted")
    needing = {category.id for category in new.consent_needed}
    assert consent.asking == asked
    # A grant of what no longer needs consent stays one.
    assert consent.granted & needing == needing - set(asked) == {c for c in needing if consent.categories[c]}
    assert consent.granted <= decision.granted
    assert consent.status is (ConsentStatus.GIVEN if consent.granted else ConsentStatus.INVALIDATED)
    for vendor in new.vendors:
        assert consent.allows(vendor.category, vendor.id) is (vendor.category not in asked)


def check_who_granted_one_of_them(
    old: Policy, new: Policy, asked: tuple[str, ...], *, site_moved: bool
) -> None:
    only = tuple(category.id for category in old.consent_needed if category.id in asked)[:1]
    consent, _ = answered(old, new, "granted", only)
    exempt = {category.id for category in old.optional if category.exempt}
    unanswered = tuple(category for category in asked if category not in exempt)
    assert consent.asking == (asked if site_moved else only or unanswered)
    assert not consent.granted
    assert consent.status is (ConsentStatus.INVALIDATED if only else ConsentStatus.REFUSED)


def check_who_granted_nothing(old: Policy, new: Policy, asked: tuple[str, ...]) -> None:
    for visitor in ("refused", "withdrawn"):
        consent, _ = answered(old, new, visitor)
        assert consent.asking == asked
        assert consent.status == visitor
        assert not consent.granted
        # Whoever refused a category that is exempt now, or was exempt then, has objected to it.
        assert [category.id for category in new.categories if consent.categories[category.id]] == [
            category.id for category in new.categories if category.required
        ]


@MUTATIONS
def test_a_changed_field_asks_again_exactly_about_the_categories_that_grew(row: Mutation) -> None:
    # VA-05, UI-08
    less, more = with_value(row, row.less), with_value(row, row.more)
    for old, new, grown, asked_of_refusers in (
        (less, more, row.grown, row.new[0]),
        (more, less, row.shrunk, row.new[1]),
    ):
        check_who_granted_everything(old, new, grown)
        check_who_granted_one_of_them(old, new, grown, site_moved=row.at is not None)
        check_who_granted_nothing(old, new, asked_of_refusers)


def test_a_grant_of_a_removed_category_allows_nothing_and_asks_nothing() -> None:  # VA-05
    extra = (add("categories", id="social"), add("vendors", id="video", category="social"))
    for granted, vendors in (({"social"}, {}), (set(), {"video": True})):
        old, new = Notice.of(policy(*extra)), policy()
        decision = Decision(
            granted=frozenset(granted),
            vendors=vendors,
            decided_at=MOMENT,
            changed_at=MOMENT,
            notice=old.digest,
            subject="s" * 22,
        )
        consent = Evaluator(new, "stride", [old]).evaluate(decision, LATER)
        assert (consent.status, consent.asking) == (ConsentStatus.REFUSED, ())
        assert consent.categories == {"functional": True, "analytical": False}
        still_there = Evaluator(policy(extra[0]), "stride", [old]).evaluate(decision, LATER)
        assert still_there.status is (ConsentStatus.GIVEN if granted else ConsentStatus.REFUSED)


@pytest.mark.parametrize(
    "row",
    [
        next(row for row in TABLE if (row.thing, row.field) == key)
        for key in (
            ("controller", "name"),
            ("group", "joint_controllers"),
            ("site", "name"),
            ("category", "id"),
            ("category", "title"),
            ("vendor", "country"),
            ("vendor", "category"),
            ("tracker", "lifetime"),
            ("tracker", "path"),
        )
    ],
    ids=lambda row: f"{row.thing}.{row.field}",
)
def test_visitors_are_told_why_they_are_asked_again(row: Mutation) -> None:  # VA-05
    consent, _ = answered(with_value(row, row.less), with_value(row, row.more), "granted")
    reasons = {change.category for change in consent.changes}
    if row.grown and not row.new[0]:
        assert reasons == ({None} if row.grown == ALL else set(row.grown))
    else:
        assert not reasons
    assert all(change.asks for change in consent.changes)


def test_the_same_policy_has_no_changes() -> None:
    notice = Notice.of(Policy.model_validate(EXAMPLE))
    assert compare(notice, notice) == ()


def differences(old: Policy, new: Policy) -> list[tuple[Any, ...]]:
    return [astuple(change) for change in compare(Notice.of(old), Notice.of(new))]


def test_changes_come_in_order_with_old_and_new_values() -> None:
    old = policy(add("trackers", name="gone"))
    new = policy(
        put("controller", name="Other BV"),
        put(records_kept="P12M"),
        put("vendors", 0, country="US", safeguard="scc"),
        add("categories", id="social"),
        add("vendors", id="video", category="social"),
        add("trackers", name="seen", vendor="counter"),
    )
    found = differences(old, new)
    category, vendor, tracker = found[2], found[5], found[6]
    assert found[:2] == [
        (None, None, "controller", "controller", "changed", "name", "Example Media BV", "Other BV", True),
        (None, None, "policy", "policy", "changed", "records_kept", "P2Y", "P1Y", False),
    ]
    assert category[:6] == ("social", None, "category", "social", "added", "")
    assert found[3:5] == [
        ("analytical", "counter", "vendor", "counter", "changed", "country", "NL", "US", True),
        ("analytical", "counter", "vendor", "counter", "changed", "safeguard", None, "scc", True),
    ]
    assert vendor[:6] == ("social", "video", "vendor", "video", "added", "")
    assert tracker[:6] == ("analytical", "counter", "tracker", "seen", "added", "")
    assert found[7][:6] == ("analytical", None, "tracker", "gone", "removed", "") and not found[7][8]
    assert category[6] is None and category[7]["id"] == "social" and category[8]


@pytest.mark.parametrize("free", ["required", "exempt"])
def test_a_category_that_needs_no_consent_asks_nobody_again(free: str) -> None:
    free_of_it = put("categories", 1, **{free: True})
    old = policy(free_of_it)
    new = policy(free_of_it, add("vendors", id="other"), put("categories", 1, description=words("Sell.")))
    assert [change.asks for change in compare(Notice.of(old), Notice.of(new))] == [False, False]


def two_cookies(*lifetimes: tuple[str, str]) -> Policy:
    rows = [add("trackers", name="uid", domain=domain, lifetime=lifetime) for domain, lifetime in lifetimes]
    return policy(*rows)


@pytest.mark.parametrize(
    ("old", "new", "asks"),
    [
        ([("a.example", "P1D"), ("b.example", "P9D")], [("b.example", "P9D"), ("a.example", "P1D")], []),
        ([("a.example", "P1D"), ("b.example", "P9D")], [("b.example", "P9D")], [False]),
        ([("a.example", "P1D"), ("b.example", "P9D")], [("a.example", "P9D"), ("b.example", "P9D")], [True]),
        (
            [("b.example", "P9D"), ("a.example", "P1D")],
            [("b.example", "P8D"), ("a.example", "P2D")],
            [False, True],
        ),
        ([("b.example", "P9D")], [("a.example", "P1D"), ("b.example", "P9D")], [True]),
        ([("a.example", "P1D")], [("a.example", "P2D"), ("b.example", "P1D")], [True, True]),
    ],
)
def test_cookies_of_the_same_name_on_two_domains_are_compared_separately(
    old: list[tuple[str, str]], new: list[tuple[str, str]], asks: list[bool]
) -> None:
    assert [change[8] for change in differences(two_cookies(*old), two_cookies(*new))] == asks


def later(facts: Data) -> Notice:
    return Notice("n" * 43, facts)


@pytest.mark.parametrize(
    ("path", "category"),
    [
        ((), None),
        (("controller",), None),
        (("sites", 0), None),
        (("categories", 1), "analytical"),
        (("vendors", 0), "analytical"),
        (("trackers", 1), "analytical"),
    ],
)
def test_an_unknown_field_of_a_later_version_counts_as_growth(
    path: tuple[str | int, ...], category: str | None
) -> None:
    notice = Notice.of(policy())
    facts = copy.deepcopy(dict(notice.facts))
    table: Any = facts
    for part in path:
        table = table[part]
    table["sold_to"] = ["everyone"]
    for old, new in ((notice, later(facts)), (later(facts), notice)):
        (change,) = compare(old, new)
        assert (change.category, change.field, change.asks) == (category, "sold_to", True)
        assert not coverage(old, new, "stride", "https://stride.example").categories


def test_an_unknown_table_of_a_later_version_counts_as_growth() -> None:
    notice = Notice.of(policy())
    new = later({**notice.facts, "purchases": [{"id": "x"}]})
    assert [(change.field, change.asks) for change in compare(notice, new)] == [("purchases", True)]


# XS-02
@pytest.mark.parametrize(
    ("site", "origin", "covered"),
    [
        ("stride", "https://stride.example", True),
        ("stride", "https://trailhead.example", False),
        ("stride", "http://stride.example", False),
        ("trailhead", "https://stride.example", False),
        ("trailhead", "https://trailhead.example", False),
    ],
)
def test_a_decision_covers_the_listed_sites_at_their_origins(site: str, origin: str, covered: bool) -> None:
    old, new = Notice.of(policy()), Notice.of(policy(add("sites", id="trailhead")))
    assert coverage(old, new, site, origin).site is covered
    assert coverage(new, new, "trailhead", "https://trailhead.example").site


def test_a_vendor_is_covered_even_if_its_category_grew() -> None:  # VA-05
    other = add("vendors", id="other")
    old = Notice.of(policy(other))
    unowned = Notice.of(policy(other, add("trackers", name="seen")))
    found = coverage(old, unowned, "stride", "https://stride.example")
    assert (found.categories, found.vendors) == (frozenset(), {"counter", "other"})
    owned = Notice.of(policy(other, add("trackers", name="seen", vendor="other")))
    assert coverage(old, owned, "stride", "https://stride.example").vendors == {"counter"}
    described = Notice.of(policy(other, put("categories", 1, description=words("Sell."))))
    assert coverage(old, described, "stride", "https://stride.example").vendors == frozenset()
    elsewhere = Notice.of(policy(other, put("controller", name="Other BV")))
    assert coverage(old, elsewhere, "stride", "https://stride.example").vendors == frozenset()
    moved = Notice.of(policy(other, add("categories", id="social"), put("vendors", 1, category="social")))
    assert coverage(old, moved, "stride", "https://stride.example").vendors == {"counter"}


# The functions below decide independently, from the policy's data, what a visitor was told. LB-08, VA-05, XS-02.

DAYS = {"session": 0, "P1D": 1, "P6M": 184, "P13M": 397}


def row_of(rows: list[Data], **wanted: Any) -> list[Data]:
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def stays(old: Data, new: Data, *fields: str) -> bool:
    return all(old.get(field) == new.get(field) for field in fields)


def adds_nothing(old: Data, new: Data, *fields: str) -> bool:
    return all(set(new.get(field) or ()) <= set(old.get(field) or ()) for field in fields)


def no_longer(old: Data, new: Data, field: str) -> bool:
    return field not in old or (field in new and DAYS[new[field]] <= DAYS[old[field]])


def told_vendor(old: Data, new: Data, vendor: Data) -> bool:
    return any(
        stays(was, vendor, "name", "country", "legal_entity", "role")
        and (was["profiling"] or not vendor["profiling"])
        and (vendor.get("safeguard") != "scc" or was.get("safeguard") == "scc")
        and (vendor.get("safeguard") is None or was.get("safeguard") is not None)
        and adds_nothing(was, vendor, "data")
        and no_longer(was, vendor, "retention")
        for was in row_of(old["vendors"], id=vendor["id"], category=vendor["category"])
    ) and all(
        told_tracker(old, tracker)
        for tracker in row_of(new["trackers"], vendor=vendor["id"], category=vendor["category"])
    )


def told_tracker(old: Data, tracker: Data) -> bool:
    same = {key: tracker.get(key) for key in ("name", "kind", "category", "vendor")}
    return any(
        stays(was, tracker, "purpose")
        and DAYS[tracker["lifetime"]] <= DAYS[was["lifetime"]]
        and (was["third_party"] or not tracker["third_party"])
        and (was.get("personal_data") or not tracker.get("personal_data"))
        for was in row_of(old["trackers"], **same)
    )


def told_purpose(old: Data, category: Data) -> bool:
    return any(
        stays(was, category, "title", "description", "required", "exempt")
        and (was["combines_across_sites"] or not category["combines_across_sites"])
        and adds_nothing(was, category, "dpv_purposes")
        and no_longer(was, category, "retention")
        for was in row_of(old["categories"], id=category["id"])
    )


def told_category(old: Data, new: Data, category: Data) -> bool:
    return (
        told_purpose(old, category)
        and all(told_vendor(old, new, vendor) for vendor in row_of(new["vendors"], category=category["id"]))
        and all(told_tracker(old, tracker) for tracker in row_of(new["trackers"], category=category["id"]))
    )


def allowed_then(decision: Decision, vendor: Data) -> bool:
    return decision.vendors.get(vendor["id"], vendor["category"] in decision.granted)


@DRAWN
@given(policy_pairs(), st.data())
def test_no_old_decision_allows_more_than_was_told_and_granted(
    pair: tuple[Data, Data], more: st.DataObject
) -> None:
    old, new = pair
    before, policy = Notice.of(Policy.model_validate(old)), Policy.model_validate(new)
    decision = more.draw(decisions_under(before))
    assume(decision.granted or any(decision.vendors.values()))
    consent = Evaluator(policy, "stride", [before]).evaluate(decision, LATER)
    by_id = {row["id"]: row for row in new["categories"]}
    if consent.granted or any(
        consent.vendors[vendor.id] for vendor in policy.vendors if needs_consent(policy, vendor.category)
    ):
        assert stays(old["controller"], new["controller"], "name", "country")
    for category in policy.consent_needed:
        if consent.categories[category.id]:
            assert category.id in decision.granted
            assert told_category(old, new, by_id[category.id])
    for vendor in new["vendors"]:
        if consent.vendors[vendor["id"]] and needs_consent(policy, vendor["category"]):
            assert allowed_then(decision, vendor)
            assert told_vendor(old, new, vendor)
            assert told_purpose(old, by_id[vendor["category"]])


def needs_consent(policy: Policy, category: str) -> bool:
    declared: Category = policy.category(category)
    return not declared.required and not declared.exempt


@DRAWN
@given(policy_data, st.data())
def test_a_policy_that_only_shrinks_asks_nobody_again(old: Data, more: st.DataObject) -> None:  # VA-05
    new = copy.deepcopy(old)
    new["trackers"] = [row for row in new["trackers"] if more.draw(st.booleans())]
    gone = {row["id"] for row in new["vendors"] if more.draw(st.booleans())}
    new["vendors"] = [row for row in new["vendors"] if row["id"] not in gone]
    new["trackers"] = [row for row in new["trackers"] if row.get("vendor") not in gone]
    for row in new["trackers"]:
        row |= {"lifetime": "session", "third_party": False}
    for row in new["vendors"]:
        row |= {"profiling": False, "data": []}
    for row in new["categories"]:
        row |= {"combines_across_sites": False}
    before, policy = Notice.of(Policy.model_validate(old)), Policy.model_validate(new)
    decision = more.draw(decisions_under(before))
    consent = Evaluator(policy, "stride", [before]).evaluate(decision, LATER)
    assert consent.granted == decision.granted - before.exempt_ids
    assert not consent.changes
    assert decision.kind == "partial" or not consent.needs_asking
    for vendor in new["vendors"]:
        if needs_consent(policy, vendor["category"]):
            assert consent.vendors[vendor["id"]] is allowed_then(decision, vendor)


@DRAWN
@given(policy_pairs(), st.data())
def test_whoever_granted_nothing_is_asked_only_about_new_purposes(  # UI-08, VA-03
    pair: tuple[Data, Data], more: st.DataObject
) -> None:
    old, new = pair
    before, policy = Notice.of(Policy.model_validate(old)), Policy.model_validate(new)
    kind = more.draw(st.sampled_from(["decided", "withdrawn"]))
    decision = Decision(
        kind=kind,
        granted=frozenset(),
        vendors={},
        decided_at=MOMENT,
        changed_at=MOMENT,
        notice=before.digest,
    )
    consent = Evaluator(policy, "stride", [before]).evaluate(decision, LATER)
    # Whoever objected to what was exempt has refused it.
    asked = {row["id"] for row in old["categories"] if not row.get("required")}
    assert set(consent.asking) == {category.id for category in policy.consent_needed} - asked
    assert consent.status == {"decided": "refused", "withdrawn": "withdrawn"}[kind]
    assert not consent.granted and not consent.changes


def test_dropping_an_optional_table_removes_its_rows() -> None:
    old, new = data(), data(drop("vendors"), drop("trackers"))
    found = differences(Policy.model_validate(old), Policy.model_validate(new))
    assert [(change[2], change[4], change[8]) for change in found] == [
        ("vendor", "removed", False),
        ("tracker", "removed", False),
        ("tracker", "removed", False),
    ]
