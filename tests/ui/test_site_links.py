import pytest

from consentkit.consent.model import Consent
from consentkit.ui.carry_text import CarriedChoice
from consentkit.ui.site_links import SiteLinks, without_state
from tests.support.told import POLICY, decided, pages, policy_of, rows, undecided, view, words

KEYED = policy_of(sites=rows("sites", stride={"public_key": "A" * 43}))


def links(*, carries: bool = True) -> SiteLinks:
    return SiteLinks(
        KEYED,
        "stride",
        "/consent",
        {"trailhead": "http://trailhead.localhost:8001"},
        ["trailhead"],
        handoff_address=lambda address, **where: f"{address}#{where['site']}",
        carries=carries,
    )


ROWS = [{"id": "trailhead", "origin": "http://trailhead.localhost:8001"}]


@pytest.mark.parametrize(
    ("seen", "address"),
    [
        (undecided(KEYED), "http://trailhead.localhost:8001"),
        (decided(policy=KEYED), "http://trailhead.localhost:8001#stride"),
        (decided(set(), policy=KEYED), "http://trailhead.localhost:8001#stride"),
    ],
    ids=["undecided", "granted", "refused"],
)
def test_a_link_takes_a_choice_along_if_there_is_one(seen: Consent, address: str) -> None:  # XS-03
    assert links().addresses(ROWS, view(seen)) == {"trailhead": address}


def test_a_site_without_a_key_has_plain_links() -> None:
    made = SiteLinks(
        POLICY, "stride", "/consent", {}, ["trailhead"], handoff_address=lambda *_, **__: "", carries=True
    )
    assert made.addresses(ROWS, view(decided())) == {"trailhead": ROWS[0]["origin"]}


def test_the_button_is_for_visitors_with_a_choice_where_a_choice_can_be_carried() -> None:
    rendering = pages(KEYED)._renderings["en"]
    assert links().button(rendering, view(undecided(KEYED))) is None
    assert links(carries=False).button(rendering, view(decided(policy=KEYED))) is None
    button = links().button(rendering, view(decided(policy=KEYED)))
    assert button is not None and button["next"] is None and "Trailhead" in button["visits"]


@pytest.mark.parametrize("partners", [["trailhead"], []], ids=["links", "no links"])
def test_settings_and_site_list_say_how_a_choice_reaches_the_other_sites(
    partners: list[str],
) -> None:  # XS-03
    made, seen = pages(KEYED, handoff=partners), view(undecided(KEYED))
    along = "Your choice goes with you when you follow links between our sites."
    for text in (words(made.preferences(seen)), words(made.sites(seen))):
        assert (along in text) == bool(partners)
        assert ("You choose on each of our sites separately." in text) == (not partners)
    said = "That holds whether you accepted, rejected or withdrew."
    assert (said in words(made.sites(seen))) == bool(partners)
    assert ("Links between our sites pass on your choice." in words(made.banner(seen))) == bool(partners)


def test_what_became_of_a_click_is_no_part_of_the_stored_words() -> None:  # IN-06
    state = CarriedChoice(results={"trailhead": "taken"}, to_come=(), go_on="", is_under_way=False)
    button = links().button(pages(KEYED)._renderings["en"], view(decided(policy=KEYED), carried=state))
    assert button is not None and button["sentences"]
    bare = without_state(button)
    assert bare is not None and bare["sentences"] == [] and bare["visits"] == button["visits"]
    assert without_state(None) is None
