import pytest

from consentkit.cli.change_report import describe_change, describe_changes
from consentkit.notices.changes import Change, Verb
from tests.support.policies import SECOND_SITE, add, policy, put

POLICY = policy(SECOND_SITE, add("categories", id="social"), add("vendors", id="video", name="Video"))


def test_the_tracker_of_a_vendor_is_named_with_the_vendor() -> None:
    change = Change("social", "video", "tracker", "seen", "changed", "lifetime", "P12M", "P13M", True)
    assert (
        describe_change(change, POLICY) == "social: tracker seen of Video (video): kept for P13M (was P12M)."
    )
    gone = Change("social", "gone", "tracker", "seen", "changed", "lifetime", "P12M", "P13M", True)
    assert describe_change(gone, POLICY) == "social: tracker seen: kept for P13M (was P12M)."


def changed(
    thing: str,
    name: str,
    field: str = "",
    old: object = None,
    new: object = None,
    *,
    asks: bool = True,
    category: str | None = "analytical",
    verb: Verb = "changed",
) -> Change:
    return Change(category, None, thing, name, verb, field, old, new, asks)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            changed("vendor", "counter", new={"country": "MT"}, verb="added"),
            "analytical: vendor added: Counter (counter), MT.",
        ),
        (
            changed("vendor", "gone", old={"country": "MT"}, verb="removed"),
            "analytical: vendor removed: gone, MT.",
        ),
        (
            changed("tracker", "_ga", new={"kind": "cookie", "lifetime": "P1Y"}, verb="added"),
            "analytical: tracker added: _ga, cookie, P1Y.",
        ),
        (
            changed("site", "trailhead", new={"origin": "https://a.example"}, verb="added", category=None),
            "site added: Trailhead (trailhead), https://a.example.",
        ),
        (changed("category", "extra", new={}, verb="added", category="extra"), "category added: extra."),
        (
            changed("vendor", "video", "country", "NL", "US"),
            "analytical: vendor Video (video): moved from NL to US.",
        ),
        (
            changed("vendor", "video", "data", ["IPAddress"], ["IPAddress", "Age"]),
            "analytical: vendor Video (video): data changed from IPAddress to IPAddress, Age.",
        ),
        (
            changed("vendor", "x", "data", [], ["Age"]),
            "analytical: vendor x: data changed from nothing to Age.",
        ),
        (
            changed("vendor", "x", "retention", "P1M", None),
            "analytical: vendor x: retention changed from P1M to not stated.",
        ),
        (changed("vendor", "x", "profiling", False, True), "analytical: vendor x: may build profiles: yes."),
        (
            changed("category", "analytical", "required", True, False),
            "category analytical: required changed from yes to no.",
        ),
        (
            changed("controller", "controller", "name", "A", "B", category=None),
            "controller: name changed from A to B.",
        ),
        (
            changed("controller", "controller", "authority", {"name": "A"}, {"name": "B"}, category=None),
            "controller: authority changed from A to B.",
        ),
        (
            changed("policy", "policy", "validity", "P6M", "P3M", category=None),
            "policy: validity changed from P6M to P3M.",
        ),
    ],
)
def test_each_kind_of_change_is_a_sentence(change: Change, sentence: str) -> None:
    assert describe_change(change, POLICY) == sentence


@pytest.mark.parametrize(
    ("change", "consequence"),
    [
        (
            changed("vendor", "x", "country", "NL", "US"),
            "Visitors who granted analytical will be asked again.",
        ),
        (
            changed("vendor", "x", "country", "NL", "US", category="functional"),
            "Nobody is asked again: the category needs no consent.",
        ),
        (changed("vendor", "x", "policy_url", asks=False), "Nobody is asked again."),
        (
            changed(
                "own_storage",
                "x",
                new={"kind": "cookie", "lifetime": "P6M"},
                verb="added",
                category="functional",
                asks=False,
            ),
            "Nobody is asked again: the category needs no consent.",
        ),
        (
            changed("own_storage", "x", "lifetime", "P6M", "P7M", category="functional", asks=False),
            "Nobody is asked again: the category needs no consent.",
        ),
        (
            changed("controller", "controller", "name", category=None),
            "Visitors who granted analytical or social will be asked again.",
        ),
        (
            changed("site", "lab", new={"origin": "o"}, verb="added", category=None, asks=False),
            "Visitors are asked on this site;",
        ),
        (
            changed(
                "category", "new", new={"required": False, "exempt": False}, verb="added", category="new"
            ),
            "Every visitor is asked about new.",
        ),
        (
            changed("category", "new", new={"required": True, "exempt": False}, verb="added", category="new"),
            "Nobody is asked.",
        ),
    ],
)
def test_each_change_says_who_is_asked_again(change: Change, consequence: str) -> None:
    assert consequence in describe_changes([change], POLICY)[0]


def test_a_single_purpose_stands_alone() -> None:
    change = changed("controller", "controller", "name", category=None)
    (sentence,) = describe_changes([change], policy(put("categories", 0, title={"en": "A", "nl": "A"})))
    assert "Visitors who granted analytical will" in sentence
