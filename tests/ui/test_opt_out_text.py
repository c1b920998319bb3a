import pytest

from consentkit.ui.confirmation import Confirmation
from tests.support.by_place import Seen, at
from tests.support.told import fields, tree, words

ALL = {"analytical", "tracking", "social"}
OPTED_OUT = "You opted out of the sale and sharing of your personal information."
LIMITED = "You limited the use of your sensitive personal information."
SIGNAL = "Your browser sends an opt-out preference signal (Global Privacy Control)."
EUROPEAN = (
    "With your permission",
    "Reject",
    "withdraw your consent",
    "Withdraw consent",
    "needs your consent",
)


def settings(seen: Seen) -> str:
    return words(seen.pages.preferences(seen.view))


def buttons(html: str) -> list[str]:
    return ["".join(button.itertext()) for button in tree(html).iter("button")]


# SG-03
@pytest.mark.parametrize("regime", ["us-ca", "us-signal", "us-opt-out"])
def test_one_form_opts_out_of_sale_and_of_nothing_else(regime: str) -> None:
    html = at(regime).pages.preferences(at(regime).view)
    form = next(
        form for form in tree(html).iter("form") if "Opt out of sale and sharing" in "".join(form.itertext())
    )
    assert fields(form)["choice"] == ["change"]
    answers = {name: value for name, value in fields(form).items() if "." in name}
    assert answers == {"category.tracking": ["off"], "vendor.adhub": ["off"]}
    assert "Tracking AdHub Exchange" in words(html)
    assert "Limit the use of my sensitive personal information" in buttons(html)


@pytest.mark.parametrize(
    "granted", [None, set(), {"analytical"}, ALL], ids=["unanswered", "nothing", "analytical", "everything"]
)
@pytest.mark.parametrize("regime", ["us-ca", "us-opt-out", "ch"])
def test_no_page_speaks_of_consent_where_none_is_asked_for(regime: str, granted: set[str] | None) -> None:
    for gpc in (False, True):
        seen = at(regime, granted, gpc=gpc)
        shown = settings(seen) + words(seen.pages.settings(seen.view)) + words(seen.pages.policy(seen.view))
        assert [phrase for phrase in EUROPEAN if phrase in shown] == []
        assert seen.pages.banner(seen.view) == ""


def test_the_state_says_what_is_on_since_when_and_until_when() -> None:
    assert "You haven’t chosen yet. All purposes are on until you choose otherwise." in settings(at("us-ca"))
    some = settings(at("us-ca", {"analytical"}))
    assert (
        f"{OPTED_OUT} {LIMITED} On: Analytical. Off: Tracking and Social. You last changed your choice on "
        "22 November 2026. We’ll remember your choice until 22 November 2027."
    ) in some
    everything = settings(at("us-ca", ALL))
    assert "On: Analytical, Tracking and Social. You last" in everything and OPTED_OUT not in everything
    assert OPTED_OUT not in settings(at("us-ca", set(), vendors={"adhub": True}))
    assert "Your choice of 22 November 2026 has expired. All purposes are on" in settings(
        at("us-ca", set(), days=400)
    )


# SG-04, SG-07
def test_the_signal_is_told_where_it_turns_something_off() -> None:  # SG-04
    for regime, granted, honored in (
        ("us-ca", None, True),
        ("us-ca", ALL, True),
        ("us-opt-out", None, True),
        ("us-opt-out", ALL, False),
        ("gb", None, False),
        ("ch", None, False),
    ):
        seen = at(regime, granted, gpc=True)
        page, footer = settings(seen), words(seen.pages.settings(seen.view))
        assert ("Opt-out preference signal honored" in page, SIGNAL in page) == (honored, honored)
        assert ("Opt-out preference signal honored" in footer) is honored
        assert ("Opt-out preference signal honored" in words(seen.pages.policy(seen.view))) is honored
        assert "Opt-out preference signal honored" not in settings(at(regime, granted))
    assert "Unless you choose otherwise, we treat it as a no to “Tracking”." in settings(at("ch", gpc=True))


def test_an_earlier_yes_against_the_signal_is_told_and_kept() -> None:
    seen = at("us-ca", ALL, gpc=True)
    html = seen.pages.preferences(seen.view)
    (purpose,) = [each for each in tree(html).iter("fieldset") if each.get("id") == "category-tracking"]
    text = " ".join("".join(purpose.itertext()).split())
    assert "You allowed this on 22 November 2026. Your browser’s signal says otherwise" in text
    assert "turn the signal off for this site in your browser. Opted out" in text
    assert [control.get("type") for control in purpose.iter("input")] == ["hidden"]
    assert fields(purpose) == {"category.tracking": ["on"]}
    partly = at("us-ca", ALL, vendors={"adhub": False}, gpc=True)
    (purpose,) = [
        each
        for each in tree(partly.pages.preferences(partly.view)).iter("fieldset")
        if each.get("id") == "category-tracking"
    ]
    assert fields(purpose) == {"category.tracking": ["on"], "vendor.adhub": ["off"]}
    undecided = at("us-ca", gpc=True)
    assert 'name="category.tracking" value="off"' in undecided.pages.preferences(undecided.view)


def test_the_settings_link_has_the_prescribed_words_and_icon() -> None:  # SG-06
    seen = at("us-ca")
    link = next(tree(seen.pages.settings(seen.view)).iter("a"))
    assert "".join(link.itertext()).strip() == "Your Privacy Choices"
    (icon,) = link.iter("{http://www.w3.org/2000/svg}svg")
    assert (icon.get("width"), icon.get("height"), icon.get("aria-hidden")) == ("30", "14", "true")
    assert "svg" not in at("gb").pages.settings(at("gb").view)


def test_consent_first_in_the_united_states_keeps_its_words_and_the_opt_out() -> None:
    asked, given = at("us-ca", us="opt_in"), at("us-ca", ALL, us="opt_in")
    banner = words(asked.pages.banner(asked.view))
    assert "With your permission" in banner and "under “Your Privacy Choices”" in banner
    assert "Opt out of sale and sharing" in buttons(given.pages.preferences(given.view))
    assert "Opt out of sale and sharing" not in buttons(asked.pages.preferences(asked.view))


# LB-05
def test_the_banner_of_great_britain_names_what_is_on_with_one_click_to_object() -> None:
    seen = at("gb")
    html = seen.pages.banner(seen.view)
    assert "Without asking, as UK law allows: “Analytical” and “Social”. You can object." in words(html)
    (form,) = [form for form in tree(html).iter("form") if "Object" in "".join(form.itertext())]
    answers = {name for name in fields(form) if "." in name}
    assert answers == {
        *("category.analytical", "category.social"),
        *("vendor.google-analytics", "vendor.youtube"),
    }
    assert fields(form)["choice"] == ["change"]
    assert "Without asking" not in words(at("strictest").pages.banner(at("strictest").view))


def test_an_objection_alone_rejects_nothing_else() -> None:
    seen = at("gb", {"social"}, kind="partial")
    assert "You objected to “Analytical”. For now, nothing that needs your consent" in settings(seen)
    assert "Without asking, as UK law allows: “Social”. You can object." in words(
        seen.pages.banner(seen.view)
    )
    none = at("gb", {"social", "analytical"}, kind="partial")
    assert "You haven’t chosen yet. For now, nothing" in settings(none)
    assert "Object" not in buttons(
        at("gb", set(), kind="partial").pages.banner(at("gb", set(), kind="partial").view)
    )


def test_what_a_place_calls_a_choice_is_confirmed() -> None:
    for regime, before, after, kind, event, sentence in (
        ("us-ca", None, {"analytical", "social"}, "decided", "opted_out", OPTED_OUT),
        ("us-ca", None, {"analytical", "tracking"}, "decided", "opted_out", LIMITED),
        ("us-ca", set(), ALL, "decided", "saved", "On: Analytical, Tracking and Social."),
        ("ch", None, set(), "decided", "saved", "Off: Analytical, Tracking and Social."),
        ("gb", None, set(), "partial", "objected", "You objected to “Analytical” and “Social”."),
        ("gb", {"tracking", "social", "analytical"}, {"tracking"}, "decided", "objected", "You objected to"),
        ("gb", None, set(), "decided", "rejected", "You rejected everything"),
        ("gb", set(), {"analytical"}, "partial", "saved", "Your choices are saved."),
        ("gb", None, ALL, "decided", "accepted", "You accepted everything"),
    ):
        first, then = at(regime, before), at(regime, after, kind=kind)
        policy = then.pages._policy
        made = Confirmation.of_choice("answer", first.consent, then.consent, policy, recorded=True)
        assert (made.event, sentence in words(then.pages.confirmation(then.view, made))) == (event, True), (
            regime
        )
        assert (
            Confirmation.of_code(made.code, vendors=["adhub", "youtube", "google-analytics"], sites=[])
            == made
        )


def test_a_choice_that_came_along_is_told_without_consent() -> None:
    seen = at("us-ca", set())
    text = words(seen.pages.confirmation(seen.view, Confirmation(event="brought", about="trailhead")))
    assert text.startswith("We’ve applied the choice you made on Trailhead here. Off: Analytical, Tracking")


def test_a_page_that_is_turned_off_says_so() -> None:
    seen = at("us-ca", set())
    assert (
        words(seen.pages.needs_consent(seen.view, "tracking"))
        .split("Stride ")[1]
        .startswith("This part is turned off")
    )
