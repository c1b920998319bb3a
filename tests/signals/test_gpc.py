from datetime import date

import pytest

from consentkit.signals.gpc import gpc_json
from tests.support.told import policy_of, rows


# SG-02
@pytest.mark.parametrize(
    ("changes", "honoured"),
    [
        ({}, True),
        ({"categories": rows("categories", tracking={"honours_gpc": False})}, False),
        (
            {
                "categories": rows("categories", tracking={"honours_gpc": False}),
                "vendors": rows("vendors", adhub={"profiling": False}),
            },
            True,
        ),
        ({"vendors": [], "trackers": []}, True),
    ],
    ids=["example", "ignored", "ignored without profiling", "no vendors"],
)
def test_gpc_is_honoured_if_every_category_with_profiling_honours_it(
    changes: dict[str, object], honoured: bool
) -> None:
    assert gpc_json(policy_of(**changes), date(2026, 8, 31)) == {"gpc": honoured, "lastUpdate": "2026-08-31"}


def test_gpc_is_honoured_under_the_rules_of_every_place() -> None:
    changed = rows("categories", tracking={"sale_or_share": False})
    assert gpc_json(policy_of(categories=changed), date(2026, 8, 31))["gpc"]
    assert not gpc_json(policy_of(categories=changed, regimes={"us": True}), date(2026, 8, 31))["gpc"]
    assert gpc_json(policy_of(regimes={"us": True}), date(2026, 8, 31))["gpc"]
