"""A stranger who sends decisions without number while the ledger is away: memory, log and pages."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.soak.client import Browser, ask
from tests.soak.world import OUTAGES, World, resident_megabytes
from tests.support.servers import LOCALHOST

__all__ = ["Flooded", "flood"]

CONNECTIONS = 32


@dataclass
class Flooded:
    """What a flood did.

    Attributes:
        sent: decisions by HTTP status.
        memory: megabytes that the worker holds, before, every tenth of the flood, and after.
        log_lines: lines that the flood added to the log.
        pages: seconds that pages took during the flood.
        recovered: whether a decision was recorded afterwards, without a restart.
    """

    sent: Counter[int] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    log_lines: int = 0
    pages: list[float] = field(default_factory=list)
    recovered: bool = False


def flood(world: World, outage: str, *, seconds: float, rate: int) -> Flooded:
    """Send decisions to the first worker while its database is away, look at pages meanwhile, and bring it back."""
    found = Flooded()
    visitor = Browser()
    visitor.accept(world.ports[0])
    kind = "sqlite" if world.url.startswith("sqlite") else "postgresql"
    found.memory.append(resident_megabytes(world.pid()))
    lines = world.log.read_bytes().count(b"\n")
    with OUTAGES[kind][outage](world):
        asyncio.run(_flood(world, visitor, found, seconds, rate))
    world.settle()
    found.memory.append(resident_megabytes(world.pid()))
    found.log_lines = world.log.read_bytes().count(b"\n") - lines
    found.recovered = Browser().accept(world.ports[0]).status == 200
    return found


async def _flood(world: World, visitor: Browser, found: Flooded, seconds: float, rate: int) -> None:
    until = time.monotonic() + seconds
    attackers = [_attack(world.ports[0], until, rate / CONNECTIONS, found, n) for n in range(CONNECTIONS)]
    await asyncio.gather(
        *attackers, _look(world, visitor, until, found), _weigh(world, until, found, seconds)
    )


async def _attack(port: int, until: float, rate: float, found: Flooded, number: int) -> None:
    """Send refusals and grants in turn, at a steady rate."""
    reader, writer = await asyncio.open_connection(LOCALHOST, port)
    due = time.monotonic()
    while (now := time.monotonic()) < until:
        due += 1 / rate
        await asyncio.sleep(max(0, due - now))
        number += 1
        body = json.dumps({"choice": "reject_all" if number % 4 else "accept_all"}).encode()
        head = "POST /consent/decision HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        found.sent[int(answer[9:12])] += 1
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


async def _look(world: World, visitor: Browser, until: float, found: Flooded) -> None:
    """Look at pages, with a cookie that was seen before and without any."""
    while time.monotonic() < until:
        for token in (visitor.token, None):
            page = await asyncio.to_thread(ask, world.ports[0], "GET", "/", token=token)
            found.pages.append(page.seconds)
        await asyncio.sleep(0.1)


async def _weigh(world: World, until: float, found: Flooded, seconds: float) -> None:
    while time.monotonic() < until:
        await asyncio.sleep(seconds / 10)
        found.memory.append(resident_megabytes(world.pid()))
