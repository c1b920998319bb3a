"""Measure hand-offs between three sites: a process each, one PostgreSQL, and what a million older records change.

Run it with `python -m tests.benchmarks.handoff`. One hand-off is what a visitor waits for between the click on a link and
the page: three requests that are answered by redirects, by two processes, with three rows written durably. Each is made by
another visitor, who has just accepted on the first site.
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette

from consentkit import ConsentManager
from consentkit.asgi import ConsentMiddleware
from consentkit.handoff.keys import public_half
from tests.support.postgres import Server
from tests.support.servers import LOCALHOST, free_port, running

SITES = ("stride", "trailhead", "shoelab")
VISITORS = 8
# Of no use anywhere else.
PRIVATE_KEYS = {
    "stride": "9PJEMMwy6ISNSsmOe9UJ4ZsOvHBxN86z43ZyYQTNJYQ",
    "trailhead": "B61uQope6JTiqIvcW0twXFjzJxYVkI1Kdtaicdkqc2c",
    "shoelab": "_thfObWyDkja-XPKFdBKOdBPB-bOh3578cFe8bR4NaM",
}
# As many visitors' records, and links between two pseudonyms of each.
FILL = """
INSERT INTO consentkit_records ({columns})
SELECT {values} FROM (SELECT * FROM consentkit_records ORDER BY seq LIMIT 1) AS one, generate_series(1, {count}) AS n;
INSERT INTO consentkit_links (at, handle_from, handle_to)
SELECT 1, left(md5('a' || n), 22), left(md5('b' || n), 22) FROM generate_series(1, {count}) AS n;
VACUUM ANALYZE consentkit_records; VACUUM ANALYZE consentkit_links; CHECKPOINT
"""


def serve(site: str, port: int, database: str) -> None:
    """Run one site."""
    from consentkit import Policy
    from tests.support.told import EXAMPLE

    rows = [
        {"id": one, "name": one.title(), "origin": f"https://{one}.example", "public_key": public_half(key)}
        for one, key in PRIVATE_KEYS.items()
    ]
    first = port - SITES.index(site)
    manager = ConsentManager(
        Policy.model_validate(EXAMPLE | {"sites": rows}),
        secret_key="a key that the benchmarks sign with, and nobody else",
        ledger=database,
        site=site,
        origins={one: f"http://{one}.localhost:{first + place}" for place, one in enumerate(SITES)},
        private_key=PRIVATE_KEYS[site],
    )
    uvicorn.run(ConsentMiddleware(Starlette(), manager), port=port, log_level="error", access_log=False)


@contextmanager
def the_group(database: str) -> Iterator[int]:
    """Run the three sites, and yield the first one's port; the others have the next ones."""
    port = free_port(len(SITES))
    with ExitStack() as processes:
        for place, site in enumerate(SITES):
            command = ["-m", "tests.benchmarks.handoff", "--serve", site, "--port", str(port + place)]
            processes.enter_context(
                running([*command, "--database", database], port=port + place, cwd=Path(__file__).parents[2])
            )
        yield port


class Visitor:
    """A browser without a page: connections that stay open, and one cookie jar for each site."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open = [
            http.client.HTTPConnection(LOCALHOST, port + place, timeout=60) for place in range(len(SITES))
        ]
        self.jars: dict[int, dict[str, str]] = {}

    def ask(self, place: int, method: str, target: str, body: bytes | None = None) -> str:
        """Make a request of a site, and give the address that it leads to."""
        origin = f"{SITES[place]}.localhost:{self._port + place}"
        jar = self.jars.setdefault(place, {})
        headers = {"Host": origin, "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        if body is not None:
            headers |= {"Origin": f"http://{origin}", "Content-Type": "application/json"}
        self._open[place].request(method, target, body, headers)
        response = self._open[place].getresponse()
        response.read()
        for line in response.headers.get_all("set-cookie") or ():
            name, _, value = line.split(";")[0].partition("=")
            jar[name] = value
        assert response.status in (200, 303), response.status
        return response.headers.get("location") or ""

    def accept(self) -> None:
        """Become another visitor, who has accepted on the first site."""
        self.jars = {}
        self.ask(0, "POST", "/consent/decision", json.dumps({"choice": "accept_all"}).encode())

    def cross(self, audience: int) -> float:
        """Carry the choice to another site; returns the seconds that took."""
        begun = time.perf_counter()
        target = "/consent/handoff/start?iss=stride&next=%2F"
        for place in (audience, 0, audience):
            parts = urlsplit(self.ask(place, "GET", target))
            target = f"{parts.path}?{parts.query}"
        took = time.perf_counter() - begun
        assert "consent" in self.jars[audience], "nothing was handed over"
        return took


def measure(port: int, each: int) -> tuple[float, list[float]]:
    """Let all visitors cross at once, again and again; returns hand-offs a second of their time, and how long each took."""
    took: list[list[float]] = [[] for _ in range(VISITORS)]
    failures: list[BaseException] = []

    def play(mine: list[float], start: int) -> None:
        try:
            visitor, audiences = Visitor(port), cycle((1, 2))
            for _ in range(start):
                next(audiences)
            for _ in range(each):
                visitor.accept()
                mine.append(visitor.cross(next(audiences)))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=play, args=(mine, place)) for place, mine in enumerate(took)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    every = [one for mine in took for one in mine]
    return VISITORS * len(every) / sum(every), sorted(every)


def fill(database: str, count: int) -> None:
    """Add records of so many other visitors, each with a link."""
    import psycopg

    own = {
        "id": "gen_random_uuid()::text",
        "subject": "left(md5('a' || n), 22)",
    }
    with psycopg.connect(database, autocommit=True) as connection:
        found = connection.execute(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = 'consentkit_records' ORDER BY ordinal_position"
        ).fetchall()
        columns = [f'"{name}"' for (name,) in found if name != "seq"]
        values = [own.get(name.strip('"'), f"one.{name}") for name in columns]
        for statement in FILL.format(columns=", ".join(columns), values=", ".join(values), count=count).split(
            ";"
        ):
            connection.execute(statement.encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure with few and with many records; exit code 1 where the many make a hand-off half as dear again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=20, help="hand-offs of each visitor in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--records", type=int, default=1_000_000, help="how many are many")
    parser.add_argument("--serve", choices=SITES, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.serve, options.port, options.database)
        return 0
    print(
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; {VISITORS} visitors at once, 3 processes, 1 PostgreSQL"
    )
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="handoff-"))
        server = Server(Path(name) / "data")
        stack.callback(server.close)
        ports = {}
        for count in (100, options.records):
            database = server.address()
            ports[count] = stack.enter_context(the_group(database))
            measure(ports[count], 5)
            fill(database, count)
        # In turns, so that a busy machine slows both alike.
        rounds = [
            {count: measure(port, options.each) for count, port in ports.items()}
            for _ in range(options.rounds)
        ]
    for count in ports:
        rate = statistics.median(one[count][0] for one in rounds)
        times = sorted(took for one in rounds for took in one[count][1])
        middle, p99 = statistics.median(times), times[int(len(times) * 0.99)]
        print(
            f"  {count:>9,} records: {rate:6.0f} hand-offs/s, median {middle * 1e3:6.1f} ms, p99 {p99 * 1e3:6.1f} ms"
        )
    few, many = ports
    ratio = statistics.median(
        statistics.median(one[many][1]) / statistics.median(one[few][1]) for one in rounds
    )
    print(f"  many to few: {ratio:.2f} (target: at most 1.5)")
    return 0 if ratio <= 1.5 else 1


if __name__ == "__main__":
    sys.exit(main())
