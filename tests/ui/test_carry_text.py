import pytest

from consentkit.consent.model import Consent
from consentkit.ui.carry_text import CarriedChoice
from consentkit.ui.pages import Pages
from tests.support.told import OPTIONAL, fields, pages, policy_of, rows, tree, view, words
from tests.support.told import decided as decided_under
from tests.support.told import undecided as undecided_under

BUTTON = "Use this choice on all our sites"
GO_ON = "/consent/handoff/next?c=secret"
THIRD = {"id": "shoelab", "name": "Shoelab", "origin": "https://shoelab.example"}
POLICY = policy_of(sites=[*rows("sites"), THIRD])
PAGES = pages(POLICY, carries=True)


def decided(granted: frozenset[str] | set[str] = OPTIONAL) -> Consent:
    return decided_under(granted, POLICY)


def undecided() -> Consent:
    return undecided_under(POLICY)


def state(to_come: tuple[str, ...] = (), *, under_way: bool = False, **results: str) -> CarriedChoice:
    return CarriedChoice(results=results, to_come=to_come, is_under_way=under_way, go_on=GO_ON)


def status(carried: CarriedChoice | None, language: str = "en", made: Pages = PAGES) -> str:
    html = made.preferences(view(decided(), language, carried=carried))
    (line,) = [e for e in tree(html).iter("div") if e.get("class") == "consent-carry-state"]
    assert line.get("role") == "status"
    return " ".join("".join(line.itertext()).split())


@pytest.mark.parametrize(
    ("carried", "said"),
    [
        (None, ""),
        (state(trailhead="taken"), "Your choice now also counts on Trailhead."),
        (state(trailhead="taken", shoelab="taken"), "Your choice now also counts on Trailhead and Shoelab."),
        (
            state(shoelab="taken", trailhead="silent"),
            "Your choice now also counts on Shoelab. Trailhead did not answer.",
        ),
        (state(trailhead="silent", shoelab="silent"), "Trailhead and Shoelab did not answer."),
        (
            state(trailhead="kept", shoelab="refused"),
            "You made a newer choice on Trailhead, which stays as it is. "
            "Shoelab could not use your choice, so nothing changed there.",
        ),
        (
            state(("shoelab",), under_way=True, trailhead="taken"),
            "Your choice now also counts on Trailhead. Shoelab has not answered yet.",
        ),
        (state(("trailhead", "shoelab")), ""),
    ],
)
def test_the_status_line_says_which_sites_took_the_choice(carried: CarriedChoice | None, said: str) -> None:
    assert status(carried) == said


def test_in_dutch_the_verb_follows_the_number_of_sites() -> None:
    assert status(state(trailhead="silent"), "nl") == "Trailhead gaf geen antwoord."
    assert (
        status(state(trailhead="silent", shoelab="silent"), "nl")
        == "Trailhead en Shoelab gaven geen antwoord."
    )
    assert status(state(trailhead="taken"), "nl") == "Je keuze geldt nu ook op Trailhead."


@pytest.mark.parametrize("page", ["preferences", "sites"])
def test_the_button_posts_where_the_visitor_is_and_where_the_page_leads_back_to(page: str) -> None:
    html = getattr(PAGES, page)(view(decided()))
    (form,) = [form for form in tree(html).iter("form") if form.get("action") == "/consent/handoff/carry"]
    assert form.get("method") == "post"
    where = {"preferences": "", "sites": "/sites"}[page]
    assert fields(form) == {"next": ["/articles/stretching?page=2"], "page": [where]}
    assert "Your browser then visits Trailhead and Shoelab and comes back here." in words(html)


@pytest.mark.parametrize("page", ["preferences", "sites"])
@pytest.mark.parametrize(
    ("made", "consent"), [(PAGES, undecided()), (pages(POLICY), decided()), (pages(POLICY), undecided())]
)
def test_there_is_no_button_without_a_choice_or_where_no_hand_off_is_possible(
    page: str, made: Pages, consent: Consent
) -> None:
    html = getattr(made, page)(view(consent))
    assert BUTTON not in words(html) and "consent-carry" not in html


@pytest.mark.parametrize("granted", [OPTIONAL, set()])
def test_accepted_and_rejected_choices_have_the_same_button(granted: set[str]) -> None:
    assert BUTTON in words(PAGES.preferences(view(decided(granted))))


def test_a_chain_that_stopped_offers_both_ways_in_place_of_the_button() -> None:
    html = PAGES.sites(view(decided(), carried=state(("trailhead", "shoelab"), under_way=True)))
    links = {"".join(a.itertext()): a.get("href") for a in tree(html).iter("a")}
    assert links["Try Trailhead again"] == GO_ON
    assert links["Go on without Trailhead"] == f"{GO_ON}&skip=trailhead"
    assert BUTTON not in words(html)


def refreshes(html: str) -> list[str | None]:
    return [meta.get("content") for meta in tree(html).iter("meta") if meta.get("http-equiv") == "refresh"]


def test_the_page_first_asks_the_sites_with_the_script_and_goes_on_without_it() -> None:
    html = PAGES.carry(view(decided()), state(("trailhead", "shoelab")))
    (section,) = (box for box in tree(html).iter("div") if box.get("class") == "consent-carry")
    assert section.get("data-sites") == "trailhead=https://trailhead.example shoelab=https://shoelab.example"
    assert section.get("data-asking") == "Asking Trailhead and Shoelab …"
    assert section.get("data-next") == GO_ON
    assert f'<noscript><meta http-equiv="refresh" content="0; url={GO_ON}"></noscript>' in html
    assert PAGES.asset_url("carry.js") in html
    assert "Go on to Trailhead" in words(html) and "without" not in words(html)
    (line,) = [e for e in section.iter("div") if e.get("role") == "status"]
    assert [e.tag for e in line] == ["p"] and not line[0].text, "the script writes into it"


def test_between_two_sites_the_page_goes_on_by_itself() -> None:
    html = PAGES.carry(view(decided()), state(("shoelab",), trailhead="taken"))
    assert refreshes(html) == [f"0; url={GO_ON}"] and "carry.js" not in html and "data-sites" not in html
    assert "Your choice now also counts on Trailhead." in words(html)


def test_the_page_waits_for_the_visitor_where_a_site_has_not_answered() -> None:
    html = PAGES.carry(view(decided()), state(("shoelab",), under_way=True, trailhead="taken"))
    assert not refreshes(html) and "carry.js" not in html
    assert "Try Shoelab again" in words(html) and "Go on without Shoelab" in words(html)
