from typing import Any

import pytest

from consentkit.policy import RegimePolicies
from consentkit.signals.google import google_sources
from tests.support.told import policy_of, rows

SIGNAL = "google-consent-mode"


# GC-03, GC-04
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
        "no vendor",
        "an advertiser",
        "two",
        "social",
        "by id",
        "no advertising",
        "advertising by id",
    ],
)
def test_sources_are_the_vendors_that_use_the_signals_or_their_categories(
    changes: dict[str, Any], sources: str
) -> None:
    assert google_sources(policy_of(**changes)) == sources


# LB-05
def test_exempt_analytics_are_no_source() -> None:
    policy = policy_of(categories=rows("categories", analytical={"exempt": True}))
    assert google_sources(policy) == ",tracking"


def test_where_visitors_opt_out_every_category_is_a_source() -> None:
    policy = policy_of(regimes={"us": True})
    assert google_sources(RegimePolicies(policy).by_id["us-ca"]) == google_sources(policy) != ","
