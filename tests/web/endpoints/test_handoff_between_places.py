"""A choice that goes to a sister site while the rules of another place apply there, or the same rules that are not the EEA's."""

from collections.abc import Iterator

import pytest

from consentkit import Ledger, Policy, trusted_header
from tests.conftest import Clock
from tests.support.family import ORIGINS, PAIRS, Browser, Family, a_family
from tests.support.placed_site import placed_data

GERMANY = {"cf-ipcountry": "DE"}
CALIFORNIA = {"cf-ipcountry": "US", "cf-region-code": "CA"}
ALL = {"analytical", "tracking", "social"}
BANNER = 'id="cookie-consent"'


@pytest.fixture
def family(ledger: Ledger, clock: Clock) -> Iterator[Family]:
    sites = [
        {"id": site, "name": site.title(), "origin": ORIGINS[site], "public_key": PAIRS[site][1]}
        for site in ("stride", "trailhead")
    ]
    policy = Policy.model_validate(placed_data(sites=sites))
    location = trusted_header(country="CF-IPCountry", region="CF-Region-Code", peers=["127.0.0.1"])
    with a_family(ledger, clock, policy, location=location) as made:
        yield made


def on(browser: Browser, site: str) -> set[str]:
    """Return the optional categories that are on."""
    found = browser.get(site, "/consent/decision").json()["categories"]
    return {category for category in ALL if found[category]}


NO_SALE = {"analytical": True, "tracking": False, "social": True}
ACCEPTS, REJECTS = dict.fromkeys(ALL, True), dict.fromkeys(ALL, False)


# XS-03, JU-01: an answer never turns on elsewhere what it did not allow, nor what nobody was asked about.
@pytest.mark.parametrize(
    ("answered_in", "answers", "arrives_in", "expected"),
    [
        (CALIFORNIA, NO_SALE, CALIFORNIA, {"analytical", "social"}),
        (CALIFORNIA, REJECTS, CALIFORNIA, set()),
        (CALIFORNIA, ACCEPTS, CALIFORNIA, ALL),
        (GERMANY, ACCEPTS, CALIFORNIA, ALL),
        (GERMANY, REJECTS, CALIFORNIA, set()),
        (GERMANY, NO_SALE, CALIFORNIA, {"analytical", "social"}),
        (CALIFORNIA, ACCEPTS, GERMANY, set()),
        (CALIFORNIA, NO_SALE, GERMANY, set()),
        (CALIFORNIA, REJECTS, GERMANY, set()),
        (GERMANY, ACCEPTS, GERMANY, ALL),
    ],
)
def test_a_choice_keeps_its_meaning_on_a_sister_site_under_other_rules(
    family: Family,
    answered_in: dict[str, str],
    answers: dict[str, bool],
    arrives_in: dict[str, str],
    expected: set[str],
) -> None:
    browser = family.browser()
    browser.headers = answered_in
    browser.choose("stride", answers)
    browser.headers = arrives_in
    browser.cross("stride", "trailhead")
    assert on(browser, "trailhead") == expected
    # Back where the answer was given, it still is what it was.
    browser.headers = answered_in
    assert on(browser, "stride") == {category for category, allowed in answers.items() if allowed}


def test_a_withdrawal_in_california_ends_what_was_granted_in_germany_on_both_sites(
    family: Family, clock: Clock
) -> None:
    browser = family.browser()
    browser.headers = GERMANY
    browser.choose("stride", ACCEPTS)
    browser.cross("stride", "trailhead")
    assert on(browser, "trailhead") == ALL
    browser.headers = CALIFORNIA
    clock.advance(1)
    browser.withdraw("trailhead")
    clock.advance(60)
    for headers in (CALIFORNIA, GERMANY):
        browser.headers = headers
        assert on(browser, "stride") == on(browser, "trailhead") == set()
