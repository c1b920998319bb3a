"""Measure what is done with a large ledger: time, memory, and how long a writer is held up meanwhile.

Run it with `python -m tests.benchmarks.scale`, and with `--postgresql` for a server. The records are made by SQL; half of them
are old. They are taken into the chain as those of an older version are. Everything runs in a process of its own, so that its
memory can be told apart, while another process writes a record every few milliseconds.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from consentkit.ledger import ChainRows, Ledger, snapshot, upgrade_ledger
from consentkit.policy import Duration
from consentkit.proof import Retention, as_json, erase, history_of, verify
from tests.support.postgres import Server
from tests.support.records import NOON, a_record

LONGEST_HOLD_UP = 0.1
MOST_MEMORY = 200 * 2**20
LOOK_UPS = 1000
KEPT = Duration.parse("P24M")
NOW = KEPT.seconds_from(NOON)
SITES = ("stride",)

_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})",
    "postgresql": "WITH numbers AS (SELECT generate_series(1, {count}) AS n)",
}
_ID = {
    "sqlite": "printf('%08x-0000-4000-8000-000000000000', n)",
    "postgresql": "lpad(to_hex(n), 8, '0') || '-0000-4000-8000-000000000000'",
}
# Four records for each visitor. The validity of the first half has ended at noon; that of the others ends two years later.
_RECORDS = """
INSERT INTO consentkit_records (id, at, event, status, subject, site, site_group, notice, language, surface, rendering, choice,
    categories, vendors, began, ended, decided_at, changed_at, revision, expires_at, gpc, jurisdiction, version, precedence)
{numbers} SELECT {id}, {noon} - 1000, 'given', 'given', 'visitor ' || ((n - 1) / 4), 'stride', 'foulee', 'notice', 'nl', 'banner',
    '', 'accept_all', '{{"analytical":true,"tracking":true,"social":true}}', '{{"youtube":false}}',
    '{{"categories":[],"vendors":[]}}', '{{"categories":[],"vendors":[]}}', {noon} - 1000, {noon} - 1000, 0,
    CASE WHEN n <= {count} / 2 THEN {noon} ELSE {now} END, {no}, 'NL', '1', n FROM numbers
"""
_LINKS = """
INSERT INTO consentkit_links (at, handle_from, handle_to)
{numbers} SELECT {noon} - 1000, 'visitor ' || (n * 4), 'handle ' || n FROM numbers
"""


def make(url: str, count: int) -> None:
    """Fill an empty ledger with records and links."""
    ledger = Ledger(url, lock_timeout=600)
    ledger.check()
    ledger.counts()
    engine = ledger._database._engine
    dialect = engine.dialect.name
    values = {
        "count": count,
        "noon": NOON,
        "now": NOW,
        "id": _ID[dialect],
        "no": "0" if dialect == "sqlite" else "false",
    }
    with engine.connect() as connection:
        if dialect == "postgresql":
            connection.exec_driver_sql("SET statement_timeout = 0")
        for statement, rows in ((_RECORDS, count), (_LINKS, count // 16)):
            numbers = _NUMBERS[dialect].format(count=rows)
            connection.exec_driver_sql(statement.format(**values | {"numbers": numbers}))
        connection.exec_driver_sql("ANALYZE")
    ledger.close()


def chain(url: str) -> str:
    """Take all records and links into the chain."""
    return f"{upgrade_ledger(url).unchained} rows"


def look_up(url: str) -> str:
    """Ask for the newest record of visitors, one after another, as pages of visitors that a process has not met do."""
    ledger = Ledger(url, lock_timeout=30)
    count = ledger.changes(None)[1]
    took = []
    for number in range(LOOK_UPS):
        began = time.perf_counter()
        assert ledger.newest(f"visitor {number * 7919 % (count // 8)}") is not None
        took.append(time.perf_counter() - began)
    ledger.close()
    return f"each: {_spread(took)}"


def poll(url: str) -> str:
    """Poll at the end of the ledger, and then from its beginning."""
    ledger, took = Ledger(url, lock_timeout=30), []
    cursor = ledger.changes(None)[1]
    for _ in range(LOOK_UPS):
        began = time.perf_counter()
        cursor = ledger.changes(cursor)[1]
        took.append(time.perf_counter() - began)
    began = time.perf_counter()
    found, _ = ledger.changes(0)
    behind = time.perf_counter() - began
    ledger.close()
    return f"each: {_spread(took)}; the first {len(found)} records: {1000 * behind:.0f} ms"


def verify_all(url: str) -> str:
    """Verify the whole chain."""
    with snapshot(url) as connection:
        result = verify(ChainRows(connection))
    assert result.is_unchanged, result.findings
    return f"{result.entries} entries"


def _spread(seconds: list[float]) -> str:
    ordered = sorted(1000 * each for each in seconds)
    return f"median {ordered[len(ordered) // 2]:.2f} ms, 99 % {ordered[len(ordered) * 99 // 100]:.2f} ms"


def export_one(url: str) -> str:
    """Write everything about one visitor."""
    ledger = Ledger(url, lock_timeout=30)
    written = sum(len(part) for part in as_json(history_of(ledger, "visitor 400"), NOW))
    ledger.close()
    return f"{written} characters"


def erase_one(url: str) -> str:
    """Erase one visitor."""
    ledger = Ledger(url, lock_timeout=30)
    erased = erase(ledger, "visitor 400", now=NOW)
    ledger.close()
    return f"{erased.records} records"


def prune_all(url: str) -> str:
    """Prune what is old: half of the ledger."""
    ledger = Ledger(url, lock_timeout=30)
    *_, pruned = Retention(ledger, KEPT, SITES).prune(NOW)
    ledger.close()
    return f"{pruned.records} records, {pruned.links} links"


def nothing(url: str) -> str:
    """Leave the writer alone, to compare with."""
    time.sleep(5)
    return ""


WORKS = (chain, nothing, look_up, poll, export_one, verify_all, erase_one, prune_all, verify_all)


def _measured(work: Callable[[str], str], url: str, results: Connection) -> None:
    began = time.monotonic()
    told = work(url)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    results.send((time.monotonic() - began, memory, told))


def _write(url: str, ends: Any, results: Connection) -> None:
    """Store one record after another until told to end, and send how long each took."""
    ledger, took = Ledger(url, lock_timeout=30), []
    ledger.append(a_record(subject="writer", expires_at=NOW * 2))
    results.send(None)
    while not ends.is_set():
        record = a_record(subject="writer", expires_at=NOW * 2)
        began = time.monotonic()
        ledger.append(record)
        took.append(time.monotonic() - began)
        time.sleep(0.005)
    ledger.close()
    results.send(took)


def measure(work: Callable[[str], str], url: str) -> tuple[float, float, str, list[float]]:
    """Return seconds, bytes of memory and the result of work in a process of its own, and what a writer waited meanwhile."""
    spawn = multiprocessing.get_context("spawn")
    ends = spawn.Event()
    from_writer, to_us = spawn.Pipe(duplex=False)
    writer = spawn.Process(target=_write, args=(url, ends, to_us), daemon=True)
    writer.start()
    from_writer.recv()
    from_worker, of_worker = spawn.Pipe(duplex=False)
    worker = spawn.Process(target=_measured, args=(work, url, of_worker), daemon=True)
    worker.start()
    # Its own copy is the only one left, so that its failure ends the measurement.
    of_worker.close()
    seconds, memory, told = from_worker.recv()
    worker.join()
    ends.set()
    waited: list[float] = from_writer.recv()
    writer.join()
    return seconds, memory, told, sorted(waited)


def run(url: str, count: int) -> bool:
    """Measure everything on one database, print it, and return whether all limits were kept."""
    began = time.monotonic()
    make(url, count)
    print(f"{url.partition(':')[0]}: {count} records made in {time.monotonic() - began:.0f} s", flush=True)
    kept = True
    for work in WORKS:
        seconds, memory, told, waited = measure(work, url)
        longest = waited[-1] if waited else 0.0
        usual = waited[len(waited) // 2] if waited else 0.0
        print(
            f"  {work.__name__:<12}{seconds:8.2f} s {memory / 2**20:6.0f} MB  writer: {len(waited)} writes, median "
            f"{1000 * usual:.1f} ms, 99 % {1000 * waited[len(waited) * 99 // 100] if waited else 0:.1f} ms, "
            f"longest {1000 * longest:.1f} ms  {told}",
            flush=True,
        )
        kept = kept and memory < MOST_MEMORY and (work is nothing or longest < LONGEST_HOLD_UP)
    return kept


def main() -> None:
    """Measure on SQLite, or on PostgreSQL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument(
        "--postgresql", action="store_true", help="on a server of its own, which flushes to the disk"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not chosen.postgresql:
            sys.exit(0 if run(f"sqlite:///{Path(folder) / 'consent.db'}", chosen.records) else 1)
        server = Server(Path(folder) / "data")
        try:
            kept = run(server.address(), chosen.records)
        finally:
            server.close()
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
