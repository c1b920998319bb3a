"""Messages to webhooks, from the option of the manager to a receiver over HTTP."""

import builtins
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consentkit import ConfigurationError, ConsentManager, Ledger, Policy, UnknownVendorError
from consentkit.consent import Choice
from consentkit.ledger import Entries, Plan, Record
from consentkit.manager import ChoiceContext, Outcome, Webhook
from consentkit.manager.webhook_sender import LEASE
from tests.conftest import HERE, Clock
from tests.support.receiver import PATIENCE, SECRET, Delivery, Receiver, receiving
from tests.support.records import a_record, another_process_holds
from tests.support.sites import KEY, managing

EVERYTHING = {"analytical": True, "tracking": True, "social": True}
VENDORS = {"google-analytics": "analytical", "youtube": "social"}
URL = "https://crm.example.org/hooks"
Make = Callable[..., ConsentManager]


@pytest.fixture
def clock() -> Clock:
    """The right time, so that receivers accept the signatures."""
    return Clock(datetime.now(UTC))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, ledger_url: str) -> str:
    """The address of an empty ledger in each kind of database."""
    return ledger_url if request.param == "sqlite" else str(request.getfixturevalue("postgres").address())


@pytest.fixture
def make(policy: Policy, clock: Clock) -> Iterator[Make]:
    """`make(url, webhook, …)` makes a manager over a ledger of its own, and closes it in the end."""
    with ExitStack() as made:

        def build(url: str, *webhooks: Webhook, lock_timeout: float = 10, **options: Any) -> ConsentManager:
            ledger = Ledger(url, lock_timeout=lock_timeout)
            made.callback(ledger.close)
            given = {"ledger": ledger, "clock": clock, "webhooks": webhooks} | options
            return made.enter_context(managing(policy, **given))

        yield build


def accept(manager: ConsentManager) -> Outcome:
    return manager.decide(
        manager.evaluator.undecided(), Choice(categories=EVERYTHING, vendors={}), ChoiceContext()
    )


def subject(outcome: Outcome) -> str:
    assert outcome.record is not None and outcome.record.subject is not None
    return outcome.record.subject


def all_sent(*managers: ConsentManager) -> None:
    """Wait until the senders have tried what is due."""
    for manager in managers:
        assert manager._parts.webhooks.sender is not None and manager._parts.webhooks.sender.flush(PATIENCE)


def taken(receiver: Receiver) -> list[Delivery]:
    found = []
    while not receiver.deliveries.empty():
        found.append(receiver.next())
    return found


def told(receiver: Receiver) -> list[tuple[str, str]]:
    """Return the subjects and vendors of what has arrived, verified, in alphabetical order."""
    data = [delivery.verified()["data"] for delivery in taken(receiver)]
    return sorted((each["subject"], each["vendor"]) for each in data)


# The option


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        ({"url": "http://crm.example.org/hooks"}, "Use https"),
        ({"url": "ftp://crm.example.org"}, "is not an address"),
        ({"url": "https:///hooks"}, "is not an address"),
        ({"url": "https://crm.example.org:99999/"}, "is not an address"),
        ({"url": "https://crm.example.org:0/"}, "is not an address"),
        ({"url": "https://crm.example.org/a b"}, "is not an address"),
        ({"url": "https://crm.example.org/\r\nX: y"}, "is not an address"),
        ({"url": "https://[::1"}, "is not an address"),
        ({"url": None}, "is not an address"),
        ({"url": "https://user:word@crm.example.org/"}, "user name"),
        ({"url": "https://crm.example.org/#part"}, "fragment"),
        ({"secret": "secret"}, "the secret is not whsec_"),
        ({"secret": "whsec_c2hvcnQ="}, "the secret is not whsec_"),
        ({"secret": "whsec_YWJ"}, "the secret is not whsec_"),
        ({"secret": b"whsec_"}, "the secret is not whsec_"),
        ({"secret": []}, "the list of secrets is empty"),
        ({"vendors": "youtube"}, "Give a list of ids"),
        ({"events": ()}, "Give a list of consent.withdrawn and consent.changed"),
        ({"events": ("consent.given",)}, "Give a list of consent.withdrawn and consent.changed"),
        ({"events": ("consent.changed",), "vendors": ["youtube"]}, "cannot be limited to vendors"),
        ({"name": "a name"}, "letters, digits"),
    ],
)
def test_endpoint_that_cannot_be_told_is_refused(arguments: dict[str, Any], because: str) -> None:
    with pytest.raises(ConfigurationError, match=because) as caught:
        Webhook(**({"url": URL, "secret": SECRET} | arguments))
    assert "word" not in str(caught.value) and "c2hvcnQ" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1:8000", "[::1]:8000"])
def test_this_machine_may_be_told_over_http(host: str) -> None:
    assert Webhook(f"http://{host}/hooks", SECRET).endpoint.startswith(host)


def test_secret_and_path_are_shown_nowhere() -> None:
    webhook = Webhook(f"{URL}?token=t0ken", [SECRET])
    assert SECRET not in repr(webhook) and "t0ken" not in webhook.endpoint
    assert webhook.endpoint != Webhook(URL, SECRET).endpoint
    assert Webhook(URL, SECRET, name="crm").endpoint == "crm"


@pytest.mark.parametrize(
    ("options", "error", "because"),
    [
        ({"webhooks": URL}, ConfigurationError, "wrong type"),
        ({"webhooks": [URL]}, ConfigurationError, "wrong type"),
        ({"webhooks": Webhook(URL, SECRET)}, ConfigurationError, "wrong type"),
        ({"webhooks": [Webhook(URL, SECRET)] * 2}, ConfigurationError, "List an address once"),
        ({"webhooks": [Webhook(URL, SECRET)], "ledger": None}, ConfigurationError, "needs a ledger"),
        ({"webhooks": [Webhook(URL, SECRET, vendors=["nobody"])]}, UnknownVendorError, "nobody"),
    ],
)
def test_endpoints_that_do_not_fit_the_site_are_refused(
    policy: Policy, options: dict[str, Any], error: type[Exception], because: str
) -> None:
    with pytest.raises(error, match=because), managing(policy, **({"ledger": "sqlite://"} | options)):
        pass


def test_missing_extra_is_named(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "standardwebhooks":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(ConfigurationError, match=r"install consentkit\[webhooks\]"),
        managing(policy, ledger="sqlite://", webhooks=[Webhook(URL, SECRET)]),
    ):
        pass


# What is told


# WD-04
def test_each_vendor_that_lost_its_grant_is_told_once(
    make: Make, url: str, receiver: Receiver, clock: Clock
) -> None:
    manager = make(url, Webhook(receiver.url, SECRET))
    given = accept(manager)
    clock.advance(5)
    gone = manager.withdraw(given.consent, None, ChoiceContext())
    all_sent(manager)
    assert gone.record is not None
    payloads = {delivery.id: delivery.verified() for delivery in taken(receiver)}
    assert sorted(each["data"]["vendor"] for each in payloads.values()) == gone.record.ended["vendors"]
    assert {"google-analytics", "youtube"} <= set(gone.record.ended["vendors"])
    youtube = next(each for each in payloads.values() if each["data"]["vendor"] == "youtube")
    assert youtube == {
        "type": "consent.withdrawn",
        "timestamp": datetime.fromtimestamp(int(clock()), UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "record": gone.record.id,
            "event": "withdrawn",
            "site": "stride",
            "group": manager.group,
            "subject": subject(given),
            "vendor": "youtube",
            "began": {"categories": [], "vendors": []},
            "ended": {"categories": ["social"], "vendors": ["youtube"]},
            "notice": manager.notice.digest,
        },
    }
    assert manager.health()["webhooks"] == {"waiting": 0, "dead": 0}


def test_endpoint_of_some_vendors_is_told_of_them_alone(
    make: Make, ledger_url: str, receiver: Receiver, clock: Clock
) -> None:
    manager = make(ledger_url, Webhook(receiver.url, SECRET, vendors=["youtube"]))
    given = accept(manager)
    off = manager.decide(
        given.consent,
        Choice(categories={}, vendors={"google-analytics": False}),
        ChoiceContext(),
        merge=True,
    )
    all_sent(manager)
    assert told(receiver) == []
    manager.decide(
        off.consent, Choice(categories={}, vendors={"youtube": False}), ChoiceContext(), merge=True
    )
    all_sent(manager)
    assert told(receiver) == [(subject(given), "youtube")]


def test_changes_are_told_once_for_each_record(
    make: Make, ledger_url: str, receiver: Receiver, clock: Clock
) -> None:
    manager = make(ledger_url, Webhook(receiver.url, SECRET, events=["consent.changed"]))
    given = accept(manager)
    manager.decide(
        given.consent, Choice(categories={"social": False}, vendors={}), ChoiceContext(), merge=True
    )
    refused = Choice(categories=dict.fromkeys(EVERYTHING, False), vendors={})
    manager.decide(manager.evaluator.undecided(), refused, ChoiceContext())
    all_sent(manager)
    payloads = [delivery.verified() for delivery in taken(receiver)]
    data = {each["data"]["event"]: each["data"] for each in payloads if each["type"] == "consent.changed"}
    assert given.record is not None and len(payloads) == 2
    assert (data["given"]["vendor"], data["given"]["began"]) == (None, given.record.began)
    assert data["withdrawn"]["ended"] == {"categories": ["social"], "vendors": ["youtube"]}


def test_vendor_under_an_unknown_notice_is_told_without_a_category(make: Make, ledger_url: str) -> None:
    manager = make(ledger_url, Webhook(URL, SECRET))
    ended = {"categories": ["old"], "vendors": ["former"]}
    [message] = manager._parts.webhooks.messages.of(a_record(ended=ended, notice="u" * 43))
    assert '"ended":{"categories":[],"vendors":["former"]}' in message.body


def test_repeated_record_adds_no_message(make: Make, ledger_url: str, receiver: Receiver) -> None:
    manager = make(ledger_url, Webhook(receiver.url, SECRET))
    assert manager.ledger is not None
    record = a_record(event="withdrawn", ended={"categories": ["social"], "vendors": ["youtube"]})
    plan = Plan(work_out=manager._parts.webhooks.messages.telling(lambda view: Entries((record,))))
    for _ in range(2):
        manager.ledger.carry_out(plan)
        all_sent(manager)
    assert len(taken(receiver)) == 1


# Whoever stores the record


def test_customer_service_and_linked_pseudonyms_are_told_too(
    make: Make, url: str, receiver: Receiver, clock: Clock
) -> None:
    manager = make(url, Webhook(receiver.url, SECRET, vendors=["youtube"]))
    mine, theirs = accept(manager), accept(manager)
    assert manager.ledger is not None
    manager.ledger.link(subject(mine), subject(theirs), int(clock()))
    manager.withdraw_subject(subject(mine))
    all_sent(manager)
    assert told(receiver) == sorted([(subject(mine), "youtube"), (subject(theirs), "youtube")])


def test_record_that_waited_is_told_once_to_listeners_and_webhooks(
    make: Make, url: str, receiver: Receiver, clock: Clock, tmp_path: Path
) -> None:
    webhook = Webhook(receiver.url, SECRET, vendors=["youtube"])
    manager = make(url, webhook, lock_timeout=0.3, spool=tmp_path / "spool")
    visitors = [accept(manager) for _ in range(4)]
    heard: list[Record] = []
    all_heard = threading.Event()

    @manager.on_change
    def listen(record: Record) -> None:
        heard.append(record)
        if len(heard) == len(visitors):
            all_heard.set()

    clock.advance(5)
    with another_process_holds(url):
        waiting = [manager.withdraw(given.consent, None, ChoiceContext()) for given in visitors]
        assert not any(outcome.stored for outcome in waiting) and heard == []
    assert all_heard.wait(PATIENCE)
    all_sent(manager)
    assert told(receiver) == sorted((subject(given), "youtube") for given in visitors)
    # Another process finds nothing left to tell.
    again = make(url, webhook, spool=tmp_path / "spool")
    again.on_change(listen)
    all_sent(manager, again)
    assert manager.health()["waiting"] == again.health()["waiting"] == 0
    assert sorted(record.subject or "" for record in heard) == sorted(map(subject, visitors))
    assert taken(receiver) == []


def test_files_that_come_back_are_told_to_listeners_once(
    make: Make, url: str, receiver: Receiver, clock: Clock, tmp_path: Path
) -> None:
    spool, kept = tmp_path / "spool", tmp_path / "kept"
    webhook = Webhook(receiver.url, SECRET, vendors=["youtube"])
    manager = make(url, webhook, lock_timeout=0.3, spool=spool)
    visitors = [accept(manager) for _ in range(5)]
    heard: list[str] = []
    manager.on_change(lambda record: heard.append(record.id))
    with another_process_holds(url):
        records = [manager.withdraw(given.consent, None, ChoiceContext()).record for given in visitors]
        kept.mkdir()
        for file in spool.glob("*.json"):
            (kept / file.name).write_bytes(file.read_bytes())
    manager.close()
    # A backup of the directory brings the files back, as of a process that has ended.
    assert len(list(kept.iterdir())) == 5
    for file in kept.iterdir():
        (spool / file.name).write_bytes(file.read_bytes())
    again = make(url, webhook, spool=spool)
    again.on_change(lambda record: heard.append(record.id))
    assert again._parts.delivery is not None and again._parts.delivery._spool is not None
    again._parts.delivery._spool.adopt()
    assert again._parts.delivery._spool.flush(PATIENCE)
    again.close()
    assert sorted(heard) == sorted(record.id for record in records if record is not None)
    assert told(receiver) == sorted((subject(given), "youtube") for given in visitors)


def test_two_processes_tell_each_withdrawal_once(make: Make, url: str, receiver: Receiver) -> None:
    webhook = Webhook(receiver.url, SECRET)
    managers = [make(url, webhook), make(url, webhook)]
    expected = []
    for number in range(20):
        deciding = managers[number % 2]
        given = accept(deciding)
        gone = deciding.withdraw(given.consent, None, ChoiceContext())
        assert gone.record is not None
        expected += [(subject(given), vendor) for vendor in gone.record.ended["vendors"]]
    all_sent(*managers)
    deliveries = [receiver.next() for _ in expected]
    assert receiver.deliveries.empty()
    assert len({delivery.id for delivery in deliveries}) == len(expected)
    data = [delivery.verified()["data"] for delivery in deliveries]
    assert sorted((each["subject"], each["vendor"]) for each in data) == sorted(expected)


DECIDES_AND_WITHDRAWS = """
import sys
from consentkit import ConsentManager, Webhook, load_policy
from consentkit.consent import Choice
from consentkit.manager import ChoiceContext
policy, key, ledger, url, secret = sys.argv[1:]
manager = ConsentManager(
    load_policy(policy), secret_key=key, site="stride", ledger=ledger, webhooks=[Webhook(url, secret, vendors=["youtube"])]
)
choice = Choice(categories={"social": True}, vendors={})
given = manager.decide(manager.evaluator.undecided(), choice, ChoiceContext())
manager.withdraw(given.consent, None, ChoiceContext())
print("withdrawn", flush=True)
sys.stdin.read()
"""


def test_message_of_a_process_that_was_killed_arrives(
    make: Make, url: str, receiver: Receiver, clock: Clock
) -> None:
    receiver.held.clear()
    arguments = [str(HERE / "consent.example.toml"), KEY, url, receiver.url, SECRET]
    command = [sys.executable, "-c", DECIDES_AND_WITHDRAWS, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"withdrawn\n"
        claimed = receiver.next()
        process.send_signal(signal.SIGKILL)
    receiver.held.set()
    manager = make(url, Webhook(receiver.url, SECRET, vendors=["youtube"]))
    all_sent(manager)
    assert receiver.deliveries.empty(), "the other process may still be sending it"
    clock.advance(LEASE + 60)
    # The poll for withdrawals that were made elsewhere looks for such messages too.
    manager.revocations.refresh(subject(accept(manager)), clock(), PATIENCE)
    assert receiver.next().verified() == claimed.verified()
