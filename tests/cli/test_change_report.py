import pytest

from consentkit.cli.change_report import difference, in_words
from consentkit.notices.changes import Change, Verb

CATEGORIES = ("analytical", "tracking", "social")


def made(
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
    ("change", "words"),
    [
        (
            made("vendor", "hotjar", new={"country": "MT"}, verb="added"),
            "analytical: vendor added: hotjar, MT.",
        ),
        (
            made("vendor", "hotjar", old={"country": "MT"}, verb="removed"),
            "analytical: vendor removed: hotjar, MT.",
        ),
        (
            made("tracker", "_ga", new={"kind": "cookie", "lifetime": "P1Y"}, verb="added"),
            "analytical: tracker added: _ga (cookie, P1Y).",
        ),
        (
            made("site", "lab", new={"origin": "https://lab.example"}, verb="added", category=None),
            "site added: lab, https://lab.example.",
        ),
        (made("category", "extra", new={}, verb="added", category="extra"), "category added: extra."),
        (made("vendor", "x", "country", "NL", "US"), "analytical: vendor x: moved from NL to US."),
        (
            made("vendor", "x", "data", ["IPAddress"], ["IPAddress", "Age"]),
            "analytical: vendor x: data: IPAddress became IPAddress, Age.",
        ),
        (made("vendor", "x", "data", [], ["Age"]), "analytical: vendor x: data: nothing became Age."),
        (
            made("vendor", "x", "retention", "P1M", None),
            "analytical: vendor x: keeps data for unstated, it was P1M.",
        ),
        (made("vendor", "x", "profiling", False, True), "analytical: vendor x: may build profiles: yes."),
        (
            made("category", "analytical", "required", True, False),
            "category analytical: required: yes became no.",
        ),
        (made("controller", "controller", "name", "A", "B", category=None), "controller: name: A became B."),
        (
            made("controller", "controller", "authority", {"name": "A"}, {"name": "B"}, category=None),
            "controller: authority: A became B.",
        ),
        (
            made("policy", "policy", "validity", "P6M", "P3M", category=None),
            "policy: validity: P6M became P3M.",
        ),
    ],
)
def test_each_kind_of_change_reads_as_a_sentence(change: Change, words: str) -> None:
    assert in_words(change) == words


@pytest.mark.parametrize(
    ("change", "consequence"),
    [
        (made("vendor", "x", "country", "NL", "US"), "Visitors who granted analytical will be asked again."),
        (made("vendor", "x", "country", "NL", "US", category="functional"), "it needs no consent."),
        (made("vendor", "x", "policy_url", asks=False), "Nobody is asked again."),
        (
            made("controller", "controller", "name", category=None),
            "granted analytical, tracking or social will be asked again.",
        ),
        (
            made("site", "lab", new={"origin": "o"}, verb="added", category=None, asks=False),
            "Visitors are asked there;",
        ),
        (
            made("category", "new", new={"required": False, "exempt": False}, verb="added", category="new"),
            "Every visitor is asked about new.",
        ),
        (
            made("category", "new", new={"required": True, "exempt": False}, verb="added", category="new"),
            "Nobody is asked.",
        ),
    ],
)
def test_each_says_who_is_asked_again(change: Change, consequence: str) -> None:
    assert consequence in difference([change], CATEGORIES)[0]


def test_a_policy_with_one_purpose_names_it() -> None:
    change = made("controller", "controller", "name", category=None)
    assert "Visitors who granted social will" in difference([change], ["social"])[0]
