import pytest

from consentkit.enforcement.declared_names import NameIndex, beginnings_of, matches
from consentkit.policy import Tracker


def tracker(name: str, category: str = "analytical") -> Tracker:
    return Tracker.model_validate(
        {
            "name": name,
            "kind": "cookie",
            "category": category,
            "lifetime": "P1M",
            "purpose": {"en": "Is tested."},
        }
    )


TRACKERS = [
    tracker("_ga*"),
    tracker("_gat*"),
    tracker("_gat*", "social"),
    tracker("_gat_own"),
    tracker("Seen"),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("_ga", [0]),
        ("_gab", [0]),
        ("_gat_x", [1, 2]),
        ("_gat_own", [3]),
        ("_gat_own2", [1, 2]),
        ("Seen", [4]),
        ("seen", []),
        ("Seen2", []),
        ("", []),
    ],
)
def test_the_exact_name_comes_first_and_then_the_longest_pattern(name: str, found: list[int]) -> None:
    assert NameIndex(TRACKERS).most_specific(name) == tuple(TRACKERS[place] for place in found)


def test_names_are_found_as_they_were_folded() -> None:
    assert NameIndex(TRACKERS, fold=str.lower).most_specific("seen") == (TRACKERS[4],)


def test_beginnings_are_unique_and_in_lower_case() -> None:
    assert beginnings_of(TRACKERS) == ("_ga", "_gat", "_gat_own", "seen")


@pytest.mark.parametrize(
    ("name", "declared"), [("_GAT_x", "_gat*"), ("SEEN", "Seen"), ("seen2", None), ("g", None)]
)
def test_a_tracker_matches_names_in_any_letter_case(name: str, declared: str | None) -> None:
    assert any(matches(each, name) for each in TRACKERS if each.name == declared) == (declared is not None)
    assert declared is not None or not any(matches(each, name) for each in TRACKERS)
