"""The table of what is on where, through HTTP: the place comes in headers of a trusted proxy."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from consentkit import ConsentManager, Ledger, trusted_header
from consentkit.policy import RegimePolicies
from tests.support.regime_table import CATEGORIES, Cell, cells, policy_of, regimes
from tests.support.sites import site

ORIGIN = "https://stride.example"
PROXY, STRANGER = "10.1.2.3", "203.0.113.7"
ANSWERS: dict[str, dict[str, Any]] = {
    "yes": {"choice": "accept_all"},
    "no": {"choice": "reject_all"},
    "all_but_sale": {
        "categories": {name: name != "ads" for name in CATEGORIES.values() if name != "functional"}
    },
}


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    store = Ledger("sqlite://")
    yield store
    store.close()


def made(block: dict[str, Any], ledger: Ledger, **options: Any) -> ConsentManager:
    policy = policy_of(block)
    location = trusted_header(country="CF-IPCountry", region="CF-Region-Code", peers=["10.0.0.0/8"])
    return ConsentManager(
        policy,
        secret_key="a key that the walk of the table signs with 0123",
        ledger=ledger,
        site="stride",
        location=location if policy.regimes is not None else None,
        **options,
    )


def headers(place: str, *, gpc: bool) -> dict[str, str]:
    country, _, region = place.partition("-")
    sent = {"origin": ORIGIN, "cf-ipcountry": country}
    return sent | ({"cf-region-code": region} if region else {}) | ({"sec-gpc": "1"} if gpc else {})


def what_is_on(manager: ConsentManager, cell: Cell, peer: str = PROXY) -> set[str]:
    client = TestClient(site(manager), base_url=ORIGIN, client=(peer, 50_000))
    if cell.answer != "none":
        there = headers(cell.answered_at, gpc=cell.gpc)
        answered = client.post("/consent/decision", json=ANSWERS[cell.answer], headers=there)
        assert answered.status_code == 200, answered.text
    state = client.get("/consent/decision", headers=headers(cell.place, gpc=cell.gpc)).json()
    return {name for name, is_on in state["categories"].items() if is_on} | {"functional"}


@pytest.mark.parametrize(
    "block", regimes(), ids=lambda block: f"{block['regime']}-{block['place']}-{block.get('mode', '')}"
)
def test_requests_from_a_place_get_what_the_table_says(
    block: dict[str, Any], ledger: Ledger
) -> None:  # SG-03, JU-02
    manager = made(block, ledger)
    wrong = {cell: on for cell in cells(block) if (on := what_is_on(manager, cell)) != cell.expected}
    assert not wrong


def test_a_place_that_a_stranger_claims_counts_for_nothing(ledger: Ledger) -> None:
    block = next(row for row in regimes() if row["regime"] == "us-ca")
    manager = made(block, ledger)
    strictest = RegimePolicies(manager.policy).strictest
    claimed = Cell("US-CA", False, "none", "US-CA", frozenset())
    assert what_is_on(manager, claimed) == set(CATEGORIES.values())
    assert what_is_on(manager, claimed, STRANGER) == {"functional"}
    assert not any(row.exempt for row in strictest.optional)


@pytest.mark.parametrize(
    "sent",
    [
        {"x-requested-with": "com.example.news"},
        {
            "user-agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"
        },
        {
            "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
        },
    ],
)
def test_a_page_inside_an_app_gets_the_strictest_rules(sent: dict[str, str], ledger: Ledger) -> None:
    manager = made(next(row for row in regimes() if row["regime"] == "us-ca"), ledger)
    client = TestClient(site(manager), base_url=ORIGIN, client=(PROXY, 50_000))
    in_browser = headers("US-CA", gpc=False) | {"x-requested-with": "XMLHttpRequest"}
    assert client.get("/consent/decision", headers=in_browser).json()["categories"]["ads"]
    assert not client.get("/consent/decision", headers=in_browser | sent).json()["categories"]["ads"]


def test_an_opt_out_is_kept_for_twelve_months_in_which_nobody_is_asked(ledger: Ledger) -> None:  # SG-07
    now = 1_790_000_000.0
    block = next(row for row in regimes() if row["regime"] == "us-ca")
    manager = made(block, ledger, clock=lambda: now)
    client = TestClient(site(manager), base_url=ORIGIN, client=(PROXY, 50_000))
    here = headers("US-CA", gpc=False)
    assert client.post("/consent/decision", json=ANSWERS["all_but_sale"], headers=here).status_code == 200
    for _ in range(364):
        now += 86_400
        page = client.get("/", headers=here | {"accept": "text/html"})
        assert 'id="cookie-consent"' not in page.text
        assert not client.get("/consent/decision", headers=here).json()["categories"]["ads"]


def test_a_late_opt_out_is_remembered_for_its_own_twelve_months(ledger: Ledger) -> None:  # SG-07
    now = 1_790_000_000.0
    block = next(row for row in regimes() if row["regime"] == "us-ca")
    manager = made(block, ledger, clock=lambda: now)
    client = TestClient(site(manager), base_url=ORIGIN, client=(PROXY, 50_000))
    here = headers("US-CA", gpc=False)
    client.patch("/consent/decision", json={"categories": {"social": False}}, headers=here)
    now += 300 * 86_400
    client.patch("/consent/decision", json={"categories": {"ads": False}}, headers=here)
    now += 360 * 86_400
    categories = client.get("/consent/decision", headers=here).json()["categories"]
    assert (categories["ads"], categories["social"]) == (False, False)
