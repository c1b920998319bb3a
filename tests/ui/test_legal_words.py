from typing import get_args

from consentkit.policy.models import GdprBasis, ProofBasis, Right
from consentkit.policy.own_cookies import CookieNames
from consentkit.ui.legal_words import GDPR_BASES, OWN_ITEMS, PROOF_BASES, RIGHTS


def test_every_ground_right_and_own_item_has_words() -> None:  # IN-05
    assert set(GDPR_BASES) == {"consent", *get_args(GdprBasis)}
    assert set(PROOF_BASES) == set(get_args(ProofBasis))
    assert set(RIGHTS) == set(get_args(Right))
    assert set(OWN_ITEMS) == set(CookieNames._fields)


def test_a_right_names_its_article() -> None:  # IN-05
    assert all(f"(article {article} GDPR)" in words for article, words in RIGHTS.values())
