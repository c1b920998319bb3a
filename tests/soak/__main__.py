"""Long runs against real servers and databases: `python -m tests.soak [merges|outages|flood|kills] ...`.

Each prints what it did and what went wrong. The exit code is 1 if anything did.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.soak.flood import flood
from tests.soak.kills import VICTIMS, kill_rounds
from tests.soak.merges import race
from tests.soak.outages import Findings, one_round
from tests.soak.world import OUTAGES, World
from tests.support.postgres import running_server
from tests.support.receiver import receiving

RESTARTS = (None, "kill", "term")


@contextmanager
def worlds(kind: str, workers: int, *, durable: bool = False, options: Sequence[str] = ()) -> Iterator[World]:
    """Start workers over a new database of a kind."""
    with tempfile.TemporaryDirectory(prefix="consentkit-soak-") as name:
        directory = Path(name)
        if kind == "sqlite":
            (directory / "data").mkdir()
            url = f"sqlite:///{directory / 'data' / 'consent.db'}"
            with World(directory, url, workers=workers, options=options) as world:
                yield world
            return
        with (
            running_server(durable=durable) as server,
            World(directory, server.address(), workers=workers, server=server, options=options) as world,
        ):
            yield world


def run_merges(rounds: int) -> bool:
    """Race changes against withdrawals, with one worker and with two, on both databases."""
    well = True
    for kind in OUTAGES:
        for workers in (1, 2):
            with worlds(kind, workers) as world:
                wrong = race(world, rounds)
            print(
                f"{kind}, {workers} worker(s): {rounds} rounds, wrong: {dict(wrong) or 'nothing'}", flush=True
            )
            well &= not wrong
    return well


def run_outages(rounds: int) -> bool:
    """Play every outage, each several times, without and with a restart in the middle of it."""
    well = True
    for kind, outages in OUTAGES.items():
        with worlds(kind, 2) as world:
            for outage in outages:
                found = Findings()
                for number in range(rounds):
                    found.add(one_round(world, outage, restart=RESTARTS[number % len(RESTARTS)]))
                print(
                    f"{kind}, {outage}: {rounds} rounds, {found.answered} decisions answered during the outage, "
                    f"slowest page {found.slowest_page:.2f} s, wrong: {dict(found.wrong) or 'nothing'}",
                    flush=True,
                )
                well &= not found.wrong
    return well


def run_flood(seconds: float, rate: int) -> bool:
    """Flood each database while it is away."""
    well = True
    for kind, outage in (("sqlite", "locked"), ("postgresql", "frozen")):
        with worlds(kind, 1) as world:
            found = flood(world, outage, seconds=seconds, rate=rate)
        pages = statistics.quantiles(found.pages, n=100)
        print(
            f"{kind}, {outage}, {seconds:g} s: {dict(found.sent)}; log lines {found.log_lines}; "
            f"memory {', '.join(f'{megabytes:.0f}' for megabytes in found.memory)} MB; "
            f"pages median {pages[49] * 1000:.0f} ms, p99 {pages[98] * 1000:.0f} ms, "
            f"slowest {max(found.pages) * 1000:.0f} ms; recovered: {found.recovered}",
            flush=True,
        )
        well &= found.recovered
    return well


def run_kills(rounds: int, kinds: Sequence[str]) -> bool:
    """Kill workers, pruning and server under 64 deciders, and verify the chain."""
    well = True
    for kind in kinds:
        with receiving() as receiver:
            options = ["--webhook", receiver.url, "--prune"]
            with worlds(kind, 2, durable=True, options=options) as world:
                found = kill_rounds(world, receiver, rounds)
        print(
            f"{kind}: {rounds} kills of {', '.join(VICTIMS[kind])}; {len(found.acknowledged)} decisions acknowledged, "
            f"{found.refused} refused with 503, {found.records} records, {found.pruned} pruned, {found.missed} not told to a "
            f"listener that was killed, {found.messages} messages, {found.repeated} repeated; wrong: "
            f"{dict(found.wrong) or 'nothing'}",
            flush=True,
        )
        well &= not found.wrong
    return well


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for, by default everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=["merges", "outages", "flood", "kills", []], default=[])
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each outage")
    parser.add_argument("--races", type=int, default=1000, help="rounds of PATCH next to DELETE")
    parser.add_argument("--seconds", type=float, default=600, help="length of each flood")
    parser.add_argument("--rate", type=int, default=1000, help="decisions a second of each flood")
    parser.add_argument("--kills", type=int, default=20, help="rounds of kills on each database")
    parser.add_argument(
        "--database", choices=OUTAGES, action="append", help="kill on this one; may be repeated"
    )
    options = parser.parse_args(arguments)
    parts = {
        "merges": lambda: run_merges(options.races),
        "outages": lambda: run_outages(options.rounds),
        "flood": lambda: run_flood(options.seconds, options.rate),
        "kills": lambda: run_kills(options.kills, options.database or list(OUTAGES)),
    }
    well = [parts[part]() for part in options.parts or parts]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
