"""Measure durable records a second, 64 deciders at once: group commit against one insert per commit.

Run it with `python -m tests.benchmarks.ledger`. The variants take turns in one process, and a ratio is the median
over the rounds, each against its own round, so that a busy machine slows all of them alike.
"""

import argparse
import os
import queue
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy

from consentkit.ledger import Ledger, Record
from consentkit.ledger.tables import records, to_row
from tests.support.postgres import Server

DECIDERS = 64
SQLITE_TARGET = 5.0
POSTGRESQL_TARGET = 3.0

Store = Callable[[Record], None]
_subjects = count(1)


def record(subject: str = "") -> Record:
    """Make what a visitor's "accept all" leaves behind."""
    subject = subject or f"{next(_subjects):022d}"
    granted = {"analytical": True, "tracking": True, "social": True}
    return Record(
        at=1_788_177_600,
        event="given",
        status="given",
        subject=subject,
        site="stride",
        group="foulee",
        notice="x" * 43,
        language="nl",
        surface="banner",
        choice="accept_all",
        categories=granted,
        vendors={"youtube": False},
        decided_at=1_788_177_600,
        changed_at=1_788_177_600,
        expires_at=1_803_816_000,
        gpc=False,
        jurisdiction="NL",
        version="0.1.0",
    )


def rate(store: Store, each: int) -> float:
    """Let all deciders store `each` records, one after another, and return records a second."""
    work = [[record() for _ in range(each)] for _ in range(DECIDERS)]
    start = threading.Barrier(DECIDERS + 1)
    failures: list[Exception] = []

    def decide(mine: list[Record]) -> None:
        start.wait()
        try:
            for one in mine:
                store(one)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=decide, args=(mine,)) for mine in work]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    if failures:
        raise failures[0]
    return DECIDERS * each / took


@contextmanager
def sqlite(directory: Path) -> Iterator[dict[str, Store]]:
    """Yield the ways to store over one SQLAlchemy engine."""
    engine = sqlalchemy.create_engine(
        f"sqlite:///{directory / 'consent.db'}",
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": 60},
        pool_size=DECIDERS,
    )

    @sqlalchemy.event.listens_for(engine, "connect")
    def durable(connection: Any, _entry: object) -> None:
        connection.execute("PRAGMA synchronous=FULL")

    ledger = Ledger(engine, lock_timeout=60)
    ledger.append(record())
    insert = records.insert().inline()
    turn = threading.Lock()

    def one_per_commit(one: Record) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.execute(insert, to_row(one))
            connection.exec_driver_sql("COMMIT")

    def one_per_commit_in_turn(one: Record) -> None:
        with turn:
            one_per_commit(one)

    yield {
        "group commit": ledger.append,
        "one insert per commit": one_per_commit,
        "one insert per commit, queueing at a lock": one_per_commit_in_turn,
    }
    ledger.close()
    engine.dispose()


@contextmanager
def postgresql(directory: Path, connections: int) -> Iterator[dict[str, Store]]:
    """Yield the ways to store in one PostgreSQL; the pool is of plain psycopg connections."""
    server = Server(directory / "data")
    url = server.address()
    ledger = Ledger(url, lock_timeout=60)
    ledger.append(record())
    columns = list(to_row(record()))
    places = ", ".join(f"%({name})s" for name in columns)
    insert = f"INSERT INTO consentkit_records ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - names of our own columns
    pool: queue.SimpleQueue[psycopg.Connection[Any]] = queue.SimpleQueue()
    for _ in range(connections):
        pool.put(psycopg.connect(url))

    @contextmanager
    def lent() -> Iterator[psycopg.Connection[Any]]:
        connection = pool.get()
        try:
            yield connection
        finally:
            pool.put(connection)

    def one_per_commit(one: Record) -> None:
        # As leaving `with psycopg_pool.ConnectionPool.connection()` does.
        with lent() as connection:
            connection.execute(insert, to_row(one))
            connection.commit()

    def one_per_autocommit(one: Record) -> None:
        with lent() as connection:
            connection.autocommit = True
            connection.execute(insert, to_row(one))
            connection.autocommit = False

    yield {
        "group commit": ledger.append,
        f"pool of {connections}, one insert per commit": one_per_commit,
        f"pool of {connections}, one insert, autocommit": one_per_autocommit,
    }
    ledger.close()
    for _ in range(connections):
        pool.get().close()
    server.close()


def measure(title: str, ways: dict[str, Store], *, rounds: int, each: int, target: float) -> bool:
    """Print a table of rates and ratios; say whether the first way reaches its target over the second."""
    for store in ways.values():
        rate(store, 2)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, store in ways.items():
            rates[name].append(rate(store, each))
    ours, *others = rates.values()
    print(f"\n{title}: {DECIDERS} deciders, {rounds} rounds of {DECIDERS * each} records")
    print(f"  {'':45}{'records/s':>12}{'ratio':>8}{'lowest':>8}")
    ratios = [[mine / theirs for mine, theirs in zip(ours, other, strict=True)] for other in others]
    for name, (values, factor) in zip(rates, zip(rates.values(), [[], *ratios], strict=True), strict=True):
        shown = f"{statistics.median(factor):8.1f}{min(factor):8.1f}" if factor else ""
        print(f"  {name:45}{statistics.median(values):12.0f}{shown}")
    reached = statistics.median(ratios[0]) >= target
    print(f"  target: {target:g} x; {'reached' if reached else 'MISSED'}")
    return reached


def main(arguments: list[str] | None = None) -> int:
    """Run both; exit code 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--each", type=int, default=20, help="records per decider and round")
    parser.add_argument(
        "--connections", type=int, default=10, help="size of the PostgreSQL pool compared with"
    )
    options = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, SQLAlchemy {sqlalchemy.__version__}")
    with tempfile.TemporaryDirectory(prefix="ledger-") as name:
        directory = Path(name)
        with sqlite(directory) as ways:
            reached = measure("SQLite", ways, rounds=options.rounds, each=options.each, target=SQLITE_TARGET)
        with postgresql(directory, options.connections) as ways:
            reached &= measure(
                "PostgreSQL", ways, rounds=options.rounds, each=options.each, target=POSTGRESQL_TARGET
            )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
