"""Measure how many decisions a second several processes store in one PostgreSQL: at once, and taking turns.

Run it with `python -m tests.benchmarks.processes`. There are 64 deciders however many processes there are. Half of the
decisions are of new visitors, the others of visitors about whom something is recorded. Each is worked out in the transaction
that stores it.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import psycopg

from consentkit.ledger import Entries, Ledger, Plan, View
from tests.benchmarks.ledger import DECIDERS, record
from tests.support.postgres import Server

PROCESSES = (1, 2, 4, 8)
TARGET = 1.5
"""How many times as many decisions 8 processes have to store at once as when they take turns."""


def decision(subject: str, number: int) -> Plan:
    """Return the plan of a decision, which looks at what is recorded as the recorder's own does."""
    given = record(subject)

    def work_out(view: View) -> Entries:
        assert view.stored(given.id) is None
        if number % 2:
            assert view.newest(subject)
            assert view.linked(subject) == ()
        return Entries((given,))

    known = (subject,) if number % 2 else ()
    return Plan(work_out=work_out, subjects=known, linked_to=known, repeats=(given.id,))


def store(url: str, deciders: int, starts: Barrier, ends: Event, results: Connection) -> None:
    """Store decisions, each decider one after another, until told to end, and send how many those were."""
    ledger, counts = Ledger(url, lock_timeout=60), [0] * deciders
    ledger.append(record(str(os.getpid())))

    def decide(visitor: int) -> None:
        while not ends.is_set():
            number = counts[visitor]
            ledger.carry_out(decision(f"{os.getpid()} {visitor} {number // 2}", number))
            counts[visitor] += 1

    threads = [threading.Thread(target=decide, args=(visitor,)) for visitor in range(deciders)]
    starts.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()
    results.send(sum(counts))


def rate(url: str, processes: int, seconds: float) -> float:
    """Return decisions a second of so many processes together."""
    spawn = multiprocessing.get_context("spawn")
    starts, ends = spawn.Barrier(processes + 1), spawn.Event()
    pipes = [spawn.Pipe(duplex=False) for _ in range(processes)]
    workers = [
        spawn.Process(target=store, args=(url, DECIDERS // processes, starts, ends, sends))
        for _, sends in pipes
    ]
    for worker in workers:
        worker.start()
    starts.wait()
    began = time.monotonic()
    time.sleep(seconds)
    ends.set()
    took = time.monotonic() - began
    stored = sum(receives.recv() for receives, _ in pipes)
    for worker in workers:
        worker.join()
    return stored / took


def ledgers(server: Server) -> tuple[str, str]:
    """Return the URLs of a ledger whose writers write at once, and of another whose writers take turns."""
    urls = server.address(), server.address()
    for url in urls:
        ledger = Ledger(url)
        ledger.append(record())
        ledger.close()
    # As in a ledger that was upgraded while libraries of an older version were running.
    with psycopg.connect(urls[1]) as connection:
        connection.execute("INSERT INTO consentkit_schema (version) VALUES (1)")
    return urls


def measure(urls: Sequence[str], *, rounds: int, seconds: float) -> dict[int, list[tuple[float, float]]]:
    """Return the rates of each number of processes, at once and in turns, round by round."""
    found: dict[int, list[tuple[float, float]]] = {processes: [] for processes in PROCESSES}
    for _ in range(rounds):
        for processes, rates in found.items():
            at_once, in_turns = (rate(url, processes, seconds) for url in urls)
            rates.append((at_once, in_turns))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; exit code 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="processes-") as name:
        server = Server(Path(name) / "data")
        try:
            found = measure(ledgers(server), rounds=chosen.rounds, seconds=chosen.seconds)
        finally:
            server.close()
    print(
        f"{os.cpu_count()} cores, {DECIDERS} deciders, medians of {chosen.rounds} rounds of {chosen.seconds:g} s"
    )
    print(f"  {'processes':>9}{'at once':>10}{'in turns':>10}{'ratio':>8}{'lowest':>8}  decisions/s")
    for processes, rates in found.items():
        at_once, in_turns = (statistics.median(column) for column in zip(*rates, strict=True))
        ratios = [first / second for first, second in rates]
        ratio = statistics.median(ratios)
        print(f"  {processes:9}{at_once:10.0f}{in_turns:10.0f}{ratio:8.2f}{min(ratios):8.2f}")
    reached = ratio >= TARGET
    print(f"  target with {processes} processes: {TARGET:g} x; {'reached' if reached else 'MISSED'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
