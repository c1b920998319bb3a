import pytest

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from consentkit.ui.banner_text import (
    arrival_sentences,
    combined_data_sentence,
    first_layer,
    travel_sentence,
    visitor_status,
)
from consentkit.ui.rendering import Rendering, Renderings
from tests.support.told import OPTIONAL, consent, decision, policy_of, rows

NEEDING = ("analytical", "tracking", "social")


def english(policy: Policy) -> Rendering:
    return Renderings(policy, Notice.of(policy))["en"]


def banner(
    policy: Policy, *asking: str, gpc: bool = False, ends: str | None = None, travels: bool = False
) -> str:
    asked = asking or NEEDING
    first = first_layer(english(policy), asked, changes=(), gpc=gpc, ends=ends, travels=travels)
    return " ".join((first.asks, *first.sentences))


def status(policy: Policy, seen: Consent) -> str:
    return " ".join(visitor_status(seen, english(policy)))


def test_the_first_layer_names_controller_purposes_validity_and_withdrawal() -> (
    None
):  # UI-05, IN-03, IN-04, XS-01
    assert banner(policy_of(), travels=True) == (
        "With your permission, Hardlopen Media BV and 3 third parties (3 outside the European Economic Area) store and "
        "read information on your device: 3 third parties may build a profile of you. "
        "For “Analytical” and “Tracking” we combine your data from our 2 sites. "
        "Links between our sites pass on your choice. Your choice lasts 6 months. "
        "You can withdraw your consent at any time under “Cookie settings”."
    )


@pytest.mark.parametrize(
    ("vendors", "begins"),
    [
        ([], "With your permission, Hardlopen Media BV stores and"),
        (
            [{"country": "NL", "safeguard": None}],
            "With your permission, Hardlopen Media BV and 1 third party store",
        ),
        (
            [{"country": "NL"}, {"country": "FR"}],
            "With your permission, Hardlopen Media BV and 2 third parties store",
        ),
        (
            [{}],
            "With your permission, Hardlopen Media BV and 1 third party (1 outside the European Economic Area) store",
        ),
        (
            [{}, {"country": "FR"}],
            "With your permission, Hardlopen Media BV and 2 third parties (1 outside the European Economic Area)",
        ),
    ],
)
def test_third_parties_are_counted_with_those_outside_the_eea(
    vendors: list[dict[str, object]], begins: str
) -> None:
    example = rows("vendors")[1]
    made = [example | {"id": f"v{number}"} | change for number, change in enumerate(vendors)]
    assert banner(policy_of(vendors=made, trackers=[])).startswith(begins)  # TR-01


@pytest.mark.parametrize(
    ("profiling", "said"), [(0, None), (1, "1 third party may"), (3, "3 third parties may")]
)
def test_profiling_is_mentioned_only_if_a_vendor_profiles(profiling: int, said: str | None) -> None:  # IN-04
    made = [vendor | {"profiling": number < profiling} for number, vendor in enumerate(rows("vendors"))]
    text = banner(policy_of(vendors=made))
    assert ("build a profile" in text) is (said is not None)
    assert said is None or said in text


def test_a_single_site_mentions_neither_sites_nor_combination() -> None:  # XS-01
    text = banner(policy_of(sites=rows("sites")[:1]))
    assert "sites" not in text
    assert "combine" not in text
    assert travel_sentence(english(policy_of(sites=rows("sites")[:1])), travels=True) == ""


@pytest.mark.parametrize(
    ("travels", "on_the_banner", "elsewhere"),
    [
        (
            True,
            "Links between our sites pass on your choice.",
            "Your choice goes with you when you follow links between our sites.",
        ),
        (
            False,
            "You choose on each of our sites separately.",
            "You choose on each of our sites separately.",
        ),
    ],
)
def test_the_visitor_reads_how_a_choice_reaches_the_other_sites(
    travels: bool, on_the_banner: str, elsewhere: str
) -> None:  # XS-01
    assert on_the_banner in banner(policy_of(), travels=travels)
    assert travel_sentence(english(policy_of()), travels=travels) == elsewhere


@pytest.mark.parametrize(
    ("validity", "said"),
    [
        ("P6M", "Your choice lasts 6 months."),
        ("P1M", "Your choice lasts 1 month."),
        ("P90D", "Your choice lasts 90 days."),
        ("P1M10D", "How long your choice lasts: 1 month, 10 days."),
    ],
)
def test_the_validity_is_part_of_its_sentence(validity: str, said: str) -> None:
    assert said in banner(policy_of(validity=validity))


def test_combination_is_mentioned_only_for_purposes_that_combine() -> None:  # XS-01
    assert "combine" not in banner(policy_of(), "social", ends="22 May 2027")


def test_gpc_is_mentioned_with_the_purposes_that_it_refuses() -> None:  # SG-05
    assert "Your browser sends" not in banner(policy_of())
    assert (
        "Your browser sends a Global Privacy Control signal. Unless you choose otherwise, we treat it as a no to "
        "“Tracking”." in banner(policy_of(), "tracking", gpc=True)
    )
    deaf = policy_of(categories=rows("categories", social={"honours_gpc": False}))
    assert "Control" not in banner(deaf, "social", gpc=True)


def test_an_answer_to_some_purposes_ends_with_the_earlier_answer() -> None:  # VA-04
    text = banner(policy_of(), "tracking", ends="22 May 2027")
    assert "Your other choices stay as they are until 22 May 2027." in text
    assert "lasts" not in text


@pytest.mark.parametrize(
    ("sites", "combines", "said"),
    [
        (2, True, "For “Analytical” and “Tracking” we combine your data from our 2 sites."),
        (2, False, "We don’t combine data from our sites."),
        (1, False, ""),
    ],
)
def test_the_site_list_says_which_data_is_combined_or_that_none_is(
    sites: int, combines: bool, said: str
) -> None:  # XS-01
    combining = {name: {"combines_across_sites": combines} for name in ("analytical", "tracking")}
    policy = policy_of(sites=rows("sites")[:sites], categories=rows("categories", **combining))
    assert combined_data_sentence(english(policy)) == said


def test_status_of_a_visitor_who_has_not_answered() -> None:
    policy = policy_of()
    nothing = "For now, nothing that needs your consent is stored on your device or read from it."
    assert status(policy, consent(policy)) == f"You haven’t chosen yet. {nothing}"
    assert "a no to “Analytical”, “Tracking” and “Social”." in status(policy, consent(policy, gpc=True))


@pytest.mark.parametrize(
    ("granted", "vendors", "kind", "days", "said"),
    [
        (
            OPTIONAL,
            {},
            "decided",
            1,
            "You made your choice on 22 November 2026. Accepted: Analytical, Tracking and Social. We’ll ask",
        ),
        ({"social"}, {}, "decided", 1, "2026. Accepted: Social. Rejected: Analytical and Tracking. We’ll"),
        (OPTIONAL, {"youtube": False}, "decided", 1, "Tracking and Social. Rejected: YouTube. We’ll"),
        (
            set(),
            {"youtube": True},
            "decided",
            1,
            "2026. Accepted: YouTube. Rejected: Analytical, Tracking and Social. We’ll",
        ),
        (
            set(),
            {"youtube": True},
            "partial",
            1,
            "2026. Accepted: YouTube. We’ll ask again after 22 May 2027.",
        ),
        (
            set(),
            {},
            "decided",
            1,
            "You rejected everything that needs your consent on 22 November 2026. We’ll ask again after 22 May 2027.",
        ),
        (
            set(),
            {},
            "withdrawn",
            1,
            "You withdrew your consent on 22 November 2026. We’ll ask again after 22 May 2027.",
        ),
        (OPTIONAL, {}, "decided", 200, "Your choice of 22 November 2026 has expired. For now, nothing"),
    ],
)
def test_status_of_a_visitor_who_has_answered(
    granted: set[str], vendors: dict[str, bool], kind: str, days: int, said: str
) -> None:
    policy = policy_of()
    made = decision(policy, frozenset(granted), vendors, kind=kind)
    assert said in status(policy, consent(policy, made, days=days))


def test_status_after_an_incompatible_change() -> None:  # VA-05
    old = policy_of(
        controller=policy_of().controller.model_dump(mode="json", exclude_none=True) | {"name": "Old BV"}
    )
    seen = consent(policy_of(), decision(old), earlier=(old,))
    assert status(policy_of(), seen).startswith(
        "What we ask for has changed since your choice of 22 November 2026."
    )


def test_status_of_an_answer_that_cannot_be_verified() -> None:
    policy = policy_of()
    seen = Evaluator(policy, "stride").unverifiable(decision(policy))
    assert status(policy, seen).startswith(
        "Your choice of 22 November 2026 can’t be checked at the moment. For now, nothing"
    )


def test_an_answer_without_an_expiry_date_has_no_end() -> None:
    policy = policy_of()
    made = decision(policy)
    endless = Consent(
        status=consent(policy, made).status,
        granted=OPTIONAL,
        categories=consent(policy, made).categories,
        vendors=consent(policy, made).vendors,
        vendor_category={},
        asking=(),
        gpc=False,
        decision=made,
    )
    assert "ask again" not in status(policy, endless)


@pytest.mark.parametrize(
    ("granted", "vendors", "kind", "said"),
    [
        (OPTIONAL, {}, "decided", "You accepted everything on Trailhead; we’ve applied that here."),
        (
            OPTIONAL,
            {"youtube": False},
            "decided",
            "We’ve applied the choice you made on Trailhead here. Accepted: Analytical, Tracking and Social. "
            "Rejected: YouTube.",
        ),
        (
            {"social"},
            {},
            "decided",
            "We’ve applied the choice you made on Trailhead here. Accepted: Social. Rejected: Analytical and Tracking.",
        ),
        (set(), {}, "decided", "You rejected everything on Trailhead; we’ve applied that here."),
        (set(), {}, "withdrawn", "You withdrew your consent on Trailhead; we’ve applied that here."),
    ],
)
def test_the_arrival_line_says_which_choice_came_along(
    granted: set[str], vendors: dict[str, bool], kind: str, said: str
) -> None:  # XS-08
    policy = policy_of()
    made = decision(policy, frozenset(granted), vendors, kind=kind)
    assert " ".join(arrival_sentences(consent(policy, made), "Trailhead", english(policy))) == said


def test_the_first_layer_names_what_is_always_on_unless_only_news_is_asked() -> None:  # UI-04
    policy = policy_of()
    for asked, named in ((["analytical", "tracking", "social"], ["functional"]), (["social"], [])):
        first = first_layer(english(policy), asked, changes=(), gpc=False, ends=None)
        assert [row["id"] for row in first.always] == named
        assert [row["id"] for row in first.categories] == asked
