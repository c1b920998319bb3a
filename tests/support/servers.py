"""Real servers for tests: uvicorn in a thread, or a program of its own."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

LOCALHOST = "127.0.0.1"
PATIENCE = 30.0
"""Seconds after which a server that does not come up, or does not go, is a failure."""


class _Server(uvicorn.Server):
    """Tells when it listens, or that it never will."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets=sockets)
        finally:
            self.ready.set()


@contextmanager
def serving(app: Any, *, port: int = 0, **options: Any) -> Iterator[str]:
    """Serve an ASGI application, or an import string, and yield its base address.

    Port 0 takes a free one. Options go to uvicorn's `Config`.
    """
    defaults = {"loop": "asyncio", "ws": "websockets-sansio", "log_level": "warning", "lifespan": "auto"}
    config = uvicorn.Config(app, **(defaults | {"timeout_graceful_shutdown": 5} | options))
    config.load()  # here, where what it raises is seen
    server = _Server(config)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOCALHOST, port))
        thread = threading.Thread(target=server.run, args=([listener],), name="uvicorn", daemon=True)
        thread.start()
        try:
            if not server.ready.wait(PATIENCE) or not server.started:
                raise RuntimeError("The server did not start; its log says why.")
            yield f"http://{LOCALHOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            if thread.is_alive():
                raise RuntimeError("The server did not stop.")


@contextmanager
def running(
    arguments: Sequence[str | Path],
    *,
    port: int,
    python: str | Path = sys.executable,
    environment: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    patience: float = PATIENCE,
) -> Iterator[str]:
    """Run a Python program that listens on a port of localhost, and yield its base address once it does.

    The program is asked to end when the context is left, and has to. `environment` is added to our own.
    `patience` is for the start, in seconds.
    """
    process = subprocess.Popen(
        [python, *arguments],
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _await_listener(process, port, patience)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def _await_listener(process: "subprocess.Popen[str]", port: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            try:
                socket.create_connection((LOCALHOST, port), timeout=1).close()
            except OSError:
                continue
            return
        output = process.stdout.read() if process.stdout else ""
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}:\n{output}")
    raise RuntimeError(f"{process.args!r} does not listen on port {port}.")


def free_port(count: int = 1) -> int:
    """Return a port on which nothing listens just now, nor on the ones right after it, so many in all."""
    while True:
        with ExitStack() as probes:
            first = probes.enter_context(socket.socket())
            first.bind((LOCALHOST, 0))
            port = int(first.getsockname()[1])
            try:
                for other in range(port + 1, port + count):
                    probes.enter_context(socket.socket()).bind((LOCALHOST, other))
            except (OSError, OverflowError):
                continue
            return port
