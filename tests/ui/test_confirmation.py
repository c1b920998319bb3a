import pytest

from consentkit.consent.model import Consent
from consentkit.ui.confirmation import Confirmation
from tests.support.told import POLICY, decided, pages, undecided, view, words

VENDORS = frozenset(vendor.id for vendor in POLICY.vendors)
SITES = ("trailhead", "shoelab")
PAGES = pages(POLICY)


def text(code: str, seen: Consent, language: str = "en") -> str:
    """Return the words of the line for a code; empty where the code is none."""
    confirmation = Confirmation.of_code(code, vendors=VENDORS, sites=SITES)
    if confirmation is None:
        return ""
    assert confirmation.code == code
    line = words(PAGES.confirmation(view(seen, language), confirmation))
    assert line.endswith(" Cookie settings Close")
    return line.removesuffix(" Cookie settings Close")


PARTLY = decided({"analytical"}, vendors={"youtube": True})
DELETED = "We’ve deleted what this site had stored in your browser for what you no longer allow."
LINES = [
    ("accepted", decided(), "You accepted everything that needs your consent."),
    ("rejected", decided(set()), "You rejected everything that needs your consent."),
    (
        "rejected.ended",
        decided(set()),
        f"You rejected everything that needs your consent. {DELETED}",
    ),
    (
        "withdrawn.ended.adhub.youtube",
        decided(set()),
        f"You withdrew your consent. {DELETED} Cookies that AdHub Exchange and YouTube stored under their own addresses stay "
        "until you delete them. How to delete them",
    ),
    (
        "saved",
        PARTLY,
        "Your choices are saved. Accepted: Analytical and YouTube. Rejected: Tracking and Social.",
    ),
    ("unchanged", undecided(), "There was nothing to withdraw."),
    ("always.youtube", PARTLY, "Content from YouTube now loads without asking."),
    ("absent.trailhead", undecided(), "We found no choice of yours on Trailhead to use here."),
    ("failed.trailhead", undecided(), "We couldn’t use your choice from Trailhead here."),
    ("brought.trailhead", decided(), "You accepted everything on Trailhead; we’ve applied that here."),
    ("brought.trailhead", decided(set()), "You rejected everything on Trailhead; we’ve applied that here."),
    (
        "brought.trailhead",
        decided(set(), kind="withdrawn"),
        "You withdrew your consent on Trailhead; we’ve applied that here.",
    ),
    (
        "brought.trailhead",
        decided({"social"}),
        "We’ve applied the choice you made on Trailhead here. Accepted: Social. Rejected: Analytical and Tracking.",
    ),
]


@pytest.mark.parametrize(
    ("code", "seen", "expected"), LINES, ids=[f"{n} {row[0]}" for n, row in enumerate(LINES)]
)
def test_the_line_says_what_happened_in_words(code: str, seen: Consent, expected: str) -> None:
    assert text(code, seen) == expected


@pytest.mark.parametrize(
    "code",
    [
        *("", "nonsense", "<script>", "accepted.", "accepted.youtube", "rejected.ended.nobody", "always"),
        *("always.nobody", "always.youtube.adhub", "brought", "brought.nowhere", "brought.stride"),
        *(
            "absent.trailhead.shoelab",
            "rejected.ended" + ".youtube" * 500,
            "ended.youtube",
            "brought.youtube",
        ),
    ],
)
def test_other_text_confirms_nothing(code: str) -> None:
    assert Confirmation.of_code(code, vendors=VENDORS, sites=SITES) is None


SOCIAL = decided({"social"})
NOTHING = decided(set())


@pytest.mark.parametrize(
    ("choice", "before", "after", "code"),
    [
        ("answer", undecided(), decided(), "accepted"),
        ("answer", undecided(), NOTHING, "rejected"),
        ("answer", undecided(), SOCIAL, "saved"),
        # Of these vendors, only AdHub stores something under an address of its own.
        ("answer", decided(), NOTHING, "rejected.ended.adhub"),
        ("answer", decided(), decided({"analytical", "tracking"}), "saved.ended"),
        ("withdraw", decided(), decided({"social"}), "saved.ended.adhub"),
        ("withdraw", SOCIAL, NOTHING, "withdrawn.ended"),
        ("withdraw", NOTHING, NOTHING, "unchanged"),
        ("withdraw", SOCIAL, SOCIAL, "unchanged"),
        ("always", undecided(), decided(set(), vendors={"youtube": True}), "always.youtube"),
        ("always", SOCIAL, SOCIAL, "saved"),
    ],
)
def test_a_choice_is_told_by_what_began_and_ended(
    choice: str, before: Consent, after: Consent, code: str
) -> None:
    recorded = code != "unchanged"
    assert Confirmation.of_choice(choice, before, after, POLICY, recorded=recorded).code == code
