"""A list of regimes that an owner writes: what it must and must not have."""

import pytest
from pydantic import ValidationError

from consentkit.policy.regimes import Place, stricter_mode
from tests.support.regimes import LIST, OPT_IN, regime, regime_data

DUTCH = ("NL", "2015-03-11", "V")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LIST.replace('"US-CA"', '"California"'), "Not a code of ISO 3166"),
        (LIST.replace('"GB"', '"UK"'), "Not a code of ISO 3166"),
        (LIST + regime("nl", "eea", OPT_IN, DUTCH), "the same id"),
        (LIST + regime("strictest", "eea", OPT_IN, DUTCH), "called strictest"),
        (LIST.replace('id = "eea"', 'id = "de"'), "`eea` is missing"),
        (LIST.replace('modes = ["opt_in"]', 'modes = ["notice"]', 1), "lack its `mode`"),
        (LIST.replace("https://", "http://"), "source"),
        (LIST + "colour = 1\n", "colour"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        regime_data(text)


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("nl", Place("NL")),
        ("UK", Place("GB")),
        (" us-ca ", Place("US", "CA")),
        ("XX", None),
        ("US-", Place("US")),
        ("US-CALI", None),
        ("-CA", None),
        ("", None),
    ],
)
def test_a_code_is_a_place_or_nothing(code: str, place: Place | None) -> None:
    assert Place.parse(code) == place


def test_opting_in_is_the_strictest_mode() -> None:
    assert stricter_mode("notice", "opt_out", "opt_in") == "opt_in"
    assert stricter_mode("notice", "opt_out") == "opt_out"
