import pytest

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from consentkit.ui.banner_text import combined_data_sentence, error_text, first_layer, visitor_status
from consentkit.ui.i18n import Translator
from consentkit.ui.rendering import Rendering, Renderings
from tests.support.told import OPTIONAL, consent, decision, policy_of, rows

NEEDING = ("analytical", "tracking", "social")


def english(policy: Policy) -> Rendering:
    return Renderings(policy, Notice.of(policy))["en"]


def banner(policy: Policy, *asking: str, gpc: bool = False, ends: str | None = None) -> str:
    asked = asking or NEEDING
    first = first_layer(english(policy), asked, changes=(), gpc=gpc, ends=ends)
    return " ".join((first.asks, *first.sentences))


def status(policy: Policy, seen: Consent) -> str:
    return " ".join(visitor_status(seen, english(policy)))


def test_the_first_layer_names_controller_purposes_validity_and_withdrawal() -> (
    None
):  # UI-05, IN-03, IN-04, XS-01
    assert banner(policy_of()) == (
        "Hardlopen Media BV and 3 third parties (3 outside the European Economic Area) want to store and read data on "
        "this device: 3 third parties may build a profile of you. Your choice counts for our 2 sites. "
        "Data from all of them is combined for: Analytical and Tracking. Your choice is valid for 6 months. "
        "You can withdraw it at any time under “Cookie settings”."
    )


@pytest.mark.parametrize(
    ("vendors", "begins"),
    [
        ([], "Hardlopen Media BV wants to store"),
        ([{"country": "NL", "safeguard": None}], "Hardlopen Media BV and 1 third party want to"),
        ([{"country": "NL"}, {"country": "FR"}], "Hardlopen Media BV and 2 third parties want to"),
        ([{}], "Hardlopen Media BV and 1 third party (1 outside the European Economic Area) want to"),
        (
            [{}, {"country": "FR"}],
            "Hardlopen Media BV and 2 third parties (1 outside the European Economic Area)",
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
    assert "combined" not in text


def test_combination_is_mentioned_only_for_purposes_that_combine() -> None:  # XS-01
    assert "combined" not in banner(policy_of(), "social", ends="22 May 2027")


def test_gpc_is_mentioned_with_the_purposes_that_it_refuses() -> None:  # SG-05
    assert "Your browser sends Global Privacy Control" not in banner(policy_of())
    assert "until you answer, we take that as a refusal of: Tracking." in banner(
        policy_of(), "tracking", gpc=True
    )
    deaf = policy_of(categories=rows("categories", social={"honours_gpc": False}))
    assert "Control" not in banner(deaf, "social", gpc=True)


def test_an_answer_to_some_purposes_ends_with_the_earlier_answer() -> None:  # VA-04
    text = banner(policy_of(), "tracking", ends="22 May 2027")
    assert "Your other answers stay; all of them end on 22 May 2027." in text
    assert "is valid for" not in text


@pytest.mark.parametrize(
    ("sites", "combines", "said"),
    [
        (2, True, "Data from all our sites is combined for: Analytical and Tracking."),
        (2, False, "Data from our sites is not combined."),
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
    nothing = "Nothing that needs your consent is stored or read until you accept it."
    assert status(policy, consent(policy)) == f"You have not answered yet. {nothing}"
    assert "a refusal of: Analytical, Tracking and Social." in status(policy, consent(policy, gpc=True))


@pytest.mark.parametrize(
    ("granted", "vendors", "kind", "days", "said"),
    [
        (
            OPTIONAL,
            {},
            "decided",
            1,
            "You accepted on 22 November 2026: Analytical, Tracking and Social. This answer",
        ),
        ({"social"}, {}, "decided", 1, "2026: Social. Not accepted: Analytical and Tracking. This"),
        (
            OPTIONAL,
            {"youtube": False},
            "decided",
            1,
            "Tracking and Social. Not accepted: YouTube. This answer",
        ),
        (
            set(),
            {"youtube": True},
            "decided",
            1,
            "2026: YouTube. Not accepted: Analytical, Tracking and Social. This",
        ),
        (set(), {"youtube": True}, "partial", 1, "2026: YouTube. This answer is valid until 22 May 2027."),
        (
            set(),
            {},
            "decided",
            1,
            "You rejected everything that needs your consent, on 22 November 2026. This answer is",
        ),
        (
            set(),
            {},
            "withdrawn",
            1,
            "You withdrew your consent on 22 November 2026. This answer is valid until 22 May",
        ),
        (OPTIONAL, {}, "decided", 200, "Your answer of 22 November 2026 has ended. Nothing that needs"),
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
        "Since your answer of 22 November 2026, what we ask for has changed."
    )


def test_status_of_an_answer_that_cannot_be_verified() -> None:
    policy = policy_of()
    seen = Evaluator(policy, "stride").unverifiable(decision(policy))
    assert status(policy, seen).startswith(
        "Your answer of 22 November 2026 cannot be checked at the moment. Nothing"
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
    assert "valid until" not in status(policy, endless)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 415, 503])
def test_every_error_status_has_a_title_and_a_sentence(status: int) -> None:
    title, detail = error_text(status, Translator("en"))
    assert not title.endswith(".")
    assert detail.endswith(".")


def test_an_unknown_error_status_reads_as_a_malformed_form() -> None:
    assert error_text(499, Translator("en")) == error_text(400, Translator("en"))
