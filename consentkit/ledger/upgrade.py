"""The upgrade of a ledger's tables to those of this version of the library, and of its old records into the chain."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, bindparam, func, select

from consentkit.errors import ConfigurationError, LedgerUnavailableError
from consentkit.ledger.chain import (
    KINDS,
    POOL,
    Addition,
    append,
    append_to_log,
    canonical,
    digest_of,
)
from consentkit.ledger.chain_rows import ChainRows
from consentkit.ledger.driver import run
from consentkit.ledger.removal import SHORTEST_REST
from consentkit.ledger.snapshot import begin_writing, opened
from consentkit.ledger.store import check_version
from consentkit.ledger.tables import COMPATIBLE_FROM, SCHEMA_VERSION, schema

__all__ = ["Step", "Upgrade", "upgrade_ledger"]

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_BATCH: Final = 200
# With the only column that it has in every version.
_VERSIONS: Final = sqlalchemy.table(schema.name, sqlalchemy.column("version"))


class Step(NamedTuple):
    """A version that the tables go through, and what it adds."""

    version: int
    adds: str


class Upgrade(NamedTuple):
    """What an upgrade did, or would do.

    Attributes:
        version: of the tables before.
        steps: the versions that they go through.
        unchained: how many records and links are not in the chain yet.
    """

    version: int
    steps: tuple[Step, ...]
    unchained: int


def upgrade_ledger(
    target: str | URL | Engine,
    *,
    dry_run: bool = False,
    all_restarted: bool = False,
    on_step: Callable[[Step], None] = lambda _step: None,
    on_rows: Callable[[int, int], None] = lambda _done, _total: None,
    clock: Callable[[], float] = time.time,
) -> Upgrade:
    """Upgrade the tables in one transaction for each version, then take old records into the chain in short ones.

    What was interrupted continues when this is called again. Others may use the ledger meanwhile; libraries of older versions
    only until they connect again.

    Args:
        target: the ledger's URL or engine.
        dry_run: change nothing.
        all_restarted: whether no process uses a library of an older version any more. From then on several processes may write
            to PostgreSQL at once, which the polls of older versions do not expect.
        on_step: called before each version.
        on_rows: called with the records and links that were chained, and with all that are to be.
        clock: returns seconds since the epoch.

    Raises:
        ConfigurationError: Alembic is not installed, or the database is not supported.
        LedgerUnavailableError: there is no ledger, or its tables are newer.
        sqlalchemy.exc.SQLAlchemyError: the database failed. The version it was at, and what was chained, stays.
    """
    with opened(target) as connection:
        version = stored_version(connection)
        steps = tuple(step for step, _ in _steps_after(version))
        unchained = _count_unchained(connection, version)
        if not dry_run:
            for step, upgrade in _steps_after(version):
                on_step(step)
                _take_step(connection, step.version, upgrade)
            _chain_old_rows(connection, lambda done: on_rows(done, unchained), clock)
            if all_restarted:
                _forget_older_versions(connection)
        return Upgrade(version, steps, unchained)


def stored_version(connection: Connection) -> int:
    """Return the version of the tables.

    Raises:
        LedgerUnavailableError: there are none, or they are newer than this library.
    """
    if not connection.dialect.has_table(connection, schema.name):
        raise LedgerUnavailableError("There is no ledger in this database.")
    version = connection.execute(select(func.max(schema.c.version))).scalar()
    if version is None:
        raise LedgerUnavailableError(
            "The ledger's tables have no version. Restore the database from your backup."
        )
    if version > SCHEMA_VERSION:
        check_version(connection)
        # They are compatible, and somebody newer upgraded them.
        return SCHEMA_VERSION
    return int(version)


def _steps_after(version: int) -> list[tuple[Step, Callable[[], None]]]:
    try:
        from alembic.script import ScriptDirectory
    except ImportError:
        raise ConfigurationError("The upgrade needs the extra: pip install 'consentkit[cli]'.") from None
    scripts = ScriptDirectory(str(_MIGRATIONS))
    found = [script for script in scripts.walk_revisions() if int(script.revision) > version]
    return [
        (Step(int(script.revision), script.doc.rstrip(".")), script.module.upgrade)
        for script in reversed(found)
    ]


def _take_step(connection: Connection, version: int, upgrade: Callable[[], None]) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    begin_writing(connection)
    try:
        # Somebody else may have been faster.
        if stored_version(connection) == version - 1:
            with Operations.context(MigrationContext.configure(connection)):
                upgrade()
            connection.execute(_VERSIONS.insert(), {"version": version})
            if version == SCHEMA_VERSION:
                connection.execute(
                    schema.update().where(schema.c.version == version).values(compatible_from=COMPATIBLE_FROM)
                )
        run(connection, "COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise


def _forget_older_versions(connection: Connection) -> None:
    begin_writing(connection)
    connection.execute(_VERSIONS.delete().where(_VERSIONS.c.version < SCHEMA_VERSION))
    run(connection, "COMMIT")


def _count_unchained(connection: Connection, version: int) -> int:
    if version < SCHEMA_VERSION:
        counts = (select(func.count()).select_from(table) for table in KINDS)
        return sum(connection.execute(count).scalar_one() for count in counts)
    rows = ChainRows(connection)
    return sum(rows.count_unchained(kind, rows.last(kind)) for kind in KINDS.values())


def _chain_old_rows(
    connection: Connection, on_rows: Callable[[int], None], clock: Callable[[], float]
) -> None:
    """Append to the chain what older libraries stored, and note in the log how much that was."""
    done, pause = 0, threading.Event()
    for kind, refs in _unchained(connection):
        begin_writing(connection)
        began = time.monotonic()
        try:
            count = _chain_batch(connection, kind, refs)
            if count:
                append_to_log(connection, "adoption", {"at": int(clock()), f"{kind}s": count})
            run(connection, "COMMIT")
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        # Back to back transactions would starve writers to SQLite, which ask for the lock again after pauses.
        pause.wait(max(time.monotonic() - began, SHORTEST_REST))
        done += count
        on_rows(done)


def _unchained(connection: Connection) -> Iterator[tuple[str, list[int]]]:
    rows = ChainRows(connection)
    for kind in KINDS.values():
        after = 0
        while refs := rows.outside(kind, after, _BATCH):
            yield kind, refs
            after = refs[-1]


def _chain_batch(connection: Connection, kind: str, refs: list[int]) -> int:
    """Chain rows by their `seq`, unless somebody else has done so, and return how many."""
    table = next(table for table, of_kind in KINDS.items() if of_kind == kind)
    rows = ChainRows(connection)
    salts, additions = [], []
    wanted = sorted(set(refs) & set(rows.outside(kind, refs[0] - 1, _BATCH)))
    for seq, row in sorted(rows.rows(kind, wanted).items()):
        salt = secrets.token_hex(16)
        try:
            digest = digest_of(salt, canonical(row.values))
        except (TypeError, ValueError):
            # Another program stored bytes there. The row stays outside of the chain.
            continue
        salts.append({"place": seq, "new": salt})
        additions.append(Addition(kind, digest, seq))
    if additions:
        statement = table.update().where(table.c.seq == bindparam("place")).values(salt=bindparam("new"))
        connection.execute(statement, salts)
        append(connection, additions, stream=secrets.choice(POOL))
    return len(additions)
