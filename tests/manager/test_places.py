"""The managers of a site for the places of its visitors."""

import logging
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from starlette.testclient import TestClient

from consentkit import ConsentManager, Ledger, Place, Policy
from consentkit.consent import Choice
from consentkit.errors import ConfigurationError
from consentkit.manager import ChoiceContext, ManagersByPlace
from tests.conftest import Clock
from tests.support.policies import add, put
from tests.support.regimes import policy_with_regimes
from tests.support.sites import KEY, managing, site

ADS = (
    put("vendors", 0, role="processor"),
    add("categories", id="ads"),
    add("vendors", id="ad", name="Ads", category="ads", profiling=True),
    add("trackers", name="ad", category="ads", vendor="ad"),
)
ALL = Choice(categories={"analytical": True, "ads": True}, vendors={})
NONE = Choice(categories={"analytical": False, "ads": False}, vendors={})


class Request(NamedTuple):
    """A request whose place is what its peer says."""

    peer: str = ""
    headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012 - never changed


def located(request: Any) -> Place | None:
    return Place.parse(request.peer)


def a_policy() -> Policy:
    return policy_with_regimes(*ADS, eea=True, gb=True, us="opt_out")


@pytest.fixture
def manager(clock: Clock) -> Iterator[ConsentManager]:
    with managing(a_policy(), ledger="sqlite://", clock=clock, location=located) as made:
        yield made


def places_of(manager: ConsentManager) -> ManagersByPlace:
    assert manager.places is not None
    return manager.places


def at(manager: ConsentManager, place: str, asked: str = "", *, gpc: bool = False) -> ConsentManager:
    headers = [(b"sec-gpc", b"1")] if gpc else []
    return places_of(manager).at(Request(place, headers), asked)


def regime(manager: ConsentManager) -> str:
    return manager.policy.regime.id


# JU-01
@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("NL", "nl"),
        ("FR", "fr"),
        ("DE", "eea"),
        ("PL", "nl"),  # in the EEA, and without a row in the list of the tests: the rules of the jurisdiction
        ("GB", "gb"),
        ("US-CA", "us-ca"),
        ("US-CO", "us-signal"),
        ("US-WY", "us-signal"),
        ("US", "us-ca"),
        ("JP", "strictest"),
        ("BR", "strictest"),
        ("", "strictest"),
        ("XX", "strictest"),
    ],
)
def test_a_place_has_its_regime(manager: ConsentManager, place: str, expected: str) -> None:
    assert regime(at(manager, place)) == expected


def test_the_case_of_a_code_does_not_matter(clock: Clock) -> None:
    place = Place("us", "ca")
    with managing(a_policy(), ledger="sqlite://", clock=clock, location=lambda request: place) as manager:
        assert regime(at(manager, "")) == "us-ca"


def test_a_law_counts_from_its_first_day_on(manager: ConsentManager, clock: Clock) -> None:
    assert regime(at(manager, "GB")) == "gb"
    clock.advance(days=-365)
    assert regime(at(manager, "GB")) == "strictest"


def test_a_manager_is_made_when_it_is_needed_and_once(manager: ConsentManager) -> None:
    places = places_of(manager)
    assert places._managers == {}
    assert at(manager, "NL") is manager and places._managers == {}
    found: list[ConsentManager] = []
    threads = [threading.Thread(target=lambda: found.append(at(manager, "US-CA"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1 and len(places._managers) == 1
    assert at(manager, "US-CA", gpc=True) is not found[0]
    assert found[0].places is places and found[0].ledger is manager.ledger
    assert places.strictest is at(manager, "")


# SG-03
def test_the_signal_wins_over_a_yes_where_the_law_says_so(manager: ConsentManager) -> None:
    assert at(manager, "US-CA", gpc=True).evaluator.denied == {"ads"}
    assert (
        at(manager, "US-CA").evaluator.denied
        == at(manager, "US-CO", gpc=True).evaluator.denied
        == frozenset()
    )
    assert at(manager, "NL", gpc=True) is manager


@pytest.mark.parametrize(
    ("place", "asked", "expected"),
    [
        ("US-CA", "NL", "strictest"),
        ("US-CA", "JP", "strictest"),
        ("NL", "US-CA", "strictest"),
        ("NL", "DE", "nl"),
        ("DE", "GB", "eea"),
        ("", "US-CA", "strictest"),
        ("GB", "US-CA", "strictest"),
        ("US-CA", "nowhere", "us-ca"),
        ("US-CA", "US-CA", "us-ca"),
    ],
)
def test_asking_for_the_rules_of_another_place_makes_them_stricter_alone(
    manager: ConsentManager, place: str, asked: str, expected: str
) -> None:
    found = at(manager, place, asked)
    here, there = at(manager, place), at(manager, asked) if Place.parse(asked) else at(manager, place)
    for category in found.policy.optional:
        assert category.exempt <= (
            here.policy.category(category.id).exempt and there.policy.category(category.id).exempt
        )
    assert regime(found) == expected


def broken(request: Any) -> Place | None:
    raise KeyError("no database")


@pytest.mark.parametrize(
    ("location", "why"), [(broken, "no database"), (lambda request: "US-CA", "has no attribute 'code'")]
)
def test_a_location_that_fails_is_logged_once_and_gets_the_strictest_rules(
    clock: Clock, caplog: pytest.LogCaptureFixture, location: Any, why: str
) -> None:
    with (
        managing(a_policy(), ledger="sqlite://", clock=clock, location=location) as manager,
        caplog.at_level(logging.ERROR),
    ):
        assert regime(at(manager, "NL")) == regime(at(manager, "US-CA")) == "strictest"
    assert [record.message for record in caplog.records].count(
        "The location failed, or returned no consentkit.Place, so visitors get the strictest rules of the policy."
    ) == 1
    assert why in caplog.text


def test_without_a_location_every_visitor_has_the_strictest_rules(clock: Clock) -> None:
    with managing(a_policy(), ledger="sqlite://", clock=clock) as manager:
        assert regime(at(manager, "US-CA")) == "strictest" and places_of(manager).vary == ()


@pytest.mark.parametrize(
    ("policy", "location", "message"),
    [
        (policy_with_regimes(), located, r"no rules by place: add \[regimes\]"),
        (a_policy(), "CF-IPCountry", "is no function: pass trusted_header"),
    ],
)
def test_a_location_that_cannot_be_used_is_refused(policy: Policy, location: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ConsentManager(policy, secret_key=KEY, ledger="sqlite://", site="stride", location=location)


def test_without_rules_by_place_there_is_one_manager(clock: Clock) -> None:
    with managing(policy_with_regimes(), ledger="sqlite://", clock=clock) as manager:
        assert manager.places is None


def decide(manager: ConsentManager, choice: Choice, *, gpc: bool = False) -> list[tuple[bytes, bytes]]:
    """Return the headers with which the browser comes back."""
    outcome = manager.decide(manager.evaluator.undecided(gpc=gpc), choice, ChoiceContext(gpc=gpc))
    return [(b"cookie", "; ".join(line.partition(";")[0] for line in outcome.cookies).encode())]


def allowed(manager: ConsentManager, headers: list[tuple[bytes, bytes]]) -> set[str]:
    consent = manager.cookie.read(headers)
    return {category for category in ("analytical", "ads") if consent.allows(category)}


def test_a_consent_given_in_the_eea_counts_in_the_us_and_back(manager: ConsentManager) -> None:
    given = decide(at(manager, "NL"), ALL)
    assert [allowed(at(manager, place), given) for place in ("NL", "US-CA", "DE", "GB", "JP")] == [
        {"analytical", "ads"}
    ] * 5
    # The signal of the browser wins in California over what was given elsewhere.
    assert allowed(at(manager, "US-CA", gpc=True), given) == {"analytical"}


def test_a_consent_given_in_the_eea_is_withdrawn_in_the_us(manager: ConsentManager) -> None:
    given = decide(at(manager, "NL"), ALL)
    there = at(manager, "US-CA")
    before = there.cookie.read(given)
    assert (before.status, before.granted) == ("given", {"analytical", "ads"})
    outcome = there.withdraw(before, None, ChoiceContext())
    assert outcome.record is not None and outcome.record.subject == outcome.reference != ""
    assert outcome.record.event == outcome.record.status == "withdrawn"
    assert not at(manager, "NL").evaluator.evaluate(outcome.consent.decision, manager.clock()).granted


def test_an_opt_out_of_what_was_granted_in_the_eea_is_recorded_as_its_withdrawal(
    manager: ConsentManager,
) -> None:
    given = decide(at(manager, "NL"), ALL)
    there = at(manager, "US-CA")
    out = Choice(categories={"ads": False}, vendors={})
    record = there.decide(there.cookie.read(given), out, ChoiceContext(), merge=True).record
    assert record is not None and (record.event, record.ends_subject) == ("withdrawn", True)


@pytest.mark.parametrize("category", [None, "ads"])
def test_withdrawing_where_all_is_on_is_an_opt_out(manager: ConsentManager, category: str | None) -> None:
    there, left = at(manager, "US-CA"), {"analytical"} if category else set()
    outcome = there.withdraw(there.evaluator.undecided(), category, ChoiceContext(choice="withdraw"))
    assert outcome.record is not None and (outcome.record.event, outcome.record.subject) == ("refused", None)
    assert {name for name in ("analytical", "ads") if outcome.consent.allows(name)} == left
    assert outcome.reference is None and not outcome.consent.allows("ads", "ad")
    again = there.withdraw(outcome.consent, category, ChoiceContext(choice="withdraw"))
    assert again.record is None
    # At home nothing is on that could be withdrawn.
    assert manager.withdraw(manager.evaluator.undecided(), category, ChoiceContext()).record is None


def test_an_answer_is_recorded_under_the_rules_that_the_visitor_was_told(manager: ConsentManager) -> None:
    here, there = at(manager, "NL"), at(manager, "US-CA")
    for shown, answered, regime, status in (
        (here, there, "NL", "given"),
        (there, here, "us-ca", "refused"),
    ):
        context = ChoiceContext(notice=shown.notice.digest)
        record = answered.decide(answered.evaluator.undecided(), ALL, context).record
        assert record is not None and (record.jurisdiction, record.status) == (regime, status)
        assert (record.subject is None) is (status == "refused")


# Where everything is on without an answer, an answer that does not count must not turn on what it turned off.
@pytest.mark.parametrize("is_known", [True, False])
def test_a_refusal_stays_one_if_its_record_is_missing_or_its_notice_unknown(
    manager: ConsentManager, clock: Clock, is_known: bool
) -> None:
    changed = () if is_known else (put("categories", 1, title={"en": "Other", "nl": "Anders"}),)
    some = Choice(categories={"analytical": True, "ads": False}, vendors={})
    elsewhere = policy_with_regimes(*ADS, *changed, eea=True, gb=True, us="opt_out")
    with managing(elsewhere, ledger="sqlite://", clock=clock, location=located) as other:
        given = decide(at(other, "NL"), some)
    for place, expected in (("US-CA", {"analytical"} if is_known else set()), ("NL", set())):
        client = TestClient(site(manager), base_url="https://stride.example", client=(place, 1))
        found = client.get("/consent/decision", headers=[(b"cookie", given[0][1])]).json()
        assert {name for name in ("analytical", "ads") if found["categories"][name]} == expected
        assert (found["status"], found["needs_asking"]) == ("unknown", place == "NL")


def test_what_is_on_without_an_answer_in_the_us_needs_one_in_the_eea(manager: ConsentManager) -> None:
    assert allowed(at(manager, "US-CA"), []) == {"analytical", "ads"}
    assert allowed(at(manager, "NL"), []) == allowed(at(manager, "JP"), []) == set()


def test_an_opt_out_made_in_the_us_is_a_refusal_everywhere(manager: ConsentManager) -> None:
    no = decide(at(manager, "US-CA"), NONE)
    assert [allowed(at(manager, place), no) for place in ("US-CA", "US-CO", "NL", "GB", "JP")] == [set()] * 5
    # Leaving it on is no consent where one is needed.
    left_on = decide(at(manager, "US-CA"), ALL)
    assert allowed(at(manager, "US-CA"), left_on) == {"analytical", "ads"}
    assert allowed(at(manager, "NL"), left_on) == set()


def test_a_record_names_the_regime_and_the_signal(
    manager: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    with managing(a_policy(), ledger=ledger, clock=clock, location=located) as manager:
        for place, gpc in (("NL", False), ("US-CA", True), ("GB", False), ("", True)):
            decide(at(manager, place), NONE, gpc=gpc)
        recorded = [(record.jurisdiction, record.gpc) for record in ledger.records()]
    assert recorded == [("NL", False), ("us-ca", True), ("gb", False), ("strictest", True)]
