import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
import trio

from consentkit import ConsentManager, ConsentStatus, Policy
from consentkit.consent import Choice, VerifiedToken
from consentkit.errors import (
    BlockingCallError,
    ResponseStartedError,
    UnknownCategoryError,
    UnknownVendorError,
)
from consentkit.ledger import Record
from consentkit.manager import ChoiceContext
from consentkit.web import RequestConsent, RequestHead
from tests.conftest import Clock
from tests.support.front import EVERYTHING, Front
from tests.support.sites import managing

Headers = Sequence[tuple[bytes, bytes]]


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url, clock=clock) as made:
        yield made


@pytest.fixture
def consent(manager: ConsentManager) -> RequestConsent:
    return consent_of(manager, [(b"accept-language", b"nl"), (b"sec-gpc", b"1")])


def consent_of(
    manager: ConsentManager, headers: Headers = (), token: VerifiedToken | None = None
) -> RequestConsent:
    return RequestConsent(manager, RequestHead("GET", "/", headers), token)


def token_of(consent: RequestConsent) -> VerifiedToken:
    token = consent._manager.cookie.verify(consent._cookies[0].split(";")[0].partition("=")[2].encode())
    assert token is not None
    return token


# LB-03
def test_whoever_never_answered_is_allowed_what_is_required_and_nothing_else(consent: RequestConsent) -> None:
    assert not consent._accessed
    assert consent.allows("functional") and consent._accessed
    assert not any(consent.allows(category) for category in ("analytical", "tracking", "social"))
    assert not consent.allows("social", vendor="youtube")
    assert consent.status is ConsentStatus.UNKNOWN and consent.granted == frozenset()
    assert consent.decided_at is consent.expires_at is consent.notice is None
    assert not consent.needs_asking, "the signal has refused all that could be asked"
    assert consent.gpc and consent._language() == "nl"
    assert consent.categories["functional"] and not consent.vendors["youtube"]
    assert "unknown" in repr(consent)


def test_the_consent_has_the_facts_of_the_decision(manager: ConsentManager, clock: Clock) -> None:
    consent = consent_of(manager, [])
    assert consent.needs_asking
    consent.decide({"social": True})
    assert consent.decided_at == datetime(2026, 8, 31, 12, tzinfo=UTC)
    assert consent.expires_at == datetime(2027, 2, 28, 12, tzinfo=UTC)
    assert consent.notice == manager.notice.digest and not consent.gpc and not consent.needs_asking


def test_only_public_reads_mark_the_response_as_personal(consent: RequestConsent) -> None:
    assert consent._current() is consent._current()
    assert not consent._accessed
    assert consent.consent is consent._current() and consent._accessed


def test_ids_that_the_policy_lacks_raise(consent: RequestConsent) -> None:
    for vendor in (None, "youtube"):
        with pytest.raises(UnknownCategoryError, match="elsewhere"):
            consent.allows("elsewhere", vendor)
    with pytest.raises(UnknownVendorError, match="youtube"):
        consent.allows("analytical", vendor="youtube")


def test_sync_code_decides_changes_and_withdraws(consent: RequestConsent, manager: ConsentManager) -> None:
    told: list[Record] = []
    manager.on_change(told.append)
    consent.decide({"analytical": True}, vendors={"youtube": True})
    assert consent._changed and consent.granted == {"analytical"} and consent.allows("social", "youtube")
    assert len(consent._cookies) == 2
    consent.change(vendors={"youtube": False})
    assert not consent.allows("social", "youtube") and consent._narrowed
    reference = consent.withdraw()
    assert consent.status is ConsentStatus.WITHDRAWN
    assert [(record.event, record.subject, record.gpc, record.language) for record in told] == [
        ("given", reference, True, "nl"),
        ("withdrawn", reference, True, "nl"),
        ("withdrawn", reference, True, "nl"),
    ]


def test_async_code_decides_changes_and_withdraws_on_asyncio(consent: RequestConsent) -> None:
    async def choose() -> str | None:
        await consent.adecide({"analytical": True, "tracking": True})
        await consent.achange({"tracking": False})
        assert consent.granted == {"analytical"}
        assert await consent.awithdraw("tracking") is None
        return await consent.awithdraw()

    assert asyncio.run(choose())
    assert consent.status is ConsentStatus.WITHDRAWN


def test_async_code_decides_on_trio(consent: RequestConsent) -> None:
    async def choose() -> None:
        with pytest.raises(BlockingCallError):
            consent.decide({"analytical": True})
        await consent.adecide({"analytical": True})

    trio.run(choose)
    assert consent.granted == {"analytical"}
    consent.withdraw()


@pytest.mark.parametrize("call", ["decide", "change", "withdraw"])
def test_blocking_call_on_an_event_loop_raises_and_suggests_the_async_one(
    consent: RequestConsent, call: str
) -> None:
    async def handler() -> None:
        arguments = () if call == "withdraw" else ({"analytical": True},)
        getattr(consent, call)(*arguments)

    with pytest.raises(BlockingCallError, match=f"await consent.a{call}"):
        asyncio.run(handler())
    assert not consent._changed


def test_deciding_after_the_response_has_started_raises_before_anything_is_written(
    consent: RequestConsent, manager: ConsentManager
) -> None:
    consent._started = True
    with pytest.raises(ResponseStartedError):
        consent.decide({"analytical": True})
    with pytest.raises(ResponseStartedError):
        asyncio.run(consent.adecide({"analytical": True}))
    assert manager.ledger is not None and list(manager.ledger.records()) == []


def test_a_repeated_decision_marks_nothing_as_changed(
    consent: RequestConsent, manager: ConsentManager
) -> None:
    consent.decide({"analytical": True})
    again = consent_of(manager, [], token_of(consent))
    again.decide({"analytical": True})
    assert not again._changed and again._cookies == ()
    asyncio.run(again.adecide({"analytical": True}))
    assert not again._changed


# WD-03
def test_permissions_read_after_the_status_agree_with_the_status(
    manager: ConsentManager, consent: RequestConsent
) -> None:
    consent.decide({"social": True})
    token = token_of(consent)
    assert manager.revocations is not None
    manager.revocations.refresh(token.subject, manager.clock())
    later = consent_of(manager, [], token)
    assert later.allows("social")
    manager.withdraw_subject(token.subject)
    assert later.status is ConsentStatus.WITHDRAWN and not later.allows("social")


# VA-07
def test_visitors_with_the_same_answer_have_their_own_expiry(manager: ConsentManager, clock: Clock) -> None:
    ends = []
    for _ in range(3):
        first = consent_of(manager, [])
        first.decide({"social": True})
        token = token_of(first)
        assert manager.revocations is not None
        manager.revocations.refresh(token.subject, manager.clock())
        again = consent_of(manager, [], token)
        assert again._permissions().allows("social")
        token.answer.shared_consent = None  # as another thread may have it, that settles the same
        assert again._end_of(again._permissions()) == token.ends == manager.evaluator.expires(token.decision)
        ends.append(again._end_of(again._permissions()))
        clock.advance(days=30)
    assert len(set(ends)) == 3


def test_handlers_see_the_public_verbs_and_nothing_of_the_plumbing(consent: RequestConsent) -> None:
    assert {name for name in dir(consent) if not name.startswith("_")} == {
        *("allows", "status", "granted", "categories", "vendors", "decided_at", "expires_at", "needs_asking"),
        *("gpc", "notice", "nonce", "consent"),
        *("decide", "change", "withdraw", "adecide", "achange", "awithdraw"),
    }


def undecided(front: Front) -> RequestConsent:
    return RequestConsent(front.manager, RequestHead("GET", "/", [(b"accept-language", b"nl")]))


def test_reads_by_the_exchange_do_not_mark_the_response(front: Front) -> None:
    found = undecided(front)
    assert found._current() is found._current() and found._permissions() is found._current()
    assert found._end_of(found._current()) is None
    assert not found._accessed


def test_a_nonce_is_drawn_once_and_only_when_it_is_read(front: Front) -> None:
    found = undecided(front)
    assert not found._has_nonce
    assert found.nonce == found.nonce and found._has_nonce


def test_a_choice_is_recorded_in_the_visitors_language(front: Front) -> None:
    context = undecided(front)._choice_context(choice="save", surface="preferences")
    assert context == ChoiceContext(choice="save", surface="preferences", language="nl")


def test_records_are_announced_once_by_whoever_applied_the_choice(front: Front) -> None:
    told: list[str] = []
    front.manager.on_change(lambda record: told.append(record.event))
    found = undecided(front)
    grant = found._choice_context(choice="api")
    found._apply(lambda before: front.manager.withdraw(before, None, grant))
    assert found._announcements == () and found._accessed and not found._changed
    found._apply(
        lambda before: front.manager.decide(before, Choice(categories=EVERYTHING, vendors={}), grant)
    )
    assert [record.event for record in found._announcements] == ["given"] and told == []
    asyncio.run(found._aannounce())
    found._announce()
    assert told == ["given"]


def test_a_choice_after_the_start_of_the_response_is_not_recorded(front: Front) -> None:
    found = undecided(front)
    found._started = True
    with pytest.raises(ResponseStartedError):
        found._apply(lambda before: front.manager.withdraw(before, None, ChoiceContext()))
    assert front.records() == []
