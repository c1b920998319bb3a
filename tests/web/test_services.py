"""What exchanges share; what they do with it is tested with the exchange."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from consentkit import ConsentManager, Policy
from consentkit.consent.model import Choice
from consentkit.manager.choice import ChoiceContext
from consentkit.web.services import SiteServices
from tests.conftest import Clock
from tests.support.sites import managing


@pytest.fixture
def equipped(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[Callable[..., SiteServices]]:
    with ExitStack() as managers:

        def make(policy: Policy = policy, **options: Any) -> SiteServices:
            manager = managers.enter_context(managing(policy, ledger=ledger_url, clock=clock, **options))
            return SiteServices(manager)

        yield make


def test_two_answers_are_of_one_state_only_where_they_look_the_same(
    equipped: Callable[..., SiteServices],
) -> None:
    shared = equipped()
    manager: ConsentManager = shared.manager
    undecided = manager.evaluator.undecided()
    given = manager.decide(
        undecided, Choice(categories={"social": True}, vendors={}), ChoiceContext()
    ).consent
    alone = manager.decide(
        undecided, Choice(categories={}, vendors={"youtube": True}), ChoiceContext()
    ).consent
    states = [shared.state(consent, "en") for consent in (undecided, given, alone)]
    states += [shared.state(undecided, "nl"), shared.state(manager.evaluator.undecided(gpc=True), "en")]
    assert len(set(states)) == len(states)
    assert shared.state(manager.evaluator.undecided(), "en") == states[0]


def test_another_banner_policy_or_style_is_another_look(
    equipped: Callable[..., SiteServices], policy: Policy
) -> None:
    looks = {
        equipped().look,
        equipped(banner=False).look,
        equipped(csp="default-src 'self'").look,
        equipped(policy.model_copy(update={"validity": type(policy.validity).parse("P3M")})).look,
    }
    assert len(looks) == 4


# HT-02
def test_answers_vary_by_what_the_policy_makes_them_depend_on(
    equipped: Callable[..., SiteServices], policy: Policy
) -> None:
    assert equipped().vary_page == (b"Cookie", b"Sec-GPC", b"Accept-Language")
    quiet = policy.model_copy(
        update={"languages": ("en",), "vendors": (), "trackers": (), "categories": policy.categories[:1]}
    )
    quiet.model_post_init(None)
    assert equipped(quiet).vary_page == (b"Cookie",)


def test_without_keys_there_is_no_hand_off(equipped: Callable[..., SiteServices]) -> None:
    assert equipped().handoff is None
