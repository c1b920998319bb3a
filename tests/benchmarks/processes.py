"""Measure how many durable records a second several processes store in one PostgreSQL, which take turns to commit.

Run it with `python -m tests.benchmarks.processes`. There are 64 deciders however many processes there are.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

from consentkit.ledger import Ledger
from tests.benchmarks.ledger import DECIDERS, record
from tests.support.postgres import Server

PROCESSES = (1, 2, 4, 8)


def store(url: str, deciders: int, starts: Barrier, ends: Event, results: Connection) -> None:
    """Store records, each decider one after another, until told to end, and send how many those were."""
    ledger, counts = Ledger(url, lock_timeout=60), [0] * deciders
    ledger.append(record(str(os.getpid())))

    def decide(number: int) -> None:
        while not ends.is_set():
            ledger.append(record(f"{os.getpid()} {number} {counts[number]}"))
            counts[number] += 1

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(deciders)]
    starts.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()
    results.send(sum(counts))


def rate(url: str, processes: int, seconds: float) -> float:
    """Return records a second of so many processes together."""
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


def main() -> None:
    """Measure and print, rounds in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="processes-") as name:
        server = Server(Path(name) / "data")
        try:
            url = server.address()
            rates: dict[int, list[float]] = {processes: [] for processes in PROCESSES}
            for _ in range(chosen.rounds):
                for processes, found in rates.items():
                    found.append(rate(url, processes, chosen.seconds))
        finally:
            server.close()
    print(
        f"{os.cpu_count()} cores, {DECIDERS} deciders, medians of {chosen.rounds} rounds of {chosen.seconds:g} s"
    )
    for processes, found in rates.items():
        print(
            f"  {processes} process(es): {statistics.median(found):7.0f} records/s  (lowest {min(found):.0f})"
        )


if __name__ == "__main__":
    main()
