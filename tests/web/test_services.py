"""What exchanges share; what they do with it is tested with the exchange."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from consentkit import ConsentManager, Policy
from consentkit.consent.model import Choice
from consentkit.manager.choice import ChoiceContext
from consentkit.web import Exchange, RequestHead, SiteServices
from tests.conftest import Clock
from tests.support.front import COOKIE, EVERYTHING, Front, Headers
from tests.support.sites import managing


@pytest.fixture
def equipped(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[Callable[..., SiteServices]]:
    with ExitStack() as managers:

        def make(policy: Policy = policy, **options: Any) -> SiteServices:
            manager = managers.enter_context(managing(policy, ledger=ledger_url, clock=clock, **options))
            return SiteServices(manager)

        yield make


def test_page_state_is_equal_only_for_pages_that_look_the_same(
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
    states = [shared.page_state(consent, "en") for consent in (undecided, given, alone)]
    states += [
        shared.page_state(undecided, "nl"),
        shared.page_state(manager.evaluator.undecided(gpc=True), "en"),
    ]
    assert len(set(states)) == len(states)
    assert shared.page_state(manager.evaluator.undecided(), "en") == states[0]


def test_change_of_banner_policy_or_style_changes_the_appearance(
    equipped: Callable[..., SiteServices], policy: Policy
) -> None:
    looks = {
        equipped().appearance,
        equipped(banner=False).appearance,
        equipped(csp="default-src 'self'").appearance,
        equipped(policy.model_copy(update={"validity": type(policy.validity).parse("P3M")})).appearance,
    }
    assert len(looks) == 4


# Pages that browsers and caches kept are asked for anew after an upgrade.
def test_another_version_of_the_library_changes_the_appearance(
    equipped: Callable[..., SiteServices], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = equipped()
    appearance, shared_state = before.appearance, before.shared_state
    monkeypatch.setattr("consentkit.web.services.__version__", "99.0.0")
    after = equipped()
    assert after.appearance != appearance and after.shared_state != shared_state


# HT-02
def test_answers_vary_by_what_the_policy_makes_them_depend_on(
    equipped: Callable[..., SiteServices], policy: Policy
) -> None:
    assert equipped().vary_page == b"Cookie, Sec-GPC, Accept-Language"
    quiet = policy.model_copy(
        update={"languages": ("en",), "vendors": (), "trackers": (), "categories": policy.categories[:1]}
    )
    quiet.model_post_init(None)
    assert equipped(quiet).vary_page == b"Cookie"


def test_without_keys_there_is_no_hand_off(equipped: Callable[..., SiteServices]) -> None:
    assert equipped().handoff is None


# What a request's Cookie fields hold


TAGGED = (b"if-none-match", b'"1~ck.0"')


# IN-03
@pytest.mark.parametrize(
    ("sent", "clean"),
    [
        ([], True),
        ([(b"accept", b"*/*"), (b"user-agent", b"x")], True),
        ([(b"cookie", b"session=1")], True),
        ([(b"cookie", b"session=1"), (b"cookie", b"theme=1")], False),
        ([(b"cookie", b"_ga=1")], False),
        ([TAGGED], False),
        ([TAGGED, (b"cookie", b"session=1")], False),
        ([(b"cookie", b"session=1"), TAGGED], False),
        ([(b"if-match", b'"1~ck.0"')], False),
        ([(b"cookie", b"a=" + b"b" * 5000)], False),
    ],
)
def test_request_without_our_cookies_or_hidden_ones_is_unaltered(
    front: Front, sent: Headers, clean: bool
) -> None:
    for _ in range(2):  # read, and remembered
        reading = front.shared.read_consent(RequestHead("GET", "/", sent))
        assert not reading._needs_ledger and reading._unaltered is clean


@pytest.mark.parametrize("more", [b"", b"; session=1", b"; _ga=1"])
def test_cookie_header_is_read_alike_when_new_and_when_cached(front: Front, more: bytes) -> None:
    token = front.cookie(front.client(), **EVERYTHING).encode()
    for _ in range(2):
        assert _allows_social(front, [(b"cookie", COOKIE.encode() + b"=" + token + more)])


@pytest.mark.parametrize("order", [1, -1])
def test_a_cookie_in_a_field_of_its_own_is_read(front: Front, order: int) -> None:
    token = front.cookie(front.client(), **EVERYTHING).encode()
    sent = [(b"cookie", b"session=1"), (b"cookie", COOKIE.encode() + b"=" + token)]
    assert _allows_social(front, sent[::order])


def _allows_social(front: Front, sent: Headers) -> bool:
    exchange = Exchange(front.shared, RequestHead("GET", "/", sent))
    if exchange.needs_ledger:
        exchange.ask_ledger()
    return exchange.consent.allows("social")
