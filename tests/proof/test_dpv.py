import pytest

from consentkit.policy import SAFEGUARDS
from consentkit.policy.transfers import COUNTRIES
from consentkit.proof import dpv
from tests.support.receipts import PUBLISHED


def listed(name: str) -> frozenset[str]:
    return dpv._listed()[name]


# RC-05
def test_states_roles_rights_and_legal_bases_are_terms_that_exist() -> None:
    roles = {term for row in dpv.ROLES.values() for term in row}
    bases = {
        row.iri.replace("https://w3id.org/dpv/legal/eu/gdpr#", "eu-gdpr:")
        for row in SAFEGUARDS.values()
        if row.iri
    }
    used = {*dpv.STATES.values(), *dpv.RIGHTS.values(), *dpv.DEVICE_TECHNOLOGIES.values(), *roles, *bases}
    assert used <= PUBLISHED
    assert "dpv:ConsentTerminated" not in PUBLISHED | used


def test_listed_purposes_and_kinds_of_data_exist() -> None:
    assert {f"dpv:{term}" for term in listed("purposes")} <= PUBLISHED
    assert {f"pd:{term}" for term in listed("personal_data")} == {
        term for term in PUBLISHED if term.startswith("pd:")
    }


def test_every_country_is_a_location() -> None:
    assert {dpv.country(code) for code in COUNTRIES} <= PUBLISHED


@pytest.mark.parametrize(
    ("look_up", "term", "iri"),
    [
        (dpv.purpose, "ServiceUsageAnalytics", "dpv:ServiceUsageAnalytics"),
        (dpv.purpose, "IPAddress", None),
        (dpv.purpose, "Analytics2", None),
        (dpv.personal_data, "BrowsingBehaviour", "pd:BrowsingBehaviour"),
        (dpv.personal_data, "SocialMediaData", None),
    ],
)
def test_a_term_of_the_policy_that_the_vocabulary_lacks_has_no_iri(
    look_up, term: str, iri: str | None
) -> None:
    assert look_up(term) == iri
