"""A small list of regimes whose facts are made up, so that tests do not depend on the law of the day."""

import tomllib
from typing import Any

from consentkit.policy import Policy, RegimeData
from tests.support.policies import Change, data

LAW = """
[[regimes.laws]]
place = "{place}"
name = "Act"
article = "1"
from = {begins}
source = "https://law.example/"
evidence = "{evidence}"
as_of = 2026-11-01
"""
REGIME = """
[[regimes]]
id = "{id}"
family = "{family}"
name = "{name}"
review_by = {review_by}
"""


def regime(
    regime_id: str,
    family: str,
    rules: str,
    *laws: tuple[str, str, str],
    name: str = "",
    review_by: str = "2027-06-30",
) -> str:
    """Return the TOML of a regime; each law is its place, the day from which it is in force, and its evidence."""
    head = REGIME.format(id=regime_id, family=family, name=name or regime_id.upper(), review_by=review_by)
    rows = (LAW.format(place=place, begins=begins, evidence=evidence) for place, begins, evidence in laws)
    return head + rules + "".join(rows)


OPT_IN = 'mode = "opt_in"\nmodes = ["opt_in"]\n'
OPT_OUT = (
    'mode = "opt_out"\nmodes = ["opt_out", "opt_in"]\nvalidity_at_least = "P12M"\ngpc = "opt_out"\n'
    'links = ["privacy_choices"]\nstatus = ["opt_out_honored"]\n'
)
EEA = [(place, "2011-05-25", "V2") for place in ("DE", "BE", "IE", "AT")]
LIST = "as_of = 2026-11-01\n" + "".join(
    (
        regime(
            "fr",
            "eea",
            OPT_IN
            + 'exempts = ["audience"]\nevidence_needed = true\nretention_at_most = "P24M"\nvalidity_at_most = "P13M"\n',
            ("FR", "2020-10-01", "V2"),
            name="France",
        ),
        regime("nl", "eea", OPT_IN + 'exempts = ["audience"]\n', ("NL", "2015-03-11", "V2")),
        regime("eea", "eea", OPT_IN + 'validity_at_most = "P13M"\n', *EEA),
        regime("gb", "gb", OPT_IN + 'exempts = ["statistics", "appearance"]\n', ("GB", "2026-02-05", "V2")),
        regime(
            "us-ca",
            "us",
            OPT_OUT + "gpc_over_choice = true\n",
            ("US-CA", "2020-01-01", "V"),
            name="California",
        ),
        regime(
            "us-signal",
            "us",
            OPT_OUT + "gpc_over_choice = false\n",
            ("US-CO", "2024-07-01", "V2"),
            ("US-OK", "2027-01-01", "M"),
        ),
        regime("br", "br", OPT_IN, ("BR", "2020-09-18", "E"), review_by="2026-11-15"),
    )
)


def regime_data(text: str = LIST) -> RegimeData:
    """Return the list as data."""
    return RegimeData.model_validate(tomllib.loads(text))


def policy_with_regimes(*changes: Change, text: str = LIST, **regimes: Any) -> Policy:
    """Return the small policy with `[regimes]`, if any are given, under the list above."""
    whole = data(*changes)
    if regimes:
        whole["regimes"] = regimes
    return Policy.from_data(whole, regime_data=regime_data(text))
