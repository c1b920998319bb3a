from collections.abc import Callable

import pytest

from consentkit import Ledger
from consentkit.ledger import Pruning
from consentkit.manager import upkeep
from tests.conftest import Clock
from tests.support.front import EVERYTHING, Front, a_policy
from tests.support.records import NOON, a_record, another_process_holds

DAY = 86_400
YEARS = 3 * 366 * DAY


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is not a failure."""
    monkeypatch.setattr(upkeep, "LONGEST_STEP", 30.0)


def policy_page(front: Front, language: str = "en") -> str:
    return front.client().get("/consent/policy", headers={"accept-language": language}).text


def run_upkeep(front: Front) -> None:
    assert front.manager._parts.upkeep is not None
    front.manager._parts.upkeep()


def test_a_manager_prunes_after_its_polls_and_in_no_request(
    make_front: Callable[..., Front], ledger_url: str, clock: Clock
) -> None:  # RC-09
    old = Ledger(ledger_url)
    old.append(*(a_record(subject=f"{n}", at=NOON - YEARS, expires_at=NOON - YEARS + DAY) for n in range(60)))
    old.close()
    front = make_front(ledger=ledger_url, prune=True)
    assert len(front.records()) == 60, "making a manager reads nothing"
    client = front.client()
    front.cookie(client, **EVERYTHING)
    # The first poll queues the upkeep, which runs in a thread of the look-ups. The next job of that name waits for it.
    client.get("/")
    front.manager.revocations.run("upkeep", lambda: run_upkeep(front))
    (left,) = front.records()
    assert left.status == "given"
    assert front.ledger.upkeep.last_pruning("stride") is not None


def test_pruning_takes_a_step_a_minute_and_a_run_a_day(
    make_front: Callable[..., Front], ledger_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "LONGEST_STEP", 0.0)
    front = make_front(ledger=ledger_url, prune=True)
    front.ledger.append(
        *(a_record(subject=f"{n}", at=NOON - YEARS, expires_at=NOON - YEARS) for n in range(120))
    )
    left = []
    for _ in range(7):
        for _ in range(3):
            run_upkeep(front)
        left.append(len(front.records()))
        clock.advance(60)
    assert left == [120, 70, 20, 0, 0, 0, 0]
    monkeypatch.setattr(upkeep, "LONGEST_STEP", 30.0)
    clock.advance(days=0.5)
    run_upkeep(front)
    front.ledger.append(a_record(subject="late", at=NOON - YEARS, expires_at=NOON - YEARS))
    clock.advance(days=0.4)
    run_upkeep(front)
    assert len(front.records()) == 1
    clock.advance(days=1)
    run_upkeep(front)
    assert front.records() == []


def test_an_outage_ends_the_run_and_the_next_begins_again(
    make_front: Callable[..., Front], ledger_url: str, clock: Clock
) -> None:
    store = Ledger(ledger_url, lock_timeout=0.1)
    store.append(a_record(subject="s", at=NOON - YEARS, expires_at=NOON - YEARS))
    front = make_front(ledger=store, prune=True)
    with another_process_holds(ledger_url, "IMMEDIATE"):
        run_upkeep(front)
    assert len(front.records()) == 1
    clock.advance(3600)
    run_upkeep(front)
    assert front.records() == []
    store.close()


def test_after_the_end_nothing_is_asked(make_front: Callable[..., Front], ledger_url: str) -> None:
    store = Ledger(ledger_url)
    store.append(a_record(subject="s", at=NOON - YEARS, expires_at=NOON - YEARS))
    front = make_front(ledger=store, prune=True)
    front.manager.close()
    run_upkeep(front)
    assert len(front.records()) == 1
    store.close()


def test_visitors_are_told_how_long_records_are_kept_only_where_somebody_removes_them(
    make_front: Callable[..., Front], ledger_url: str, clock: Clock
) -> None:  # IN-05
    told = "Records are deleted 2 years after your choice expires."
    front = make_front(ledger=ledger_url)
    run_upkeep(front)
    assert told not in policy_page(front)
    # Cron has run.
    front.ledger.upkeep.note_pruning(["stride"], Pruning(int(clock()), "P24M"))
    assert told not in policy_page(front), "no request asks the ledger"
    clock.advance(3600)
    run_upkeep(front)
    assert told in policy_page(front)
    assert "Registraties worden 2 jaar na het verlopen van je keuze verwijderd." in policy_page(front, "nl")
    # Cron has stopped.
    clock.advance(days=35)
    assert told not in policy_page(front)
    # Cron enforces another period.
    front.ledger.upkeep.note_pruning(["stride"], Pruning(int(clock()), "P3Y"))
    run_upkeep(front)
    assert told not in policy_page(front)
    assert told in policy_page(make_front(a_policy(), prune=True))


def test_the_settings_page_shows_the_reference_while_something_is_granted(front: Front) -> None:  # RC-09
    client = front.client()
    assert "Reference of our records" not in client.get("/consent").text
    front.cookie(client, **EVERYTHING)
    (record,) = front.records()
    page = client.get("/consent").text
    assert f'Reference of our records of your choice: <code dir="ltr">{record.subject}</code>' in page
    answer = client.delete("/consent/decision").json()
    assert answer["reference"] == record.subject
    assert str(record.subject) not in client.get("/consent").text
    # What is stored of the page is the same for every visitor.
    front.manager.recorder.renderings.close()
    assert not [
        words for words in front.ledger.renderings(record.notice) if str(record.subject) in words.html
    ]
    assert [words for words in front.ledger.renderings(record.notice) if "{reference}" in words.html]
