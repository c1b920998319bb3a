"""A small policy without a fault or a warning, and how to spoil it."""

import copy
import tomllib
from collections.abc import Callable
from typing import Any

from consentkit.policy.policy import Policy

TEXT = """schema = 1
languages = ["en", "nl"]
validity = "P6M"
jurisdiction = "NL"
records_kept = "P24M"

[controller]
name = "Example Media BV"
address = "Voorbeeldkade 1, 1011 AB Amsterdam"
country = "NL"
email = "privacy@media.example"
dpo = "dpo@media.example"
privacy_policy = "https://media.example/privacy"
rights_url = "https://media.example/rights"
authority = { name = "Autoriteit Persoonsgegevens", url = "https://autoriteitpersoonsgegevens.nl" }

[[sites]]
id = "stride"
name = "Stride"
origin = "https://stride.example"

[[categories]]
id = "functional"
required = true
title = { en = "Functional", nl = "Functioneel" }
description = { en = "To make the site work.", nl = "Om de site te laten werken." }

[[categories]]
id = "analytical"
title = { en = "Analytical", nl = "Analytisch" }
description = { en = "To count visits.", nl = "Om bezoeken te tellen." }
retention = "P14M"

[[vendors]]
id = "counter"
name = "Counter"
country = "NL"
profiling = false
policy_url = "https://counter.example/privacy"
category = "analytical"

[[trackers]]
name = "session"
kind = "cookie"
category = "functional"
necessity = "session"
lifetime = "session"
purpose = { en = "Keeps you logged in.", nl = "Houdt je ingelogd." }

[[trackers]]
name = "visits"
kind = "cookie"
category = "analytical"
vendor = "counter"
lifetime = "P30D"
purpose = { en = "Tells visits apart.", nl = "Onderscheidt bezoeken." }
"""

Change = Callable[[dict[str, Any]], object]


def data(*changes: Change) -> dict[str, Any]:
    """Give the policy's data, changed."""
    fresh = copy.deepcopy(tomllib.loads(TEXT))
    for change in changes:
        change(fresh)
    return fresh


def policy(*changes: Change) -> Policy:
    """Give the policy, changed."""
    return Policy.model_validate(data(*changes))


def put(*path: str | int, **values: Any) -> Change:
    """Set keys of the table at a path."""

    def change(whole: dict[str, Any]) -> None:
        table: Any = whole
        for part in path:
            table = table[part]
        table.update(copy.deepcopy(values))

    return change


def drop(*path: str | int) -> Change:
    """Leave out what stands at a path."""

    def change(whole: dict[str, Any]) -> None:
        table: Any = whole
        for part in path[:-1]:
            table = table[part]
        del table[path[-1]]

    return change


def add(section: str, **row: Any) -> Change:
    """Append a row, with what it needs and is not given."""
    needed: dict[str, dict[str, Any]] = {
        "sites": {"name": "Trailhead", "origin": "https://trailhead.example"},
        "categories": {
            "title": {"en": "More", "nl": "Meer"},
            "description": {"en": "To do more.", "nl": "Om meer te doen."},
        },
        "vendors": {
            "name": "Other",
            "country": "NL",
            "profiling": False,
            "policy_url": "https://other.example/privacy",
            "category": "analytical",
        },
        "trackers": {
            "kind": "cookie",
            "category": "analytical",
            "lifetime": "P30D",
            "purpose": {"en": "Counts.", "nl": "Telt."},
        },
    }
    return lambda whole: whole.setdefault(section, []).append(needed[section] | copy.deepcopy(row))


GROUP = put(group={"id": "media", "name": {"en": "Media sites", "nl": "Mediasites"}})
SECOND_SITE = add("sites", id="trailhead")
