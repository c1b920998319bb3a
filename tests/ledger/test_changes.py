from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import ChainRows, Ledger, snapshot
from consentkit.ledger.tables import records, to_row
from consentkit.proof import verify
from tests.support.postgres import Server, running_server
from tests.support.records import a_record
from tests.support.statements import before_statements, watchable_engine

LONG = 30.0
WRITERS = 3


class _RolledBackError(Exception):
    pass


class Writers:
    """Transactions that are open at the same time, as those of other processes are, and polls among them."""

    def __init__(self, url: str, *, first_seq: int = 1) -> None:
        self.engine = watchable_engine(url)
        self.ledger = Ledger(self.engine, lock_timeout=LONG)
        self.ledger.store_notice("makes the tables", {})
        with self.engine.begin() as connection:
            connection.exec_driver_sql(
                f"ALTER TABLE consentkit_records ALTER COLUMN seq RESTART WITH {first_seq}"
            )
        first = a_record()
        self.ledger.append(first)
        self._open: dict[int, tuple[Any, Connection]] = {}
        self._written: dict[int, set[str]] = {}
        self.committed = {first.id}
        self._between: list[tuple[str, int]] = []
        before_statements(self.engine, self._interfere)

    def do(self, act: str, which: int) -> None:
        """Begin, write, commit or roll back with one of the writers, as far as that is possible now."""
        if act in ("begin", "write") and which not in self._open:
            context = self.ledger._database.transaction(alone=False)
            self._open[which], self._written[which] = (context, context.__enter__()), set()
        if act == "write":
            record = a_record(subject=f"{which}")
            self.ledger._insert_statements[records].run(self._open[which][1], [to_row(record)])
            self._written[which].add(record.id)
        elif act == "commit" and which in self._open:
            self._open.pop(which)[0].__exit__(None, None, None)
            self.committed |= self._written[which]
        elif act == "roll back" and which in self._open:
            error = _RolledBackError()
            with suppress(_RolledBackError):
                self._open.pop(which)[0].__exit__(_RolledBackError, error, None)

    def poll(self, cursor: int | None, between: list[tuple[str, int]]) -> tuple[set[str], int]:
        """Return the ids that a poll reads, while writers do something between its two statements."""
        self._between = between
        found, after = self.ledger.changes(cursor)
        self._between = []
        return {record.id for record in found}, after

    def visible(self) -> set[str]:
        return {record.id for record in self.ledger.records()}

    def _interfere(self, _connection: object, statement: str) -> None:
        if self._between and "pg_locks" not in statement:
            acts, self._between = self._between, []
            for act in acts:
                self.do(*act)

    def close(self) -> None:
        for which in range(WRITERS):
            self.do("commit", which)
        self.ledger.close()
        self.engine.dispose()


@contextmanager
def open_writers(server: Server, **options: int) -> Iterator[Writers]:
    writers = Writers(server.address(), **options)
    try:
        yield writers
    finally:
        writers.close()


acts = st.tuples(
    st.sampled_from(["begin", "write", "write", "write", "commit", "commit", "roll back"]),
    st.integers(0, WRITERS - 1),
)
steps = st.one_of(acts, acts, st.tuples(st.just("poll"), st.lists(acts, max_size=6)))


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read no row again for programs that write without the ledger's lock, because that would hide what is missed."""
    monkeypatch.setattr("consentkit.ledger.queries.OVERLAP", 0)


def test_a_poll_misses_no_record_however_transactions_overlap(postgres: Server) -> None:
    @settings(max_examples=60)
    @given(st.lists(acts, max_size=8), st.lists(steps, min_size=4, max_size=30))
    def polls(before: list[tuple[str, int]], during: list[tuple[str, Any]]) -> None:
        for act in before:
            writers.do(*act)
        _, cursor = writers.poll(None, [])
        known = writers.visible()
        for act, what in during:
            if act != "poll":
                writers.do(act, what)
                continue
            visible = writers.visible()
            found, cursor = writers.poll(cursor, what)
            known |= found
            # At once, and not only once the cursor has passed them.
            assert visible <= known
        for which in range(WRITERS):
            writers.do("commit", which)
        found, cursor = writers.poll(cursor, [])
        assert known | found == writers.committed == writers.visible()
        assert writers.poll(cursor, [])[1] == cursor == writers.poll(None, [])[1]

    # Half a lock has 32 bits.
    with open_writers(postgres, first_seq=2**32 - 10) as writers:
        polls()
        assert len(writers.committed) > 100
        with snapshot(writers.engine) as connection:
            assert verify(ChainRows(connection)).is_unchanged


def test_a_cursor_waits_for_a_writer_whose_rows_have_lower_numbers(postgres: Server) -> None:
    with open_writers(postgres) as writers, open_writers(postgres) as others:
        # Another ledger in the same database.
        others.do("begin", 0)
        _, cursor = writers.poll(None, [])
        assert cursor == 1
        writers.do("begin", 0)
        writers.do("write", 0)
        writers.do("begin", 1)
        writers.do("write", 1)
        writers.do("commit", 1)
        found, after = writers.poll(cursor, [])
        assert len(found) == 1 and after == cursor
        assert writers.poll(None, [])[1] == cursor
        writers.do("begin", 1)
        writers.do("commit", 0)
        # The one that is left began when the third row was visible.
        found, after = writers.poll(cursor, [])
        assert len(found) == 2 and after == 3


def test_a_poll_that_cannot_reach_the_end_is_no_answer(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentkit.ledger.queries.LARGEST_ANSWER", 40)
    with open_writers(postgres) as writers:
        writers.do("begin", 0)
        writers.do("write", 0)
        writers.do("begin", 1)
        for _ in range(60):
            writers.do("write", 1)
        writers.do("commit", 1)
        with pytest.raises(LedgerUnavailableError, match="40 records follow one that"):
            writers.ledger.changes(1)
        writers.do("commit", 0)
        found, cursor = writers.poll(0, [])
        rest, cursor = writers.poll(cursor, [])
        assert found | rest == writers.committed and cursor == 62


def test_a_standby_is_read_from_where_its_primary_was_read() -> None:
    with running_server() as server, ExitStack() as stack:
        url = server.address()
        ledger = Ledger(url, lock_timeout=LONG)
        stack.callback(ledger.close)
        ledger.append(a_record())
        _, cursor = ledger.changes(None)
        ledger.append(a_record())
        server.stop()
        (server.socket_directory / "standby.signal").touch()
        server.start()
        # It may have more, or less, than the transactions that its primary will have committed.
        found, after = ledger.changes(cursor)
        assert len(found) == 1 and after == cursor == 1
        with pytest.raises(LedgerUnavailableError, match="is a standby"):
            ledger.changes(None)
        assert server.execute("SELECT pg_promote()") == [(True,)]
        assert ledger.changes(cursor)[1] == ledger.changes(None)[1] == 2
