from collections.abc import Iterator

import pytest

from consentkit import Ledger
from tests.conftest import Clock
from tests.family import COOKIE, TOLD, TRANSACTION, Family, a_family

EVERYTHING = {"analytical": True, "tracking": True, "social": True}
BANNER = 'id="cookie-consent"'
LINE = '<p role="status">'


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    ledger = Ledger(ledger_url)
    yield ledger
    ledger.close()


@pytest.fixture
def family(ledger: Ledger, clock: Clock) -> Iterator[Family]:
    with a_family(ledger, clock) as family:
        yield family


# XS-08
def test_the_first_page_after_an_import_says_where_the_choice_came_from_and_the_next_does_not(
    family: Family,
) -> None:
    browser = family.browser()
    browser.choose("stride", EVERYTHING)
    arrived = browser.cross("stride", "trailhead")
    assert arrived.headers["location"] == "/shoes" and TOLD in browser.jars["trailhead"]
    first = browser.get("trailhead", "/shoes")
    assert LINE in first.text and "Stride" in first.text and BANNER not in first.text
    assert first.headers["cache-control"] == "private, no-store"
    assert TOLD not in browser.jars["trailhead"] and TRANSACTION not in browser.jars["trailhead"]
    assert LINE not in browser.get("trailhead", "/shoes").text


@pytest.mark.parametrize("said", ["nowhere", "trailhead", "", "<script>", "stride, shoelab"])
def test_a_site_that_no_choice_can_come_from_is_never_named(family: Family, said: str) -> None:
    browser = family.browser()
    browser.choose("trailhead", EVERYTHING)
    browser.jars["trailhead"][TOLD] = said
    page = browser.get("trailhead")
    assert LINE not in page.text and "set-cookie" not in page.headers


def test_neither_is_anything_said_to_who_has_not_decided_nor_on_a_page_for_everybody(family: Family) -> None:
    browser = family.browser()
    browser.jars["trailhead"] |= {TOLD: "stride"}
    assert LINE not in browser.get("trailhead").text
    browser.jars["trailhead"] |= {COOKIE: "forged"}
    assert LINE not in browser.get("trailhead").text
    browser.choose("trailhead", EVERYTHING)
    public = browser.get("trailhead", "/?cached=yes")
    assert LINE not in public.text and "set-cookie" not in public.headers
    assert TOLD in browser.jars["trailhead"], "it waits for a page that can say it"
    assert LINE in browser.get("trailhead").text
