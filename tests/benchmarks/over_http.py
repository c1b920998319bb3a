"""Server CPU that the middleware adds over HTTP: uvicorn as users run it, in a process of its own.

All variants stand side by side in that one process, below a path each, and take turns; each tells its own CPU time. So
what slows the machine slows all of them, and what reading and writing HTTP costs cancels out.
"""

import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.middleware.sessions import SessionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from consentkit.asgi import ConsentMiddleware
from tests.benchmarks.visits import BODY, JSON, KEY, Pairs, Visitor, answering, managing
from tests.support.servers import LOCALHOST, free_port, running

__all__ = ["BUDGETS", "REFERENCE", "added_cpu"]

REFERENCE = "SessionMiddleware"
BUDGETS = {"untouched": 0.20, "read": 0.35}
AT_ONCE = 100
"""Requests of one variant before the next one's turn."""
# Each variant, and what it is like without the middleware.
_BARE = {REFERENCE: "bare", "untouched": "bare/consent", "read": "bare/reading"}


def applications() -> Iterator[dict[str, ASGIApp]]:
    """Yield every variant by its path."""
    plain, reading = answering(JSON, BODY), answering(JSON, BODY, ask=False)
    with managing() as (manager, _):
        visitor = Visitor(manager)
        yield {
            "bare": plain,
            REFERENCE: SessionMiddleware(plain, secret_key=KEY),
            "bare/consent": plain,
            "untouched": ConsentMiddleware(plain, manager),
            "bare/reading": reading,
            "read": ConsentMiddleware(answering(JSON, BODY, ask=True), manager),
            "cpu": _cpu(),
            "first": _lines(visitor.first),
            "again": _lines(visitor.again),
        }


def _lines(headers: Pairs) -> ASGIApp:
    """Tell the client what its browser is to send."""
    return _telling(lambda: b"".join(b"%b: %b\r\n" % header for header in headers))


def _cpu() -> ASGIApp:
    return _telling(lambda: b"%d" % time.process_time_ns())


def _telling(what: Callable[[], bytes]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = what()
        await answering([(b"content-length", b"%d" % len(body))], body)(scope, receive, send)

    return app


def added_cpu(*, rounds: int, at_once: int = AT_ONCE) -> dict[str, float]:
    """Measure the nanoseconds of CPU that each variant adds to a request: medians of same-round differences."""
    port = free_port()
    taken: dict[str, list[float]] = {path: [] for pair in _BARE.items() for path in pair}
    with running(["-m", "tests.benchmarks.over_http", str(port)], port=port):
        requests = {
            path: _request(path, _get(port, "first" if path in (REFERENCE, "bare") else "again"))
            for path in taken
        }
        with socket.create_connection((LOCALHOST, port)) as connection:
            for request in requests.values():
                _send(connection, request, 2 * at_once)
            for _ in range(rounds):
                for path, request in requests.items():
                    before = int(_get(port, "cpu"))
                    _send(connection, request, at_once)
                    taken[path].append((int(_get(port, "cpu")) - before) / at_once)
    return {
        path: statistics.median(
            with_it - without for with_it, without in zip(taken[path], taken[bare], strict=True)
        )
        for path, bare in _BARE.items()
    }


def _request(path: str, lines: bytes) -> bytes:
    return b"GET /%b HTTP/1.1\r\n%b\r\n" % (path.encode(), lines)


def _send(connection: socket.socket, request: bytes, times: int) -> None:
    for _ in range(times):
        connection.sendall(request)
        answer = b""
        while not answer.endswith(BODY):
            piece = connection.recv(65536)
            if not piece:
                raise RuntimeError(f"The server hung up: {answer!r}")
            answer += piece


def _get(port: int, path: str) -> bytes:
    with socket.create_connection((LOCALHOST, port)) as connection:
        connection.sendall(_request(path, b"host: localhost\r\nconnection: close\r\n"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.partition(b"\r\n\r\n")[2]


def main(port: int) -> None:
    with contextmanager(applications)() as variants:
        by_path = {f"/{path}": app for path, app in (variants).items()}

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await by_path[scope["path"]](scope, receive, send)

        uvicorn.run(app, host=LOCALHOST, port=port, log_level="warning", access_log=False, lifespan="off")


if __name__ == "__main__":
    main(int(sys.argv[1]))
