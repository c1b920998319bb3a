import asyncio

import pytest

from consentkit.errors import ResponseStartedError
from consentkit.manager import ChoiceContext
from consentkit.web import RequestHead, VisitorConsent
from tests.support.front import EVERYTHING, Front


def visitor(front: Front) -> VisitorConsent:
    return VisitorConsent(front.manager, RequestHead("GET", "/", [(b"accept-language", b"nl")]))


def test_looking_at_a_consent_does_not_mark_the_response(front: Front) -> None:
    found = visitor(front)
    assert found.current() is found.current() and found.permissions() is found.current()
    assert not found.allows("social") and found.ends is None
    assert not found.accessed


def test_a_nonce_is_drawn_once_and_only_when_it_is_read(front: Front) -> None:
    found = visitor(front)
    assert not found.has_nonce
    assert found.nonce == found.nonce and found.has_nonce


def test_a_choice_is_recorded_in_the_visitors_language(front: Front) -> None:
    context = visitor(front).choice_context(choice="save", surface="preferences")
    assert context == ChoiceContext(choice="save", surface="preferences", language="nl")


def test_records_are_announced_once_by_whoever_applied_the_choice(front: Front) -> None:
    told: list[str] = []
    front.manager.on_change(lambda record: told.append(record.event))
    found = visitor(front)
    grant = found.choice_context(choice="api")
    found.apply(lambda before: front.manager.withdraw(before, None, grant))
    assert found.announcements == () and found.accessed and not found.changed
    from consentkit.consent import Choice

    found.apply(lambda before: front.manager.decide(before, Choice(categories=EVERYTHING, vendors={}), grant))
    assert [record.event for record in found.announcements] == ["given"] and told == []
    asyncio.run(found.aannounce())
    found.announce()
    assert told == ["given"]


def test_a_choice_after_the_start_of_the_response_is_not_recorded(front: Front) -> None:
    found = visitor(front)
    found.started = True
    with pytest.raises(ResponseStartedError):
        found.apply(lambda before: front.manager.withdraw(before, None, ChoiceContext()))
    assert front.records() == []
