"""Records, and other sessions that hold a database, for the tests of the ledger."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from sqlalchemy import make_url

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import Record

Result = TypeVar("Result")

NOON = 1_788_177_600  # 31 August 2026, UTC

_HOLD_SQLITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN " + sys.argv[2])
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


def a_record(**changes: Any) -> Record:
    """Make a grant of everything, with what the test changes about it."""
    values: dict[str, Any] = {
        "at": NOON,
        "event": "given",
        "status": "given",
        "subject": "A" * 22,
        "site": "stride",
        "group": "foulee",
        "notice": "n" * 43,
        "language": "nl",
        "surface": "banner",
        "choice": "accept_all",
        "categories": {"analytical": True, "tracking": True, "social": True},
        "vendors": {"youtube": False},
        "decided_at": NOON,
        "changed_at": NOON,
        "expires_at": NOON + 184 * 86_400,
        "gpc": False,
        "jurisdiction": "NL",
        "version": "0.1.0",
    }
    return Record(**(values | changes))


def eventually(use: Callable[[], Result]) -> Result:
    """Use a ledger again and again until it is available; the test's own timeout is the limit."""
    while True:
        try:
            return use()
        except LedgerUnavailableError:
            continue


@contextmanager
def another_process_holds(url: str, how: str = "EXCLUSIVE") -> Iterator[None]:
    """Keep a ledger from being written by a session that is not ours, until the block ends."""
    if url.startswith("sqlite"):
        command = [sys.executable, "-c", _HOLD_SQLITE, str(make_url(url).database), how]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            try:
                yield
            finally:
                process.communicate("\n")
        return
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (0x636F6E73656E74,))
        yield


@contextmanager
def nobody_reads(url: str) -> Iterator[None]:
    """Let no session but one of ours read or write a ledger, until the block ends. A SQLite file must not be open elsewhere."""
    if url.startswith("sqlite"):
        database = str(make_url(url).database)
        with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as holder:
            holder.execute("PRAGMA locking_mode=EXCLUSIVE")
            holder.execute("BEGIN EXCLUSIVE")
            yield
        return
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE consentkit_records IN ACCESS EXCLUSIVE MODE")
        yield
