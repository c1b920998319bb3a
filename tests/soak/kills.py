"""`kill -9` under 64 deciders, with the hash chain, the outbox of webhooks and pruning on. Nothing acknowledged is lost.

Each round stores records that are old enough to go, starts `consentkit ledger prune`, lets visitors accept and withdraw, and
kills in the middle of it: the workers and the pruning, or the database server, or all of them. Then everything starts again.
"""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from queue import Empty

from consentkit.ledger import ChainRows, Ledger, snapshot
from consentkit.ledger.tables import prunings
from consentkit.proof import verify
from tests.soak.client import Browser
from tests.soak.world import World
from tests.support.receiver import Receiver
from tests.support.records import a_record
from tests.support.told import EXAMPLE_FILE

__all__ = ["VICTIMS", "Kills", "kill_rounds"]

DECIDERS = 64
OLD_RECORDS = 200
FIVE_YEARS = 5 * 365 * 86_400
PATIENCE = 300
VICTIMS = {"sqlite": ("workers",), "postgresql": ("workers", "server", "both")}

Acknowledged = tuple[str, str]
"""A pseudonym and the event that was answered with success."""


@dataclass
class Kills:
    """What happened in all rounds.

    Attributes:
        wrong: faults by kind; empty if all is well.
        acknowledged: decisions that were answered with success.
        refused: grants that were answered with 503.
        records: records in the ledger at the end.
        pruned: old records that went.
        missed: records whose listener was not told, because its process was killed in between.
        messages: webhook messages that arrived, without repetitions.
        repeated: deliveries of a message that had arrived before.
    """

    wrong: Counter[str] = field(default_factory=Counter)
    acknowledged: set[Acknowledged] = field(default_factory=set)
    refused: int = 0
    records: int = 0
    pruned: int = 0
    missed: int = 0
    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    repeated: int = 0

    @property
    def messages(self) -> int:
        return len(self.bodies)


def kill_rounds(world: World, receiver: Receiver, rounds: int) -> Kills:
    """Kill again and again, look at the ledger after each time, and at the webhooks in the end."""
    found = Kills()
    victims = VICTIMS["sqlite" if world.server is None else "postgresql"]
    for number in range(rounds):
        _one_round(world, found, victims[number % len(victims)], 0.3 + number * 7 % 13 / 10)
        _take_deliveries(receiver, found)
        _check(world, found, number)
    _deliver_what_is_left(world, receiver, found)
    told_of = {json.loads(body)["data"]["subject"] for bodies in found.bodies.values() for body in bodies}
    withdrawn = {subject for subject, event in found.acknowledged if event == "withdrawn"}
    found.wrong["a webhook was not told of a withdrawal"] += len(withdrawn - told_of)
    found.wrong["a message came with two bodies"] += sum(len(bodies) > 1 for bodies in found.bodies.values())
    found.wrong = +found.wrong
    return found


def _one_round(world: World, found: Kills, victim: str, seconds: float) -> None:
    with world.reading() as ledger:
        _store_old_records(ledger)
    ends = threading.Event()
    with _deciding(world, found, ends), _pruning(world):
        time.sleep(seconds)
        if victim != "workers":
            assert world.server is not None
            world.server.kill()
            # The workers go on, with withdrawals that wait and grants that are refused.
            time.sleep(seconds / 2)
        if victim != "server":
            world.kill()
        ends.set()
    if victim != "workers":
        assert world.server is not None
        world.server.start()
    if victim != "server":
        world.start()
    world.settle()


def _store_old_records(ledger: Ledger) -> None:
    """Store records that have to go, and forget that the ledger was pruned, so that the workers prune too."""
    old = int(time.time()) - FIVE_YEARS
    ledger.append(
        *(a_record(subject=f"old {old} {n}", at=old, expires_at=old + 86_400) for n in range(OLD_RECORDS))
    )
    with ledger._database.transaction() as connection:
        connection.execute(prunings.delete())


def _prune_command(world: World) -> list[str]:
    prune = [sys.executable, "-m", "consentkit", "ledger", "prune", "--batch", "20"]
    return [*prune, "--ledger", world.url, "--policy", str(EXAMPLE_FILE)]


@contextmanager
def _pruning(world: World) -> Iterator[None]:
    """Prune until the end of the block, and kill what prunes then."""
    process = subprocess.Popen(
        _prune_command(world), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait(PATIENCE)


@contextmanager
def _deciding(world: World, found: Kills, ends: threading.Event) -> Iterator[None]:
    """Let visitors decide until the end of the block, each on its own thread."""
    lock = threading.Lock()

    def decide(number: int) -> None:
        here, there = world.ports[number % len(world.ports)], world.ports[(number + 1) % len(world.ports)]
        while not ends.is_set():
            browser = Browser()
            try:
                answer = browser.accept(here)
                if answer.status != 200 or browser.token is None:
                    with lock:
                        found.refused += 1
                    ends.wait(0.05)
                    continue
                subject = browser.token.split(".")[6]
                with lock:
                    found.acknowledged.add((subject, "given"))
                if browser.withdraw(there).status == 200:
                    with lock:
                        found.acknowledged.add((subject, "withdrawn"))
            except (OSError, HTTPException):
                # Its worker is gone. Nobody knows whether the last decision was stored.
                return

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(DECIDERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ends.set()
        for thread in threads:
            thread.join(PATIENCE)


def _take_deliveries(receiver: Receiver, found: Kills) -> None:
    while True:
        try:
            delivery = receiver.deliveries.get_nowait()
        except Empty:
            return
        bodies = found.bodies.setdefault(delivery.id, set())
        found.repeated += bool(bodies)
        bodies.add(delivery.body)


def _check(world: World, found: Kills, number: int) -> None:
    """Compare the ledger with what was answered, and prune it to the end."""
    _expect(
        found,
        number,
        "a pruning failed",
        subprocess.run(_prune_command(world), capture_output=True).returncode,
    )
    with world.reading() as ledger:
        records = list(ledger.records())
    stored = Counter((record.subject or "", record.event) for record in records)
    told = Counter(world.told.read_text("ascii").split())
    found.records = len(records)
    found.pruned = OLD_RECORDS * (number + 1)
    found.missed = sum(not told[record.id] for record in records)
    lost = sum(not stored[each] for each in found.acknowledged)
    _expect(found, number, "an acknowledged decision has no record", lost)
    twice = sum(stored[each] > 1 for each in found.acknowledged)
    _expect(found, number, "a decision has two records", twice)
    _expect(found, number, "a listener was told twice", sum(times > 1 for times in told.values()))
    old = sum(subject.startswith("old") for subject, _ in stored)
    _expect(found, number, "an old record was not pruned", old)
    with snapshot(world.url) as connection:
        result = verify(ChainRows(connection))
    _expect(found, number, f"the chain has findings: {result.findings[:2]}", len(result.findings))


def _expect(found: Kills, number: int, fault: str, times: int) -> None:
    if times:
        found.wrong[fault] += times
        print(f"  round {number}: {fault}: {times}", flush=True)


def _deliver_what_is_left(world: World, receiver: Receiver, found: Kills) -> None:
    """Make all messages due, those of killed processes too, and wait until all are delivered."""
    with world.reading() as ledger:
        now = int(time.time())
        ledger.outbox.retry(None, now, now + 86_400)
        world.restart(kill=False)
        for port in world.ports:
            # A process looks for what others left when somebody visits.
            visitor = Browser()
            visitor.accept(port)
            visitor.withdraw(port)
        until = time.monotonic() + PATIENCE
        while any(ledger.outbox.counts().values()) and time.monotonic() < until:
            time.sleep(0.5)
        found.wrong["a message was not delivered"] += sum(ledger.outbox.counts().values())
    _take_deliveries(receiver, found)
