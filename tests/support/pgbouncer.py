"""A real PgBouncer in transaction mode, in front of the tests' PostgreSQL. As a program: print where it is, or fail."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.support.postgres import Server
from tests.support.servers import LOCALHOST, PATIENCE, free_port

SERVER_CONNECTIONS = 2
"""Connections to PostgreSQL for each database: fewer than the clients have, so that they take turns."""

_SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
_NUMBERS = count(1)
_CONFIGURATION = """
[databases]
* = host={socket} user=postgres

[pgbouncer]
listen_addr = {address}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
query_wait_timeout = 0
logfile = {directory}/log
"""


def installed() -> str | None:
    """Return the path of the program, or None. Debian keeps it where only administrators look."""
    return shutil.which("pgbouncer", path=_SEARCHED)


class Pooler:
    """A running PgBouncer, and new databases behind it."""

    def __init__(self, server: Server, port: int) -> None:
        self._server, self._port = server, port

    def database(self) -> tuple[str, str]:
        """Create an empty database, and return the URLs that lead to it: through the pooler, and directly."""
        name = f"pooled_{os.getpid()}_{next(_NUMBERS)}"
        self._server.execute(f"CREATE DATABASE {name}")
        direct = self._server.address().replace("/postgres?", f"/{name}?").partition("&options")[0]
        return f"postgresql://postgres@{LOCALHOST}:{self._port}/{name}", direct


@contextmanager
def pooling(server: Server) -> Iterator[Pooler]:
    """Run PgBouncer until the block ends."""
    program = installed()
    if program is None:
        raise RuntimeError("There is no pgbouncer. Run tools/pgbouncer, or install your system's package.")
    directory = Path(tempfile.mkdtemp(prefix="consentkit-pgbouncer-"))
    port = free_port()
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(
            socket=server.socket_directory,
            address=LOCALHOST,
            port=port,
            connections=SERVER_CONNECTIONS,
            directory=directory,
        )
    )
    user = server.system_user
    if user is not None:
        # PgBouncer does not run as root, and the server's socket is its own user's.
        shutil.chown(directory, user)
    process = subprocess.Popen(
        [program, "--quiet", str(configuration)],
        user=user,
        extra_groups=[] if user is not None else None,
        stdin=subprocess.DEVNULL,
    )
    try:
        _await(process, port, directory / "log")
        yield Pooler(server, port)
    finally:
        process.kill()
        process.wait(PATIENCE)
        shutil.rmtree(directory, ignore_errors=True)


def _await(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(int(PATIENCE / 0.05)):
        try:
            process.wait(timeout=0.05)
            break
        except subprocess.TimeoutExpired:
            try:
                socket.create_connection((LOCALHOST, port), timeout=1).close()
            except OSError:
                continue
            return
    raise RuntimeError(
        f"PgBouncer does not listen on port {port}:\n{log.read_text() if log.exists() else ''}"
    )


if __name__ == "__main__":
    path = installed()
    if path is None:
        sys.exit(1)
    print(path)
