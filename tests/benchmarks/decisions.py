"""Decisions a second over HTTP: `POST /consent/decision` against an endpoint that a site would write by hand.

The endpoint by hand does what any site needs and no more. It refuses requests from pages of other sites, because a decision
must be the visitor's own. It reads the visitor's earlier cookie, because a change keeps the pseudonym. It validates the JSON and
the ids in it, inserts one row durably through a pool of connections, signs a cookie, and forbids caches to keep the answer.

Both run under uvicorn, a process each, and take turns. Every client is a new visitor each time. A ratio is the median over the
rounds, each against its own round.
"""

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
import uvicorn
from itsdangerous import BadSignature, Signer
from pydantic import BaseModel, StrictBool, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from consentkit import ConsentManager, load_policy
from consentkit.asgi import ConsentMiddleware
from tests.benchmarks.visits import KEY, POLICY
from tests.support.servers import LOCALHOST, free_port, running

__all__ = ["CLIENTS", "LINES", "main"]

CLIENTS = (1, 8, 64)
LINES = {1: 1.0, 8: 1.0, 64: 2.0}
ORIGIN = "http://localhost"
CATEGORIES = frozenset({"analytical", "tracking", "social"})
COLUMNS = ("id", "subject", "site", "notice", "language", "surface", "choice", "categories", "vendors")
BODY = json.dumps({"choice": "accept_all"}).encode()


class HandWrittenChoice(BaseModel):
    choice: str | None = None
    categories: dict[str, StrictBool] | None = None


def _table_by_hand(url: str) -> tuple[sqlalchemy.Engine, sqlalchemy.Table]:
    """Return an engine whose commits are durable, and the table of decisions."""
    options: dict[str, Any] = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    engine = sqlalchemy.create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), pool_size=10, max_overflow=0, **options
    )
    metadata = sqlalchemy.MetaData()
    decisions = sqlalchemy.Table(
        "decisions",
        metadata,
        sqlalchemy.Column("seq", sqlalchemy.Integer, primary_key=True),
        *(sqlalchemy.Column(name, sqlalchemy.Text, nullable=False) for name in COLUMNS),
        sqlalchemy.Column("decided_at", sqlalchemy.BigInteger, nullable=False),
        sqlalchemy.Index("decisions_subject", "subject"),
    )
    if url.startswith("sqlite"):

        @sqlalchemy.event.listens_for(engine, "connect")
        def durable(connection: Any, _entry: object) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

    metadata.create_all(engine)
    return engine, decisions


def by_hand(url: str) -> Starlette:
    """Return an application with an endpoint that stores one row a decision, each with a commit of its own."""
    engine, decisions = _table_by_hand(url)
    insert = decisions.insert().inline()
    signer = Signer(KEY, salt="by hand", digest_method=hashlib.sha256)

    def earlier_subject(request: Request) -> str | None:
        try:
            return signer.unsign(request.cookies.get("consent", "")).decode().rpartition(".")[2]
        except BadSignature:
            return None

    def store(row: dict[str, Any]) -> None:
        with engine.begin() as connection:
            connection.execute(insert, row)

    async def decide(request: Request) -> Response:
        headers = request.headers
        if headers.get("origin", ORIGIN) != ORIGIN or headers.get("sec-fetch-site") == "cross-site":
            return Response(status_code=403)
        try:
            choice = HandWrittenChoice.model_validate_json(await request.body())
        except ValidationError:
            return Response(status_code=400)
        categories = choice.categories or dict.fromkeys(CATEGORIES, True)
        if not categories.keys() <= CATEGORIES:
            return Response(status_code=400)
        now, subject = int(time.time()), earlier_subject(request) or uuid.uuid4().hex
        row = dict.fromkeys(COLUMNS, "x" * 11) | {
            "id": str(uuid.uuid4()),
            "subject": subject,
            "categories": json.dumps(categories),
            "decided_at": now,
        }
        await run_in_threadpool(store, row)
        answer = {"status": "given", "categories": categories, "decided_at": now}
        response = JSONResponse(answer, headers={"cache-control": "private, no-store"})
        token = signer.sign(f"1d.7.{now}.{subject}").decode()
        response.set_cookie("consent", token, max_age=15_552_000, httponly=True, samesite="lax")
        return response

    return Starlette(routes=[Route("/consent/decision", decide, methods=["POST"])])


@contextmanager
def ours(url: str) -> Iterator[ConsentMiddleware]:
    """Yield the library in front of an empty application."""
    manager = ConsentManager(
        load_policy(POLICY),
        secret_key=KEY,
        ledger=url,
        site="stride",
        origins={"stride": ORIGIN},
    )
    try:
        yield ConsentMiddleware(Starlette(), manager)
    finally:
        manager.close()


def request(port: int) -> bytes:
    """Return one request, without cookies, as a script sends it."""
    head = (
        f"POST /consent/decision HTTP/1.1\r\nhost: {LOCALHOST}:{port}\r\ncontent-type: application/json\r\n"
    )
    return f"{head}content-length: {len(BODY)}\r\n\r\n".encode() + BODY


async def _visit(port: int, until: float, counted: list[int]) -> None:
    reader, writer = await asyncio.open_connection(LOCALHOST, port)
    sent = request(port)
    while time.perf_counter() < until:
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"Not stored: {head!r}")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        counted[0] += 1
    writer.close()


async def _rate(port: int, clients: int, seconds: float) -> float:
    counted = [0]
    begun = time.perf_counter()
    await asyncio.gather(*(_visit(port, begun + seconds, counted) for _ in range(clients)))
    return counted[0] / (time.perf_counter() - begun)


def compared(urls: tuple[str, str], *, rounds: int, seconds: float) -> dict[int, tuple[float, float, float]]:
    """Return decisions a second of ours and by hand, and the median ratio of a round, by the number of clients."""
    ports = free_port(), free_port()
    found: dict[int, list[tuple[float, float]]] = {clients: [] for clients in CLIENTS}
    with ExitStack() as servers:
        for which, url, port in zip(("ours", "hand"), urls, ports, strict=True):
            command = [
                "-m",
                "tests.benchmarks.decisions",
                "--serve",
                which,
                "--url",
                url,
                "--port",
                str(port),
            ]
            servers.enter_context(running(command, port=port))
        for port in ports:
            asyncio.run(_rate(port, 8, 0.5))
        for _ in range(rounds):
            for clients in CLIENTS:
                mine, theirs = (asyncio.run(_rate(port, clients, seconds)) for port in ports)
                found[clients].append((mine, theirs))
    return {
        clients: (
            statistics.median(mine for mine, _ in pairs),
            statistics.median(theirs for _, theirs in pairs),
            statistics.median(mine / theirs for mine, theirs in pairs),
        )
        for clients, pairs in found.items()
    }


def show(title: str, found: dict[int, tuple[float, float, float]]) -> bool:
    """Print decisions a second; return whether every line is reached."""
    print(
        f"\nPOST /consent/decision, {title}\n  {'clients':>10}{'ours/s':>10}{'by hand/s':>12}{'ratio':>8}{'line':>8}"
    )
    met = True
    for clients, (mine, theirs, ratio) in found.items():
        reached = ratio >= LINES[clients]
        met &= reached
        verdict = "" if reached else "  MISSED"
        print(f"  {clients:>10}{mine:>10.0f}{theirs:>12.0f}{ratio:>8.2f}{LINES[clients]:>8.1f}{verdict}")
    return met


def measure(*, rounds: int, seconds: float) -> bool:
    """Measure both databases, and print a table for each."""
    from tests.support.postgres import running_server

    with tempfile.TemporaryDirectory() as directory:
        files = tuple(f"sqlite:///{Path(directory) / name}.db" for name in ("ours", "hand"))
        met = show("SQLite", compared((files[0], files[1]), rounds=rounds, seconds=seconds))
    with running_server(durable=True) as server:
        urls = server.address(), server.address()
        return show("PostgreSQL", compared(urls, rounds=rounds, seconds=seconds)) and met


def main(arguments: list[str] | None = None) -> int:
    """Measure, or serve one of the two applications for the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--serve", choices=("ours", "hand"))
    parser.add_argument("--url", default="")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.serve is None:
        print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
        return 0 if measure(rounds=options.rounds, seconds=options.seconds) else 1
    with ExitStack() as running_app:
        app = (
            by_hand(options.url) if options.serve == "hand" else running_app.enter_context(ours(options.url))
        )
        uvicorn.run(
            app, host=LOCALHOST, port=options.port, log_level="warning", access_log=False, lifespan="off"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
