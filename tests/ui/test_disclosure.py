import json
from typing import Any

import pytest

from consentkit.notices.notice import Notice
from consentkit.policy.models import TrackerKind
from consentkit.policy.policy import Policy
from consentkit.ui.disclosure import Disclosure, web_address
from consentkit.ui.i18n import Translator
from tests.support.told import policy_of, rows


def disclosure(policy: Policy, language: str = "en", **options: Any) -> Disclosure:
    return Disclosure(policy, Notice.of(policy), language, Translator(language), **options)


def row(policy: Policy, key: str, name: str, language: str = "en") -> dict[str, Any]:
    found = disclosure(policy, language).policy()[key]
    return next(one for one in found if name in (one.get("id"), one.get("name")))


def test_the_policy_is_json_with_rows_in_the_order_of_the_categories() -> None:  # IN-08
    policy = policy_of()
    told = disclosure(policy).policy()
    assert json.loads(json.dumps(told)) == told
    assert [one["id"] for one in told["categories"]] == ["functional", "analytical", "tracking", "social"]
    assert [one["name"] for one in told["trackers"]] == [
        "__Host-consent",
        "__Host-consent-state",
        "__Host-consent-from",
        "session",
        "_ga*",
        "adhub_uid",
        "reading-list",
    ]
    assert [one["id"] for one in told["vendors"]] == ["google-analytics", "adhub", "youtube"]
    assert told["notice"] == Notice.of(policy).digest


def test_the_controller_has_the_details_of_article_13() -> None:  # IN-05
    told = disclosure(policy_of()).policy()
    assert told["controller"] == {
        "name": "Hardlopen Media BV",
        "address": "Voorbeeldkade 1, 1011 AB Amsterdam",
        "country": "NL",
        "country_name": "Netherlands",
        "email": "privacy@hardlopen-media.example",
        "dpo": "dpo@hardlopen-media.example",
        "privacy_policy": None,
        "rights_url": None,
        "authority": {"name": "Autoriteit Persoonsgegevens", "url": "https://autoriteitpersoonsgegevens.nl"},
    }
    assert told["records_kept"] == "P24M"
    assert (told["jurisdiction"], told["jurisdiction_name"]) == ("NL", "Netherlands")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("6 months", "13 months", "United States")),
        ("nl", ("6 maanden", "13 maanden", "Verenigde Staten")),
    ],
)
def test_codes_come_with_localized_words(language: str, words: tuple[str, ...]) -> None:  # IN-01
    told = disclosure(policy_of(), language).policy()
    tracker, vendor = told["trackers"][4], told["vendors"][0]
    assert (told["validity"], tracker["lifetime"], vendor["country"]) == ("P6M", "P13M", "US")
    assert (told["validity_words"], tracker["lifetime_words"], vendor["country_name"]) == words


@pytest.mark.parametrize(
    ("tracker", "owner", "access"),
    [
        ("session", "Hardlopen Media BV", False),
        ("_ga*", "Google Analytics", True),
        ("adhub_uid", "AdHub Exchange", True),
    ],
)
def test_every_tracker_has_its_owner_and_third_party_access(tracker: str, owner: str, access: bool) -> None:
    told = row(policy_of(), "trackers", tracker)  # IN-02
    assert (told["owner"], told["third_party_access"]) == (owner, access)


def test_a_third_party_tracker_without_a_vendor_has_third_party_access() -> None:  # IN-02
    policy = policy_of(trackers=rows("trackers", reading_list={"third_party": True}))
    assert row(policy, "trackers", "reading-list")["third_party_access"] is True


@pytest.mark.parametrize("kind", TrackerKind.__args__)
def test_every_kind_of_tracker_has_a_name(kind: str) -> None:  # LB-02
    policy = policy_of(trackers=rows("trackers", session={"kind": kind}))
    told = row(policy, "trackers", "session")
    assert told["kind"] == kind
    assert told["kind_words"][0].isupper()


def test_a_functional_tracker_has_its_necessity() -> None:  # LB-06
    told = row(policy_of(), "trackers", "session")
    assert (told["necessity"], told["necessity_words"]) == ("session", "recognises you during your visit")
    assert row(policy_of(), "trackers", "_ga*")["necessity_words"] is None


@pytest.mark.parametrize(
    ("change", "basis"),
    [({}, "consent"), ({"exempt": True}, "exempt"), ({"required": True}, "strictly_necessary")],
)
def test_every_purpose_has_its_legal_basis(
    change: dict[str, bool], basis: str
) -> None:  # LB-05, LB-07, IN-05
    told = row(policy_of(categories=rows("categories", analytical=change)), "categories", "analytical")
    assert told["legal_basis"] == basis
    assert "ePrivacy" in told["legal_basis_words"]


def test_a_transfer_has_its_safeguard_with_article_and_copy() -> None:  # TR-05
    assert row(policy_of(), "vendors", "adhub")["safeguard"] == {
        "id": "scc",
        "words": "Standard contractual clauses of the European Commission",
        "articles": ["46(2)(c)"],
        "articles_words": ["article 46(2)(c) GDPR"],
        "iri": "https://w3id.org/dpv/legal/eu/gdpr#A46-2-c",
        "conditions": [],
        "conditions_words": [],
        "copy": "https://adhub.example/scc",
    }


def test_partial_adequacy_has_its_condition() -> None:  # TR-04
    safeguard = row(policy_of(), "vendors", "youtube")["safeguard"]
    assert (safeguard["id"], safeguard["articles"], safeguard["conditions"]) == (
        "adequacy",
        ["45(3)"],
        ["dpf_certified"],
    )
    assert safeguard["conditions_words"] == ["certified under the EU-US Data Privacy Framework"]


@pytest.mark.parametrize("safeguard", [None, "none_required"])
def test_a_vendor_within_the_eea_has_no_safeguard(safeguard: str | None) -> None:  # TR-01
    policy = policy_of(vendors=rows("vendors", adhub={"country": "NO", "safeguard": safeguard}))
    told = row(policy, "vendors", "adhub")
    assert (told["outside_eea"], told["safeguard"]) == (False, None)


def test_a_vendor_has_its_role_data_and_retention() -> None:  # IN-03, IN-04
    told = row(policy_of(), "vendors", "google-analytics")
    assert told["role"] == "processor"
    assert told["role_words"].endswith("(processor)")
    assert told["data_words"] == ["IP address", "browsing behaviour", "information about the device"]
    assert (told["retention"], told["retention_words"]) == ("P14M", "14 months")
    assert told["profiling"] is True
    assert row(policy_of(), "vendors", "youtube")["retention"] is None


def test_an_unknown_kind_of_data_is_split_at_its_capitals() -> None:
    policy = policy_of(vendors=rows("vendors", adhub={"data": ["ShoeSize"]}))
    assert row(policy, "vendors", "adhub")["data_words"] == ["shoe size"]


def test_the_list_of_sites_is_a_part_of_the_policy() -> None:  # XS-01
    whole, part = disclosure(policy_of()).policy(), disclosure(policy_of()).sites()
    assert part.items() <= whole.items()
    assert [site["origin"] for site in part["sites"]] == [
        "https://stride.example",
        "https://trailhead.example",
    ]
    assert part["combined"] == ["analytical", "tracking"]
    assert part["group"] == {
        "id": "hardlopen",
        "name": "Hardlopen Media sites",
        "joint_controllers": False,
        "joint_control": None,
    }


def test_origins_replace_those_of_the_policy() -> None:
    told = disclosure(policy_of(), origins={"stride": "http://localhost:8000"}).sites()
    assert [site["origin"] for site in told["sites"]] == [
        "http://localhost:8000",
        "https://trailhead.example",
    ]


def test_a_single_site_has_no_group_and_a_site_may_have_its_own_controller() -> None:  # XS-04
    other = policy_of().controller.model_dump(mode="json", exclude_none=True) | {"name": "Trail BV"}
    told = disclosure(policy_of(group=None, sites=rows("sites", stride={"controller": other})[:1])).sites()
    assert told["group"] is None
    assert told["sites"][0]["controller"]["name"] == "Trail BV"


@pytest.mark.parametrize("address", ["https://a.example/x?y#z", "http://a.example"])
def test_http_and_https_urls_are_links(address: str) -> None:
    assert web_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//a.example",
        "/path",
        "https:",
        "https:a",
        "java\nscript:x",
        "https://a\u2028b",
        "https://a b",
        "http://[",
        "vbscript:x",
        "file:///etc/passwd",
        "a@b.example",
    ],
)
def test_other_urls_are_no_links(address: str | None) -> None:  # HT-05
    assert web_address(address) is None
