"""The table of signals against what the site does with them."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from consentkit import Policy, trusted_header
from consentkit.signals import SIGNALS, FutureLaw, SignalEffect, signal_effects
from tests.support.policies import add, put
from tests.support.regimes import policy_with_regimes
from tests.support.sites import managing, site

ORIGIN, PROXY = "https://stride.example", "10.0.0.1"
PLACES = {
    "nl": "NL",
    "fr": "FR",
    "eea": "DE",
    "gb": "GB",
    "us-ca": "US-CA",
    "us-signal": "US-CO",
    "br": "BR",
    "strictest": "JP",
}
POLICY = policy_with_regimes(
    put("categories", 1, statistics=True),
    put("vendors", 0, role="processor", retention="P14M"),
    add("categories", id="ads"),
    add("vendors", id="ad", name="Ads", category="ads", profiling=True),
    add("trackers", name="ad", category="ads", vendor="ad"),
    eea=True,
    gb=True,
    us="opt_out",
    br=True,
)
EFFECTS = {row.regime: row for row in signal_effects(POLICY) if row.signal.id == "gpc"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    location = trusted_header(country="X-Country", region="X-Region", peers=[PROXY])
    with managing(POLICY, ledger="sqlite://", location=location) as manager:
        yield TestClient(site(manager), base_url=ORIGIN, client=(PROXY, 1))


def on_at(client: TestClient, regime: str, signals: dict[str, str], *, accepts: bool = False) -> set[str]:
    """Return the optional categories that are on for a new visitor of a place."""
    country, _, region = PLACES[regime].partition("-")
    headers = {"x-country": country, "origin": ORIGIN, **({"x-region": region} if region else {})} | signals
    client.cookies.clear()
    if accepts:
        client.post("/consent/decision", json={"choice": "accept_all"}, headers=headers)
    categories = client.get("/consent/decision", headers=headers).json()["categories"]
    return {category for category, is_on in categories.items() if is_on} - {"functional"}


# SG-03, SG-05: whatever the table says follows, and nothing else.
@pytest.mark.parametrize("regime", PLACES)
def test_a_signal_has_the_effect_that_the_table_says(client: TestClient, regime: str) -> None:
    row = EFFECTS[regime]
    gpc = {"sec-gpc": "1"}
    assert on_at(client, regime, gpc) == on_at(client, regime, {}) - set(row.categories)
    everything = {"analytical", "ads"}
    assert on_at(client, regime, {}, accepts=True) == everything
    assert on_at(client, regime, gpc, accepts=True) == everything - set(row.over_choice)


# SG-08
@pytest.mark.parametrize("regime", PLACES)
@pytest.mark.parametrize("value", ["0", "1"])
def test_do_not_track_has_no_effect(client: TestClient, regime: str, value: str) -> None:
    assert on_at(client, regime, {"dnt": value}) == on_at(client, regime, {})


def test_the_table_has_every_signal_under_every_regime() -> None:
    rows = signal_effects(POLICY)
    assert set(EFFECTS) == set(PLACES) and len(rows) == len(SIGNALS) * len(PLACES)
    assert {regime: row.effect for regime, row in EFFECTS.items() if row.effect != "refusal"} == {
        "us-ca": "opt_out",
        "us-signal": "opt_out",
    }
    assert EFFECTS["us-ca"].over_choice == ("ads",) and EFFECTS["us-signal"].over_choice == ()
    assert all(row.recorded == "decision_and_count" for row in EFFECTS.values())


def without_signals(rows: tuple[SignalEffect, ...]) -> list[SignalEffect]:
    return [row for row in rows if row.signal.id != "gpc" and row.effect != "none"]


# JU-03
def test_law_that_is_proposed_is_off_and_changes_nothing_without_a_standard() -> None:  # JU-03
    assert FutureLaw() == FutureLaw(omnibus_88a=False, browser_signal_88b=False)
    assert [signal.id for signal in SIGNALS if signal.is_on] == ["gpc"]
    proposed = signal_effects(POLICY, FutureLaw(omnibus_88a=True, browser_signal_88b=True))
    assert without_signals(signal_effects(POLICY)) == without_signals(proposed) == []
    assert any(row.signal.is_on and row.signal.id == "browser_signal_88b" for row in proposed)


def test_a_policy_that_honours_no_signal_has_no_effect(policy: Policy) -> None:
    nobody = policy_with_regimes()
    assert {row.effect for row in signal_effects(nobody)} == {"none"}
    (gpc,) = (row for row in signal_effects(policy) if row.signal.id == "gpc")
    assert gpc.regime == "nl" and gpc.effect == "refusal" and "tracking" in gpc.categories
