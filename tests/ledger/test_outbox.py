from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from consentkit.ledger import DEAD, GONE, WAITING, Entries, Ledger, Message, Outbox, OutboxRow, Plan
from tests.support.records import NOON, a_record, another_process_holds

CRM, ADS = "crm.example", "ads.example"
LEASE = 100


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'consent.db'}"
    return str(request.getfixturevalue("postgres").address())


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, lock_timeout=30)
    yield ledger
    ledger.close()


@pytest.fixture
def outbox(ledger: Ledger) -> Outbox:
    return ledger.outbox


def a_message(name: str, endpoint: str = CRM, **changes: object) -> Message:
    made = Message(
        id=f"msg_{name}",
        record="r",
        site="stride",
        endpoint=endpoint,
        type="consent.withdrawn",
        body="{}",
        created_at=NOON,
        gives_up_at=NOON + 1000,
    )
    return replace(made, **changes)


def store(ledger: Ledger, *messages: Message) -> None:
    ledger.carry_out(Plan(work_out=lambda view: Entries(messages=messages)))


def claim(outbox: Outbox, now: int = NOON, *endpoints: str) -> OutboxRow | None:
    return outbox.claim("stride", endpoints or (CRM, ADS), now, LEASE)


def claimed(outbox: Outbox, now: int = NOON, *endpoints: str) -> OutboxRow:
    row = claim(outbox, now, *endpoints)
    assert row is not None
    return row


def test_messages_are_stored_with_their_record_or_not_at_all(ledger: Ledger, outbox: Outbox) -> None:
    def fails(view: object) -> Entries:
        raise ValueError

    with pytest.raises(ValueError):
        ledger.carry_out(Plan(work_out=fails))
    record = a_record()
    message = a_message("one", record=record.id)
    ledger.carry_out(Plan(work_out=lambda view: Entries((record,), messages=(message,))))
    store(ledger, message)
    assert [row.id for row in outbox.rows(10)] == ["msg_one"]
    assert [found.id for found in ledger.records()] == [record.id]


def test_claimed_message_is_due_again_after_its_lease(ledger: Ledger, outbox: Outbox) -> None:
    store(ledger, a_message("one"))
    first = claimed(outbox)
    assert (first.attempts, first.due_at) == (1, NOON + LEASE)
    assert claim(outbox, NOON + LEASE - 1) is None
    assert claimed(outbox, NOON + LEASE).attempts == 2
    outbox.failed(first, "too late: another process has it", NOON)
    assert claim(outbox, NOON + LEASE) is None
    outbox.delivered(first.id)
    assert outbox.rows(10) == [] and outbox.due("stride", [CRM]) == {}


def test_oldest_message_of_the_site_and_its_endpoints_comes_first(ledger: Ledger, outbox: Outbox) -> None:
    store(
        ledger,
        a_message("later", created_at=NOON + 1),
        a_message("other site", site="trailhead"),
        a_message("other endpoint", ADS),
        a_message("oldest"),
    )
    assert claimed(outbox, NOON + 5, CRM).id == "msg_oldest"
    assert claimed(outbox, NOON + 5, CRM).id == "msg_later"
    assert claim(outbox, NOON + 5, CRM) is None
    assert outbox.due("stride", [CRM, ADS]) == {CRM: NOON + 5 + LEASE, ADS: NOON}


def test_two_processes_share_the_messages_and_send_none_twice(
    url: str, ledger: Ledger, outbox: Outbox
) -> None:
    store(ledger, *(a_message(str(number)) for number in range(40)))
    other = Ledger(url, lock_timeout=30)

    def all_that_is_left(mine: Outbox) -> list[str]:
        found = []
        while (row := claim(mine)) is not None:
            found.append(row.id)
        return found

    with ThreadPoolExecutor(4) as threads:
        shares = threads.map(all_that_is_left, [outbox, other.outbox] * 2)
        ids = [message for share in shares for message in share]
    other.close()
    assert len(ids) == len(set(ids)) == 40


def test_claim_in_postgresql_waits_for_no_writer(url: str, ledger: Ledger, outbox: Outbox) -> None:
    store(ledger, a_message("one"))
    if url.startswith("sqlite"):
        return
    with another_process_holds(url):
        row = claimed(outbox)
        outbox.failed(row, "refused", NOON)
        outbox.delivered(row.id)
    assert outbox.rows(10) == []


def test_messages_are_given_up_when_their_time_is_over(ledger: Ledger, outbox: Outbox) -> None:
    store(
        ledger,
        a_message("old"),
        a_message("young", gives_up_at=NOON + 5000),
        a_message("other", ADS),
    )
    row = claimed(outbox, NOON, CRM)
    assert outbox.give_up(row, "HTTP status 500", NOON + 999) == 0
    assert outbox.give_up(row, "HTTP status 500", NOON + 1000) == 1
    assert outbox.counts("stride") == {WAITING: 2, DEAD: 1, GONE: 0}
    assert [(each.state, each.error) for each in outbox.rows(1)] == [(DEAD, "HTTP status 500")]


def test_endpoint_that_is_gone_gets_nothing_until_it_is_tried_again(ledger: Ledger, outbox: Outbox) -> None:
    store(ledger, a_message("first"), a_message("second"), a_message("other", ADS))
    outbox.refused(claimed(outbox, NOON, CRM), "410 Gone")
    assert claim(outbox, NOON, CRM) is None and outbox.due("stride", [CRM]) == {}
    assert claimed(outbox).endpoint == ADS
    assert outbox.retry(None, NOON + 10, NOON + 20) == 3
    assert outbox.counts() == {WAITING: 3, DEAD: 0, GONE: 0}
    assert {claimed(outbox, NOON + 10, CRM).gives_up_at for _ in range(2)} == {NOON + 20}


def test_one_message_is_tried_again_or_dropped(ledger: Ledger, outbox: Outbox) -> None:
    store(ledger, a_message("one"), a_message("two"))
    outbox.give_up(claimed(outbox), "no answer", NOON + 1000)
    assert outbox.retry("msg_one", NOON, NOON + 9) == 1
    assert [row.state for row in outbox.rows(2)] == [WAITING, DEAD]
    assert outbox.drop("msg_two") and not outbox.drop("msg_two")
    assert [row.id for row in outbox.rows(2)] == ["msg_one"]
