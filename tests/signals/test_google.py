from itertools import product
from typing import Any

import pytest

from consentkit.policy.policy import Policy
from consentkit.signals.google import google_signals, google_sources
from tests.support.told import policy_of, rows

ALWAYS = {"functionality_storage", "security_storage"}
GRANTED = {
    "analytical": {"analytics_storage"},
    "tracking": {"ad_storage", "ad_user_data", "ad_personalization", "personalization_storage"},
    "social": set[str](),
}
SIGNAL = "google-consent-mode"


def told(policy: Policy, *granted: str) -> set[str]:
    signals = google_signals(
        policy, lambda category, vendor: (vendor or category) in granted or category in granted
    )
    assert len(signals) == 7 and set(signals.values()) <= {"granted", "denied"}
    return {signal for signal, value in signals.items() if value == "granted"}


# GC-03, GC-04
@pytest.mark.parametrize("subset", list(product([False, True], repeat=3)), ids=str)
def test_each_subset_of_categories_gives_the_signals_of_the_table(subset: tuple[bool, ...]) -> None:
    granted = [category for category, on in zip(GRANTED, subset, strict=True) if on]
    assert told(policy_of(), *granted) == ALWAYS.union(*(GRANTED[category] for category in granted))


@pytest.mark.parametrize(
    ("changes", "sources"),
    [
        ({}, "analytical:google-analytics,tracking"),
        ({"vendors": rows("vendors", google_analytics={"signal": None})}, ""),
        (
            {"vendors": rows("vendors", adhub={"signal": SIGNAL}, google_analytics={"signal": None})},
            "analytical,tracking:adhub",
        ),
        (
            {
                "vendors": [
                    *rows("vendors", adhub={"signal": SIGNAL}),
                    rows("vendors")[2] | {"id": "more", "signal": SIGNAL},
                ]
            },
            "analytical:google-analytics,tracking:adhub+tracking:more",
        ),
        ({"vendors": rows("vendors", youtube={"signal": SIGNAL})}, "analytical:google-analytics,tracking"),
        (
            {"categories": rows("categories", analytical={"dpv_purposes": []})},
            "analytical:google-analytics,tracking",
        ),
        (
            {"categories": rows("categories", tracking={"dpv_purposes": ["FraudPrevention"]})},
            "analytical:google-analytics,",
        ),
        (
            {"categories": rows("categories", tracking={"dpv_purposes": []})},
            "analytical:google-analytics,tracking",
        ),
    ],
    ids=[
        "example",
        "nobody listens",
        "an advertiser",
        "two",
        "social",
        "by id",
        "no advertising",
        "advertising by id",
    ],
)
def test_the_sources_follow_from_purposes_ids_and_who_listens(changes: dict[str, Any], sources: str) -> None:
    assert google_sources(policy_of(**changes)) == sources


def test_of_several_that_listen_all_have_to_be_allowed() -> None:
    vendors = [
        *rows("vendors", adhub={"signal": SIGNAL}),
        rows("vendors")[2] | {"id": "more", "signal": SIGNAL},
    ]
    policy = policy_of(vendors=vendors)
    assert told(policy, "adhub") == ALWAYS
    assert told(policy, "adhub", "more") == ALWAYS | GRANTED["tracking"]


# LB-05: analytics that need no consent turn none on
def test_exempt_analytics_grant_nothing() -> None:
    policy = policy_of(categories=rows("categories", analytical={"exempt": True}))
    assert told(policy, "analytical") == ALWAYS
    assert google_sources(policy).startswith(",")
