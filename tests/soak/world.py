"""Several processes of one site over one database, and the ways in which that database is taken away."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from consentkit.ledger import Ledger
from tests.soak.client import ask
from tests.support.postgres import Server
from tests.support.records import another_process_holds
from tests.support.servers import free_port

__all__ = ["OUTAGES", "World"]

PATIENCE = 60


class World:
    """Workers of one site, a database, and the files that the workers write.

    Attributes:
        url: of the ledger.
        ports: of the workers.
    """

    def __init__(
        self,
        directory: Path,
        url: str,
        *,
        workers: int = 2,
        server: Server | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.directory, self.url, self.server, self._options = directory, url, server, options
        self.told, self.log = directory / "told", directory / "log"
        self.told.touch()
        self.ports = [free_port() for _ in range(workers)]
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "World":
        """Start the workers."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask the workers to end."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(PATIENCE)

    def start(self) -> None:
        """Start the workers and wait until they listen."""
        self._processes = [self._start(port) for port in self.ports]
        self._await_workers()

    def kill(self) -> None:
        """End all workers at once."""
        self._end(signal.SIGKILL)

    def restart(self, *, kill: bool) -> None:
        """End all workers, at once or as a deployment does, and start them again."""
        self._end(signal.SIGKILL if kill else signal.SIGTERM)
        self.start()

    def _end(self, how: signal.Signals) -> None:
        for process in self._processes:
            process.send_signal(how)
        for process in self._processes:
            process.wait(PATIENCE)

    def pid(self, worker: int = 0) -> int:
        """Return the process id of a worker."""
        return self._processes[worker].pid

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.soak.site", "--url", self.url, "--port", str(port)]
        command += [
            "--told",
            str(self.told),
            "--log",
            str(self.log),
            "--spool",
            str(self.directory / "spool"),
            *self._options,
        ]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def _await_workers(self) -> None:
        for port, process in zip(self.ports, self._processes, strict=True):
            until = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < until:
                try:
                    ask(port, "GET", "/granted")
                    break
                except OSError:
                    time.sleep(0.05)
            else:
                raise RuntimeError(f"The worker on port {port} did not start: see {self.log}.")

    def settle(self) -> None:
        """Wait until nothing waits for the ledger, and every worker has asked it since."""
        until = time.monotonic() + PATIENCE
        for port in self.ports:
            while not _is_settled(ask(port, "GET", "/health").said):
                if time.monotonic() > until:
                    raise RuntimeError("Records still wait for the ledger, which is back.")
                time.sleep(0.05)
        time.sleep(0.6)  # longer than `recheck`

    @contextmanager
    def reading(self) -> Iterator[Ledger]:
        """Yield the ledger, to count what is in it."""
        ledger = Ledger(self.url, lock_timeout=10)
        try:
            yield ledger
        finally:
            ledger.close()


def _is_settled(health: dict[str, Any]) -> bool:
    """Return whether a worker has delivered all that waited, and has noticed that the ledger answers again."""
    return not health["waiting"] and health["lookups"] != "no answer"


Outage = Callable[[World], AbstractContextManager[None]]


@contextmanager
def _locked(world: World) -> Iterator[None]:
    with another_process_holds(world.url):
        yield


@contextmanager
def _moved_away(world: World) -> Iterator[None]:
    """Take the directory of the file away, as an unmounted disk is gone."""
    path = Path(str(make_url(world.url).database)).parent
    gone = path.with_name("gone")
    path.rename(gone)
    try:
        yield
    finally:
        if path.exists():
            shutil.rmtree(path)
        gone.rename(path)


@contextmanager
def _stopped(world: World) -> Iterator[None]:
    assert world.server is not None
    world.server.stop()
    try:
        yield
    finally:
        world.server.start()


@contextmanager
def _frozen(world: World) -> Iterator[None]:
    assert world.server is not None
    with world.server.frozen("consentkit"):
        yield


OUTAGES: dict[str, dict[str, Outage]] = {
    "sqlite": {"locked": _locked, "moved away": _moved_away},
    "postgresql": {"locked": _locked, "stopped": _stopped, "frozen": _frozen},
}


def resident_megabytes(pid: int) -> float:
    """Return how much memory a process holds (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
