"""Start the magazine and its two sister sites: `python -m examples.running_magazine --port 8000`."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from .development import build, origins_from
from .magazine import HERE

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the magazine on the given port and its sister sites on the next two, until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.running_magazine", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--data", type=Path, default=HERE / "data", help="where the keys and the ledger are kept"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    apps = build(options.data, options.port)
    servers = [
        _Server(uvicorn.Config(app, host=options.host, port=options.port + place, log_level="info"))
        for place, app in enumerate(apps.values())
    ]
    # uvicorn would print addresses at which the sites do not accept decisions.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    for site, (address, *others) in origins_from(options.port).items():
        print(f"{site.title()}: {address}{''.join(f' (also {other})' for other in others)}", flush=True)
    asyncio.run(_serve(servers))


class _Server(uvicorn.Server):
    """A server that does not handle signals itself, so that all three stop together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(servers: Sequence[uvicorn.Server]) -> None:
    def stop(*_: object) -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        await asyncio.gather(*(server.serve() for server in servers))
    finally:
        stop()


if __name__ == "__main__":
    main()
