"""What the cookie policy tells visitors, as a page and as JSON."""

from typing import Any

import pytest

from consentkit.policy.policy import Policy
from consentkit.ui.pages import View
from tests.conftest import Clock
from tests.support.family import a_policy as a_group
from tests.support.front import Front, a_policy, fronting
from tests.support.told import EXAMPLE, consent, pages, policy_of, rows, words

GROUP = EXAMPLE["group"]
CONTROLLER = EXAMPLE["controller"]


def said(policy: Policy, language: str = "en", **options: Any) -> str:
    """Return the words of the policy page."""
    made = pages(policy, **options)
    return words(made.policy(View(language=language, consent=consent(policy))))


def test_the_page_and_the_json_lead_to_the_privacy_statement_in_its_language() -> None:  # IN-05
    addresses = {"en": "https://hardlopen.example/privacy", "nl": "https://hardlopen.example/nl/privacy"}
    policy = policy_of(controller=CONTROLLER | {"privacy_policy": addresses})
    for language, address in addresses.items():
        html = pages(policy).policy(View(language=language, consent=consent(policy)))
        assert f'<a href="{address}"' in html
        assert pages(policy).policy_json(language)["controller"]["privacy_policy"] == address
    assert pages(policy_of()).policy_json()["controller"]["privacy_policy"] is None


def test_all_rights_are_listed_and_what_can_be_objected_to() -> None:  # IN-05
    told = pages(policy_of()).policy_json()
    assert [(right["id"], right["article"]) for right in told["rights"]] == [
        ("access", "15"),
        ("rectification", "16"),
        ("erasure", "17"),
        ("restriction", "18"),
        ("portability", "20"),
        ("objection", "21"),
    ]
    text = said(policy_of())
    assert all(right["words"] in text for right in told["rights"])
    assert "legitimate interest (article 21 GDPR) Functional" in text


@pytest.mark.parametrize(
    ("changes", "listed"),
    [
        ({}, "Functional"),
        ({"proof_basis": "legitimate_interests"}, "Functional Our record of your choice"),
        ({"categories": rows("categories", functional={"gdpr_basis": "contract"})}, "You can complain"),
        ({"categories": rows("categories", analytical={"exempt": True})}, "Functional Analytical"),
    ],
)
def test_the_right_to_object_names_what_it_applies_to(changes: dict[str, Any], listed: str) -> None:  # IN-05
    assert f"(article 21 GDPR) {listed}" in said(policy_of(**changes))


def test_an_owner_may_name_some_rights() -> None:
    text = said(policy_of(rights=["access"]))
    assert "article 15 GDPR" in text and "article 21 GDPR" not in text


@pytest.mark.parametrize(
    ("change", "basis", "phrase"),
    [
        ({}, "legitimate_interests", "a site that works (article 6(1)(f) GDPR)"),
        ({"gdpr_basis": "contract"}, "contract", "Our agreement with you (article 6(1)(b) GDPR)"),
        ({"gdpr_basis": "legal_obligation"}, "legal_obligation", "A legal obligation (article 6(1)(c) GDPR)"),
        ({"required": False}, "consent", "Your consent (article 6(1)(a) GDPR"),
        (
            {"required": False, "exempt": True},
            "legitimate_interests",
            "how the site is used (article 6(1)(f)",
        ),
    ],
)
def test_every_purpose_has_its_ground_in_the_gdpr(
    change: dict[str, Any], basis: str, phrase: str
) -> None:  # IN-05
    policy = policy_of(categories=rows("categories", functional=change))
    assert pages(policy).policy_json()["categories"][0]["gdpr_basis"] == basis
    assert phrase in said(policy)


def test_the_ground_of_the_proof_is_named() -> None:  # IN-05
    assert "show that you consented (articles 6(1)(c) and 7(1) GDPR)" in said(policy_of())
    assert "show that you consented (article 6(1)(f) GDPR)" in said(
        policy_of(proof_basis="legitimate_interests")
    )


def test_how_long_we_keep_the_data_of_a_purpose_is_shown() -> None:  # IN-05
    policy = policy_of(categories=rows("categories", analytical={"retention": "P14M"}))
    assert "Data kept for14 months" in said(policy)


@pytest.mark.parametrize(
    ("essence", "shown"),
    [
        ({"en": "Ask either of us.", "nl": "Vraag het een van ons."}, "Ask either of us."),
        ("https://adhub.example/joint", "https://adhub.example/joint"),
    ],
)
def test_the_essence_of_joint_control_is_shown(essence: object, shown: str) -> None:  # IN-05, XS-04
    vendors = rows("vendors", adhub={"role": "joint_controller", "joint_control": essence})
    policy = policy_of(vendors=vendors, group=GROUP | {"joint_controllers": True, "joint_control": essence})
    told = pages(policy).policy_json()
    assert [told["vendors"][1]["joint_control"], told["group"]["joint_control"]] == [shown, shown]
    assert said(policy).count(shown) == 2


def test_no_period_is_promised_that_nothing_enforces() -> None:
    assert "2 years" not in said(policy_of())


def test_visitors_read_what_a_record_holds_and_how_to_see_it() -> None:  # IN-05
    text = said(policy_of())
    assert "no name and no IP address" in text
    refusal = "The record of a refusal holds no identifier and only the hour"
    assert f"{refusal}, unless it ends something that you had allowed." in text
    assert "quote the reference that Cookie settings shows while you allow something" in text
    assert "link the random numbers" not in text
    assert "link the random numbers" in said(a_group())


def test_a_site_without_a_ledger_speaks_of_no_record(front: Front, clock: Clock) -> None:
    assert "Our record of your choice" in front.client().get("/consent/policy").text
    with pytest.warns(UserWarning, match="ledger"), fronting(clock, a_policy(), ledger=None) as silent:
        assert "Our record of your choice" not in silent.client().get("/consent/policy").text


def test_what_lies_on_other_domains_is_the_visitors_to_remove() -> None:
    trackers = rows("trackers", adhub_uid={"domain": ".adhub.example"})
    text = said(policy_of(trackers=trackers))
    assert "What we cannot remove" in text
    assert text.endswith(text[text.index("adhub_uid, adhub.example AdHub Exchange") :])
    # What is read and not stored cannot be removed by anybody.
    read = rows("trackers", adhub_uid={"kind": "fingerprint"})
    assert "What we cannot remove" not in said(policy_of(trackers=read))
