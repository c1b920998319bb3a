"""The table of what is on where (`tests/policy/regime_table.toml`), with the policies that it speaks of."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from consentkit import Policy

__all__ = ["CATEGORIES", "Cell", "cells", "policy_of", "regimes"]

_TESTS = Path(__file__).parents[1]
_TABLE = tomllib.loads((_TESTS / "policy/regime_table.toml").read_text("utf-8"))
CATEGORIES = {
    "F": "functional",
    "A": "audience",
    "S": "statistics",
    "P": "appearance",
    "D": "ads",
    "E": "social",
}
ELSEWHERE = "DE"
_FAMILIES = ("eea", "gb", "ch", "us", "ca", "br")


@dataclass(frozen=True)
class Cell:
    """One cell: a visitor at a place, with or without the signal and an earlier answer, and what is on."""

    place: str
    gpc: bool
    answer: str
    answered_at: str
    expected: frozenset[str]


def regimes() -> list[dict[str, Any]]:
    """Return the blocks of the table: one for each regime, and for what an owner can choose about it."""
    return list(_TABLE["blocks"])


def cells(block: dict[str, Any]) -> Iterator[Cell]:
    """Yield the cells of a block."""
    for key, gpc in (("gpc_off", False), ("gpc_on", True)):
        for column, letters in zip(_TABLE["columns"], block[key], strict=True):
            answer, _, given = column.partition(" ")
            place = block["place"]
            on = frozenset(CATEGORIES[letter] for letter in letters)
            yield Cell(place, gpc, answer, place if given == "here" else ELSEWHERE, on)


def policy_of(block: dict[str, Any]) -> Policy:
    """Return the policy of a block."""
    data = tomllib.loads((_TESTS / "consent.example.toml").read_text("utf-8"))
    evidence = {"url": "https://evidence.example/", "date": date(2026, 10, 1)}
    data["categories"] = [
        _category("functional", required=True),
        _category("audience", exempt=True, retention="P25M", exemption_evidence=evidence),
        _category("statistics", statistics=True),
        _category("appearance", appearance=True),
        _category("ads", sale_or_share=True),
        _category("social", sale_or_share=False),
    ]
    data["vendors"] = [
        _vendor("counter", "audience", role="processor", retention="P25M"),
        _vendor("statistician", "statistics", role="processor", retention="P25M"),
        _vendor("broker", "ads", profiling=True),
        _vendor("network", "social", profiling=True),
    ]
    data["trackers"] = []
    if block["regime"] != "none":
        data["regimes"] = dict.fromkeys(block.get("families", _FAMILIES), True)
        if "mode" in block:
            data["regimes"][{"C": "ch", "U": "us"}[block["place"][0]]] = block["mode"]
    return Policy.from_data(data)


def _category(category_id: str, **more: Any) -> dict[str, Any]:
    text = {"en": category_id, "nl": category_id}
    return {"id": category_id, "title": text, "description": text, **more}


def _vendor(vendor_id: str, category: str, **more: Any) -> dict[str, Any]:
    row = {"id": vendor_id, "name": vendor_id, "category": category, "country": "NL", "profiling": False}
    return {**row, "policy_url": "https://vendor.example/", **more}
