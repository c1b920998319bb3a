import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http.client import BadStatusLine

import pytest

from consentkit.ledger import DEAD, GONE, WAITING, Entries, Ledger, Message, Plan
from consentkit.manager.http_post import post
from consentkit.manager.webhook_sender import LEASE, LOOK_INTERVAL, WebhookSender, longest_pause
from consentkit.manager.webhooks import DAY, GIVE_UP_AFTER, Webhook
from tests.conftest import Clock
from tests.support.receiver import PATIENCE, SECRET, Receiver, receiving
from tests.support.records import another_process_holds

Make = Callable[..., WebhookSender]


@pytest.fixture
def clock() -> Clock:
    """The right time, so that receivers accept the signatures."""
    return Clock(datetime.now(UTC))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def make(ledger: Ledger, clock: Clock) -> Iterator[Make]:
    """`make(url, …)` makes a sender for endpoints at these addresses, and closes it in the end."""
    with ExitStack() as made:

        def build(*urls: str, secret: str | list[str] = SECRET, limit: float = 15) -> WebhookSender:
            webhooks = [Webhook(url, secret) for url in urls]
            sender = WebhookSender(
                ledger.outbox, webhooks, site="stride", clock=clock, send=partial(post, limit=limit)
            )
            made.callback(sender.close)
            return sender

        yield build


def store(ledger: Ledger, clock: Clock, url: str, *names: str) -> None:
    now = int(clock())
    messages = tuple(
        Message(
            id=f"msg_{name}",
            record="r",
            site="stride",
            endpoint=Webhook(url, SECRET).endpoint,
            type="consent.withdrawn",
            body='{"type":"consent.withdrawn"}',
            created_at=now,
            gives_up_at=now + GIVE_UP_AFTER,
        )
        for name in names
    )
    ledger.carry_out(Plan(work_out=lambda view: Entries(messages=messages)))


def test_message_is_signed_sent_and_removed(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver
) -> None:
    store(ledger, clock, receiver.url, "one")
    old = "whsec_" + "YW4gb2xkZXIgc2VjcmV0IG9mIHRoaXMgdGVzdA=="
    sender = make(receiver.url, secret=[SECRET, old])
    assert sender.health() is None
    assert sender.flush(PATIENCE)
    got = receiver.next()
    assert got.verified(SECRET) == got.verified(old) == {"type": "consent.withdrawn"}
    assert got.headers["content-type"] == "application/json"
    assert ledger.outbox.rows(1) == [] and sender.health() == {"waiting": 0, "dead": 0}


def test_failed_message_is_sent_again_with_the_same_id_and_a_new_time(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "consentkit.webhooks")
    store(ledger, clock, receiver.url, "one")
    receiver.fails(500, 302, 404)
    sender = make(receiver.url)
    for attempt in range(1, 5):
        assert sender.flush(PATIENCE)
        got = receiver.next()
        assert got.id == "msg_one" and got.headers["webhook-timestamp"] == str(int(clock()))
        if attempt < 4:
            [row] = ledger.outbox.rows(1)
            assert 0 < row.due_at - clock() <= longest_pause(attempt)
            clock.advance(longest_pause(attempt))
    assert ledger.outbox.rows(1) == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "HTTP status 500" in caplog.text and "/hooks" not in caplog.text


def test_pauses_double_up_to_a_day() -> None:
    assert [longest_pause(attempts) for attempts in (1, 2, 3, 14, 15, 1000)] == [10, 20, 40, 81920, DAY, DAY]


def test_failing_endpoint_is_left_alone_and_holds_up_no_other(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver
) -> None:
    with receiving("/others") as other:
        receiver.fails(500)
        store(ledger, clock, receiver.url, "first", "second", "third")
        store(ledger, clock, other.url, "other")
        assert make(receiver.url, other.url).flush(PATIENCE)
        assert other.next().id == "msg_other"
        assert receiver.next().id == "msg_first" and receiver.deliveries.empty()


@pytest.mark.parametrize(
    ("asked", "seconds"), [("3000", 3000), ("date", 4000), ("9" * 30, DAY), ("soon", 0), ("-5", 0)]
)
def test_receiver_may_ask_for_a_longer_pause(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver, asked: str, seconds: int
) -> None:
    if asked == "date":
        asked = format_datetime(
            datetime.fromtimestamp(int(clock()), UTC) + timedelta(seconds=4001), usegmt=True
        )
    receiver.fails(429, retry_after=asked)
    store(ledger, clock, receiver.url, "one")
    assert make(receiver.url).flush(PATIENCE)
    [row] = ledger.outbox.rows(1)
    assert seconds <= row.due_at - int(clock()) <= max(seconds + 1, 10)


def test_message_that_fails_for_a_week_is_given_up_and_kept(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    store(ledger, clock, receiver.url, "one", "two")
    receiver.fails(500, 500, 500)
    sender = make(receiver.url)
    assert sender.flush(PATIENCE)
    clock.advance(GIVE_UP_AFTER)
    assert sender.flush(PATIENCE)
    assert {(row.state, row.error) for row in ledger.outbox.rows(9)} == {(DEAD, "HTTP status 500")}
    assert sender.health() == {"waiting": 0, "dead": 2}
    store(ledger, clock, receiver.url, "three")
    clock.advance(DAY)
    assert sender.flush(PATIENCE)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]


def test_endpoint_that_is_gone_is_sent_nothing_more(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    store(ledger, clock, receiver.url, "one", "two")
    receiver.fails(410)
    assert make(receiver.url).flush(PATIENCE)
    clock.advance(DAY)
    another = make(receiver.url)
    assert another.flush(PATIENCE)
    assert receiver.next().id == "msg_one" and receiver.deliveries.empty()
    assert [row.state for row in ledger.outbox.rows(9)] == [GONE, WAITING]
    assert "410 Gone" in caplog.text
    ledger.outbox.retry(None, int(clock()), int(clock()) + DAY)
    assert another.flush(PATIENCE)
    assert {receiver.next().id, receiver.next().id} == {"msg_one", "msg_two"}


def test_receiver_that_does_not_answer_in_time_is_tried_again(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver
) -> None:
    receiver.held.clear()
    store(ledger, clock, receiver.url, "one")
    assert make(receiver.url, limit=0.2).flush(PATIENCE)
    [row] = ledger.outbox.rows(1)
    assert row.state == WAITING and row.error and row.attempts == 1


def test_lost_message_of_another_process_is_sent_after_its_lease(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver
) -> None:
    store(ledger, clock, receiver.url, "one")
    endpoint = Webhook(receiver.url, SECRET).endpoint
    assert ledger.outbox.claim("stride", [endpoint], int(clock()), LEASE)
    sender = make(receiver.url)
    sender.look()
    assert sender.flush(PATIENCE) and receiver.deliveries.empty()
    clock.advance(max(LEASE, LOOK_INTERVAL))
    sender.look()
    assert receiver.next().id == "msg_one"


def test_messages_wait_while_the_ledger_does_not_answer(
    ledger_url: str, clock: Clock, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(ledger_url, lock_timeout=0.1)
    store(ledger, clock, receiver.url, "one")
    sender = WebhookSender(ledger.outbox, [Webhook(receiver.url, SECRET)], site="stride", clock=clock)
    with another_process_holds(ledger_url):
        assert sender.flush(PATIENCE) and sender.flush(PATIENCE)
        assert receiver.deliveries.empty()
    assert sender.flush(PATIENCE) and receiver.next().id == "msg_one"
    sender.close()
    ledger.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_words_of_a_receiver_cannot_control_a_terminal(
    ledger: Ledger, clock: Clock, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    store(ledger, clock, receiver.url, "one")

    def fails(*arguments: object) -> None:
        raise BadStatusLine("\x1b[2Jall is well\nsecond line")

    sender = WebhookSender(
        ledger.outbox, [Webhook(receiver.url, SECRET)], site="stride", clock=clock, send=fails
    )
    assert sender.flush(PATIENCE)
    sender.close()
    (row,) = ledger.outbox.rows(1)
    assert row.error == "BadStatusLine: ?[2Jall is well?second line" and "\x1b" not in caplog.text


def test_error_of_our_own_is_logged_and_the_message_stays(
    ledger: Ledger, clock: Clock, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    store(ledger, clock, receiver.url, "one")

    def fails(*arguments: object) -> None:
        raise RuntimeError("unexpected")

    sender = WebhookSender(
        ledger.outbox, [Webhook(receiver.url, SECRET)], site="stride", clock=clock, send=fails
    )
    assert sender.flush(PATIENCE)
    sender.close()
    assert "unexpected" in caplog.text and ledger.outbox.counts()[WAITING] == 1


def test_closing_sends_what_is_due_and_waits_no_longer_than_told(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver
) -> None:
    store(ledger, clock, receiver.url, "one", "two", "three")
    receiver.held.clear()
    sender = make(receiver.url)
    sender.wake()
    receiver.next()
    sender.close(0)
    receiver.held.set()
    sender.close()
    sender.wake()
    assert ledger.outbox.counts()[WAITING] == 2 and receiver.deliveries.empty()


def test_forked_child_sends_with_a_thread_of_its_own(
    make: Make, ledger: Ledger, clock: Clock, receiver: Receiver
) -> None:
    sender = make(receiver.url)
    store(ledger, clock, receiver.url, "parent")
    assert sender.flush(PATIENCE) and receiver.next().id == "msg_parent"
    child = os.fork()
    if not child:  # pragma: no cover - the child's measurements are lost
        store(ledger, clock, receiver.url, "child")
        os._exit(0 if sender.flush(PATIENCE) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert receiver.next().id == "msg_child"
