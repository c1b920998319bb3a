from consentkit.ui.i18n import Translator
from consentkit.ui.place_rules import PlaceRules, is_on
from tests.support.by_place import at, policy_at
from tests.support.placed_site import placed_policy
from tests.support.told import POLICY, tree, words

ENGLISH = Translator("en")


def test_a_policy_without_regimes_has_no_places_and_the_words_of_today() -> None:
    rules = PlaceRules.of(POLICY, ENGLISH)
    assert (rules.opts_out, rules.settings, rules.places) == (False, "Cookie settings", ())
    assert not rules.selling | rules.sensitive | rules.signalled | rules.deniable and not rules.unasked


def test_the_places_of_a_policy_are_offered_once_each_by_name() -> None:
    offered = dict(PlaceRules.of(placed_policy(), ENGLISH).places)
    assert offered.keys() >= {"NL", "FR", "GB", "CH", "US-CA", "CA-QC", "BR"}
    assert next(iter(offered.values())) == "Netherlands"
    assert len(set(offered.values())) == len(offered)
    assert offered["US-CA"] == "United States: California"
    assert "United States: other states" in offered.values()
    assert PlaceRules.of(policy_at("us-opt-out"), ENGLISH).place == "United States: other states"


def test_the_only_regime_of_the_eea_stands_for_all_of_it() -> None:
    policy = placed_policy(regimes={"gb": True})
    rules = PlaceRules.of(policy, ENGLISH)
    assert rules.places == (("NL", "European Economic Area"), ("GB", "United Kingdom"))
    assert (rules.place, rules.quoted_place) == ("European Economic Area", "“European Economic Area”")


def test_a_regime_of_several_places_without_a_name_of_ours_has_that_of_its_data() -> None:
    data = policy_at("gb").regime_data
    regimes = tuple(
        row.model_copy(
            update={"id": "isles", "name": "The isles", "laws": (*row.laws, data.regimes[0].laws[0])}
        )
        if row.id == "gb"
        else row
        for row in data.regimes
    )
    policy = placed_policy(regimes={"gb": True}).model_copy()
    policy._lists = type(policy._lists)(regimes=data.model_copy(update={"regimes": regimes}))
    assert ("GB", "The isles") in PlaceRules.of(policy, ENGLISH).places


def test_the_strictest_rules_have_no_place_and_honor_the_signal_for_what_sells() -> None:
    rules = PlaceRules.of(policy_at("strictest"), ENGLISH)
    assert (rules.place, rules.quoted_place, rules.opts_out) == ("", "", False)
    assert rules.deniable == rules.signalled == {"tracking"}
    seen = at("strictest", gpc=True)
    text = words(seen.pages.preferences(seen.view))
    assert "You see the strictest of the rules that this site follows." in text
    assert text.count("Your browser sends an opt-out preference signal") == 1
    assert "Unless you choose otherwise" not in text
    assert "Your browser sends an opt-out preference signal" in words(seen.pages.banner(seen.view))


def test_a_category_is_on_with_any_of_its_vendors() -> None:
    assert is_on(at("us-ca", set(), vendors={"adhub": True}).consent, "tracking")
    assert not is_on(at("us-ca", set()).consent, "tracking")


def test_forms_and_links_of_documents_keep_the_place_that_was_asked_for() -> None:
    seen = at("gb", {"tracking"}, place="GB")
    for page in (seen.pages.preferences(seen.view), seen.pages.policy(seen.view)):
        posted = [form.get("action") for form in tree(page).iter("form") if form.get("method") == "post"]
        assert posted and all(action.endswith("?place=GB") for action in posted)
        inner = [
            link.get("href") for link in tree(page).iter("a") if link.get("href", "").startswith("/consent")
        ]
        ours = [link for link in inner if "notices" not in link and "json" not in link]
        assert ours and all("&place=GB" in link for link in ours)
        (asking,) = [form for form in tree(page).iter("form") if form.get("method") == "get"]
        assert asking.get("action") in ("/consent", "/consent/policy")
        (chosen,) = [option for option in asking.iter("option") if option.get("selected") is not None]
        assert (chosen.get("value"), chosen.text) == ("GB", "United Kingdom")
