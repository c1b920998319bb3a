from typing import get_args

import pytest

from consentkit.policy.models import GdprBasis, ProofBasis, Right
from consentkit.policy.own_cookies import CookieNames
from consentkit.ui.legal_words import GDPR_BASES, OWN_ITEMS, PROOF_BASES, RIGHTS, legal_basis_words
from tests.support.by_place import policy_at


def test_every_ground_right_and_own_item_has_words() -> None:  # IN-05
    assert set(GDPR_BASES) == {"consent", *get_args(GdprBasis)}
    assert set(PROOF_BASES) == set(get_args(ProofBasis))
    assert set(RIGHTS) == set(get_args(Right))
    assert set(OWN_ITEMS) == set(CookieNames._fields)


def test_a_right_names_its_article() -> None:  # IN-05
    assert all(f"(article {article} GDPR)" in words for article, words in RIGHTS.values())


@pytest.mark.parametrize(
    ("regime", "basis", "words"),
    [
        ("nl", "exempt", "article 5(3) of the ePrivacy Directive and national law"),
        ("strictest", "consent", "article 6(1)(a) GDPR and article 5(3)"),
        (
            "gb",
            "exempt",
            "regulation 6 and Schedule A1 of the Privacy and Electronic Communications Regulations",
        ),
        ("gb", "consent", "UK GDPR"),
        ("us-ca", "exempt", "On until you opt out (privacy law of your state)"),
        ("ch", "exempt", "On until you object (article 45c of the Swiss Telecommunications Act)"),
        ("br", "consent", "Your consent, which you can withdraw at any time"),
        (
            "ca-qc",
            "strictly_necessary",
            "Strictly necessary for the service you asked for; no consent needed",
        ),
    ],
)
def test_the_legal_basis_is_that_of_the_place(regime: str, basis: str, words: str) -> None:
    assert words in legal_basis_words(basis, policy_at(regime).regime)


def test_a_place_whose_law_is_not_cited_says_what_holds() -> None:
    regime = policy_at("br").regime.model_copy(update={"mode": "notice"})
    assert legal_basis_words("exempt", regime) == "On until you object"
